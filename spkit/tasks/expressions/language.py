"""A small language of expressions over x and y, in which every program has a value.

A program is a variable, a digit, or one operation `+`, `-` or `*` on two operands, each a variable, a digit or an
operation in parentheses: `(x+y)*(y-3)`. Values are taken modulo 10 after every operation, so that each is one digit. No
brackets are optional: a tree has exactly one text, and two texts are the same program only if they are equal.

Every program is a Python expression as it stands, and `(PROGRAM)%10` is its value, with Python's own
precedence, integers and `%`: taking remainders after every operation or once at the end is the same for these
three operations (`to_python`).

`+` and `-` carry a slip in one operand through to the result, always, and `*` mostly; so a wrong step rarely ends in
the right answer. Nothing here calls Python's evaluation, and a text is read no further than the longest program.
"""

import random
from typing import NamedTuple, TypeAlias

from ...run.errors import SpkitError
from ..base import Split, split_by_content

BASE = 10  # values are 0..9
MAX_DEPTH = 6  # the deepest nesting of operations in a program
MAX_OPERATIONS = 9
# characters: of n operations there are n signs, n + 1 operands and n - 1 pairs of brackets
MAX_PROGRAM = 4 * MAX_OPERATIONS - 1
TEST_SIDES = 8  # one function in eight is kept for the test split
# which one, by the remainder of its checksum: with 4 the plainest (x, y, x+y, y-x, x*y) are all for training
TEST_REST = 4
SIGNS = "++--*"  # what random programs draw their signs from
OPERANDS = "x" * 9 + "y" * 9 + "123456789"  # and their operands: two in three are variables

Input: TypeAlias = tuple[int, int]  # x and y, each 0..9

PROBES: tuple[Input, ...] = ((0, 0), (1, 0), (0, 1), (1, 1), (2, 3), (7, 4), (3, 8), (5, 9), (8, 6), (4, 2))


class Operation(NamedTuple):
    """One sign between two operands."""

    sign: str
    left: "Tree"
    right: "Tree"


Tree: TypeAlias = str | Operation  # a string is a single operand: x, y or a digit


def parse(text: str) -> Tree:
    """The tree of a program.

    Raises SpkitError for any other text, one deeper than MAX_DEPTH or longer than MAX_PROGRAM included.
    """
    if len(text) > MAX_PROGRAM:
        raise SpkitError(
            f"a program has at most {MAX_OPERATIONS} operations, {MAX_PROGRAM} characters, not {len(text)}: shorten it"
        )
    tree, end = _operand(text, 0)
    if end < len(text) or text[0] == "(":
        tree, end = _operation(text, 0)
    if end < len(text):
        raise _not_a_program(text)
    if depth(tree) > MAX_DEPTH:
        raise SpkitError(f"a program nests at most {MAX_DEPTH} operations, not {depth(tree)}: {text}")
    return tree


def _operation(text: str, start: int) -> tuple[Operation, int]:
    left, middle = _operand(text, start)
    if middle == len(text) or text[middle] not in SIGNS:
        raise _not_a_program(text)
    right, end = _operand(text, middle + 1)
    return Operation(text[middle], left, right), end


def _operand(text: str, start: int) -> tuple[Tree, int]:
    character = text[start : start + 1]
    if character == "(":
        tree, end = _operation(text, start + 1)
        if text[end : end + 1] != ")":
            raise _not_a_program(text)
        return tree, end + 1
    if character == "" or character not in "xy0123456789":
        raise _not_a_program(text)
    return character, start + 1


def _not_a_program(text: str) -> SpkitError:
    return SpkitError(
        f"not a program: {text!r}; write it as (x+y)*(y-3), with brackets around every operation but the outermost"
    )


def tree_text(tree: Tree) -> str:
    """The text of a program: what `parse` reads."""
    return tree if isinstance(tree, str) else f"{_bracketed(tree.left)}{tree.sign}{_bracketed(tree.right)}"


def _bracketed(tree: Tree) -> str:
    return tree if isinstance(tree, str) else f"({tree_text(tree)})"


def to_python(program: str) -> str:
    """The Python expression over integers x and y that has the program's value: the program itself,
    its remainder taken once.
    """
    return f"({program})%{BASE}"


def depth(tree: Tree) -> int:
    """How many operations are nested: 0 for a single operand, 1 for `x+y`."""
    return 0 if isinstance(tree, str) else 1 + max(depth(tree.left), depth(tree.right))


def operations(tree: Tree) -> int:
    """How many operations there are in all."""
    return 0 if isinstance(tree, str) else 1 + operations(tree.left) + operations(tree.right)


def apply(sign: str, left: int, right: int) -> int:
    """One operation on digits."""
    return (left + right if sign == "+" else left - right if sign == "-" else left * right) % BASE


def evaluate(tree: Tree, at: Input) -> int:
    """The value, 0..9, at `at`."""
    if isinstance(tree, str):
        return at["xy".index(tree)] if tree in "xy" else int(tree)
    return apply(tree.sign, evaluate(tree.left, at), evaluate(tree.right, at))


def trace(tree: Tree, at: Input) -> str:
    """The program with its input filled in and the value of every operation after it: `(4+7=1)*(7-3=4)=4`.

    `4` for a single operand.
    """
    if isinstance(tree, str):
        return str(evaluate(tree, at))
    left, right = (side if len(side) == 1 else f"({side})" for side in (trace(tree.left, at), trace(tree.right, at)))
    return f"{left}{tree.sign}{right}={evaluate(tree, at)}"


def longest_trace(levels: int) -> int:
    """Characters that no trace of a program of that depth exceeds: a program of n operations has 4 n - 1, and
    each adds a `=` and a digit.
    """
    return max(1, 6 * min(2**levels - 1, MAX_OPERATIONS) - 1)


def fingerprint(tree: Tree) -> str:
    """The values at ten fixed inputs: the same for every program that computes the same function."""
    return "".join(map(str, _at_probes(tree)))


def _at_probes(tree: Tree) -> list[int]:
    if isinstance(tree, str):
        return [evaluate(tree, at) for at in PROBES]
    return [apply(tree.sign, *sides) for sides in zip(_at_probes(tree.left), _at_probes(tree.right))]


def split_of_tree(tree: Tree) -> Split:
    """Which split a program belongs to, by the function it computes: `x+y` and `y+x` always fall on the same side."""
    return split_by_content(fingerprint(tree), TEST_SIDES, TEST_REST)


def random_program(rng: random.Random, levels: int, signs: str = SIGNS) -> Tree:
    """A program of exactly that depth, with up to twice as many operations, its signs drawn from `signs`; it may be
    constant.
    """
    count = rng.randint(levels, min(levels + 1, 2 * levels - 1, MAX_OPERATIONS)) if levels else 0
    return _grown(rng, levels, count, signs)


def signs_of(tree: Tree) -> frozenset[str]:
    """The signs that a program has."""
    return frozenset() if isinstance(tree, str) else frozenset(tree.sign) | signs_of(tree.left) | signs_of(tree.right)


def _grown(rng: random.Random, levels: int, count: int, signs: str) -> Tree:
    """A tree of exactly `levels` levels and `count` operations, levels <= count < 2 ** levels."""
    if levels == 0:
        return rng.choice(OPERANDS)
    room = 2 ** (levels - 1) - 1  # operations that fit below one operand
    deep = rng.randint(max(levels - 1, count - 1 - room), min(count - 1, room))
    other = count - 1 - deep
    sides = [(levels - 1, deep), (rng.randint(other.bit_length(), min(other, levels - 1)), other)]
    rng.shuffle(sides)
    return Operation(rng.choice(signs), *(_grown(rng, *side, signs) for side in sides))
