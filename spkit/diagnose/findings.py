"""What a fault looks like when it is found, and how its numbers are told."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .steps import Step, Z, pooled, wilson
from .thresholds import Thresholds

Role = Literal["solver", "proposer", "verifier"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, the role it points at, the numbers behind it, and what to try first.

    `where` is the notebook and section that explain it, `shown` the fields of `Step` that it was seen in. A figure is
    a number, a pair (before, now), or a dict with a rate, its `interval` of 95 % and `of` how many it is.
    """

    name: str
    role: Role
    text: str
    figures: dict[str, Any]
    advice: tuple[str, ...]
    where: str = ""
    shown: tuple[str, ...] = ()


def mostly(share: float | None, count: int, limit: float, limits: Thresholds) -> bool:
    """The share is at least the limit, and its interval above two thirds of it."""
    return (
        share is not None
        and count > 0
        and share >= limit
        and wilson(share * count, count)[0] >= limit * limits.surely / limits.nearly_all
    )


def windows(steps: tuple[Step, ...], limits: Thresholds) -> list[Step]:
    """Neighbouring steps pooled until each has enough groups."""
    result, waiting = [], []
    for step in steps:
        waiting.append(step)
        if sum(one.groups for one in waiting) >= limits.fewest:
            result.append(pooled(waiting))
            waiting = []
    return result or [pooled(steps)]


def sure(share: float, count: int) -> dict[str, Any]:
    """A share of so many as a figure: its rate, the 95 % interval, and of how many."""
    return {"rate": share, "interval": wilson(share * count, count), "of": count}


def quarters(steps: Sequence[Step], name: str) -> tuple[float | None, ...]:
    """A number in each quarter of the steps."""
    size = max(1, math.ceil(len(steps) / 4))
    return tuple(getattr(pooled(steps[i : i + size]), name) for i in range(0, len(steps), size))


def moved(early: Step, late: Step) -> float:
    """How far a share may move between two windows by the draw of their groups alone (95 %)."""
    return Z * math.sqrt(0.25 / max(1, early.groups) + 0.25 / max(1, late.groups))


def ratio(now: float | None, before: float | None) -> float:
    return math.nan if now is None or not before else now / before


def before_and_after(early: Step, late: Step, *names: str) -> dict[str, tuple[float | None, float | None]]:
    return {name: (getattr(early, name), getattr(late, name)) for name in names if getattr(late, name) is not None}


def from_to(before: float, now: float) -> str:
    return f"from {before:.2f} to {now:.2f}"


def share_with_interval(share: float, count: int) -> str:
    low, high = wilson(share * count, count)
    return f"{share:.0%} [{low:.0%}, {high:.0%}]"


def rate_with_interval(rate: dict[str, Any]) -> str:
    low, high = rate["interval"]
    return f"{'-' if rate['rate'] is None else format(rate['rate'], '.0%')} of the time [{low:.0%}, {high:.0%}]"
