"""Steps as they come: what was logged twice is left out, and steps that are missing or come again are counted.

A trainer that logs oftener than it generates writes the same rows under several steps; a table that grows is written
whole each time. A block, the rows of a step that stand together, is left out if the block before it, of another step,
or one of the same step in another file has the same rows in the same order (prompts, completions, rewards, advantages),
and they vary: at least VARIETY completions more than there are prompts. Honest answers that are short and equal vary
less, and stay.
"""

from collections import Counter, deque
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from ..batches import PREFIX, ROWS, TEXT_BYTES, the_polars
from .tallies import Tally

VARIETY = 4  # completions, beyond one a prompt, that a block has that may be a repeat
WAITING_ROWS = 1 << 14  # rows that are put together before they are looked at
MOST_BLOCKS = 1 << 14  # blocks of them; more are steps mixed with one another, which are passed on as they are
KNOWN_BLOCKS = 1 << 16  # blocks by which later ones are known
KNOWN_STEPS = 1 << 20  # different steps that are remembered
AGAIN = "{} rows were logged again (the same completions under another step, or in a later file) and were left out"


class Repeats:
    """Takes batches as they are read, and gives them on in bounded ones, without what was logged before."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self.waiting: list[Any] = []
        self.fresh = self.size = 0  # rows and bytes since it was looked at what waits
        self.known: dict[tuple[int, int], int] = {}  # (step, digest) of a block: its file
        self.order: deque[tuple[int, int]] = deque()
        self.before: tuple[int, int] | None = None  # of the last block that was kept
        self.steps: dict[int, None] = {}
        self.back: Counter[str] = Counter()
        self.last: int | None = None

    def passed(self, batch: Any, file: int) -> Iterator[Any]:
        """Batches that are complete, after this one of the file with this number."""
        if not len(batch):
            return
        pl = the_polars()
        self.waiting.append(batch.with_columns(pl.lit(file, dtype=pl.UInt32).alias("__file")))
        self.fresh += len(batch)
        self.size += batch.estimated_size()
        if self.fresh >= WAITING_ROWS or self.size > TEXT_BYTES // 4:
            yield from self._flush(end=False)

    def rest(self) -> Iterator[Any]:
        """What is left at the end, and what is to be said of the steps."""
        yield from self._flush(end=True)
        for line in self._said():
            self.tally.say(line)

    def _flush(self, end: bool) -> Iterator[Any]:
        if not self.waiting:
            return
        pl = the_polars()
        frame = pl.concat(self.waiting)
        blocks = self._blocks(frame)
        start = blocks["start"][-1]
        held = frame.slice(start)  # the last block, which may go on
        hold = not end and len(held) < ROWS and held.estimated_size() < TEXT_BYTES
        ready = frame.head(start) if hold else frame
        self.waiting, self.fresh, self.size = ([held] if hold else []), 0, 0
        if hold:
            blocks = blocks.head(len(blocks) - 1)
        if len(blocks) <= MOST_BLOCKS:
            ready = self._without_repeats(ready, blocks)
        else:
            self._note(dict.fromkeys(ready["step"].to_list()))
        yield from bounded(ready.drop("__file"))

    def _blocks(self, frame: Any) -> Any:
        """(step, file, start, rows, digest, variety) of every block."""
        pl = the_polars()
        names = ["prompt", "completion", "characters", "reward", "advantage", "role"]
        names += [name for name in frame.columns if name.startswith(PREFIX)]
        keyed = frame.select(
            "step",
            "__file",
            block=pl.struct("step", "__file").rle_id(),
            index=pl.int_range(pl.len(), dtype=pl.UInt64),
            row=frame.select(names).hash_rows(),
            pair=frame.select("prompt", "completion").hash_rows(),
            ask=pl.col("prompt").hash(),
        )
        place = pl.col("index") - pl.col("index").first()
        return (
            keyed.group_by("block", maintain_order=True)
            .agg(
                pl.col("step").first(),
                pl.col("__file").first(),
                pl.col("index").first().alias("start"),
                pl.len().alias("rows"),
                (pl.struct("row", place.alias("at")).hash() // (1 << 24)).sum().alias("digest"),
                (pl.col("pair").n_unique().cast(pl.Int64) - pl.col("ask").n_unique().cast(pl.Int64)).alias("variety"),
            )
            .drop("block")
        )

    def _without_repeats(self, frame: Any, blocks: Any) -> Any:
        dropped, kept = 0, []
        for step, file, start, rows, digest, variety in blocks.iter_rows():
            if variety >= VARIETY and self._is_repeat(step, file, digest):
                dropped += rows
                self._see(step)
                continue
            self._note({step: None})
            self.before = (step, digest)
            self._remember(step, file, digest)
            kept.append((start, rows))
        self.tally.count(AGAIN, dropped)
        if not dropped:
            return frame
        return the_polars().concat([frame.head(0)] + [frame.slice(start, rows) for start, rows in kept])

    def _is_repeat(self, step: int, file: int, digest: int) -> bool:
        if self.before is not None and digest == self.before[1] and step != self.before[0]:
            return True
        return self.known.get((step, digest), file) != file

    def _remember(self, step: int, file: int, digest: int) -> None:
        if (step, digest) not in self.known:
            self.order.append((step, digest))
        self.known[step, digest] = file
        if len(self.order) > KNOWN_BLOCKS:
            del self.known[self.order.popleft()]

    def _note(self, steps: dict[int, None]) -> None:
        """Steps of rows that are kept, in order."""
        for step in steps:
            if self.last is not None and step < self.last:
                self.back["again" if step in self.steps else "late"] += 1
            self.last = step
            self._see(step)

    def _see(self, step: int) -> None:
        if len(self.steps) < KNOWN_STEPS:
            self.steps[step] = None

    def _said(self) -> Iterator[str]:
        if self.back["again"]:
            yield (
                f"the steps go back {self.back['again']} times to one that was there before: the run was started again "
                "and wrote on, or several wrote at once; its steps may hold rows of both"
            )
        if self.back["late"]:
            yield f"the steps are out of order: {self.back['late']} times a lower step follows a higher one"
        gaps = missing_steps(sorted(self.steps)) if len(self.steps) < KNOWN_STEPS else []
        if gaps:
            shown = ", ".join(f"{low} to {high}" for low, high in gaps[:3]) + (", ..." if len(gaps) > 3 else "")
            yield f"steps are missing between {shown}: what happened there is not in the log"


def missing_steps(steps: list[int]) -> list[tuple[int, int]]:
    """The pairs of neighbours that are farther apart than most are; [] where no distance is usual."""
    distances = Counter(high - low for low, high in pairwise(steps))
    if not distances:
        return []
    usual, count = distances.most_common(1)[0]
    if count < 3 or count < 0.75 * sum(distances.values()):
        return []
    return [(low, high) for low, high in pairwise(steps) if high - low > usual]


def bounded(frame: Any) -> Iterator[Any]:
    """The rows in batches of at most ROWS, and about TEXT_BYTES."""
    rows = ROWS
    if len(frame):
        rows = int(max(1, min(ROWS, TEXT_BYTES * len(frame) // max(1, frame.estimated_size()))))
    for start in range(0, len(frame), rows):
        yield frame.slice(start, rows)
