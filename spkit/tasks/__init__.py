"""Tasks: what is asked and how it is checked."""

from collections.abc import Callable
from functools import partial

from ..run.errors import SpkitError
from . import gym
from .addition import Addition
from .base import KINDS, Kind, Problem, Proposable, Task, Verdict, item_rng, problems, test_set
from .chains import Chains
from .commonsense_qa import CommonsenseQa
from .expressions import Expressions
from .games import load_game
from .gsm8k import Gsm8k
from .instructions import Instructions
from .legal_moves import LegalMoves
from .python_programs import PythonPrograms
from .replies import Replies
from .stories import Stories
from .sums import Sums
from .word_problems import WordProblems

TASKS: dict[str, Callable[[], Task]] = {
    "addition": Addition,
    "sums": Sums,
    "replies": Replies,
    "expressions": Expressions,
    "expressions-abduction": partial(Expressions, "abduction"),
    "expressions-induction": partial(Expressions, "induction"),
    "expressions-plus-minus": partial(Expressions, "deduction", (1, 2, 3, 4), (5, 6), signs="+-", deepest=4),
    "legal-moves": LegalMoves,
    "chains": Chains,
    "word_problems": WordProblems,
    "stories": Stories,
    "gsm8k": Gsm8k,
    "commonsense_qa": CommonsenseQa,
    "instructions": Instructions,
    "python_programs": PythonPrograms,
    "python_programs-abduction": partial(PythonPrograms, "abduction"),
    "python_programs-induction": partial(PythonPrograms, "induction"),
}
SOURCES: dict[str, Callable[[str], Task]] = {
    "gsm8k": Gsm8k,
    "commonsense_qa": CommonsenseQa,
    "gym": gym.from_name,
    "game": load_game,
}  # NAME:WHERE


def load_task(name: str) -> Task:
    """The task of that name, or of that name and source (`gsm8k:FOLDER`, `gym:DATASET`, `game:kuhn`).

    SpkitError names the ones there are.
    """
    kind, colon, where = name.partition(":")
    if colon and where and kind in SOURCES:
        return SOURCES[kind](where)
    if name not in TASKS:
        raise SpkitError(f"unknown task {name!r}: choose one of {', '.join(task_names())}")
    return TASKS[name]()


def task_names() -> list[str]:
    """Every name that `load_task` takes, those with a source as NAME:WHERE."""
    where = {"gym": "DATASET", "game": "NAME"}
    return [*TASKS, *(f"{kind}:{where.get(kind, 'PATH')}" for kind in SOURCES)]


__all__ = [
    "KINDS",
    "SOURCES",
    "TASKS",
    "Addition",
    "Chains",
    "CommonsenseQa",
    "Expressions",
    "Gsm8k",
    "Instructions",
    "Kind",
    "LegalMoves",
    "Problem",
    "Proposable",
    "PythonPrograms",
    "Replies",
    "Stories",
    "Sums",
    "Task",
    "Verdict",
    "WordProblems",
    "item_rng",
    "load_task",
    "problems",
    "task_names",
    "test_set",
]
