"""The ledger: what the course says is true, each statement with the expression that decides it.

A claim's criterion compares one number a seed, read from the records of runs, with a threshold. It holds if the whole
95 % interval of the mean lies on the criterion's side of the threshold, does not hold if no part of it does, and is
inconclusive otherwise.
"""

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ..policy import data_folder
from ..policy.profiles import SHIPPED, Profile
from ..run.errors import SpkitError
from ..run.files import read_jsonl, write_atomic
from ..run.folder import Run
from ..run.json_files import dumps, read_object
from ..run.progress import Silent
from ..tasks import load_task
from .readings import TEN
from .stored import EachRun, data_of, runs_of, tree_of
from .terms import Criterion, RunRecords, Runs

SHOWN = (
    "statement",
    "source",
    "criterion",
    "mean",
    "interval",
    "seeds",
    "verdict",
)  # of a result, in the ledger's table

# Two-sided 95 % quantiles of Student's t for 1 to 30 degrees of freedom.
T95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131) + (
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip


@dataclass(frozen=True)
class Experiment:
    """A run that claims read: a loop, its settings (the seed is filled in), and how long a seed takes on 2 cores."""

    loop: Callable[..., Iterator[dict[str, Any]]]
    config: Any
    task: str
    seconds: int
    model: str | None = None  # by default the task's own base
    profile: Literal["cpu", "real"] = "cpu"  # `real`: through LoRA adapters, prompted for the task

    def records(self, seed: int, run: Run, device: str = "cpu") -> RunRecords:
        """All its records: read if the run is finished, continued if it was stopped."""
        task = load_task(self.task)
        start = Profile(self.profile, self.model or SHIPPED, device, "a claim's").load(task)
        return list(self.loop(start, task, replace(self.config, seed=seed), run))


@dataclass(frozen=True)
class Claim:
    """A statement, who says so, what decides it, and what is kept of the runs beside the number it is decided by.

    `repeats` is the claim of a tiny model that this one tries on a real one.
    """

    id: str
    statement: str
    source: str
    criterion: Criterion
    stored: tuple[Mapping[str, Any] | EachRun, ...] = ()
    repeats: str = ""

    @property
    def tree(self) -> dict[str, Any]:
        """What is stored, with `effect`, the number that the criterion compares."""
        tree = {"effect": self.criterion.term}
        for part in self.stored:
            tree |= tree_of(part, self.criterion.term.runs)
        return tree

    @property
    def needs(self) -> tuple[str, ...]:
        """The experiments that have to be run."""
        return runs_of(self.tree)

    @property
    def described(self) -> dict[str, Any]:
        """What every result of it begins with."""
        return {
            "id": self.id,
            "statement": self.statement,
            "source": self.source,
            **({"repeats": self.repeats} if self.repeats else {}),
            "criterion": str(self.criterion),
            "threshold": self.criterion.threshold,
        }

    def measure(self, runs: Runs) -> dict[str, Any]:
        """What one seed says, as plain data, from the records of the experiments it needs."""
        return data_of(self.tree, runs)


def claim(
    id: str,
    statement: str,
    source: str,
    criterion: Criterion,
    *stored: Mapping[str, Any] | EachRun,
    repeats: str = "",
) -> Claim:
    """A claim, as the files of claims write it down."""
    return Claim(id, statement, source, criterion, stored, repeats)


@dataclass(frozen=True)
class Lab:
    """Where the runs live, each in a folder of its own, so that claims share them and a kill costs little.

    `device` is what they are computed on, `cpu` or `cuda`.
    """

    folder: Path
    experiments: Mapping[str, Experiment]
    progress: Silent
    device: str = "cpu"

    def records(self, name: str, seed: int) -> RunRecords:
        """The records of an experiment."""
        return self.experiments[name].records(seed, Run(self._run_folder(name, seed), self.progress), self.device)

    def seconds_left(self, claims: Sequence[Claim], seeds: Sequence[int]) -> float:
        """How long the runs that are not there yet take on 2 cores.

        A run that was begun counts by the share that is left.
        """
        names = {name for claim in claims for name in claim.needs}
        return sum(self.run_seconds_left(name, seed) for name in names for seed in seeds)

    def run_seconds_left(self, name: str, seed: int) -> float:
        """The same of one run, 0 if it is finished."""
        rows, experiment = len(read_jsonl(self._run_folder(name, seed) / "metrics.jsonl")), self.experiments[name]
        return experiment.seconds * max(0.0, 1 - rows / (experiment.config.iterations + 1))

    def _run_folder(self, name: str, seed: int) -> Path:
        return self.folder / f"{name}-seed{seed}"


def interval(values: Sequence[float]) -> tuple[float, float]:
    """95 % interval of the mean by Student's t; needs at least two values."""
    if len(values) < 2:
        raise SpkitError("an interval needs at least 2 seeds: ask for --seeds 3")
    mean, spread = statistics.fmean(values), statistics.stdev(values)
    quantile = T95[len(values) - 2] if len(values) - 2 < len(T95) else 1.96
    half = quantile * spread / math.sqrt(len(values))
    return mean - half, mean + half


def reproduce(claim: Claim, seeds: Sequence[int], lab: Lab) -> dict[str, Any]:
    """Measure a claim over seeds; the result as plain data."""
    values = {str(seed): claim.measure({name: lab.records(name, seed) for name in claim.needs}) for seed in seeds}
    effects = [value["effect"] for value in values.values()]
    low, high = interval(effects)
    return {
        **claim.described,
        "seeds": list(seeds),
        "values": values,
        "mean": round(statistics.fmean(effects), 4),
        "interval": [round(low, 4), round(high, 4)],
        "verdict": claim.criterion.verdict(low, high),
    }


def write_result(result: dict[str, Any], folder: Path) -> bool:
    """Write `<id>.json`; a result of more seeds that is there already is kept. Says whether it was written."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result['id']}.json"
    if path.is_file() and len(_read_result(path, ("seeds",))["seeds"]) > len(result["seeds"]):
        return False
    write_atomic(path, dumps(result, indent=1) + "\n")
    return True


def read_results(claims: Sequence[Claim], folder: Path) -> list[dict[str, Any]]:
    """The results of these claims, those that are there, in order."""
    paths = [folder / f"{claim.id}.json" for claim in claims]
    return [_read_result(path, SHOWN) for path in paths if path.is_file()]


def _read_result(path: Path, needs: Sequence[str]) -> dict[str, Any]:
    advice = "delete it, and measure the claim again with spkit reproduce"
    result = read_object(path, advice)
    missing = [key for key in needs if key not in result]
    if missing:
        raise SpkitError(f"{path} is no result of a claim, it has no {missing[0]}: {advice}")
    return result


def stored_curves(claim: str, run: str, key: str, folder: Path | None = None) -> list[list[Any]]:
    """What the result of a claim keeps of a run: `key` in every record, one list a seed.

    `folder` is that of the shipped results.
    """
    return [kept[key] for kept in _kept_of(claim, run, folder)]


def stored_records(claim: str, run: str, folder: Path | None = None) -> list[list[dict[str, Any]]]:
    """What the result of a claim keeps of a run as records, one list a seed, for `run.dynamics_plot.dynamics`.

    `records_of` says at which iterations they stand. `folder` is that of the shipped results.
    """
    return [records_of(kept) for kept in _kept_of(claim, run, folder)]


def records_of(kept: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What is kept of a run, a list for each number, as records.

    A list as long as `at`, if there is one, stands at those iterations; one with a value for every iteration up to the
    last of them stands at all of them; any other holds means over ten iterations, and stands in their middle.
    """
    looked = kept.get("at")
    records: dict[float, dict[str, Any]] = {}
    for key, values in kept.items():
        if not isinstance(values, list) or key == "at":
            continue
        for place, value in zip(_places(len(values), looked), values):
            *groups, name = key.split(".")
            part = records.setdefault(place, {"iteration": place})
            for group in groups:
                part = part.setdefault(group, {})
            part[name] = value
    return [records[place] for place in sorted(records)]


def _places(count: int, looked: Sequence[int] | None) -> Sequence[float]:
    if looked is None or count == looked[-1] + 1:
        return range(count)
    return looked if count == len(looked) else [TEN * block + (TEN + 1) / 2 for block in range(count)]


def _kept_of(claim: str, run: str, folder: Path | None) -> list[dict[str, Any]]:
    path = (folder or data_folder() / "results") / f"{claim}.json"
    if not path.is_file():
        raise SpkitError(f"there is no result of {claim!r} in {path.parent}: measure it with spkit reproduce {claim}")
    return [value[run] for value in _read_result(path, ("values",))["values"].values()]
