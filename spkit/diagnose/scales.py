"""What a reward means: which values are wrong and right, and which of several reward functions is the verdict."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

SKILL = re.compile(r"acc|correct|answer|exact|solve|pass|math|verif|gold", re.IGNORECASE)  # names of what is meant
MINOR = re.compile(r"format|think|tag|struct|xml|len|style|penal|repet|soft|cosine", re.IGNORECASE)


def verdict_among(rewards: Sequence[str]) -> str | None:
    """The reward function that says whether an answer is right, if there are several and one name says so."""
    named = [name for name in rewards if SKILL.search(name) and not MINOR.search(name)]
    return named[0] if len(rewards) > 1 and len(named) == 1 else None


@dataclass(frozen=True)
class Scale:
    """The rewards there are, and those that mean wrong and right: 0 and 1, or -1 and 1, if all lie between; else the
    lowest and highest there are.
    """

    low: float = math.inf
    high: float = -math.inf

    def widened(self, low: float, high: float) -> "Scale":
        return Scale(min(self.low, low), max(self.high, high))

    @property
    def ends(self) -> tuple[float, float]:
        if self.low >= 0 and self.high <= 1:
            return 0.0, 1.0
        return (-1.0, 1.0) if self.low >= -1 and self.high <= 1 else (self.low, max(self.high, self.low + 1e-9))

    @property
    def is_usual(self) -> bool:
        """Whether wrong and right are known by convention, and not guessed from the lowest and the highest."""
        return self.low >= -1 and self.high <= 1

    @property
    def middle(self) -> float:
        """Rewards above it are right."""
        return 0.0 if self.low == self.high else sum(self.ends) / 2

    def of(self, mean: float) -> float:
        """A mean reward on the scale from 0 to 1."""
        low, high = self.ends
        return float(self.low > 0) if self.low == self.high else (mean - low) / (high - low)

    def note(self) -> str:
        low, high = self.ends
        return (
            f"rewards from {self.low:g} to {self.high:g} are read as 0 at {low:g} and 1 at {high:g}; above "
            f"{self.middle:g} is right"
        )

    def warnings(self, what: str = "reward") -> tuple[str, ...]:
        if self.low != self.high:
            return ()
        read = "right, since it is above 0" if self.low > 0 else "wrong, since it is not above 0"
        return (f"every {what} is {self.low:g}: read as {read}",)
