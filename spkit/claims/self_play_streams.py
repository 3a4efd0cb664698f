"""What a run of self-play makes for itself, as a stream that observers read: how much there is to learn in it (epiplexity, arXiv:2603.02218).

Observers are fixed: the base, or one that knows nothing, the same for every stream. What is compared is S, thousands of bits, at equal tokens.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import fmean
from typing import Any

from ..epiplexity import ObserverConfig, Pair, epiplexity
from ..loops.absolute_zero import AbsoluteZeroConfig, absolute_zero
from ..policy import Policy
from ..policy.tiny import tiny_llama
from ..runs import Run
from ..tasks import Task

UNSEEN = AbsoluteZeroConfig(measure_every=1000, test_per_difficulty=1, test_samples=1)  # hardly a look at the test set


@dataclass(frozen=True)
class InformationConfig:
    """The gauge on one run: at each of these iterations, over the last `window` of them."""

    seed: int = 0
    loop: AbsoluteZeroConfig = UNSEEN
    at: tuple[int, ...] = (3, 20, 40, 60)
    window: int = 3
    observer: ObserverConfig = ObserverConfig(train_tokens=4000, validation_tokens=1000)


@dataclass(frozen=True)
class StreamsConfig:
    """The gauge on three runs: what was paid in the last `window` iterations, read by the base and by observers of these (width, layers)."""

    seed: int = 0
    loop: AbsoluteZeroConfig = replace(UNSEEN, iterations=20)
    flip_rate: float = 0.3
    window: int = 3
    fresh: tuple[tuple[int, int], ...] = ((32, 2), (96, 4))
    observer: ObserverConfig = ObserverConfig()

    def runs(self) -> dict[str, AbsoluteZeroConfig]:
        """By name: each differs from the first in one thing."""
        own = replace(self.loop, seed=self.seed)
        return {"learned": own, "frozen": replace(own, proposer="frozen"), "flipped": replace(own, flip_rate=self.flip_rate)}


class Kept(Run):
    """A run in memory that keeps the samples of its last iterations."""

    def __init__(self, iterations: int) -> None:
        super().__init__()
        self.iterations, self.samples = iterations, []

    def record(self, iteration: int, policy: Policy, samples: list[dict[str, Any]], **values: Any) -> dict[str, Any]:
        """As in `Run`."""
        self.samples = [row for row in self.samples if row["step"] > iteration - self.iterations] + [
            row for row in samples if "step" in row
        ]
        return super().record(iteration, policy, samples, **values)


def information(base: Policy, task: Task, config: InformationConfig, run: Run) -> Iterator[dict[str, Any]]:
    """One record: at each of the iterations, what there is to learn for the base in the right solutions of that time."""
    kept, rows = Kept(config.window), []
    for record in absolute_zero(base, task, replace(config.loop, seed=config.seed), kept):
        if record["iteration"] in config.at:
            found = epiplexity(base, stream(base, kept.samples), replace(config.observer, seed=config.seed))
            rows.append({"iteration": record["iteration"], "S": found.S, "H": found.H, "depth": record["depth"]})
    yield {"rows": rows}


def streams(base: Policy, task: Task, config: StreamsConfig, run: Run) -> Iterator[dict[str, Any]]:
    """One record: of each run, what there is to learn for each observer in the solutions that it paid for."""
    observers = {"base": base} | {f"{width}x{layers}": fresh(base, width, layers) for width, layers in config.fresh}
    rows = {}
    for name, loop in config.runs().items():
        kept = Kept(config.window)
        depth = [record["depth"] for record in absolute_zero(base, task, loop, kept) if "depth" in record][-config.window :]
        pairs = stream(base, kept.samples, "paid")
        found = {who: epiplexity(policy, pairs, replace(config.observer, seed=config.seed)) for who, policy in observers.items()}
        rows[name] = {"depth": fmean(depth)} | {who: {"S": one.S, "H": one.H} for who, one in found.items()}
    yield {"rows": rows}


def fresh(base: Policy, width: int, layers: int) -> Policy:
    """An observer that has read nothing, with the base's tokens and context."""
    return Policy(tiny_llama(base.tokenizer, base.context, 0, width=width, layers=layers), base.tokenizer)


def stream(policy: Policy, samples: list[dict[str, Any]], which: str = "right") -> list[Pair]:
    """Solutions among samples, as (prompt, token ids), as often as they were written: those with the `right` answer, or those that were `paid`."""
    good = {"right": lambda row: row["correct"], "paid": lambda row: row["reward"] > 0}[which]
    return [(row["prompt"], policy.completion_ids(row["completion"])) for row in samples if row["role"] == "solver" and good(row)]


def grown(rows: list[Mapping[str, Any]]) -> dict[str, Any]:
    """S at the last look minus S at the first, thousands of bits."""
    return {"effect": (rows[-1]["S"] - rows[0]["S"]) / 1000, "rows": rows}


def more(rows: Mapping[str, Any], other: str) -> dict[str, Any]:
    """S of the first run minus S of another, for the base, thousands of bits."""
    return {"effect": (rows["learned"]["base"]["S"] - rows[other]["base"]["S"]) / 1000, "rows": rows}


def agreed(rows: Mapping[str, Any]) -> dict[str, Any]:
    """Of all pairs of runs, those that the two observers that began with nothing order alike, minus those that they do not, as a share."""
    small, large = (who for who in next(iter(rows.values())) if "x" in who)
    pairs = list(combinations(rows.values(), 2))
    alike = sum((a[small]["S"] > b[small]["S"]) == (a[large]["S"] > b[large]["S"]) for a, b in pairs)
    return {"effect": (2 * alike - len(pairs)) / len(pairs), "rows": rows}
