"""Stage 3, verify: the rewards of two roles: the solver's from the scores, the proposer's from the solver's."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ..maths.proposer_rewards import proposer_reward
from ..run.settings import one_of_its_choices, shares
from .propose import Proposed, ProposerConfig, duplicate_shares
from .solve import Attempts
from .verify import shuffled


@dataclass(frozen=True)
class VerifierConfig:
    """What the solver's rewards come from; Absolute Zero's value in brackets where there is one."""

    # `grounded` in the evaluator, `vote_share` (agreement), or `random`: shuffled within each problem, the control
    # [grounded]
    reward: Literal["grounded", "vote_share", "random"] = "grounded"
    # what must be right: the `answer`; `steps`: every step too; `lenient`: any one of several answers [answer]
    check: Literal["answer", "steps", "lenient"] = "steps"
    flip_rate: float = 0.0  # how often the evaluator's verdict is flipped [0]
    gate: Literal["strict", "off"] = "strict"  # strict: only valid problems are solved; off: invalid text too [strict]
    leak: float = 0.0  # chance that the strict gate lets an invalid proposal through
    wrong: float = -0.5  # reward of a readable answer that is wrong [-0.5]
    unreadable: float = -1.0  # reward of an answer that cannot be read [-1]

    def __post_init__(self) -> None:
        shares(self, "flip_rate", "leak")
        one_of_its_choices(self)

    @property
    def rule(self) -> str:
        """The rule of `spkit.stages.verify` that scores attempts; a check of the answer alone can be noisy."""
        rules = {"answer": "noisy", "steps": "all_steps", "lenient": "lenient"}
        return "vote_share" if self.reward == "vote_share" else rules[self.check]

    @property
    def passes(self) -> float:
        """Chance that an invalid proposal passes the gate."""
        return 1.0 if self.gate == "off" else self.leak


def solver_rewards(attempts: Attempts, scores: Tensor, settings: VerifierConfig, draw: torch.Generator) -> Tensor:
    """Rewards (problems, k): a score above 0 is the reward, whether the answer could be read or not.

    Where the score is 0 a readable answer has `wrong`, any other `unreadable`. The control `random` shuffles them
    within each problem.
    """
    readable = attempts.table([verdict.parsed is not None for verdict in attempts.verdicts]).bool()
    rewards = torch.where(scores > 0, scores, torch.where(readable, settings.wrong, settings.unreadable))
    return shuffled(rewards, draw) if settings.reward == "random" else rewards


def proposer_rewards(
    proposals: Sequence[Proposed], origins: Sequence[int | None], rates: Tensor, settings: ProposerConfig
) -> list[float | None]:
    """The reward of each proposal: by the mean score of its attempts if it was solved, `invalid` if it is no problem.

    None if it is held out.
    """
    rate = {index: value for index, value in zip(origins, rates.tolist()) if index is not None}
    shares_of = duplicate_shares(proposals)
    return [
        proposer_reward(settings.reward, rate[index], shares_of[index], settings.extremes)
        if index in rate
        else None
        if made.valid
        else settings.invalid
        for index, made in enumerate(proposals)
    ]
