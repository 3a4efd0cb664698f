"""Stage 4 of games, learn: every move of the policy is a rollout, and its advantage says how its game came out."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch

from ..maths.advantages import group_advantages, rae
from ..maths.policy_gradient import PgLoss, check_loss_settings
from ..policy import Example, Policy
from ..run.settings import at_least, one_of_its_choices
from ..tasks.games import SEATS
from ..tasks.games.tree import FloatVector
from .learn_pg import PgUpdate, Rollout
from .play import LEARNER, Played


@dataclass(frozen=True)
class MovesConfig:
    """How moves are learned; SPIRAL's value in brackets where there is one."""

    # what a seat's return is compared with: rae, a running mean of its seat; shared, one of both seats; deal, the other
    # games of the same deal [rae]
    advantage: Literal["rae", "shared", "deal"] = "rae"
    clip_low: float = 0.2  # the ratio is held above 1 minus this; inf: no clipping
    clip_high: float = 0.2  # the ratio is held below 1 plus this
    kl: Literal["k1", "k2", "k3"] = "k2"  # estimate of the distance to the anchor
    kl_coef: float = 0.0  # weight of that distance in the loss: how strongly the anchor holds
    entropy_coef: float = 0.0  # weight of the entropy bonus
    epochs: int = 1  # passes over the moves [2]
    minibatches: int = 2  # optimizer steps a pass
    learning_rate: float = 3e-4  # [1e-6]
    # iterations in which the learning rate and the entropy bonus fall to 0 in a line; 0: they stay [0]
    anneal_over: int = 0
    rows_at_once: int = 256  # moves of one forward and backward pass: memory, and speed
    shared_prompts: bool = False  # compute what prompts begin with alike once: less work after long instructions

    def __post_init__(self) -> None:
        at_least(self, 1, "epochs", "minibatches", "rows_at_once")
        at_least(self, 0, "learning_rate", "anneal_over")
        one_of_its_choices(self)
        check_loss_settings(self)

    def at(self, iteration: int) -> "MovesConfig":
        """The settings of an iteration, from 1: what is annealed is smaller by the share that is over."""
        left = max(0.0, 1 - (iteration - 1) / self.anneal_over) if self.anneal_over else 1.0
        return replace(self, learning_rate=left * self.learning_rate, entropy_coef=left * self.entropy_coef)

    def update(self, rows: int) -> PgUpdate:
        """How `rows` moves are learned from, in `minibatches` parts."""
        loss = PgLoss(self.clip_low, self.clip_high, "token", 1, self.kl, self.kl_coef, self.entropy_coef)
        size = -(-rows // self.minibatches)
        once = {"rows_at_once": self.rows_at_once, "merge": True, "shared": self.shared_prompts}
        return PgUpdate(loss, self.epochs, size, self.learning_rate, **once)


def seat_advantages(
    kind: str, played: Played, returns: FloatVector, k: int, baselines: Mapping[str, float] | None
) -> tuple[FloatVector, dict[str, float]]:
    """Advantages (games, 2), 0 where the policy does not sit; and the running means to go on with.

    `deal` compares with the other k - 1 games of the same deal and seat (`rloo`); it has no running means.
    """
    sits = played.seating.players == LEARNER
    result = np.zeros(returns.shape)
    if kind == "deal":
        for seat in (0, 1):
            groups = torch.from_numpy(returns[:, seat]).view(-1, k)
            result[:, seat] = group_advantages("rloo", groups, torch.ones_like(groups)).flatten().numpy()
        return np.where(sits, result, 0.0), {}
    games, seats = np.nonzero(sits)
    roles = [SEATS[seat] if kind == "rae" else "both" for seat in seats]
    found, baselines = rae(torch.from_numpy(returns[games, seats]), roles, baselines)
    result[games, seats] = found.numpy()
    return result, baselines


def credited(kind: Literal["own", "shuffled"], returns: FloatVector, generator: torch.Generator) -> FloatVector:
    """What each game is learned from (games, 2): its own outcome, or, `shuffled`, that of a game drawn at random, each
    outcome once. So rewards are the same numbers, and say nothing of the moves.
    """
    return returns if kind == "own" else returns[torch.randperm(len(returns), generator=generator).numpy()]


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """From now on every step is taken at this rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def move_rollouts(policy: Policy, played: Played, advantages: FloatVector) -> list[Rollout]:
    """The policy's moves as what is learned from: each has the advantage of its seat in its game."""
    kind = lambda turn: (turn.prompt, *turn.token_ids)
    written = {kind(turn): turn for turn in played.turns}
    prompts = {prompt: policy.prompt_ids(prompt) for prompt in dict.fromkeys(turn.prompt for turn in written.values())}
    examples = {key: Example(prompts[turn.prompt], turn.token_ids) for key, turn in written.items()}
    won = advantages.tolist()
    return [Rollout(examples[kind(turn)], won[turn.game][turn.seat], turn.logprobs) for turn in played.turns]
