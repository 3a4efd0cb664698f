"""What a tracker is sent, and that a run which is started again sends nothing twice."""

import importlib.util
import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from spkit.cli.tracking import check_tracker, numbers_by_path
from spkit.run.errors import SpkitError

REST_EM = "run rest-em --iterations 3 --problems 4 --k 2 --sft.steps 1 --validation-problems 0".split()
REST_EM += ["--test-per-difficulty", "1"]


def test_the_numbers_by_path_a_record_by_their_paths():
    record = {"iteration": 1, "learned": {"loss": 0.5}, "samples": [1], "done": True, "text": "x", "none": None}
    assert dict(numbers_by_path(record)) == {"iteration": 1.0, "learned/loss": 0.5}


def test_a_tracker_without_its_package_is_said(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "trackio" else True)
    check_tracker("none")
    check_tracker("tensorboard")
    with pytest.raises(SpkitError, match="--track trackio needs the package trackio: pip install trackio"):
        check_tracker("trackio")


def tensorboard_points(folder: Path) -> tuple[list[int], list[int]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "run" / "tensorboard")).Reload()
    assert events.Tags()["tensors"] == ["samples/text_summary"]
    samples = [one.step for one in events.Tensors("samples/text_summary")]
    return [one.step for one in events.Scalars("accuracy")], samples


def trackio_points(folder: Path) -> tuple[list[int], list[int]]:
    with closing(sqlite3.connect(folder / "dashboard" / "spkit.db")) as base:
        rows = base.execute("select step, metrics, run_name from metrics order by id").fetchall()
    assert {name for *_, name in rows} == {"run-" + json.loads((folder / "run" / "tracked.json").read_text())["id"]}
    found = [(step, json.loads(metrics)) for step, metrics, _ in rows]
    return [step for step, row in found if "accuracy" in row], [step for step, row in found if "samples" in row]


@pytest.mark.parametrize(("tracker", "points"), [("tensorboard", tensorboard_points), ("trackio", trackio_points)])
def test_a_run_that_was_killed_and_started_again_has_every_point_once(tmp_path, tracker, points):
    pytest.importorskip(tracker, reason="needs the scale extra: make scale")
    root = str(Path(__file__).parents[2])
    places = {"PYTHONPATH": root, "TRACKIO_DIR": str(tmp_path / "dashboard"), "OMP_NUM_THREADS": "1"}
    given = [*REST_EM, "--track", tracker, "--json", "--out", str(tmp_path / "run")]
    codes = []
    for module in (["tests.cli.killed_tracking", "2"], ["spkit"], ["spkit"]):
        command = [sys.executable, "-m", *module, *given]
        done = subprocess.run(command, cwd=root, env=os.environ | places, capture_output=True, text=True, timeout=200)
        codes.append(done.returncode)
    assert codes == [-signal.SIGKILL, 0, 0], done.stderr
    assert [json.loads(line)["iteration"] for line in done.stdout.splitlines()] == [0, 1, 2, 3], "and nothing else"
    assert points(tmp_path) == ([0, 1, 2, 3], [0, 1, 2, 3])
