"""One process at a time writes to a run folder, and none that is dead keeps it."""

import json
import os
import platform
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from spkit.claims import Lab
from spkit.loops.star import StarConfig, star
from spkit.run.description import load_run
from spkit.run.errors import SpkitError
from spkit.run.files import read_jsonl
from spkit.run.folder import Run
from spkit.run.locks import hold
from spkit.run.progress import Silent
from spkit.tasks import load_task
from tests.conftest import make_policy

ROOT = Path(__file__).parents[2]
SMALL = StarConfig(iterations=2, problems_per_iteration=4, steps=1, batch_size=4, test_per_difficulty=1)
HOLDER = (
    "import sys, time; from pathlib import Path; from spkit.run.locks import hold\n"
    "held = hold(Path(sys.argv[1]), beside=len(sys.argv) > 2); print('held', flush=True); time.sleep(300)"
)


def small(folder: Path, **changes):
    return star(make_policy(), load_task("addition"), replace(SMALL, **changes), Run(folder))


@pytest.fixture
def other(request):
    """Starts a process that holds a folder."""
    started = []

    def start(folder: Path, *options: str) -> subprocess.Popen:
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-c", HOLDER, str(folder), *options]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT))
        assert started[-1].stdout.readline() == "held\n"
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_second_process_is_told_who_is_there_and_changes_nothing(tmp_path, other):
    list(small(tmp_path / "r", iterations=1))
    holder = other(tmp_path / "r")
    before = {path: path.read_bytes() for path in (tmp_path / "r").rglob("*") if path.is_file()}
    with pytest.raises(
        SpkitError,
        match=rf"is in use by process {holder.pid} on {platform.node()} since 20.*stop it, or choose another",
    ):
        list(small(tmp_path / "r"))
    assert before == {path: path.read_bytes() for path in (tmp_path / "r").rglob("*") if path.is_file()}
    assert len(load_run(tmp_path / "r")[1]) == 2, "reading needs no lock"
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert len(list(small(tmp_path / "r"))) == 3, "the lock of a dead process is taken over"
    rows = read_jsonl(tmp_path / "r" / "samples.jsonl")
    assert len(rows) == len({(row["iteration"], row["prompt"]) for row in rows})


@pytest.mark.whole
def test_what_another_process_left_behind_does_not_count_but_another_host_does(tmp_path):
    folder = tmp_path / "r"
    list(small(folder, iterations=1))
    note = {"token": "t", "pid": os.getpid(), "host": platform.node(), "started": None, "since": "2020-01-01T00:00:00Z"}
    for left in (
        json.dumps(note),
        json.dumps({**note, "pid": 1}),
        "",
        "[]",
        '{"pid": 3}',
        "\xff",
    ):  # our own number again, after a reboot
        (folder / ".owner.json").write_text(left)
        assert len(list(small(folder, iterations=1))) == 2 and not (folder / ".owner.json").exists()
    (folder / ".owner.json").write_text(json.dumps({**note, "host": "elsewhere"}))
    with pytest.raises(
        SpkitError, match=r"in use by process \d+ on elsewhere since 2020.*delete .*\.owner\.json and start again"
    ):
        list(small(folder))
    assert (folder / ".owner.json").exists(), "it is not taken over silently"
    (folder / ".owner.json").unlink()
    assert len(list(small(folder))) == 3


def test_a_cell_that_is_run_again_goes_on_and_the_old_generator_stops(tmp_path):
    folder = tmp_path / "r"
    old = small(folder)
    assert [next(old)["iteration"], next(old)["iteration"]] == [0, 1]
    new = small(folder)
    assert [next(new)["iteration"], next(new)["iteration"]] == [0, 1]
    with pytest.raises(SpkitError, match="was started again since, so this older run of it writes no more"):
        next(old)
    assert next(new)["iteration"] == 2 and len(list(small(folder))) == 3
    rows = read_jsonl(folder / "samples.jsonl")
    assert len(rows) == len({(row["iteration"], row["prompt"]) for row in rows})


def free(folder: Path) -> bool:
    """Whether another process can hold the folder."""
    script = "import sys; from pathlib import Path; from spkit.run.locks import hold; hold(Path(sys.argv[1]))"
    return subprocess.run([sys.executable, "-c", script, str(folder)], cwd=ROOT, capture_output=True).returncode == 0


def test_a_folder_is_let_go_when_the_run_is_finished_closed_forgotten_or_refused(tmp_path):
    run = Run(tmp_path / "r")
    records = star(make_policy(), load_task("addition"), SMALL, run)
    next(records)
    assert not free(tmp_path / "r")
    list(records)
    assert free(tmp_path / "r"), "finished, while `run` is still there"
    begun = Run(tmp_path / "r")
    begun.start(
        json.loads((tmp_path / "r" / "config.json").read_text())
        | {"config": {**json.loads((tmp_path / "r" / "config.json").read_text())["config"], "iterations": 9}},
        make_policy(),
    )
    assert not free(tmp_path / "r")
    begun.close()
    assert free(tmp_path / "r")
    waiting = small(tmp_path / "r", iterations=9)
    next(waiting)
    assert not free(tmp_path / "r")
    del waiting
    assert free(tmp_path / "r"), "forgotten"
    with pytest.raises(SpkitError, match="holds a run with"):
        list(small(tmp_path / "r", seed=5))
    assert free(tmp_path / "r"), "refused"


def test_runs_of_claims_and_checkpoints_under_way_are_held_too(tmp_path, other, monkeypatch, capsys):
    from spkit.claims.base import Experiment
    from spkit.cli.main import main

    other(tmp_path / "work" / "tiny-seed0")
    lab = Lab(tmp_path / "work", {"tiny": Experiment(star, SMALL, "addition", 1)}, Silent())
    with pytest.raises(SpkitError, match="tiny-seed0 is in use by process"):
        lab.records("tiny", 0)
    other(tmp_path / "models" / "mine", "beside")
    monkeypatch.setattr(sys, "argv", ["spkit", "pretrain", "addition", "--out", str(tmp_path / "models" / "mine")])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2 and "mine is in use by process" in capsys.readouterr().err


def test_a_note_that_was_deleted_is_written_again(tmp_path):
    held = hold(tmp_path)
    (tmp_path / ".owner.json").unlink()
    held.check()
    assert json.loads((tmp_path / ".owner.json").read_text())["pid"] == os.getpid()
    held.release()
    assert not (tmp_path / ".owner.json").exists()
