"""What is measured on a fixed test set."""

from collections.abc import Callable, Sequence
from typing import Any

from .policy import Policy, Rollouts
from .tasks import Problem, Task, Verdict


def verify_all(task: Task, problems: Sequence[Problem], rollouts: Rollouts) -> list[Verdict]:
    """One verdict a row; a completion that was cut off has no final answer and is never right."""
    verdicts = (task.verify(problem, text) for problem, text in zip(problems, rollouts.texts, strict=True))
    return [v if finished else Verdict(False, 0.0, None, v.step_errors) for v, finished in zip(verdicts, rollouts.finished)]


def solve(
    policy: Policy,
    task: Task,
    problems: Sequence[Problem],
    *,
    prompts: Sequence[str] | None = None,
    on_rows: Callable[[int], None] = lambda count: None,
    **sampling: Any,
) -> tuple[Rollouts, list[Verdict]]:
    """One completion a problem (greedy unless `sampling` says otherwise) and its verdict; `prompts` stand in for the problems' own."""
    longest = max((task.max_completion_chars(problem.difficulty) for problem in problems), default=1)
    options = {"temperature": 0.0, "max_new_tokens": longest + 1, **sampling}
    rollouts = policy.sample(prompts or [problem.prompt for problem in problems], on_rows=on_rows, **options)
    return rollouts, verify_all(task, problems, rollouts)


def by_difficulty(problems: Sequence[Problem], values: Sequence[float]) -> dict[str, float]:
    """Mean of `values` for each difficulty, keyed by the difficulty as text (as JSON keys are)."""
    groups: dict[int, list[float]] = {}
    for problem, value in zip(problems, values, strict=True):
        groups.setdefault(problem.difficulty, []).append(float(value))
    return {str(key): sum(group) / len(group) for key, group in sorted(groups.items())}


def accuracy(problems: Sequence[Problem], verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """`accuracy` (0-1), the plain mean of `accuracy_by_difficulty`, whatever the number of problems of each; and `wrong_steps_rate`.

    `wrong_steps_rate` is the share of right answers that were reached through a wrong step (None if no answer is right).
    """
    per_difficulty = by_difficulty(problems, [verdict.correct for verdict in verdicts])
    return {
        "accuracy": sum(per_difficulty.values()) / len(per_difficulty),
        "accuracy_by_difficulty": per_difficulty,
        "wrong_steps_rate": wrong_steps_rate(verdicts),
    }


def wrong_steps_rate(verdicts: Sequence[Verdict]) -> float | None:
    """Share of the right answers with at least one wrong step; None if no answer is right."""
    right = [verdict.step_errors > 0 for verdict in verdicts if verdict.correct]
    return sum(right) / len(right) if right else None
