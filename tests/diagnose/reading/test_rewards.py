"""What is a reward is decided by name, type and range: nothing else that holds numbers is added to it."""

import json

import pytest

from spkit.diagnose.reading import ColumnMap, Log, parse_reward
from spkit.diagnose.reading.reward_choice import chosen_rewards
from spkit.run.errors import SpkitError

polars = pytest.importorskip("polars")
pytest.importorskip("pyarrow")

REWARDS = {  # what functions are called, in TRL and in what people write for it
    "accuracy_reward": [0.0, 1.0],
    "think_format_reward": [1.0, 0.5],
    "get_soft_overlong_punishment_reward": [-0.25, 0.0],
    "correctness_reward_func": [2.0, 0.0],
    "xmlcount_func": [0.125, 0.5],
    "reward_len": [-3.0, -20.0],
    "AccuracyReward": [0.0, 1.0],
    "rewards/accuracy": [0.0, 1.0],
    "length_reward": [250.0, 300.0],
    "judge_score": [7.0, 9.0],
}
NO_REWARDS = {
    "completion_length": [225.0, 300.0],
    "num_tokens": [12, 15],
    "response_length": [3, 4],
    "epoch": [0.1, 0.2],
    "kl": [0.01, 0.02],
    "mean_kl": [0.01, 0.02],
    "logprob": [-0.5, -0.7],
    "sum_logps": [-50.0, -70.0],
    "advantages": [0.5, -0.5],
    "problem_id": [1, 2],
    "uid": [17, 18],
    "prompt_idx": [0, 1],
    "seed": [1, 2],
    "temperature": [0.7, 0.7],
    "reward_std": [0.5, 0.5],
    "reward_mean": [0.5, 0.5],
    "difficulty": [1, 3],
    "n_turns": [1, 2],
    "grad_norm": [0.1, 0.2],
    "entropy": [1.0, 2.0],
    "time_seconds": [3.0, 4.0],
    "is_truncated": [True, False],
    "used_tool": [True, False],
    "solution": ["72", "12"],
    "answer_parsed": ["72", "12"],
    "verdict": ["yes", "no"],
    "big": [1e5, 2e5],
}


@pytest.mark.parametrize("name", REWARDS)
@pytest.mark.parametrize("beside", NO_REWARDS)
def test_a_reward_is_chosen_and_what_stands_beside_it_is_not(name, beside):
    columns = [(beside, NO_REWARDS[beside]), (name, REWARDS[name])]
    assert chosen_rewards(columns).chosen == chosen_rewards(columns[::-1]).chosen == (name,)


def test_all_of_them_at_once():
    choice = chosen_rewards([*NO_REWARDS.items(), *REWARDS.items()])
    assert choice.chosen == tuple(REWARDS) and "completion_length" in choice.left


@pytest.mark.parametrize(
    ("columns", "chosen"),
    [
        ({"reward": [1.0], "accuracy_reward": [1.0]}, ("reward",)),  # the sum stands alone
        ({"correctness": [1.0], "format": [0.5], "completion_length": [225]}, ("correctness", "format")),
        ({"helpfulness": [0.3]}, ("helpfulness",)),  # alone and small
        ({"helpfulness": [225.0]}, ()),
        ({"first": [0.3], "second": [0.4]}, ()),  # any of them may be it
        ({"completion_length": [225]}, ()),
        ({"accuracy_reward": [None, None]}, ("accuracy_reward",)),  # nulls first
        ({"accuracy_reward": [None, float("nan"), 1.0]}, ("accuracy_reward",)),
        ({"accuracy_reward": [True, False]}, ("accuracy_reward",)),
        ({"accuracy_reward": ["good"]}, ()),
        ({"helpfulness": [None, None]}, ()),
    ],
)
def test_the_order_of_names_type_and_range(columns, chosen):
    assert chosen_rewards(list(columns.items())).chosen == chosen


def trl(path, **more):
    rows = [
        {
            "step": 1,
            "prompt": "p",
            "completion": str(index),
            **{k: v[index % 2] for k, v in more.items()},
            "advantage": 0,
        }
        for index in range(4)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_extra_columns_of_trl_change_no_reward(tmp_path):
    rewards = {"accuracy_reward": [0.0, 1.0], "format_reward": [0.5, 0.5]}
    plain = polars.concat(list(Log(trl(tmp_path / "a.jsonl", **rewards))))["reward"]
    log = Log(trl(tmp_path / "b.jsonl", **NO_REWARDS, **rewards))
    assert polars.concat(list(log))["reward"].equals(plain) and plain.to_list() == [0.5, 1.5, 0.5, 1.5]
    assert log.rewards == (("accuracy_reward", 1.0), ("format_reward", 1.0))
    said = " ".join(log.notes)
    assert all(name in said for name in ("num_tokens", "kl", "difficulty"))


def test_no_choice_is_a_sentence(tmp_path):
    with pytest.raises(SpkitError, match="no column that is a reward by name, type and range .*--reward"):
        list(Log(trl(tmp_path / "a.jsonl", kl=[0.1, 0.2], num_tokens=[1, 2])))
    with pytest.raises(SpkitError, match="more than one that may be it \\(first, second\\)"):
        list(Log(trl(tmp_path / "b.jsonl", first=[0.1, 0.2], second=[1, 2])))


def test_rewards_that_are_asked_for_are_weighed(tmp_path):
    path = trl(tmp_path / "a.jsonl", accuracy_reward=[0.0, 1.0], kl=[2.0, None])
    log = Log(path, ColumnMap(rewards=(parse_reward("accuracy_reward"), parse_reward("kl:-0.5"))))
    found = polars.concat(list(log))
    assert found["reward"].to_list() == [-1.0, 1.0, -1.0, 1.0] and found["reward:kl"].to_list() == [2.0, None] * 2
    assert log.notes[0] == "TRL rows; reward = accuracy_reward + -0.5 kl"
    with pytest.raises(SpkitError, match="no column 'acc' to take the reward from: choose among step, prompt"):
        list(Log(path, ColumnMap(rewards=(("acc", 1.0),))))


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("a", ("a", 1.0)),
        ("b:0.5", ("b", 0.5)),
        ("b:-2", ("b", -2.0)),
        ("rewards/a:1e-1", ("rewards/a", 0.1)),
        ("a:b:2", ("a:b", 2.0)),
    ],
)
def test_a_reward_on_the_command_line(text, read):
    assert parse_reward(text) == read


@pytest.mark.parametrize("text", ["", ":1", "a:", "a:b", "a:nan", "a:inf"])
def test_a_reward_that_is_none(text):
    with pytest.raises(SpkitError, match="no column with a weight"):
        parse_reward(text)


@pytest.mark.parametrize(
    ("given", "right"),
    [
        ([1, 0, None], [True, False, None]),
        ([1.0, 0.5, 0.0], [True, False, False]),
        ([True, False], [True, False]),
        (["True", "False", "true", " false "], [True, False, True, False]),
        (["1", "0", "0.5", ""], [True, False, False, None]),
        (["perhaps", 1, [1]], [None, True, True]),
    ],
)
def test_graded_and_textual_verdicts_of_verl(tmp_path, given, right):
    rows = [{"input": "p", "output": str(i), "score": 0.5, "step": 1, "acc": value} for i, value in enumerate(given)]
    (tmp_path / "1.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert polars.concat(list(Log(tmp_path / "1.jsonl")))["correct"].to_list() == right
