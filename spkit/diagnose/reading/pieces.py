"""A piece of a log as it was read: some rows of one file, by columns, before anything is decided about them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PIECE_ROWS = 1 << 14  # rows of a piece, at most


def names_of(rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The columns of rows, in the order in which they first appear."""
    found: dict[str, None] = {}
    for row in rows:
        if not row.keys() <= found.keys():
            found |= dict.fromkeys(row)
    return tuple(found)


@dataclass
class Piece:
    """Rows with their places, or a polars frame of them; `again` reads the rows of a frame one by one, which is slower
    and says what is wrong where.
    """

    file: Path
    rows: Sequence[Mapping[str, Any]] = ()
    places: Sequence[str] = ()
    frame: Any = None
    again: Callable[[], "Piece"] | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.rows) if self.frame is None else len(self.frame)

    def names(self) -> tuple[str, ...]:
        """Its columns, in the order in which they first appear."""
        return tuple(self.frame.columns) if self.frame is not None else names_of(self.rows)

    def values(self, name: str) -> Any:
        """The values of a column, null where a row lacks it: a list, or a series of the frame."""
        if self.frame is not None:
            return self.frame[name] if name in self.frame.columns else [None] * len(self.frame)
        return [row.get(name) for row in self.rows]

    def as_rows(self) -> Sequence[Mapping[str, Any]]:
        """Its rows, one by one."""
        return self.rows if self.frame is None else self.frame.to_dicts()

    def place(self, index: int) -> str:
        """Where a row stands, for messages."""
        return self.places[index] if index < len(self.places) else f"{self.file.name} row {index + 1}"
