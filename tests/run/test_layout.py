"""Words of a figure never take its width: on every plotting function with the longest words that the course has."""

from collections.abc import Callable

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from spkit.games import figures, imitation_figures, matrix
from spkit.games.self_play import Config, play, start
from spkit.run import plots, thought_plots
from spkit.run.layout import in_lines, laid_out
from tests.pictures import unreadable, width_share, width_share_of_png

LONG = (
    "At beta = 0.1 the learning rate that suits beta = 1 overshoots; a tenth of it, or a bounded reward, does not, and "
    "after four iterations SFT is closer to the data (6 seeds; band: from the lowest seed to the highest)"
)
RUNS = ["self-play", "same reward for any valid problem", "beta 0.1, rate 3e-4, chi2 (tau 1/4)", "as many at random"]
GAME = list(play(start(Config(problems=4), range(6)), 20, 10))
SHARES = {"1": 0.2, "2": 0.4, "4": 0.7}
KINDS = ["answer", "number", "sign", "mark"]


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def curves(points: int = 5) -> dict[str, list[list[float]]]:
    return {name: [[i * j for j in range(points)] for i in (1, 2, 3)] for name in RUNS}


def thoughts(count: int) -> list[tuple[str, float, float]]:
    return [(f"{i}*{i}", 0.9 / (i + 1), -1.0) for i in range(count)]


def records() -> list[dict]:
    levels = {"1": 1.0, "2": 0.6, "3": 0.4, "4": 0.2, "5": 0.0}
    return [{"iteration": t, "accuracy_by_difficulty": levels} for t in range(3)]


def simplex() -> Figure:
    pairs = list(matrix.multiplicative_weights(matrix.ROCK_PAPER_SCISSORS, [0.4, 0.3, 0.3], [0.3, 0.4, 0.3], 0.2, 50))
    return figures.simplex(pairs, {"last": np.ones(50), "average": np.ones(50)}, ["rock", "paper", "scissors"], LONG)


def rules() -> dict[str, list]:
    p = np.linspace(0, 1, 5)
    return {rule: [(f"{f:.0%}", p) for f in (0, 0.1, 0.2)] for rule in ("1-r", "1-r if r>0", "1-2|r-1/2|")}


def tables(panels: int) -> dict[str, dict]:
    return {
        f"two steps, tau = {i}": {f"{b:g}": ([1, 10, 100], [3, 2, 1]) for b in (0.1, 0.5, 1, 5)} for i in range(panels)
    }


QUANTITY = "probability of the two outcomes that neither of the two sides ever says"
DRAWN: dict[str, Callable[[], Figure]] = {
    "compare_runs": lambda: plots.compare_runs({name: [records()] for name in RUNS[:2]}, LONG),
    "one panel": lambda: plots.lines_over_iterations({"KL(p_data || policy) (nats)": curves()}, LONG),
    "three panels": lambda: plots.lines_over_iterations(
        {QUANTITY: curves(), "b": curves(), "c": curves()}, LONG, "iteration (0 = after 6 epochs of SFT)"
    ),
    "blocks of ten": lambda: plots.lines_over_iterations({"a": curves()}, LONG, x=(5, 15, 25, 35, 45)),
    "two points": lambda: plots.lines_over_iterations({"a": curves(2)}, LONG),
    "differences": lambda: plots.differences(
        {name: {run: [1.0, 2.0] for run in RUNS} for name in ("accuracy, all depths (%)", "pass@8")}, "self-play", LONG
    ),
    "over_k": lambda: plots.over_k({name: [SHARES, SHARES] for name in RUNS}, LONG, "test problems solved (%)"),
    "histograms": lambda: plots.histograms(
        {f"iteration {t}": {"real": [0.0, 1.0], "generated": [1.0, 2.0]} for t in range(4)}, LONG, "reward of a reply"
    ),
    "simplex": simplex,
    "nash_convs": lambda: figures.nash_convs(
        {"latest opponent (first 100)": ([1, 1500], [2, 1]), "policy gradient, average": ([1, 1500], np.ones((2, 6)))},
        LONG,
        floor=1 / 3,
    ),
    "curriculum": lambda: figures.curriculum(GAME, LONG),
    "behaviours": lambda: figures.behaviours(dict.fromkeys(RUNS, GAME), LONG, mark=10),
    "reward_curves": lambda: figures.reward_curves(np.linspace(0, 1, 5), rules(), LONG),
    "wasted": lambda: figures.wasted(dict.fromkeys(RUNS, GAME), LONG),
    "attempts_needed": lambda: figures.attempts_needed(
        {f"iteration {t}": [(f"{f} %", np.full((6, 8), 10.0 ** (6 - f))) for f in range(3)] for t in range(3)}, 10, LONG
    ),
    "threshold": lambda: figures.threshold(
        {f"{n} x {900 - n}": ([0, 0.1], [10, 20], np.ones((2, 6))) for n in (150, 300, 600)}, LONG
    ),
    "one table": lambda: imitation_figures.panels(
        tables(1), LONG, "gradient steps", QUANTITY, "beta", marked={"start": 2}
    ),
    "two tables": lambda: imitation_figures.panels(tables(2), LONG, "iteration", "KL(p || policy), nats", "beta"),
    "responses": lambda: imitation_figures.responses(
        np.ones(6) / 6,
        np.ones(6) / 6,
        {f"beta = {b}": (np.ones(6) / 6, np.ones(6) / 6) for b in (0.5, 1, 2)},
        LONG,
    ),
    "mask_picture": lambda: thought_plots.mask_picture(
        np.tri(12), list(";2*<<<ttt>>>"), {"text": 3, "start marks": 3, "thoughts": 3, "end marks": 3}, LONG
    ),
    "thoughts_at_a_place": lambda: thought_plots.thoughts_at_a_place(
        {name: thoughts(8) for name in ("base", "base, judged by the trained policy", "trained policy")}, "1*1", LONG
    ),
    "thoughts_along_a_text": lambda: thought_plots.thoughts_along_a_text(
        ";1+2=3;4*5=6;" * 2, ["413", "2"] * 12 + ["1"], [0.1, -0.2] * 12 + [0.9], LONG
    ),
    "bars_by_kind": lambda: thought_plots.bars_by_kind(
        {
            "NLL (nats)": {name: dict.fromkeys(KINDS, 2.0) for name in RUNS},
            "weight": {"after": dict.fromkeys(KINDS, 1)},
        },
        KINDS,
        LONG,
        dict.fromkeys(KINDS, 0.5),
    ),
    "bars_of_runs": lambda: thought_plots.bars_of_runs(
        {name: {"greedy thought": 0.9, "sampled thought": 0.5, "thought hidden": 0.1} for name in RUNS},
        LONG,
        "right answers (%)",
        0.1,
    ),
}


@pytest.mark.parametrize("name", DRAWN)
def test_axes_fill_the_width_and_every_word_can_be_read(name):
    figure = DRAWN[name]()
    width = figure.get_size_inches()[0]
    assert width_share(figure) >= 0.6 and not unreadable(figure)
    assert " ".join(figure.get_suptitle().split()) == LONG and figure.get_size_inches()[0] == width


def test_words_that_fit_stay_in_one_line_and_a_long_word_has_its_own():
    fits = lambda line: len(line) <= 7
    assert in_lines("one two", fits) == "one two"
    assert in_lines("one two three", fits) == "one two\nthree"
    assert in_lines("a incomprehensible b", fits) == "a\nincomprehensible\nb"


def test_what_is_added_makes_the_figure_higher_and_not_wider():
    with plots.style():
        figure, axes = plt.subplots(figsize=(6, 3))
        axes.plot([0, 1], label="a")
        before = axes.get_window_extent()
        laid_out(figure, LONG, axes.lines)
    assert figure.get_size_inches()[0] == 6 and figure.get_size_inches()[1] > 3.3
    figure.draw_without_rendering()
    assert axes.get_window_extent().height > 0.8 * before.height


def test_the_measures_find_a_squeezed_axis_a_cut_word_and_an_overlap(tmp_path):
    figure = plt.figure(figsize=(6, 3))
    axes = figure.add_axes((0.1, 0.2, 0.3, 0.6))
    figure.text(0.9, 0.5, "a long text at the edge")
    axes.text(0.2, 0.5, "one")
    axes.text(0.2, 0.5, "other")
    found = unreadable(figure)
    assert any("cut off" in fault for fault in found) and "'one' overlaps 'other'" in found
    assert width_share(figure) == pytest.approx(0.3, abs=0.01)
    figure.savefig(tmp_path / "figure.png")
    assert width_share_of_png((tmp_path / "figure.png").read_bytes()) == pytest.approx(0.3, abs=0.01)
