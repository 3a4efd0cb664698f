"""What a proposer earns: each test names the mistake it would catch."""

from math import exp

import pytest

from spkit.maths.proposer_rewards import PROPOSER_REWARDS, proposer_reward


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("1-r", (0, 7 / 8, 1 / 2, 1 / 8, 0)),
        ("1-2|r-1/2|", (0, 1 / 4, 1, 1 / 4, 0)),
        ("min(r,1-r)-dup", (0, 1 / 8, 1 / 2, 1 / 8, 0)),
        ("0<r<1", (0, 1, 1, 1, 0)),
        ("variance", (exp(-3.125), exp(-((9 / 64) ** 2) * 50), 1, exp(-((9 / 64) ** 2) * 50), exp(-3.125))),
        ("hardness", (1, 7 / 8, 1 / 2, 1 / 8, 0)),
        ("constant", (1, 1, 1, 1, 1)),
    ],
)
def test_every_reward_at_five_solve_rates_and_where_the_published_code_differs(name, values):
    rates = (0.0, 1 / 8, 1 / 2, 7 / 8, 1.0)
    assert [proposer_reward(name, r) for r in rates] == pytest.approx(values)
    coded = [proposer_reward(name, r, extremes="code") for r in rates]
    assert coded[1:4] == pytest.approx(values[1:4])
    assert [coded[0], coded[4]] == (list(values[::4]) if name in ("hardness", "constant") else [-0.5, -0.5])


def test_only_the_reward_that_says_so_minds_duplicates():
    minds = {name for name in PROPOSER_REWARDS if proposer_reward(name, 0.5, 0.25) != proposer_reward(name, 0.5)}
    assert minds == {"min(r,1-r)-dup"}
    assert proposer_reward("min(r,1-r)-dup", 0.5, 0.25) == 0.25
