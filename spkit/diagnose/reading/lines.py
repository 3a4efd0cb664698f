"""JSON lines and JSON arrays, packed or not, as bytes and as rows: carefully, one after another.

What a killed trainer leaves, a last line that is cut off, is left out with a warning; damage anywhere else is an error
with its line. A file that grows is read as far as it went when it was opened. Bytes that are no UTF-8 are replaced, and
counted.
"""

import gzip
import io
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from ...run.errors import SpkitError
from ...run.json_files import LONGEST, Raw, as_object, without_mark
from .tallies import CUT_OFF, NOT_UTF8, Tally

CHUNK_BYTES = 1 << 23  # read at once
ADVICE = "delete the line, or write the log again"
_BLANK = b" \t\r\n"


@contextmanager
def opened(path: Path, tally: Tally) -> Iterator[IO[bytes]]:
    """The bytes of a file, unpacked, without a byte-order mark.

    Raises SpkitError if it cannot be read, is damaged, or is UTF-16; a packed file that ends too early is a warning.
    """
    try:
        with open(path, "rb") as plain:
            file = _unpacked(path, plain)
            rest = _Rest(b"", file, tally, path)
            rest.start = without_mark(rest.read(1 << 10), path.name)
            yield rest
    except (zlib.error, gzip.BadGzipFile) as error:
        raise SpkitError(f"{path} is damaged ({error}): write the log again") from error
    except OSError as error:
        raise SpkitError(f"could not read {path} ({error.strerror or error})") from error


MAGIC = {".gz": b"\x1f\x8b", ".zst": b"\x28\xb5\x2f\xfd"}  # how a packed file begins


def _unpacked(path: Path, plain: IO[bytes]) -> Any:
    start = plain.read(4)
    plain.seek(0)
    if start and not start.startswith(MAGIC.get(path.suffix, b"")):
        raise SpkitError(f"{path} is damaged: it is not packed as {path.suffix} says; write the log again")
    if path.suffix == ".gz":
        return gzip.GzipFile(fileobj=plain)
    if path.suffix != ".zst":
        return _UpTo(plain, path.stat().st_size)
    try:
        from pyarrow import CompressedInputStream
    except ImportError:
        text = "logs packed as .zst are unpacked with pyarrow, which is not installed: pip install 'selfplay-kit[logs]'"
        raise SpkitError(text) from None
    return CompressedInputStream(plain, "zstd")


class _UpTo:
    """A file as it was when it was opened, although it grows."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self.file, self.left = file, size

    def read(self, size: int) -> bytes:
        block = self.file.read(min(size, self.left))
        self.left -= len(block)
        return block


class _Rest:
    """The bytes of a file of which some have been read, to its end or to where it is cut off."""

    def __init__(self, start: bytes, file: Any, tally: Tally, path: Path) -> None:
        self.start, self.file, self.tally, self.path = start, file, tally, path

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, none at the end."""
        if self.start:
            block, self.start = self.start[:size], self.start[size:]
            return block
        if self.path.suffix not in (".gz", ".zst"):
            return self.file.read(size)
        parts, left = list[bytes](), size
        try:
            while left > 0 and (block := self._some(min(left, 1 << 17))):
                parts.append(block)
                left -= len(block)
        except EOFError:
            self.tally.say(f"{self.path.name} ends too early; what could be read of it was read")
        except OSError as error:
            if self.path.suffix != ".zst":
                raise
            self.tally.say(f"{self.path.name} is cut off or damaged; what is before was read ({error})")
        return b"".join(parts)

    def _some(self, size: int) -> bytes:
        """A part of what is left, so small that little is lost where the file is cut off."""
        return self.file.read1(size) if self.path.suffix == ".gz" else bytes(self.file.read(size))


def line_chunks(file: IO[bytes], name: str, tally: Tally, size: int = CHUNK_BYTES) -> Iterator[tuple[int, bytes]]:
    """(number of its first line, whole lines as UTF-8) of one chunk after another. Raises SpkitError for a line that
    is longer than LONGEST.
    """
    first, held = 1, [file.read(size)]
    length = len(held[0])
    while held[-1]:
        end = held[-1].rfind(b"\n") + 1
        if end:
            rest = held[-1][end:]
            chunk = b"".join(held[:-1]) + held[-1][:end]
            yield first, as_utf8(chunk, tally)
            first, held, length = first + chunk.count(b"\n"), [rest] if rest else [], len(rest)
        if length > LONGEST:
            raise SpkitError(f"{name} line {first} is longer than {LONGEST >> 20} MB, which no row is: {ADVICE}")
        held.append(file.read(size))
        length += len(held[-1])
    rest = b"".join(held)
    if rest:
        yield first, as_utf8(rest, tally)


def as_utf8(chunk: bytes, tally: Tally) -> bytes:
    """The same with what is no UTF-8 replaced, and counted."""
    try:
        chunk.decode()
        return chunk
    except UnicodeDecodeError:
        text = chunk.decode(errors="replace")
        tally.count(NOT_UTF8, text.count("\ufffd") - chunk.count("\ufffd".encode()))
        return text.encode()


def line_rows(chunk: bytes, first: int, name: str, tally: Tally, last: bool) -> Iterator[Raw]:
    """(place, object) of every line of a chunk. `last`: no line comes after it, so that its last one may be cut off.

    Raises SpkitError for any other line that is no JSON object.
    """
    lines = chunk.decode().split("\n")
    for index, line in enumerate(lines):
        if not line.strip():
            continue
        place = f"{name} line {first + index}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            if last and not any(rest.strip() for rest in lines[index + 1 :]):
                tally.count(CUT_OFF)
                return
            why = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
            raise SpkitError(f"{place} is no JSON ({why}): {ADVICE}") from error
        yield place, as_object(place, row, ADVICE)


def array_rows(file: IO[bytes], name: str, tally: Tally) -> Iterator[Raw]:
    """(place, object) of a JSON array, decoded one after another out of a buffer.

    Raises SpkitError for one that is damaged; one that is cut off is a warning.
    """
    decoder, buffer, position, number = json.JSONDecoder(), "", 0, 0
    text, ended = io.TextIOWrapper(_Readable(file), encoding="utf-8", errors="replace"), False
    while True:
        while position < len(buffer) and buffer[position] in " \t\r\n,[":
            position += 1
        if buffer[position : position + 1] == "]":
            return
        try:
            row, position = decoder.raw_decode(buffer, position)
        except RecursionError as error:
            raise SpkitError(f"{name} row {number + 1} is no JSON object: write the log again") from error
        except ValueError as error:
            if ended:
                tally.say(f"{name} is cut off after row {number}; what is before was read")
                return
            if len(buffer) - position > LONGEST:
                raise SpkitError(f"{name} row {number + 1} is no JSON object: write the log again") from error
            piece = text.read(max(CHUNK_BYTES >> 3, len(buffer) - position))
            buffer, position, ended = buffer[position:] + piece, 0, not piece
            continue
        number += 1
        place = f"{name} row {number}"
        yield place, as_object(place, row, "a log has one object a completion")


class _Readable(io.RawIOBase):
    """What has a `read` as a raw stream."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        block = self.file.read(len(buffer))
        buffer[: len(block)] = block
        return len(block)


def is_array(file: Any) -> bool:
    """Whether what was opened begins as a JSON array."""
    return file.start.lstrip(_BLANK)[:1] == b"["
