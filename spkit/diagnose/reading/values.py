"""Values of a log as columns of a batch: texts, numbers, true or false, each from whatever a trainer wrote there.

A column is a list of values or a polars series; both give the same, the series faster where its type is plain.
"""

import json
import math
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from ..batches import the_polars
from .tallies import NOT_A_FLAG, NOT_A_NUMBER, NOT_FINITE, NOT_UTF8, Tally

SHOWN_CHARACTERS = 20_000  # characters of a completion that a batch holds, half of them its end
_FLAGS = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}


def plain_text(value: Any) -> str:
    """A text as it is; a conversation as its messages' texts, a line each, with their tool calls; a number without
    `.0`; "" for nothing.

    A part that is no text (an image) leaves a mark that differs where the part does.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return _message(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, Sequence):
        return "\n".join(map(plain_text, value))
    listed = getattr(value, "tolist", None)  # of NumPy
    return str(value) if listed is None else plain_text(listed())


def _message(message: Mapping[str, Any]) -> str:
    kind = message.get("type")
    if "content" not in message and "text" in message:
        return plain_text(message["text"])
    if "content" not in message and "role" not in message:
        body = json.dumps(message, sort_keys=True, default=str)
        return f"[{kind} {zlib.crc32(body.encode('utf-8', 'replace')):08x}]" if kind else body
    parts = [message.get("reasoning_content"), message.get("content")]
    texts = [plain_text(part) for part in parts if part is not None]
    return "\n".join(texts + [_call(call) for call in _calls(message.get("tool_calls"))])


def _calls(calls: Any) -> Sequence[Any]:
    if not calls:
        return ()
    return calls if isinstance(calls, Sequence) and not isinstance(calls, str) else (calls,)


def _call(call: Any) -> str:
    if not isinstance(call, Mapping):
        return plain_text(call)
    function = call["function"] if isinstance(call.get("function"), Mapping) else call
    arguments = function.get("arguments")
    if not isinstance(arguments, str):
        arguments = "" if arguments is None else json.dumps(arguments, default=str)
    return f"{plain_text(function.get('name'))}({arguments})"


def text_column(values: Any, tally: Tally, empty: str | None = "") -> Any:
    """Texts as a series of strings; `empty` in the place of a null."""
    pl = the_polars()
    if isinstance(values, pl.Series):
        joined = _joined(values)
        if joined is not None:
            return joined if empty is None else joined.fill_null(empty)
        values = values.to_list()
    plain = _series(values, pl.String, str)
    if plain is not None:
        return plain if empty is None else plain.fill_null(empty)
    texts = [empty if value is None else plain_text(value) for value in values]
    try:
        return pl.Series(texts, dtype=pl.String)
    except UnicodeEncodeError:  # halves of surrogate pairs, which JSON can spell and UTF-8 cannot
        mended = [None if text is None else text.encode("utf-8", "replace").decode() for text in texts]
        tally.count(NOT_UTF8, sum(mended[i] != text for i, text in enumerate(texts)))
        return pl.Series(mended, dtype=pl.String)


def _series(values: Any, kind: Any, *sorts: type) -> Any:
    """The values as a series, if all of them are of these types or None and fit it; None else."""
    if not set(map(type, values)) <= {*sorts, type(None)}:
        return None
    try:
        return the_polars().Series(values, dtype=kind, strict=False)
    except (UnicodeEncodeError, OverflowError, TypeError):
        return None


def _joined(values: Any) -> Any:
    """The texts of a series of strings, or of messages that have nothing but a content; None for all else."""
    pl = the_polars()
    if values.dtype == pl.String:
        return values
    if values.dtype == pl.Null:
        return values.cast(pl.String)
    inner = getattr(values.dtype, "inner", None)
    if values.dtype != pl.List or inner != pl.Struct or dict(inner).get("content") != pl.String:
        return None
    if not set(dict(inner)) <= {"role", "content", "name"}:
        return None
    return values.list.eval(pl.element().struct.field("content").fill_null("")).list.join("\n")


def chat_column(values: Any) -> Any:
    """Whether each value is messages, as a series of booleans; null for null."""
    pl = the_polars()
    if isinstance(values, pl.Series):
        if values.dtype in (pl.List, pl.String):
            flags = pl.Series([values.dtype == pl.List]).new_from_index(0, len(values))
            return flags.set(values.is_null(), None)
        values = values.to_list()
    flags = [None if value is None else not isinstance(value, str) and _is_list(value) for value in values]
    return pl.Series(flags, dtype=pl.Boolean)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) or hasattr(value, "tolist")


def as_number(value: Any) -> float | None:
    """A number, a truth value, or either as text; NaN where it is neither, None for nothing."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, str):
        plain = value.strip().lower()
        if plain in _FLAGS:
            return _FLAGS[plain]
        try:
            return float(plain.replace("_", "x"))
        except ValueError:
            return math.nan
    if isinstance(value, Sequence) and len(value) == 1:
        return as_number(value[0])
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def number_column(values: Any, tally: Tally, kind: str = NOT_FINITE) -> Any:
    """Numbers as a series of floats; null where there is none, or none that is finite, which is counted as `kind`."""
    pl = the_polars()
    plain = isinstance(values, pl.Series) and (values.dtype.is_numeric() or values.dtype in (pl.Boolean, pl.Null))
    if not plain:
        values = values.to_list() if isinstance(values, pl.Series) else values
        found = _series(values, pl.Float64, bool, int, float)
        values = pl.Series([as_number(value) for value in values], dtype=pl.Float64) if found is None else found
    numbers = values.cast(pl.Float64)
    finite = numbers.is_finite().fill_null(True)
    lost = len(numbers) - finite.sum()
    if not lost:
        return numbers
    tally.count(kind, lost)
    return numbers.set(~finite, None)


def flag_column(values: Any, tally: Tally) -> Any:
    """Right or wrong as a series of booleans: true, 1, "True" are right, and what is graded only where it is 1."""
    numbers = number_column(values, tally, NOT_A_FLAG)
    return numbers >= 1 - 1e-9


def count_column(values: Any, tally: Tally) -> Any:
    """Whole numbers as a series; null where there is none."""
    pl = the_polars()
    numbers = number_column(values, tally, NOT_A_NUMBER)
    return numbers.round().cast(pl.Int64, strict=False)


def finish_column(values: Any) -> Any:
    """How a completion ended, "stop" or "length": from a reason as text, or from whether it was truncated."""
    pl = the_polars()
    values = values.to_list() if isinstance(values, pl.Series) else values
    return pl.Series([_finish(value) for value in values], dtype=pl.String)


def _finish(value: Any) -> str | None:
    if isinstance(value, str):
        plain = value.strip().lower()
        ends = {"stop": "stop", "length": "length", "eos": "stop", "tool_calls": "stop", "max_tokens": "length"}
        return ends.get(plain) or ({"true": "length", "false": "stop"}.get(plain))
    return None if value is None else ("length" if value else "stop")


def shortened_column(texts: Any) -> tuple[Any, Any]:
    """(the two ends of texts longer than SHOWN_CHARACTERS, the number of characters of every text)."""
    characters = texts.str.len_chars()
    long = characters > SHOWN_CHARACTERS
    if not long.any():
        return texts, characters
    half = SHOWN_CHARACTERS // 2
    ends = texts.filter(long).str.slice(0, half) + texts.filter(long).str.slice(-half)
    return texts.scatter(long.arg_true(), ends), characters
