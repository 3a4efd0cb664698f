"""Logs that are tables: parquet, CSV, tables of W&B and of trackio."""

import csv
import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

from ...run.errors import SpkitError
from ..batches import the_polars
from .lines import as_utf8, opened
from .pieces import PIECE_ROWS, Piece
from .tallies import Tally

PARQUET_ROWS = 1 << 12  # of a parquet file in memory at once
PARQUET_TEXT = 1 << 25  # bytes of a row group of which fewer rows are taken at once
LONGEST_TABLE = 1 << 30  # bytes of a table that is one JSON object
TRACKIO_TABLE = "trackio.table"


def parquet_pieces(path: Path, tally: Tally, last: bool) -> Iterator[Piece]:
    """Rows of a parquet file. `last`: no file comes after it, so a killed trainer may have left it cut off.

    Raises SpkitError for one that is damaged, or without pyarrow.
    """
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise SpkitError(
            "parquet logs are read with pyarrow, which is not installed: pip install 'selfplay-kit[logs]', "
            "or write the log as JSON lines"
        ) from None
    try:
        with parquet.ParquetFile(path) as file:
            names = [name for name in file.schema_arrow.names if not name.startswith("__index_level_")]
            for batch in file.iter_batches(batch_size=_rows_at_once(file.metadata), columns=names):
                yield Piece(path, frame=the_polars().from_arrow(batch))
    except (ArrowException, OSError) as error:
        if not last or len(list(path.parent.glob("*.parquet"))) == 1:
            text = f"{path} is damaged or cut off: a parquet file can be read whole or not at all, so delete it"
            raise SpkitError(text) from error
        tally.say(f"{path.name}, the last file, is cut off and was left out")


def _rows_at_once(metadata: Any) -> int:
    """So many that their bytes stay few, whatever the texts are."""
    groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    largest = max((group.total_byte_size / max(1, group.num_rows) for group in groups), default=1)
    return int(max(1, min(PARQUET_ROWS, PARQUET_TEXT // max(1, largest))))


def csv_pieces(path: Path, tally: Tally) -> Iterator[Piece]:
    """Rows of a CSV file with a line of names, all values as text; an empty one is null. Raises SpkitError for a row
    that has too many values; a last one that has too few is cut off.
    """
    csv.field_size_limit(1 << 30)
    with opened(path, tally) as file:
        reader = csv.reader(_text_lines(file, tally))
        try:
            names = next(reader, [])
            while part := list(islice(reader, PIECE_ROWS)):
                rows, places = [], []
                for values in part:
                    place = f"{path.name} line {reader.line_num}"
                    if values and len(values) != len(names):
                        if len(values) > len(names) or next(reader, None) is not None:
                            raise SpkitError(f"{place} has {len(values)} values, and there are {len(names)} columns")
                        tally.say(f"{path.name} is cut off in its last row, which was left out")
                    elif values:
                        rows.append({name: value or None for name, value in zip(names, values)})
                        places.append(f"{path.name} row {len(places) + 1}")
                yield Piece(path, rows, places)
        except csv.Error as error:
            raise SpkitError(f"{path.name} line {reader.line_num} is no CSV ({error}): write the log again") from error


def _text_lines(file: Any, tally: Tally) -> Iterator[str]:
    """Lines of text, with the breaks inside quotes left to the reader."""
    held = b""
    while block := file.read(1 << 20):
        lines = (held + block).split(b"\n")
        held = lines.pop()
        for line in lines:
            yield as_utf8(line.replace(b"\0", b"") + b"\n", tally).decode()
    if held:
        yield as_utf8(held.replace(b"\0", b""), tally).decode()


def wandb_pieces(path: Path, tally: Tally) -> Iterator[Piece]:
    """Rows of a table of W&B, one JSON object with `columns` and `data`. Raises SpkitError if it is none."""
    if path.stat().st_size > LONGEST_TABLE:
        raise SpkitError(f"{path} is larger than {LONGEST_TABLE >> 30} GB, which no table of W&B is")
    with opened(path, tally) as file:
        blocks = []
        while block := file.read(1 << 24):
            blocks.append(block)
    try:
        table = json.loads(as_utf8(b"".join(blocks), tally))
    except (ValueError, RecursionError) as error:
        raise SpkitError(f"{path} is no JSON, or is cut off: download the table again") from error
    names = table.get("columns") if isinstance(table, Mapping) else None
    data = table.get("data") if isinstance(table, Mapping) else None
    if not isinstance(names, list) or not isinstance(data, list) or not all(isinstance(row, list) for row in data):
        raise SpkitError(f"{path} is no table of W&B, which has `columns` and `data`")
    for start in range(0, len(data), PIECE_ROWS):
        part = data[start : start + PIECE_ROWS]
        places = [f"{path.name} row {start + index + 1}" for index in range(len(part))]
        yield Piece(path, [dict(zip(map(str, names), row)) for row in part], places)


def trackio_pieces(path: Path, tally: Tally, notes: list[str]) -> Iterator[Piece]:
    """Rows of the tables that trackio keeps in its SQLite file, of the run that was logged to last; a row without a
    step has that of its table. Raises SpkitError if it is none of trackio's files.
    """
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as base:
            runs = [run for (run,) in base.execute("SELECT run_name FROM metrics GROUP BY 1 ORDER BY max(rowid)")]
            if len(runs) > 1:
                notes.append(f"{path.name} holds {len(runs)} runs; {runs[-1]!r}, logged to last, was read")
            text = "SELECT rowid, step, metrics FROM metrics WHERE run_name = ? ORDER BY rowid"
            for number, step, metrics in base.execute(text, runs[-1:] or ("",)):
                rows = [{"step": step, **row} for row in _table_rows(metrics)]
                yield Piece(path, rows, [f"{path.name} row {number}"] * len(rows))
    except sqlite3.Error as error:
        raise SpkitError(f"{path} is no file of trackio's, or is damaged ({error})") from error


def _table_rows(metrics: Any) -> list[Mapping[str, Any]]:
    """The rows of tables in what was logged at once."""
    try:
        logged = json.loads(metrics)
    except (TypeError, ValueError, RecursionError):
        return []
    tables = logged.values() if isinstance(logged, Mapping) else ()
    kept = [t for t in tables if isinstance(t, Mapping) and t.get("_type") == TRACKIO_TABLE]
    return [row for t in kept if isinstance(t.get("_value"), list) for row in t["_value"] if isinstance(row, Mapping)]
