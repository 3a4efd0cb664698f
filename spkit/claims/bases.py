"""The claims about sums and expressions on other bases: from two more seeds, and one without the planted fault.

The shipped bases have read careless writers, and every claim stands on one of them. Here the same experiments start
from other bases, made by the same recipe with another seed (`spkit pretrain sums --seed 1`) or from right texts only
(`--clean`, stopped early). A result of this kind has, by base, what a result of the ledger has:
`data/results/bases/<id>.json`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..run.errors import SpkitError
from ..run.files import write_atomic
from ..run.json_files import dumps, read_object
from ..run.progress import Silent
from .base import Claim, Experiment, Lab, reproduce
from .terms import RunRecords

OTHER_BASES = {  # by task
    "expressions": ("expressions-seed1", "expressions-seed2", "expressions-clean"),
    "sums": ("sums-seed1", "sums-seed2", "sums-clean"),
}
FOUND = ("seeds", "values", "mean", "interval", "verdict")  # of a result, what differs between bases
Experiments = Mapping[str, Experiment]


@dataclass(frozen=True)
class BaseJob:
    """One run: an experiment that starts from a base, a seed, and how long it takes on 2 cores."""

    experiment: str
    base: str
    seed: int
    seconds: int


def other_bases(claim: Claim, experiments: Experiments) -> tuple[str, ...]:
    """The bases to try a claim on: none if its runs are not all of one task that has some, from its shipped base."""
    needed = [experiments[name] for name in claim.needs]
    tasks = {one.task if (one.model, one.profile) == (None, "cpu") else "" for one in needed}
    return OTHER_BASES.get(tasks.pop(), ()) if len(tasks) == 1 else ()


def jobs_on_bases(claims: Sequence[Claim], seeds: Sequence[int], experiments: Experiments) -> list[BaseJob]:
    """The runs that the claims need on their other bases, each once, the longest first."""
    needed = {
        (name, base, seed)
        for claim in claims
        for base in other_bases(claim, experiments)
        for name in claim.needs
        for seed in seeds
    }
    jobs = [BaseJob(name, base, seed, experiments[name].seconds) for name, base, seed in sorted(needed)]
    return sorted(jobs, key=lambda job: -job.seconds)


def lab_on(base: str, folder: Path, experiments: Experiments, progress: Silent) -> Lab:
    """A lab whose experiments all start from `base`, with its runs in a folder of that name."""
    return Lab(folder / base, {name: replace(one, model=base) for name, one in experiments.items()}, progress)


def run_job(job: BaseJob, folder: Path, experiments: Experiments, progress: Silent) -> RunRecords:
    """The records of one run: read if it is finished, continued if it was stopped. Jobs may run side by side."""
    return lab_on(job.base, folder, experiments, progress).records(job.experiment, job.seed)


def seconds_left_on_bases(
    claims: Sequence[Claim], seeds: Sequence[int], folder: Path, experiments: Experiments
) -> float:
    """How long the runs that are not there yet take on 2 cores, over all other bases."""
    bases = sorted({base for claim in claims for base in other_bases(claim, experiments)})
    on = lambda base: [claim for claim in claims if base in other_bases(claim, experiments)]
    return sum(lab_on(base, folder, experiments, Silent()).seconds_left(on(base), seeds) for base in bases)


def reproduce_on_bases(
    claim: Claim, seeds: Sequence[int], folder: Path, experiments: Experiments, progress: Silent
) -> dict[str, Any]:
    """Measure a claim over seeds on each of its other bases; the result as plain data."""
    measured = {
        base: reproduce(claim, seeds, lab_on(base, folder, experiments, progress))
        for base in other_bases(claim, experiments)
    }
    return {
        "id": claim.id,
        "statement": claim.statement,
        "source": claim.source,
        "criterion": str(claim.criterion),
        "threshold": claim.criterion.threshold,
        "bases": {base: {key: result[key] for key in FOUND} for base, result in measured.items()},
    }


def write_base_result(result: dict[str, Any], folder: Path) -> list[str]:
    """Write `<id>.json`; what is there of a base over more seeds is kept. Returns those bases."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result['id']}.json"
    there = _read(path)["bases"] if path.is_file() else {}
    new = {base: found for base, found in result["bases"].items() if not _longer(there.get(base), found)}
    write_atomic(path, dumps(result | {"bases": result["bases"] | there | new}, indent=1) + "\n")
    return [base for base in result["bases"] if base not in new]


def read_base_results(claims: Sequence[Claim], folder: Path) -> dict[str, dict[str, Any]]:
    """The results on other bases of these claims, those that are there, by the claim's id."""
    paths = {claim.id: folder / f"{claim.id}.json" for claim in claims}
    return {id: _read(path) for id, path in paths.items() if path.is_file()}


def _longer(there: Mapping[str, Any] | None, found: Mapping[str, Any]) -> bool:
    return there is not None and len(there["seeds"]) > len(found["seeds"])


def _read(path: Path) -> dict[str, Any]:
    advice = "delete it, and measure the claim again with spkit reproduce --other-bases"
    result = read_object(path, advice)
    bases = result.get("bases")
    whole = isinstance(bases, dict) and all(isinstance(one, dict) and set(FOUND) <= set(one) for one in bases.values())
    if not whole:
        raise SpkitError(f"{path} is no result of a claim on other bases: {advice}")
    return result
