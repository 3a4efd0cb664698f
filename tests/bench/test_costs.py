"""The table of `make bench`: ratios, their spread, exponents, and what it says of a peer that is not there."""

import pytest

from tests.bench.__main__ import grown, shown
from tests.bench.costs import Comparison, Cost, compared, exponent, rounds, timed


def paced(clocks: list[float], units: float = 10.0) -> tuple[list[int], object]:
    """A side that takes these seconds, one a call, twice as many of the processor; and the rounds it was asked for."""
    asked, left = [], list(clocks)

    def side(number: int) -> Cost:
        asked.append(number)
        second = left.pop(0)
        return Cost(units, second, 2 * second)

    return asked, side


def test_a_ratio_is_taken_within_a_round_and_per_unit():
    ours, theirs = paced([9.0, 1.0, 2.0, 4.0])[1], paced([9.0, 2.0, 6.0, 4.0], units=5.0)[1]
    one = Comparison("a", "tokens", "b", ours, theirs)
    row = compared(one, rounds(one, 3))
    assert row["ratio"] == pytest.approx({"median": 4.0, "least": 2.0, "most": 6.0}) == row["ratio_processor"]
    assert row["ours_per_second"] == {"median": 5.0, "least": 2.5, "most": 10.0}
    assert "4.00 (2.00 to 6.00)" in shown(row)


@pytest.mark.parametrize(("warm", "asked"), [(True, [0, 0, 1]), (False, [0, 1])])
def test_a_first_round_that_warms_up_is_not_counted(warm, asked):
    heard, side = paced([1.0, 2.0, 3.0])
    costs = rounds(Comparison("a", "tokens", "b", side, None, warm), 2)
    assert heard == asked and len(costs["ours"]) == 2


def test_the_sides_take_turns_at_being_first():
    order = []
    side = lambda name: lambda number: order.append((number, name)) or Cost(1, 1.0, 1.0)
    rounds(Comparison("a", "tokens", "b", side("ours"), side("theirs"), warm=False), 2)
    assert order[0][1] != order[2][1] and [number for number, _ in order] == [0, 0, 1, 1]


def test_a_peer_that_is_not_there_is_said():
    one = Comparison("a", "tokens", "TRL", paced([1.0])[1], None, warm=False)
    row = compared(one, rounds(one, 1))
    assert "ratio" not in row and not row["installed"] and shown(row).endswith("not installed")


def test_a_cost_that_grows_as_a_power_has_that_exponent():
    sizes = [10, 20, 40]
    assert exponent(sizes, [3.0 * size**1.5 for size in sizes]) == pytest.approx(1.5)
    row = {"what": "a", "by": "rows", "sizes": sizes, "seconds": [1.0, 2.0, 4.0], "exponent": 1.0}
    assert grown(row) == "a, by rows: 10: 1.000 s, 20: 2.000 s, 40: 4.000 s; exponent 1.00"


def test_an_act_is_timed():
    cost = timed(lambda: sum(range(200_000)) and 7.0)
    assert cost.units == 7.0 and cost.clock > 0 and cost.processor >= 0
