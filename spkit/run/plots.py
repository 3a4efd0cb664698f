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
from matplotlib.ticker import MaxNLocator

# Okabe and Ito (2008), "Color Universal Design": distinguishable with every common form of colour blindness.
BLUE, ORANGE, GREEN, PINK, SKY, VERMILION, YELLOW, GREY = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#7F7F7F",
)  # fmt: skip
PALETTE = (BLUE, VERMILION, GREEN, ORANGE, PINK, SKY, GREY)
SEQUENTIAL = "viridis"  # for heat maps and for ordered lines such as difficulty

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
    colors = mpl.colormaps[SEQUENTIAL](np.linspace(0.0, 0.85, len(lengths)))
    runs = [[record for record in records if "accuracy_by_difficulty" in record] for records in runs]
    shared = min(len(records) for records in runs)
    x = [record["iteration"] for record in runs[0][:shared]]
    for length, color, marker in zip(lengths, colors, "osD^vP*X<>"):
        values = 100 * np.array(
            [[record["accuracy_by_difficulty"][length] for record in records[:shared]] for records in runs]
        )
        axes.plot(x, values.mean(0), color=color, marker=marker, markersize=4, label=f"{length} {unit}")
        if len(runs) > 1:
            axes.fill_between(x, values.min(0), values.max(0), color=color, alpha=0.18, linewidth=0)
    axes.set(xlabel="iteration (0 = the base)", ylim=(-3, 103), xlim=(-0.2, max(x[-1], 1) + 0.2))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def compare_runs(panels: dict[str, Sequence[Records]], title: str, unit: str = "digits") -> Figure:
    """Accuracy per difficulty over iterations, one panel for each entry of `panels` (the shape of
    the STaR paper's Figure 4).
    """
    with style():
        figure, axes = plt.subplots(1, len(panels), figsize=(4.3 * len(panels) + 0.9, 3.7), sharey=True, squeeze=False)
        for axis, (name, runs) in zip(axes[0], panels.items()):
            accuracy_by_difficulty(axis, runs, unit)
            axis.set_title(name)
        axes[0, 0].set_ylabel("test accuracy, greedy (%)")
        axes[0, -1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    return figure


def band(
    axes: Axes,
    seeds: Sequence[Sequence[float]],
    label: str,
    color: str,
    marker: str = "o",
    x: Sequence[float] | None = None,
) -> None:
    """Mean over seeds as a line, lowest to highest seed as a band; `seeds` is (seeds, points)."""
    values = np.array(seeds, dtype=float)
    x = range(values.shape[1]) if x is None else x
    axes.plot(x, values.mean(0), color=color, marker=marker, markersize=4, label=label)
    if len(values) > 1:
        axes.fill_between(x, values.min(0), values.max(0), color=color, alpha=0.18, linewidth=0)


def lines_over_iterations(
    panels: dict[str, dict[str, Sequence[Sequence[float]]]],
    title: str,
    xlabel: str = "iteration (0 = the base)",
    x: Sequence[float] | None = None,
) -> Figure:
    """One panel for each quantity (its key is the label of the y axis), one band for each run.

    `x` says where the points stand, a curve that is shorter has the first of them; 0, 1, 2, ... if left out.
    """
    with style():
        figure, axes = plt.subplots(1, len(panels), figsize=(4.1 * len(panels) + 1.9, 3.7), squeeze=False)
        for axis, (quantity, runs) in zip(axes[0], panels.items()):
            for (name, seeds), color, marker in zip(runs.items(), PALETTE, "osD^vPX"):
                band(axis, seeds, name, color, marker, x=None if x is None else x[: len(seeds[0])])
            axis.set(xlabel=xlabel, ylabel=quantity)
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes[0, -1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    return figure


def over_k(runs: dict[str, Sequence[dict[str, float]]], title: str, ylabel: str) -> Figure:
    """One band for each run against the number of samples k, on a logarithmic axis.

    `runs` maps a name to {k as text: share} for each seed.
    """
    with style():
        figure, axis = plt.subplots(figsize=(6.4, 3.7))
        for (name, seeds), color, marker in zip(runs.items(), PALETTE, "osD^vPX"):
            band(
                axis,
                [[100 * share for share in row.values()] for row in seeds],
                name,
                color,
                marker,
                x=[int(k) for k in seeds[0]],
            )
        axis.set(xlabel="samples a problem, k", ylabel=ylabel, xscale="log", ylim=(0, 103))
        ticks = [int(k) for k in next(iter(runs.values()))[0]]
        axis.set_xticks(ticks, [str(k) for k in ticks])
        axis.minorticks_off()
        axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    return figure


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
        axes[0, -1].legend()
        figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    return figure


def save(figure: Figure, path: Path) -> Path:
    """Write a PNG and close the figure."""
    figure.savefig(path, dpi=150)
    plt.close(figure)
    return path
