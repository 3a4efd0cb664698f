"""What Absolute Zero needs of a task whose problems can be proposed, the same for expressions and for Python programs.

An entry of a buffer is a program with its inputs, each a tuple: `(4, 7)` of an expression, `('[1, 2]', '3')` (with its
output) of a Python program.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Protocol, TypeAlias

from ..run.errors import SpkitError
from ..tasks import Expressions, Problem, PythonPrograms, Task
from ..tasks import expression_proposals as expression
from ..tasks import python_proposals as python
from ..tasks.expression_language import MAX_DEPTH, MAX_PROGRAM, PROBES, evaluate, parse
from ..tasks.expressions import KINDS, PAIRS, ExpressionProblem, Kind, asked
from ..tasks.python_programs import PythonProblem
from ..tasks.python_programs import asked as asked_python

Entry: TypeAlias = tuple[str, tuple[tuple, ...]]
_UNKNOWN = (
    "<unk>"  # how a tokenizer writes a token that is no character; a policy may sample it, and no prompt may hold it
)


class World(Protocol):
    """A family of problems of the three kinds.

    Problems have a `kind`, a `program` and `inputs`; one without inputs has no right answer.
    """

    tasks: dict[Kind, Task]
    first: dict[Kind, Entry]  # the identity, the one entry that self-play starts from
    hardest: int  # the largest difficulty that a completion has to have room for
    longest: int  # characters of a valid proposal
    chars_per_token: float  # of what is written, at least

    def prompt(self, kind: Kind, *, references: Sequence[Any] = (), program: str | None = None) -> str:
        """What a proposer reads."""

    def triplet(self, entry: Entry) -> Any:
        """An entry of deduction or abduction as a reference; its str is what a prompt shows."""

    def checked(self, kind: Kind, text: str, program: str | None = None) -> tuple[Any | None, str | None]:
        """The problem that a proposal comes to, and its fault if it has one.

        `program` is the one that was given, for induction.
        """

    def asked(self, kind: Kind, entry: Entry) -> Any:
        """The problem of that kind about an entry."""

    def unsound(self, kind: Kind, text: str) -> Any:
        """An invalid proposal as a problem that has no right answer: its text stands where the question would."""

    def answers(self, kind: Kind, text: str) -> list[str]:
        """The completion once for every answer it offers in the end, that one alone: what a careless check looks at."""


class ExpressionWorld:
    """Expressions."""

    first: dict[Kind, Entry] = {
        "deduction": (expression.SEED.program, (expression.SEED.at,)),
        "abduction": (expression.SEED.program, (expression.SEED.at,)),
        "induction": (expression.SEED.program, PROBES),
    }
    hardest = MAX_DEPTH
    longest = max(MAX_PROGRAM + len(" 4,7"), 4 * PAIRS - 1)
    chars_per_token = 1.0
    _ends = {"deduction": ("=", r"[0-9]"), "abduction": (";", r"[0-9],[0-9]"), "induction": ("\n", r"[^ ]+")}

    def __init__(self, task: Expressions = Expressions()) -> None:
        self.tasks: dict[Kind, Task] = {kind: replace(task, kind=kind) for kind in KINDS}

    def prompt(self, kind: Kind, *, references: Sequence[expression.Triplet] = (), program: str | None = None) -> str:
        """See `World`."""
        return expression.proposer_prompt(kind, references=references, program=program)

    def triplet(self, entry: Entry) -> expression.Triplet:
        """See `World`."""
        return expression.Triplet(entry[0], entry[1][0], evaluate(parse(entry[0]), entry[1][0]))

    def checked(self, kind: Kind, text: str, program: str | None = None) -> tuple[ExpressionProblem | None, str | None]:
        """See `World`."""
        if kind == "induction":
            inputs = expression.read_inputs(text)
            return (asked(kind, program, inputs), None) if inputs else (None, "input")
        made = expression.proposal(text)
        return (asked(kind, made.triplet.program, [made.triplet.at]) if made.valid else None), made.fault

    def asked(self, kind: Kind, entry: Entry) -> ExpressionProblem:
        """See `World`."""
        return asked(kind, *entry)

    def unsound(self, kind: Kind, text: str) -> ExpressionProblem:
        """See `World`; unknown tokens are left out."""
        return ExpressionProblem(f"{expression.WORDS[kind]} {text.replace(_UNKNOWN, '')}>", "", MAX_DEPTH, kind, "", ())

    def answers(self, kind: Kind, text: str) -> list[str]:
        """See `World`: `4=4;1,2 3,4` offers two inputs, `=0123456789` every output."""
        mark, shape = self._ends[kind]
        head, sign, end = text.rpartition(mark)
        return [head + sign + answer for answer in re.findall(shape, end)]


class PythonWorld:
    """Python programs, in the sandbox of the task of the asked kind."""

    hardest = 2 * max(PythonPrograms().difficulties)
    longest = python.LONGEST_PROPOSAL
    chars_per_token = PythonPrograms.chars_per_token

    def __init__(self, task: PythonPrograms) -> None:
        self.task = task
        self.tasks: dict[Kind, Task] = {kind: task if kind == task.kind else replace(task, kind=kind) for kind in KINDS}

    @cached_property
    def first(self) -> dict[Kind, Entry]:
        """See `World`."""
        pairs = tuple((str(number), str(number)) for number in range(PAIRS))
        one = ((python.SEED.given, python.SEED.output),)
        return {
            "deduction": (python.SEED.program, one),
            "abduction": (python.SEED.program, one),
            "induction": (python.SEED.program, pairs),
        }

    def prompt(self, kind: Kind, *, references: Sequence[python.PythonTriplet] = (), program: str | None = None) -> str:
        """See `World`."""
        return python.proposer_prompt(kind, references=references, program=program)

    def triplet(self, entry: Entry) -> python.PythonTriplet:
        """See `World`."""
        return python.PythonTriplet(entry[0], *entry[1][0])

    def checked(self, kind: Kind, text: str, program: str | None = None) -> tuple[PythonProblem | None, str | None]:
        """See `World`."""
        if kind == "induction":
            return python.proposed_inputs(self.task.sandbox, program, text)
        return python.proposal(self.task.sandbox, kind, text)

    def asked(self, kind: Kind, entry: Entry) -> PythonProblem:
        """See `World`."""
        return asked_python(kind, entry[0], [given for given, _ in entry[1]], [output for _, output in entry[1]])

    def unsound(self, kind: Kind, text: str) -> PythonProblem:
        """See `World`."""
        return PythonProblem(
            re.sub(r"\n\s*\n", "\n", text.replace(_UNKNOWN, "")).strip("\n") + "\n", "", self.hardest, kind, "", (), ()
        )

    def answers(self, kind: Kind, text: str) -> list[str]:
        """See `World`: every line that begins with `Answer:`, with the program behind it for induction."""
        parts = re.split(r"^(?=Answer:)", text, flags=re.MULTILINE)[1:]
        return parts if kind == "induction" else [part.split("\n")[0] for part in parts]


def world_of(task: Task) -> World:
    """The world of a task; SpkitError if its problems cannot be proposed."""
    if isinstance(task, Expressions):
        return ExpressionWorld(task)
    if isinstance(task, PythonPrograms):
        return PythonWorld(task)
    raise SpkitError(
        f"Absolute Zero needs a task whose problems can be proposed: expressions or python_programs, not {task.name}"
    )


def entry_of(problem: Problem) -> Entry:
    """What a buffer keeps of a problem."""
    return problem.program, tuple(zip(problem.inputs, problem.outputs)) if isinstance(
        problem, PythonProblem
    ) else problem.inputs
