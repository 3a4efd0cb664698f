"""Prompts of a test set that the log trains on."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ..run.errors import SpkitError
from .batches import the_polars
from .reading.columns import GUESSES
from .reading.folders import pieces_of
from .reading.json_pieces import Types
from .reading.tallies import Tally
from .reading.values import text_column

if TYPE_CHECKING:
    import polars

LEAST = 20  # characters of a last paragraph that stands for the prompt it ends


class TestPrompts:
    """The prompts of a test set, without case and spaces; `look` at the log's, then ask what was `found`.

    A prompt of the log is also known by its last line, since a log has the system's message and the chat's marks
    around a question that a test set has bare.
    """

    __test__ = False  # is no test of pytest's

    def __init__(self, prompts: Iterable[str]) -> None:
        pl = the_polars()
        texts = pl.Series("prompt", list(prompts), dtype=pl.String)
        self.keys = keys_of(texts)[0].unique()
        if not self.keys.len():
            raise SpkitError("the test file has no prompts")
        self.hits = self.keys.clear()

    def look(self, prompts: "polars.Series") -> None:
        """Prompts of the log."""
        pl = the_polars()
        both = pl.concat(keys_of(prompts.unique()))
        self.hits = pl.concat([self.hits, both.filter(both.is_in(self.keys.implode()))]).unique()

    def found(self) -> tuple[int, int]:
        """(test prompts that were found, all)."""
        return self.hits.len(), self.keys.len()


def keys_of(prompts: "polars.Series") -> tuple["polars.Series", "polars.Series"]:
    """Of each prompt a key of all of it, and one of its last line with words in it; a short line has none."""
    pl = the_polars()
    text = pl.col("prompt").fill_null("").str.to_lowercase()
    bare = text.str.replace_all(r"<\|?[^<>|\s]{1,40}\|?>(?:assistant)?|\[/?INST\]", "").str.strip_chars()
    whole = bare.str.replace_all(r"\W+", " ").str.strip_chars()
    last = bare.str.extract(r"([^\n]*\w[^\n]*)\s*$").fill_null("").str.replace_all(r"\W+", " ").str.strip_chars()
    keys = prompts.rename("prompt").to_frame().select(whole=whole, last=last)
    long = keys.filter(pl.col("last").str.len_chars() >= LEAST)["last"]
    return keys.filter(pl.col("whole") != "")["whole"].hash().alias("key"), long.hash().alias("key")


def read_test(path: Path) -> TestPrompts:
    """The prompts of a test set: a file of a kind that logs have (JSON lines, parquet, CSV, ...), with a column prompt,
    question, problem or the like.

    Raises SpkitError if there is none.
    """
    if not path.is_file():
        raise SpkitError(f"there is no test file {path}")
    prompts, tally = list[str](), Tally()
    for piece in pieces_of(path, tally, [], Types()):
        names = piece.names()
        column = next((name for name in GUESSES["prompt"] if name in names), None)
        if column is None:
            raise SpkitError(
                f"{path} has no column of prompts among {', '.join(names)}: call it prompt, question or problem"
            )
        prompts += text_column(piece.values(column), tally).to_list()
    return TestPrompts(prompts)
