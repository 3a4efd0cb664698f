"""Groups and clusters of equal samples of a block of whole steps, as small tables."""

from typing import TYPE_CHECKING

from .batches import PREFIX, reward_names, the_polars
from .scales import Scale

if TYPE_CHECKING:
    import polars

NEAR_MARKS = 0.1  # of the scale: a reward model says about the same twice, and a verdict that is flipped does not
LEVELS = 16  # different rewards of a step that are told apart in counts
CHAT_MARKS = (
    r"(?i)<\|?(?:im_start|start_header_id|user|system|assistant|start_of_turn|begin_of_sentence|User)"
    r"|<start_of_turn>|\[INST\]|<｜|(?m:^(?:user|human|assistant|### ?(?:instruction|response)):?)"
)
_BEGINS = (r"<s>", r"<\|begin_of_text\|>", r"<bos>", r"<｜begin▁of▁sentence｜>", r"<\|endoftext\|>", r"\[BOS\]")
TWO_BEGINS = "^(?:" + "|".join(rf"{mark}\s*{mark}" for mark in _BEGINS) + ")"


def group_table(rows: "polars.DataFrame", copies: "polars.DataFrame") -> "polars.DataFrame":
    """One row a group of two or more samples, with sums of squares and products within it."""
    pl = the_polars()
    reward, length, gain = pl.col("value"), pl.col("characters").cast(pl.Float64), pl.col("advantage")
    functions = [pl.col(PREFIX + name).fill_null(0.0) for name in reward_names(rows)]
    known = gain.is_not_null()
    groups = rows.group_by("step", "group").agg(
        n=pl.len(),
        low=reward.min(),
        high=reward.max(),
        mark=pl.col("mark").median(),
        total=reward.sum(),
        prompt=pl.col("prompt").first(),
        chat=pl.col("chat").first(),
        cov_length=(length * reward).sum() - length.sum() * reward.sum() / pl.len(),
        var_length=(length * length).sum() - length.sum() ** 2 / pl.len(),
        var_reward=reward.var(ddof=0) * pl.len(),
        known=known.all(),
        cov_gain=(gain * reward).sum() - gain.sum() * reward.sum() / pl.len(),
        spread_gain=gain.max() - gain.min(),
        **{
            f"cov:{name}": (one * reward).sum() - one.sum() * reward.sum() / pl.len()
            for name, one in zip(reward_names(rows), functions)
        },
        **{
            f"vary:{name}": (one.max() - one.min() > 1e-9).cast(pl.Int64)
            for name, one in zip(reward_names(rows), functions)
        },
    )
    different = copies.group_by("step", "group").agg(texts=pl.len())
    groups = groups.filter(pl.col("n") > 1).join(different, on=["step", "group"])
    return groups.with_columns(useful=pl.col("low") < pl.col("high"), different=pl.col("texts") / pl.col("n"))


def flat_table(groups: "polars.DataFrame") -> "polars.DataFrame":
    """Groups that agree in the reward, by step and verdict (of most, if it is one of several reward functions)."""
    pl = the_polars()
    flat = groups.filter(~pl.col("useful")).rename({"mark": "value"})
    return few_values(flat).group_by("step", "value").agg(groups=pl.len(), different=pl.col("different").sum())


def few_values(table: "polars.DataFrame") -> "polars.DataFrame":
    """With `value` rounded up to tenths, or two digits if large, in the steps that have many."""
    pl = the_polars()
    value = pl.col("value")
    size = pl.max_horizontal(pl.lit(1.0), 10.0 ** (value.abs().clip(1e-9).log10().floor() - 1))
    coarse = pl.when(value.abs() < 100).then((value * 10).round(4).ceil() / 10).otherwise((value / size).ceil() * size)
    many = value.n_unique().over("step") > LEVELS
    return table.with_columns(value=pl.when(many).then(coarse).otherwise(value))


def joint_table(counted: "polars.DataFrame", read: "polars.DataFrame") -> "polars.DataFrame":
    """Completions whose answer was looked for, by step, reward, whether it is the gold one, and whether there is
    one.
    """
    pl = the_polars()
    key = ["step", "group", "copy"]
    told = read.filter("looked").select(
        *key, parsed=pl.col("answer").is_not_null(), right=pl.col("answer").eq_missing(pl.col("gold")), gold="gold"
    )
    told = told.with_columns(right=pl.when(pl.col("gold").is_not_null()).then("right"))
    joint = few_values(counted.join(told, on=key).rename({"mark": "value"}))
    return joint.group_by("step", "value", "right", "parsed").agg(count=pl.col("c").sum())


def answer_counts(counted: "polars.DataFrame", read: "polars.DataFrame") -> "polars.DataFrame":
    """How many samples of a group have each answer and mark."""
    pl = the_polars()
    told = read.filter("looked").drop_nulls("answer").select("step", "group", "copy", "answer")
    each = counted.join(told, on=["step", "group", "copy"])
    return each.group_by("step", "group", "answer", "mark").agg(c=pl.col("c").sum())


def clusters(counted: "polars.DataFrame", by: str, scale: Scale) -> "polars.DataFrame":
    """Equal samples of a group: `m` of them, of which `same` ordered pairs have the same mark.

    Marks are the same that lie less than a tenth of the scale apart; else the cluster has two, parted in the middle.
    """
    pl = the_polars()
    key, mark, c = ["step", "group", by], pl.col("mark"), pl.col("c")
    found = counted.group_by(key).agg(m=c.sum(), low=mark.min(), high=mark.max()).filter(pl.col("m") > 1)
    apart = pl.col("high") - pl.col("low") > NEAR_MARKS * (scale.ends[1] - scale.ends[0])
    middle = (pl.col("high") + pl.col("low")) / 2
    upper = counted.join(found.filter(apart), on=key).filter(mark > middle).group_by(key).agg(upper=c.sum())
    found = found.join(upper, on=key, how="left").with_columns(upper=pl.col("upper").fill_null(0))
    lower = pl.col("m") - pl.col("upper")
    return found.with_columns(same=lower * (lower - 1) + pl.col("upper") * (pl.col("upper") - 1).cast(pl.Int64))


def agreement_sums(clusters: "polars.DataFrame") -> tuple[float, ...]:
    """What `steps.Agreement` keeps of clusters of `m` samples with `same` ordered pairs of one reward."""
    pl = the_polars()
    m, w, d = pl.col("m").cast(pl.Float64), pl.col("w"), pl.col("d")
    known = clusters.filter(pl.col("m") > 1).select(w=m - 1, d=1 - pl.col("same") / (m * (m - 1)))
    return known.select(
        n=pl.len(), w=w.sum(), wd=(w * d).sum(), ww=(w * w).sum(), wwd=(w * w * d).sum(), wwdd=(w * w * d * d).sum()
    ).row(0)


def group_sums(groups: "polars.DataFrame") -> "polars.DataFrame":
    pl = the_polars()
    useful, prompt = pl.col("useful"), pl.col("prompt").fill_null("")
    judged = useful & pl.col("known") & (pl.col("spread_gain") > 0)
    backwards = judged & (pl.col("cov_gain") <= 1e-9 * pl.col("spread_gain").abs())
    names = [name for name in groups.columns if name.startswith(("cov:", "vary:"))]
    return groups.group_by("step").agg(
        groups=pl.len(),
        useful=useful.sum(),
        useful_different=pl.col("different").filter(useful).sum(),
        grouped=pl.col("n").sum(),
        grouped_reward=pl.col("total").sum(),
        within=pl.col("var_reward").sum(),
        means=(pl.col("total") ** 2 / pl.col("n")).sum(),
        judged=judged.sum(),
        backwards=backwards.sum(),
        plain=(pl.col("chat").eq_missing(False) & ~prompt.str.contains(CHAT_MARKS)).sum(),
        prefilled=prompt.str.contains(r"<think>\s*$").sum(),
        double_bos=prompt.str.contains(TWO_BEGINS).sum(),
        merged=(pl.col("n") >= 2 * pl.col("n").quantile(0.25, "lower")).sum(),
        **{name: pl.col(name).sum() for name in names},
    )


def vote_sums(read: "polars.DataFrame", middle: float) -> "polars.DataFrame":
    """By step: groups with an answer, the sum of the shares of their most frequent one, and how often it is right."""
    pl = the_polars()
    m = pl.col("m")
    looked = read.filter("looked").with_columns(size=m.sum().over("step", "group"))
    answers = (
        looked.drop_nulls("answer")
        .group_by("step", "group", "answer")
        .agg(
            m=m.sum(),
            size=pl.col("size").first(),
            marks=pl.col("marks").sum(),
            right=(pl.col("right") * m).sum() / m.sum(),
            checked=pl.col("right").is_not_null().all(),
            gold=pl.col("gold").first(),
        )
    )
    top = answers.filter(pl.col("size") > 1).sort("m", "answer", descending=[True, False])
    top = top.unique(["step", "group"], keep="first", maintain_order=True)
    rewarded = pl.col("marks") / m > middle
    by_gold = pl.when(pl.col("gold").is_not_null()).then(pl.col("answer") == pl.col("gold")).otherwise(rewarded)
    right = pl.when("checked").then(pl.col("right") > 0.5).otherwise(by_gold)
    return top.group_by("step").agg(voted=pl.len(), votes=(m / pl.col("size")).sum(), vote_right=right.sum())
