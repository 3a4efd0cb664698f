"""Tasks: what is asked and how it is checked."""

from collections.abc import Callable
from functools import partial

from ..errors import SpkitError
from .addition import Addition
from .base import Problem, Task, Verdict, item_rng, problems, test_set
from .expressions import Expressions
from .python_programs import PythonPrograms
from .replies import Replies
from .sums import Sums
from .word_problems import WordProblems

TASKS: dict[str, Callable[[], Task]] = {
    "addition": Addition,
    "sums": Sums,
    "replies": Replies,
    "expressions": Expressions,
    "expressions-abduction": partial(Expressions, "abduction"),
    "expressions-induction": partial(Expressions, "induction"),
    "word_problems": WordProblems,
    "python_programs": PythonPrograms,
    "python_programs-abduction": partial(PythonPrograms, "abduction"),
    "python_programs-induction": partial(PythonPrograms, "induction"),
}


def load_task(name: str) -> Task:
    """The task of that name; SpkitError names the ones there are."""
    if name not in TASKS:
        raise SpkitError(f"unknown task {name!r}: choose one of {', '.join(TASKS)}")
    return TASKS[name]()


__all__ = [
    "TASKS",
    "Addition",
    "Expressions",
    "Problem",
    "PythonPrograms",
    "Replies",
    "Sums",
    "Task",
    "Verdict",
    "WordProblems",
    "item_rng",
    "load_task",
    "problems",
    "test_set",
]
