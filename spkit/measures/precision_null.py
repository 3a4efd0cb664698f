"""The precision null: the optimizer steps of a run with nothing to learn, whose weights are then read as a run's are.

AdamW moves a weight by about its learning rate, whatever the gradient says. In bfloat16 a weight of 0.02 is stored to
the nearest multiple of 0.00012, so 500 steps of 1e-6 in random directions leave three in four of a checkpoint's weights
as they were (two in three where the weights before had not been rounded: then some start close to the next multiple).
What a run shows beyond this control is about learning; what it shares with it is about the learning rate, the number
of steps and the precision. "The Path Not Taken" (arXiv:2511.08567, section 3.3) calls this the precision gate. The
control is ours: we know of none in that paper or in that of Mukherjee et al. (arXiv:2505.11711).

Departures from a run: every parameter has a gradient at every step, an embedding of a token that is never read too;
gradients are independent normal numbers, of one size for all parameters and all steps, which AdamW does not see but
through its epsilon and the growth of its second moment. With `coherent` that share of the steps, evenly spread, has one
direction for the whole walk, as a gradient with a signal does.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from ..policy import Policy
from ..run.errors import SpkitError
from ..run.settings import at_least, shares
from .updates import PRECISIONS, Weights, check_weights

Factor = Callable[[int], float]


@dataclass(frozen=True)
class NullConfig:
    """AdamW (torch's, betas 0.9 and 0.999) as in the run that this is the control of."""

    steps: int  # optimizer steps of the run, all iterations together
    learning_rate: float
    coherent: float = 0.0  # share of the steps whose gradient is one fixed direction
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        at_least(self, 0, "steps", "learning_rate", "weight_decay")
        shares(self, "coherent")


def precision_null(
    before: Weights,
    config: NullConfig,
    generator: torch.Generator,
    precision: Literal["float32", "bfloat16"] = "float32",
    factor: Factor = lambda step: 1.0,
) -> dict[str, Tensor]:
    """Weights after the null's steps from `before`, which stays as it is; float32, for `update_summary`.

    In float32 the optimizer works on master weights, as mixed precision does; read them in both precisions. With
    bfloat16 there are no masters: weights, moments and steps are in bfloat16, and a step below half a unit in the last
    place is lost at once. `factor` is the schedule: the learning rate of step t (from 0) is its value times that of the
    config. The draws come from the CPU `generator` alone. Raises SpkitError for another precision or for weights that
    are quantised, NotFinite if they are not finite.
    """
    if precision not in PRECISIONS:
        raise SpkitError(f"precision must be {' or '.join(PRECISIONS)}, not {precision!r}")
    check_weights(before)
    parameters = [nn.Parameter(tensor.detach().to(PRECISIONS[precision], copy=True)) for tensor in before.values()]
    random_walk(parameters, config, generator, factor)
    return {name: parameter.detach().float() for name, parameter in zip(before, parameters)}


def null_policy(
    policy: Policy, config: NullConfig, generator: torch.Generator, factor: Factor = lambda step: 1.0
) -> Policy:
    """A clone after the null's steps on what it would train: all its weights, or those of its adapter alone (LoRA).

    In the precision that its weights have.
    """
    twin = policy.clone()
    random_walk([one for one in twin.model.parameters() if one.requires_grad], config, generator, factor)
    return twin


def random_walk(
    parameters: Sequence[nn.Parameter], config: NullConfig, generator: torch.Generator, factor: Factor
) -> None:
    """Take the null's steps in place."""
    draw = lambda: [torch.randn(one.shape, generator=generator) for one in parameters]
    optimizer = torch.optim.AdamW(parameters, lr=config.learning_rate, weight_decay=config.weight_decay)
    direction = draw()
    for step in range(config.steps):
        gradients = direction if _coherent(step, config.coherent) else draw()
        for one, gradient in zip(parameters, gradients):
            one.grad = gradient.to(one)
        optimizer.param_groups[0]["lr"] = config.learning_rate * factor(step)
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def _coherent(step: int, share: float) -> bool:
    return int((step + 1) * share + 1e-9) > int(step * share + 1e-9)
