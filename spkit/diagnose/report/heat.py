"""Histograms over the steps as a map: a column for each bin of steps, a row for each bin of the values."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..steps import Histogram
from .curves import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, AxisTick
from .shown import known_number, number_text

SHADES = 8  # told apart by eye
LABELLED = 4  # edges, and columns, that have a label


@dataclass(frozen=True)
class HeatMap:
    """A map as it is drawn; `cells` are (x, y, width, height, shade from 1 to 8), what is empty is left out."""

    title: str
    unit: str
    alternative: str
    cells: tuple[tuple[float, float, float, float, int], ...]
    across: tuple[AxisTick, ...]
    up: tuple[AxisTick, ...]


def heat_map(histogram: Histogram, unit: str) -> HeatMap | None:
    """The map of a histogram, each column shaded by its own shares; None if nothing was counted."""
    edges = histogram.edges
    columns = [(step, column) for step, column in zip(histogram.steps, zip(*histogram.counts)) if sum(column)]
    if not columns or len(edges) < 2:
        return None
    wide, high = (WIDTH - LEFT - RIGHT) / len(columns), (HEIGHT - TOP - BOTTOM) / (len(edges) - 1)
    most = max(max(row) / sum(row) for _, row in columns)
    cells = tuple(
        (
            round(LEFT + place * wide, 1),
            round(HEIGHT - BOTTOM - (bin_ + 1) * high, 1),
            round(wide, 1),
            round(high, 1),
            max(1, round(SHADES * count / sum(row) / most)),
        )
        for place, (_, row) in enumerate(columns)
        for bin_, count in enumerate(row)
        if count
    )
    title = f"{histogram.name.capitalize()} of the completions"
    return HeatMap(
        title,
        unit,
        f"{title} over the steps. {heat_in_words(columns, edges)}",
        cells,
        tuple(AxisTick(round(LEFT + (i + 0.5) * wide, 1), number_text(columns[i][0])) for i in evenly(len(columns))),
        tuple(
            AxisTick(round(HEIGHT - BOTTOM - i * high, 1), number_text(known_number(edges[i])))
            for i in evenly(len(edges))
        ),
    )


def heat_in_words(columns: Sequence[tuple[int, Sequence[int]]], edges: Sequence[float]) -> str:
    """Where most of the first and of the last column is."""
    said = []
    for step, row in dict([columns[0], columns[-1]]).items():
        top = max(range(len(row)), key=row.__getitem__)
        range_ = f"{number_text(known_number(edges[top]))} to {number_text(known_number(edges[top + 1]))}"
        said.append(f"At step {step} the fullest bin, {range_}, holds {number_text(row[top] / sum(row), 'share')}.")
    return " ".join(said)


def evenly(count: int) -> list[int]:
    """A few of the first `count` whole numbers, evenly spread, the first and the last among them."""
    return sorted({round(i * (count - 1) / LABELLED) for i in range(LABELLED + 1)})
