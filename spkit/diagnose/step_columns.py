"""A block of whole steps as small tables: one row a step, a group, or a distinct completion of a group.

What comes out are counts and sums, which add up where a step was read in several parts.
"""

from typing import TYPE_CHECKING, NamedTuple

from .answer_columns import AnswerReader
from .batches import PREFIX, reward_names, the_polars
from .group_columns import (
    agreement_sums,
    answer_counts,
    clusters,
    flat_table,
    group_sums,
    group_table,
    joint_table,
    vote_sums,
)
from .scales import Scale

if TYPE_CHECKING:
    import polars

WORD_PAIRS = 1000  # pairs of words looked at in a step, about
END_READ = 160  # characters of a completion's end that show whether it ended
WORD = r"\w+|[^\w\s]"
NEXT_TURN = (
    r"<\|im_start\|>|<start_of_turn>|\[INST\]|<\|start_header_id\|>|<\|user\|>|<｜User｜>"
    r"|(?m:^(?:User|Human|Question|Q|Problem|### Instruction) ?\d*:)"
)
MARKED = r"(?i)####|</answer>|\\boxed\{[^{}]*\}|answer(?: is|:)"
OPEN_SIGN = r"[^.!?)\]}\"'»”’`$>。！？0-9%]"  # the last sign of a completion is rarely one of these, if it ended
ENDED = r"[.!?)\]}\"'»”’`$>。！？0-9%]\s*$|<\|?(?:im_end|eot_id|end|endoftext|end_of_turn)\|?>\s*$|</s>\s*$"


class Block(NamedTuple):
    """The tables of a block: sums by step, groups, and counts by step of rewards with what was read."""

    steps: "polars.DataFrame"
    flat: (
        "polars.DataFrame"  # step, value: groups that agree, by verdict, and the sum of their shares of different texts
    )
    joint: "polars.DataFrame"  # step, mark, right, parsed: completions
    texts: tuple[float, ...]  # sums of agreement between equal completions
    answers: tuple[float, ...]  # and between equal answers
    moments: tuple[float, ...]  # within useful groups: length x reward, length^2, reward^2


def block_of(rows: "polars.DataFrame", reader: AnswerReader, scale: Scale) -> Block:
    """The tables of rows of the solver, whole steps of them, with a `mark`, the reward that is the verdict; `scale` are
    the marks that are known so far.
    """
    pl = the_polars()
    rows = rows.with_columns(
        value=pl.col("reward").round(6),
        mark=pl.col("mark").round(6),
        group=pl.col("prompt").fill_null("").hash(),
        text=pl.col("completion").fill_null(""),
        right=pl.col("correct").cast(pl.Float64),
    )
    rows = rows.with_columns(copy=pl.col("text").hash())
    key = ["step", "group", "copy"]
    counted = rows.group_by([*key, "mark"]).agg(c=pl.len())
    copies = rows.group_by(key).agg(pl.len().alias("m"), *_firsts(pl), marks=pl.col("mark").sum())
    read = reader(copies.select(*key, "m", "text", "gold", "right", "marks"))
    answered = answer_counts(counted, read)
    groups = group_table(rows, copies)
    steps = _merged(
        _row_sums(rows),
        _text_sums(copies),
        group_sums(groups),
        _read_sums(read),
        vote_sums(read, scale.middle),
        _pairs(rows),
    )
    useful = groups.filter("useful")
    return Block(
        steps,
        flat_table(groups),
        joint_table(counted, read),
        agreement_sums(clusters(counted, "copy", scale)),
        agreement_sums(clusters(answered, "answer", scale)),
        tuple(useful.select("cov_length", "var_length", "var_reward").sum().row(0)),
    )


def _firsts(pl) -> list:
    names = ("text", "characters", "gold")
    return [pl.col(name).first() for name in names] + [pl.col("right").mean()]


def _row_sums(rows: "polars.DataFrame") -> "polars.DataFrame":
    pl = the_polars()
    reward, mark, finish, tokens = (pl.col(name) for name in ("value", "mark", "finish", "tokens"))
    cut, size = finish == "length", pl.col("characters")
    quantiles = {
        f"{unit}_p{share}": of.quantile(share / 100, "nearest").cast(pl.Float64)
        for unit, of in (("characters", size), ("tokens", tokens))
        for share in (10, 50, 90)
    }
    functions = {f"sum:{name}": pl.col(PREFIX + name).sum() for name in reward_names(rows)}
    known = {f"count:{name}": pl.col(PREFIX + name).count() for name in reward_names(rows)}
    return rows.group_by("step").agg(
        rows=pl.len(),
        reward=reward.sum(),
        marks=mark.sum(),
        square=(reward * reward).sum(),
        length=size.sum(),
        tokens=tokens.sum(),
        tokens_known=tokens.count(),
        entropy=pl.col("entropy").sum(),
        entropy_known=pl.col("entropy").count(),
        right=pl.col("right").sum(),
        right_known=pl.col("right").count(),
        tokens_max=tokens.max(),
        at_cap=(at_cap := (tokens == tokens.max()) & ~pl.col("text").str.slice(-END_READ).str.contains(MARKED)).sum(),
        at_cap_mark=mark.filter(at_cap).sum(),
        finish_known=finish.count(),
        finish_cut=cut.sum(),
        finish_cut_mark=mark.filter(cut).sum(),
        **quantiles,
        **functions,
        **known,
    )


def _text_sums(copies: "polars.DataFrame") -> "polars.DataFrame":
    """What the texts themselves show, each counted as often as it stands."""
    pl = the_polars()
    text, size, m = pl.col("text"), pl.col("characters"), pl.col("m")
    tail = pl.col("tail")
    seen = copies.select("step", "m", "marks", "characters", "text", tail=text.str.slice(-END_READ))
    seen = seen.with_columns(
        long=size >= 0.75 * size.quantile(0.95).over("step"),
        peak=size == size.max().over("step"),
        open=~tail.str.contains(MARKED) & ~tail.str.contains(ENDED),
        open_signs=tail.str.count_matches(OPEN_SIGN),
        signs=tail.str.len_chars(),
    )
    long, peak, is_open = pl.col("long"), pl.col("peak"), pl.col("open")
    return seen.group_by("step").agg(
        characters_max=size.max(),
        long=(m * long).sum(),
        long_open=(m * (long & is_open)).sum(),
        open=(m * is_open).sum(),
        open_mark=pl.col("marks").filter(is_open).sum(),
        peak=(m * peak).sum(),
        peak_open=(m * (peak & is_open)).sum(),
        peak_texts=peak.sum(),
        texts=pl.len(),
        open_signs=(m * pl.col("open_signs")).sum(),
        signs=(m * pl.col("signs")).sum(),
        repeats=(m * repeats(tail)).sum(),
        next=(m * text.str.contains(NEXT_TURN)).sum(),
        think=(m * text.str.contains(r"^\s*<think>")).sum(),
    )


def repeats(tail: "polars.Expr") -> "polars.Expr":
    """Whether a text ends in one piece of at most 8 characters over and over, for 32 characters."""
    pl = the_polars()
    end = tail.str.slice(-32)
    periods = [end.str.slice(period) == end.str.slice(0, 32 - period) for period in (5, 6, 7, 8)]
    return (tail.str.len_chars() >= 32) & pl.any_horizontal(periods)


def _read_sums(read: "polars.DataFrame") -> "polars.DataFrame":
    """Sums over the completions that were looked at: `extra`, and right ones by what the log says, else by gold."""
    pl = the_polars()
    m = pl.col("m")
    by_gold = pl.when(pl.col("right").is_null() & pl.col("gold").is_not_null()).then(
        pl.col("answer").eq_missing(pl.col("gold")).cast(pl.Float64)
    )
    return (
        read.filter("looked")
        .group_by("step")
        .agg(
            looked=m.sum(),
            parsed=(m * pl.col("answer").is_not_null()).sum(),
            extra=(m * pl.col("extra")).sum(),
            gold_right=(m * by_gold).sum(),
            gold_known=(m * by_gold.is_not_null()).sum(),
        )
    )


def _pairs(rows: "polars.DataFrame") -> "polars.DataFrame":
    """By step: how many neighbouring words were looked at, and how many different pairs they are."""
    pl = the_polars()
    text = pl.col("text").str.slice(0, 12 * WORD_PAIRS)
    before = pl.col("characters").cum_sum().over("step") - pl.col("characters")
    first = rows.select("step", "text", before=before).filter(pl.col("before") < 10 * WORD_PAIRS).with_row_index("row")
    words = first.select("step", "row", word=text.str.extract_all(WORD)).explode("word", empty_as_null=False)
    code = words.select("step", "row", code=pl.col("word").hash())
    pairs = code.select("step", pair=pl.struct("code", after=pl.col("code").shift(-1).over("row"))).filter(
        pl.col("pair").struct.field("after").is_not_null()
    )
    kept = pairs.filter(pl.int_range(pl.len()).over("step") < WORD_PAIRS)
    return kept.group_by("step").agg(pairs=pl.len(), different_pairs=pl.col("pair").n_unique())


def _merged(first: "polars.DataFrame", *others: "polars.DataFrame") -> "polars.DataFrame":
    for other in others:
        first = first.join(other, on="step", how="left")
    return first
