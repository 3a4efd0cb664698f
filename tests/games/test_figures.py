"""The figures show the numbers they are given: axes, bands and heat map are read back from the drawn objects."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from spkit.games import figures, matrix
from spkit.games.self_play import Config, play, start

RECORDS = list(play(start(Config(problems=4), range(6)), 20, 10))


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def drawn():
    pairs = list(matrix.multiplicative_weights(matrix.ROCK_PAPER_SCISSORS, [0.4, 0.3, 0.3], [0.3, 0.4, 0.3], 0.2, 50))
    p = np.linspace(0, 1, 5)
    seeds = np.full((6, 8), 100.0)
    return {
        "simplex": figures.simplex(pairs, {"last": np.ones(50), "average": np.ones(50)}, ["r", "p", "s"], "title"),
        "nash_convs": figures.nash_convs(
            {"one": ([1, 2], np.ones(2)), "many": ([1, 2], np.ones((2, 6)))}, "title", floor=1 / 3
        ),
        "curriculum": figures.curriculum(RECORDS, "title"),
        "behaviours": figures.behaviours({"a": RECORDS, "b (control)": RECORDS}, "title", mark=10),
        "pay_curves": figures.reward_curves(p, {"1-r": [("0%", 1 - p)], "r": [("0%", p)]}, "title"),
        "wasted": figures.wasted({"a": RECORDS}, "title"),
        "attempts_needed": figures.attempts_needed({"start": [("0%", seeds)], "end": [("0%", seeds)]}, 10, "title"),
        "threshold": figures.threshold({"300 x 300": ([0, 0.1], [10, 20], np.ones((2, 6)))}, "title"),
    }


def test_every_axis_is_labelled_and_every_figure_has_its_title():
    for name, figure in drawn().items():
        assert "title" in (figure.get_suptitle() or figure.axes[0].get_title(loc="left")), name
        for axes in (axes for axes in figure.axes if axes.axison):
            alone = len(axes.get_shared_y_axes().get_siblings(axes)) == 1
            assert axes.get_ylabel() or not (alone or axes is figure.axes[0]), name
            assert axes.get_xlabel() or axes.get_label() == "<colorbar>", name


def test_the_heat_map_is_the_exact_learnability_and_the_line_the_proposals():
    figure = figures.curriculum(RECORDS, "title")
    (image,) = figure.axes[1].get_images()
    assert np.allclose(image.get_array(), np.array([r.learnability.mean(0) for r in RECORDS]).T)
    (line,) = figure.axes[1].get_lines()
    assert np.allclose(line.get_ydata(), [(r.proposals @ np.arange(1, 9)).mean() for r in RECORDS])


def test_the_band_spans_the_seeds():
    _, axes = plt.subplots()
    figures.line(axes, [1, 2], np.array([[0.0, 1, 2, 3, 4, 5], [1, 1, 1, 1, 1, 7]]))
    (band,) = axes.collections
    corners = band.get_paths()[0].vertices
    assert corners[:, 1].min() == 0 and corners[:, 1].max() == 7
    assert axes.get_lines()[0].get_ydata().tolist() == [2.5, 2.0]


def test_hopeless_share_counts_proposals_where_accuracy_is_low():
    record = RECORDS[0]  # untrained: accuracy 0.05 at n = 1, 0.005 and less beyond
    assert figures.hopeless_share(record) == pytest.approx(1 - record.proposals[:, 0])
