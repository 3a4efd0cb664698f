"""Answers of many completions at once, as `texts.final_answer` and `texts.has_extra` read them one at a time.

Most texts of a log give their answer in one of a few plain ways: those are read as columns. The others are read one
by one, each once, and of a step with very many of them only some groups, the same ones whenever the log is read.
"""

import re
from typing import TYPE_CHECKING

from .batches import the_polars
from .texts import READ, final_answer, gold_answer, has_extra, shortened

if TYPE_CHECKING:
    import polars

SLOW_READS = ((100_000, 512), (400_000, 64), (1 << 62, 16))  # read so far, fewer than: texts read one by one in a step

_NUMBER = "-?[1-9][0-9]{0,30}|0"
_PLAIN = re.compile(f"(?:{_NUMBER})", re.ASCII)
_SAID = "(?i)answer"
_BOX = r"\\(?:boxed|fbox)\s?\{"
_LAST = r"^[^0-9]*(?:^|[A-Za-z,=:] )([1-9][0-9]{0,17}|0)\.?[ \n]*$"


def plain_gold(text: str | None) -> str | None:
    """A gold answer in the spelling of `final_answer`; None if it is none."""
    if text is None or _PLAIN.fullmatch(text):
        return text
    return gold_answer(text) or None


def quick_answers(frame: "polars.DataFrame") -> "polars.DataFrame":
    """Of the columns `text` and `gold` (in the spelling of `final_answer`), the columns `known`, `answer`, `extra`:
    where `known`, the others are what `final_answer` and `has_extra` return.
    """
    pl = the_polars()
    text, gold = pl.col("text"), pl.col("gold")
    counts = {
        "hashes": text.str.count_matches("####", literal=True),
        "tags": text.str.count_matches("(?i)</?answer>"),
        "boxes": text.str.count_matches(_BOX),
        "said": text.str.contains(_SAID) | text.str.contains("frac", literal=True),
        "digits": text.str.contains("[0-9]"),
        "ascii": (text.str.len_bytes() == text.str.len_chars()) & (text.str.len_bytes() <= READ),
        "many": text.str.contains("#####", literal=True),
        "held_hash": text.str.extract(rf"####[ \t]*({_NUMBER})[ \t\r]*(?:\n|$)"),
        "held_tag": text.str.extract(rf"(?i)<answer>[ \n]*({_NUMBER}|[A-Za-z]{{1,30}})[ \n]*</answer>"),
        "held_box": text.str.extract(rf"\\boxed\{{ *({_NUMBER}|[A-Za-z]{{1,30}}) *\}}"),
        "last": text.str.extract(_LAST),
        "gold_number": gold.str.extract(rf"^({_NUMBER})$").str.strip_chars_start("-"),
        "gold": gold,
    }
    seen = frame.select(**counts)
    hashes, tags, boxes = pl.col("hashes"), pl.col("tags"), pl.col("boxes")
    bare = (hashes + tags + boxes == 0) & ~pl.col("said")
    other_gold = pl.col("gold").is_null() | pl.col("gold_number").is_not_null()
    in_hash = (hashes == 1) & (tags + boxes == 0) & ~pl.col("many") & pl.col("held_hash").is_not_null()
    in_tag = (tags == 2) & (hashes + boxes == 0) & pl.col("held_tag").is_not_null()
    in_box = (boxes == 1) & (hashes + tags == 0) & pl.col("held_box").is_not_null()
    no_number = bare & ~pl.col("digits") & other_gold
    at_end = bare & pl.col("last").is_not_null() & other_gold & pl.col("gold_number").ne_missing(pl.col("last"))
    answer = pl.when(in_hash).then("held_hash").when(in_tag).then("held_tag").when(in_box).then("held_box")
    return seen.select(
        known=pl.col("ascii") & (in_hash | in_tag | in_box | no_number | at_end),
        answer=answer.when(at_end).then("last"),
        extra=pl.lit(False),
    )


def slow_answers(texts: list[str], golds: list[str | None]) -> tuple[list[str | None], list[bool]]:
    """The answers of these texts, read one by one, and whether something stands beside each."""
    short = [shortened(text) for text in texts]
    return [final_answer(text) for text in short], [has_extra(text, gold) for text, gold in zip(short, golds)]


class AnswerReader:
    """Reads the answers of whole steps; `read` counts those that were read one by one, `bad_golds` the samples whose
    gold answer holds none.
    """

    def __init__(self) -> None:
        self.read, self.bad_golds = 0, 0

    def __call__(self, frame: "polars.DataFrame") -> "polars.DataFrame":
        """Rows with step, group, text, gold and m, where a text that stands m times in a group is there once: the same
        rows with `looked`, `answer` and `extra`; a group is looked at as a whole or not at all.
        """
        pl = the_polars()
        golds = frame["gold"].unique()
        spelled = pl.DataFrame({"gold": golds, "spelled": [plain_gold(gold) for gold in golds.to_list()]})
        spelled = spelled.with_columns(pl.col("spelled").cast(pl.String))
        frame = frame.join(spelled, on="gold", how="left", nulls_equal=True, maintain_order="left")
        self.bad_golds += int(
            frame.select(pl.col("m").filter(pl.col("gold").is_not_null(), pl.col("spelled").is_null()).sum()).item()
        )
        frame = frame.drop("gold").rename({"spelled": "gold"})
        frame = pl.concat([frame, quick_answers(frame)], how="horizontal").with_row_index("row")
        chosen = self._chosen(frame)
        frame = frame.join(chosen, on=["step", "group"], how="left", maintain_order="left")
        slow = frame.filter(~pl.col("known") & pl.col("looked"))
        once = slow.select("text", "gold").unique(maintain_order=True)
        self.read += once.height
        answers, extras = slow_answers(once["text"].to_list(), once["gold"].to_list())
        found = once.with_columns(
            pl.Series("slow_answer", answers, dtype=pl.String), pl.Series("slow_extra", extras, dtype=pl.Boolean)
        )
        found = slow.select("row", "text", "gold").join(found, on=["text", "gold"], how="left", nulls_equal=True)
        frame = frame.join(found.drop("text", "gold"), on="row", how="left", maintain_order="left")
        known = pl.col("known")
        return frame.with_columns(
            answer=pl.when(known).then("answer").otherwise("slow_answer"),
            extra=pl.when(known).then("extra").otherwise("slow_extra"),
        ).drop("known", "slow_answer", "slow_extra", "row")

    def _chosen(self, frame: "polars.DataFrame") -> "polars.DataFrame":
        """Of each group whether it is looked at: those with the smallest keys, until a step has enough to read."""
        pl = the_polars()
        most = next(most for read, most in SLOW_READS if self.read < read)
        groups = frame.group_by("step", "group").agg(slow=(~pl.col("known")).sum()).sort("step", "group")
        before = pl.col("slow").cum_sum().over("step") - pl.col("slow")
        return groups.select("step", "group", looked=before < most)
