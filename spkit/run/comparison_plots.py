"""Methods side by side: each against what it cost, and single numbers of several seeds as dots."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .colors import GREY, looks
from .layout import laid_out
from .plots import band, style

Course = tuple[Sequence[float], Sequence[float]]  # what was spent, and what had come of it, in the order of time


def against_cost(
    panels: Mapping[str, Mapping[str, Sequence[Course]]], ylabel: str, title: str, shared: Mapping[str, float] = {}
) -> Figure:
    """One panel for each kind of cost (its key is the label of the x axis), one band for each method.

    A method has a course for each seed. Seeds differ a little in what they spent, and a point of the line stands at
    their mean. `shared` marks, by panel, the cost at which methods are compared. Panels share the y axis.
    """
    named = looks(dict.fromkeys(name for methods in panels.values() for name in methods))
    with style():
        size = (max(6.4, 4.3 * len(panels)), 3.7)
        figure, axes = plt.subplots(1, len(panels), figsize=size, sharey=True, squeeze=False)
        for axis, (cost, methods) in zip(axes[0], panels.items()):
            for name, seeds in methods.items():
                points = min(len(spent) for spent, _ in seeds)
                spent, came = (np.array([seed[part][:points] for seed in seeds], dtype=float) for part in (0, 1))
                band(axis, came, spent.mean(0), label=name, **named[name])
            if cost in shared:
                axis.axvline(shared[cost], color=GREY, linestyle=":", linewidth=1.2)
            axis.set(xlabel=cost)
        axes[0, 0].set_ylabel(ylabel)
        handles = [Line2D([], [], markersize=4, label=name, **look) for name, look in named.items()]
        return laid_out(figure, title, handles)


def dots(
    panels: Mapping[str, Mapping[str, Sequence[float]]],
    title: str,
    marks: Mapping[str, tuple[float, str]] = {},
    *,
    compared: bool = False,
) -> Figure:
    """One panel for each number (its key is the label of the x axis), one row for each method: a dot is a seed, the
    bar their mean. A method may lack a number.

    `marks` gives panels a vertical line with a name, such as what the base has. Panels that are `compared` with each
    other have one x axis.
    """
    names = list(dict.fromkeys(name for methods in panels.values() for name in methods))
    named = looks(names)
    with style():
        size = (max(6.4, 3.2 * len(panels) + 0.8), 0.34 * len(names) + 1.4)
        figure, axes = plt.subplots(1, len(panels), figsize=size, sharey=True, sharex=compared, squeeze=False)
        for axis, (quantity, methods) in zip(axes[0], panels.items()):
            for row, name in enumerate(names):
                values, color = list(methods.get(name, ())), named[name]["color"]
                axis.plot(values, [row] * len(values), "o", color=color, alpha=0.6, markersize=6)
                if values:
                    axis.plot(np.mean(values), row, "|", color=color, markersize=18, markeredgewidth=2.5)
            if quantity in marks:
                axis.axvline(marks[quantity][0], color=GREY, linestyle="--", linewidth=1.2)
            axis.set(xlabel=quantity, ylim=(len(names) - 0.5, -0.5))
        axes[0, 0].set_yticks(range(len(names)), names)
        kinds = dict.fromkeys(name for _, name in marks.values())
        handles = [Line2D([], [], color=GREY, linestyle="--", linewidth=1.2, label=name) for name in kinds]
        return laid_out(figure, title, handles)
