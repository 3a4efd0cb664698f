"""Policy-gradient losses on token log-probabilities: clipped ratios, three ways to average,
distance to a reference, entropy.

    GRPO       aggregation `sequence`, clip 0.2 / 0.2
    DAPO       aggregation `token`, clip 0.2 / 0.28
    Dr. GRPO   aggregation `constant`

Ratios, and the exponential of k3, are `spkit.maths.preference.tangent_exp` of a log-ratio: exact up to 20 nats, and a
line beyond, where float32 would overflow and make the gradient NaN.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from ..run.errors import NotFinite, SpkitError
from .estimators import KL_ESTIMATES, kl_estimate
from .preference import tangent_exp

AGGREGATIONS = ("sequence", "token", "constant")


def check_loss_settings(settings: Any) -> None:
    """Raise SpkitError for clips that are not above 0, or coefficients that are not finite and 0 or more.

    `settings` are those of a loss, or of a loop that has them among its own.
    """
    for name in ("clip_low", "clip_high"):
        if not getattr(settings, name) > 0:
            raise SpkitError(f"{name} must be positive, not {getattr(settings, name)}")
    for name in ("kl_coef", "entropy_coef"):
        value = getattr(settings, name)
        if not (math.isfinite(value) and value >= 0):
            raise SpkitError(f"{name} must be 0 or more, not {value}")


@dataclass(frozen=True)
class PgLoss:
    """What is minimised. Coefficients of 0 leave their term out.

    `length` (tokens) is for the aggregation `constant` alone.
    """

    clip_low: float = 0.2  # the ratio is held above 1 - clip_low ...
    clip_high: float = 0.2  # ... and below 1 + clip_high, where that is the pessimistic side; infinity: no clipping
    aggregation: Literal["sequence", "token", "constant"] = "token"
    length: int = 1
    kl: Literal["k1", "k2", "k3"] = "k3"
    kl_coef: float = 0.0
    entropy_coef: float = 0.0

    def __post_init__(self) -> None:
        if self.aggregation not in AGGREGATIONS:
            raise SpkitError(f"aggregation must be one of {', '.join(AGGREGATIONS)}, not {self.aggregation!r}")
        if self.kl not in KL_ESTIMATES:
            raise SpkitError(f"kl must be one of {', '.join(KL_ESTIMATES)}, not {self.kl!r}")
        if self.length < 1:
            raise SpkitError(f"length must be 1 or more, not {self.length}")
        check_loss_settings(self)


class Size(NamedTuple):
    """How many rows and completion tokens are averaged over."""

    rows: int
    tokens: int


def pg_loss(
    logprobs: Tensor,
    old_logprobs: Tensor,
    advantages: Tensor,
    mask: Tensor,
    settings: PgLoss,
    *,
    reference_logprobs: Tensor | None = None,
    entropy: Tensor | None = None,
    counts: Tensor | None = None,
    size: Size | None = None,
) -> tuple[Tensor, dict[str, float]]:
    """The clipped policy-gradient loss of a batch (a scalar) and plain numbers about it.

    `logprobs` and `old_logprobs` are (rows, tokens), nats, under the policy that is trained and the one that sampled;
    `advantages` are (rows,) or (rows, tokens); tokens with mask 0 (prompt, padding) do not count, whatever stands
    there. A token's loss is -min(ratio * A, clip(ratio, 1 - clip_low, 1 + clip_high) * A), ratio = exp(logprobs -
    old_logprobs), plus kl_coef times `kl_estimate`. The average is over tokens, then rows (`sequence`), over all tokens
    (`token`), or the sum over rows * `length` (`constant`). The bonus takes entropy_coef times the mean of `entropy`
    (rows, tokens), of the next-token distributions, away.

    With `counts` (rows,) a row stands for so many that are alike. With `size`, of a larger batch that this one is a
    part of, the losses of the parts add up to that of the whole, for every aggregation.

    The numbers, means over the batch's tokens: `clip_share` (no gradient, because the ratio has moved far enough),
    `ratio_max`, `kl` (k3, if there is a reference) and `entropy` (if given). Raises SpkitError for shapes that do not
    fit, a batch without completion tokens, numbers that are not finite, or a coefficient above 0 without its tensor.
    """
    mask = mask.bool()
    _check(logprobs, old_logprobs, advantages, mask, settings, reference_logprobs, entropy)
    counts = mask.new_ones(len(mask), dtype=torch.long) if counts is None else counts
    size = size or Size(int(counts.sum()), int((mask * counts[:, None]).sum()))
    advantages = advantages[:, None].expand_as(logprobs) if advantages.ndim == 1 else advantages
    ratio = tangent_exp(torch.where(mask, logprobs - old_logprobs, 0.0))
    low, high = 1 - settings.clip_low, 1 + settings.clip_high
    per_token = -torch.minimum(ratio * advantages, ratio.clamp(low, high) * advantages)
    if settings.kl_coef:
        here, there = (torch.where(mask, scores, 0.0) for scores in (logprobs, reference_logprobs))
        per_token = per_token + settings.kl_coef * kl_estimate(here, there, settings.kl)
    loss = _aggregate(per_token * counts[:, None], mask, settings, size)
    if settings.entropy_coef:
        loss = loss - settings.entropy_coef * (torch.where(mask, entropy, 0.0) * counts[:, None]).sum() / size.tokens
    held = ((ratio > high) & (advantages > 0)) | ((ratio < low) & (advantages < 0))
    return loss, _numbers(ratio, held, mask, counts, logprobs, reference_logprobs, entropy)


def _aggregate(per_token: Tensor, mask: Tensor, settings: PgLoss, size: Size) -> Tensor:
    per_token = torch.where(mask, per_token, 0.0)
    if settings.aggregation == "token":
        return per_token.sum() / size.tokens
    if settings.aggregation == "constant":
        return per_token.sum() / (size.rows * settings.length)
    return (per_token.sum(1) / mask.sum(1).clamp(min=1)).sum() / size.rows


def _numbers(
    ratio: Tensor,
    held: Tensor,
    mask: Tensor,
    counts: Tensor,
    logprobs: Tensor,
    reference: Tensor | None,
    entropy: Tensor | None,
) -> dict[str, float]:
    weights = counts[:, None].expand_as(mask)[mask].cpu().double()
    mean = lambda values: (values.detach()[mask].cpu().double() @ weights / weights.sum()).item()
    numbers = {"clip_share": mean(held), "ratio_max": ratio.detach()[mask].max().item()}
    if reference is not None:
        numbers["kl"] = mean(kl_estimate(logprobs.detach(), reference))
    if entropy is not None:
        numbers["entropy"] = mean(entropy)
    return numbers


def _check(
    logprobs: Tensor,
    old: Tensor,
    advantages: Tensor,
    mask: Tensor,
    settings: PgLoss,
    reference: Tensor | None,
    entropy: Tensor | None,
) -> None:
    named = {
        "logprobs": logprobs,
        "old_logprobs": old,
        "mask": mask,
        "reference_logprobs": reference,
        "entropy": entropy,
    }
    given = {name: tensor for name, tensor in named.items() if tensor is not None}
    shapes = {name: tuple(tensor.shape) for name, tensor in given.items()}
    if (
        mask.ndim != 2
        or len(set(shapes.values())) > 1
        or tuple(advantages.shape) not in (tuple(mask.shape), tuple(mask.shape[:1]))
    ):
        raise SpkitError(
            f"give (rows, tokens) each, and an advantage a row or a token, not {shapes}, advantages "
            f"{tuple(advantages.shape)}"
        )
    if not mask.any():
        raise SpkitError("the batch has no completion token to learn from")
    if not advantages.isfinite().all():
        raise SpkitError("an advantage is not a finite number: look at the rewards it was made from")
    for name, tensor in given.items():
        if name != "mask" and not tensor.detach()[mask].isfinite().all():
            raise NotFinite(f"{name} has a number that is not finite at a completion token")
    if (settings.kl_coef and reference is None) or (settings.entropy_coef and entropy is None):
        raise SpkitError("kl_coef above 0 needs reference_logprobs, and entropy_coef above 0 needs entropy")
