"""TRL's trainer beside our loop, on one process and two, killed and started again (4 minutes on one core)."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("trl", reason="needs the scale extra: make scale")

from tests.command import recorded

ROOT = Path(__file__).parents[2]
SMALL = "--task sums --pool 16 --problems 8 --k 4 --batch-size 16 --test-per-difficulty 2 --test-samples 2".split()
ARGUMENTS = ["run", "rlvr", *SMALL, "--iterations", "3"]
ENVIRONMENT = {
    **{name: word for name, word in os.environ.items() if name not in ("WORLD_SIZE", "RANK")},
    "PYTHONPATH": str(ROOT),
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "COLUMNS": "300",
}
KEYS = ("iteration", "reward", "useful_groups", "sampled_accuracy", "accuracy", "sampled_tokens", "optimizer_steps")


def free_port() -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


def started(arguments: list[str], processes: int = 1, module: str = "spkit", **environment: str):
    launcher = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", str(processes)]
    launcher += ["--main_process_port", free_port(), "--num_machines", "1", "--mixed_precision", "no"]
    launcher += ["--dynamo_backend", "no"]
    command = [sys.executable, *(launcher if processes > 1 else []), "-m", *module.split(), *arguments]
    given = {**ENVIRONMENT, **environment}
    return subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, timeout=200)


def curve(folder: Path) -> list[tuple]:
    return [tuple(row.get(key) for key in KEYS) for row in recorded(folder)]


@pytest.fixture(scope="module")
def one(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("one") / "run"
    done = started([*ARGUMENTS, "--engine", "trl", "--out", str(folder)])
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def ours(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("ours") / "run"
    assert started([*ARGUMENTS, "--out", str(folder)]).returncode == 0
    return folder


def test_the_first_iteration_has_the_samples_of_our_engine(one, ours):
    """Before the first step both have the base's weights, so samples and verdicts are the same, one by one."""
    assert curve(one)[:1] == curve(ours)[:1]
    assert curve(one)[1][:4] == curve(ours)[1][:4] and curve(one)[1][5:] == curve(ours)[1][5:]
    assert abs(recorded(one)[3]["reward"] - recorded(ours)[3]["reward"]) < 0.35  # the order of the steps is another


def test_one_step_an_iteration_is_our_step(tmp_path):
    """Without an order of steps there is nothing left that differs but rounding."""
    found = []
    for engine in ("trl", "spkit"):
        given = [*ARGUMENTS, "--batch-size", "32", "--engine", engine, "--out", str(tmp_path / engine)]
        assert started(given).returncode == 0
        found.append(recorded(tmp_path / engine))
    for theirs, own in zip(*found, strict=True):
        assert theirs["reward"] == own["reward"] if "reward" in own else theirs["accuracy"] == own["accuracy"]
    assert abs(found[0][1]["learned"]["loss"] - found[1][1]["learned"]["loss"]) < 1e-5
    assert abs(found[0][1]["learned"]["grad_norm"] - found[1][1]["learned"]["grad_norm"]) < 1e-4


def test_two_processes_give_the_first_loss_and_the_curve_of_one(tmp_path):
    folders = {}
    for count in (1, 2):
        folders[count] = tmp_path / str(count)
        given = [*ARGUMENTS, "--batch-size", "32", "--engine", "trl", "--out", str(folders[count])]
        done = started(given, count)
        assert done.returncode == 0, done.stderr
        assert f"on {count} process(es)" in done.stderr, "the launcher started as many as it was asked for"
    first = {count: recorded(folder)[1]["learned"]["loss_first"] for count, folder in folders.items()}
    assert abs(first[1] - first[2]) < 1e-4 and abs(first[1]) > 1e-3
    rewards = {count: [row["reward"] for row in recorded(folder)[1:]] for count, folder in folders.items()}
    assert rewards[1][0] == rewards[2][0] and len(rewards[2]) == 3
    assert all(abs(a - b) < 0.2 for a, b in zip(rewards[1], rewards[2]))
    assert not (folders[2] / ".owner.json").exists()


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    assert started([*ARGUMENTS, "--engine", "trl", "--out", str(folder)], 2).returncode == 0
    return folder


@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_killed_in_mid_run_goes_on_from_the_last_record(tmp_path, whole, rank):
    killed = tmp_path / "killed"
    given = [*ARGUMENTS, "--engine", "trl", "--out", str(killed)]
    assert started([str(rank), "3", *given], 2, "tests.engines.killed_rank").returncode != 0
    assert [row["iteration"] for row in recorded(killed)] == [0, 1, 2]
    done = started(given, 2)
    assert done.returncode == 0, done.stderr
    assert curve(killed) == curve(whole), "no record is lost or doubled, and each is the one of a run that went on"
    steps = sorted(path.stem for path in (killed / "trl" / "completions").glob("*.parquet"))
    assert steps == sorted(path.stem for path in (whole / "trl" / "completions").glob("*.parquet"))


def test_diagnose_reads_the_run_and_the_completions(one):
    for folder in (one, one / "trl"):
        done = started(["diagnose", str(folder), "--json"])
        assert done.returncode == 0 and '"schema": "spkit-diagnosis/1"' in done.stdout, done.stderr


def test_a_run_of_one_engine_is_not_continued_by_the_other(one):
    done = started([*ARGUMENTS, "--out", str(one)])
    assert done.returncode == 2 and "engine = 'trl', not None" in done.stderr


def test_adapters_are_trained_and_the_base_stays(tmp_path):
    given = ["run", "rlvr", *SMALL, "--iterations", "1", "--lora", "--engine", "trl", "--out", str(tmp_path / "run")]
    done = started(given)
    assert done.returncode == 0, done.stderr
    saved = tmp_path / "run" / "checkpoints" / "iteration-0001" / "adapter_model.safetensors"
    from safetensors.torch import load_file

    assert any(part.abs().max() > 0 for name, part in load_file(saved).items() if "lora_B" in name)
    assert started([*given, "--iterations", "2"]).returncode == 0
    assert len(recorded(tmp_path / "run")) == 3


def test_a_port_that_is_taken_is_said(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        told = {"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1"}
        port = str(taken.getsockname()[1])
        done = started([*ARGUMENTS, "--engine", "trl", "--out", str(tmp_path / "x")], MASTER_PORT=port, **told)
    assert done.returncode == 2 and f"port {port} is taken: choose another" in done.stderr, done.stderr[-500:]


def test_bad_input_is_one_sentence_and_writes_nothing(tmp_path):
    done = started([*ARGUMENTS, "--engine", "trl", "--reward", "majority", "--out", str(tmp_path / "run")])
    assert done.returncode == 2 and "no word for reward=majority" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()
