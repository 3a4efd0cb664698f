"""Expressions: work out a program, find its input, or find the program. The language is in `expression_language`.

- deduction: `ded (x+y)*(y-3) 4,7>` gives a program and its input; the completion writes the value of every operation
  behind it and ends with the output, `(4+7=1)*(7-3=4)=4`;
- abduction: `abd (x+y)*(y-3) 4>` gives a program and an output; any input with that output is right. The completion
  checks the input it has in mind, and ends with it: `(4+7=1)*(7-3=4)=4;4,7`;
- induction: `ind 4,7:4 1,2:7 0,0:0 9,9:8 5,1:8>` gives five inputs with their outputs; the completion is a program, and
  it is right if it has the right output at five more inputs, which are hidden.

These are the three kinds of task of Absolute Zero (arXiv:2505.03335, section 3). The difficulty is the depth of the
program. How a proposer asks for such problems is in `expression_proposals`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from ..run.errors import SpkitError
from .base import Problem, Split, Verdict, graded_reward, item_rng
from .expression_language import (
    BASE,
    MAX_DEPTH,
    MAX_PROGRAM,
    Input,
    Tree,
    apply,
    depth,
    evaluate,
    fingerprint,
    longest_trace,
    operations,
    parse,
    random_program,
    split_of,
    trace,
    written,
)

Kind = Literal["deduction", "abduction", "induction"]
KINDS: tuple[Kind, ...] = get_args(Kind)

PAIRS = 10  # inputs of a problem of induction
SHOWN = 5  # of them shown with their outputs; the others are hidden
MAX_READ = 200  # characters: more than the longest right completion; what comes after is not read

_INPUT = re.compile(r"([0-9]),([0-9])", re.ASCII)
_DIGIT = re.compile(r"[0-9]", re.ASCII)


@dataclass(frozen=True)
class ExpressionProblem(Problem):
    """A problem with what was asked: its kind, the program, and one input, or the PAIRS inputs of induction
    (the first SHOWN are shown).

    `answer` is the output (deduction), the input `4,7` (abduction) or the program (induction): one
    right answer of perhaps many.
    """

    kind: Kind
    program: str
    inputs: tuple[Input, ...]


@dataclass(frozen=True)
class Expressions:
    """Problems of one kind, of programs 1 to 5 operations deep by default; `verify` takes those of any kind."""

    kind: Kind = "deduction"
    difficulties: tuple[int, ...] = (1, 2, 3, 4, 5)
    extrapolation: tuple[int, ...] = (6,)
    unit: str = "depth"
    base: str = "expressions"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise SpkitError(f"there is no kind {self.kind!r} of expressions: choose one of {', '.join(KINDS)}")

    @property
    def name(self) -> str:
        """`expressions` for deduction, `expressions-abduction` and `expressions-induction`."""
        return "expressions" if self.kind == "deduction" else f"expressions-{self.kind}"

    def problem(
        self, seed: int, index: int, difficulty: int | None = None, split: Split = "train"
    ) -> ExpressionProblem:
        """A program that is `difficulty` deep, of the asked split, whose value is not the same
        everywhere, at random inputs.
        """
        levels = self.difficulties[index % len(self.difficulties)] if difficulty is None else difficulty
        if not 1 <= levels <= MAX_DEPTH:
            raise SpkitError(f"expressions are 1 to {MAX_DEPTH} deep, not {levels}: ask for a difficulty in that range")
        rng = item_rng("expressions", split, seed, index, levels)
        while True:
            tree = random_program(rng, levels)
            if split_of(tree) == split and len(set(fingerprint(tree))) > 1:
                break
        numbers = rng.sample(range(BASE * BASE), PAIRS if self.kind == "induction" else 1)
        return asked(self.kind, written(tree), [divmod(number, BASE) for number in numbers])

    def hint(self, problem: ExpressionProblem) -> str:
        """The prompt with the answer after `#`."""
        return f"{problem.prompt[:-1]}#{problem.answer}>"

    def solution(self, problem: ExpressionProblem) -> str:
        """A completion with every step right.

        For abduction and induction, that of the input or program the problem was made from.
        """
        if problem.kind == "induction":
            return problem.answer
        steps = trace(parse(problem.program), problem.inputs[0])
        return f"{steps};{problem.answer}" if problem.kind == "abduction" else steps

    def direct(self, problem: ExpressionProblem) -> str:
        """The bare answer."""
        return problem.answer

    def roles(self, stream: int, shown: int) -> list[tuple[str, list[tuple[str, str]], str]]:
        """(mark, examples, instruction) of every role and kind, as `spkit.policy.prompting` shows them.

        The solver of this kind has its own.
        """
        from .expression_proposals import role_examples

        return role_examples(stream, shown)

    def verify(self, problem: ExpressionProblem, completion: str) -> Verdict:
        """Check a completion of any kind.

        Deduction compares the text after the last `=` with the output; abduction runs the program on the input after
        the last `;`; induction runs the program that was written on the hidden inputs. `step_errors` counts what is
        wrong in the rationale, see `step_errors`; for induction, the shown pairs that the program misses.
        """
        if len(completion) > MAX_READ:
            return Verdict(False, 0.0, None, 1)
        return _VERIFIERS[problem.kind](problem, completion)

    def path(self, problem: ExpressionProblem, completion: str) -> str:
        """The completion itself: there is one way to work a program out."""
        return completion[:MAX_READ]

    def max_completion_chars(self, difficulty: int) -> int:
        """A bound for every program of that depth, those a proposer makes included; abduction adds `;4,7`."""
        if self.kind == "induction":
            return MAX_PROGRAM
        return longest_trace(difficulty) + 4 * (self.kind == "abduction")


def asked(kind: Kind, program: str, inputs: Sequence[Input]) -> ExpressionProblem:
    """The problem of that kind about a program, at one input, or at PAIRS of them for induction.

    Raises SpkitError for a text that is no program, or another number of inputs.
    """
    tree, count = parse(program), PAIRS if kind == "induction" else 1
    if len(inputs) != count:
        raise SpkitError(f"a problem of {kind} has {count} input{'s' * (count > 1)}, not {len(inputs)}")
    if not all(0 <= number < BASE for at in inputs for number in at):
        raise SpkitError(f"x and y are 0 to {BASE - 1}: {list(inputs)}")
    output, at = evaluate(tree, inputs[0]), input_text(inputs[0])
    prompt, answer = {
        "deduction": (f"ded {program} {at}>", str(output)),
        "abduction": (f"abd {program} {output}>", at),
        "induction": (f"ind {' '.join(pair_text(tree, shown) for shown in inputs[:SHOWN])}>", program),
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
        """The value written for a tree, and whether it may stand there: a single operand has to be that of the input."""
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
    correct, errors = not any(missed[SHOWN:]), sum(missed[:SHOWN])
    return Verdict(correct, graded_reward(correct, errors, SHOWN, SHOWN), completion, errors)


_VERIFIERS = {"deduction": _verify_deduction, "abduction": _verify_abduction, "induction": _verify_induction}
