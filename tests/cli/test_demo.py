"""The demo's two runs at the same time: the same records as one after the other, whatever becomes of the second."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from rich.console import Console

from spkit.cli import demo
from spkit.loops.star import StarConfig, star
from spkit.policy import load_policy
from spkit.run.folder import Run
from spkit.tasks import load_task

SMALL = StarConfig(iterations=1, problems_per_iteration=12, steps=2, test_per_difficulty=2)
RUN, CONTROL = "star", "control-no-rationalization"


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(demo, "CONFIG", SMALL)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def records(folder: Path) -> list[dict]:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


@pytest.mark.whole
def test_both_runs_are_as_one_after_the_other(small, tmp_path):
    demo.run_demo(tmp_path / "both", Console(quiet=True))
    for name, config in demo.variants().items():
        alone = Run(tmp_path / "alone" / demo.slug(name))
        assert list(star(load_policy("addition"), load_task("addition"), config, alone))
        assert records(tmp_path / "alone" / demo.slug(name)) == records(tmp_path / "both" / demo.slug(name))
    assert (tmp_path / "both" / "accuracy.png").is_file()


@pytest.mark.whole
def test_the_other_process_did_the_control(small, tmp_path):
    with demo.beside(demo.variants()["control: no rationalization"], tmp_path / CONTROL):
        pass
    assert len(records(tmp_path / CONTROL)) == 2


def test_an_error_here_stops_the_other_process(small, tmp_path):
    long = StarConfig(iterations=1000, problems_per_iteration=12, steps=2, test_per_difficulty=2)
    with pytest.raises(KeyboardInterrupt), demo.beside(long, tmp_path / CONTROL):
        raise KeyboardInterrupt
    assert not (tmp_path / CONTROL / "metrics.jsonl").exists() or len(records(tmp_path / CONTROL)) < 1000


@pytest.mark.whole
def test_what_the_other_process_could_not_do_is_left_to_be_continued(small, tmp_path, capfd):
    (tmp_path / CONTROL).write_text("a file where a folder should be")
    with demo.beside(SMALL, tmp_path / CONTROL):
        pass
    assert capfd.readouterr().err == ""


def test_with_one_core_nothing_is_started(small, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    with demo.beside(SMALL, tmp_path / CONTROL):
        pass
    assert not (tmp_path / CONTROL).exists()


def test_it_says_what_it_does_before_torch_is_loaded_which_takes_seconds(tmp_path):
    code = (
        "import sys; sys.modules['spkit.cli.demo'] = None; from spkit.cli.main import main\n"
        "try: main()\n"
        "except ImportError: print('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code, "demo", "--out", tmp_path / "demo"]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    first, *_, loaded = done.stdout.splitlines()
    assert first.startswith("A tiny language model teaches itself longer sums") and loaded == "False", done.stderr
