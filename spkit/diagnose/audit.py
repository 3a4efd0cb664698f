"""A small sample that somebody checked: how often the verifier is wrong, in either direction."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..run.errors import SpkitError
from ..run.json_files import rows_in
from .batches import the_polars
from .reading import plain_text
from .steps import Checked

if TYPE_CHECKING:
    import polars

FEWEST = 10  # audited samples found in the log; fewer say nothing
WANTED = "an audit has prompt, completion and correct (true or false) in every line"


@dataclass
class _Item:
    """An audited sample: what it really is, and the reward that the log has for it."""

    right: bool
    reward: float | None = None
    step: int = 0


class Audit:
    """Audited samples, found again in the log by prompt and completion: the first row that matches
    each one gives its reward.
    """

    def __init__(self, path: Path, items: dict[tuple[str, str], list[_Item]]) -> None:
        self.path, self.items = path, items
        self.waiting = {key: list(samples) for key, samples in items.items()}

    def look(self, rows: "polars.DataFrame") -> None:
        """Rows of the log: each answers for one audited sample that reads the same, if one has no reward yet."""
        pl = the_polars()
        prompts = {prompt for (prompt, _), samples in self.waiting.items() if samples}
        found = rows.filter(pl.col("prompt").is_in(prompts)).select("prompt", "completion", "mark", "step")
        for prompt, completion, reward, step in found.iter_rows():
            waiting = self.waiting.get((prompt, completion))
            if waiting:
                item = waiting.pop()
                item.reward, item.step = reward, step

    def one_by_one(self, middle: float) -> tuple[tuple[int, bool, bool], ...]:
        """(step, accepted, right) of every sample that was found, in the order of the steps."""
        items = (item for samples in self.items.values() for item in samples if item.reward is not None)
        return tuple(sorted((item.step, item.reward > middle, item.right) for item in items))

    def checked(self, middle: float) -> Checked:
        """Verdicts, accepted above `middle`, beside the truth.

        Raises SpkitError if too few of the samples were found.
        """
        found = [item for items in self.items.values() for item in items if item.reward is not None]
        if len(found) < FEWEST:
            raise SpkitError(
                f"{self.path}: only {len(found)} of its samples are in the log, and {FEWEST} are needed: "
                "audit rows of this very log"
            )
        result = Checked()
        for item in found:
            result.counts[item.reward > middle, item.right] += 1
        return result

    def warnings(self) -> list[str]:
        """How many samples the log does not have."""
        missing = sum(item.reward is None for items in self.items.values() for item in items)
        return [f"{missing} audited samples are not in the log"] if missing else []


def read_audit(path: Path) -> Audit:
    """The file: JSON lines of prompt, completion and correct (true or false).

    Raises SpkitError naming the first bad line.
    """
    if not path.is_file():
        raise SpkitError(f"there is no audit file {path}")
    items: dict[tuple[str, str], list[_Item]] = {}
    with open(path, "rb") as file:
        for place, raw in rows_in(file, path.name, WANTED, warnings=[]):
            missing = [name for name in ("prompt", "completion", "correct") if name not in raw]
            if missing or raw["correct"] not in (True, False):
                fault = f"no {missing[0]}" if missing else "correct = " + repr(raw["correct"])
                raise SpkitError(f"{place} has {fault}: {WANTED}")
            key = plain_text(raw["prompt"]), plain_text(raw["completion"])
            items.setdefault(key, []).append(_Item(bool(raw["correct"])))
    if not items:
        raise SpkitError(f"{path} has no audited samples")
    return Audit(path, items)
