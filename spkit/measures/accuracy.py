"""Accuracy on a fixed test set, by difficulty. What several samples of each problem say is in `pass_at_k`."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from ..tasks import Problem, Verdict


def by_difficulty(problems: Sequence[Problem], values: Sequence[float]) -> dict[str, float]:
    """Mean of `values` for each difficulty, keyed by the difficulty as text (as JSON keys are)."""
    groups: dict[int, list[float]] = {}
    for problem, value in zip(problems, values, strict=True):
        groups.setdefault(problem.difficulty, []).append(float(value))
    return {str(key): sum(group) / len(group) for key, group in sorted(groups.items())}


def accuracy(problems: Sequence[Problem], verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """`accuracy` (0-1), the plain mean of `accuracy_by_difficulty`, whatever the number of problems of
    each; and `wrong_steps_rate`.

    `wrong_steps_rate` is the share of right answers that were reached through a wrong step (None if no answer is
    right). Where the task has a lenient check, `lenient_accuracy` and `lenient_accuracy_by_difficulty` are the same of
    it.
    """
    per_difficulty = by_difficulty(problems, [verdict.correct for verdict in verdicts])
    return {
        "accuracy": sum(per_difficulty.values()) / len(per_difficulty),
        "accuracy_by_difficulty": per_difficulty,
        "wrong_steps_rate": wrong_steps_rate(verdicts),
        **lenient_accuracy(problems, verdicts),
    }


def lenient_accuracy(problems: Sequence[Problem], verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """`lenient_accuracy`, the plain mean of `lenient_accuracy_by_difficulty`; empty without such a check."""
    flags = lenient_flags(verdicts)
    shares = by_difficulty(problems, flags) if flags else {}
    return {"lenient_accuracy": fmean(shares.values()), "lenient_accuracy_by_difficulty": shares} if shares else {}


def lenient_flags(verdicts: Sequence[Verdict]) -> list[bool]:
    """What the lenient check says of each; empty if the task has none, or there are no verdicts."""
    flags = [verdict.lenient for verdict in verdicts if verdict.lenient is not None]
    return flags if len(flags) == len(verdicts) else []


def wrong_steps_rate(verdicts: Sequence[Verdict]) -> float | None:
    """Share of the right answers with at least one wrong step; None if no answer is right."""
    right = [verdict.step_errors > 0 for verdict in verdicts if verdict.correct]
    return sum(right) / len(right) if right else None
