"""Where the words of a figure stand: titles and labels in lines that fit, legends under the panels.

Figures get higher for what is added, and never wider: text cannot take width from the axes.
"""

from collections.abc import Callable, Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text

TITLE_SIZE, LEGEND_SIZE = 12, 9  # points


def laid_out(figure: Figure, title: str, handles: Sequence[Artist] = (), heading: str | None = None) -> Figure:
    """Put the title above and the legend of `handles` (with `heading`) below the panels, and break lines that are wider
    than what they belong to: the title at the figure's width, the labels of axes at their panel's.

    The figure gets as much higher as the words need. Returns it.
    """
    added = 0.0
    figure.draw_without_rendering()
    for axes in figure.axes:
        added = max(added, _break_labels(axes))
    if handles:
        added += _legend_below(figure, handles, heading)
    drawn = figure.suptitle(title, x=0.01, ha="left", fontsize=TITLE_SIZE)
    added += _broken(drawn, 0.98 * figure.bbox.width)
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height + added / figure.dpi)
    return figure


def in_lines(text: str, fits: Callable[[str], bool]) -> str:
    """The text with line breaks between words, so that each line fits; a word that never fits has a line alone."""
    lines: list[str] = []
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and fits(longer):
            lines[-1] = longer
        else:
            lines.append(word)
    return "\n".join(lines)


def _broken(text: Text, width: float, upright: bool = False) -> float:
    """Break the lines of a text at `width` pixels; returns the pixels by which it got higher."""
    whole, before = text.get_text(), _extent(text, upright)
    if before[0] <= width:
        return 0.0

    def fits(line: str) -> bool:
        text.set_text(line)
        return _extent(text, upright)[0] <= width

    text.set_text(in_lines(whole, fits))
    return _extent(text, upright)[1] - before[1]


def _extent(text: Text, upright: bool) -> tuple[float, float]:
    box = text.get_window_extent()
    return (box.height, box.width) if upright else (box.width, box.height)


def _break_labels(axes: Axes) -> float:
    """Break the heading and the labels of one panel; returns the pixels that they need in height."""
    box = axes.get_window_extent()
    _broken(axes.yaxis.label, 0.95 * box.height, upright=True)
    headings = (axes.title, axes._left_title, axes._right_title)
    return sum(_broken(text, box.width) for text in (*headings, axes.xaxis.label) if text.get_text())


def _legend_below(figure: Figure, handles: Sequence[Artist], heading: str | None) -> float:
    """A legend under the panels in as many columns as fit; returns its height in pixels."""
    for columns in range(len(handles), 0, -1):
        legend: Legend = figure.legend(
            handles=handles, loc="outside lower center", ncols=columns, fontsize=LEGEND_SIZE, title=heading
        )
        box = legend.get_window_extent()
        if box.width <= figure.bbox.width or columns == 1:
            break
        legend.remove()
    return box.height
