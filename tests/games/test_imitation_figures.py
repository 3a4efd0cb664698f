"""The figures of the exact table show the numbers they are given, labelled."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from spkit.games.imitation_figures import panels, responses


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_panels_share_colours_and_show_medians_and_ranges():
    examples = ([1, 10], [[1.0, 2.0, 9.0], [3.0, 4.0, 5.0]])
    figure = panels(
        {"left": {"a": examples, "b": ([1, 10], [1, 2])}, "right": {"b": ([1, 10], [3, 4])}},
        "title",
        "x",
        "y",
        marked={"start": 2.0},
        xscale="log",
    )
    left, right = figure.axes
    assert (
        figure.get_suptitle() == "title"
        and left.get_ylabel() == "y"
        and {left.get_xlabel(), right.get_xlabel()} == {"x"}
    )
    assert left.get_xscale() == right.get_xscale() == "log"
    a, b = left.lines[:2]
    assert a.get_ydata().tolist() == [2, 4] and b.get_color() == right.lines[0].get_color() != a.get_color()
    (band,) = left.collections
    assert band.get_paths()[0].get_extents().ymin == 1 and band.get_paths()[0].get_extents().ymax == 9
    assert [line.get_ydata()[0] for line in (left.lines[-1], right.lines[-1])] == [2, 2]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]


def test_responses_draw_bars_and_crosses():
    p, q = np.array([0.7, 0.3]), np.array([0.4, 0.6])
    figure = responses(p, q, {"beta = 1": (p, p + 0.01)}, "title")
    (axes,) = figure.axes
    assert [bar.get_height() for bar in axes.patches] == pytest.approx([0.7, 0.3, 0.4, 0.6, 0.7, 0.3])
    assert axes.lines[0].get_ydata() == pytest.approx([0.71, 0.31]) and axes.lines[0].get_linestyle() == "None"
    assert axes.get_xlabel() and axes.get_ylabel() and figure.get_suptitle() == "title"
