"""JSON, and JSON lines (one object a line), written and read strictly: the one reader and writer of such files.

Read: UTF-8 with or without a byte-order mark, lines that end in LF or CRLF, blank lines between. Everything else is one
sentence with the file and the line. NaN and Infinity are no JSON (RFC 8259, section 6): they are neither written nor
read, but where another program wrote the file.
"""

import codecs
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from .errors import NotFinite, SpkitError

LONGEST = 1 << 26  # bytes of a line; more than that is no record
WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, b"{\x00", b"\x00{", b"[\x00", b"\x00[")  # how a file in UTF-16 begins

DIGITS = 4  # of numbers that are stored to be drawn

Raw = tuple[str, dict[str, Any]]  # where it stands, for messages, and the object


def dumps(value: Any, **layout: Any) -> str:
    """`json.dumps` of strict JSON.

    Raises NotFinite that names the first number which is NaN or infinite; write None for what is undefined.
    """
    try:
        return json.dumps(value, allow_nan=False, **layout)
    except ValueError as error:
        for name, number in _not_finite(value):
            raise NotFinite(f"{name or 'the value'} is {number}") from error
        raise


def _not_finite(value: Any, name: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(value, float) and not math.isfinite(value):
        yield name, value
    elif isinstance(value, Mapping | list | tuple):
        for key, part in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from _not_finite(part, f"{name}.{key}" if name else str(key))


def rows_of(path: Path, advice: str, needs: Sequence[str] = ()) -> Iterator[Raw]:
    """(place, object) of every line of a file; `place` is "PATH line N". `needs` are keys that every object has.

    Raises SpkitError, which ends in `advice`, for a file that cannot be read and for the first line that is no UTF-8,
    no JSON, no object, or lacks a key. A last line that is cut off is such a line: spkit's own files are replaced
    whole, so none of them ends in one.
    """
    try:
        with open(path, "rb") as file:
            for place, row in rows_in(file, str(path), advice):
                missing = [key for key in needs if key not in row]
                if missing:
                    raise SpkitError(f"{place} has no {missing[0]}: {advice}")
                yield place, row
    except OSError as error:
        raise SpkitError(f"could not read {path} ({error.strerror or error}): {advice}") from error


def rows_in(file: IO[bytes], name: str, advice: str, warnings: list[str] | None = None) -> Iterator[Raw]:
    """The same of an open file, one line in memory at a time.

    With `warnings` another program wrote it: a last line that is cut off is left out, and NaN and Infinity are floats.
    """
    number = 0
    while line := file.readline(LONGEST):
        number += 1
        place = f"{name} line {number}"
        line = without_mark(line, name) if number == 1 else line
        if not line.strip():
            continue
        try:
            row = parsed(line, _refused if warnings is None else float)
        except (ValueError, RecursionError) as error:
            if warnings is not None and len(line) < LONGEST and not file.readline(1):
                warnings.append(f"{place}, the last one, is cut off and was left out")
                return
            raise SpkitError(f"{place} is {_fault(error)}: {advice}") from error
        yield place, as_object(place, row, advice)


def read_object(path: Path, advice: str, constant: Callable[[str], Any] | None = None) -> dict[str, Any]:
    """The JSON object that a file holds.

    Raises SpkitError, which ends in `advice`, for all else. `constant` maps NaN and Infinity to values.
    """
    try:
        text = without_mark(path.read_bytes(), str(path))
        row = parsed(text, constant or _refused)
    except OSError as error:
        raise SpkitError(f"could not read {path} ({error.strerror or error}): {advice}") from error
    except (ValueError, RecursionError) as error:
        raise SpkitError(f"{path} is {_fault(error)}: {advice}") from error
    return as_object(str(path), row, advice)


def without_mark(start: bytes, name: str) -> bytes:
    """The first bytes of a file without a byte-order mark. Raises SpkitError if they are UTF-16."""
    if start.startswith(WIDE):
        raise SpkitError(
            f"{name} is no text in UTF-8 but in UTF-16, as > of Windows PowerShell writes it: write it in "
            "UTF-8 (Out-File -Encoding utf8)"
        )
    return start.removeprefix(codecs.BOM_UTF8)


def parsed(text: bytes, constant: Callable[[str], Any]) -> Any:
    """The value of a JSON text in UTF-8.

    Raises ValueError, or RecursionError; `constant` is given NaN, Infinity and -Infinity.
    """
    return json.loads(
        text.decode("utf-8"), parse_constant=constant, parse_float=_finite if constant is _refused else None
    )


def as_object(place: str, row: Any, advice: str) -> dict[str, Any]:
    """The row. Raises SpkitError if it is no object."""
    if not isinstance(row, dict):
        raise SpkitError(f"{place} is no JSON object but {str(row)[:40]!r}: {advice}")
    return row


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is no number")


def _finite(text: str) -> float:
    return float(text) if math.isfinite(float(text)) else _refused(text)


def _fault(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "no text in UTF-8"
    return f"no JSON ({error.msg if isinstance(error, json.JSONDecodeError) else error})"


def rounded(value: Any) -> Any:
    """Four decimals, inside dictionaries and lists too."""
    if isinstance(value, Mapping):
        return {key: rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return round(value, DIGITS) if isinstance(value, float) else value
