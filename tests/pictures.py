"""What is measured of a figure: how much of the canvas its axes fill, and whether a reader can read every word."""

import json
from io import BytesIO
from itertools import combinations
from pathlib import Path

import matplotlib.image
import numpy as np
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox


def words(figure: Figure) -> list[Text]:
    """Every text that is drawn: titles, labels, the tick labels inside the limits, legends, annotations."""
    figure.draw_without_rendering()
    texts = [*figure.texts, *(text for legend in figure.legends for text in legend.findobj(Text))]
    for axes in figure.axes:
        texts += [*axes.texts, *(text for text in (axes.title, axes._left_title, axes._right_title))]
        if axes.get_legend():
            texts += axes.get_legend().findobj(Text)
        if axes.axison:
            for axis in (axes.xaxis, axes.yaxis):
                ticks = [text for tick in axis._update_ticks() for text in (tick.label1, tick.label2)]
                texts += [axis.label, axis.offsetText, *ticks]
    return [text for text in texts if text.get_visible() and text.get_text().strip()]


def unreadable(figure: Figure, slack: float = 1.0) -> list[str]:
    """What overlaps another text by more than `slack` pixels, and what the edge of the canvas cuts off."""
    drawn = [(text.get_text(), text.get_window_extent()) for text in words(figure)]
    canvas = figure.bbox.padded(slack)
    inside = lambda box: canvas.contains(box.x0, box.y0) and canvas.contains(box.x1, box.y1)
    cut = [f"cut off: {text!r}" for text, box in drawn if not inside(box)]
    pairs = combinations(drawn, 2)
    return cut + [f"{one!r} overlaps {other!r}" for (one, a), (other, b) in pairs if _overlap(a, b, slack)]


def _overlap(one: Bbox, other: Bbox, slack: float) -> bool:
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    return min(width, min(one.y1, other.y1) - max(one.y0, other.y0)) > slack


def width_share(figure: Figure) -> float:
    """Share of the canvas's width that lies inside the axes; colour bars are no axes."""
    figure.draw_without_rendering()
    taken = np.zeros(round(figure.bbox.width), dtype=bool)
    for axes in figure.axes:
        if axes.get_label() != "<colorbar>":
            box = axes.get_window_extent()
            taken[max(round(box.x0), 0) : round(box.x1)] = True
    return float(taken.mean())


def width_share_of_png(data: bytes, shortest: int = 60) -> float:
    """Share of a picture's width from the left end of the first x axis to the right end of the last one.

    An x axis is the longest dark horizontal line of its columns: at least `shortest` pixels without a gap.
    """
    grey = matplotlib.image.imread(BytesIO(data), format="png")[..., :3].mean(2)
    ends = [end for row in grey < 0.35 for end in _stretches(row, shortest)]
    return (max(stop for _, stop in ends) - min(start for start, _ in ends)) / grey.shape[1] if ends else 0.0


def _stretches(row: np.ndarray, shortest: int) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(int), [0]])))
    return [(start, stop) for start, stop in zip(edges[::2], edges[1::2]) if stop - start >= shortest]


def record_pictures(path: str) -> None:
    """From now on, write what is wrong with each figure that this process draws into a file, a JSON line each."""
    drawing = FigureCanvasBase.print_figure

    def print_figure(canvas: FigureCanvasBase, *arguments, **options):
        figure = canvas.figure
        row = {"title": figure.get_suptitle(), "share": width_share(figure), "unreadable": unreadable(figure)}
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        return drawing(canvas, *arguments, **options)

    FigureCanvasBase.print_figure = print_figure


def startup(folder: Path, path: Path) -> dict[str, str]:
    """The variables under which IPython's kernels record their pictures in `path`; `folder` is theirs."""
    place = folder / "profile_default" / "startup"
    place.mkdir(parents=True)
    source = f"from tests.pictures import record_pictures\n\nrecord_pictures({str(path)!r})\ndel record_pictures\n"
    (place / "pictures.py").write_text(source, encoding="utf-8")
    return {"IPYTHONDIR": str(folder)}
