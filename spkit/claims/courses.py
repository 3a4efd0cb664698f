"""Whole courses of runs of notebook 01, for its figures: every iteration of every seed, and the test set often.

    python -m spkit.claims az az-random --seeds 5

measures the experiments of `spkit reproduce` again with a look at the test set every EVERY iterations, in folders of
their own (a run that was stopped continues), and writes `data/results/courses/NAME.json`. What is drawn at random in a
look has a random stream of its own, so a look changes nothing in the run. A processor or a library that rounds
differently may change it: a token is sampled otherwise, and from there on the seed differs from that of the claims.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..policy import data_folder
from ..run.errors import SpkitError
from ..run.files import write_atomic
from ..run.folder import Run
from ..run.json_files import dumps, read_object
from ..run.progress import progress
from .base import Experiment, records_of
from .expressions_self_play import DEEP, SELF_PLAY_EXPERIMENTS
from .stored import Curve, data_of
from .terms import RunRecords

EVERY = 5  # iterations between two looks at the test set; the claims read 0, 20, 40 and 60
IN_EVERY_ITERATION = (
    "proposed_depth",
    "depth",
    "valid",
    "proposer_entropy",
    "solve_rate",
    "useful_groups",
    "vote_gap",
    "vote_right",
    "learnability",
    "solver_entropy",
    "learned.loss",
)
AT_A_LOOK = ("accuracy", "pass_at_k.1", "pass_at_k.8")


def course_of(records: RunRecords) -> dict[str, Any]:
    """What is kept of a run: a list for each number, of all iterations, or of those `at` which it looked."""
    every = {number: Curve("run", number) for number in IN_EVERY_ITERATION}
    looks = {number: Curve("run", number, only="tests") for number in AT_A_LOOK}
    deep = {how: Curve("run", number, only="tests") for how, number in DEEP.items()}
    return data_of({**every, "at": Curve("run", "iteration", only="tests"), **looks, "deep": deep}, {"run": records})


def write_course(name: str, runs: Mapping[int, RunRecords], folder: Path) -> Path:
    """Write `NAME.json`, of the runs by seed."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    kept = {"run": name, "seeds": {str(seed): course_of(records) for seed, records in runs.items()}}
    write_atomic(path, dumps(kept, indent=1) + "\n")
    return path


def course_records(name: str, folder: Path | None = None) -> list[list[dict[str, Any]]]:
    """The records of a run, as far as they are kept, one list a seed, for `run.dynamics_plot.dynamics`.

    `folder` is that of the shipped courses. Raises SpkitError if there is none of this name.
    """
    return [records_of(kept) for kept in _kept(name, folder).values()]


def course_curves(name: str, *keys: str, folder: Path | None = None) -> list[list[Any]]:
    """What is kept of a run under a key, or under a path of keys, one list a seed; `"at"` says where it looked."""
    curves = list(_kept(name, folder).values())
    for key in keys:
        curves = [kept[key] for kept in curves]
    return curves


def _kept(name: str, folder: Path | None) -> dict[str, dict[str, Any]]:
    folder = folder or data_folder() / "results" / "courses"
    path = folder / f"{name}.json"
    if not path.is_file():
        there = ", ".join(sorted(one.stem for one in folder.glob("*.json"))) or "none"
        raise SpkitError(f"there is no course of {name!r} in {folder} (there are: {there})")
    return read_object(path, "measure it again with python -m spkit.claims")["seeds"]


def check_name(name: str) -> None:
    """Raise SpkitError for a name that is no run of notebook 01."""
    if name not in SELF_PLAY_EXPERIMENTS:
        raise SpkitError(f"there is no run {name!r}: choose among {', '.join(SELF_PLAY_EXPERIMENTS)}")


def measured_often(name: str, seed: int, work: Path) -> RunRecords:
    """The records of one run, which is continued if it was stopped."""
    experiment: Experiment = SELF_PLAY_EXPERIMENTS[name]
    often = replace(experiment, config=replace(experiment.config, measure_every=EVERY))
    return often.records(seed, Run(work / f"{name}-seed{seed}", progress()))
