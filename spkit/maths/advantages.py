"""Advantages: what a reward is compared with before it moves the policy.

    grpo, dr_grpo, rloo      the other samples of the same problem
    reinforce_pp             everything in the batch
    trr_pp                   everything of the same task and role
    rae                      a running mean of the same role

All are constants to the gradient: pure functions of rewards. Where every reward that is compared is the same the
advantage is exactly 0, and not a rounding error divided by a small number.
"""

import math
from collections.abc import Hashable, Mapping, Sequence

import torch
from torch import Tensor

from ..run.errors import SpkitError

GRPO_EPSILON = 1e-4  # added to the standard deviation; TRL's value (verl has 1e-6, the paper none)
WHITEN_EPSILON = 1e-8  # added to the variance; verl's value
RAE_DECAY = 0.95


def grpo(rewards: Tensor, epsilon: float = GRPO_EPSILON) -> Tensor:
    """GRPO (arXiv:2402.03300): reward minus the mean of its group, over the group's standard deviation
    (n - 1 in its denominator).

    `rewards` and the result are (problems, k): a row holds the k samples of one problem. Raises SpkitError for rewards
    that are not finite, and for groups of fewer than two samples, which have nothing to be compared with.
    """
    centred = dr_grpo(rewards)
    return centred / (rewards.std(1, keepdim=True) + epsilon)


def dr_grpo(rewards: Tensor) -> Tensor:
    """Dr. GRPO (arXiv:2503.20783): reward minus the mean of its group. Shapes and errors as `grpo`.

    Its other half is the aggregation `constant` of `spkit.maths.policy_gradient`: no division by a
    completion's own length either.
    """
    _check_groups(rewards)
    return torch.where(_varied(rewards), rewards - rewards.mean(1, keepdim=True), 0.0)


def rloo(rewards: Tensor) -> Tensor:
    """RLOO (arXiv:2402.14740): reward minus the mean of the *other* samples of its group. Shapes and errors as `grpo`.

    The same number as k / (k - 1) times `dr_grpo`. It is the one that leaves the expected gradient exact: a baseline
    which a sample is part of shrinks it by (k - 1) / k.
    """
    _check_groups(rewards)
    others = (rewards.sum(1, keepdim=True) - rewards) / (rewards.shape[1] - 1)
    return torch.where(_varied(rewards), rewards - others, 0.0)


def reinforce_pp(rewards: Tensor, lengths: Tensor | None = None, epsilon: float = WHITEN_EPSILON) -> Tensor:
    """REINFORCE++ (arXiv:2501.03262): rewards of the whole batch brought to mean 0 and variance 1. `rewards`
    and the result are (rows,).

    With `lengths` (rows,), the tokens of each completion, mean and variance are over tokens, as in verl: the reward
    comes at the end and is not discounted, so every token of a completion has the same return, and a long
    completion weighs more. Without, every completion counts once. Left out: the penalty for leaving a reference
    that the paper puts into the return; the loss has one. Raises SpkitError if there is no reward, one is not
    finite, or a length is below 1.
    """
    _check_rows(rewards)
    weights = _weights(rewards, lengths)
    if rewards.max() == rewards.min():
        return torch.zeros_like(rewards)
    count = weights.sum()
    centred = rewards - (weights * rewards).sum() / count
    variance = (weights * centred**2).sum() / (count - 1)
    return centred * (variance + epsilon).rsqrt()


def trr_pp(
    rewards: Tensor, cells: Sequence[Hashable], lengths: Tensor | None = None, epsilon: float = WHITEN_EPSILON
) -> Tensor:
    """Task-relative REINFORCE++ (Absolute Zero, arXiv:2505.03335, eq. 8): `reinforce_pp` within
    every cell. All are (rows,).

    `cells` has one (task, role) a row. Roles that are rewarded on different scales do not shift each other's baseline.
    A cell of one row has advantage 0. With `lengths` it is what the paper's code does (over tokens), without what its
    equation says. Errors as `reinforce_pp`.
    """
    _check_rows(rewards)
    if len(cells) != len(rewards):
        raise SpkitError(f"{len(cells)} cells for {len(rewards)} rewards: give one (task, role) a reward")
    result, weights = torch.zeros_like(rewards), _weights(rewards, lengths)
    for cell in dict.fromkeys(cells):
        rows = torch.tensor([row for row, own in enumerate(cells) if own == cell], device=rewards.device)
        result[rows] = reinforce_pp(rewards[rows], weights[rows], epsilon)
    return result


def rae(
    rewards: Tensor, roles: Sequence[str], baselines: Mapping[str, float] | None = None, decay: float = RAE_DECAY
) -> tuple[Tensor, dict[str, float]]:
    """Role-conditioned advantage estimation (SPIRAL, arXiv:2506.24119): reward minus a running mean of
    its role, row after row.

    `rewards` and the advantages are (rows,). A row is compared with the baseline as it stands, which then moves:
    b <- decay * b + (1 - decay) * reward. `baselines` holds those of earlier batches, a new role starts from 0;
    the ones to go on with are handed back, plain numbers that a record can keep. Raises SpkitError for no
    rewards, ones that are not finite, a number of roles that is not that of rewards, a baseline that is not
    finite, or a decay outside [0, 1].
    """
    _check_rows(rewards)
    if len(roles) != len(rewards):
        raise SpkitError(f"{len(roles)} roles for {len(rewards)} rewards: give one role a reward")
    if not 0 <= decay <= 1:
        raise SpkitError(f"decay must be between 0 and 1, not {decay}")
    current, result = dict(baselines or {}), []
    bad = next((role for role, value in current.items() if not math.isfinite(value)), None)
    if bad is not None:
        raise SpkitError(f"the baseline of {bad!r} is {current[bad]}: every baseline must be a finite number")
    for reward, role in zip(rewards.tolist(), roles):
        before = current.get(role, 0.0)
        result.append(reward - before)
        current[role] = decay * before + (1 - decay) * reward
    return torch.tensor(result, dtype=rewards.dtype, device=rewards.device), current


GROUP_ADVANTAGES = ("grpo", "dr_grpo", "rloo", "reinforce_pp")


def group_advantages(kind: str, rewards: Tensor, lengths: Tensor) -> Tensor:
    """Advantages (problems, k) by name, of one task and role.

    `rewards` and `lengths` (tokens) are too. SpkitError for another name.
    """
    if kind == "reinforce_pp":
        return reinforce_pp(rewards.flatten(), lengths.flatten()).view_as(rewards)
    if kind not in GROUP_ADVANTAGES:
        raise SpkitError(f"unknown advantage {kind!r}: choose one of {', '.join(GROUP_ADVANTAGES)}")
    return {"grpo": grpo, "dr_grpo": dr_grpo, "rloo": rloo}[kind](rewards)


def useful_groups(rewards: Tensor) -> float:
    """Share of the groups in (problems, k) whose rewards are not all the same: those that say
    anything about what to change.
    """
    _check_groups(rewards)
    return _varied(rewards).double().mean().item()


def _varied(rewards: Tensor) -> Tensor:
    return rewards.amax(1, keepdim=True) > rewards.amin(1, keepdim=True)


def _weights(rewards: Tensor, lengths: Tensor | None) -> Tensor:
    weights = torch.ones_like(rewards) if lengths is None else lengths.to(rewards)
    if weights.shape != rewards.shape or not (weights.isfinite() & (weights >= 1)).all():
        raise SpkitError("lengths must be one number of tokens a reward, each 1 or more")
    return weights


def _check_groups(rewards: Tensor) -> None:
    if rewards.ndim != 2 or rewards.shape[0] < 1 or rewards.shape[1] < 2:
        raise SpkitError(
            "give rewards as (problems, samples of each), at least two samples of one problem, not "
            f"{tuple(rewards.shape)}"
        )
    _check_finite(rewards)


def _check_rows(rewards: Tensor) -> None:
    if rewards.ndim != 1 or not len(rewards):
        raise SpkitError(f"give one reward a row, and at least one, not shape {tuple(rewards.shape)}")
    _check_finite(rewards)


def _check_finite(rewards: Tensor) -> None:
    if not rewards.is_floating_point():
        raise SpkitError(f"rewards must be floating-point numbers, not {rewards.dtype}")
    bad = (~rewards.isfinite()).nonzero()
    if len(bad):
        raise SpkitError(
            f"the reward at {tuple(bad[0].tolist())} is {rewards[tuple(bad[0])].item()}: every reward must "
            "be a finite number"
        )
