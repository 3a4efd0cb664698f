"""The ledger: what the course says is true, each statement with the code that measures it.

A claim measures one number a seed. It holds if the whole 95 % interval of the mean lies above the claim's threshold, does not hold if
the whole interval lies at or below it, and is inconclusive otherwise.
"""

import json
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import SpkitError
from ..loops.star import StarConfig, star
from ..policy import load_policy
from ..progress import Silent
from ..runs import Run, write_atomic
from ..tasks import load_task

# Two-sided 95 % quantiles of Student's t for 1 to 30 degrees of freedom.
T95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131) + (
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip


@dataclass(frozen=True)
class Lab:
    """Where a claim's runs live: a finished run is read, an unfinished one continued, so claims share runs and a kill costs little."""

    folder: Path
    progress: Silent

    def star(self, name: str, config: StarConfig, model: str = "addition") -> list[dict[str, Any]]:
        """The records of one STaR run on addition."""
        run = Run(self.folder / f"{name}-seed{config.seed}", self.progress)
        return list(star(load_policy(model), load_task("addition"), config, run))


@dataclass(frozen=True)
class Claim:
    """`measure(seed, lab)` returns plain numbers, of which `effect` is the one the criterion speaks of."""

    id: str
    statement: str
    source: str
    criterion: str
    threshold: float
    measure: Callable[[int, Lab], dict[str, Any]]


def interval(values: Sequence[float]) -> tuple[float, float]:
    """95 % interval of the mean by Student's t; needs at least two values."""
    if len(values) < 2:
        raise SpkitError("an interval needs at least 2 seeds: ask for --seeds 3")
    mean, spread = statistics.fmean(values), statistics.stdev(values)
    quantile = T95[len(values) - 2] if len(values) - 2 < len(T95) else 1.96
    half = quantile * spread / math.sqrt(len(values))
    return mean - half, mean + half


def verdict(low: float, high: float, threshold: float) -> str:
    """In words."""
    if low > threshold:
        return "holds"
    return "does not hold" if high <= threshold else "inconclusive"


def reproduce(claim: Claim, seeds: Sequence[int], lab: Lab) -> dict[str, Any]:
    """Measure a claim over seeds; the result as plain data."""
    values = {str(seed): claim.measure(seed, lab) for seed in seeds}
    effects = [value["effect"] for value in values.values()]
    low, high = interval(effects)
    return {
        "id": claim.id,
        "statement": claim.statement,
        "source": claim.source,
        "criterion": claim.criterion,
        "threshold": claim.threshold,
        "seeds": list(seeds),
        "values": values,
        "mean": round(statistics.fmean(effects), 4),
        "interval": [round(low, 4), round(high, 4)],
        "verdict": verdict(low, high, claim.threshold),
    }


def write_result(result: dict[str, Any], folder: Path) -> Path:
    """Write `<id>.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result['id']}.json"
    write_atomic(path, json.dumps(result, indent=1) + "\n")
    return path


def markdown_table(results: Sequence[dict[str, Any]]) -> str:
    """The README's table."""
    lines = ["| claim | measured: mean and 95 % interval over seeds | verdict |", "|---|---|---|"]
    for result in results:
        low, high = result["interval"]
        measured = f"{result['criterion']}: {result['mean']:.2f} [{low:.2f}, {high:.2f}], {len(result['seeds'])} seeds"
        lines.append(f"| {result['statement']} ({result['source']}) | {measured} | **{result['verdict']}** |")
    return "\n".join(lines) + "\n"
