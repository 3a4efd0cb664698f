"""Which column of a log is what: what its reader may be told, and what it proposes for columns that nobody knows."""

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from ...run.errors import SpkitError

GUESSES = {  # what a column of an unknown log may be called, most likely first
    "prompt": ("prompt", "question", "query", "problem", "instruction", "input", "prompts", "messages", "context"),
    "completion": ("completion", "response", "output", "generation", "generated_text", "answer_text", "prediction"),
    "step": ("step", "global_step", "training_step", "train_step", "iteration", "iter", "update", "epoch"),
    "gold": ("gold", "ground_truth", "solution", "gts", "target", "reference", "expected", "label", "answer"),
}


@dataclass(frozen=True)
class ColumnMap:
    """The columns of a log by name; "" where the format says it, or where there is none.

    `rewards` are columns and their weights; empty: the format's. `step_from` is "filename" where the step is the last
    number in the name of the file.
    """

    prompt: str = ""
    completion: str = ""
    step: str = ""
    gold: str = ""
    correct: str = ""
    rewards: tuple[tuple[str, float], ...] = ()
    step_from: str = ""

    def __post_init__(self) -> None:
        if self.step_from not in ("", "filename"):
            raise SpkitError(f"a step comes from a column or from the filename, not from {self.step_from!r}")
        if self.step and self.step_from:
            raise SpkitError(f"the step comes from the column {self.step!r} or from the filename: leave one out")
        names = [name for name, _ in self.rewards]
        if len(set(names)) < len(names):
            raise SpkitError(f"the reward {max(names, key=names.count)!r} is given twice: give it once")

    def named(self) -> dict[str, str]:
        """The columns that are given, but the rewards."""
        names = {name: getattr(self, name) for name in ("prompt", "completion", "step", "gold", "correct")}
        return {name: column for name, column in names.items() if column}


def parse_reward(text: str) -> tuple[str, float]:
    """(column, weight) of `accuracy` or `format:0.5`; a column whose name has a colon is given with its weight.

    Raises SpkitError if the weight is no finite number, or the name is missing.
    """
    name, colon, weight = text.rpartition(":")
    if not colon:
        name, weight = text, "1"
    try:
        value = float(weight)
    except ValueError:
        value = math.nan
    if not name or not math.isfinite(value):
        raise SpkitError(f"--reward {text} is no column with a weight: write it as accuracy or as format:0.5")
    return name, value


def guessed(columns: Sequence[str], rewards: Sequence[str], step_in_name: bool) -> str:
    """The options that read a log with these columns, as far as their names say; ... stands for what they do not."""
    found = {
        what: next((name for name in names if name in columns and name not in rewards), None)
        for what, names in GUESSES.items()
    }
    if found["gold"] in (found["completion"], found["prompt"]):
        found["gold"] = None
    parts = [f"--{what} {_quoted(found[what])}" for what in ("prompt", "completion")]
    if found["step"]:
        parts.append(f"--step {_quoted(found['step'])}")
    elif step_in_name:
        parts.append("--step-from filename")
    if found["gold"]:
        parts.append(f"--gold {_quoted(found['gold'])}")
    return " ".join(parts + [f"--reward {_quoted(name)}" for name in (rewards or (None,))])


def _quoted(name: str | None) -> str:
    return "..." if name is None else shlex.quote(name)
