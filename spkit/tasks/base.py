"""What is asked and how it is checked: the words every task and every loop share."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Split = Literal["train", "test"]


@dataclass(frozen=True)
class Problem:
    """One question with its gold answer. `difficulty` is in the task's own unit (digits, depth, ...)."""

    prompt: str
    answer: str
    difficulty: int


@dataclass(frozen=True)
class Verdict:
    """What a verifier says of one completion.

    `correct` reads the final answer only; `step_errors` counts wrong intermediate steps and never changes
    `correct`, so that a right answer reached through wrong steps is visible as `correct and step_errors > 0`.
    `parsed` is the final answer as read, None if there is none. `reward` is graded, in [0, 1]: the share of steps
    that are right, the answer counted as one more.
    """

    correct: bool
    reward: float
    parsed: str | None
    step_errors: int


class Task(Protocol):
    """A stream of problems with a verifier. Every method is a pure function of its arguments.

    A task may say more: `base`, the shipped model that knows it, if that is not called like the task;
    `instruction`, what a chat model is told of the format; `demonstrations()`, problems to show to a model that
    does not know it; `roles(stream, shown)`, examples for prompts of other roles; `chars_per_token`, how many
    characters of a completion make a token at least, 1 by default; `reference(problem, variant)`, a draw from the
    distribution of reference replies.
    """

    name: str
    difficulties: tuple[int, ...]
    unit: str

    def problem(self, seed: int, index: int, difficulty: int | None = None, split: Split = "train") -> Problem:
        """Problem `index` of the stream `seed`; without `difficulty` it cycles through `difficulties`."""

    def hint(self, problem: Problem) -> str:
        """The prompt with the gold answer shown, for rationalization."""

    def solution(self, problem: Problem) -> str:
        """A completion with every step right: what a careful writer would put."""

    def direct(self, problem: Problem) -> str:
        """A completion that is the bare answer, without steps."""

    def verify(self, problem: Problem, completion: str) -> Verdict:
        """Check a completion, however malformed, without ever raising."""

    def path(self, problem: Problem, completion: str) -> str:
        """The completion in the form by which two that reason alike are known as copies; bounded in length."""

    def max_completion_chars(self, difficulty: int) -> int:
        """Length of the longest right completion, in characters, end mark not counted."""


def graded_reward(correct: bool, errors: int, steps: int, needed: int) -> float:
    """Share of `needed` steps and the answer that are right: 1 exactly if the answer and every step are.

    Missing and extra steps are among the `errors`, so that repeating a right step earns nothing. A bare answer, without
    any of the `steps`, earns the answer's share alone.
    """
    right = int(correct) if steps == 0 else needed + correct - errors
    return max(0, right) / (needed + 1)


def item_rng(*parts: int | str) -> random.Random:
    """A generator that depends on `parts` only: the same on every machine, whatever was drawn before."""
    return random.Random("/".join(str(part) for part in parts))


def problems(task: Task, seed: int, start: int, count: int, split: Split = "train") -> list[Problem]:
    """Problems `start` to `start + count - 1` of the stream `seed`, difficulties in turn."""
    return [task.problem(seed, index, split=split) for index in range(start, start + count)]


def test_set(task: Task, per_difficulty: int, difficulties: Sequence[int] | None = None) -> list[Problem]:
    """The fixed test set: up to `per_difficulty` distinct problems of each difficulty, the same for every run and seed."""
    chosen: dict[str, Problem] = {}
    for difficulty in difficulties or task.difficulties:
        distinct: dict[str, Problem] = {}
        for index in range(20 * per_difficulty):
            problem = task.problem(0, index, difficulty, "test")
            distinct.setdefault(problem.prompt, problem)
            if len(distinct) == per_difficulty:
                break
        chosen |= distinct
    return list(chosen.values())


test_set.__test__ = False  # not a test, whatever pytest thinks of the name
