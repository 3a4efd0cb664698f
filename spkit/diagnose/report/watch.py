"""A log that is still written: looked at again whenever it changed."""

import re
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from ...run.errors import SpkitError
from ..judge import Diagnosis
from .shown import one_line

Watched = Diagnosis | SpkitError | OSError  # what there is to say, or why there is nothing yet


def changes(
    path: Path,
    read: Callable[[], Diagnosis],
    every: float,
    own: Collection[Path] = (),
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Watched]:
    """The diagnosis at first, and again whenever a file changed; or the error, of a log that cannot be read yet.

    Looks every `every` seconds, and rests at least as long as reading took. `own` are files written meanwhile. Never
    ends.
    """
    before, pause = object(), every
    while True:
        now = look(path, own)
        if now != before:
            before, started = now, time.monotonic()
            try:
                found = read()
            except (SpkitError, OSError) as error:
                found = error
            yield found
            pause = max(every, time.monotonic() - started)
        sleep(pause)


def look(path: Path, own: Collection[Path] = ()) -> tuple[tuple[str, int, int], ...]:
    """(name, bytes, time of the last change) of a file, or of all files of a folder, whatever comes and goes there."""
    try:
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
    except OSError:
        return ()
    mine = {one.resolve() for file in own for one in (file, file.with_name(f".partial-{file.name}"))}
    return tuple(seen for file in files if file.resolve() not in mine and (seen := _seen(file)))


def _seen(file: Path) -> tuple[str, int, int] | None:
    try:
        state = file.stat()
    except OSError:
        return None
    return (str(file), state.st_size, state.st_mtime_ns) if file.is_file() else None


def is_news(found: Watched, before: Watched | None) -> bool:
    """Whether it says something else than before: other findings, or another error than the same at another line."""
    return _said(found) != _said(before)


def _said(found: Watched | None) -> tuple[str, ...] | str | None:
    if isinstance(found, Exception):
        return re.sub(r"\d+", "", str(found))
    return None if found is None else (found.verdict, *(finding.name for finding in found.findings))


def verdict_line(diagnosis: Diagnosis) -> str:
    """The last step, the verdict, and what else was found."""
    first, others = diagnosis.findings[:1], diagnosis.findings[1:]
    verdict = f"{first[0].name} ({first[0].role})" if first else diagnosis.verdict
    also = f"; also {', '.join(finding.name for finding in others)}" if others else ""
    return one_line(f"step {diagnosis.evidence.steps[-1].step}: {verdict}{also}")


def waiting_line(error: Exception) -> str:
    """Why there is no verdict yet."""
    return one_line(f"waiting: {error}")
