"""Problems of python_programs: what is asked in each of the three kinds, and how a completion is checked."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...run.errors import SpkitError
from ...sandbox.base import Sandbox
from ...sandbox.literals import canonical, literal_text, read_literal, same
from ..base import (
    INDUCTION_PAIRS,
    INDUCTION_SHOWN,
    Kind,
    Problem,
    Split,
    Verdict,
    graded_reward,
    item_rng,
    split_by_content,
)
from .generator import Type, distinct_inputs, variables_of

MAX_PYTHON_CHARS = 20_000  # characters of a completion; a longer one is not read
MAX_VALUE = 60  # characters of every value in a generated problem
LONGEST_PROGRAM = 600  # characters of a program that is proposed
PROBES_PER_TYPE = 8  # fixed inputs whose outputs say which split a program is of

ANSWER = re.compile(r"^Answer:[ \t]*([^\n]*)$", re.MULTILINE)
_STEP = re.compile(r"^([a-z]) = ([^\n]+)$", re.MULTILINE)
_FENCE = re.compile(r"^[ \t]*```\w*[ \t]*$", re.MULTILINE)


@dataclass(frozen=True)
class PythonProblem(Problem):
    """A problem with what was asked: its kind, the program, and an input with its output; for induction PAIRS of them,
    of which INDUCTION_SHOWN are shown.

    All are texts; `steps` has the values of the program's variables at the first input, as (name, value),
    none if nobody traced it.
    """

    kind: Kind
    program: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    steps: tuple[tuple[str, str], ...] = ()


def problem_about(
    kind: Kind, program: str, inputs: Sequence[str], outputs: Sequence[str], steps: tuple[tuple[str, str], ...] = ()
) -> PythonProblem:
    """The problem of that kind about a program, at its first input, or at PAIRS of them for induction; further inputs
    are left out. Raises SpkitError for too few inputs.
    """
    count = INDUCTION_PAIRS if kind == "induction" else 1
    if min(len(inputs), len(outputs)) < count:
        raise SpkitError(
            f"a problem of {kind} has {count} input{'s' * (count > 1)}, not {min(len(inputs), len(outputs))}"
        )
    pairs = "\n".join(f"f({given}) == {output}" for given, output in zip(inputs[:INDUCTION_SHOWN], outputs))
    prompt, answer = {
        "deduction": (f"{program}\nWhat is f({inputs[0]})?\n", outputs[0]),
        "abduction": (f"{program}\nFor which x is f(x) == {outputs[0]}?\n", inputs[0]),
        "induction": (f"{pairs}\nWhich function f is it?\n", program),
    }[kind]
    return PythonProblem(
        prompt, answer, variables_of(program), kind, program, tuple(inputs[:count]), tuple(outputs[:count]), steps
    )


def split_of_outputs(outputs: Sequence[str]) -> Split:
    """Which split a program belongs to, by its outputs at the probes of its input type."""
    return split_by_content(";".join(outputs))


def probes(takes: Type) -> list[Any]:
    """The fixed inputs of a type."""
    return distinct_inputs(item_rng("python_programs", "probes", takes), takes, PROBES_PER_TYPE)


def split_of_proposed(sandbox: Sandbox, program: str, given: str) -> Split:
    """Which split a program by somebody else belongs to, by its outputs at the probes of its input's type; train if it
    has no such type, or fails at a probe, for then no generated program is like it.
    """
    takes = {int: "int", list: "list", str: "str"}.get(type(read_literal(given)))
    if takes is None:
        return "train"
    results = sandbox.run(program, [literal_text(value) for value in probes(takes)])
    return (
        split_of_outputs([canonical(result.value or "") or "" for result in results])
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
    correct, errors = all(right[INDUCTION_SHOWN:]), INDUCTION_SHOWN - sum(right[:INDUCTION_SHOWN])
    return Verdict(correct, graded_reward(correct, errors, INDUCTION_SHOWN, INDUCTION_SHOWN), program, errors)


def _gives(sandbox: Sandbox, program: str, inputs: Sequence[str], outputs: Sequence[str]) -> list[bool]:
    """At which inputs a program gives which output."""
    results = sandbox.run(program, inputs)
    return [result.ok and same(result.value or "", output) for result, output in zip(results, outputs, strict=True)]


CHECKS = {"deduction": _verify_deduction, "abduction": _verify_abduction, "induction": _verify_induction}
