"""Advantages: values by hand, the identities between them, and what is refused."""

import math

import pytest
import torch

from spkit.maths.advantages import (
    GROUP_ADVANTAGES,
    dr_grpo,
    group_advantages,
    grpo,
    rae,
    reinforce_pp,
    rloo,
    trr_pp,
    useful_groups,
)
from spkit.run.errors import SpkitError
from tests.helpers import apart


def rewards(rows=6, k=4, seed=0):
    return torch.rand(rows, k, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_grpo_by_hand():
    mean, std = 0.25, math.sqrt((0.75**2 + 3 * 0.25**2) / 3)
    row = grpo(torch.tensor([[1.0, 0, 0, 0]], dtype=torch.float64))[0]
    assert row.tolist() == pytest.approx([(1 - mean) / (std + 1e-4), *[-mean / (std + 1e-4)] * 3])
    assert torch.allclose(dr_grpo(rewards()), rewards() - rewards().mean(1, keepdim=True))


def test_rloo_leaves_one_out_and_is_k_over_k_minus_1_times_the_centred_reward():
    values = rewards()
    for row, advantages in zip(values.tolist(), rloo(values).tolist()):
        for i, advantage in enumerate(advantages):
            assert advantage == pytest.approx(row[i] - sum(row[:i] + row[i + 1 :]) / 3)
    assert torch.allclose(rloo(values), 4 / 3 * (values - values.mean(1, keepdim=True)))


@pytest.mark.parametrize("kind", GROUP_ADVANTAGES)
@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, 1e6 / 3])
def test_where_all_rewards_are_the_same_the_advantage_is_exactly_zero(kind, value):
    """0.1 is not a binary fraction: three of them have a mean that differs from each, and 1e-9 over
    1e-4 would train on noise.
    """
    assert torch.equal(
        group_advantages(kind, torch.full((2, 3), value), torch.tensor([[1, 2, 3]] * 2)), torch.zeros(2, 3)
    )


@pytest.mark.parametrize("kind", ["grpo", "dr_grpo", "rloo"])
def test_a_group_knows_nothing_of_the_others(kind):
    values = rewards()
    whole = group_advantages(kind, values, torch.ones_like(values))
    assert apart(whole[:2], group_advantages(kind, values[:2], torch.ones(2, 4))) < 1e-14
    shifted = values + torch.arange(6.0)[:, None]
    assert torch.allclose(whole, group_advantages(kind, shifted, torch.ones_like(values)))


def test_reinforce_pp_whitens_over_tokens_as_written_out_token_by_token():
    values, lengths = rewards().flatten(), torch.randint(1, 9, (24,), generator=torch.Generator().manual_seed(1))
    tokens = values.repeat_interleave(lengths)
    by_token = (tokens - tokens.mean()) / (tokens.var() + 1e-8).sqrt()
    assert torch.allclose(reinforce_pp(values, lengths).repeat_interleave(lengths), by_token)
    assert torch.allclose(reinforce_pp(values), (values - values.mean()) / (values.var() + 1e-8).sqrt())
    assert not torch.allclose(reinforce_pp(values), reinforce_pp(values, lengths), atol=1e-3)


@pytest.mark.parametrize("lengths", [None, torch.arange(1, 25)])
def test_trr_pp_with_one_cell_is_reinforce_pp(lengths):
    values = rewards().flatten()
    assert torch.equal(trr_pp(values, ["deduction/solve"] * 24, lengths), reinforce_pp(values, lengths))


def test_trr_pp_compares_within_a_task_and_role_only():
    values = rewards().flatten()
    cells = [("deduction", "solve"), ("deduction", "propose"), ("abduction", "solve")] * 8
    whole = trr_pp(values, cells)
    for cell in set(cells):
        rows = torch.tensor([row for row, own in enumerate(cells) if own == cell])
        assert torch.equal(whole[rows], reinforce_pp(values[rows]))
    scaled = torch.where(torch.tensor([cell[1] == "propose" for cell in cells]), 100 * values - 7, values)
    assert torch.allclose(trr_pp(scaled, cells), whole, atol=1e-6)
    assert not torch.allclose(reinforce_pp(scaled), whole, atol=0.1)
    alone = trr_pp(values[:3], cells[:3])
    assert torch.equal(alone, torch.zeros(3, dtype=torch.float64)), "a cell of one row has nothing to be compared with"


def test_rae_reads_the_baseline_before_it_moves_one_a_role():
    values = torch.tensor([1.0, 1.0, 0.5, 0.0], dtype=torch.float64)
    advantages, baselines = rae(values, ["first", "first", "second", "first"])
    moved = 0.95 * 0.05 + 0.05
    assert advantages.tolist() == pytest.approx([1.0, 1 - 0.05, 0.5, -moved])
    assert baselines == pytest.approx({"first": 0.95 * moved, "second": 0.025})


def test_rae_in_two_batches_is_rae_in_one():
    values, roles = rewards().flatten(), ["a", "b", "b"] * 8
    whole, end = rae(values, roles)
    first, between = rae(values[:10], roles[:10])
    second, other_end = rae(values[10:], roles[10:], between)
    assert torch.equal(whole, torch.cat([first, second])) and end == other_end and set(end) == {"a", "b"}


def test_rae_learns_the_mean_of_a_role():
    advantages, baselines = rae(torch.full((400,), 0.7), ["only"] * 400)
    assert baselines["only"] == pytest.approx(0.7, abs=1e-4) and abs(advantages[-1].item()) < 1e-4


def test_useful_groups_are_those_whose_rewards_differ():
    assert useful_groups(torch.tensor([[1.0, 1], [0, 0], [0, 1], [1, 0]])) == 0.5


@pytest.mark.parametrize("kind", GROUP_ADVANTAGES)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_reward_that_is_no_number_is_refused_where_it_stands(kind, bad):
    values = rewards()
    values[2, 1] = bad
    with pytest.raises(
        SpkitError, match=r"the reward at \(.+\) is (nan|inf|-inf): every reward must be a finite number"
    ):
        group_advantages(kind, values, torch.ones_like(values))


@pytest.mark.parametrize("shape", [(0, 4), (3, 0), (3, 1), (5,)])
@pytest.mark.parametrize("method", [grpo, dr_grpo, rloo, useful_groups])
def test_groups_that_are_empty_or_of_one_are_refused(method, shape):
    with pytest.raises(SpkitError, match="at least two samples of one problem"):
        method(torch.zeros(shape))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: reinforce_pp(torch.zeros(0)), "at least one"),
        (lambda: reinforce_pp(torch.zeros(2), torch.tensor([1, 0])), "lengths must be one number of tokens a reward"),
        (
            lambda: reinforce_pp(torch.zeros(2), torch.tensor([1, math.inf])),
            "lengths must be one number of tokens a reward",
        ),
        (lambda: reinforce_pp(torch.zeros(2), torch.tensor([1])), "lengths must be one number of tokens a reward"),
        (lambda: reinforce_pp(torch.tensor([1, 0])), "rewards must be floating-point"),
        (lambda: trr_pp(torch.zeros(2), ["a"]), "1 cells for 2 rewards"),
        (lambda: trr_pp(torch.zeros(0), []), "at least one"),
        (lambda: trr_pp(torch.zeros(2), ["a", "a"], torch.ones(3)), "lengths must be one number of tokens a reward"),
        (lambda: rae(torch.zeros(1), ["a"], {"a": math.nan}), "the baseline of 'a' is nan"),
        (lambda: rae(torch.zeros(2), ["a"]), "1 roles for 2 rewards"),
        (lambda: rae(torch.tensor([math.nan]), ["a"]), r"the reward at \(0,\) is nan"),
        (lambda: rae(torch.zeros(1), ["a"], decay=2.0), "decay must be between 0 and 1"),
        (
            lambda: group_advantages("ppo", torch.zeros(2, 2), torch.ones(2, 2)),
            "unknown advantage 'ppo': choose one of grpo",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(call, message):
    with pytest.raises(SpkitError, match=message) as refused:
        call()
    assert "\n" not in str(refused.value)
