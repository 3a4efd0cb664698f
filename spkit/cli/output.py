"""What every command prints, and what it says when it is stopped."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from ..run.json_files import dumps

INTERRUPTED = 130  # the shell's exit code for Ctrl+C


def say(text: str, error: bool = False, style: str | None = None) -> None:
    """A line of plain text, on stderr if it is no result."""
    Console(stderr=error).print(text, style=style, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def interruptible(folder: Path) -> Iterator[None]:
    """On Ctrl+C, say where the finished part is and exit."""
    try:
        yield
    except KeyboardInterrupt:
        say(f"Stopped. What was finished is in {folder}; start the same command again to continue.", error=True)
        raise SystemExit(INTERRUPTED) from None


def emitter(unit: str, method: str, as_json: bool) -> Callable[[dict[str, Any]], Any]:
    """What prints a record: a JSON line, or a line of the method's table."""
    from ..run.tables import IterationTable

    return (lambda record: print(dumps(record), flush=True)) if as_json else IterationTable(unit, method).print
