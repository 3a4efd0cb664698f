"""A small sample that somebody checked: how often the verifier is wrong, in either direction."""

from dataclasses import dataclass
from pathlib import Path

from ..run.errors import SpkitError
from .files import raw_rows
from .rows import Row, text_of
from .steps import Checked

FEWEST = 10  # audited samples found in the log; fewer say nothing


@dataclass
class _Item:
    """An audited sample: what it really is, and the reward that the log has for it."""

    right: bool
    reward: float | None = None


class Audit:
    """Audited samples, found again in the log by prompt and completion: the first row that matches
    each one gives its reward.
    """

    def __init__(self, path: Path, items: dict[tuple[str, str], list[_Item]]) -> None:
        self.path, self.items = path, items
        self.waiting = {key: list(samples) for key, samples in items.items()}

    def see(self, row: Row) -> None:
        """A row of the log: it answers for one audited sample that reads the same, if one has no reward yet."""
        waiting = self.waiting.get((row.prompt, row.completion))
        if waiting:
            waiting.pop().reward = row.reward

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
    for place, raw in raw_rows(path, []):
        missing = [name for name in ("prompt", "completion", "correct") if name not in raw]
        if missing or raw["correct"] not in (True, False):
            wanted = "an audit has prompt, completion and correct (true or false) in every line"
            raise SpkitError(
                f"{place} has {f'no {missing[0]}' if missing else 'correct = ' + repr(raw['correct'])}: {wanted}"
            )
        items.setdefault((text_of(raw["prompt"]), text_of(raw["completion"])), []).append(_Item(bool(raw["correct"])))
    if not items:
        raise SpkitError(f"{path} has no audited samples")
    return Audit(path, items)
