"""Runs: killed and resumed equals uninterrupted; errors leave the last good state."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file

from spkit.loops.rlvr import rlvr
from spkit.loops.star import StarConfig, star
from spkit.policy import Policy, load_policy
from spkit.run.description import load_run
from spkit.run.errors import SpkitError
from spkit.run.files import finish_before_interrupt, read_jsonl, write_atomic
from spkit.run.folder import Run
from spkit.tasks import load_task
from tests.conftest import make_policy
from tests.helpers import whole
from tests.killed_run import LOOPS, kill, records

SMALL = StarConfig(iterations=2, problems_per_iteration=5, steps=1, batch_size=4, test_per_difficulty=1)
POINTS = [
    "learn",
    "metrics-half",
    *whole("solve", "solve-2", "measure", "checkpoint-half", "checkpoint-done", "samples-done", "metrics-done"),
]


def comparable(rows: list[dict]) -> list[dict]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted") / "run"
    rows = records(Run(folder))
    assert len({row["accuracy"] for row in rows}) > 1 or rows[1]["kept"] > 0, "the run must do something"
    assert all(row["kept"] > 0 and row["rationalized"] > 0 for row in rows[1:])
    return folder


@pytest.mark.parametrize("point", POINTS)
def test_killed_and_resumed_equals_uninterrupted(point, uninterrupted, tmp_path):
    folder = tmp_path / "run"
    iteration = 0 if point == "measure" else 2
    kill(folder, "star", iteration, point)
    assert len(read_jsonl(folder / "metrics.jsonl")) == iteration + (point == "metrics-done")
    resumed = records(Run(folder))
    assert comparable(resumed) == comparable(read_jsonl(uninterrupted / "metrics.jsonl"))
    for name in ("config.json", "samples.jsonl"):
        assert (folder / name).read_text() == (uninterrupted / name).read_text()
    assert not list(folder.rglob(".partial-*.json*")) or point == "metrics-half"


@pytest.mark.parametrize(
    ("loop", "sampling", "learning"),
    [("rest_em", "solve", "learn"), *whole(("collapse", "solve", "learn"), ("spin", "solve", "learn"))],
)
def test_what_earlier_iterations_stored_survives_a_kill(loop, sampling, learning, tmp_path):
    whole = comparable(records(Run(tmp_path / "whole"), loop))
    for point in (sampling, "data-done", learning):
        kill(tmp_path / point, loop, 3, point)
        assert comparable(records(Run(tmp_path / point), loop)) == whole
        for one in (tmp_path / "whole" / "data").iterdir():
            assert one.read_text() == (tmp_path / point / "data" / one.name).read_text()
    first = sorted((tmp_path / sampling / "data").iterdir())[0]
    first.unlink()
    (tmp_path / sampling / "metrics.jsonl").write_text(
        "".join((tmp_path / sampling / "metrics.jsonl").read_text().splitlines(True)[:3])
    )
    with pytest.raises(SpkitError, match=f"training data of iteration {int(first.stem[-4:])} is gone"):
        records(Run(tmp_path / sampling), loop)


@pytest.mark.whole
def test_a_verifier_that_is_retrained_on_its_own_verdicts_survives_a_kill(tmp_path):
    whole = comparable(records(Run(tmp_path / "whole"), "rest_em_scorer"))
    assert all(row["scorer"]["labelled"] == 30 for row in whole[1:]), "it is trained anew in every iteration"
    for point in ("verify", "learn"):
        kill(tmp_path / point, "rest_em_scorer", 3, point)
        assert comparable(records(Run(tmp_path / point), "rest_em_scorer")) == whole


@pytest.mark.whole
def test_the_moments_of_the_optimizer_survive_a_kill(tmp_path):
    whole = comparable(records(Run(tmp_path / "whole"), "rlvr"))
    assert all(row["learned"]["steps"] > 0 for row in whole[1:])
    for point in ("learn", "measure-2"):
        kill(tmp_path / point, "rlvr", 3, point)
        assert comparable(records(Run(tmp_path / point), "rlvr")) == whole
    state = tmp_path / "learn" / "checkpoints" / "iteration-0003" / "state.safetensors"
    assert (
        state.read_bytes() == (tmp_path / "whole" / "checkpoints" / "iteration-0003" / "state.safetensors").read_bytes()
    )
    os.truncate(state, 100)
    with pytest.raises(SpkitError, match=r"state\.safetensors is gone or damaged: delete the folder"):
        list(
            rlvr(
                load_policy("sums"), load_task("sums"), replace(LOOPS["rlvr"][2], iterations=4), Run(tmp_path / "learn")
            )
        )


@pytest.mark.whole
def test_sft_that_was_killed_goes_on_as_if_it_had_not_been(tmp_path):
    whole = comparable(records(Run(tmp_path / "whole"), "sft"))
    assert [row["optimizer_steps"] for row in whole] == [0, 3, 6, 9], "12 solutions, 5 a step"
    assert ["accuracy" in row for row in whole] == [True, False, True, True]
    kill(tmp_path / "killed", "sft", 3, "learn")
    assert comparable(records(Run(tmp_path / "killed"), "sft")) == whole


def test_a_run_that_was_begun_before_anything_was_counted_goes_on_without_totals(tmp_path):
    policy, run = make_policy(), Run()
    run.spend(sampled_tokens=3)
    assert [run.record(0, policy, [])[name] for name in ("sampled_tokens", "optimizer_steps")] == [3, 0]
    run.spend(sampled_tokens=2, optimizer_steps=1, gold_tokens=5)
    row = run.record(1, policy, [])
    assert (row["sampled_tokens"], row["optimizer_steps"], row["gold_tokens"]) == (5, 1, 5)
    old = Run()
    old.records = [{"iteration": 0}]
    old.spend(optimizer_steps=1)
    assert "optimizer_steps" not in old.record(1, policy, []), "a total that misses its beginning is none"


@pytest.mark.whole
def test_the_buffers_and_the_means_of_self_play_survive_a_kill(tmp_path):
    whole = comparable(records(Run(tmp_path / "whole"), "absolute_zero"))
    assert all(row["learned"]["steps"] > 0 and row["baselines"] for row in whole[1:])
    assert whole[3]["buffers"]["deduction"] > whole[1]["buffers"]["deduction"] > 1
    samples = (tmp_path / "whole" / "samples.jsonl").read_text()
    for iteration, point in ((1, "propose"), (3, "solve"), (2, "checkpoint-done")):
        folder = tmp_path / f"{point}-{iteration}"
        kill(folder, "absolute_zero", iteration, point)
        assert comparable(records(Run(folder), "absolute_zero")) == whole
        assert (folder / "samples.jsonl").read_text() == samples
        state = [one / "checkpoints" / "iteration-0003" / "state.safetensors" for one in (folder, tmp_path / "whole")]
        assert load_file(state[0])["buffers"].equal(load_file(state[1])["buffers"])


@pytest.mark.parametrize("points", [[(3, "learn")], *whole([(1, "solve"), (2, "measure-2"), (2, "checkpoint-done")])])
def test_past_selves_and_the_anchor_of_a_game_survive_a_kill(points, tmp_path):
    whole = comparable(records(Run(tmp_path / "whole"), "game_self_play"))
    assert all(row["learned"]["steps"] > 0 and row["baselines"] for row in whole[1:])
    assert whole[1]["learned"]["kl"] != whole[3]["learned"]["kl"], "the anchor moves"
    for iteration, point in points:
        folder = tmp_path / f"{point}-{iteration}"
        kill(folder, "game_self_play", iteration, point)
        assert comparable(records(Run(folder), "game_self_play")) == whole
        assert (folder / "samples.jsonl").read_text() == (tmp_path / "whole" / "samples.jsonl").read_text()
        state = [one / "checkpoints" / "iteration-0003" / "state.safetensors" for one in (folder, tmp_path / "whole")]
        assert state[0].read_bytes() == state[1].read_bytes()


def small_policy(seed: int = 0) -> Policy:
    """One that writes little, since it never ends a text before its context does."""
    return make_policy(seed, context=40)


def run_small(folder: Path, **changes) -> list[dict]:
    return list(star(small_policy(), load_task("addition"), replace(SMALL, **changes), Run(folder)))


def test_another_config_is_refused_and_named(tmp_path):
    run_small(tmp_path / "r")
    before = {path: path.read_bytes() for path in (tmp_path / "r").rglob("*") if path.is_file()}
    with pytest.raises(SpkitError, match=r"holds a run with config\.seed = 0, not 7"):
        run_small(tmp_path / "r", seed=7)
    with pytest.raises(SpkitError, match="base = "):
        list(star(small_policy(1), load_task("addition"), SMALL, Run(tmp_path / "r")))
    assert before == {path: path.read_bytes() for path in (tmp_path / "r").rglob("*") if path.is_file()}


def test_more_iterations_extend_a_run_and_fewer_repeat_its_records(tmp_path):
    two = run_small(tmp_path / "r")
    four = run_small(tmp_path / "r", iterations=4)
    assert four[:3] == two and len(four) == 5
    assert comparable(four) == comparable(run_small(tmp_path / "other", iterations=4))
    assert run_small(tmp_path / "r", iterations=1) == two[:2]


def test_a_truncated_checkpoint_says_what_to_do_and_doing_it_works(tmp_path):
    whole = run_small(tmp_path / "r")
    weights = tmp_path / "r" / "checkpoints" / "iteration-0002" / "model.safetensors"
    os.truncate(weights, weights.stat().st_size // 2)
    with pytest.raises(SpkitError, match="incomplete or damaged.*delete the folder"):
        run_small(tmp_path / "r", iterations=3)
    assert read_jsonl(tmp_path / "r" / "metrics.jsonl") == whole
    shutil.rmtree(weights.parent)
    assert comparable(run_small(tmp_path / "r", iterations=3))[:3] == comparable(whole)


@pytest.mark.parametrize("victim", ["checkpoint", "metrics"])
def test_a_full_disk_is_one_sentence_and_loses_nothing(tmp_path, monkeypatch, victim):
    whole = run_small(tmp_path / "whole", iterations=3)
    one = run_small(tmp_path / "r", iterations=1)

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        if victim == "checkpoint":
            patch.setattr(
                Policy,
                "save",
                lambda self, folder: (Path(folder).mkdir(), (Path(folder) / "half").write_text("x"), full()),
            )
        else:
            patch.setattr(os, "fsync", full)
        with pytest.raises(SpkitError, match=r"could not write to .*No space left on device\): .* start"):
            run_small(tmp_path / "r", iterations=3)
    assert read_jsonl(tmp_path / "r" / "metrics.jsonl") == one
    assert not list((tmp_path / "r").rglob(".partial-*"))
    assert comparable(run_small(tmp_path / "r", iterations=3)) == comparable(whole)


@pytest.mark.whole
def test_a_really_full_disk_while_saving_weights(tmp_path):
    """The file size limit makes the operating system refuse the write in the middle, as a full disk does."""
    script = (
        "import resource, signal, sys; from pathlib import Path; from tests.run.test_folder import run_small\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "from spkit.run.errors import SpkitError\n"
        "try: run_small(Path(sys.argv[1]))\n"
        "except SpkitError as error: print(error); sys.exit(2)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "r")],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and "could not write to" in done.stdout, done.stderr
    assert len(read_jsonl(tmp_path / "r" / "metrics.jsonl")) == 1
    assert len(run_small(tmp_path / "r")) == 3


@pytest.mark.parametrize("out", ["file/below", "/proc/spkit-run"])
def test_an_unwritable_folder_is_one_sentence(tmp_path, out):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(SpkitError, match="could not write to .*choose a folder you can write to"):
        run_small(tmp_path / out)


def test_damaged_files_are_named(tmp_path):
    run_small(tmp_path / "r")
    with open(tmp_path / "r" / "metrics.jsonl", "a") as file:
        file.write('{"iteration": 3, "accu')
    with pytest.raises(SpkitError, match=r"metrics\.jsonl line 4 is no JSON .*: delete that line and those after it"):
        run_small(tmp_path / "r", iterations=3)
    with pytest.raises(SpkitError, match="is not a run"):
        load_run(tmp_path)


def test_only_the_last_two_checkpoints_are_kept(tmp_path):
    run_small(tmp_path / "r", iterations=4)
    assert sorted(path.name for path in (tmp_path / "r" / "checkpoints").iterdir()) == [
        "iteration-0003",
        "iteration-0004",
    ]


def press_ctrl_c(delay: float) -> threading.Timer:
    timer = threading.Timer(delay, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    return timer


def test_the_first_ctrl_c_waits_for_the_write_and_the_second_does_not():
    finished = False
    with pytest.raises(KeyboardInterrupt), finish_before_interrupt():
        press_ctrl_c(0.05).join()
        time.sleep(0.1)
        finished = True
    assert finished
    finished = False
    with pytest.raises(KeyboardInterrupt), finish_before_interrupt():
        first, second = press_ctrl_c(0.05), press_ctrl_c(0.15)
        for timer in (first, second):
            timer.join()
        time.sleep(0.1)
        finished = True
    assert not finished
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_atomic_write_leaves_the_old_text_when_it_fails(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    write_atomic(path, "old")
    monkeypatch.setattr(os, "fsync", lambda fd: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    with pytest.raises(OSError):
        write_atomic(path, "new")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_run_without_a_folder_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = list(star(make_policy(), load_task("addition"), SMALL))
    assert [row["iteration"] for row in rows] == [0, 1, 2] and not list(tmp_path.iterdir())
    assert json.loads(json.dumps(rows)) == rows
