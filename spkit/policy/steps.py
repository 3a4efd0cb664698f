"""The optimizer step that every update takes: the gradient is clipped, and a step that would spoil
the weights is not taken.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..run.errors import NotFinite

STEP_ADVICE = (
    "take a lower learning rate, or whatever else makes the loss or the steps smaller (beta, a smoother loss, clipping)"
)


def clipped_step(
    optimizer: torch.optim.Optimizer, losses: Sequence[Tensor | float], clip: float, number: int
) -> tuple[list[float], float]:
    """One step with the gradient's norm held to `clip`; returns `losses` (of the parts of the batch) and the norm
    before, as plain numbers.

    Raises NotFinite if a loss or the norm is NaN or infinite, with the weights and the optimizer's moments as they were
    before step `number` (from 1). Losses that are tensors wait for the device together with the norm, once.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    norm = torch.nn.utils.clip_grad_norm_(parameters, clip)
    *values, norm_value = _numbers([*losses, norm])
    if not all(map(math.isfinite, (*values, norm_value))):
        rate = optimizer.param_groups[0]["lr"]
        found = f"the loss is {sum(values):.4g} and the norm of its gradient {norm_value:.4g}"
        raise NotFinite(f"{found} at step {number} (learning rate {rate:.3g}), so it was not taken: {STEP_ADVICE}")
    optimizer.step()
    return values, norm_value


def _numbers(mixed: Sequence[Tensor | float]) -> list[float]:
    """As floats; all that are on a device in one transfer."""
    there = [value for value in mixed if isinstance(value, Tensor)]
    found = iter(torch.stack([value.detach().double() for value in there]).tolist())
    return [next(found) if isinstance(value, Tensor) else value for value in mixed]
