"""What is measured on a fixed test set. What several samples of each problem say is in `sampling_metrics`."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ..maths.policy_gradient import entropy_of
from ..policy import Policy, Rollouts
from ..run.errors import SpkitError
from ..tasks import Problem, Task, Verdict


def verify_all(task: Task, problems: Sequence[Problem], rollouts: Rollouts, n: int = 1) -> list[Verdict]:
    """One verdict a row, row `i * n + j` being sample j of problem i.

    A completion that was cut off has no final answer and is never right.
    """
    row_problems = [problem for problem in problems for _ in range(n)]
    verdicts = (task.verify(problem, text) for problem, text in zip(row_problems, rollouts.texts, strict=True))
    return [
        v if finished else Verdict(False, 0.0, None, v.step_errors) for v, finished in zip(verdicts, rollouts.finished)
    ]


def solve(
    policy: Policy,
    task: Task,
    problems: Sequence[Problem],
    n: int = 1,
    *,
    prompts: Sequence[str] | None = None,
    on_rows: Callable[[int], None] = lambda count: None,
    **sampling: Any,
) -> tuple[Rollouts, list[Verdict]]:
    """n completions a problem (greedy unless `sampling` says otherwise) and their verdicts, row `i * n + j`
    being sample j of problem i.

    `prompts`, one a problem, stand in for the problems' own. Raises SpkitError for n above 1 at temperature
    0, and what `sample` does.
    """
    longest = max((task.max_completion_chars(problem.difficulty) for problem in problems), default=1)
    options = {
        "temperature": 0.0,
        "max_new_tokens": policy.tokens_for(longest, getattr(task, "chars_per_token", 1)),
        **sampling,
    }
    if n > 1 and options["temperature"] == 0:
        raise SpkitError(
            f"{n} greedy completions of a problem are {n} copies of one: give a temperature above 0 and a generator"
        )
    rollouts = policy.sample(prompts or [problem.prompt for problem in problems], n, on_rows=on_rows, **options)
    return rollouts, verify_all(task, problems, rollouts, n)


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
    right).
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


def train_test_gap(policy: Policy, task: Task, train: Sequence[Problem], test: Sequence[Problem]) -> dict[str, float]:
    """Greedy accuracies `train` and `test`, weighted as in `accuracy`, and `gap`, how much higher `train` is.

    What was learned by heart counts in `train` alone. Raises SpkitError unless both have the same difficulties, at
    least one: the gap would otherwise measure that one set is harder.
    """
    difficulties, others = ({problem.difficulty for problem in problems} for problems in (train, test))
    if difficulties != others or not difficulties:
        raise SpkitError(
            f"difficulties {sorted(difficulties)} in training and {sorted(others)} in test: compare the "
            "same ones, at least one"
        )
    seen, unseen = (accuracy(problems, solve(policy, task, problems)[1])["accuracy"] for problems in (train, test))
    return {"train": seen, "test": unseen, "gap": seen - unseen}


def token_entropy(policy: Policy, prompts: Sequence[str], completions: Sequence[list[int]]) -> list[Tensor]:
    """Entropy (nats, float32) of the next-token distribution at every completion token, one 1-D tensor a row.

    Exact over the vocabulary and at temperature 1, whatever the completions (token ids) were sampled at: 0 is certain,
    the logarithm of the vocabulary's size is uniform. One number for a policy is `mean_over_tokens` of it.
    """
    return policy.per_token(lambda logits, ids: entropy_of(logits), prompts, completions)


def perplexity(policy: Policy, pairs: Sequence[tuple[str, list[int]]]) -> float:
    """exp of the mean negative log-probability of a completion token, over pairs (prompt, completion ids);
    at least 1, at most e^700.

    Raises SpkitError if there is no completion token.
    """
    scores = policy.logprobs([prompt for prompt, _ in pairs], [ids for _, ids in pairs])
    return math.exp(min(-mean_over_tokens(scores), 700.0))


def mean_over_tokens(rows: Sequence[Tensor]) -> float:
    """Mean of all numbers in 1-D tensors: over tokens, not over rows, so that a long completion weighs more.

    SpkitError if there are none.
    """
    values = [value for row in rows for value in row.tolist()]
    if not values:
        raise SpkitError("there is no completion token to average over: pass at least one completion that is not empty")
    return math.fsum(values) / len(values)
