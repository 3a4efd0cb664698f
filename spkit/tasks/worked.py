"""Questions with worked solutions: the public format of GSM8K (arXiv:2110.14168), and how to read it
without running any of it.

A solution has one sentence a line. A calculation stands in it between double angle brackets, before its
result, `<<3*4=12>>12`; the last line is `#### ` and the answer. The reader here knows whole and decimal
numbers, `+ - * /`, brackets and the percent sign, and works exactly, in fractions. It has no powers, so
that no text can ask for a long computation.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import islice

from ..run.errors import SpkitError
from .answers import MAX_READ
from .base import Problem

MAX_CALCULATION = 80  # characters between the brackets
MAX_CALCULATIONS = 100  # of a completion; more are not looked at

INSTRUCTION = (
    "Solve the problem step by step, one short sentence a line, with every calculation written like <<3*4=12>>12. "
    "End with a line that holds only #### and the number that answers the question."
)

_CALCULATION = re.compile(rf"<<([^<>\n]{{1,{MAX_CALCULATION}}})>>")
_TOKEN = re.compile(r"\s*(\d{1,15}(?:,\d{3})*(?:\.\d{1,9})?|\.\d{1,9}|[-+*/()%])", re.ASCII)
_DIGITS = re.compile(r"\d{1,15}(?:\.\d{1,9})?|\.\d{1,9}", re.ASCII)


@dataclass(frozen=True)
class WorkedProblem(Problem):
    """A problem with its gold solution."""

    rationale: str


@dataclass(frozen=True)
class Calculation:
    """One calculation as read: its text without spaces and commas, the numbers it starts from and what it says they
    make.

    `value` is what is written after the last `=`, None if that is no number; `right` says whether
    the rest has that value.
    """

    text: str
    numbers: tuple[Fraction, ...]
    value: Fraction | None
    right: bool


def question_prompt(question: str) -> str:
    """The prompt of a question.

    It ends with a newline, so that a completion starts with a word whatever the tokenizer.
    """
    return f"Question: {question}\nAnswer:\n"


def hinted(problem: Problem) -> str:
    """The prompt with the answer shown after the question, as STaR's rationalization wants it."""
    question, colon, end = problem.prompt.rpartition("\nAnswer:")
    if not colon:
        raise SpkitError(
            f"not a prompt with a question: {problem.prompt[:60]!r}; write it as 'Question: ...' and "
            "'Answer:' on two lines"
        )
    return f"{question} (The answer is {problem.answer}.){colon}{end}"


def calculations(text: str) -> list[Calculation]:
    """The calculations of a text, in order; what cannot be read counts as one that is wrong."""
    return [read_calculation(match[1]) for match in islice(_CALCULATION.finditer(text[:MAX_READ]), MAX_CALCULATIONS)]


def read_calculation(text: str) -> Calculation:
    """A calculation such as `3*4=12`, which says that all its sides are what is after the last `=`."""
    compact = re.sub(r"[\s,]", "", text)
    left, equals, right = compact.rpartition("=")
    try:
        value = value_of(right)
    except ValueError:
        value = None
    try:
        sides = [value_of(side) for side in left.split("=")]
    except ValueError:
        sides = []
    numbers = tuple(map(Fraction, _DIGITS.findall(left.partition("=")[0])))
    good = bool(equals) and value is not None and bool(sides) and all(_agrees(side, value, right) for side in sides)
    return Calculation(compact, numbers, value, good)


def _agrees(exact: Fraction, value: Fraction, written: str) -> bool:
    """Whether they are equal, or `written` has decimals and is the exact value rounded, or cut off, to them."""
    decimals = len(written.partition(".")[2])
    return exact == value or (decimals >= 2 and abs(exact - value) < Fraction(1, 10**decimals))


def value_of(text: str) -> Fraction:
    """The exact value of a calculation such as `2*(3+4)/7` or `20%*50`. Raises ValueError for anything else.

    The text is read from left to right, once, and has at most MAX_CALCULATION characters. There are
    no powers, names or calls.
    """
    if len(text) > MAX_CALCULATION:
        raise ValueError("too long")
    tokens, position = [], 0
    while match := _TOKEN.match(text, position):
        tokens.append(match[1].replace(",", ""))
        position = match.end()
    if text[position:].strip():
        raise ValueError("not a calculation")
    value = _sum(tokens)
    if tokens:
        raise ValueError("something is left over")
    return value


def _sum(tokens: list[str]) -> Fraction:
    value = _product(tokens)
    while tokens and tokens[0] in "+-":
        value = value + _product(tokens) if tokens.pop(0) == "+" else value - _product(tokens)
    return value


def _product(tokens: list[str]) -> Fraction:
    value = _factor(tokens)
    while tokens and tokens[0] in "*/":
        sign, other = tokens.pop(0), _factor(tokens)
        if sign == "/" and other == 0:
            raise ValueError("division by zero")
        value = value * other if sign == "*" else value / other
    return value


def _factor(tokens: list[str]) -> Fraction:
    if not tokens:
        raise ValueError("a number is missing")
    token = tokens.pop(0)
    if token == "-":
        return -_factor(tokens)
    if token == "(":
        value = _sum(tokens)
        if not tokens or tokens.pop(0) != ")":
            raise ValueError("a bracket is missing")
    elif token in "+*/)%":
        raise ValueError("a number is missing")
    else:
        value = Fraction(Decimal(token))
    if tokens and tokens[0] == "%":
        tokens.pop(0)
        value /= 100
    return value


def calculated_path(completion: str) -> str:
    """The calculations in their order, by which RFT (arXiv:2308.01825) knows equal reasoning; without any, the text."""
    found = [calculation.text for calculation in calculations(completion)]
    return ";".join(found) if found else completion[:MAX_READ]
