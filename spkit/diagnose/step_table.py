"""From the tables of all blocks to the steps of the evidence."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .batches import the_polars
from .scales import Scale
from .step_columns import Block
from .steps import Step
from .truncation import Caps, common_cap, truncation, with_pooled

if TYPE_CHECKING:
    import polars

FEW_VALUES = 3  # of a verdict: wrong, right, and one more for no answer
MOST_STEPS = 4096  # in the evidence; of a log with more, neighbouring ones are counted as one
KEEP_MOST = ("tokens_max", "characters_max")


def step_table(
    blocks: Sequence[Block],
    proposed: Sequence["polars.DataFrame"],
    scale: Scale,
    unit: str,
    weights: Mapping[str, float],
) -> tuple[Step, ...]:
    """The steps in their order, each once; lengths in `unit`. `scale` is that of verdicts."""
    pl = the_polars()
    parts = [[getattr(block, name) for block in blocks] for name in ("steps", "flat", "joint")]
    steps, flats, joints, proposals = _few_steps([pl.concat(part, how="diagonal") for part in parts], proposed)
    flat, joint = _flat_sums(flats, scale.middle), _joint_sums(joints, scale)
    table = _added(steps).join(flat, on="step", how="left").join(joint, on="step", how="left")
    if proposals is not None:
        made = _added(proposals).rename({"length": "made_length"})
        made = made.rename({name: f"made_{name}" for name in made.columns if ":" in name})
        table = table.join(made, on="step", how="full", coalesce=True)
    caps = common_cap(table["tokens_max"]), common_cap(table["characters_max"], True)
    rows = with_pooled(table).iter_rows(named=True)
    return tuple(_step(row, scale, unit, weights, caps) for row in rows)


def _few_steps(tables: list["polars.DataFrame"], proposed: Sequence["polars.DataFrame"]) -> list:
    """The tables, and that of the proposals or None, with neighbouring steps under the number of the last of them, if
    there are very many.
    """
    pl = the_polars()
    tables = [*tables, *([pl.concat(proposed)] if proposed else [])]
    steps = pl.concat([table["step"] for table in tables]).unique().sort()
    width = steps_in_one(steps.len())
    if width > 1:
        number = pl.int_range(steps.len())
        ends = steps.to_frame().with_columns(end=pl.col("step").last().over(number // width))
        tables = [table.join(ends, on="step").drop("step").rename({"end": "step"}) for table in tables]
    return tables if proposed else [*tables, None]


def steps_in_one(count: int) -> int:
    """How many neighbouring steps of so many are counted as one."""
    return math.ceil(count / MOST_STEPS)


def _added(table: "polars.DataFrame") -> "polars.DataFrame":
    """Sums of steps that were read in parts; what is no sum is the mean of the parts by rows."""
    pl = the_polars()
    if table["step"].is_unique().all():
        return table
    means = [name for name in table.columns if name[-4:-2] == "_p"]
    weighed = table.with_columns(pl.col(name) * pl.col("rows") for name in means)
    kept = [pl.col(name).max() for name in KEEP_MOST if name in table.columns]
    rest = [name for name in table.columns if name not in (*KEEP_MOST, "step")]
    added = weighed.group_by("step").agg(pl.col(name).sum() for name in rest)
    firsts = weighed.group_by("step").agg(*kept)
    return added.with_columns(pl.col(name) / pl.col("rows") for name in means).join(firsts, on="step")


def _flat_sums(flat: "polars.DataFrame", middle: float) -> "polars.DataFrame":
    pl = the_polars()
    right = pl.col("value") > middle
    return flat.group_by("step").agg(
        all_right=pl.col("groups").filter(right).sum(),
        all_wrong=pl.col("groups").filter(~right).sum(),
        wrong_different=pl.col("different").filter(~right).sum(),
    )


def _joint_sums(joint: "polars.DataFrame", scale: Scale) -> "polars.DataFrame":
    """Completions by verdict beside what their answer is; not where many values on no usual scale make no verdict."""
    pl = the_polars()
    paid, right, n = pl.col("value") > scale.middle, pl.col("right"), pl.col("count")
    if not scale.is_usual and joint["value"].n_unique() > FEW_VALUES:
        right = pl.lit(None, dtype=pl.Boolean)
    return joint.group_by("step").agg(
        paid=n.filter(paid).sum(),
        paid_parsed=n.filter(paid & pl.col("parsed")).sum(),
        golden=n.filter(right).sum(),
        golden_unpaid=n.filter(right & ~paid).sum(),
        other=n.filter(~right).sum(),
        other_paid=n.filter(~right & paid).sum(),
    )


def _step(row: dict, scale: Scale, unit: str, weights: Mapping[str, float], caps: Caps) -> Step:
    get = lambda name: row.get(name) or 0
    part = lambda count, total: get(count) / get(total) if get(total) else None
    groups, unsolved = get("groups"), get("useful") + get("all_wrong")
    functions = [name[4:] for name in row if name.startswith("sum:")]
    right_known = get("right_known") + get("gold_known")
    cut, cut_marks = truncation(row, caps, scale)
    return Step(
        row["step"],
        groups,
        *(part(name, "groups") if groups else None for name in ("useful", "all_right", "all_wrong")),
        solve_rate=scale.of(row["marks"] / row["rows"]) if get("rows") else None,
        accuracy=(get("right") + get("gold_right")) / right_known if right_known else None,
        distinct=(get("useful_different") + get("wrong_different")) / unsolved if unsolved else None,
        distinct_2=part("different_pairs", "pairs"),
        entropy=part("entropy", "entropy_known"),
        length=part("tokens", "tokens_known") if unit == "tokens" else part("length", "rows"),
        extra=part("extra", "looked"),
        rows=get("rows"),
        tokens=part("tokens", "tokens_known"),
        **{f"length_p{share}": row[f"{unit}_p{share}"] for share in (10, 50, 90)},
        truncated=None if cut is None else cut / row["rows"],
        truncated_right=scale.of(cut_marks / cut) if cut else None,
        **{
            name: part(of, "rows") for name, of in (("repeated", "repeats"), ("runs_on", "next"), ("reopened", "think"))
        },
        parsed=part("parsed", "looked"),
        parsed_right=part("paid_parsed", "paid"),
        golden=get("golden") / (get("golden") + get("other")) if get("golden") + get("other") else None,
        refused=part("golden_unpaid", "golden"),
        accepted=part("other_paid", "other"),
        **_variances(row),
        rewards={name: row[f"sum:{name}"] / row[f"count:{name}"] for name in functions if get(f"count:{name}")},
        reward_shares=_reward_shares(row, functions, weights),
        reward_varies={name: part(f"vary:{name}", "groups") or 0.0 for name in functions} if groups else {},
        vote=part("vote_right", "voted"),
        vote_share=part("votes", "voted"),
        **{name: part(name, "groups") for name in ("plain", "prefilled", "double_bos", "merged")},
        **_proposals(row),
    )


def _proposals(row: dict) -> dict:
    made = row.get("proposals") or 0
    mean = lambda name: row[f"made_sum:{name}"] / row[f"made_count:{name}"] if row[f"made_count:{name}"] else None
    if not made:
        return {}
    return {
        "proposals": made,
        "duplicates": row["again"] / made,
        "proposal_length": row["made_length"] / made,
        "valid": mean("valid"),
        "depth": mean("depth"),
        "proposal_entropy": mean("entropy"),
    }


def _variances(row: dict) -> dict:
    rows, grouped = row.get("rows") or 0, row.get("grouped") or 0
    if not rows:
        return {}
    variance = max(0.0, row["square"] / rows - (row["reward"] / rows) ** 2)
    found = {"reward_std": math.sqrt(variance)}
    if grouped:
        between = row["means"] - row["grouped_reward"] ** 2 / grouped
        total = between + row["within"]
        found["between"] = min(1.0, max(0.0, between / total)) if total > 1e-9 * grouped else None
    judged = row.get("judged") or 0
    found["against"] = row["backwards"] / judged if judged else None
    return found


def _reward_shares(row: dict, functions: Sequence[str], weights: Mapping[str, float]) -> dict[str, float]:
    """What each reward function adds to the variance within groups: its covariance with the whole reward there."""
    within = row.get("within") or 0.0
    if within <= 0 or len(functions) < 2:
        return {}
    return {name: weights.get(name, 1.0) * (row.get(f"cov:{name}") or 0.0) / within for name in functions}
