"""The command line as a person meets it: a process, its output, its exit code."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from spkit.cli import runs as cli_runs
from spkit.cli.main import main
from tests.helpers import whole

ROOT = Path(__file__).parents[2]
PROFILE = "profile: cpu (the default); model: the shipped model of each task, float32\n"
FAST = ["--iterations", "1", "--problems-per-iteration", "20", "--steps", "2", "--test-per-difficulty", "5"]


def spkit(*arguments: str, **options) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", "from spkit.cli.main import main; main()", *map(str, arguments)]
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "COLUMNS": "200",
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, **options)


@pytest.fixture
def inside(monkeypatch, capsys):
    """The command line without a process of its own, which takes seconds to start: (exit code, output, errors)."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["spkit", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code, *capsys.readouterr()

    return call


def test_run_show_and_resume(tmp_path, inside):
    first = spkit("run", "star", "--out", tmp_path / "r", *FAST)
    assert first.returncode == 0, first.stderr
    assert [line.split()[0] for line in first.stdout.splitlines()[:3]] == ["iteration", "0", "1"]
    assert "\x1b" not in first.stdout + first.stderr
    assert first.stderr == PROFILE
    again = inside("run", "star", "--out", tmp_path / "r", *FAST, "--json")[1]
    rows = [json.loads(line) for line in again.splitlines()]
    assert [row["iteration"] for row in rows] == [0, 1]
    shown = inside("show", tmp_path / "r")[1]
    assert shown.splitlines()[1] == first.stdout.splitlines()[1]
    assert (tmp_path / "r" / "dynamics.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "star", "--task", "adition"], "unknown task 'adition': choose one of addition"),
        (["run", "star", "--model", "gpt5"], "unknown model 'gpt5'"),
        (["run", "star", "--model", "tests"], "is not a checkpoint"),
        (["run", "star", "--iterations", "-3"], "iterations must be 0 or more, not -3"),
        (
            ["run", "star", "--restart", "never"],
            "invalid choice 'never' for argument '--restart'. Expected one of ('base', 'last')",
        ),
        (["run", "star", "--iterations", "0", "--out", "README.md/x"], "could not write to README.md/x"),
        (["run", "star", "--colour"], "Unrecognized options: --colour"),
        (["run", "starr"], "spkit run has no 'starr': choose one of star, rft, "),
        (["rum"], "spkit has no 'rum': choose one of run, demo, "),
        (["show", "nowhere"], "is not a run"),
        (["show"], "PATH a run folder (required) (see spkit show --help)"),
        (["pretrain", "additon"], "there is no recipe 'additon'"),
        (["pretrain", "addition", "--clean"], "'addition' has no clean variant"),
        (["pretrain", "quiet", "--half"], "quiet has one precision: leave --half out"),
        (["reproduce", "spin-last", "--other-bases"], "spin-last has no other bases, only claims on sums"),
        (["reproduce", "star-is-born"], "there is no claim 'star-is-born'"),
        (["reproduce", "--seeds", "1"], "at least 2 seeds"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(arguments, message, inside):
    code, _, errors = inside(*arguments)
    assert code == 2 and message in errors


def test_a_process_with_bad_input_ends_with_exit_code_2():
    done = spkit("run", "starr", cwd=ROOT)  # which is known without importing torch
    assert done.returncode == 2 and done.stderr.startswith("spkit: ") and "Traceback" not in done.stderr


TINY = ["--problems", "10", "--sft.steps", "2", "--sft.batch-size", "8", "--test-per-difficulty", "2"]


@pytest.mark.parametrize(
    ("command", "columns"),
    [
        (["rft", "--k", "2"], "kept  kept wrong  wrong steps  seconds"),
        *whole(
            (["rest", "--iterations", "1", "--k", "2", "--real", "5"], "kept  kept wrong  wrong steps  seconds"),
            (
                ["rest-em", "--iterations", "1", "--k", "2", "--validation-problems", "5"],
                "kept  kept wrong  wrong steps  seconds",
            ),
        ),
        (["collapse", "--iterations", "1"], "kept  kept wrong  perplexity  entropy    tail  seconds"),
    ],
)
def test_every_loop_prints_its_table_and_started_again_its_records(command, columns, tmp_path, inside):
    code, first, errors = inside("run", *command, *TINY, "--out", tmp_path / "r")
    assert (code, errors) == (0, PROFILE)
    head, *rows = first.splitlines()[:3]
    assert head.endswith(f"terms   {columns}") and [row.split()[0] for row in rows] == ["0", "1"]
    assert {len(line) for line in (head, *rows)} == {len(head)}, "the numbers stand below their headings"
    again = inside("run", *command, *TINY, "--out", tmp_path / "r", "--json")[1]
    assert [json.loads(line)["iteration"] for line in again.splitlines()] == [0, 1]
    described = json.loads((tmp_path / "r" / "config.json").read_text())
    assert described["config"]["sft"]["steps"] == 2 and described["config"].get("real", 5) == 5
    code, shown, _ = inside("show", tmp_path / "r")
    assert code == 0 and shown.splitlines()[:3] == [head, *rows]


def test_self_play_prints_its_table_with_dashes_where_it_did_not_look(tmp_path, inside):
    command = [
        "run",
        "absolute-zero",
        "--iterations",
        "3",
        "--tasks",
        "2",
        "--k",
        "2",
        "--proposer.seed-rounds",
        "1",
        "--measure-every",
        "2",
    ]
    command += [
        "--kinds",
        "deduction,abduction",
        "--test-per-difficulty",
        "2",
        "--test-samples",
        "2",
        "--out",
        tmp_path / "r",
    ]
    code, first, errors = inside(*command)
    assert (code, errors) == (0, PROFILE)
    head, *rows = first.splitlines()[:5]
    assert head.endswith("depth  valid  proposed  solved  useful  vote gap  seconds") and [
        row.split()[0] for row in rows
    ] == list("0123")
    assert {len(line) for line in (head, *rows)} == {len(head)}, "the numbers stand below their headings"
    assert rows[1].split()[1:7] == ["-"] * 6 and "-" not in rows[2].split()[1:7]
    described = json.loads((tmp_path / "r" / "config.json").read_text())
    assert described["method"] == "absolute_zero" and described["config"]["kinds"] == ["deduction", "abduction"]
    code, shown, _ = inside("show", tmp_path / "r")
    assert code == 0 and shown.splitlines()[:5] == [head, *rows] and (tmp_path / "r" / "dynamics.png").exists()
    again = inside(*command, "--json")[1]
    assert [json.loads(line)["iteration"] for line in again.splitlines()] == [0, 1, 2, 3]


def test_rlvr_prints_its_table_and_extends_its_run(tmp_path, inside):
    quick = [
        "run",
        "rlvr",
        "--problems",
        "8",
        "--k",
        "3",
        "--batch-size",
        "12",
        "--test-per-difficulty",
        "2",
        "--test-samples",
        "2",
    ]
    quick += ["--advantage", "rloo", "--clip-high", "inf", "--reward", "graded", "--out", tmp_path / "r"]
    code, first, errors = inside(*quick, "--iterations", "1")
    assert (code, errors) == (0, PROFILE)
    head, *rows = first.splitlines()[:3]
    assert head.endswith("terms sampled  reward  useful      KL  entropy  seconds") and {
        len(line) for line in rows
    } == {len(head)}
    again = inside(*quick, "--iterations", "2", "--json")[1]
    records = [json.loads(line) for line in again.splitlines()]
    assert [record["iteration"] for record in records] == [0, 1, 2] and records[2]["samples_drawn"] == 24
    assert json.loads((tmp_path / "r" / "config.json").read_text())["config"]["advantage"] == "rloo"
    assert inside("show", tmp_path / "r")[1].splitlines()[:3] == [head, *rows]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["rft", "--filter.verifier", "golden"],
            "invalid choice 'golden' for argument '--filter.verifier'. "
            "Expected one of ('gold', 'steps', 'all_steps', 'noisy', 'majority', 'none', 'random', 'random_all_steps')",
        ),
        (["rest", "--thresholds", "0.9,0.7"], "thresholds must lie within [0, 1) and not fall"),
        (
            ["rest", "--thresholds", "low,high"],
            "--thresholds: must be numbers with commas between them, like 0.1,0.7,0.9, not 'low'",
        ),
        (["rest", "--real", "-1"], "real must be 0 or more, not -1"),
        (["rest-em", "--sft.steps", "0"], "steps must be 1 or more, not 0"),
        (["rest-em", "--filter.cap", "-1"], "cap must be 1 or more, not -1"),
        (["rest-em", "--filter.cap", "few"], "--filter.cap: must be a whole number or None, not 'few'"),
        (["rlvr", "--k", "two"], "--k: must be a whole number, not 'two'"),
        (["rlvr", "--kl-coef", "much"], "--kl-coef: must be a number, not 'much'"),
        (["spin", "--beta", "0.1,"], "--beta: must be numbers with commas between them"),
        (
            ["rlvr", "--preset", "ppo"],
            "preset must be one of paper, grpo, dapo, dr_grpo, rloo, reinforce_pp, not 'ppo'",
        ),
        (["rlvr", "--preset"], "Missing value for argument '--preset'"),
        (
            ["rlvr", "--reward", "golden"],
            "invalid choice 'golden' for argument '--reward'. "
            "Expected one of ('gold', 'steps', 'all_steps', 'noisy', 'majority', 'graded', 'random', "
            "'random_all_steps')",
        ),
        (["rlvr", "--k", "1"], "k must be 2 or more, not 1"),
        (["rlvr", "--clip-low", "0"], "clip_low must be positive, not 0.0"),
        (["rlvr", "--pool", "10"], "pool must hold the 64 problems of an iteration, not 10"),
        (["collapse", "--task", "addition"], "the real text of 'addition' has no known distribution"),
        (["collapse", "--regime", "forget"], "'--regime'. Expected one of ('replace', 'accumulate', 'mix')"),
        (["absolute-zero", "--kinds", "induction"], "add one of the two to kinds"),
        (
            ["absolute-zero", "--proposer.reward", "2-r"],
            "invalid choice '2-r' for argument '--proposer.reward'. Expected one of ('1-r', '1-2|r-1/2|', "
            "'min(r,1-r)-dup', '0<r<1', 'variance', 'hardness', 'constant')",
        ),
        (["absolute-zero", "--task", "sums"], "needs a task whose problems can be proposed"),
    ],
)
def test_bad_settings_of_a_loop_are_one_sentence_and_exit_code_2(arguments, message, inside, tmp_path):
    code, _, errors = inside("run", *arguments, "--out", tmp_path / "r")
    assert code == 2 and errors.startswith("spkit: ") and message in errors and errors.count("\n") == 1
    assert not (tmp_path / "r").exists()


def test_another_config_in_the_folder(tmp_path, inside):
    command = ["run", "star", "--out", tmp_path / "r", "--iterations", "0", "--test-per-difficulty", "2"]
    assert inside(*command)[0] == 0
    code, _, errors = inside(*command, "--seed", "5")
    assert code == 2 and "config.seed = 0, not 5" in errors


@pytest.mark.whole
def test_ctrl_c_says_how_to_continue_and_continuing_works(tmp_path, inside):
    folder = tmp_path / "r"
    code = "from spkit.cli.main import main; main()"
    command = [
        sys.executable,
        "-c",
        code,
        "run",
        "star",
        "--out",
        str(folder),
        "--iterations",
        "50",
        "--problems-per-iteration",
        "50",
        "--steps",
        "5",
    ]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
    )
    deadline = time.time() + 120
    while time.time() < deadline and not (
        (folder / "metrics.jsonl").exists() and len((folder / "metrics.jsonl").read_text().splitlines()) > 1
    ):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (
        process.returncode == 130 and "start the same command again to continue" in errors and "Traceback" not in errors
    )
    done = len((folder / "metrics.jsonl").read_text().splitlines())
    more = ["--out", folder, "--iterations", done, "--problems-per-iteration", "50", "--steps", "5", "--json"]
    code, resumed, _ = inside("run", "star", *more)
    assert code == 0 and len(resumed.splitlines()) == done + 1


def test_env_says_which_package_and_which_device(inside):
    rows = json.loads(inside("env", "--json")[1])
    assert str(ROOT / "spkit") in rows["spkit"] and "addition" in rows["tasks"] and "addition" in rows["models"]
    assert rows["device"].startswith(("cpu", "cuda")) and rows["sandbox"].startswith("monty: pydantic-monty")


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["run"],
        ["run", "star"],
        ["run", "rest-em"],
        ["run", "rlvr"],
        ["show"],
        ["presets"],
        ["pretrain"],
        ["env"],
        ["demo"],
        ["reproduce"],
    ],
)
def test_help_everywhere(command, inside):
    code, said, _ = inside(*command, "--help")
    assert code == 0 and "usage: spkit" in said and len(said) > 200


def test_a_task_with_a_source_has_a_run_folder_of_one_level():
    assert cli_runs.default_folder("star", "gsm8k:data/problems/x", 3) == Path("runs/star-gsm8k-data-problems-x-seed3")
    assert cli_runs.default_folder("rest-em", "word_problems", 0) == Path("runs/rest-em-word_problems-seed0")
