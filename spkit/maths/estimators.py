"""Estimators of the distance between two policies from sampled tokens, and the entropy of one."""

import torch
from torch import Tensor

from ..run.errors import SpkitError
from .preference import STEEPEST, tangent_exp

KL_ESTIMATES = ("k1", "k2", "k3")


def kl_estimate(logprobs: Tensor, reference_logprobs: Tensor, kind: str = "k3") -> Tensor:
    """Estimate of KL(policy || reference) from a token the policy sampled; any shape, nats. With d =
    logprobs - reference_logprobs:

    k1 = d, k2 = d^2 / 2, k3 = exp(-d) - 1 + d. k1 and k3 are unbiased values, and k3 is never negative. As a *loss* on
    samples they differ: the expected gradient of k1 is 0, that of k2 is the gradient of KL(policy || reference), and
    that of k3 is the gradient of KL(reference || policy).
    """
    d = logprobs - reference_logprobs
    if kind == "k1":
        return d
    if kind == "k2":
        return d**2 / 2
    if kind == "k3":
        return _tangent_expm1(-d) + d
    raise SpkitError(f"kl must be one of {', '.join(KL_ESTIMATES)}, not {kind!r}")


def _tangent_expm1(x: Tensor) -> Tensor:
    """`tangent_exp(x) - 1`, exact near 0."""
    return torch.where(x > STEEPEST, tangent_exp(x) - 1, x.clamp(max=STEEPEST).expm1())


def entropy_of(logits: Tensor) -> Tensor:
    """Entropy (...) in nats of next-token distributions, of logits (..., vocabulary).

    A probability that is 0 in floating point adds nothing, to the value as to the gradient, which -p log p
    alone would make NaN there.
    """
    chances = logits.softmax(-1)
    if logits.requires_grad and torch.is_grad_enabled():
        chances = torch.where(chances > 0, chances, 1.0)
    return torch.special.entr(chances).sum(-1)
