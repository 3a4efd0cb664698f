"""A task's verdicts as TRL's reward functions, strict and lenient, and what a record needs to know of them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ..policy import Policy
from ..tasks import Problem, Task, Verdict


class Judged(NamedTuple):
    """One completion: its reward, verdict, tokens, and whether it ended by itself."""

    reward: float
    verdict: Verdict
    tokens: int
    finished: bool
    text: str


def score(verdict: Verdict, rule: str) -> float:
    """The reward in [0, 1] of a verdict by a rule that needs no other."""
    if rule == "graded":
        return verdict.reward
    right = {
        "gold": verdict.correct,
        "steps": verdict.correct and verdict.step_errors == 0,
        "all_steps": verdict.reward == 1,
    }
    return float(right[rule])


def judge_ids(policy: Policy, task: Task, problem: Problem, ids: list[int], rule: str) -> Judged:
    """What the task's check says of a completion; one that was cut off is never right."""
    stop = policy.stop_text
    finished = bool(ids) and (ids[-1] in policy.stop_ids or (stop is not None and stop.ends(ids)))
    text = policy.prompting.text(policy.tokenizer, ids, finished, stop.text if stop else "")
    verdict = task.for_problem(problem).verify(problem, text)
    if not finished:
        verdict = replace(verdict, correct=False, reward=0.0, parsed=None)
    return Judged(score(verdict, rule), verdict, len(ids), finished, text)


def reward_functions(
    policy: Policy, task: Task, asked: Sequence[Problem], rule: str, heard: Callable[[list[Judged]], None]
) -> tuple[list[Callable[..., list[float]]], list[float]]:
    """TRL's reward functions and their weights: the rule's, and with weight 0 the lenient check where there is one.

    A row of the data set has the place of its problem among those `asked` in the column `problem`; `heard` is told
    every batch.
    """

    def strict(completion_ids: list[list[int]], problem: list[int], **_: Any) -> list[float]:
        judged = [judge_ids(policy, task, asked[i], list(ids), rule) for i, ids in zip(problem, completion_ids)]
        heard(judged)
        return [one.reward for one in judged]

    def lenient(completion_ids: list[list[int]], problem: list[int], **_: Any) -> list[float]:
        judged = [judge_ids(policy, task, asked[i], list(ids), rule) for i, ids in zip(problem, completion_ids)]
        return [float(bool(one.verdict.lenient)) for one in judged]

    known = bool(asked) and task.for_problem(asked[0]).verify(asked[0], "").lenient is not None
    return ([strict, lenient], [1.0, 0.0]) if known else ([strict], [1.0])
