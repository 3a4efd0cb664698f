"""The claims about sums and expressions on other bases: from two more seeds, and one without the planted fault.

The shipped bases have read careless writers, and every claim stands on one of them. Here the same experiments start
from other bases, made by the same recipe with another seed (`spkit pretrain sums --seed 1`) or from right texts only
(`--clean`, stopped early). A result of this kind has, by base, what a result of the ledger has:
`data/results/bases/<id>.json`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..run.errors import SpkitError
from ..run.files import write_atomic
from ..run.json_files import dumps, read_object
from .base import Claim, Experiment, Lab, reproduce
from .jobs import Job, jobs_of, longest_first

OTHER_BASES = {  # by task
    "expressions": ("expressions-seed1", "expressions-seed2", "expressions-clean"),
    "sums": ("sums-seed1", "sums-seed2", "sums-clean"),
}
FOUND = ("seeds", "values", "mean", "interval", "verdict")  # of a result, what differs between bases
Experiments = Mapping[str, Experiment]


def other_bases(claim: Claim, experiments: Experiments) -> tuple[str, ...]:
    """The bases to try a claim on: none if its runs are not all of one task that has some, from its shipped base."""
    needed = [experiments[name] for name in claim.needs]
    tasks = {one.task if (one.model, one.profile) == (None, "cpu") else "" for one in needed}
    return OTHER_BASES.get(tasks.pop(), ()) if len(tasks) == 1 else ()


def lab_on(base: str, lab: Lab) -> Lab:
    """A lab whose experiments all start from `base`, with its runs in a folder of that name."""
    started = {name: replace(one, model=base) for name, one in lab.experiments.items()}
    return replace(lab, folder=lab.folder / base, experiments=started)


def jobs_on_bases(claims: Sequence[Claim], seeds: Sequence[int], lab: Lab) -> list[Job]:
    """The runs that the claims need on their other bases and that are not finished, each once, the longest first."""
    needing: dict[str, list[Claim]] = {}
    for claim in claims:
        for base in other_bases(claim, lab.experiments):
            needing.setdefault(base, []).append(claim)
    return longest_first(job for base, own in needing.items() for job in jobs_of(own, seeds, lab_on(base, lab)))


def reproduce_on_bases(claim: Claim, seeds: Sequence[int], lab: Lab) -> dict[str, Any]:
    """Measure a claim over seeds on each of its other bases; the result as plain data."""
    bases = other_bases(claim, lab.experiments)
    measured = {base: reproduce(claim, seeds, lab_on(base, lab)) for base in bases}
    found = {base: {key: result[key] for key in FOUND} for base, result in measured.items()}
    return {**claim.described, "bases": found}


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
