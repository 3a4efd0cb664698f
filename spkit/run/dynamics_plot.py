"""One run over its iterations, in panels by what its records hold; drawn anew in Jupyter while a loop still yields."""

import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from math import ceil, isfinite, nan
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from .colors import BLUE, GREEN, GREY, MARKERS, ORANGE, SKY, VERMILION, sequential
from .layout import laid_out
from .plots import Records, style

Points = tuple[list[float], list[float]]  # iterations, values; a value that is not a number is a gap
_COLUMNS, _GAME_COLUMNS = 3, 2
_CONTROL = {"linestyle": "--", "linewidth": 1.2, "markerfacecolor": "white"}


@dataclass(frozen=True)
class Recorded:
    """A line: its name, and where a record holds the number (a dotted path); the first place that any record has."""

    name: str
    places: tuple[str, ...]
    color: str


@dataclass(frozen=True)
class Panel:
    """A panel: the label of its y axis, its lines, and what a number is multiplied with.

    `levels` is a key whose entries, one a difficulty, are the lines.
    """

    label: str
    numbers: tuple[Recorded, ...] = ()
    scale: float = 1.0
    levels: str = ""
    count: bool = False

    @property
    def limits(self) -> tuple[float | None, float | None]:
        """Of the y axis: shares have all of theirs, so that runs can be compared, and counts begin at 0."""
        return (-3, 103) if self.scale == 100 else (0, None) if self.count else (None, None)


_ACCURACY = (
    Recorded("greedy", ("accuracy",), BLUE),
    Recorded("pass@1", ("pass_at_k.1", "test_sampled_accuracy", "right_sampled.answer"), VERMILION),
    Recorded("pass@8", ("pass_at_k.8",), GREEN),
    Recorded("greedy, lenient", ("lenient_accuracy",), SKY),
    Recorded("thought hidden", ("right.answer",), GREEN),
)
_SOLVED = (
    Recorded("solve rate", ("solve_rate", "sampled_accuracy", "reward"), BLUE),
    Recorded("useful groups", ("useful_groups", "useful"), GREEN),
    Recorded("majority is right", ("vote_right",), VERMILION),
)
RUN_PANELS = (
    Panel("accuracy on the test set (%)", _ACCURACY, 100),
    Panel("greedy, by difficulty (%)", scale=100, levels="accuracy_by_difficulty"),
    Panel("rollouts (%)", _SOLVED, 100),
    Panel(
        "depth of problems",
        (Recorded("proposed", ("proposed_depth",), VERMILION), Recorded("solved", ("depth",), BLUE)),
    ),
    Panel("valid (%)", (Recorded("valid", ("valid",), BLUE), Recorded("duplicates", ("duplicates",), ORANGE)), 100),
    Panel(
        "entropy (nats a token)",
        (
            Recorded("solver", ("solver_entropy",), BLUE),
            Recorded("proposer", ("proposer_entropy",), VERMILION),
            Recorded("on the test set", ("entropy",), GREY),
        ),
    ),
    Panel(
        "completions kept",
        (Recorded("kept", ("kept",), BLUE), Recorded("hinted", ("rationalized",), ORANGE)),
        count=True,
    ),
    Panel(
        "wrong among the kept (%)", (Recorded("wrong", ("kept_wrong_rate", "kept_wrong_steps_rate"), VERMILION),), 100
    ),
    Panel(
        "KL (nats)",
        (
            Recorded("data to policy", ("kl",), BLUE),
            Recorded("policy to base", ("kl_base", "kl_to_base"), VERMILION),
        ),
    ),
    Panel("mass on rare replies (1 = data)", (Recorded("rare", ("rare",), GREEN),)),
    Panel("AUC on new replies", (Recorded("AUC", ("auc",), BLUE),)),
    Panel(
        "perplexity on real text",
        (Recorded("policy", ("perplexity",), BLUE), Recorded("floor", ("perplexity_floor",), GREY)),
    ),
    Panel("right thoughts (%)", (Recorded("sampled", ("steps_sampled",), VERMILION),), 100),
    Panel("weight of the thought", (Recorded("answers", ("weight.answer",), BLUE),)),
    Panel("loss", (Recorded("loss", ("loss", "loss_last", "learned.loss", "learned.loss_last"), BLUE),)),
)
GAME_PANELS = (
    Panel(
        "NashConv (a game)",
        (Recorded("strategy", ("nash_conv",), VERMILION), Recorded("average so far", ("nash_conv_average",), BLUE)),
        count=True,
    ),
    Panel("games won against the base (%)", (Recorded("against the base", ("wins.base",), BLUE),), 100),
    Panel("entropy of a move (nats)", (Recorded("entropy", ("entropy",), VERMILION),), count=True),
    Panel("illegal moves (share)", (Recorded("illegal", ("illegal",), ORANGE),), count=True),
)


def _above(columns: int) -> dict[str, Any]:
    """Where the legend of lines stands that fill their panel: in one row above it."""
    row = {"handlelength": 0.8, "handletextpad": 0.3, "columnspacing": 0.9, "borderaxespad": 0.1}
    return {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": columns, **row}


def dynamics(
    records: Records,
    stored: Sequence[Records] = (),
    *,
    control: Records = (),
    title: str = "",
    stored_name: str = "stored seeds",
    control_name: str = "control",
) -> Figure:
    """A figure of a run over iterations, a panel for each of `RUN_PANELS` (of self-play in a game: `GAME_PANELS`) of
    which its records hold a number.

    `stored` are the records of other seeds, behind as a faint band from the lowest to the highest; `control` are those
    of a run to compare with, dashed. A key that a record lacks leaves its iteration out of that line; None and what is
    not finite leave a gap. All panels have the same iterations.
    """
    game = _holds(records, "nash_conv")
    panels, most = (GAME_PANELS, _GAME_COLUMNS) if game else (RUN_PANELS, _COLUMNS)
    shown = [(panel, lines) for panel in panels if (lines := _lines(panel, records))]
    columns = min(most, max(len(shown), 1))
    rows = max(ceil(len(shown) / columns), 1)
    last = max([_last(some) for some in (records, control, *stored)])
    with style():
        size = (max(4.0 * columns, 6.4), 2.7 * rows)
        figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False)
        for axis, (panel, lines) in zip(axes.flat, shown):
            for (recorded, place), marker in zip(lines, MARKERS * 3):
                look = {"color": recorded.color, "marker": marker}
                _band(axis, [points(some, place) for some in stored], panel.scale, recorded.color)
                _line(axis, points(control, place), panel.scale, **look, **_CONTROL)
                _line(axis, points(records, place), panel.scale, **look, label=recorded.name)
            axis.set(xlabel="iteration (0 = the base)", ylabel=panel.label, xlim=(-0.03 * last, 1.03 * last))
            axis.set_ylim(*panel.limits)
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
            if len(lines) > 1 or len(panel.numbers) > 1:
                axis.legend(**(_above(len(lines)) if panel.levels else {"loc": "best"}), fontsize=8)
        for axis in axes.flat[len(shown) :]:
            axis.remove()
        return laid_out(figure, title or "This run", _styles(stored, control, stored_name, control_name))


def live(
    iterator: Iterable[dict[str, Any]], stored: Sequence[Records] = (), *, seconds: float = 2.0, **words: Any
) -> list[dict[str, Any]]:
    """The records of a loop as a list. In Jupyter the figure of `dynamics` stands under the cell from the first record
    on and is drawn anew after a record, at most every `seconds`, and after the last one; elsewhere nothing is shown.

    `words` go to `dynamics`: control, title, stored_name, control_name.
    """
    records: list[dict[str, Any]] = []
    show = _shower()
    if show is None:
        return list(iterator)
    drawn_at, shown = -seconds, 0
    try:
        for record in iterator:
            records.append(record)
            if time.monotonic() - drawn_at >= seconds or not shown:
                show(_png(dynamics(records, stored, **words)))
                drawn_at, shown = time.monotonic(), len(records)
    finally:
        if shown < len(records):
            show(_png(dynamics(records, stored, **words)))
    return records


def points(records: Records, place: str) -> Points:
    """Iterations and values of a dotted path; a record without it is left out, None and infinite are not a number."""
    found = [(record.get("iteration", index), _at(record, place)) for index, record in enumerate(records)]
    there = [(iteration, value) for iteration, value in found if value is not _ABSENT]
    return [iteration for iteration, _ in there], [value for _, value in there]


def _last(records: Records) -> float:
    return max([1.0, *(record.get("iteration", index) for index, record in enumerate(records))])


_ABSENT = object()


def _at(record: Mapping[str, Any], place: str) -> Any:
    value: Any = record
    for key in place.split("."):
        if not isinstance(value, Mapping) or key not in value:
            return _ABSENT
        value = value[key]
    if value is None:
        return nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _ABSENT
    return float(value) if isfinite(value) else nan


def _lines(panel: Panel, records: Records) -> list[tuple[Recorded, str]]:
    """The numbers that the records hold, each with its place."""
    return [
        (recorded, place)
        for recorded in (_levels(panel.levels, records) if panel.levels else panel.numbers)
        if (place := next((place for place in recorded.places if _holds(records, place)), None))
    ]


def _levels(key: str, records: Records) -> list[Recorded]:
    """One for each difficulty; none where there is but one, which is the accuracy."""
    levels = list(dict.fromkeys(level for record in records for level in record.get(key) or {}))
    levels = levels if len(levels) > 1 else []
    return [Recorded(level, (f"{key}.{level}",), color) for level, color in zip(levels, sequential(len(levels)))]


def _holds(records: Records, place: str) -> bool:
    return any(isfinite(value) for value in points(records, place)[1])


def _line(axis: Axes, found: Points, scale: float, **look: Any) -> None:
    """A line through the points; two of them, or one, are dots."""
    if found[0]:
        dots = {"linestyle": "none", "marker": look.get("marker", "_")} if len(found[0]) < 3 else {}
        axis.plot(found[0], scale * np.array(found[1]), markersize=4, **look | dots)


def _band(axis: Axes, seeds: Sequence[Points], scale: float, color: Any) -> None:
    """From the lowest to the highest of the seeds that have a number at an iteration."""
    by_iteration: dict[float, list[float]] = {}
    for iterations, values in seeds:
        for iteration, value in zip(iterations, values):
            by_iteration.setdefault(iteration, []).extend([scale * value] * isfinite(value))
    there = sorted(iteration for iteration, values in by_iteration.items() if values)
    low, high = ([extreme(by_iteration[iteration]) for iteration in there] for extreme in (min, max))
    if there:
        axis.fill_between(there, low, high, color=color, alpha=0.15, linewidth=1)


def _styles(stored: Sequence[Records], control: Records, stored_name: str, control_name: str) -> list[Line2D | Patch]:
    """What the legend says of line styles and of the band, where there is more than the run."""
    lines = [Line2D([], [], color="black", label="this run")]
    lines += [Line2D([], [], color="black", linestyle="--", linewidth=1.2, label=control_name)] if control else []
    band = [Patch(color="black", alpha=0.15, label=f"{stored_name}: lowest to highest")] if stored else []
    return [*lines, *band] if control or stored else []


def _shower() -> Callable[[bytes], None] | None:
    """What shows a PNG under a notebook's cell, in place of the one before; None outside a notebook."""
    if "IPython" not in sys.modules:
        return None
    from IPython import get_ipython
    from IPython.display import Image, display

    if not hasattr(get_ipython(), "kernel"):
        return None
    handles: list[Any] = []

    def show(png: bytes) -> None:
        if handles:
            handles[0].update(Image(data=png))
        else:
            handles.append(display(Image(data=png), display_id=True))

    return show


def _png(figure: Figure) -> bytes:
    """The figure as a PNG, closed."""
    file = BytesIO()
    figure.savefig(file, format="png", bbox_inches="tight")
    plt.close(figure)
    return file.getvalue()
