"""Problems of expressions: what is asked in each of the three kinds, and how a completion is checked."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ...run.errors import SpkitError
from ..base import INDUCTION_PAIRS, INDUCTION_SHOWN, Kind, Problem, Verdict, graded_reward
from .language import (
    BASE,
    Input,
    Tree,
    apply,
    depth,
    evaluate,
    operations,
    parse,
    trace,
)

MAX_TRACE_CHARS = 200  # characters: more than the longest right completion; what comes after is not read

_INPUT = re.compile(r"([0-9]),([0-9])", re.ASCII)
_DIGIT = re.compile(r"[0-9]", re.ASCII)


@dataclass(frozen=True)
class ExpressionProblem(Problem):
    """A problem with what was asked: its kind, the program, and one input, or the PAIRS inputs of induction
    (the first INDUCTION_SHOWN are shown).

    `answer` is the output (deduction), the input `4,7` (abduction) or the program (induction): one
    right answer of perhaps many.
    """

    kind: Kind
    program: str
    inputs: tuple[Input, ...]


def problem_about(kind: Kind, program: str, inputs: Sequence[Input]) -> ExpressionProblem:
    """The problem of that kind about a program, at one input, or at PAIRS of them for induction.

    Raises SpkitError for a text that is no program, or another number of inputs.
    """
    tree, count = parse(program), INDUCTION_PAIRS if kind == "induction" else 1
    if len(inputs) != count:
        raise SpkitError(f"a problem of {kind} has {count} input{'s' * (count > 1)}, not {len(inputs)}")
    if not all(0 <= number < BASE for at in inputs for number in at):
        raise SpkitError(f"x and y are 0 to {BASE - 1}: {list(inputs)}")
    output, at = evaluate(tree, inputs[0]), input_text(inputs[0])
    prompt, answer = {
        "deduction": (f"ded {program} {at}>", str(output)),
        "abduction": (f"abd {program} {output}>", at),
        "induction": (f"ind {' '.join(pair_text(tree, shown) for shown in inputs[:INDUCTION_SHOWN])}>", program),
    }[kind]
    return ExpressionProblem(prompt, answer, depth(tree), kind, program, tuple(inputs))


def input_text(at: Input) -> str:
    """`4,7` for x = 4 and y = 7."""
    return f"{at[0]},{at[1]}"


def pair_text(tree: Tree, at: Input) -> str:
    """An input with its output: `4,7:4`."""
    return f"{input_text(at)}:{evaluate(tree, at)}"


def read_input(text: str) -> Input | None:
    """The input that a text is, None if it is none."""
    match = _INPUT.fullmatch(text)
    return (int(match[1]), int(match[2])) if match else None


def read_program(text: str) -> Tree | None:
    """The program that a text is, None if it is none."""
    try:
        return parse(text)
    except SpkitError:
        return None


def step_errors(tree: Tree, at: Input, text: str) -> int:
    """Operations of the tree that `text`, a trace as somebody wrote it, has wrong or leaves out, plus
    one if something follows.

    An operation is right if its digits are those of the input or the values written for its operands, and its value
    follows from them: a slip counts once, and what is worked out correctly from it does not. What comes after a sign or
    bracket out of place is not read.
    """
    read = _Reader(text)
    read.value(tree, at, outermost=True)
    return operations(tree) - read.right + (not read.lost and read.at < len(text))


class _Reader:
    """Reads a written trace along the tree it should follow.

    `right` counts the operations that hold, `lost` says that the two parted.
    """

    def __init__(self, text: str) -> None:
        self.text, self.at, self.right, self.lost = text, 0, 0, False

    def take(self, expected: str) -> str:
        """The next character, one of `expected`; lost if it is none of them."""
        found = self.text[self.at : self.at + 1]
        self.lost = self.lost or not found or found not in expected
        self.at += not self.lost
        return found

    def value(self, tree: Tree, at: Input, outermost: bool = False) -> tuple[int, bool]:
        """The value written for a tree, and whether it may stand there: a single operand is that of the input."""
        if isinstance(tree, str):
            found = self.take("0123456789")
            return (0, False) if self.lost else (int(found), int(found) == evaluate(tree, at))
        for bracket in "(" * (not outermost):
            self.take(bracket)
        left, left_fits = self.value(tree.left, at)
        self.take(tree.sign)
        right, right_fits = self.value(tree.right, at)
        self.take("=")
        found = self.take("0123456789")
        if self.lost:
            return 0, False
        self.right += left_fits and right_fits and int(found) == apply(tree.sign, left, right)
        for bracket in ")" * (not outermost):
            self.take(bracket)
        return int(found), True


def _verify_deduction(problem: ExpressionProblem, completion: str) -> Verdict:
    final = completion.rpartition("=")[2]
    parsed, worked = final if _DIGIT.fullmatch(final) else None, "=" in completion
    correct, tree = parsed == problem.answer, parse(problem.program)
    errors = step_errors(tree, problem.inputs[0], completion) if worked else 0
    needed = operations(tree)
    return Verdict(correct, graded_reward(correct, errors, needed * worked, needed), parsed, errors)


def _verify_abduction(problem: ExpressionProblem, completion: str) -> Verdict:
    check, semicolon, final = completion.rpartition(";")
    at, tree = read_input(final), parse(problem.program)
    needed = max(1, operations(tree))
    correct = at is not None and evaluate(tree, at) == evaluate(tree, problem.inputs[0])
    errors = 0 if not semicolon else needed if at is None else _check_errors(tree, at, check)
    return Verdict(
        correct, graded_reward(correct, errors, needed * bool(semicolon), needed), final if at else None, errors
    )


def _check_errors(tree: Tree, at: Input, check: str) -> int:
    return step_errors(tree, at, check) if operations(tree) else int(check != trace(tree, at))


def _verify_induction(problem: ExpressionProblem, completion: str) -> Verdict:
    tree, gold = read_program(completion), parse(problem.program)
    if tree is None:
        return Verdict(False, 0.0, None, 0)
    missed = [evaluate(tree, at) != evaluate(gold, at) for at in problem.inputs]
    correct, errors = not any(missed[INDUCTION_SHOWN:]), sum(missed[:INDUCTION_SHOWN])
    return Verdict(correct, graded_reward(correct, errors, INDUCTION_SHOWN, INDUCTION_SHOWN), completion, errors)


CHECKS = {"deduction": _verify_deduction, "abduction": _verify_abduction, "induction": _verify_induction}
