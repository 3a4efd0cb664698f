"""Figures about strategies hold what they are given, and every word on them can be read."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from spkit.run import strategy_plots
from tests.pictures import unreadable, width_share


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def good(figure):
    return not unreadable(figure) and width_share(figure) >= 0.6


def test_probabilities_stand_over_iterations_with_the_range_of_the_equilibria():
    runs = {
        "latest": [([0, 10, 20], [0.5, 0.8, 1.0]), ([0, 10, 20], [0.5, 0.6, 0.8])],
        "anchor": [([0, 10, 20], [0.5, 0.4, 0.3])],
    }
    figure = strategy_plots.beside_equilibria(
        {"jack": runs, "king": runs}, {"jack": (0, 1 / 3), "king": (0.3, 0.3)}, "A title"
    )
    left, right = figure.axes
    means = {line.get_label(): list(map(float, line.get_ydata())) for line in left.lines}
    assert means["latest"] == pytest.approx([0.5, 0.7, 0.9]) and means["anchor"] == [0.5, 0.4, 0.3]
    assert [box.get_height() for box in (left.patches[0], right.patches[0])] == pytest.approx([1 / 3 + 0.016, 0.016])
    assert [one.get_text() for one in figure.legends[0].get_texts()] == ["latest", "anchor", "equilibria"]
    assert left.get_title("left") == "jack" and good(figure)


def test_paths_in_the_plane_go_from_the_base_to_the_end():
    paths = {"latest": [[(0.5, 0.4), (0.9, 0.9), (1.0, 1.0)]], "anchor": [[(0.5, 0.4), (0.1, 0.2)]]}
    figure = strategy_plots.in_the_plane(paths, [(0, 0), (1 / 3, 1)], ("jack bets", "king bets"), "A title")
    drawn = [tuple(zip(line.get_xdata(), line.get_ydata())) for line in figure.axes[0].lines]
    assert drawn[0] == ((0, 0), (1 / 3, 1)) and drawn[1] == tuple(paths["latest"][0])
    assert drawn[2:4] == [((1.0, 1.0),), ((0.5, 0.4),)] and len(drawn) == 7 and good(figure)


@pytest.mark.parametrize("count", [4, 12])
def test_a_matrix_says_who_wins_what(count):
    won = np.subtract.outer(np.arange(count), np.arange(count)) / count
    figure = strategy_plots.who_wins(
        {"a run": (list(map(str, range(count))), won), "another": (["x", "y"], won[:2, :2])}, "A title", "antes"
    )
    left, right, bar = figure.axes
    assert (
        left.images[0].get_array().tolist() == won.tolist() and left.images[0].get_clim() == right.images[0].get_clim()
    )
    assert [one.get_text() for one in right.texts] == ["+0.00", f"{-1 / count:+.2f}", f"{1 / count:+.2f}", "+0.00"]
    assert len(left.texts) == (count**2 if count <= 9 else 0) and bar.get_ylabel().endswith("(antes a game)")
    assert good(figure)
