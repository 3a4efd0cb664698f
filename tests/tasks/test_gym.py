import sys
import types

import pytest

from spkit.run.errors import SpkitError
from spkit.tasks import gym as module
from spkit.tasks import load_task, problems, test_set
from spkit.tasks.base import split_by_content
from spkit.tasks.gym import GymProblem, marked, reasoning_gym, runs_text


class Sums:
    """A dataset with the interface of reasoning-gym and its way with seeds: item i of seed s is item 0 of s + i."""

    def __init__(self, seed: int, size: int, largest: int = 500, no_answer: bool = False):
        self.seed, self.largest, self.no_answer = seed, largest, no_answer

    def __getitem__(self, index: int) -> dict:
        number = (self.seed + index) % self.largest
        return {
            "question": f"How much is {number} and {number}?",
            "answer": None if self.no_answer else str(2 * number),
            "metadata": {"n": number},
        }

    def score_answer(self, answer: str, entry: dict) -> float:
        if answer == "raise":
            raise RuntimeError(answer)
        entry["metadata"]["n"] = -1
        return (
            float("nan")
            if answer == "nan"
            else 1.0
            if answer == entry["answer"]
            else 7.0
            if answer == "7"
            else 0.4
            if entry["answer"] in answer
            else 0.0
        )


class Evaluating(Sums):
    def score_answer(self, answer: str, entry: dict) -> float:
        return self.judge(answer, entry)

    def judge(self, answer: str, entry: dict) -> float:
        return float(eval(answer) == int(entry["answer"]))


KINDS = {"sums": Sums, "evaluating": Evaluating}


@pytest.fixture
def library(monkeypatch):
    def create_dataset(name, **settings):
        if name not in KINDS:
            raise ValueError(f"Dataset '{name}' not registered")
        return KINDS[name](**settings)

    monkeypatch.setitem(sys.modules, "reasoning_gym", types.SimpleNamespace(create_dataset=create_dataset))
    module._checked.cache_clear()
    yield
    module._checked.cache_clear()


def test_answers_are_judged_by_the_datasets_own_score(library, monkeypatch):
    monkeypatch.setattr(module, "runs_text", lambda dataset: False)  # this file holds an eval, too
    task = load_task("gym:sums")
    problem = GymProblem("Question: How much is 21 and 21?\nAnswer:\n", "42", 1, Sums(21, 1)[0])
    rewards = {
        "<answer>42</answer>": 1,
        "I say <answer>41</answer>, no <answer> 42\n</answer> done": 1,
        "<answer>7</answer>": 1,  # a score above 1
        "<answer>42 or 43</answer>": 0.4,
        "<answer>42": 0,
        "42": 0,
        "#### 42": 0,
        "": 0,
        "<answer>42</answer><answer>": 0,
        "<answer></answer>": 0,
        "<answer>42</answer><answer>41</answer>": 0,
        "</answer>42<answer>": 0,
        "<answer>raise</answer>": 0,
        "<answer>nan</answer>": 0,
        "<answer>42" + " " * 3000 + "</answer>": 0,
        "<answer>1e99999</answer>": 0,
        "<answer>42</answer>" + "x" * 10_000_000: 0,
        "<answer>" * 1_000_000: 0,
    }
    assert {text: task.verify(problem, text).reward for text in rewards} == rewards
    assert [task.verify(problem, text).correct for text in rewards] == [reward == 1 for reward in rewards.values()]
    assert problem.entry["metadata"]["n"] == 21  # what the dataset did to its copy stays there
    assert task.verify(problem, task.solution(problem)).correct and task.hint(problem).endswith(
        "(The answer is 42.)\nAnswer:\n"
    )


def test_items_depend_on_seed_and_index_and_streams_do_not_overlap(library, monkeypatch):
    monkeypatch.setattr(module, "runs_text", lambda dataset: False)
    task = reasoning_gym("sums", largest=10**9)
    once = problems(task, 3, 0, 40)
    assert once == [reasoning_gym("sums", largest=10**9).problem(3, index) for index in reversed(range(40))][::-1]
    streams = [{problem.prompt for problem in problems(task, seed, 0, 40)} for seed in range(5)]
    assert len(set.union(*streams)) == 200
    small = reasoning_gym("sums", largest=60)
    train, test = {p.prompt for p in problems(small, 0, 0, 300)}, {p.prompt for p in test_set(small, 60)}
    assert not train & test and len(train | test) == 60
    with pytest.raises(SpkitError, match="too few different questions"):
        reasoning_gym("sums", largest=1).problem(
            0, 0, split="test" if split_by_content("How much is 0 and 0?") == "train" else "train"
        )


def test_names_carry_the_settings(library, monkeypatch):
    monkeypatch.setattr(module, "runs_text", lambda dataset: False)
    task = load_task("gym:sums,largest=60")
    assert (
        task == reasoning_gym("sums", largest=60)
        and task.name == "gym:sums,largest=60"
        and load_task(task.name) == task
    )
    for name, sentence in {
        "nothing": "makes no dataset 'nothing'",
        "sums,colour=red": "with these settings",
        "sums,largest": "is no setting",
        "sums,no_answer=true": "no gold answer that it accepts",
    }.items():
        with pytest.raises(SpkitError, match=sentence):
            load_task(f"gym:{name}")


def test_a_dataset_that_evaluates_answers_is_refused(library):
    with pytest.raises(SpkitError, match="runs text as a program"):
        load_task("gym:evaluating")
    assert runs_text(Evaluating)


def test_without_the_library_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "reasoning_gym", None)
    module._checked.cache_clear()
    with pytest.raises(SpkitError, match=r"pip install 'selfplay-kit\[gym\]'"):
        load_task("gym:chain_sum")


def test_marks():
    assert marked("<answer>a</answer> and <answer>b</answer>") == "b" and marked("<answer>a<answer>b</answer>") == "b"
    assert marked("<ANSWER>a</ANSWER>") is None


@pytest.mark.parametrize("name", ["chain_sum", "leg_counting", "sudoku", "spell_backward", "gcd"])
def test_real_datasets(name):
    pytest.importorskip("reasoning_gym")
    task = load_task(f"gym:{name}")
    for problem in problems(task, 1, 0, 3):
        assert (
            task.verify(problem, "So: " + task.solution(problem)).correct
            and not task.verify(problem, "<answer>no such</answer>").correct
        )
    assert problems(task, 1, 0, 3) == problems(load_task(f"gym:{name}"), 1, 0, 3)


def test_real_datasets_that_evaluate_are_refused():
    pytest.importorskip("reasoning_gym")
    for name in (
        "n_queens",
        "string_insertion",
        "binary_matrix",
        "spiral_matrix",
        "countdown",
        "puzzle24",
        "simple_integration",
        "polynomial_multiplication",
        "codeio",
    ):
        with pytest.raises(SpkitError, match="runs text as a program"):
            load_task(f"gym:{name}")
    with pytest.raises(SpkitError, match="no gold answer that it accepts"):
        load_task("gym:rush_hour")
    with pytest.raises(SpkitError, match="in every process"):
        load_task("gym:ransom_note")
    assert load_task("gym:chain_sum,min_terms=2,max_terms=2").problem(0, 0).entry["metadata"]["num_terms"] == 2
