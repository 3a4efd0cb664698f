"""Files that are written whole or not at all, and read row by row."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from .errors import SpkitError
from .json_files import dumps, rows_of

DAMAGED = "delete that line and those after it, and start the run again"


def write_atomic(path: Path, text: str) -> None:
    """Replace a text file whole: a reader, or a run that resumes, sees the old text or the new one."""
    partial = path.with_name(f".partial-{path.name}")
    try:
        with open(partial, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> None:
    """Replace a file of one JSON object a line."""
    write_atomic(path, "".join(dumps(row) + "\n" for row in rows))


def read_jsonl(path: Path, needs: Sequence[str] = ("iteration",)) -> list[dict[str, Any]]:
    """The rows of a file of a run.

    None if it does not exist. Raises SpkitError naming a damaged line, or one without a key that it `needs`.
    """
    return [row for _, row in rows_of(path, DAMAGED, needs)] if path.exists() else []


@contextlib.contextmanager
def finish_before_interrupt() -> Iterator[None]:
    """Hold the first Ctrl+C back until the block ends; let the second through at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked: list[int] = []

    def hold(signum: int, frame: Any) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(signum)

    before = signal.signal(signal.SIGINT, hold)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if asked:
        raise KeyboardInterrupt


@contextlib.contextmanager
def disk_errors(folder: Path, advice: str) -> Iterator[None]:
    """Turn an error of the disk into a SpkitError that names the folder and ends in the advice."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SpkitError(f"could not write to {folder} ({reason}): {advice}") from error
