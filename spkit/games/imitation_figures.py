"""The pictures of self-play fine-tuning on a table. Each takes results, draws in the course's style, and returns the figure."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from spkit import plots

MARKERS = "osD^vPX"


def policies(p: np.ndarray, rows: Mapping[str, np.ndarray], title: str) -> Figure:
    """Bars for the data and one group of bars for each policy; `rows` maps a name to log-probabilities (K,)."""
    with plots.style():
        figure, axes = plt.subplots(figsize=(8, 3.4))
        names, width = ["data", *rows], 0.8 / (len(rows) + 1)
        for i, (name, values) in enumerate(zip(names, [p, *(np.exp(row) for row in rows.values())])):
            color = "black" if i == 0 else plots.PALETTE[i - 1]
            axes.bar(np.arange(len(p)) + (i - len(rows) / 2) * width, values, width, label=name, color=color)
        axes.set(xlabel="outcome (a reply)", ylabel="probability", xticks=range(len(p)))
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    return figure


def distances(curves: Mapping[str, Sequence[float]], title: str, top: float = 1e3, bottom: float = 1e-3) -> Figure:
    """KL to the data over iterations, one line a setting, logarithmic; what leaves the picture is drawn at its edge."""
    with plots.style():
        figure, axes = plt.subplots(figsize=(8, 3.9))
        for (name, values), color, marker in zip(curves.items(), plots.PALETTE, MARKERS):
            axes.plot(np.clip(values, bottom, top), color=color, marker=marker, markersize=4, label=name)
        axes.set(xlabel="iteration", ylabel="KL(data || policy) (nats)", yscale="log", ylim=(bottom * 0.8, top * 1.25))
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    return figure


def early_stopping(steps: Sequence[int], curves: Mapping[str, Sequence[float]], title: str, bottom: float = 1e-3) -> Figure:
    """KL to the data after all iterations, against the gradient steps of one iteration, logarithmic; what is lower is drawn at the edge."""
    with plots.style():
        figure, axes = plt.subplots(figsize=(8, 3.9))
        for (name, values), color, marker in zip(curves.items(), plots.PALETTE, MARKERS):
            axes.plot(steps, np.maximum(values, bottom), color=color, marker=marker, markersize=4, label=name)
        axes.set(xlabel="gradient steps an iteration", ylabel="KL(data || policy) after 8 iterations (nats)", xscale="log", yscale="log")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    return figure


def rewards(ratios: np.ndarray, curves: Mapping[str, np.ndarray], title: str) -> Figure:
    """The reward each loss asks for, against how much likelier an outcome is in the data than from the opponent."""
    with plots.style():
        figure, axes = plt.subplots(figsize=(8, 3.6))
        for (name, values), color in zip(curves.items(), plots.PALETTE):
            axes.plot(ratios, values, color=color, label=name)
        axes.axvline(1, color="black", linewidth=0.8)
        axes.set(xlabel="p / q: data over opponent", ylabel="best reward (nats times beta)", xscale="log")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    return figure
