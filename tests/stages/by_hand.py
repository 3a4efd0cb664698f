"""Proposals, attempts and verdicts of expressions, and samples of sums, written by hand."""

from typing import Any

import torch

from spkit.policy import Rollouts
from spkit.run.streams import generator
from spkit.stages.propose import Proposed
from spkit.stages.solve import Attempts, Sample, verify_all
from spkit.tasks import Problem, Task, Verdict, load_task
from spkit.tasks.expressions.problem import problem_about
from spkit.tasks.sums import order_text

TASK, SUMS = load_task("expressions"), load_task("sums")


def draw(number: int = 0) -> torch.Generator:
    return generator(7, number, "test")


def made(kind="deduction", program="x+y", inputs=((1, 2),), fault=None, text="") -> Proposed:
    """A proposal by hand; invalid without a program."""
    problem = problem_about(kind, program, inputs) if program else None
    return Proposed(kind, "new ded>", text, [3, 4], torch.tensor([-0.5, -1.5]), problem, fault)


def hand_made(problem: Any, texts: list[str], finished: list[bool] | None = None, task: Task = TASK) -> Attempts:
    """Attempts at one problem with these texts."""
    count = len(texts)
    rows = Rollouts([problem.prompt] * count, [[]] * count, texts, [], torch.zeros(0), finished or [True] * count)
    return Attempts([problem], count, rows, verify_all(task, [problem], rows, count))


def said_of(problem: Problem, text: str, finished: bool = True, task: Task = TASK) -> Verdict:
    """The verdict on one completion."""
    return hand_made(problem, [text], [finished], task).verdicts[0]


def sample(order: list[int], prompt: str = "7+15+8=", wrong: bool = False) -> Sample:
    text = order_text(order) + ("1" if wrong else "")
    problem = Problem(prompt, str(sum(int(n) for n in prompt[:-1].split("+"))), prompt.count("+") + 1)
    return Sample(problem, [order[0]], text, SUMS.verify(problem, text), SUMS.path(problem, text))


SAME = [sample([7, 15, 8]), sample([15, 7, 8]), sample([8, 7, 15])]  # the first two differ in text and not in path
