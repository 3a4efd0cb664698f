"""What a tracker is sent, and that a run which is started again sends nothing twice."""

import importlib.util
import sys

import pytest

from spkit.cli.main import main
from spkit.cli.tracking import check_tracker, numbers_by_path
from spkit.run.errors import SpkitError

ARGUMENTS = "run rft --task sums --problems 4 --k 2 --sft.steps 1 --test-per-difficulty 1".split()


def test_the_numbers_by_path_a_record_by_their_paths():
    record = {"iteration": 1, "learned": {"loss": 0.5}, "samples": [1], "done": True, "text": "x", "none": None}
    assert dict(numbers_by_path(record)) == {"iteration": 1.0, "learned/loss": 0.5}


def test_a_tracker_without_its_package_is_said(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "trackio" else True)
    check_tracker("none")
    check_tracker("tensorboard")
    with pytest.raises(SpkitError, match="--track trackio needs the package trackio: pip install trackio"):
        check_tracker("trackio")


def test_tensorboard_has_every_record_once_after_a_restart(tmp_path, monkeypatch):
    pytest.importorskip("tensorboard", reason="needs the scale extra")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for _ in range(2):
        monkeypatch.setattr(
            sys, "argv", ["spkit", *ARGUMENTS, "--track", "tensorboard", "--out", str(tmp_path / "run")]
        )
        with pytest.raises(SystemExit) as left:
            main()
        assert left.value.code == 0
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    assert [one.step for one in events.Scalars("accuracy")] == [0, 1]
    assert [
        one.step for one in events.Scalars("learned/loss" if "learned/loss" in events.Tags()["scalars"] else "kept")
    ]
    assert events.Tags()["tensors"] == ["samples/text_summary"]
