"""Python programs: work out an output, find an input, or write the program (Absolute Zero,
arXiv:2505.03335, section 3).

- deduction shows `def f(x): ...` and asks for f of an input;
- abduction shows the program and an output, and takes any input that gives it;
- induction shows five inputs with their outputs, and takes any program that has the right output at
  five more, which are hidden.

A completion ends with a line `Answer: ` and a Python literal; what stands before it is free. A line `a = [3, 1]` there
is a step, and can be wrong. For induction the program follows on the lines after `Answer:`. Only the last such line is
read, and values are compared as `literals.same` does.

The difficulty is the number of variables that the program works out (`python_generator`). Programs and answers are run
in a sandbox, and never in this process; the outputs of a problem come from there too. Test programs are those whose
outputs at eight fixed inputs of their type fall on that side of a hash, so that no program of the train split does the
same there. How a proposer asks for such problems is in `python_proposals`.
"""

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from ..run.errors import SpkitError
from ..sandbox.base import Limits, Sandbox, open_sandbox
from ..sandbox.literals import MAX_CHARS, canonical, literal_text, read_literal, same
from .base import Problem, Split, Verdict, graded_reward, item_rng
from .expressions import KINDS, PAIRS, SHOWN, Kind
from .python_generator import MAX_VARIABLES, Program, Type, distinct_inputs, random_program, variables_of

MAX_READ = 20_000  # characters of a completion; a longer one is not read
MAX_VALUE = 60  # characters of every value in a generated problem
LONGEST_PROGRAM = 600  # characters of a program that is proposed
PROBES = 8  # fixed inputs whose outputs say which split a program is of
TEST_SHARE = 4  # one program in four is kept for the test split
LIMITS = Limits(output_chars=MAX_CHARS)

_ANSWER = re.compile(r"^Answer:[ \t]*([^\n]*)$", re.MULTILINE)
_STEP = re.compile(r"^([a-z]) = ([^\n]+)$", re.MULTILINE)
_FENCE = re.compile(r"^[ \t]*```\w*[ \t]*$", re.MULTILINE)


@dataclass(frozen=True)
class PythonProblem(Problem):
    """A problem with what was asked: its kind, the program, and an input with its output; for induction PAIRS of them,
    of which SHOWN are shown.

    All are texts; `steps` has the values of the program's variables at the first input, as (name, value),
    none if nobody traced it.
    """

    kind: Kind
    program: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    steps: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class PythonPrograms:
    """Problems of one kind, of programs with 1 to 5 variables by default; `verify` takes those of any kind."""

    kind: Kind = "deduction"
    difficulties: tuple[int, ...] = (1, 2, 3, 4, 5)
    extrapolation: tuple[int, ...] = (6, 7, 8)
    unit: str = "variables"
    base: str = "words"
    chars_per_token: float = 1.5  # code has 3, lists of numbers half as many
    backend: Literal["auto", "monty", "subprocess"] = "auto"

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
        variables = self.difficulties[index % len(self.difficulties)] if difficulty is None else difficulty
        if not 1 <= variables <= MAX_VARIABLES:
            raise SpkitError(
                f"python_programs have 1 to {MAX_VARIABLES} variables, not {variables}: ask for a "
                "difficulty in that range"
            )
        rng = item_rng("python_programs", split, seed, index, variables)
        while True:
            program = random_program(rng, variables)
            inputs = distinct_inputs(rng, program.takes, PAIRS)
            found = _run(self.sandbox, program, inputs)
            if found is not None and found[0] == split and len({*found[1]}) >= 3:
                break
        texts = [literal_text(value) for value in inputs]
        return asked(self.kind, program.text, texts, found[1], tuple(zip(program.names, found[2])))

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
        """(mark, examples, instruction) of every role and kind, as `spkit.policy.prompting` shows them.

        The solver of this kind has its own.
        """
        from .python_proposals import role_examples

        return role_examples(self, stream, shown)

    def verify(self, problem: PythonProblem, completion: str) -> Verdict:
        """Check a completion of any kind; see the module. `step_errors` counts variables with a wrong value (deduction,
        abduction at the input the problem was made from), and of induction the shown pairs that the program misses.
        """
        found = list(_ANSWER.finditer(completion.replace("\r\n", "\n"))) if len(completion) <= MAX_READ else []
        if not found:
            return Verdict(False, 0.0, None, 0)
        return _VERIFIERS[problem.kind](self.sandbox, problem, found[-1])

    def path(self, problem: PythonProblem, completion: str) -> str:
        """The completion itself."""
        return completion[:MAX_READ]

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


def asked(
    kind: Kind, program: str, inputs: Sequence[str], outputs: Sequence[str], steps: tuple[tuple[str, str], ...] = ()
) -> PythonProblem:
    """The problem of that kind about a program, at its first input, or at PAIRS of them for induction;
    further inputs are left out.

    Raises SpkitError for too few inputs.
    """
    count = PAIRS if kind == "induction" else 1
    if min(len(inputs), len(outputs)) < count:
        raise SpkitError(
            f"a problem of {kind} has {count} input{'s' * (count > 1)}, not {min(len(inputs), len(outputs))}"
        )
    pairs = "\n".join(f"f({given}) == {output}" for given, output in zip(inputs[:SHOWN], outputs))
    prompt, answer = {
        "deduction": (f"{program}\nWhat is f({inputs[0]})?\n", outputs[0]),
        "abduction": (f"{program}\nFor which x is f(x) == {outputs[0]}?\n", inputs[0]),
        "induction": (f"{pairs}\nWhich function f is it?\n", program),
    }[kind]
    return PythonProblem(
        prompt, answer, variables_of(program), kind, program, tuple(inputs[:count]), tuple(outputs[:count]), steps
    )


def split_of(outputs: Sequence[str]) -> Split:
    """Which split a program belongs to, by its outputs at the probes of its input type."""
    return "test" if zlib.crc32(";".join(outputs).encode()) % TEST_SHARE == 0 else "train"


def probes(takes: Type) -> list[Any]:
    """The fixed inputs of a type."""
    return distinct_inputs(item_rng("python_programs", "probes", takes), takes, PROBES)


def split_of_proposed(sandbox: Sandbox, program: str, given: str) -> Split:
    """Which split a program by somebody else belongs to, by its outputs at the probes of its input's type; train if it
    has no such type, or fails at a probe, for then no generated program is like it.
    """
    takes = {int: "int", list: "list", str: "str"}.get(type(read_literal(given)))
    if takes is None:
        return "train"
    results = sandbox.run(program, [literal_text(value) for value in probes(takes)])
    return (
        split_of([canonical(result.value or "") or "" for result in results])
        if all(result.ok for result in results)
        else "train"
    )


def read_program(text: str) -> str | None:
    """A program as a model wrote it, without the fences of a code block and without blank lines.

    None if it defines no f.
    """
    lines = [line.rstrip() for line in _FENCE.sub("", text).split("\n")]
    source = "\n".join(line for line in lines if line)
    return source if re.search(r"^def f\(", source, re.MULTILINE) else None


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
    split = split_of([literal_text(value, ordered=False) for value in found[len(inputs) :]])
    return (split, outputs, values) if max(map(len, outputs + values)) <= MAX_VALUE else None


def _answer(match: re.Match) -> str | None:
    """The literal of an answer's line."""
    return canonical(match[1].strip().strip("`"))


def _wrong_steps(problem: PythonProblem, before: str) -> tuple[int, int]:
    """Variables whose last value written is wrong or missing, and how many were written."""
    found = dict(_STEP.findall(before))
    written = [name for name, _ in problem.steps if name in found]
    if not written:
        return 0, 0
    return sum(name not in found or not same(found[name], value) for name, value in problem.steps), len(written)


def _verify_deduction(sandbox: Sandbox, problem: PythonProblem, match: re.Match) -> Verdict:
    parsed = _answer(match)
    correct = parsed is not None and parsed == canonical(problem.outputs[0])
    errors, written = _wrong_steps(problem, match.string[: match.start()])
    return Verdict(correct, graded_reward(correct, errors, written, len(problem.steps)), parsed, errors)


def _verify_abduction(sandbox: Sandbox, problem: PythonProblem, match: re.Match) -> Verdict:
    parsed = _answer(match)
    correct = parsed is not None and _gives(sandbox, problem.program, [parsed], problem.outputs[:1]) == [True]
    own = parsed == canonical(problem.inputs[0])
    errors, written = _wrong_steps(problem, match.string[: match.start()]) if own else (0, 0)
    needed = len(problem.steps) if written else 0
    return Verdict(correct, graded_reward(correct, errors, written, needed), parsed, errors)


def _verify_induction(sandbox: Sandbox, problem: PythonProblem, match: re.Match) -> Verdict:
    program = read_program(match.string[match.end() :])
    if program is None:
        return Verdict(False, 0.0, None, 0)
    right = _gives(sandbox, program, problem.inputs, problem.outputs)
    correct, errors = all(right[SHOWN:]), SHOWN - sum(right[:SHOWN])
    return Verdict(correct, graded_reward(correct, errors, SHOWN, SHOWN), program, errors)


def _gives(sandbox: Sandbox, program: str, inputs: Sequence[str], outputs: Sequence[str]) -> list[bool]:
    """At which inputs a program gives which output."""
    results = sandbox.run(program, inputs)
    return [result.ok and same(result.value or "", output) for result, output in zip(results, outputs, strict=True)]


_VERIFIERS = {"deduction": _verify_deduction, "abduction": _verify_abduction, "induction": _verify_induction}
