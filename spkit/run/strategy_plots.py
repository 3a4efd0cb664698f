"""Figures about strategies in a game: probabilities beside those of equilibria, and who wins what of whom."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from .colors import BLACK, GREY, looks
from .comparison_plots import Course
from .layout import laid_out
from .plots import band, style

EQUILIBRIA = "equilibria"
WRITTEN = 9  # a matrix of at most so many rows has its numbers written in it


def beside_equilibria(
    panels: Mapping[str, Mapping[str, Sequence[Course]]], allowed: Mapping[str, tuple[float, float]], title: str
) -> Figure:
    """One panel for each probability (its key is the heading), one band for each run, a course over iterations for each
    seed. `allowed` is the range of each probability over all equilibria: a grey band, or a line.
    """
    named = looks(dict.fromkeys(name for runs in panels.values() for name in runs))
    with style():
        size = (max(6.4, 3.7 * len(panels) + 0.4), 3.7)
        figure, axes = plt.subplots(1, len(panels), figsize=size, sharey=True, squeeze=False)
        for axis, (heading, runs) in zip(axes[0], panels.items()):
            low, high = allowed[heading]
            axis.axhspan(low - 0.008, high + 0.008, color=GREY, alpha=0.3, linewidth=0)
            for name, seeds in runs.items():
                points = min(len(at) for at, _ in seeds)
                look = named[name] | {"marker": "none"}
                band(axis, [values[:points] for _, values in seeds], seeds[0][0][:points], label=name, **look)
            axis.set(xlabel="iteration (0 = the base)", ylim=(-0.03, 1.03))
            axis.set_title(heading)
        axes[0, 0].set_ylabel("probability")
        return laid_out(figure, title, [*_handles(named), Patch(color=GREY, alpha=0.3, label=EQUILIBRIA)])


def in_the_plane(
    paths: Mapping[str, Sequence[Sequence[tuple[float, float]]]],
    equilibria: Sequence[tuple[float, float]],
    labels: tuple[str, str],
    title: str,
) -> Figure:
    """Two probabilities of a strategy against each other: for each run and seed the path from the base (a circle) to
    the last strategy (a square). `equilibria` are the ends of the line on which they lie.
    """
    named = looks(paths)
    with style():
        figure, axis = plt.subplots(figsize=(6.8, 4.6))
        axis.plot(*zip(*equilibria), color=GREY, alpha=0.5, linewidth=7, solid_capstyle="round")
        for name, seeds in paths.items():
            look = {"color": named[name]["color"], "linestyle": named[name]["linestyle"]}
            for path in seeds:
                axis.plot(*zip(*path), linewidth=1.1, alpha=0.8, **look)
                axis.plot(*path[-1], "s", markersize=8, color=look["color"], markeredgecolor="white", zorder=3)
                axis.plot(*path[0], "o", markersize=7, color=BLACK, zorder=4)
        axis.set(xlabel=labels[0], ylabel=labels[1], xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
        ends = [("o", BLACK, "the base"), ("s", GREY, "the end of a run")]
        marks = [Line2D([], [], linestyle="none", marker=mark, color=color, label=said) for mark, color, said in ends]
        return laid_out(figure, title, [*_handles(named), *marks, Patch(color=GREY, alpha=0.5, label=EQUILIBRIA)])


def who_wins(panels: Mapping[str, tuple[Sequence[str], np.ndarray]], title: str, unit: str) -> Figure:
    """One panel for each entry: what the player of each row wins of that of each column, a game (names, matrix)."""
    most = max(np.abs(matrix).max() for _, matrix in panels.values()) or 1.0
    with style():
        size = (max(6.4, 3.9 * len(panels) + 0.6), 3.9)
        figure, axes = plt.subplots(1, len(panels), figsize=size, squeeze=False)
        for axis, (heading, (names, matrix)) in zip(axes[0], panels.items()):
            shown = axis.imshow(matrix, cmap="PuOr", vmin=-most, vmax=most)
            axis.set_xticks(range(len(names)), names)
            axis.set_yticks(range(len(names)), names)
            axis.grid(False)
            for (row, column), won in np.ndenumerate(matrix) if len(names) <= WRITTEN else ():
                color = "white" if abs(won) > 0.6 * most else "black"
                axis.text(column, row, f"{won:+.2f}", ha="center", va="center", fontsize=7, color=color)
            axis.set(title=heading, xlabel="against")
        axes[0, 0].set_ylabel("who plays")
        figure.colorbar(shown, ax=list(axes[0]), label=f"wins of it ({unit} a game)", fraction=0.03, pad=0.02)
        return laid_out(figure, title)


def _handles(named: Mapping[str, Mapping]) -> list[Line2D]:
    return [
        Line2D([], [], color=look["color"], linestyle=look["linestyle"], label=name) for name, look in named.items()
    ]
