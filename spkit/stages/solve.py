"""Stage 2, solve: k completions of every problem, and what the task's exact check says of each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from ..measures.pass_at_k import per_problem
from ..policy import Policy, Rollouts
from ..policy.rollouts import Pair
from ..run.errors import SpkitError
from ..run.folder import Run
from ..tasks import Problem, Task, Verdict

_T = TypeVar("T")


@dataclass(frozen=True)
class Sample:
    """One completion of a problem: its tokens (the end token only if it finished), its text and its verdict.

    `path` is the text in the form by which copies are known; `finished` says whether it ended by itself.
    """

    problem: Problem
    token_ids: list[int]
    text: str
    verdict: Verdict
    path: str
    finished: bool = True

    @property
    def pair(self) -> Pair:
        """What is trained on: the problem's own prompt and the completion."""
        return self.problem.prompt, self.token_ids


@dataclass(frozen=True)
class Attempts:
    """k completions of every problem, row `i * k + j` being attempt j at problem i, and the verdicts on them."""

    problems: list[Any]
    k: int
    rollouts: Rollouts
    verdicts: list[Verdict]

    def table(self, values: Sequence[float]) -> Tensor:
        """One number a row as (problems, k)."""
        return torch.tensor([float(value) for value in values]).view(-1, self.k)

    def by_problem(self, values: Sequence[_T]) -> list[list[_T]]:
        """One value a row as a list of k a problem."""
        return per_problem(values, self.k)

    @property
    def correct(self) -> Tensor:
        """Which answers are right, 0 or 1, (problems, k)."""
        return self.table([verdict.correct for verdict in self.verdicts])

    def samples(self, task: Task) -> list[Sample]:
        """The rows as samples, those of a problem next to each other."""
        rows, asked = self.rollouts, repeated(self.problems, self.k)
        found = zip(asked, rows.token_ids, rows.texts, self.verdicts, rows.finished)
        return [
            Sample(problem, ids, text, v, task.path(problem, text), ended) for problem, ids, text, v, ended in found
        ]


def repeated(problems: Sequence[_T], k: int) -> list[_T]:
    """Each problem k times: one a row of its attempts."""
    return [problem for problem in problems for _ in range(k)]


def verify_all(task: Task, problems: Sequence[Problem], rollouts: Rollouts, k: int = 1) -> list[Verdict]:
    """The task's verdict on every row; a completion that was cut off has no final answer and is never right.

    Its step errors stay, and what the lenient check says, which does not ask for an end.
    """
    verdicts = (task.verify(one, text) for one, text in zip(repeated(problems, k), rollouts.texts, strict=True))
    return [
        v if finished else replace(v, correct=False, reward=0.0, parsed=None)
        for v, finished in zip(verdicts, rollouts.finished)
    ]


def solve(
    policy: Policy,
    task: Task,
    problems: Sequence[Problem],
    k: int = 1,
    *,
    prompts: Sequence[str] | None = None,
    on_rows: Callable[[int], None] = lambda count: None,
    **sampling: Any,
) -> Attempts:
    """k completions a problem (greedy unless `sampling` says otherwise) and the verdicts on them.

    `prompts`, one a problem, stand in for the problems' own. Raises SpkitError for k above 1 at temperature 0, and what
    `Policy.sample` does.
    """
    longest = max((task.for_problem(one).max_completion_chars(one.difficulty) for one in problems), default=1)
    options = {"temperature": 0.0, "max_new_tokens": policy.tokens_for(longest, task.chars_per_token), **sampling}
    if k > 1 and options["temperature"] == 0:
        raise SpkitError(
            f"{k} greedy completions of a problem are {k} copies of one: give a temperature above 0 and a generator"
        )
    rollouts = policy.sample(prompts or [problem.prompt for problem in problems], k, on_rows=on_rows, **options)
    return Attempts(list(problems), k, rollouts, verify_all(task, problems, rollouts, k))


def draw_samples(
    policy: Policy, task: Task, batch: Sequence[Problem], k: int, temperature: float, draw: torch.Generator, run: Run
) -> list[Sample]:
    """k samples of every problem, those of a problem next to each other, with the run's progress."""
    with run.stage("solve", len(batch) * k, "samples") as tick:
        attempts = solve(policy, task, batch, k, temperature=temperature, generator=draw, on_rows=tick)
    run.spend(sampled_tokens=attempts.rollouts.tokens)
    return attempts.samples(task)


def tokens_drawn(policy: Policy, samples: Sequence[Sample]) -> int:
    """Tokens that go through the network to draw them: each completion, and the prompt of each problem once."""
    prompts = {sample.problem.prompt for sample in samples}
    return sum(len(sample.token_ids) for sample in samples) + sum(len(policy.prompt_ids(one)) for one in prompts)


def longest_completion(policy: Policy, task: Task) -> int:
    """Tokens of the longest completion a loop asks for, its end token included."""
    characters = max(task.max_completion_chars(difficulty) for difficulty in task.difficulties)
    return policy.tokens_for(characters, task.chars_per_token)
