"""Stage 4, learn: the rollouts of proposer and solver with their advantages, for one policy-gradient update."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ..maths.advantages import group_advantages, rae, reinforce_pp, trr_pp
from ..maths.policy_gradient import PgLoss, check_loss_settings
from ..policy import Example, Policy
from ..run.settings import at_least, one_of_its_choices
from ..tasks import Kind, Proposable
from .learn_pg import PgUpdate, Rollout
from .propose import Proposed
from .solve import Attempts, repeated


@dataclass(frozen=True)
class RolesConfig:
    """How both roles are learned; Absolute Zero's value in brackets where there is one."""

    # what a reward is compared with: trr_pp whitens per kind and role, global over all, rae has running means [trr_pp]
    advantage: Literal["trr_pp", "global", "grpo", "rloo", "rae"] = "rloo"
    whiten: Literal["tokens", "rows"] = "tokens"  # what trr_pp and global count [its code: tokens; its equation: rows]
    # the loss averages within each sequence, over all tokens, or divides by a constant length
    aggregation: Literal["sequence", "token", "constant"] = "token"
    clip_low: float = 0.2  # the ratio is held above 1 minus this; inf: no clipping [0.2]
    clip_high: float = 0.28  # the ratio is held below 1 plus this [0.28]
    kl_coef: float = 0.0  # weight of the distance to the base [0]
    entropy_coef: float = 0.0  # weight of the entropy bonus [0.001]
    epochs: int = 1  # passes over the rollouts [1]
    minibatches: int = 2  # optimizer steps a pass [3]
    learning_rate: float = 2e-4  # constant [1e-6]
    rows_at_once: int = 32  # rollouts of one forward and backward pass: memory, and nothing else

    def __post_init__(self) -> None:
        at_least(self, 1, "epochs", "minibatches", "rows_at_once")
        at_least(self, 0, "learning_rate")
        one_of_its_choices(self)
        check_loss_settings(self)

    def update(self, rows: int, length: int) -> PgUpdate:
        """How `rows` rollouts are learned from, in `minibatches` parts; `length` (tokens) is for `constant`."""
        loss = PgLoss(self.clip_low, self.clip_high, self.aggregation, length, "k3", self.kl_coef, self.entropy_coef)
        return PgUpdate(
            loss, self.epochs, -(-rows // self.minibatches), self.learning_rate, rows_at_once=self.rows_at_once
        )


def longest_of_kinds(policy: Policy, task: Proposable, kinds: Sequence[Kind]) -> int:
    """Tokens of the longest completion of these kinds that is asked for, its end token included."""
    characters = max(task.of_kind[kind].max_completion_chars(task.hardest) for kind in kinds)
    return policy.tokens_for(characters, task.chars_per_token)


def role_rollouts(
    policy: Policy,
    attempts: Attempts,
    solver_rewards: Tensor,
    proposals: Sequence[Proposed],
    proposer_rewards: Sequence[float | None],
    settings: RolesConfig,
    proposer_weight: float,
    baselines: dict[str, float] | None,
) -> tuple[list[Rollout], dict[str, float]]:
    """What is learned from, the solver's rows first, with advantages; and the running means to go on with (`rae`).

    The proposer has a row for each proposal with a reward, and their advantages are times `proposer_weight`.
    """
    prompts = {problem.prompt: policy.prompt_ids(problem.prompt) for problem in attempts.problems}
    rows = zip(attempts.rollouts.prompts, attempts.rollouts.token_ids)
    examples = [Example(prompts[prompt], ids) for prompt, ids in rows]
    logprobs = list(attempts.rollouts.token_logprobs)
    cells = [(problem.kind, "solver") for problem in repeated(attempts.problems, attempts.k)]
    rewards = solver_rewards.flatten().tolist()
    for made, earned in zip(proposals, proposer_rewards):
        if earned is not None:
            examples.append(Example(policy.prompt_ids(made.prompt), made.token_ids))
            logprobs.append(made.logprobs)
            cells.append((made.kind, "proposer"))
            rewards.append(earned)
    lengths = torch.tensor([len(example.completion) for example in examples])
    advantages, baselines = role_advantages(
        settings, torch.tensor(rewards), cells, lengths, attempts.k, solver_rewards.numel(), baselines
    )
    advantages[solver_rewards.numel() :] *= proposer_weight
    return [Rollout(*row) for row in zip(examples, advantages.tolist(), logprobs, strict=True)], baselines


def role_advantages(
    settings: RolesConfig,
    rewards: Tensor,
    cells: Sequence[tuple[str, str]],
    lengths: Tensor,
    k: int,
    attempts: int,
    baselines: dict[str, float] | None,
) -> tuple[Tensor, dict[str, float]]:
    """Advantages (rows,) of rewards (rows,), of which the first `attempts` are the solver's, k of each
    problem; and the means of `rae`.

    `grpo` and `rloo` compare the solver's attempts at one problem; a proposal has no group, and is compared within
    its cell as in `trr_pp`.
    """
    weights = lengths if settings.whiten == "tokens" else None
    if settings.advantage == "global":
        return reinforce_pp(rewards, weights), {}
    if settings.advantage == "rae":
        return rae(rewards, [f"{kind} {role}" for kind, role in cells], baselines)
    if settings.advantage == "trr_pp":
        return trr_pp(rewards, cells, weights), {}
    grouped = group_advantages(
        settings.advantage, rewards[:attempts].view(-1, k), lengths[:attempts].view(-1, k)
    ).flatten()
    if attempts == len(rewards):
        return grouped, {}
    rest = trr_pp(rewards[attempts:], cells[attempts:], None if weights is None else weights[attempts:])
    return torch.cat([grouped, rest]), {}
