"""Exported scripts run by themselves, and what they read is the run's."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip("trl", reason="needs the scale extra: make scale")

from datasets import load_from_disk
from transformers import AutoModelForCausalLM, AutoTokenizer

from spkit.cli.exporting import settings_of
from spkit.loops.rlvr import RlvrConfig
from spkit.policy import load_policy
from spkit.run.description import load_run
from spkit.stages.propose import fixed_problems
from spkit.tasks import load_task
from tests.command import recorded, run_command

RLVR = "rlvr --pool 6 --problems 4 --k 2 --batch-size 4 --iterations 2 --test-per-difficulty 1 --test-samples 1".split()
REST_EM = "rest-em --iterations 1 --problems 8 --k 2 --sft.steps 2 --validation-problems 0 --test-per-difficulty 1"
SPIN = "spin --iterations 2 --references 6 --batch-size 4 --test-per-difficulty 1 --exact-per-difficulty 1".split()
RUNS = {"rlvr": [*RLVR, "--clip-high", "inf"], "rest-em": [*REST_EM.split(), "--lora"], "spin": SPIN}


@pytest.mark.parametrize("name", RUNS)
def test_a_script_takes_a_step_by_itself(name, tmp_path, monkeypatch, capsys):
    run, to = tmp_path / "run", tmp_path / "script"
    code, said = run_command(monkeypatch, capsys, "run", *RUNS[name], "--out", str(run))
    assert code == 0, said
    code, said = run_command(monkeypatch, capsys, "export", str(run), "--to", str(to), "--as", "script")
    assert code == 0 and "python " in said, said
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": root}
    command = [sys.executable, str(to / "train.py"), "1"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "'loss'" in done.stdout, done.stdout
    saved = "adapter_model.safetensors" if "--lora" in RUNS[name] else "model.safetensors"
    assert (to / "trained" / saved).is_file()
    assert str(tmp_path) not in (to / "train.py").read_text()


def test_the_rows_of_a_script_are_the_problems_of_the_run(tmp_path, monkeypatch, capsys):
    run, to = tmp_path / "run", tmp_path / "script"
    assert run_command(monkeypatch, capsys, "run", *RUNS["rlvr"], "--out", str(run))[0] == 0
    config = settings_of(load_run(run)[0])
    assert config == RlvrConfig(
        2, pool=6, problems=4, k=2, batch_size=4, test_per_difficulty=1, test_samples=1, clip_high=float("inf")
    )
    assert run_command(monkeypatch, capsys, "export", str(run), "--to", str(to), "--as", "script")[0] == 0
    task, rows = load_task("sums"), load_from_disk(str(to / "rows"))
    asked = [one for t in (1, 2) for one in fixed_problems(task, config, t)]
    assert [row["prompt"] for row in rows] == [one.prompt for one in asked]
    assert [task.problem(config.seed, row["problem"]).prompt for row in rows] == [one.prompt for one in asked]
    model, policy = AutoModelForCausalLM.from_pretrained(to / "model"), load_policy("sums")
    ids = AutoTokenizer.from_pretrained(to / "model")("15+13=")["input_ids"]
    with torch.no_grad():
        assert torch.equal(*(one(torch.tensor([ids])).logits for one in (model, policy.model)))


def test_what_has_no_script_is_said(tmp_path, monkeypatch, capsys):
    run, to = tmp_path / "run", tmp_path / "script"
    given = "run rft --problems 4 --k 2 --sft.steps 1 --test-per-difficulty 1 --out".split()
    assert run_command(monkeypatch, capsys, *given, str(run))[0] == 0 and len(recorded(run)) == 2
    code, said = run_command(monkeypatch, capsys, "export", str(run), "--to", str(to), "--as", "script")
    assert code == 2 and "scripts are of runs of rlvr, rest_em, spin, not of rft" in said and not to.exists()
    assert run_command(monkeypatch, capsys, "run", *RUNS["rlvr"], "--out", str(tmp_path / "r"))[0] == 0
    description = json.loads((tmp_path / "r" / "config.json").read_text())
    for change, expected in (
        ({"base": "00000000"}, "is not the shipped model of its task"),
        ({"config": {**description["config"], "advantage": "rloo"}}, "no word for advantage=rloo"),
    ):
        (tmp_path / "r" / "config.json").write_text(json.dumps(description | change))
        code, said = run_command(monkeypatch, capsys, "export", str(tmp_path / "r"), "--to", str(to), "--as", "script")
        assert code == 2 and expected in said and not to.exists()
