"""RLVR: what is asked and rewarded, the controls, and that it learns where there is something to learn."""

from dataclasses import dataclass, replace

import pytest
import torch

from spkit.loops import rlvr as module
from spkit.loops.rlvr import RlvrConfig, fixed_problems, rlvr
from spkit.policy import SftConfig, load_policy
from spkit.run.errors import SpkitError
from spkit.run.folder import STAGES, Run
from spkit.run.streams import generator
from spkit.stages.solve import longest_completion
from spkit.tasks import Problem, Task, Verdict, load_task
from tests.conftest import make_policy
from tests.helpers import whole

TASK = load_task("sums")
SMALL = RlvrConfig(iterations=2, pool=20, problems=10, k=4, batch_size=20, test_per_difficulty=2, test_samples=2)


@dataclass(frozen=True)
class Copy(Task):
    """The easiest task there is: write the digit that is asked. Test and training problems are the same ten."""

    name: str = "copy"
    difficulties: tuple[int, ...] = (1,)
    unit: str = "digits"

    def problem(self, seed, index, difficulty=None, split="train"):
        return Problem(f"{index % 10}=", str(index % 10), 1)

    def verify(self, problem, completion):
        return Verdict(completion == problem.answer, float(completion == problem.answer), completion[:1] or None, 0)

    def path(self, problem, completion):
        return completion

    def max_completion_chars(self, difficulty):
        return 1


@pytest.fixture(scope="module")
def base():
    return load_policy("sums")


@pytest.fixture(scope="module")
def guesser():
    """A tiny policy that answers any digit to any question, and stops."""
    policy = make_policy(width=32, context=16)
    end = policy.tokenizer.eos_token_id
    pairs = [
        (f"{asked}=", [*policy.completion_ids(str(answer), False), end]) for asked in range(10) for answer in range(10)
    ]
    policy.fit(pairs, SftConfig(steps=60, batch_size=50, learning_rate=3e-3), torch.Generator().manual_seed(0))
    return policy


EASY = RlvrConfig(
    iterations=20,
    pool=10,
    problems=10,
    k=8,
    batch_size=40,
    epochs=2,
    learning_rate=3e-3,
    test_per_difficulty=10,
    test_samples=8,
)


def test_it_learns_an_easy_task_and_its_control_does_not(guesser):
    rows = {kind: list(rlvr(guesser, Copy(), replace(EASY, reward=kind))) for kind in ("gold", "random")}
    first, last = rows["gold"][0], rows["gold"][-1]
    assert first["test_sampled_accuracy"] < 0.25 and last["test_sampled_accuracy"] > 0.55 and last["accuracy"] > 0.55
    assert last["reward"] > 0.55 and last["entropy"] < first["entropy"] and last["kl_to_base"] > 0.5
    assert rows["random"][0] | {"seconds": 0} == first | {"seconds": 0}
    assert max(row["test_sampled_accuracy"] for row in rows["random"]) < 0.3


@pytest.mark.parametrize("advantage", ["rloo", *whole("dr_grpo", "reinforce_pp")])
def test_every_advantage_learns(guesser, advantage):
    (*_, last) = rlvr(guesser, Copy(), replace(EASY, advantage=advantage, aggregation="constant", test_samples=4))
    assert last["test_sampled_accuracy"] > 0.45


def test_groups_compare_nothing_where_all_are_wrong_and_the_batch_does(guesser):
    """A digit that no sample of its group gets right gives a group nothing to learn from.

    REINFORCE++ still pushes those samples down.
    """
    group, batch = (
        list(rlvr(guesser, Copy(), replace(EASY, seed=2, advantage=a)))[-1] for a in ("grpo", "reinforce_pp")
    )
    assert group["useful_groups"] < 0.2 and group["learned"]["steps"] <= 2
    assert batch["accuracy"] > group["accuracy"] + 0.1


def test_a_penalty_keeps_the_policy_near_its_base(guesser):
    free, held = (list(rlvr(guesser, Copy(), replace(EASY, iterations=6, kl="k2", kl_coef=c)))[-1] for c in (0.0, 3.0))
    assert held["kl_to_base"] < 0.5 * free["kl_to_base"] and "kl" in held["learned"] and "kl" not in free["learned"]


def test_the_problems_come_in_turn_from_a_fixed_pool():
    asked = [fixed_problems(TASK, replace(SMALL, pool=25), t) for t in (1, 2, 3, 4)]
    stream = [TASK.problem(0, index) for index in range(25)]
    assert [problem for batch in asked for problem in batch] == [*stream, *stream[:15]]
    assert fixed_problems(TASK, replace(SMALL, seed=1), 1) != asked[0]


def test_the_random_control_takes_as_many_steps_on_as_many_tokens(base):
    ours, control = (
        list(rlvr(base, TASK, replace(SMALL, iterations=1, reward=kind)))[1] for kind in ("gold", "random")
    )
    for key in ("reward", "useful_groups", "samples_drawn", "sampled_accuracy"):
        assert ours[key] == control[key]
    assert (
        ours["learned"]["steps"] == control["learned"]["steps"] > 0
        and ours["learned"]["grad_norm"] != control["learned"]["grad_norm"]
    )


def test_a_cut_off_completion_is_not_paid(guesser):
    class Endless(Copy):
        def verify(self, problem, completion):
            return Verdict(True, 1.0, completion, 0)

    blind = guesser.clone()
    with torch.no_grad():
        blind.model.model.norm.weight.zero_()  # every token is as likely as any other
    (_, row) = rlvr(blind, Endless(), replace(EASY, iterations=1, problems=10, k=8))
    assert 0 < row["reward"] < 0.3, "only what ends is right, and one in 18 tokens is the end"


def test_the_samples_are_drawn_at_temperature_one_and_the_policy_goes_on_from_itself(base, monkeypatch):
    asked, solved = [], module.solve

    def spy(policy, task, batch, k, temperature, **others):
        asked.append((policy.fingerprint(), k, temperature))
        return solved(policy, task, batch, k, temperature=temperature, **others)

    monkeypatch.setattr(module, "solve", spy)
    rows = list(rlvr(base, TASK, replace(SMALL, epochs=2)))
    drawn = [(fingerprint, temperature) for fingerprint, k, temperature in asked if k == SMALL.k]
    assert len(drawn) == 2 and {temperature for _, temperature in drawn} == {1.0}
    assert drawn[0][0] == base.fingerprint() != drawn[1][0], "the base is left as it is"
    for row in rows[1:]:
        assert row["learned"]["ratio_first"] == pytest.approx(1.0, abs=1e-4) and row["learned"]["ratio_max"] > 1.01


COMMON = {
    "iteration", "accuracy", "accuracy_by_difficulty", "wrong_steps_rate", "test_sampled_accuracy",
    "test_sampled_accuracy_by_difficulty",
    "pass_at_k", "maj_at_k", "distinct_correct", "entropy", "kl_to_base", "seconds", "finished",
    "sampled_tokens", "optimizer_steps",
}  # fmt: skip
LEARNED = {"steps", "loss", "clip_share", "entropy", "grad_norm", "ratio_first", "ratio_max"}


def test_records_hold_what_the_docstring_promises(base, tmp_path):
    run = Run(tmp_path / "r")
    rows = list(rlvr(base, TASK, SMALL, run))
    assert [row["iteration"] for row in rows] == [0, 1, 2] and set(rows[0]) == COMMON and rows[0]["kl_to_base"] == 0.0
    for row in rows[1:]:
        assert set(row) == COMMON | {
            "reward",
            "useful_groups",
            "learned",
            "problems",
            "samples_drawn",
            "sampled_accuracy",
            "mean_reward",
        }
        assert set(row["learned"]) == LEARNED and row["samples_drawn"] == 40
        assert row["reward"] == row["sampled_accuracy"] and 0 < row["useful_groups"] <= 1
        assert row["pass_at_k"]["1"] <= row["pass_at_k"]["2"] and set(row["seconds"]) == set(STAGES)
    assert list(rlvr(base, TASK, SMALL, Run(tmp_path / "r"))) == rows
    assert [row["accuracy"] for row in rlvr(base, TASK, replace(SMALL, iterations=0))] == [rows[0]["accuracy"]]


def test_the_same_seed_gives_the_same_records_and_another_seed_others(base):
    once, again, other = (
        [
            {key: value for key, value in row.items() if key != "seconds"}
            for row in rlvr(base, TASK, replace(SMALL, seed=seed, iterations=1))
        ]
        for seed in (0, 0, 1)
    )
    assert once == again and once[1] != other[1]


def test_more_iterations_extend_a_run_as_if_it_had_not_ended(guesser, tmp_path):
    config = replace(EASY, iterations=4, test_samples=2)
    strip = lambda rows: [{key: value for key, value in row.items() if key != "seconds"} for row in rows]
    whole = strip(rlvr(guesser, Copy(), config))
    list(rlvr(guesser, Copy(), replace(config, iterations=2), Run(tmp_path / "r")))
    assert strip(rlvr(guesser, Copy(), config, Run(tmp_path / "r"))) == whole


def test_profile_numbers_are_of_the_samples_they_say(guesser):
    row = next(rlvr(guesser, Copy(), replace(EASY, iterations=0)))
    tests = [Copy().problem(0, index) for index in range(10)]
    found = guesser.sample([p.prompt for p in tests], 8, max_new_tokens=2, generator=generator(0, 0, "profile"))
    right = [text == tests[i // 8].answer and end for i, (text, end) in enumerate(zip(found.texts, found.finished))]
    assert row["test_sampled_accuracy"] == pytest.approx(sum(right) / 80) == row["pass_at_k"]["1"]
    assert row["pass_at_k"]["8"] == pytest.approx(sum(any(right[8 * i : 8 * i + 8]) for i in range(10)) / 10)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"reward": "golden"},
            "reward must be one of gold, steps, all_steps, noisy, majority, graded, random, random_all_steps, not",
        ),
        ({"advantage": "ppo"}, "advantage must be one of grpo, dr_grpo, rloo, reinforce_pp, not 'ppo'"),
        ({"aggregation": "mean"}, "aggregation must be one of sequence, token, constant"),
        ({"kl": "k0"}, "kl must be one of k1, k2, k3"),
        ({"k": 1}, "k must be 2 or more, not 1"),
        ({"epochs": 0}, "epochs must be 1 or more, not 0"),
        ({"pool": 9}, "pool must hold the 10 problems of an iteration, not 9"),
        ({"flip_rate": 1.5}, "flip_rate must be between 0 and 1, not 1.5"),
        ({"clip_low": 0.0}, "clip_low must be positive"),
        ({"kl_coef": -0.1}, "kl_coef must be 0 or more"),
        ({"kl_coef": float("inf")}, "kl_coef must be 0 or more, not inf"),
        ({"learning_rate": -1e-3}, "learning_rate must be 0 or more"),
        ({"learning_rate": float("nan")}, "learning_rate must be 0 or more, not nan"),
    ],
)
def test_bad_settings_are_one_sentence(change, message):
    with pytest.raises(SpkitError, match=message):
        replace(SMALL, **change)


def test_a_constant_length_is_that_of_the_longest_completion_in_tokens():
    policy = make_policy()
    assert SMALL.update(longest_completion(policy, TASK)).loss.length == longest_completion(policy, TASK)
