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
    """One line a difficulty: mean over `runs` (records of several seeds), the band from the lowest to the highest seed."""
    lengths = list(runs[0][0]["accuracy_by_difficulty"])
    colors = mpl.colormaps[SEQUENTIAL](np.linspace(0.0, 0.85, len(lengths)))
    shared = min(len(records) for records in runs)
    for length, color, marker in zip(lengths, colors, "osD^vP*X<>"):
        values = 100 * np.array([[record["accuracy_by_difficulty"][length] for record in records[:shared]] for records in runs])
        axes.plot(values.mean(0), color=color, marker=marker, markersize=4, label=f"{length} {unit}")
        if len(runs) > 1:
            axes.fill_between(range(shared), values.min(0), values.max(0), color=color, alpha=0.18, linewidth=0)
    axes.set(xlabel="iteration (0 = the base)", ylim=(-3, 103), xlim=(-0.2, max(shared - 1, 1) + 0.2))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def compare_runs(panels: dict[str, Sequence[Records]], title: str, unit: str = "digits") -> Figure:
    """Accuracy per difficulty over iterations, one panel for each entry of `panels` (the shape of the STaR paper's Figure 4)."""
    with style():
        figure, axes = plt.subplots(1, len(panels), figsize=(4.3 * len(panels) + 0.9, 3.7), sharey=True, squeeze=False)
        for axis, (name, runs) in zip(axes[0], panels.items()):
            accuracy_by_difficulty(axis, runs, unit)
            axis.set_title(name)
        axes[0, 0].set_ylabel("test accuracy, greedy (%)")
        axes[0, -1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    return figure


def save(figure: Figure, path: Path) -> Path:
    """Write a PNG and close the figure."""
    figure.savefig(path, dpi=150)
    plt.close(figure)
    return path
