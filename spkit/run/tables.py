"""Records as lines of text."""

from typing import Any

PERCENT, NUMBER = "percent", "number"
KEPT, KEPT_WRONG, WRONG_STEPS = (
    ("kept", "kept", "count"),
    ("kept wrong", "kept_wrong_rate", PERCENT),
    ("wrong steps", "wrong_steps_rate", PERCENT),
)
TABLE_COLUMNS = {  # heading, key of the record and format, by method
    "star": (KEPT, ("hinted", "rationalized", "count"), WRONG_STEPS),
    "collapse": (
        KEPT,
        KEPT_WRONG,
        ("perplexity", "perplexity", NUMBER),
        ("entropy", "entropy", NUMBER),
        ("tail", "tail_mass", PERCENT),
    ),
    "spin": (("KL", "kl", NUMBER), ("AUC", "auc", NUMBER), ("rare", "rare", PERCENT), ("entropy", "entropy", NUMBER)),
    "absolute_zero": (
        ("valid", "valid", PERCENT),
        ("proposed", "proposed_depth", NUMBER),
        ("solved", "solve_rate", PERCENT),
        ("useful", "useful_groups", PERCENT),
        ("vote gap", "vote_gap", PERCENT),
    ),
    "game_self_play": (
        ("NashConv", "nash_conv", NUMBER),
        ("average's", "nash_conv_average", NUMBER),
        ("value", "value", NUMBER),
        ("entropy", "entropy", NUMBER),
        ("illegal", "illegal", PERCENT),
    ),
    "quiet_star": (
        ("loss", "loss", NUMBER),
        ("right steps", "steps_sampled", PERCENT),
        ("advantage", "advantage", NUMBER),
        ("useful", "useful", PERCENT),
    ),
    "sft": (
        ("sampled", "test_sampled_accuracy", PERCENT),
        ("KL", "kl_to_base", NUMBER),
        ("entropy", "entropy", NUMBER),
    ),
    "rlvr": (
        ("sampled", "test_sampled_accuracy", PERCENT),
        ("reward", "reward", NUMBER),
        ("useful", "useful_groups", PERCENT),
        ("KL", "kl_to_base", NUMBER),
        ("entropy", "entropy", NUMBER),
    ),
}
LENIENT = ("lenient", "lenient_accuracy", PERCENT)  # where a task has a lenient check
OTHERS = (KEPT, KEPT_WRONG, WRONG_STEPS)


class IterationTable:
    """One line an iteration, printed as it comes.

    Which columns there are depends on the method. A dash: not measured in that iteration.
    """

    def __init__(self, unit: str, method: str) -> None:
        self.unit, self.columns, self.begun, self.lengths = (
            unit,
            TABLE_COLUMNS.get(method.replace("-", "_"), OTHERS),
            False,
            {},
        )

    def print(self, record: dict[str, Any]) -> dict[str, Any]:
        """Print the record (after the header, the first time) and hand it back."""
        lengths = self.lengths = record.get("accuracy_by_difficulty") or dict.fromkeys(self.lengths)
        if not self.begun:
            self.columns = (LENIENT, *self.columns) if LENIENT[1] in record else self.columns
            heads = "".join(f"{n:>6}" for n in lengths)
            columns = "  ".join(f"{head:>6}" for head, *_ in self.columns)
            print(f"iteration  accuracy {heads} {self.unit} {columns}  seconds")
            self.begun = True
        shares = "".join(f"{'-' if share is None else f'{100 * share:.0f}%':>6}" for share in lengths.values())
        numbers = "  ".join(f"{_cell(record.get(key), kind):>{max(6, len(head))}}" for head, key, kind in self.columns)
        seconds = sum(record["seconds"].values())
        start = f"{record['iteration']:>9}  {_cell(record.get('accuracy'), PERCENT):>8}"
        print(f"{start} {shares} {'':{len(self.unit)}} {numbers}  {seconds:>7.1f}", flush=True)
        return record


def _cell(value: float | None, kind: str) -> str:
    if kind == "count":
        return str(value or 0)
    if value is None:
        return "-"
    return f"{100 * value:.1f}%" if kind == PERCENT else f"{value:.3f}"
