"""Python programs: work out an output, find an input, or write the program (Absolute Zero,
arXiv:2505.03335, section 3).

- deduction shows `def f(x): ...` and asks for f of an input;
- abduction shows the program and an output, and takes any input that gives it;
- induction shows five inputs with their outputs, and takes any program that has the right output at
  five more, which are hidden.

A completion ends with a line `Answer: ` and a Python literal; what stands before it is free. A line `a = [3, 1]` there
is a step, and can be wrong. For induction the program follows on the lines after `Answer:`. Only the last such line is
read, and values are compared as `literals.same` does.

The difficulty is the number of variables that the program works out (`generator`). Programs and answers are run
in a sandbox, and never in this process; the outputs of a problem come from there too. Test programs are those whose
outputs at eight fixed inputs of their type fall on that side of a hash, so that no program of the train split does the
same there. How a proposer asks for such problems is in `proposals`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

from ...run.errors import SpkitError
from ...sandbox import open_sandbox
from ...sandbox.base import Limits, Sandbox
from ...sandbox.literals import MAX_CHARS, literal_text, read_literal
from ..base import INDUCTION_PAIRS, KINDS, UNKNOWN, Entry, Kind, Proposable, Split, Verdict, item_rng
from .generator import MAX_VARIABLES, Program, distinct_inputs, random_program
from .problem import (
    ANSWER,
    CHECKS,
    LONGEST_PROGRAM,
    MAX_PYTHON_CHARS,
    MAX_VALUE,
    PythonProblem,
    probes,
    problem_about,
    split_of_outputs,
)
from .proposals import (
    LONGEST_PROPOSAL,
    SEED,
    PythonTriplet,
    proposal,
    proposed_inputs,
    proposer_examples,
    proposer_prompt,
)

LIMITS = Limits(output_chars=MAX_CHARS)


@dataclass(frozen=True)
class PythonPrograms(Proposable):
    """Problems of one kind, of programs with 1 to 5 variables by default; `verify` takes those of any kind."""

    kind: Kind = "deduction"
    difficulties: tuple[int, ...] = (1, 2, 3, 4, 5)
    extrapolation: tuple[int, ...] = (6, 7, 8)
    unit: str = "variables"
    base: str = "words"
    chars_per_token: float = 1.5  # code has 3, lists of numbers half as many
    backend: Literal["auto", "monty", "subprocess"] = "auto"
    hardest: ClassVar[int] = 10
    longest_proposal: ClassVar[int] = LONGEST_PROPOSAL

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise SpkitError(f"there is no kind {self.kind!r} of python_programs: choose one of {', '.join(KINDS)}")

    @property
    def name(self) -> str:
        """`python_programs` for deduction, `python_programs-abduction` and `python_programs-induction`."""
        return "python_programs" if self.kind == "deduction" else f"python_programs-{self.kind}"

    @property
    def instruction(self) -> str:
        """What a chat model is told of the format."""
        if self.kind == "induction":
            return (
                "Write a Python function f. End with a line `Answer:`, followed by the function, `def f(x):`, "
                "on the lines after it."
            )
        return "Work out one variable a line, as in `a = 3`. End with one line `Answer: ` followed by a Python literal."

    @cached_property
    def sandbox(self) -> Sandbox:
        """Where this task runs programs; opened when first needed."""
        return open_sandbox(self.backend, LIMITS)

    def problem(self, seed: int, index: int, difficulty: int | None = None, split: Split = "train") -> PythonProblem:
        """A program of `difficulty` variables, of the asked split, with at least three different
        outputs at ten random inputs.
        """
        said = f"python_programs have 1 to {MAX_VARIABLES} variables"
        variables = self.difficulty_at(index, difficulty, range(1, MAX_VARIABLES + 1), said)
        rng = item_rng("python_programs", split, seed, index, variables)
        while True:
            program = random_program(rng, variables)
            inputs = distinct_inputs(rng, program.takes, INDUCTION_PAIRS)
            found = _run(self.sandbox, program, inputs)
            if found is not None and found[0] == split and len({*found[1]}) >= 3:
                break
        texts = [literal_text(value) for value in inputs]
        return problem_about(self.kind, program.text, texts, found[1], tuple(zip(program.names, found[2])))

    def hint(self, problem: PythonProblem) -> str:
        """The prompt with the answer on a line before its last."""
        head, _, last = problem.prompt[:-1].rpartition("\n")
        return f"{head}\nThe answer is\n{problem.answer}\n{last}\n"

    def solution(self, problem: PythonProblem) -> str:
        """The value of every variable at the first input, and the answer.

        For induction the program that the problem was made from.
        """
        if problem.kind == "induction":
            return self.direct(problem)
        steps = problem.steps if problem.kind == "deduction" else (("x", problem.inputs[0]), *problem.steps)
        return "".join(f"{name} = {value}\n" for name, value in steps) + self.direct(problem)

    def direct(self, problem: PythonProblem) -> str:
        """The answer on its line."""
        return f"Answer:{chr(10) if problem.kind == 'induction' else ' '}{problem.answer}"

    def roles(self, stream: int, shown: int) -> list[tuple[str, list[tuple[str, str]], str]]:
        """Examples of every role and kind; the solver of this kind has its own."""
        tasks = {kind: self.of_kind[kind] for kind in KINDS}
        drawn = {k: [task.problem(stream, index, 1 + index % 2) for index in range(shown)] for k, task in tasks.items()}
        marks = {
            "deduction": "What is f(",
            "abduction": "For which x is f(x) ==",
            "induction": "Which function f is it?",
        }
        return proposer_examples(drawn) + [
            (marks[kind], [(p.prompt, self.solution(p)) for p in drawn[kind]], tasks[kind].instruction)
            for kind in KINDS
        ]

    def check(self, problem: PythonProblem, completion: str) -> Verdict:
        """Check a completion of a valid problem of any kind; see the module. `step_errors` counts variables with a
        wrong value (deduction, abduction at the input the problem was made from), and of induction the shown pairs
        that the program misses.
        """
        found = list(ANSWER.finditer(completion.replace("\r\n", "\n"))) if len(completion) <= MAX_PYTHON_CHARS else []
        if not found:
            return Verdict(False, 0.0, None, 0)
        return CHECKS[problem.kind](self.sandbox, problem, found[-1])

    def path(self, problem: PythonProblem, completion: str) -> str:
        """The completion itself."""
        return completion[:MAX_PYTHON_CHARS]

    def max_completion_chars(self, difficulty: int) -> int:
        """A bound for the solutions of generated programs: a line a variable and the answer.

        For induction, any program.
        """
        longest = MAX_VALUE + len("a = \n")
        return (
            LONGEST_PROGRAM + (difficulty + 1) * 110
            if self.kind == "induction"
            else (difficulty + 2) * longest + len("Answer: ")
        )

    def seed_entry(self, kind: Kind) -> Entry:
        """The identity, at one input, or for induction at PAIRS of them."""
        numbers = tuple((str(number), str(number)) for number in range(INDUCTION_PAIRS))
        return SEED.program, numbers if kind == "induction" else ((SEED.given, SEED.output),)

    def entry_of(self, problem: PythonProblem) -> Entry:
        """The program with its inputs and outputs."""
        return problem.program, tuple(zip(problem.inputs, problem.outputs))

    def from_entry(self, kind: Kind, entry: Entry) -> PythonProblem:
        """The problem of that kind about a program, its inputs and its outputs."""
        return problem_about(kind, entry[0], [given for given, _ in entry[1]], [output for _, output in entry[1]])

    def triplet(self, entry: Entry) -> PythonTriplet:
        """Program, input and output."""
        return PythonTriplet(entry[0], *entry[1][0])

    def proposer_prompt(self, kind: Kind, references: Sequence[PythonTriplet] = (), program: str | None = None) -> str:
        """What is there already and the wish for something different; for induction the program."""
        return proposer_prompt(kind, references=references, program=program)

    def parse(self, kind: Kind, text: str, program: str | None = None) -> tuple[PythonProblem | None, str | None]:
        """The problem that a proposal comes to, worked out in the sandbox, and its fault if it has one."""
        if kind == "induction":
            return proposed_inputs(self.sandbox, program, text)
        return proposal(self.sandbox, kind, text)

    def invalid(self, kind: Kind, text: str) -> PythonProblem:
        """An invalid proposal as a problem; unknown tokens and blank lines are left out."""
        prompt = re.sub(r"\n\s*\n", "\n", text.replace(UNKNOWN, "")).strip("\n") + "\n"
        return PythonProblem(prompt, "", self.hardest, kind, "", (), ())

    def offered(self, kind: Kind, completion: str) -> list[str]:
        """Every line that begins with `Answer:`, with the program after it for induction."""
        parts = re.split(r"^(?=Answer:)", completion, flags=re.MULTILINE)[1:]
        return parts if kind == "induction" else [part.split("\n")[0] for part in parts]


def _run(sandbox: Sandbox, program: Program, inputs: Sequence[Any]) -> tuple[Split, list[str], list[str]] | None:
    """Split, outputs at the inputs, and the values of all variables at the first of them.

    None if a value is too long.
    """
    result = sandbox.run(program.traced, [literal_text([*inputs, *probes(program.takes)])])[0]
    if result.status in ("output-too-long", "memory"):
        return None
    if not result.ok:
        raise SpkitError(
            f"the sandbox {sandbox.name} could not run a generated program ({result.status} "
            f"{result.detail}): report it with\n{program.text}"
        )
    found, on_the_way = read_literal(result.value)
    outputs, values = (
        [literal_text(value) for value in found[: len(inputs)]],
        [literal_text(value) for value in on_the_way],
    )
    split = split_of_outputs([literal_text(value, ordered=False) for value in found[len(inputs) :]])
    return (split, outputs, values) if max(map(len, outputs + values)) <= MAX_VALUE else None
