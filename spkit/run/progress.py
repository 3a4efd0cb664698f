"""Progress with rate and time left on a terminal.

Silence in a notebook, under nbval and when the output goes elsewhere.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

Tick = Callable[[int], None]


class RateColumn(ProgressColumn):
    """Units a second of the stage under way."""

    def render(self, task: Task) -> Text:
        """Empty until there is a rate."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} {task.fields['unit']}/s" if speed and task.fields["unit"] else "")


class Silent:
    """No output at all."""

    @contextmanager
    def stage(self, name: str, total: int, unit: str) -> Iterator[Tick]:
        """Yield a callable that ignores what it is told."""
        yield lambda count: None

    def iteration(self, done: int, total: int) -> None:
        """Ignored."""

    def close(self) -> None:
        """Nothing to close."""


class Live(Silent):
    """Two lines on a terminal: the iterations, and the stage under way."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description:<20}"), BarColumn(24), MofNCompleteColumn(), RateColumn())
        times = (TextColumn("elapsed"), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
        self.display = Progress(*columns, *times, console=Console(stderr=True), transient=True)
        self.iterations = self.display.add_task("iterations", total=None, unit="")
        self.display.start()

    @contextmanager
    def stage(self, name: str, total: int, unit: str) -> Iterator[Tick]:
        """Show one stage; the yielded callable takes the number of units just done."""
        line = self.display.add_task(f"  {name}", total=total, unit=unit)
        try:
            yield lambda count: self.display.advance(line, count)
        finally:
            self.display.remove_task(line)

    def iteration(self, done: int, total: int) -> None:
        """Move the outer bar."""
        self.display.update(self.iterations, completed=done, total=total)

    def close(self) -> None:
        """Leave the terminal as it was."""
        self.display.stop()


def progress() -> Silent:
    """Live on a terminal, silent elsewhere."""
    return Live() if sys.stderr.isatty() else Silent()


def tell(message: str) -> None:
    """One line on stderr; none where a test compares what a notebook prints."""
    if not _compared():
        Console(stderr=True).print(message, style="yellow", highlight=False, markup=False, soft_wrap=True)


def _compared() -> bool:
    return "PYTEST_CURRENT_TEST" in os.environ  # nbval starts a notebook's kernel from within a test
