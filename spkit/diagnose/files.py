"""Logs as streams: one raw row at a time, whatever the size of the file.

A folder is read file after file, in the order of the numbers in their names (verl writes a file a step, TRL a
parquet file a step). What a killed trainer leaves, a last line or a last file that is cut off, is left out with a
warning; damage anywhere else is an error. Trainers write NaN and Infinity where there was nothing to compute: they
are read as missing, and counted.
"""

import gzip
import io
import json
import math
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from ..run.errors import SpkitError
from ..run.json_files import LONGEST, Raw, as_object, rows_in, without_mark
from .rows import Row, format_of, reward_columns, row_of

ENDINGS = (".jsonl", ".jsonl.gz", ".json", ".parquet")
BATCH = 1024  # rows of a parquet file in memory at once
HEAD_BYTES = 1 << 10  # bytes that say what kind of file it is
CHUNK = 1 << 20  # characters read at once from a JSON array
FILE_ADVICE = "delete the line, or write the log again"


class RowLog:
    """The rows of a file or folder, to be read once.

    `form`, `rewards` (its columns) and `warnings` are known afterwards.
    """

    def __init__(self, path: Path, rewards: tuple[str, ...] = ()) -> None:
        self.files = log_files(path)
        self.path, self.asked, self.warnings = path, rewards, list[str]()
        self.form, self.rewards, self.unjudged, self.undefined = None, (), 0, 0

    def __iter__(self) -> Iterator[Row]:
        """Raises SpkitError for a row that is damaged, misses a column or is another trainer's, and for no row."""
        count = 0
        for file in self.files:
            for place, raw in raw_rows(file, self.warnings, last=file == self.files[-1]):
                if self.form is None:
                    self.form = format_of(place, raw)
                    self.rewards = reward_columns(place, raw, self.form, self.asked)
                row = row_of(place, self._defined(raw), self.form, self.rewards)
                if row is None:
                    self.unjudged += 1
                    continue
                count += 1
                yield row
        if self.undefined:
            self.warnings.append(f"{self.undefined} numbers are NaN or infinite and were read as missing")
        if self.unjudged:
            self.warnings.append(f"{self.unjudged} rows have no reward at all and were left out")
        if not count:
            raise SpkitError(f"{self.path} has no rows with a reward: give a log that a trainer wrote completions to")

    def _defined(self, raw: dict[str, Any]) -> dict[str, Any]:
        """The row with None for numbers that are none."""
        odd = [name for name, value in raw.items() if isinstance(value, float) and not math.isfinite(value)]
        self.undefined += len(odd)
        return raw | dict.fromkeys(odd)


def log_files(path: Path) -> list[Path]:
    """The log itself, or those in a folder (or in its folder `completions`, TRL's). SpkitError if there is none."""
    if path.is_file():
        if not path.name.endswith(ENDINGS):
            raise SpkitError(f"{path} is no log: its name must end in {', '.join(ENDINGS)}")
        return [path]
    if not path.is_dir():
        raise SpkitError(f"there is no file or folder {path}")
    for folder in (path / "completions", path):
        found = [file for file in folder.glob("*") if file.is_file() and file.name.endswith(ENDINGS)]
        for ending in (".parquet", ".jsonl", ".jsonl.gz"):
            chosen = [file for file in found if file.name.endswith(ending)]
            if chosen:
                return sorted(chosen, key=_number_in_name)
    raise SpkitError(
        f"{path} is neither a run of spkit (no config.json with metrics.jsonl) nor a folder of logs (no "
        ".parquet or .jsonl in it)"
    )


def _number_in_name(path: Path) -> tuple[list[int], str]:
    return [int(number) for number in re.findall(r"\d+", path.name)], path.name


def raw_rows(path: Path, warnings: list[str], last: bool = True) -> Iterator[Raw]:
    """(where, columns) of every row. `last`: no file comes after this one, so its end may be missing."""
    if path.name.endswith(".parquet"):
        yield from _parquet(path, warnings, last)
        return
    try:
        with (gzip.open if path.name.endswith(".gz") else open)(path, "rb") as file:
            start = file.read(HEAD_BYTES)
            file.seek(0)
            if without_mark(start, path.name).lstrip()[:1] == b"[":
                yield from _array(path, io.TextIOWrapper(file, encoding="utf-8-sig"), warnings)
            else:
                yield from rows_in(file, path.name, FILE_ADVICE, warnings)
    except zlib.error as error:
        raise SpkitError(f"{path} is damaged ({error}): write the log again") from error
    except (EOFError, gzip.BadGzipFile):
        warnings.append(f"{path.name} ends too early; what could be read of it was read")
    except UnicodeDecodeError:
        raise SpkitError(f"{path} is no text in UTF-8: give the log as the trainer wrote it") from None
    except OSError as error:
        raise SpkitError(f"could not read {path} ({error.strerror or error})") from error


def _array(path: Path, file: IO[str], warnings: list[str]) -> Iterator[Raw]:
    """The objects of a JSON array, decoded one after another out of a buffer."""
    decoder, buffer, number = json.JSONDecoder(), "", 0
    position, ended = 0, False
    while True:
        while position < len(buffer) and buffer[position] in " \t\r\n,[":
            position += 1
        if buffer[position : position + 1] == "]":
            return
        try:
            row, position = decoder.raw_decode(buffer, position)
        except RecursionError as error:
            raise SpkitError(f"{path.name} row {number + 1} is no JSON object: write the log again") from error
        except ValueError as error:
            if ended:
                warnings.append(f"{path.name} is cut off after row {number}; what is before was read")
                return
            if len(buffer) - position > LONGEST:
                raise SpkitError(f"{path.name} row {number + 1} is no JSON object: write the log again") from error
            piece = file.read(max(CHUNK, len(buffer) - position))
            buffer, position, ended = buffer[position:] + piece, 0, not piece
            continue
        number += 1
        place = f"{path.name} row {number}"
        yield place, as_object(place, row, "a log has one object a completion")


def _parquet(path: Path, warnings: list[str], last: bool) -> Iterator[Raw]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        text = (
            "parquet logs are read with pyarrow, which is not installed: pip install 'selfplay-kit[logs]', "
            "or write the log as JSON lines"
        )
        raise SpkitError(text) from None
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=BATCH):
                for row in batch.to_pylist():
                    number += 1
                    yield (
                        f"{path.name} row {number}",
                        {name: value for name, value in row.items() if name != "__index_level_0__"},
                    )
    except (ArrowException, OSError) as error:
        if not last or len(list(path.parent.glob("*.parquet"))) == 1:
            raise SpkitError(
                f"{path} is damaged or cut off: a parquet file can be read whole or not at all, so delete it"
            ) from error
        warnings.append(f"{path.name}, the last file, is cut off and was left out")
