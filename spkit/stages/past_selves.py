"""What self-play in games remembers beside the weights: past selves, their average, and the anchor.

Past selves are strategies (`spkit.measures.game_moves`), the base being the first. The average is that of all
strategies so far: at every information set weighted by how often a player's own moves let it come there, which is what
converges where the strategies themselves go round (Zinkevich et al. 2007, section 2). The anchor is an older copy of
the policy from which it must not go far; one that moves slowly behind makes self-play converge (magnetic mirror
descent, arXiv:2206.05825; R-NaD of DeepNash, arXiv:2206.15378).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ..measures.game_moves import MoveChances
from ..policy import Policy
from ..tasks.games import GameTree
from ..tasks.games.tree import FloatVector

PRIORITY_POWER = 2  # AlphaStar's weighting of opponents that are hard to beat: (1 - win rate) squared


@dataclass(frozen=True)
class PastSelves:
    """Strategies (selves, places) by iteration (selves,), and the sums that their average is made of: of moves
    (places,), weighted by own reach, and of the weights (information sets,).
    """

    tree: GameTree
    strategies: FloatVector
    iterations: FloatVector
    moves: FloatVector
    weights: FloatVector

    @classmethod
    def begun(cls, base: MoveChances) -> "PastSelves":
        """The base is the first of all."""
        return cls.none(base.tree).counted(base.strategy).joined(base.strategy, 0)

    @classmethod
    def none(cls, tree: GameTree) -> "PastSelves":
        """Nobody yet."""
        moves = tree.starts[-1]
        return cls(tree, np.zeros((0, moves)), np.zeros(0), np.zeros(moves), np.zeros(len(tree.texts)))

    def counted(self, strategy: FloatVector) -> "PastSelves":
        """One more strategy in the average."""
        reach = self.tree.own_reach(strategy)
        return replace(self, moves=self.moves + reach[self.tree.owner] * strategy, weights=self.weights + reach)

    def joined(self, strategy: FloatVector, iteration: int) -> "PastSelves":
        """One more past self."""
        return replace(
            self,
            strategies=np.vstack([self.strategies, strategy]),
            iterations=np.append(self.iterations, float(iteration)),
        )

    def average(self) -> FloatVector:
        """The average strategy; uniform at information sets that no strategy so far comes to."""
        total = self.weights[self.tree.owner]
        return np.where(total > 0, self.moves / np.where(total > 0, total, 1), self.tree.uniform())

    def chances(self, draw: Literal["uniform", "prioritised"], strategy: FloatVector) -> list[float]:
        """Weight of each past self as an opponent of the strategy: all alike, or the more the more it wins."""
        if draw == "uniform":
            return [1.0] * len(self.strategies)
        rates = [self.tree.both_seats(strategy, other) for other in self.strategies]
        return [(1 - rate) ** PRIORITY_POWER + 1e-6 for rate in rates]

    def dump(self) -> dict[str, Tensor]:
        """Everything as tensors, for a checkpoint."""
        names = ("strategies", "iterations", "moves", "weights")
        return {f"past.{name}": torch.from_numpy(getattr(self, name).copy()) for name in names}

    @classmethod
    def load(cls, state: dict[str, Tensor], tree: GameTree) -> "PastSelves":
        """What `dump` gave; takes it out of the state."""
        names = ("strategies", "iterations", "moves", "weights")
        return cls(tree, *(state.pop(f"past.{name}").numpy() for name in names))


def average_of(tree: GameTree, strategies: Sequence[FloatVector]) -> FloatVector:
    """The average of these strategies (places,), as `PastSelves.average` weights them; uniform if there is none."""
    return reduce(PastSelves.counted, strategies, PastSelves.none(tree)).average()


def anchor_state(anchor: Policy) -> dict[str, Tensor]:
    """The anchor's trainable weights, for a checkpoint."""
    named = anchor.model.named_parameters()
    return {f"anchor.{name}": one.detach().cpu().clone() for name, one in named if one.requires_grad}


@torch.no_grad()
def restored_anchor(base: Policy, state: dict[str, Tensor]) -> Policy:
    """The anchor with the weights that `anchor_state` gave; takes them out of the state."""
    anchor = base.clone()
    for name, parameter in anchor.model.named_parameters():
        if parameter.requires_grad:
            parameter.copy_(state.pop(f"anchor.{name}"))
    return anchor
