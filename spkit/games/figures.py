"""The pictures of the toy games. Each takes results, draws in the course's style, and returns the figure."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spkit.games.matrix import Strategies
from spkit.games.self_play import Record
from spkit.games.summary import mean_and_range
from spkit.run import colors, plots
from spkit.run.layout import laid_out

BAND = 0.2  # opacity
_Curve = tuple[np.ndarray, np.ndarray]  # x (points,), y (points,) or (points, seeds)


def line(axes: Axes, x: Sequence[float], y: np.ndarray, **look) -> None:
    """The mean over seeds and a band from the lowest to the highest, from y (points, seeds).

    A plain line from y (points,).
    """
    y = np.asarray(y)
    if y.ndim == 1:
        axes.plot(x, y, **look)
        return
    mean, low, high = np.array([mean_and_range(row) for row in y]).T
    (drawn,) = axes.plot(x, mean, **look)
    axes.fill_between(x, low, high, color=drawn.get_color(), alpha=BAND, linewidth=0)


def simplex(
    pairs: Sequence[Strategies], curves: Mapping[str, np.ndarray], names: Sequence[str], title: str, path: int = 600
) -> Figure:
    """The row player's first `path` steps on the triangle of three actions, and NashConv curves of all
    steps, one entry an iteration.
    """
    corners = np.array([[0, 0], [1, 0], [0.5, 3**0.5 / 2]])
    with plots.style():
        figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 4.2), width_ratios=[1, 1.15])
        left.plot(*np.vstack([corners, corners[:1]]).T, color="black", linewidth=1)
        last, mean = (np.array([getattr(p, field) for p in pairs]) @ corners for field in ("row", "mean_row"))
        left.plot(*last[:path].T, color=colors.VERMILION, linewidth=0.9, label="last iterate")
        left.plot(*corners.mean(0), "*", color=colors.ORANGE, markersize=13, label="equilibrium")
        left.plot(*mean[:path].T, color=colors.BLUE, linewidth=1.6, label="average so far")
        left.plot(*last[0], "o", color="black", markersize=5, label="start")
        offsets = [(0, -14, "center"), (0, -14, "center"), (0, 6, "center")]
        for name, corner, (dx, dy, align) in zip(names, corners, offsets, strict=True):
            left.annotate(name, corner, (dx, dy), textcoords="offset points", ha=align)
        left.set(aspect="equal", xlim=(-0.12, 1.12), ylim=(-0.12, 1.0))
        left.axis("off")
        left.legend(loc="upper left", fontsize=8, bbox_to_anchor=(-0.08, 1.0))
        x = np.arange(1, len(pairs) + 1)
        for (name, curve), color in zip(curves.items(), (colors.VERMILION, colors.BLUE), strict=True):
            right.plot(x, curve, color=color, label=name, linewidth=1.2)
        right.set(xscale="log", yscale="log", xlabel="iteration", ylabel="NashConv (points a game)")
        right.legend()
        return laid_out(figure, title)


def nash_convs(curves: Mapping[str, _Curve], title: str, floor: float | None = None) -> Figure:
    """NashConv against iteration, one line a method, log-log.

    `floor` marks what no pair of pure strategies can beat.
    """
    with plots.style():
        figure, axes = plt.subplots(figsize=(8, 4.3))
        named = colors.looks(curves)
        for name, (x, y) in curves.items():
            line(axes, x, y, label=name, color=named[name]["color"])
        if floor is not None:
            axes.axhline(floor, color=colors.GREY, linestyle=":", linewidth=1.4)
            axes.annotate(
                "best any pair of pure strategies can do: 1/3", (130, floor * 1.08), color="#555555", fontsize=8
            )
        axes.set(xscale="log", yscale="log", xlabel="iteration", ylabel="NashConv (antes)")
        axes.legend(loc="lower left", fontsize=9)
        return laid_out(figure, title)


def curriculum(records: Sequence[Record], title: str) -> Figure:
    """Accuracy at each length over time, and a heat map of exact learnability with the proposer's mean length."""
    times = [r.iteration for r in records]
    accuracy = np.array([r.accuracy for r in records])  # times, seeds, lengths
    learn = np.array([r.learnability for r in records]).mean(1)
    mean_length = np.array([r.proposals @ np.arange(1, r.proposals.shape[1] + 1) for r in records])
    lengths = accuracy.shape[2]
    with plots.style():
        figure, (left, right) = plt.subplots(1, 2, figsize=(10.4, 4.2))
        for n, color in enumerate(colors.sequential(lengths), start=1):
            if n in (1, 2, 3, 4, 6, 8):
                line(left, times, accuracy[:, :, n - 1], color=color, label=f"n = {n}")
        left.set(xlabel="iteration", ylabel="exact accuracy", ylim=(-0.02, 1.02))
        left.legend(fontsize=8, loc="lower right", title="digits")
        step = times[1] - times[0]
        shown = right.imshow(
            learn.T,
            origin="lower",
            aspect="auto",
            extent=(times[0] - step / 2, times[-1] + step / 2, 0.5, lengths + 0.5),
            vmin=0,
        )
        line(right, times, mean_length, color=colors.VERMILION, label="mean proposed length")
        right.set(xlabel="iteration", ylabel="digits n")
        right.grid(False)
        right.legend(fontsize=8, loc="upper left", facecolor="white", framealpha=0.9, frameon=True)
        figure.colorbar(shown, label="learnability: variance of the reward")
        return laid_out(figure, title)


def behaviours(runs: Mapping[str, Sequence[Record]], title: str, mark: int | None = None) -> Figure:
    """Mean accuracy over time, and accuracy at each length at the end, one colour a run.

    `mark` is where a role was swapped.
    """
    with plots.style():
        figure, (left, right) = plt.subplots(1, 2, figsize=(10.4, 4.2))
        named = colors.looks(runs)
        for name, records in runs.items():
            look = {key: named[name][key] for key in ("color", "linestyle")}
            times = [r.iteration for r in records]
            line(left, times, np.array([r.accuracy.mean(1) for r in records]), label=name, **look)
            final = records[-1].accuracy
            line(right, np.arange(1, final.shape[1] + 1), final.T, marker="o", markersize=3.5, **look)
        if mark is not None:
            left.axvline(mark, color=colors.GREY, linestyle=":", linewidth=1.4)
        left.set(xlabel="iteration", ylabel="accuracy, mean over lengths", ylim=(-0.02, 1.02))
        right.set(xlabel="digits n", ylabel="accuracy at the last iteration", ylim=(-0.02, 1.02))
        return laid_out(figure, title, left.get_legend_handles_labels()[0])


def reward_curves(p: np.ndarray, curves: Mapping[str, Sequence[tuple[str, np.ndarray]]], title: str) -> Figure:
    """Expected proposer reward against a problem's true solve rate: a panel a rule, a line a flip rate."""
    with plots.style():
        figure, panels = plt.subplots(1, len(curves), figsize=(3.5 * len(curves), 3.6), sharey=True, squeeze=False)
        for axes, (name, lines) in zip(panels[0], curves.items(), strict=True):
            for (label, reward), color in zip(lines, colors.sequential(len(lines)), strict=True):
                axes.plot(p, reward, color=color, label=label)
                axes.plot(p[reward.argmax()], reward.max(), "o", color=color, markersize=6)
            axes.set(xlabel="true solve rate of the problem", title=f"rewarded {name}")
        panels[0][0].set_ylabel("expected reward (dot: its peak)")
        return laid_out(figure, title, panels[0][0].get_legend_handles_labels()[0], "verdicts flipped")


def wasted(runs: Mapping[str, Sequence[Record]], title: str, hopeless: float = 0.02) -> Figure:
    """Share of the proposals spent on lengths that the solver gets right less than `hopeless` of the
    time, and the mean accuracy.
    """
    with plots.style():
        figure, (left, right) = plt.subplots(1, 2, figsize=(10.4, 4.2))
        named = colors.looks(runs)
        for name, records in runs.items():
            look = {key: named[name][key] for key in ("color", "linestyle")}
            times = [r.iteration for r in records]
            line(left, times, np.array([hopeless_share(r, hopeless) for r in records]), label=name, **look)
            line(right, times, np.array([r.accuracy.mean(1) for r in records]), **look)
        left.set(xlabel="iteration", ylabel=f"share of proposals with accuracy < {hopeless:g}", ylim=(-0.02, 1.02))
        right.set(xlabel="iteration", ylabel="accuracy, mean over lengths", ylim=(-0.02, 1.02))
        return laid_out(figure, title, left.get_legend_handles_labels()[0])


def hopeless_share(record: Record, hopeless: float = 0.02) -> np.ndarray:
    """Share (seeds,) of the proposals spent where the solver's exact accuracy is below `hopeless`."""
    return (record.proposals * (record.accuracy < hopeless)).sum(1)


def attempts_needed(panels: Mapping[str, Sequence[tuple[str, np.ndarray]]], budget: int, title: str) -> Figure:
    """Attempts for signal and noise to be equal, (seeds, lengths), a panel a moment of training, a line a flip rate."""
    with plots.style():
        figure, row = plt.subplots(1, len(panels), figsize=(3.5 * len(panels), 3.6), sharey=True, squeeze=False)
        for axes, (name, lines) in zip(row[0], panels.items(), strict=True):
            for (label, needed), color in zip(lines, colors.sequential(len(lines)), strict=True):
                x = np.arange(1, needed.shape[1] + 1)
                logs = np.array([mean_and_range(v) for v in np.log10(needed.T)])
                axes.plot(x, 10 ** logs[:, 0], color=color, marker="o", markersize=3.5, label=label)
                axes.fill_between(x, 10 ** logs[:, 1], 10 ** logs[:, 2], color=color, alpha=BAND, linewidth=0)
            axes.axhline(budget, color=colors.GREY, linestyle=":")
            axes.set(yscale="log", xlabel="digits n", title=name)
        row[0][-1].annotate("all attempts of one run", (1, budget * 2.5), color="#555555", fontsize=8)
        row[0][0].set_ylabel("attempts until signal = noise")
        return laid_out(figure, title, row[0][0].get_legend_handles_labels()[0], "verdicts flipped")


def threshold(sweeps: Mapping[str, tuple[Sequence[float], Sequence[float], np.ndarray]], title: str) -> Figure:
    """Final accuracy (points, seeds) against the flip rate, and against the drift computed before training.

    A line a step size.
    """
    with plots.style():
        figure, (left, right) = plt.subplots(1, 2, figsize=(10.4, 4.2), sharey=True)
        named = colors.looks(sweeps)
        for name, (flips, drifts, final) in sweeps.items():
            line(left, flips, final, label=name, **named[name])
            line(right, drifts, final, **named[name])
        left.set(xlabel="share of verdicts flipped", ylabel="final accuracy, mean over lengths", ylim=(-0.02, 1.02))
        left.legend(fontsize=9, title="step size x iterations")
        right.set(xscale="log", xlabel="drift at the start: noise / signal of the steps (computed, no run)")
        return laid_out(figure, title)
