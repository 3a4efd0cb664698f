"""Losses on log-probabilities.

A finite log-probability, however extreme, has a finite loss and a finite gradient: see `tangent_exp`.
"""

import math
from collections.abc import Callable
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from ..run.errors import SpkitError

STEEPEST = 20.0  # nats: from here on `tangent_exp` is a line; verl cuts its log-ratios there


def tangent_exp(x: Tensor) -> Tensor:
    """exp(x) up to x = 20, and its tangent e^20 (x - 19) beyond, so that no finite x gives an infinite
    value or a NaN in the gradient.

    Any shape; up to 20 value and gradient are those of exp to the last bit. Beyond, the gradient is e^20: it keeps its
    sign, and by then dwarfs every other.
    """
    return x.clamp(max=STEEPEST).exp() * (1 + (x - STEEPEST).relu())


def sft_loss(token_logprobs: Tensor, mask: Tensor) -> Tensor:
    """Mean negative log-likelihood of the completion tokens of a batch (nats a token).

    `token_logprobs` and `mask` are (rows, tokens); tokens with mask 0 (prompt, padding) do not count. The
    mean is over tokens, not over rows: a long rationale weighs more than a short one, as in the
    language-model loss STaR fine-tunes with.
    """
    return -(torch.where(mask.bool(), token_logprobs, 0.0) * mask).sum() / mask.sum().clamp(min=1)


# What is minimised, of the rewards r (real) and g (generated), each beta times a log-ratio to the opponent. Pairwise
# losses read r - g alone.
PAIRWISE: dict[str, Callable[[Tensor, float], Tensor]] = {
    "logistic": lambda margin, tau: -F.logsigmoid(margin),  # SPIN, eq. 4.7 with l(t) = log(1 + exp(-t))
    "hinge": lambda margin, tau: (1 - margin).relu(),  # SPIN, sec. 4.1
    "exponential": lambda margin, tau: tangent_exp(-margin),  # SPIN, sec. 4.1; a line from a margin of -20 on
    "ipo": lambda margin, tau: (
        (margin - tau) ** 2
    ),  # Azar et al. 2023 on pairs of real and generated; tau 1/2 is theirs times beta ** 2
}
POINTWISE: dict[str, Callable[[Tensor, Tensor, float], Tensor]] = {
    "chi2": lambda r, g, tau: (r - tau) ** 2 + (g + tau) ** 2,
    "nce": lambda r, g, tau: -F.logsigmoid(r) - F.logsigmoid(-g),
}
SpinLoss = Literal["logistic", "hinge", "exponential", "ipo", "chi2", "nce", "tspin"]
LOSSES: tuple[SpinLoss, ...] = get_args(SpinLoss)


def spin_loss(
    policy_real: Tensor,
    policy_generated: Tensor,
    opponent_real: Tensor,
    opponent_generated: Tensor,
    *,
    beta: float,
    kind: str = "logistic",
    tau: float = 1.0,
    policy_initial: Tensor | None = None,
) -> tuple[Tensor, dict[str, float]]:
    """Loss of self-play fine-tuning (a scalar, mean over rows) and plain numbers about the batch.

    All tensors are (rows,): summed completion log-probabilities (nats) of the real reply and of the opponent's own,
    under the policy that is trained and under the opponent. The policy is the discriminator: its reward of a reply is r
    = beta * (policy - opponent). Kinds:

    - `logistic`, `hinge`, `exponential`: SPIN (arXiv:2401.01335, eq. 4.7 and sec. 4.1), of the
      margin r(real) - r(generated);
    - `ipo`: (margin - tau)^2, the squared pairwise loss of IPO (arXiv:2310.12036, eq. 17);
    - `chi2`: (r(real) - tau)^2 + (r(generated) + tau)^2. Derived here from the chi-square variational objective, whose
      best reward tau (p - q) / (p + q) is bounded; it is not quoted from any paper;
    - `nce`: each reply is classified alone, by the logistic loss (the form of SPACE, arXiv:2512.07175, without
      its noise-ratio weights);
    - `tspin`: T-SPIN (arXiv:2601.08198), which has no opponent in its loss: l(beta * log pi(y) / pi(y')) + tau * l(beta
      * log pi(y') / pi(y0)), l logistic, y0 a reply of the initial model with log-probability `policy_initial` under
      the policy. Its alpha is our beta, its beta our tau.

    The numbers: `reward_real`, `reward_generated`, `margin` (means), `accuracy` (share of rows with a margin above 0),
    `max_abs_reward`, `displacement_real`, `displacement_generated` (mean of policy - opponent, nats).

    Raises SpkitError for an unknown kind, beta or tau that is not positive and finite (tau may be 0 for tspin), or
    tensors that are empty, not 1-D, or differ in length.
    """
    _check(beta, tau, kind, policy_real, policy_generated, opponent_real, opponent_generated)
    shift_real, shift_generated = policy_real - opponent_real, policy_generated - opponent_generated
    r, g = beta * shift_real, beta * shift_generated
    if kind in PAIRWISE:
        loss = PAIRWISE[kind](r - g, tau)
    elif kind in POINTWISE:
        loss = POINTWISE[kind](r, g, tau)
    else:
        loss = _tspin(policy_real, policy_generated, policy_initial, beta, tau)
    return loss.mean(), _numbers(r.detach(), g.detach(), shift_real.detach(), shift_generated.detach())


def dpo_loss(
    policy_chosen: Tensor, policy_rejected: Tensor, reference_chosen: Tensor, reference_rejected: Tensor, *, beta: float
) -> tuple[Tensor, dict[str, float]]:
    """DPO (arXiv:2305.18290, eq. 7): the arithmetic of SPIN's logistic loss in other roles.

    The chosen reply stands where the real one stood, the rejected one for the generated one, and a fixed
    reference model for the opponent.
    """
    return spin_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta=beta)


def _tspin(real: Tensor, generated: Tensor, initial: Tensor | None, beta: float, tau: float) -> Tensor:
    loss = PAIRWISE["logistic"](beta * (real - generated), tau)
    if tau == 0:
        return loss
    if initial is None or initial.shape != real.shape:
        raise SpkitError(
            "tspin with tau above 0 needs policy_initial: the policy's log-probability of one reply of the "
            "initial model a row"
        )
    return loss + tau * PAIRWISE["logistic"](beta * (generated - initial), tau)


def _numbers(r: Tensor, g: Tensor, shift_real: Tensor, shift_generated: Tensor) -> dict[str, float]:
    return {
        "reward_real": r.mean().item(),
        "reward_generated": g.mean().item(),
        "margin": (r - g).mean().item(),
        "accuracy": (r > g).cpu().double().mean().item(),
        "max_abs_reward": max(r.abs().max().item(), g.abs().max().item()),
        "displacement_real": shift_real.mean().item(),
        "displacement_generated": shift_generated.mean().item(),
    }


def _check(beta: float, tau: float, kind: str, *tensors: Tensor) -> None:
    if kind not in LOSSES:
        raise SpkitError(f"unknown kind of loss {kind!r}: choose one of {', '.join(LOSSES)}")
    if not (math.isfinite(beta) and beta > 0):
        raise SpkitError(f"beta must be a positive number, not {beta}")
    if not (math.isfinite(tau) and (tau > 0 or (tau == 0 and kind == "tspin"))):
        raise SpkitError(f"tau must be a positive number, not {tau}")
    shapes = [tuple(tensor.shape) for tensor in tensors]
    if len(set(shapes)) > 1 or len(shapes[0]) != 1 or shapes[0][0] == 0:
        raise SpkitError(
            f"give four 1-D tensors of the same length with one summed log-probability a row, not shapes {shapes}"
        )
