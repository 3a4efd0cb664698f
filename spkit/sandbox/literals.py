"""Python literals that a model wrote: read without running anything, compared exactly, within bounds.

`ast.literal_eval` alone is not enough: deep nesting or a long chain of signs can exhaust the interpreter's stack, and
it calls 1, 1.0 and True equal. So a text first has to consist of the tokens of a literal, few enough and not deeply
nested, and values are compared by a text that tells types apart.
"""

import ast
import math
import re
import warnings
from typing import Any

MAX_CHARS = 10_000
MAX_BRACKETS = 40  # brackets within brackets
TOO_LONG = 10**4300  # from Python 3.10.7 on the interpreter itself neither reads nor writes longer integers

_STRING = r"""[bBuUrR]?(?:'(?:[^'\\\n]|\\[^\n])*'|"(?:[^"\\\n]|\\[^\n])*")"""
_NUMBER = r"-?\s*(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|inf\b|nan\b)"
_TOKEN = re.compile(rf"\s+|{_STRING}|{_NUMBER}|(?:True|False|None)\b|set\(\)|[\[\](){{}},:]", re.ASCII)
_FLOATS = {"nan": math.nan, "inf": math.inf}


class NotLiteral(ValueError):
    """The text or value is no literal, or one out of bounds."""


def read_literal(text: str) -> Any:
    """The value that a literal stands for: None, bool, int, float (`nan` and `inf` too), str, bytes, and list,
    tuple, dict, set of them.

    Raises NotLiteral for anything else, for more than MAX_CHARS characters and for more than
    MAX_BRACKETS nested brackets.
    """
    if len(text) > MAX_CHARS:
        raise NotLiteral(f"more than {MAX_CHARS} characters")
    source = text.strip(" \t\n\r")
    _check_tokens(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # an unknown escape in a string is a warning of the compiler, to a reader of ours nothing
            tree = ast.parse(source, mode="eval")
            if any(isinstance(node, ast.Constant) and _too_long(node.value) for node in ast.walk(tree)):
                raise ValueError
            return ast.literal_eval(_Floats().visit(tree) if "n" in source else tree)
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError) as error:
        raise NotLiteral(type(error).__name__) from None


def _too_long(value: Any) -> bool:
    return type(value) is int and abs(value) >= TOO_LONG


def literal_text(value: Any, *, ordered: bool = True, depth: int = 0) -> str:
    """The literal of a value, sets in the order of their elements' texts. Without `ordered` the keys of a dict
    are in such an order too.

    Raises NotLiteral for a value of any other type, subclasses included, one that is nested too deep, and an
    integer that is too long.
    """
    if depth > MAX_BRACKETS:
        raise NotLiteral("nested too deep")
    kind = type(value)
    if value is None or kind in (bool, str, bytes):
        return repr(value)
    if kind is int:
        if _too_long(value):
            raise NotLiteral("an integer that is too long")
        return repr(value)
    if kind is float:
        return repr(value + 0.0)  # 0.0 for -0.0, which equals it
    inside = (
        [literal_text(item, ordered=ordered, depth=depth + 1) for item in value]
        if kind in (list, tuple, set, dict)
        else []
    )
    if kind is dict:
        pairs = [
            f"{key}: {literal_text(item, ordered=ordered, depth=depth + 1)}"
            for key, item in zip(inside, value.values())
        ]
        return "{" + ", ".join(pairs if ordered else sorted(pairs)) + "}"
    if kind is set:
        return "{" + ", ".join(sorted(inside)) + "}" if value else "set()"
    if kind is list:
        return "[" + ", ".join(inside) + "]"
    if kind is tuple:
        return f"({inside[0]},)" if len(inside) == 1 else "(" + ", ".join(inside) + ")"
    raise NotLiteral(f"a value of type {kind.__name__[:40]}")


def canonical(text: str) -> str | None:
    """One text for all literals of the same value: types count (1, 1.0 and True differ, as do lists and tuples), the
    order of sets and dicts does not, nan equals nan. None if the text is no literal.
    """
    try:
        return literal_text(read_literal(text), ordered=False)
    except NotLiteral:
        return None


def same(one: str, other: str) -> bool:
    """Whether two texts are literals of the same value."""
    value = canonical(one)
    return value is not None and value == canonical(other)


def _check_tokens(source: str) -> None:
    """Refuse what the compiler could only read with a deep stack: many nested brackets, and one value behind
    another, as in `[1][1][1]`.
    """
    at, depth, last = 0, 0, ","
    while at < len(source):
        match = _TOKEN.match(source, at)
        token = match[0].strip() if match else ""
        opens, parts = token in ("(", "[", "{"), token in (",", ":", ")", "]", "}")
        strings = token[-1:] in ("'", '"') and last[-1:] in ("'", '"')
        if match is None or (token and not parts and not strings and last not in (",", ":", "(", "[", "{")):
            raise NotLiteral(f"no literal from character {at + 1} on")
        at, last = match.end(), token or last
        depth += opens - (token in (")", "]", "}"))
        if depth > MAX_BRACKETS:
            raise NotLiteral(f"more than {MAX_BRACKETS} nested brackets")


class _Floats(ast.NodeTransformer):
    """Turns the names `nan` and `inf` into the numbers."""

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.copy_location(ast.Constant(_FLOATS[node.id]), node) if node.id in _FLOATS else node
