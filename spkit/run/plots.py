"""Figures: one colour-blind-safe style for the whole course, and the pictures drawn from runs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from .colors import GREY, MARKERS, PALETTE, SEQUENTIAL, looks, sequential
from .layout import laid_out

STYLE = {
    "axes.prop_cycle": cycler(color=PALETTE),
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "figure.dpi": 100,
    "figure.constrained_layout.use": True,
    "font.size": 10,
    "grid.alpha": 0.25,
    "image.cmap": SEQUENTIAL,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
}


@contextmanager
def style() -> Iterator[None]:
    """Draw inside the course's style, and leave the caller's settings as they were."""
    with mpl.rc_context(STYLE):
        yield


Records = Sequence[dict[str, Any]]


def accuracy_by_difficulty(axes: Axes, runs: Sequence[Records], unit: str) -> None:
    """One line a difficulty: mean over `runs` (records of several seeds), the band from the lowest to the highest seed.

    Iterations without a look at the test set are left out; runs are taken to have looked in the same ones.
    """
    lengths = list(runs[0][0]["accuracy_by_difficulty"])
    runs = [[record for record in records if "accuracy_by_difficulty" in record] for records in runs]
    shared = min(len(records) for records in runs)
    x = [record["iteration"] for record in runs[0][:shared]]
    for length, color, marker in zip(lengths, sequential(len(lengths)), MARKERS):
        seeds = [[100 * record["accuracy_by_difficulty"][length] for record in records[:shared]] for records in runs]
        band(axes, seeds, x, color=color, marker=marker, label=f"{length} {unit}")
    axes.set(xlabel="iteration (0 = the base)", ylim=(-3, 103), xlim=(-0.2, max(x[-1], 1) + 0.2))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def compare_runs(panels: dict[str, Sequence[Records]], title: str, unit: str = "digits") -> Figure:
    """Accuracy per difficulty over iterations, one panel for each entry of `panels` (the shape of
    the STaR paper's Figure 4).
    """
    with style():
        figure, axes = plt.subplots(1, len(panels), figsize=(4.3 * len(panels) + 0.6, 3.7), sharey=True, squeeze=False)
        for axis, (name, runs) in zip(axes[0], panels.items()):
            accuracy_by_difficulty(axis, runs, unit)
            axis.set_title(name)
        axes[0, 0].set_ylabel("test accuracy, greedy (%)")
        return laid_out(figure, title, axes[0, 0].lines)


def band(axes: Axes, seeds: Sequence[Sequence[float]], x: Sequence[float], **look: Any) -> None:
    """Mean over seeds as a line, lowest to highest seed as a band; `seeds` is (seeds, points).

    Two points or one say nothing of a course between them: they are dots, with a bar from the lowest to the highest.
    """
    values = np.array(seeds, dtype=float)
    dots = values.shape[1] < 3
    axes.plot(x, values.mean(0), markersize=6 if dots else 4, **look | ({"linestyle": "none"} if dots else {}))
    if len(values) > 1 and dots:
        axes.vlines(x, values.min(0), values.max(0), color=look["color"])
    elif len(values) > 1:
        axes.fill_between(x, values.min(0), values.max(0), color=look["color"], alpha=0.18, linewidth=0)


def lines_over_iterations(
    panels: dict[str, dict[str, Sequence[Sequence[float]]]],
    title: str,
    xlabel: str = "iteration (0 = the base)",
    x: Sequence[float] | None = None,
    *,
    compared: bool = False,
) -> Figure:
    """One panel for each quantity (its key is the label of the y axis), one band for each run.

    `x` says where the points stand, a curve that is shorter has the first of them; 0, 1, 2, ... if left out. Panels
    that are `compared` with each other have one y axis.
    """
    named = looks(dict.fromkeys(name for runs in panels.values() for name in runs))
    with style():
        size = (max(6.4, 4.1 * len(panels) + 0.4), 3.7)
        figure, axes = plt.subplots(1, len(panels), figsize=size, sharey=compared, squeeze=False)
        for axis, (quantity, runs) in zip(axes[0], panels.items()):
            for number, (name, seeds) in enumerate(runs.items()):
                places = np.array(range(len(seeds[0])) if x is None else x[: len(seeds[0])], dtype=float)
                beside = 0.03 * (number - (len(runs) - 1) / 2) if len(places) < 3 else 0.0  # dots do not hide dots
                band(axis, seeds, places + beside, label=name, **named[name])
            axis.set(xlabel=xlabel, ylabel=quantity)
            _ticks(axis, max((len(seeds[0]) for seeds in runs.values()), default=0), x)
        return laid_out(figure, title, _handles(named))


def differences(
    panels: dict[str, dict[str, Sequence[float]]], reference: str, title: str, xlabel: str = "difference"
) -> Figure:
    """One panel for each look (its heading), one row for each run: its value minus that of the `reference` with the
    same seed. A dot is a seed, the bar their mean; runs have as many seeds as both of a pair. Panels share their scale.
    """
    names = list(dict.fromkeys(name for runs in panels.values() for name in runs if name != reference))
    named = looks([reference, *names])
    with style():
        size = (max(6.4, 4.4 * len(panels)), 0.45 * len(names) + 1.3)
        figure, axes = plt.subplots(1, len(panels), figsize=size, sharex=True, sharey=True, squeeze=False)
        for axis, (quantity, runs) in zip(axes[0], panels.items()):
            axis.axvline(0, color=GREY, linewidth=1.2)
            for row, name in enumerate(names):
                pairs = np.array(list(zip(runs.get(name, ()), runs[reference])), dtype=float).reshape(-1, 2)
                found = pairs[:, 0] - pairs[:, 1]
                axis.plot(found, np.full(len(found), row), "o", color=named[name]["color"], alpha=0.6, markersize=6)
                if len(found):
                    axis.plot(found.mean(), row, "|", color=named[name]["color"], markersize=18, markeredgewidth=2.5)
            axis.set(xlabel=xlabel, title=quantity, ylim=(len(names) - 0.5, -0.5))
            axis.set_yticks(range(len(names)), names)
        return laid_out(figure, title)


def over_k(runs: dict[str, Sequence[dict[str, float]]], title: str, ylabel: str) -> Figure:
    """One band for each run against the number of samples k, on a logarithmic axis.

    `runs` maps a name to {k as text: share} for each seed.
    """
    named = looks(runs)
    with style():
        figure, axis = plt.subplots(figsize=(6.4, 3.7))
        for name, seeds in runs.items():
            shares = [[100 * share for share in row.values()] for row in seeds]
            band(axis, shares, [int(k) for k in seeds[0]], label=name, **named[name])
        axis.set(xlabel="samples a problem, k", ylabel=ylabel, xscale="log", ylim=(0, 103))
        ticks = [int(k) for k in next(iter(runs.values()))[0]]
        axis.set_xticks(ticks, [str(k) for k in ticks])
        axis.minorticks_off()
        return laid_out(figure, title, _handles(named))


def _handles(named: dict[str, dict[str, Any]]) -> list[Line2D]:
    """What a legend shows of each label."""
    return [Line2D([], [], markersize=4, label=name, **look) for name, look in named.items()]


def _ticks(axis: Axes, points: int, x: Sequence[float] | None) -> None:
    """A tick at each point where there are few, and whole numbers in any case."""
    if x is not None and points <= 12:
        axis.set_xticks(x[:points])
    else:
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))


def histograms(panels: dict[str, dict[str, Sequence[float]]], title: str, xlabel: str) -> Figure:
    """One panel for each entry, with the histograms of its groups over each other, as shares.

    All panels have the same bins.
    """
    everything = np.concatenate(
        [np.asarray(values, dtype=float) for groups in panels.values() for values in groups.values()]
    )
    low, high = np.quantile(everything, [0.01, 0.99])
    with style():
        figure, axes = plt.subplots(
            1, len(panels), figsize=(3.4 * len(panels) + 1.0, 3.2), sharex=True, sharey=True, squeeze=False
        )
        for axis, (name, groups) in zip(axes[0], panels.items()):
            for (group, values), color in zip(groups.items(), PALETTE):
                share = np.full(len(values), 100 / len(values))
                axis.hist(
                    np.clip(values, low, high),
                    bins=np.linspace(low, high, 25),
                    weights=share,
                    color=color,
                    alpha=0.55,
                    label=group,
                )
            axis.set_title(name)
            axis.set_xlabel(xlabel)
        axes[0, 0].set_ylabel("share of replies (%)")
        return laid_out(figure, title, axes[0, 0].get_legend_handles_labels()[0])


def save(figure: Figure, path: Path) -> Path:
    """Write a PNG and close the figure."""
    figure.savefig(path, dpi=150)
    plt.close(figure)
    return path
