"""STaR's parts, against the algorithm of the paper: each test names the mistake it would catch."""

from dataclasses import replace

import pytest
import torch

from spkit.loops import star as module
from spkit.loops.star import StarConfig, attempt, direct_answers, star
from spkit.policy import Policy, Rollouts, load_policy
from spkit.run.errors import SpkitError
from spkit.run.folder import STAGES, Run
from spkit.stages.solve import Attempts
from spkit.tasks import load_task, problems, test_set

TASK = load_task("addition")
SMALL = StarConfig(iterations=2, problems_per_iteration=60, steps=3, batch_size=16, test_per_difficulty=5)


@pytest.fixture(scope="module")
def base() -> Policy:
    return load_policy("addition")


def texts(base: Policy, pairs) -> list[tuple[str, str]]:
    return [
        (prompt, base.tokenizer.decode([i for i in ids if i != base.tokenizer.eos_token_id])) for prompt, ids in pairs
    ]


def test_the_hint_is_never_in_what_is_trained_on(base, trained_on):
    rows = list(star(base, TASK, SMALL))
    assert all(row["rationalized"] > 0 for row in rows[1:])
    for _, pairs, _ in trained_on:
        assert not any("#" in prompt + completion for prompt, completion in texts(base, pairs))


def test_only_right_answers_are_kept_and_only_failures_rationalized(base, trained_on):
    rows = list(star(base, TASK, replace(SMALL, iterations=1)))
    batch = {problem.prompt: problem for problem in problems(TASK, 0, 0, 60)}
    (_, pairs, _) = trained_on[0]
    written = texts(base, pairs)
    assert len(written) == len({prompt for prompt, _ in written}) == rows[1]["kept"] + rows[1]["rationalized"]
    assert all(TASK.verify(batch[prompt], completion).correct for prompt, completion in written)
    assert rows[1]["used"] == len(written) / 60
    alone = base.sample(list(batch), temperature=0.0, max_new_tokens=52)
    solved = sum(TASK.verify(problem, text).correct for problem, text in zip(batch.values(), alone.texts))
    assert rows[1]["kept"] == solved


@pytest.mark.parametrize("select, kept", [("correct", [0, 1, 2]), ("all_steps", [0])])
def test_right_answers_behind_wrong_or_missing_steps(base, monkeypatch, select, kept):
    """A rationale that copies the hint to the end of wrong steps is kept for its answer, and not for its steps."""
    stories = load_task("stories")
    batch = [stories.problem(0, index, 2) for index in range(4)]
    bare, wrong = [stories.direct(one) for one in batch], stories.careless(batch[0])
    texts = [stories.solution(batch[0]), f"1 + 1 = 3. {bare[1]}", bare[2], wrong]
    verdicts = [stories.verify(problem, text) for problem, text in zip(batch, texts)]
    rows = Rollouts([one.prompt for one in batch], [[1]] * 4, texts, [], torch.zeros(4), [True] * 4)
    monkeypatch.setattr(module, "solve", lambda *_, **__: Attempts(batch, 1, rows, verdicts))
    chosen, failed = attempt(base, stories, batch, replace(SMALL, select=select), Run(), 1, hinted=True)
    assert [batch.index(one.problem) for one in chosen] == kept
    assert [batch.index(problem) for problem in failed] == [index for index in range(4) if index not in kept]


def test_every_iteration_starts_from_the_base(base, trained_on):
    before = base.fingerprint()
    list(star(base, TASK, SMALL))
    assert [start for start, *_ in trained_on] == [before, before] and base.fingerprint() == before
    trained_on.clear()
    list(star(base, TASK, replace(SMALL, restart="last")))
    assert trained_on[0][0] == before != trained_on[1][0]


@pytest.mark.parametrize("rationalizer", ["base", "last"])
def test_who_reads_the_hints(base, monkeypatch, rationalizer):
    readers, tried = [], module.attempt

    def spy(policy, *args, hinted=False):
        readers.extend([policy.fingerprint()] if hinted else [])
        return tried(policy, *args, hinted=hinted)

    monkeypatch.setattr(module, "attempt", spy)
    list(star(base, TASK, replace(SMALL, rationalizer=rationalizer)))
    assert readers[0] == base.fingerprint() and (readers[1] == base.fingerprint()) == (rationalizer == "base")


def test_old_data_is_replaced_every_iteration(base, trained_on):
    list(star(base, TASK, SMALL))
    streams = [{p.prompt for p in problems(TASK, 0, start, 60)} for start in (0, 60)]
    for (_, pairs, _), stream in zip(trained_on, streams):
        assert {prompt for prompt, _ in pairs} <= stream


def test_step_schedules():
    exponential = StarConfig(steps=40)
    assert [exponential.sft(t).steps for t in (1, 2, 3, 4)] == [
        40,
        48,
        57,
        69,
    ]  # int(40 * 1.2 ** (t - 1)), as the authors' code has it
    linear = StarConfig(steps=300, schedule="linear")
    assert [linear.sft(t).steps for t in (1, 2, 3)] == [300, 320, 340]
    assert StarConfig(steps=40, direct=True).sft(3).steps == 40 + 48 + 57


def test_without_rationalization_no_hint_is_asked_for(base, monkeypatch):
    monkeypatch.setattr(type(TASK), "hint", lambda self, problem: pytest.fail("a hint was asked for"))
    rows = list(star(base, TASK, replace(SMALL, rationalize=False)))
    assert all(row["rationalized"] == 0 for row in rows[1:])


def test_random_control_rationalizes_the_same_failures(base):
    control = list(star(base, TASK, replace(SMALL, iterations=1, select="random")))
    filtered = list(star(base, TASK, replace(SMALL, iterations=1)))
    assert (control[1]["kept"], control[1]["rationalized"]) == (filtered[1]["kept"], filtered[1]["rationalized"])


def test_direct_baseline_trains_on_bare_answers_of_all_problems_so_far(base, trained_on):
    list(star(base, TASK, replace(SMALL, direct=True)))
    written = texts(base, trained_on[1][1])
    assert written == [(p.prompt, p.answer) for p in problems(TASK, 0, 0, 120)]
    assert direct_answers(base, TASK, SMALL, 1) == trained_on[0][1]


def test_cut_off_completions_are_trained_on_without_an_end_token(base, monkeypatch):
    batch = problems(TASK, 0, 0, 10)
    monkeypatch.setattr(type(TASK), "max_completion_chars", lambda self, difficulty: 3)
    monkeypatch.setattr(module, "matched_at_random", lambda samples, count, draw: samples)
    rationales, failed = attempt(base, TASK, batch, replace(SMALL, select="random"), Run(), 1)
    assert len(failed) == len(batch), "a completion that was cut off is never right"
    assert all(len(r.token_ids) == 4 and base.tokenizer.eos_token_id not in r.token_ids for r in rationales)


def test_records_hold_what_the_docstring_promises(base):
    rows = list(star(base, TASK, replace(SMALL, iterations=1, extrapolate=True)))
    common = {"iteration", "accuracy", "accuracy_by_difficulty", "wrong_steps_rate", "finished", "seconds"}
    common |= {"extrapolation", "sampled_tokens", "optimizer_steps"}
    assert set(rows[0]) == common
    extra = {
        "problems",
        "kept",
        "rationalized",
        "used",
        "kept_wrong_steps_rate",
        "loss_first",
        "loss_last",
        "steps",
        "tokens",
        "tokens_read",
    }
    assert set(rows[1]) == common | extra
    assert set(rows[1]["seconds"]) == set(STAGES)
    assert set(rows[0]["extrapolation"]) == {"6", "7", "8", "9", "10"}
    mean = sum(rows[0]["accuracy_by_difficulty"].values()) / 5
    assert rows[0]["accuracy"] == pytest.approx(mean)


def test_nothing_kept_leaves_the_base(base):
    blank = load_policy("addition")
    with torch.no_grad():
        for parameter in blank.model.parameters():
            parameter.zero_()
    rows = list(star(blank, TASK, replace(SMALL, iterations=1)))
    assert rows[1]["kept"] == rows[1]["rationalized"] == 0 and rows[1]["accuracy"] == 0


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("iterations", -1, "iterations must be 0 or more, not -1"),
        ("problems_per_iteration", 0, "problems_per_iteration must be 1 or more"),
        ("temperature", -0.1, "temperature must be 0 or more"),
        ("restart", "bse", "restart must be one of base, last, not 'bse'"),
        ("select", "best", "select must be one of correct, all_steps, random, random_all_steps"),
        ("schedule", "cosine", "schedule must be one of exponential, linear"),
        ("learning_rate", float("nan"), "learning_rate and growth must be above 0"),
    ],
)
def test_bad_settings_are_one_sentence(field, value, message):
    with pytest.raises(SpkitError, match=message):
        StarConfig(**{field: value})


def test_test_problems_are_never_trained_on():
    tests = {problem.prompt for problem in test_set(TASK, 100)}
    assert not tests & {problem.prompt for problem in problems(TASK, 0, 0, 5000)}
