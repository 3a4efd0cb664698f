"""What TRL has no word for, and processes that nobody launched, are refused in one sentence."""

import importlib.util
from importlib import metadata

import pytest

from spkit.engines.installed import check_trl, processes
from spkit.engines.rewards import judge_ids, score
from spkit.engines.translate import check_translatable, grpo_settings, rows_of_a_process
from spkit.loops.rlvr import RlvrConfig
from spkit.policy import load_policy
from spkit.run.errors import SpkitError
from spkit.tasks import Verdict, load_task
from tests.command import run_command

LAUNCHED = {"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0", "MASTER_ADDR": "localhost", "MASTER_PORT": "29500"}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"reward": "majority"}, "no word for reward=majority: choose reward among gold, steps, all_steps, graded"),
        ({"reward": "random"}, "no word for reward=random"),
        ({"advantage": "rloo"}, "no word for advantage=rloo"),
        ({"advantage": "reinforce_pp"}, "no word for advantage=reinforce_pp"),
        ({"kl": "k1", "kl_coef": 0.1}, "no word for kl=k1"),
        ({"batch_size": 100}, "divides the 64 x 8 samples"),
    ],
)
def test_a_setting_without_a_word_is_named(settings, said):
    with pytest.raises(SpkitError, match=said):
        check_translatable(RlvrConfig(**settings))


def test_an_estimate_that_has_no_weight_is_no_obstacle():
    check_translatable(RlvrConfig(kl="k1"))


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("rows", [5, 32, 1000])
def test_any_number_of_processes_takes_the_same_steps(count, rows):
    config = RlvrConfig(rows_at_once=rows, epochs=3)
    found = grpo_settings(config, count, 50)
    one_pass = found["per_device_train_batch_size"] * count
    assert found["per_device_train_batch_size"] <= rows
    assert one_pass * found["gradient_accumulation_steps"] == config.batch_size
    assert one_pass * found["steps_per_generation"] == config.problems * config.k
    assert found["max_steps"] == config.iterations * 4 * 3


def test_rows_that_cannot_be_shared_are_refused():
    with pytest.raises(SpkitError, match="3 processes cannot share the 128 rows of a step"):
        rows_of_a_process(RlvrConfig(), 3)


def test_two_processes_without_a_launcher_are_refused():
    with pytest.raises(SpkitError, match="WORLD_SIZE asks for 2 processes and RANK is not set: start them with"):
        processes({"WORLD_SIZE": "2"})
    assert processes(LAUNCHED) == 2 and processes({}) == 1
    with pytest.raises(SpkitError, match="MASTER_PORT is not set"):
        processes({name: word for name, word in LAUNCHED.items() if name != "MASTER_PORT"})
    with pytest.raises(SpkitError, match="WORLD_SIZE is 'two'"):
        processes({"WORLD_SIZE": "two"})


def test_trl_that_is_missing_or_untried_is_refused(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "trl" else True)
    with pytest.raises(SpkitError, match="needs the package trl: pip install"):
        check_trl()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: True)
    monkeypatch.setattr(metadata, "version", lambda name: "0.9.0")
    with pytest.raises(SpkitError, match=r"tried with TRL 1\.16\.0, and 0\.9\.0 is installed"):
        check_trl()


@pytest.mark.parametrize(
    ("arguments", "environment", "missing", "version", "said"),
    [
        (["--engine", "trl"], {}, "trl", "", "the engine trl needs the package trl: pip install 'selfplay-kit[scale]'"),
        (["--engine", "trl"], {}, "datasets", "", "the engine trl needs the package datasets"),
        (["--engine", "trl"], {}, "", "0.9.0", "tried with TRL 1.16.0, and 0.9.0 is installed: pip install"),
        (["--track", "wandb"], {}, "wandb", "", "--track wandb needs the package wandb: pip install wandb"),
        (["--engine", "trl"], {"WORLD_SIZE": "2"}, "", "", "WORLD_SIZE asks for 2 processes and RANK is not set"),
        ([], {"WORLD_SIZE": "2"}, "", "", "WORLD_SIZE asks for 2 processes and RANK is not set"),
        ([], LAUNCHED, "", "", "our own engine runs in one process: add --engine trl"),
        (["--vllm", "colocate"], {}, "", "", "vLLM draws samples for the engine trl alone"),
    ],
)
def test_the_command_says_what_is_missing_in_one_sentence(
    arguments, environment, missing, version, said, tmp_path, monkeypatch, capsys
):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else True)
    monkeypatch.setattr(metadata, "version", lambda name: version)
    for loop in ("rlvr", "star"):
        given = ["run", loop, *arguments, "--out", str(tmp_path / "run")]
        code, text = run_command(monkeypatch, capsys, *given)
        assert code == 2 and said in " ".join(text.split()) and "Traceback" not in text
        assert not (tmp_path / "run").exists()


def test_rewards_of_a_verdict():
    lucky, exact, half = (Verdict(True, 0.5, "1", 2), Verdict(True, 1.0, "1", 0), Verdict(False, 0.5, "2", 0))
    assert [score(one, "gold") for one in (lucky, exact, half)] == [1, 1, 0]
    assert [score(one, "steps") for one in (lucky, exact, half)] == [0, 1, 0]
    assert [score(one, "all_steps") for one in (lucky, exact, half)] == [0, 1, 0]
    assert [score(one, "graded") for one in (lucky, exact, half)] == [0.5, 1, 0.5]


def test_a_completion_that_was_cut_off_is_never_right():
    policy, task = load_policy("sums"), load_task("sums")
    problem = task.problem(0, 0)
    ids = policy.completion_ids(task.solution(problem))
    whole, cut = (judge_ids(policy, task, problem, part, "gold") for part in (ids, ids[:-1]))
    assert (whole.reward, whole.finished, cut.reward, cut.finished) == (1.0, True, 0.0, False)
    assert whole.text == cut.text == task.solution(problem)
