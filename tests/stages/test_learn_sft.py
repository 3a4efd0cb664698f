"""Supervised fine-tuning of a copy, and the weights that are handed back."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from spkit.policy import SftConfig
from spkit.run.folder import Run
from spkit.stages import learn_sft as core
from spkit.stages.learn_sft import fine_tune, fine_tune_to_best, validation_set
from spkit.tasks import problems, test_set
from tests.stages.by_hand import SUMS, draw

QUICK = SftConfig(steps=2, batch_size=8, learning_rate=3e-4)


def test_nothing_kept_leaves_the_start_as_it_is(adder):
    for policy, learned in (
        fine_tune(adder, [], QUICK, draw(), Run()),
        fine_tune_to_best(adder, SUMS, [], QUICK, draw(), Run(), 1, validation_set(SUMS, 5)),
    ):
        assert policy.fingerprint() == adder.fingerprint() and policy is not adder and learned == {}


@pytest.mark.parametrize(
    ("curve", "best"), [([0.1, 0.5, 0.3, 0.5], 2), ([0.6, 0.5, 0.3, 0.5], 1), ([0.1, 0.2, 0.3, 0.4], 4)]
)
def test_the_weights_of_the_best_step_are_handed_back_the_earliest_of_equals(adder, monkeypatch, curve, best):
    seen = []

    def look(problems, verdicts):
        return {"accuracy": curve[len(seen) - 1]}

    def watch(policy, *args, **kwargs):
        seen.append(policy.fingerprint())
        return SimpleNamespace(verdicts=[], rollouts=SimpleNamespace(tokens=7))

    monkeypatch.setattr(core, "solve", watch)
    monkeypatch.setattr(core, "accuracy", look)
    pairs = [(p.prompt, adder.completion_ids(SUMS.solution(p))) for p in problems(SUMS, 0, 0, 8)]
    run = Run()
    policy, learned = fine_tune_to_best(
        adder, SUMS, pairs, replace(QUICK, steps=4), draw(), run, 1, validation_set(SUMS, 5)
    )
    record = run.record(0, policy, [])
    assert (record["sampled_tokens"], record["optimizer_steps"]) == (4 * 7, 4), "what chose the step was decoded too"
    assert len(set(seen)) == 4 and policy.fingerprint() == seen[best - 1]
    assert (learned["best_step"], learned["validation"], learned["steps"]) == (best, max(curve), 4)


def test_validation_and_test_problems_are_never_trained_on():
    trained = {p.prompt for seed in range(3) for p in problems(SUMS, seed, 0, 2000)}
    hard = {p.prompt for p in validation_set(SUMS, 100) if p.difficulty > 3}
    assert hard and not hard & trained
    assert not {tuple(sorted(p.prompt[:-1].split("+"))) for p in test_set(SUMS, 50)} & {
        tuple(sorted(p[:-1].split("+"))) for p in trained
    }
