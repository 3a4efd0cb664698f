"""Runs of claims, several at a time: the same records, nothing lost, and what goes wrong said once."""

import os
import pickle
import signal
import time
from multiprocessing import active_children
from pathlib import Path

import pytest

import spkit.claims
from spkit.claims import EXPERIMENTS, Experiment, Lab, claim
from spkit.claims.jobs import Job, jobs_of, run_jobs
from spkit.claims.readings import final
from spkit.loops.rft import RftConfig, rft
from spkit.policy import SftConfig
from spkit.run.errors import SpkitError
from spkit.run.json_files import dumps
from spkit.run.progress import Silent
from tests.cli.test_cli import inside  # noqa: F401  a fixture

SMALL = RftConfig(problems=5, k=2, sft=SftConfig(steps=1, batch_size=4), test_per_difficulty=1)


def waits(base, task, config, run):
    """Says which process it is in, and ends when another one has come to the same place."""
    here = run.folder.parent
    (here / f"here-{os.getpid()}").touch()
    until = time.monotonic() + 60
    while len(list(here.glob("here-*"))) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    yield {"iteration": 0}


def fails(base, task, config, run):
    """Raises a sentence for seed 0, and does not end for others."""
    if config.seed:
        time.sleep(600)
    raise SpkitError("seed 0 has nothing to learn from")
    yield


def is_killed(base, task, config, run):
    """Ended from outside, as the system does when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)
    yield


def lab_of(folder, loop, seconds=10) -> Lab:
    return Lab(folder, {"tiny": Experiment(loop, SMALL, "sums", seconds)}, Silent())


@pytest.mark.whole
def test_runs_are_at_the_same_time_in_processes_of_their_own(tmp_path):
    ticks = []
    lab = lab_of(tmp_path, waits)
    run_jobs([Job(lab, "tiny", 0), Job(lab, "tiny", 1)], 2, ticks.append)
    here = {int(path.name.partition("-")[2]) for path in tmp_path.glob("here-*")}
    assert len(here) == 2 and os.getpid() not in here and ticks == [1, 1]


@pytest.mark.whole
def test_they_have_the_same_records_as_one_after_another(tmp_path):
    together, alone = lab_of(tmp_path / "together", rft), lab_of(tmp_path / "alone", rft)
    claims = [claim("a", "a", "", final("tiny", "accuracy") > -1)]
    jobs = jobs_of(claims, range(2), together)
    assert jobs == [Job(together, "tiny", 0), Job(together, "tiny", 1)]
    run_jobs(jobs, 2)
    assert jobs_of(claims, range(2), together) == []
    timeless = lambda records: [{key: one[key] for key in one if key != "seconds"} for one in records]
    for seed in range(2):
        assert dumps(timeless(together.records("tiny", seed))) == dumps(timeless(alone.records("tiny", seed)))


def test_the_longest_run_comes_first_and_a_shared_one_once(tmp_path):
    experiments = {name: Experiment(rft, SMALL, "sums", seconds) for name, seconds in (("a", 10), ("b", 30))}
    both = final("a", "accuracy") - final("b", "accuracy") > 0
    jobs = jobs_of([claim("1", "", "", both), claim("2", "", "", both)], [0, 4], Lab(tmp_path, experiments, Silent()))
    assert [(job.experiment, job.seed) for job in jobs] == [("b", 0), ("b", 4), ("a", 0), ("a", 4)]


@pytest.mark.parametrize(
    ("loop", "message"),
    [(fails, "seed 0 has nothing to learn from"), (is_killed, "one of the processes was killed")],
)
@pytest.mark.whole
def test_what_stops_one_run_stops_the_others_and_is_said(loop, message, tmp_path):
    begun = time.monotonic()
    with pytest.raises(SpkitError, match=message):
        run_jobs([Job(lab_of(tmp_path, loop), "tiny", seed) for seed in range(3)], 2)
    assert time.monotonic() - begun < 120
    alive = lambda: [child for child in active_children() if child.is_alive() and child.name.startswith("Spawn")]
    until = time.monotonic() + 20  # another thread may be the one that sees a process end
    while alive() and time.monotonic() < until:
        time.sleep(0.1)
    assert not alive()


def test_every_experiment_can_be_sent_to_another_process():
    assert set(pickle.loads(pickle.dumps(EXPERIMENTS))) == set(EXPERIMENTS)


@pytest.mark.whole
def test_from_the_command_line(tmp_path, monkeypatch, inside):  # noqa: F811
    monkeypatch.setattr(spkit.claims, "EXPERIMENTS", {"tiny": Experiment(rft, SMALL, "sums", 60)})
    monkeypatch.setattr(spkit.claims, "CLAIMS", (claim("ends", "it ends", "ours", final("tiny", "accuracy") > -1),))
    work, out = tmp_path / "work", tmp_path / "out"
    shared = ("reproduce", "ends", "--seeds", "2", "--work", work, "--out", out)
    code, _, errors = inside(*shared, "--jobs", "0")
    assert code == 2 and "jobs must be 1 or more, not 0" in errors
    code, table, errors = inside(*shared, "--jobs", "2")
    assert code == 0 and "2 at a time" in errors, (table, errors)
    assert (Path(out) / "ends.json").is_file() and len(list(work.glob("*-seed*/metrics.jsonl"))) == 2
