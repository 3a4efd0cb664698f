"""One colour for a method through the whole course; ordered settings in a sequential map.

The colours can be told apart with every common form of colour blindness: Okabe and Ito (2008), "Color Universal
Design", and for three more Paul Tol (2021), "Colour Schemes", its "muted" scheme.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np

BLUE, ORANGE, GREEN, PINK, SKY, VERMILION, GREY, BLACK = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#737373", "#000000",
)  # fmt: skip
WINE, INDIGO, OLIVE = "#882255", "#332288", "#999933"
PALETTE = (BLUE, VERMILION, GREEN, ORANGE, PINK, SKY, WINE, OLIVE, INDIGO)  # for what has no colour of its own
SEQUENTIAL = "viridis"  # for heat maps and for ordered lines such as difficulty
MARKERS, LINESTYLES = "osD^vPX*<>", ("-", "--", ":", "-.")

METHOD_COLORS = {  # a label that has the name in it, as a word of its own, is of that method; the first one counts
    "random": BLACK, "shuffled": BLACK,  # the controls
    "Quiet-STaR": WINE, "ReST^EM": GREEN, "RLVR": INDIGO, "self-play": VERMILION, "adaptive": VERMILION,
    "SPIN": PINK, "SFT": ORANGE, "RFT": SKY, "STaR": BLUE, "chi2": INDIGO, "base": GREY,
    "greedy thought": BLUE, "sampled thought": VERMILION, "thought hidden": GREEN,
}  # fmt: skip
PART_COLORS = {  # a label that begins with the name has this part in place of the usual one
    "frozen": SKY, "uniform": OLIVE, "static": ORANGE, "same reward": BLUE, "no rationalization": SKY,
    "with hints": BLUE, "without hints": SKY, "checker's rewards": INDIGO, "every step": GREEN, "steps": GREEN,
    "gold": BLUE, "answer": BLUE, "noisy": ORANGE, "30 % flipped": ORANGE,
    "majority": PINK, "vote": PINK, "none": WINE,
    "learned verifier": VERMILION, "bootstrapped verifier": ORANGE,
}  # fmt: skip

_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e-?\d+)?")


def sequential(count: int) -> list[Any]:
    """Colours of `count` ordered things, from dark to light."""
    return list(mpl.colormaps[SEQUENTIAL](np.linspace(0.0, 0.85, count)))


def looks(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Colour, line style and marker of each label of a figure.

    Labels that differ only in their numbers are ordered settings. Two labels with one colour differ in the line style.
    """
    names = list(names)
    colors = sequential(len(names)) if _ordered(names) else _colors_of(names)
    found: dict[str, dict[str, Any]] = {}
    for index, (name, color) in enumerate(zip(names, colors)):
        used = sum(np.array_equal(look["color"], color) for look in found.values())
        style, marker = LINESTYLES[used % len(LINESTYLES)], MARKERS[index % len(MARKERS)]
        found[name] = {"color": color, "linestyle": style, "marker": marker}
    return found


def color_of(name: str) -> str | None:
    """The colour that belongs to what a label names, None if it names nothing known."""
    for known, color in METHOD_COLORS.items():
        if re.search(rf"(?<![\w-]){re.escape(known)}(?![\w-])", name):
            return color
    return next((color for known, color in PART_COLORS.items() if re.match(rf"{re.escape(known)}(?!\w)", name)), None)


def _ordered(names: Sequence[str]) -> bool:
    forms = {_NUMBER.sub("#", name) for name in names}
    return len(names) > 1 and len(forms) == 1 and "#" in next(iter(forms))


def _colors_of(names: Sequence[str]) -> list[str]:
    own = [color_of(name) for name in names]
    free = [color for color in PALETTE if color not in own] or list(PALETTE)
    unknown = iter(range(len(names)))
    return [color or free[next(unknown) % len(free)] for color in own]
