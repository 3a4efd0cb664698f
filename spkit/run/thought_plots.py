"""Figures about thoughts: the mask, thoughts at one place, a text with its thoughts, and bars by kind of token."""

from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from .colors import BLUE, GREY, ORANGE, looks
from .layout import laid_out
from .plots import style

Thought = tuple[str, float, float]  # what it says, its probability, its reward (nats)


def mask_picture(mask: np.ndarray, labels: Sequence[str], parts: Mapping[str, int], title: str) -> Figure:
    """Who sees whom: `mask` (tokens, tokens) with the token that looks as row; `parts` maps the name of each stretch of
    tokens to its length, the text first.
    """
    ends = list(accumulate(parts.values()))
    shown = np.where(mask, np.where(np.arange(len(mask)) < ends[0], 1, 2), 0)
    with style():
        figure, axis = plt.subplots(figsize=(6.4, 6.0))
        axis.imshow(shown, cmap=ListedColormap(["white", BLUE, ORANGE]), vmin=0, vmax=2)
        axis.set_xticks(range(len(mask)), labels, fontfamily="monospace")
        axis.set_yticks(range(len(mask)), labels, fontfamily="monospace")
        axis.set(xlabel="what is seen", ylabel="the token that looks")
        axis.grid(False)
        axis.tick_params(length=0)
        for end in ends[:-1]:
            axis.axhline(end - 0.5, color=GREY, linewidth=1)
            axis.axvline(end - 0.5, color=GREY, linewidth=1)
        for name, (first, end) in zip(parts, pairwise([0, *ends])):
            axis.text(len(mask) - 0.2, (first + end - 1) / 2, name, va="center", ha="left")
        return laid_out(figure, title)


def thoughts_at_a_place(panels: Mapping[str, Sequence[Thought]], right: str, title: str, most: int = 8) -> Figure:
    """A panel for each entry with its `most` likely thoughts: a bar for the probability, the reward beside it; the
    thought that is `right` in another colour.
    """
    with style():
        figure, axes = plt.subplots(1, len(panels), figsize=(4.6 * len(panels), 3.4), squeeze=False, sharex=True)
        for axis, (name, thoughts) in zip(axes[0], panels.items()):
            first = sorted(thoughts, key=lambda one: -one[1])[:most]
            places = np.arange(len(first))
            colors = [ORANGE if said == right else BLUE for said, _, _ in first]
            axis.barh(places, [100 * chance for _, chance, _ in first], color=colors)
            axis.set_yticks(places, [said for said, _, _ in first], fontfamily="monospace")
            for place, (_, chance, reward) in zip(places, first):
                axis.text(100 * chance + 1.5, place, f"reward {reward + 0.0:.2f}", va="center", fontsize=9)
            axis.set(title=name, xlabel="probability (%)", xlim=(0, 125), xticks=range(0, 101, 25))
            axis.set_ylim(most - 0.4, -0.6)
        return laid_out(figure, title)


def thoughts_along_a_text(text: str, thoughts: Sequence[str], weights: Sequence[float], title: str) -> Figure:
    """The weight of the thought after each character, and what it says; `text` has one character more."""
    with style():
        figure, axis = plt.subplots(figsize=(10.2, 3.6))
        places = np.arange(len(weights))
        axis.bar(places, weights, color=[ORANGE if text[place] == "=" else BLUE for place in places])
        for place, (said, weight) in enumerate(zip(thoughts, weights)):
            axis.text(place, max(weight, 0) + 0.04, said, rotation=90, ha="center", va="bottom", fontfamily="monospace")
        axis.set_xticks(range(len(text)), list(text), fontfamily="monospace")
        axis.set(xlabel="a text; after each character, its thought", ylabel="weight of the thought")
        axis.set_ylim(min(-0.05, min(weights) - 0.05), max(weights) + 0.45)
        axis.grid(axis="x", visible=False)
        return laid_out(figure, title)


def bars_by_kind(
    panels: Mapping[str, Mapping[str, Mapping[str, float]]],
    kinds: Sequence[str],
    title: str,
    floors: Mapping[str, float] | None = None,
) -> Figure:
    """A panel for each quantity (its key is the label of the y axis), a group of bars for each kind of token, a bar for
    each run; in the first panel a line over each group at its floor.
    """
    named = looks(dict.fromkeys(name for runs in panels.values() for name in runs))
    with style():
        figure, axes = plt.subplots(1, len(panels), figsize=(5.2 * len(panels), 3.7), squeeze=False)
        for axis, (quantity, runs) in zip(axes[0], panels.items()):
            width = 0.8 / len(runs)
            for number, (name, values) in enumerate(runs.items()):
                places = np.arange(len(kinds)) - 0.4 + width * (number + 0.5)
                bars = [values[kind] for kind in kinds]
                axis.bar(places, bars, width, color=named[name]["color"], label=name)
            axis.set_xticks(range(len(kinds)), kinds)
            axis.set_ylabel(quantity)
            axis.grid(axis="x", visible=False)
        if floors is not None:
            _floors(axes[0, 0], [floors[kind] for kind in kinds])
        labelled = {label: one for axis in axes[0] for one, label in zip(*axis.get_legend_handles_labels())}
        return laid_out(figure, title, list(labelled.values()))


def _floors(axis: Axes, values: Sequence[float]) -> None:
    for place, value in enumerate(values):
        label = "entropy: the floor" if place == 0 else None
        axis.hlines(value, place - 0.47, place + 0.47, color="black", linewidth=1.6, linestyle=":", label=label)


def bars_of_runs(values: Mapping[str, Mapping[str, float]], title: str, xlabel: str, chance: float) -> Figure:
    """A row for each run, with a bar for each of its values, and a line at chance; shares in percent."""
    named = looks(next(iter(values.values())))
    with style():
        figure, axis = plt.subplots(figsize=(8.6, 0.55 * len(values) + 1.4))
        height = 0.8 / len(named)
        for number, (name, look) in enumerate(named.items()):
            places = np.arange(len(values)) - 0.4 + height * (number + 0.5)
            axis.barh(places, [100 * run[name] for run in values.values()], height, color=look["color"], label=name)
        axis.set_yticks(range(len(values)), list(values))
        axis.invert_yaxis()
        axis.axvline(100 * chance, color="black", linestyle=":", label="chance")
        axis.set(xlabel=xlabel, xlim=(0, 103))
        axis.grid(axis="y", visible=False)
        return laid_out(figure, title, axis.get_legend_handles_labels()[0])
