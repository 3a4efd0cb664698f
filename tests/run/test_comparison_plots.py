"""What stands where in the figures that compare methods, read back from what was drawn."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from spkit.run.comparison_plots import against_cost, dots


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_a_method_stands_at_the_mean_of_what_its_seeds_spent_and_is_cut_to_the_shortest():
    seeds = [([0, 10, 20, 30], [0.1, 0.2, 0.3, 0.4]), ([0, 30, 40], [0.3, 0.4, 0.7])]
    panels = {"tokens": {"RLVR": seeds, "SFT": [([0, 1, 2], [1, 2, 3])]}, "steps": {"RLVR": seeds}}
    left, right = against_cost(panels, "accuracy", "It rises", {"steps": 25}).axes
    line = left.lines[0]
    assert line.get_xdata() == pytest.approx([0, 20, 30]) and line.get_ydata() == pytest.approx([0.2, 0.3, 0.5])
    assert (left.get_xlabel(), left.get_ylabel(), right.get_xlabel()) == ("tokens", "accuracy", "steps")
    assert len(left.lines) == 2 and [line.get_xdata()[0] for line in right.lines] == [0, 25]
    assert left.lines[0].get_color() == right.lines[0].get_color() != left.lines[1].get_color()


def test_a_dot_is_a_seed_and_the_bar_their_mean():
    figure = dots({"a": {"SFT": [1, 2, 6], "RLVR": [5]}, "b": {"RLVR": [7, 8]}}, "Two", {"b": (6.5, "the base")})
    left, right = figure.axes
    assert [list(map(float, np.atleast_1d(line.get_xdata()))) for line in left.lines] == [[1, 2, 6], [3], [5], [5]]
    assert [list(np.atleast_1d(line.get_ydata())) for line in left.lines] == [[0, 0, 0], [0], [1], [1]]
    assert [text.get_text() for text in left.get_yticklabels()] == ["SFT", "RLVR"]
    assert [7, 8] in [list(line.get_xdata()) for line in right.lines] and right.lines[-1].get_xdata()[0] == 6.5
    assert figure.legends[0].get_texts()[0].get_text() == "the base"
