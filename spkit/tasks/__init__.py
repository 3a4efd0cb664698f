"""Tasks: what is asked and how it is checked."""

from ..errors import SpkitError
from .addition import Addition
from .base import Problem, Task, Verdict, item_rng, problems, test_set
from .replies import Replies
from .sums import Sums

TASKS: dict[str, type] = {"addition": Addition, "sums": Sums, "replies": Replies}


def load_task(name: str) -> Task:
    """The task of that name; SpkitError names the ones there are."""
    if name not in TASKS:
        raise SpkitError(f"unknown task {name!r}: choose one of {', '.join(TASKS)}")
    return TASKS[name]()


__all__ = ["TASKS", "Addition", "Problem", "Replies", "Sums", "Task", "Verdict", "item_rng", "load_task", "problems", "test_set"]
