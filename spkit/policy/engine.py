"""What may take the optimizer steps of a policy in place of our own code (see `spkit.engines`)."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch

from .training import Example, SftConfig


class Engine(Protocol):
    """A trainer of others. Both methods train the policy in place, as the functions of the same purpose do."""

    name: str

    def fit(
        self,
        policy: Any,
        examples: Sequence[Example],
        config: SftConfig,
        generator: torch.Generator,
        on_step: Callable[[int, float], None],
    ) -> dict[str, float]:
        """As `spkit.policy.training.sft`."""

    def learn_from_pairs(
        self,
        policy: Any,
        scored: Sequence[Any],
        update: Any,
        generator: torch.Generator,
        on_step: Callable[[int], None],
    ) -> dict[str, float]:
        """As `spkit.stages.learn_preference.learn_from_pairs`."""
