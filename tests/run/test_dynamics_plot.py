"""The figure of a run holds what its records say: panels and values are read back from what is drawn."""

import math
import sys
import types

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from spkit.run import dynamics_plot
from spkit.run.dynamics_plot import dynamics, live
from tests.pictures import unreadable, width_share

PLAYED = [
    {"iteration": 0, "accuracy": 0.4, "pass_at_k": {"1": 0.3}, "accuracy_by_difficulty": {"1": 1.0, "2": 0.2}},
    {
        "iteration": 1,
        "solve_rate": 0.9,
        "useful_groups": 0.3,
        "valid": 0.8,
        "proposed_depth": 1.5,
        "solver_entropy": 0.1,
    },
    {
        "iteration": 2,
        "solve_rate": 0.8,
        "useful_groups": 0.4,
        "valid": 0.9,
        "proposed_depth": None,
        "solver_entropy": 0.2,
    }
    | {
        "accuracy": 0.6,
        "pass_at_k": {"1": 0.5},
        "accuracy_by_difficulty": {"1": 1.0, "2": 0.4},
        "learned": {"loss": 0.1},
    },
    {
        "iteration": 3,
        "solve_rate": 0.7,
        "useful_groups": 0.5,
        "valid": 0.7,
        "proposed_depth": 2.5,
        "solver_entropy": 0.3,
    },
    {"iteration": 4, "accuracy": 0.7, "pass_at_k": {"1": 0.6}, "learned": {"loss": float("inf")}},
]
STAR = [
    {"iteration": 0, "accuracy": 0.4},
    {"iteration": 1, "accuracy": 0.5, "kept": 10, "rationalized": 30, "loss_last": 0.2},
    {"iteration": 2, "accuracy": 0.6, "kept": 20, "rationalized": 20, "loss_last": 0.1},
]


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def lines(figure):
    """{label of the panel: {label of the line: (iterations, values)}} of what has a name."""
    return {
        axis.get_ylabel().replace("\n", " "): {
            line.get_label(): (list(line.get_xdata()), [round(float(y), 6) for y in line.get_ydata()])
            for line in axis.lines
            if not line.get_label().startswith("_")
        }
        for axis in figure.axes
    }


def test_panels_are_those_the_records_hold_with_their_values():
    drawn = lines(dynamics(PLAYED))
    assert list(drawn) == [
        "accuracy on the test set (%)", "greedy, by difficulty (%)", "rollouts (%)", "depth of problems", "valid (%)",
        "entropy (nats a token)", "loss",
    ]  # fmt: skip
    assert drawn["accuracy on the test set (%)"] == {
        "greedy": ([0, 2, 4], [40, 60, 70]),
        "pass@1": ([0, 2, 4], [30, 50, 60]),
    }
    assert drawn["greedy, by difficulty (%)"] == {"1": ([0, 2], [100, 100]), "2": ([0, 2], [20, 40])}
    assert drawn["rollouts (%)"] == {
        "solve rate": ([1, 2, 3], [90, 80, 70]),
        "useful groups": ([1, 2, 3], [30, 40, 50]),
    }
    assert drawn["valid (%)"] == {"valid": ([1, 2, 3], [80, 90, 70])}


def test_none_and_infinity_are_gaps_and_what_is_missing_is_left_out():
    drawn = lines(dynamics(PLAYED))
    x, y = drawn["depth of problems"]["proposed"]
    assert x == [1, 2, 3] and y[0] == 1.5 and math.isnan(y[1]) and y[2] == 2.5
    x, y = drawn["loss"]["loss"]
    assert x == [2, 4] and y[0] == 0.1 and math.isnan(y[1])


@pytest.mark.parametrize(
    "odd",
    [
        [],
        [{}],
        [{"accuracy": "high", "kept": None}],
        [{"accuracy_by_difficulty": None, "pass_at_k": 3, "learned": []}],
        [{"iteration": 0, "accuracy": True}, {"iteration": 1, "accuracy_by_difficulty": {"1": None}}],
    ],
)
def test_odd_records_never_raise(odd):
    figure = dynamics(odd, [odd, []], control=odd)
    assert figure.get_suptitle() and not unreadable(figure)


def test_one_difficulty_has_no_panel_of_its_own():
    records = [{"iteration": t, "accuracy": 0.5, "accuracy_by_difficulty": {"3": 0.5}} for t in range(3)]
    assert list(lines(dynamics(records))) == ["accuracy on the test set (%)"]


def test_kept_and_hinted_are_counts_and_two_points_are_dots():
    figure = dynamics(STAR)
    drawn = lines(figure)
    assert drawn["completions kept"] == {"kept": ([1, 2], [10, 20]), "hinted": ([1, 2], [30, 20])}
    assert drawn["loss"] == {"loss": ([1, 2], [0.2, 0.1])}
    styles = [axis.lines[0].get_linestyle() for axis in figure.axes]
    assert styles == ["-", "None", "None"]


def test_shares_have_all_of_their_axis_and_counts_begin_at_nothing():
    limits = {axis.get_ylabel(): axis.get_ylim() for axis in dynamics(STAR).axes}
    assert limits["accuracy on the test set (%)"] == (-3, 103) and limits["completions kept"][0] == 0


def test_self_play_in_a_game_has_panels_of_its_own():
    wins = {"base": 0.5, "random": 0.4, "pool": 0.5, "last": 0.5}
    looked = {"nash_conv": 0.9, "nash_conv_average": 0.8, "entropy": 0.6, "illegal": 0.02, "wins": wins}
    records = [{"iteration": t, "learned": {"loss": 0.1}} | (looked if t % 2 == 0 else {}) for t in range(5)]
    drawn = lines(dynamics(records))
    assert list(drawn) == [
        "NashConv (a game)", "games won against the base (%)", "entropy of a move (nats)", "illegal moves (share)",
    ]  # fmt: skip
    assert drawn["NashConv (a game)"]["average so far"] == ([0, 2, 4], [0.8] * 3)
    assert drawn["games won against the base (%)"]["against the base"] == ([0, 2, 4], [50] * 3)


def test_stored_seeds_are_a_band_behind_from_the_lowest_to_the_highest():
    stored = [
        [{"iteration": t, "accuracy": share} for t, share in enumerate(curve)] for curve in ((0.2, 0.3), (0.4, 0.7))
    ]
    stored.append([{"iteration": 0, "accuracy": 0.1}, {"iteration": 1, "accuracy": None}])
    figure = dynamics(STAR, stored, control=STAR[:1] * 3, control_name="no hints")
    (band,) = figure.axes[0].collections
    corners = {(x, round(y, 6)) for x, y in band.get_paths()[0].vertices.tolist()}
    assert corners == {(0, 10), (0, 40), (1, 30), (1, 70)}
    assert figure.axes[0].lines[0].get_linestyle() == "--" and not figure.axes[1].collections
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "this run", "no hints", "stored seeds: lowest to highest",
    ]  # fmt: skip


@pytest.mark.parametrize("records", [PLAYED, STAR, STAR[:1]])
def test_every_word_can_be_read(records):
    figure = dynamics(records, [records], control=records, title="a run with a long title: " + "what it shows " * 12)
    assert not unreadable(figure) and width_share(figure) >= 0.6


def test_outside_a_notebook_live_shows_nothing_and_returns_the_records(monkeypatch):
    monkeypatch.setattr(dynamics_plot, "_png", None)  # a figure would raise
    assert live(iter(STAR)) == STAR and not plt.get_fignums()


class Shell:
    kernel = object()


@pytest.fixture
def notebook(monkeypatch):
    """A notebook's display, that keeps what it is told to show."""
    told: list = []
    handle = types.SimpleNamespace(update=lambda picture: told.append(("update", picture)))
    shown = types.SimpleNamespace(
        Image=lambda data: data[:4], display=lambda picture, display_id: told.append(("display", picture)) or handle
    )
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=Shell, display=shown))
    monkeypatch.setitem(sys.modules, "IPython.display", shown)
    return told


def test_in_a_notebook_one_picture_is_drawn_anew_while_the_loop_yields(notebook):
    seen = []

    def loop():
        for record in STAR:
            yield record
            seen.append(len(notebook))

    assert live(loop(), seconds=0) == STAR
    assert notebook == [("display", b"\x89PNG"), ("update", b"\x89PNG"), ("update", b"\x89PNG")] and seen == [1, 2, 3]
    assert not plt.get_fignums()


def test_a_fast_loop_is_drawn_at_its_first_record_and_at_its_end(notebook):
    live(iter(STAR), seconds=100)
    assert [how for how, _ in notebook] == ["display", "update"]


def test_a_loop_that_is_stopped_shows_what_it_got_to(notebook):
    def loop():
        yield from STAR
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        live(loop(), seconds=100)
    assert [how for how, _ in notebook] == ["display", "update"]


def test_many_iterations_are_drawn_as_they_are():
    records = [{"iteration": t, "accuracy": t / 100} for t in range(100)]
    assert np.allclose(dynamics(records).axes[0].lines[0].get_ydata(), np.arange(100))
