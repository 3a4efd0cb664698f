"""The pictures of the exact table of self-play fine-tuning.

Each takes results, draws in the course's style, and returns the figure.
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spkit.run import colors, plots
from spkit.run.layout import laid_out

_Curve = tuple[
    Sequence[float], Sequence[float] | Sequence[Sequence[float]]
]  # x (points,), y (points,) or (points, examples)


def curve(axes: Axes, data: _Curve, **look) -> None:
    """A line through y (points,), or through the median of y (points, examples) with a band from
    the lowest to the highest.
    """
    x, y = data[0], np.asarray(data[1], dtype=float)
    if y.ndim == 2:
        axes.fill_between(x, y.min(1), y.max(1), color=look["color"], alpha=0.18, linewidth=0)
        y = np.median(y, 1)
    axes.plot(x, y, markersize=4, **look)


def panels(
    curves: Mapping[str, Mapping[str, _Curve]],
    title: str,
    xlabel: str,
    ylabel: str,
    legend: str | None = None,
    marked: Mapping[str, float] | None = None,
    markers: bool = True,
    **axis,
) -> Figure:
    """One panel for each key (its heading), one line for each inner key; a name has one colour throughout.

    `marked` draws dotted levels; `axis` goes to every panel (scales, limits).
    """
    named = colors.looks(dict.fromkeys(name for lines in curves.values() for name in lines))
    if not markers:
        named = {name: look | {"marker": None} for name, look in named.items()}
    width = 7.9 if len(curves) == 1 else 4.1 * len(curves)  # inches
    with plots.style():
        figure, row = plt.subplots(1, len(curves), figsize=(width, 3.7), sharey=True, squeeze=False)
        for axes, (heading, lines) in zip(row[0], curves.items(), strict=True):
            for name, data in lines.items():
                curve(axes, data, **named[name])
            axes.set(xlabel=xlabel, title=heading, **axis)
            for text, level in (marked or {}).items():
                axes.axhline(level, color=colors.GREY, linestyle=":", linewidth=1.4)
                axes.annotate(
                    text,
                    (1.0, level),
                    (-2, -10),
                    xycoords=("axes fraction", "data"),
                    textcoords="offset points",
                    ha="right",
                    fontsize=8,
                )
        row[0, 0].set_ylabel(ylabel)
        handles = [plt.Line2D([], [], markersize=4, label=name, **look) for name, look in named.items()]
        return laid_out(figure, title, handles, legend)


def responses(p: np.ndarray, q: np.ndarray, found: Mapping[str, tuple[np.ndarray, np.ndarray]], title: str) -> Figure:
    """Probability of each outcome: bars of the data, the opponent and each formula in `found`, a cross at the
    minimum found beside it.
    """
    with plots.style():
        figure, axes = plt.subplots(figsize=(8.6, 3.7))
        sets = {"data p": (p, None), "opponent q": (q, None), **found}
        shades = ("black", colors.GREY, *(look["color"] for look in colors.looks(found).values()))
        width, x = 0.85 / len(sets), np.arange(len(p))
        for i, ((name, (bar, cross)), color) in enumerate(zip(sets.items(), shades, strict=True)):
            place = x + (i - (len(sets) - 1) / 2) * width
            axes.bar(place, bar, width, color=color, label=name)
            if cross is not None:
                axes.plot(place, cross, "x", color="black", markersize=5, markeredgewidth=1.2)
        axes.plot([], [], "x", color="black", markersize=5, label="found by minimising")
        axes.set(xlabel="outcome", ylabel="probability", xticks=x, xticklabels=x + 1)
        axes.grid(False, axis="x")
        return laid_out(figure, title, axes.get_legend_handles_labels()[0])
