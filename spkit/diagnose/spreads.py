"""Histograms over the run and examples of its completions, in bounded memory."""

import math
from collections import Counter
from typing import TYPE_CHECKING

from .batches import the_polars
from .steps import Example, Histogram

if TYPE_CHECKING:
    import polars

BINS, STEP_COLUMNS = 24, 30  # of a histogram, at most
OCTAVE = 8  # bins of a length that doubles
EXAMPLES, CUT_TO = 5, 2000  # prompts shown, and characters of each text


class Spreads:
    """Counts of lengths and rewards by neighbouring steps, which are put together in twos when they are too many."""

    def __init__(self) -> None:
        self.firsts: list[int] = []  # first step of each column
        self.width, self.waiting = 1, 0  # steps of a column; of the last one
        self.counts: dict[str, Counter] = {name: Counter() for name in ("characters", "tokens", "reward")}

    def add(self, rows: "polars.DataFrame") -> None:
        """Rows of whole steps."""
        pl = the_polars()
        steps = rows["step"].unique().sort().to_list()
        columns = pl.DataFrame({"step": steps, "column": [self._column(step) for step in steps]})
        while len(self.firsts) > STEP_COLUMNS:
            self._halve()
            columns = columns.with_columns(pl.col("column") // 2)
        reward = pl.col("reward")
        tenths = 10.0 ** (reward.abs().clip(1e-9).log10().floor() - 2)
        fine = {
            "characters": (OCTAVE * (1.0 + pl.col("characters")).log(2)).floor(),
            "tokens": (OCTAVE * (1.0 + pl.col("tokens")).log(2)).floor(),
            "reward": pl.when(reward.abs() <= 10).then(reward.round(2)).otherwise((reward / tenths).round() * tenths),
        }
        placed = rows.join(columns, on="step").select("column", **fine)
        for name, counts in self.counts.items():
            found = placed.drop_nulls(name).group_by("column", name).agg(n=pl.len())
            for column, value, count in found.iter_rows():
                counts[column, value] += count

    def _column(self, step: int) -> int:
        if not self.firsts or self.waiting == self.width:
            self.firsts.append(step)
            self.waiting = 0
        self.waiting += 1
        return len(self.firsts) - 1

    def _halve(self) -> None:
        whole = len(self.firsts) % 2 == 0
        self.waiting += 0 if not whole else self.width
        self.firsts, self.width = self.firsts[::2], 2 * self.width
        for name, counts in self.counts.items():
            merged: Counter = Counter()
            for (column, value), count in counts.items():
                merged[column // 2, value] += count
            self.counts[name] = merged

    def histograms(self, unit: str) -> tuple[Histogram, ...]:
        """Of the length in that unit, in bins that grow with it, and of the reward."""
        result = []
        for name, counts in (("length", self.counts[unit]), ("reward", self.counts["reward"])):
            if counts:
                edges, bin_of = _length_bins(counts) if name == "length" else _reward_bins(counts)
                table = [[0] * len(self.firsts) for _ in edges[1:]]
                for (column, value), count in counts.items():
                    table[bin_of(value)][column] += count
                result.append(Histogram(name, tuple(edges), tuple(map(tuple, table)), tuple(self.firsts)))
        return tuple(result)


def _length_bins(counts: Counter) -> tuple[list[float], "object"]:
    low, high = (int(pick(value for _, value in counts)) for pick in (min, max))
    wide = math.ceil((high - low + 1) / BINS)
    number = math.ceil((high - low + 1) / wide)
    return [2 ** ((low + wide * i) / OCTAVE) - 1 for i in range(number + 1)], lambda value: int(value - low) // wide


def _reward_bins(counts: Counter) -> tuple[list[float], "object"]:
    low, high = (pick(value for _, value in counts) for pick in (min, max))
    span = (high - low) or 1.0
    edges = [low + span * i / BINS for i in range(BINS + 1)]
    return edges, lambda value: min(BINS - 1, int((value - low) / span * BINS))


class Examples:
    """The prompts of the last steps whose rewards differ most, each with its best and worst completion."""

    def __init__(self) -> None:
        self.kept: list[Example] = []

    def add(self, rows: "polars.DataFrame") -> None:
        """Rows of whole steps."""
        pl = the_polars()
        key = ["step", "prompt"]
        spread = pl.col("reward").max() - pl.col("reward").min()
        groups = rows.group_by(key, maintain_order=True).agg(n=pl.len(), spread=spread).filter(pl.col("n") > 1)
        groups = groups.sort("step", "spread", descending=True, maintain_order=True)
        chosen = groups.unique("prompt", keep="first", maintain_order=True).head(EXAMPLES).select(key)
        texts = rows.join(chosen, on=key, how="semi").select(*key, "completion", "reward")
        texts = texts.sort("reward", maintain_order=True)
        shown = chosen.join(
            texts.group_by(key).agg(
                best=pl.col("completion").last(),
                best_reward=pl.col("reward").last(),
                worst=pl.col("completion").first(),
                worst_reward=pl.col("reward").first(),
            ),
            on=key,
        )
        new = [_example(row) for row in shown.iter_rows(named=True)]
        ordered = sorted([*new, *self.kept], key=lambda one: (-one.step, one.worst_reward - one.best_reward))
        self.kept = list({one.prompt: one for one in reversed(ordered)}.values())[::-1][:EXAMPLES]


def _example(row: dict) -> Example:
    return Example(**{name: cut_to(value) if isinstance(value, str) else value for name, value in row.items()})


def cut_to(text: str) -> str:
    """The two ends of a long text."""
    return text if len(text) <= CUT_TO else f"{text[: CUT_TO // 2 - 3]} ... {text[-CUT_TO // 2 + 2 :]}"
