"""Which completions of a step were cut off, by what the log says of it.

By the reasons for which they finished, where they are logged; else by a number of tokens that the longest completions
of many steps have in common; else by the texts. A text that was cut anywhere ends in a letter, a space or a comma as
often as there are such signs in it, and one that ended nearly never does: the ratio of the two is the share that was
cut. It is believed only if lengths pile up as they do at a limit, and if such texts are hardly ever rewarded.
"""

import math
from typing import TYPE_CHECKING

from .batches import the_polars
from .scales import Scale

if TYPE_CHECKING:
    import polars

SHARED_TOKENS = 0.25  # of the steps have the same longest completion in tokens: it is a cap
SHARED_LETTERS = 0.5  # in characters
AT_PEAK = 0.3  # of the completions are exactly as long as the longest
DIFFERENT = 0.3  # of those are different texts: it is no label of so many letters
LONG = 100  # characters of long completions, before they are compared with short ones
SHORT = 16  # completions that are short, before they show how completions end
CUT = 0.4  # of the completions at the limit were cut, by the ratio above
ENDING = 0.3  # of the short ones seem cut: then this is how completions end here
TIGHT = (0.75, 1.3)  # the tenth and the ninetieth of a hundred lengths, over the median
REWARDED = 0.1  # solve rate of what stops in the middle: it was not cut

ENOUGH = 400  # completions that are looked at together
POOLED = "pooled:"
SUMS = "rows texts open open_mark open_signs signs long long_open peak peak_open peak_texts".split()

Caps = tuple[int | None, int | None]  # in tokens and in characters


def common_cap(longest: "polars.Series", characters: bool = False) -> int | None:
    """The length that the longest completions of many steps have in common; None if there is none."""
    longest = longest.drop_nulls()
    if not longest.len():
        return None
    cap, share = longest.max(), SHARED_LETTERS if characters else SHARED_TOKENS
    return cap if (longest == cap).sum() >= max(min(2, longest.len()), share * longest.len()) else None


def truncation(row: dict, caps: Caps, scale: Scale) -> tuple[float | None, float]:
    """How many completions of a step were cut off, and the sum of their marks; None of no completions."""
    rows = row.get("rows") or 0
    if not rows:
        return None, 0.0
    if row["finish_known"] >= rows / 2:
        share = rows / row["finish_known"]
        return row["finish_cut"] * share, row["finish_cut_mark"] * share
    if row["tokens_known"] == rows:
        return (row["at_cap"], row["at_cap_mark"]) if row["tokens_max"] == caps[0] else (0.0, 0.0)
    share = by_text(
        {name.removeprefix(POOLED): value for name, value in row.items() if name.startswith(POOLED)}, caps[1]
    )
    if not share:
        return 0.0, 0.0
    mark = row[f"{POOLED}open_mark"] / row[f"{POOLED}open"]
    return (share * rows, share * rows * mark) if scale.of(mark) <= REWARDED else (0.0, 0.0)


def with_pooled(table: "polars.DataFrame") -> "polars.DataFrame":
    """Beside each step, in the order of the steps, what its texts and those of the steps before it show together, of
    about ENOUGH completions: in a few of them the ratio of two small counts is anything.
    """
    pl = the_polars()
    usual = table["rows"].median() or 1
    steps = max(1, min(50, math.ceil(ENOUGH / usual)))
    sums = [pl.col(name).rolling_sum(steps, min_samples=1).alias(POOLED + name) for name in SUMS]
    quantiles = [f"characters_p{share}" for share in (10, 50, 90)]
    means = [pl.col(name).rolling_mean(steps, min_samples=1).alias(POOLED + name) for name in quantiles]
    most = pl.col("characters_max").rolling_max(steps, min_samples=1).alias(f"{POOLED}characters_max")
    return table.sort("step").with_columns(*sums, *means, most)


def by_text(row: dict, cap: int | None) -> float:
    """The share of completions that stop in the middle, where lengths pile up: exactly at a limit that steps share;
    among the long ones and not the short ones; or all of them, being about equally long.
    """
    rows, texts = row["rows"], row["texts"]
    if not rows or not row["open"] or not row["open_signs"]:
        return 0.0
    usual = row["open_signs"] / row["signs"]
    seen = lambda count, total: min(1.0, count / total / usual) if total else 0.0
    low, middle, high = (row[f"characters_p{share}"] for share in (10, 50, 90))
    peak, long, short = row["peak"], row["long"], rows - row["long"]
    if row["characters_max"] == cap and peak >= AT_PEAK * rows and row["peak_texts"] >= DIFFERENT * peak:
        return peak / rows if seen(row["peak_open"], peak) >= CUT else 0.0
    if low >= TIGHT[0] * middle and high <= TIGHT[1] * middle and texts >= DIFFERENT * rows:
        found = seen(row["open"], rows)
        return found if found >= CUT else 0.0
    short_open = seen(row["open"] - row["long_open"], short)
    found = seen(row["long_open"], long)
    if high >= LONG and found >= CUT and (short < SHORT or short_open <= ENDING):
        return found * long / rows
    return 0.0
