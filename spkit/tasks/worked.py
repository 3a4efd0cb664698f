"""Questions with worked solutions: the public format of GSM8K (arXiv:2110.14168), and how to read it without running any of it.

A solution has one sentence a line. A calculation stands in it between double angle brackets, before its result, `<<3*4=12>>12`; the
last line is `#### ` and the answer. The reader here knows whole and decimal numbers, `+ - * /`, brackets and the percent sign, and works
exactly, in fractions. It has no powers, so that no text can ask for a long computation.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import islice

from ..errors import SpkitError
from .base import Problem

MAX_READ = 50_000  # characters of a completion; a longer one has no answer
MAX_CALCULATION = 80  # characters between the brackets
MAX_CALCULATIONS = 100  # of a completion; more are not looked at
MAX_ANSWER = 60  # characters of a final answer, its unit included

INSTRUCTION = (
    "Solve the problem step by step, one short sentence a line, with every calculation written like <<3*4=12>>12. "
    "End with a line that holds only #### and the number that answers the question."
)

_CALCULATION = re.compile(rf"<<([^<>\n]{{1,{MAX_CALCULATION}}})>>")
_TOKEN = re.compile(r"\s*(\d{1,15}(?:,\d{3})*(?:\.\d{1,9})?|\.\d{1,9}|[-+*/()%])", re.ASCII)
_DIGITS = re.compile(r"\d{1,15}(?:\.\d{1,9})?|\.\d{1,9}", re.ASCII)
_PLAIN = re.compile(r"(-?)[$€£]?\s?(-?)([1-9]\d{0,2}(?:,\d{3}){1,5}|\d{1,15})(\.\d{1,9})?", re.ASCII)
_UNIT = re.compile(r"\s?(?:%|[$€£]|[A-Za-z][A-Za-z'/ -]*)?", re.ASCII)
_SCALE = re.compile(  # words that make another number of it, or take it back
    r"hundred|thousand|million|billion|trillion|dozen|score|gross|lakh|grand|\bmil\b|\bbn\b|\b[kx]\b|half|halves|quarter|\bthirds?\b"
    r"|\b(?:four|fif|six|seven|eigh|nin|ten|eleven|twelf|twentie)ths?\b"
    r"|square|cube|power|point|plus|minus|times|divided|\bpi\b|more|less|\bor\b|\bnot\b|wrong|n't\b|percent of",
    re.ASCII | re.IGNORECASE,
)
_NO_SCALE = re.compile(r"\b(?:(?:square|cubic) [a-z]+|cubes|score points?)\b", re.ASCII | re.IGNORECASE)
_SAID = re.compile(r"answer(?:\s+is\b:?|:)", re.ASCII | re.IGNORECASE)
_BOLD = re.compile(r"(\*\*|`|__)([^*`_]*)\1", re.ASCII)


@dataclass(frozen=True)
class WorkedProblem(Problem):
    """A problem with its gold solution."""

    rationale: str


@dataclass(frozen=True)
class Calculation:
    """One calculation as read: its text without spaces and commas, the numbers it starts from and what it says they make.

    `value` is what is written behind the last `=`, None if that is no number; `right` says whether the rest has that value.
    """

    text: str
    numbers: tuple[Fraction, ...]
    value: Fraction | None
    right: bool


def asked(question: str) -> str:
    """The prompt of a question. It ends with a newline, so that a completion starts with a word whatever the tokenizer."""
    return f"Question: {question}\nAnswer:\n"


def hinted(problem: Problem) -> str:
    """The prompt with the answer shown behind the question, as STaR's rationalization wants it."""
    question, colon, end = problem.prompt.rpartition("\nAnswer:")
    if not colon:
        raise SpkitError(f"not a prompt with a question: {problem.prompt[:60]!r}; write it as 'Question: ...' and 'Answer:' on two lines")
    return f"{question} (The answer is {problem.answer}.){colon}{end}"


def calculations(text: str) -> list[Calculation]:
    """The calculations of a text, in order; what cannot be read counts as one that is wrong."""
    return [_read(match[1]) for match in islice(_CALCULATION.finditer(text[:MAX_READ]), MAX_CALCULATIONS)]


def _read(text: str) -> Calculation:
    compact = re.sub(r"[\s,]", "", text)
    left, equals, right = compact.rpartition("=")
    try:
        value = evaluate(right)
    except ValueError:
        value = None
    try:
        sides = [evaluate(side) for side in left.split("=")]
    except ValueError:
        sides = []
    numbers = tuple(map(Fraction, _DIGITS.findall(left.partition("=")[0])))
    good = bool(equals) and value is not None and bool(sides) and all(_agrees(side, value, right) for side in sides)
    return Calculation(compact, numbers, value, good)


def _agrees(exact: Fraction, value: Fraction, written: str) -> bool:
    """Whether they are equal, or `written` has decimals and is the exact value rounded, or cut off, to them."""
    decimals = len(written.partition(".")[2])
    return exact == value or (decimals >= 2 and abs(exact - value) < Fraction(1, 10**decimals))


def evaluate(text: str) -> Fraction:
    """The exact value of a calculation such as `2*(3+4)/7` or `20%*50`. Raises ValueError for anything else.

    The text is read from left to right, once, and has at most MAX_CALCULATION characters. There are no powers, names or calls.
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


def final_text(completion: str) -> str | None:
    """What a completion gives as its answer, as written; None if it gives none or is longer than MAX_READ.

    What stands behind the last `####` on its line; without any, inside the last `\\boxed{}`; without any, behind the last `answer is` or
    `answer:` on its line, or on the next one that says something; without any, the whole completion if it is one line.
    """
    if len(completion) > MAX_READ:
        return None
    text = completion.strip()
    if "####" in text:
        text = text.rpartition("####")[2].partition("\n")[0].strip()
        return _braced(text.rpartition("\\boxed{")[2]) if "\\boxed{" in text else text
    if "\\boxed{" in text:
        return _braced(text.rpartition("\\boxed{")[2])
    return said_last(text)


def said_last(completion: str) -> str | None:
    """What stands behind the last `answer is` or `answer:`, on its line or the next one; else the whole completion if it is one line.

    None if there is neither, or if it is too long.
    """
    if len(completion) > MAX_READ:
        return None
    text = completion.strip()
    said = list(_SAID.finditer(text))
    if said:
        return text[said[-1].end() :].strip().partition("\n")[0].strip()
    return text if "\n" not in text else None


def _braced(text: str) -> str | None:
    depth = 1
    for end, character in enumerate(text[: MAX_ANSWER + 1]):
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return text[:end].strip()
    return None


def number_in(text: str | None) -> Fraction | None:
    """The one number a final answer consists of, perhaps with currency sign, thousands commas, unit and full stop; None for all else.

    `$1,234.50`, `-7`, `72 miles per hour` and `72.0` are read; `72 or 73`, `1e3`, `3/4`, `7 thousand`, `1,23` and digits of other scripts
    are not.
    """
    if text is None or len(text) > MAX_ANSWER:
        return None
    plain = _plain(text)
    match = _PLAIN.match(plain)
    if match is None or (match[1] and match[2]):
        return None
    unit = plain[match.end() :]
    if not _UNIT.fullmatch(unit) or _SCALE.search(_NO_SCALE.sub("", unit)):
        return None
    value = Fraction(Decimal(match[3].replace(",", "") + (match[4] or "")))
    return -value if match[1] or match[2] else value


def _plain(text: str) -> str:
    """Without the marks of Markdown and LaTeX around the number, and the full stop; a minus sign is a hyphen."""
    text = re.sub(r"(?<=\d)\\text\{([^{}\d]*)\}", r"\1", text).replace("{,}", ",").replace(",\\!", ",")
    plain = _BOLD.sub(r"\2", text.strip(), count=1) if text.strip()[:1] in "*`_" else text.strip().rstrip("*`_")
    return plain.replace("\u2212", "-").replace("\\$", "$").replace("\\%", "%").removesuffix("!").rstrip(".").rstrip()


def as_text(value: Fraction) -> str:
    """One spelling for each value: `72`, `-7`, `72.5`, and `1/3` where no decimal number is exact."""
    if value.denominator == 1:
        return str(value.numerator)
    scaled = value * 10**9
    if scaled.denominator != 1:
        return f"{value.numerator}/{value.denominator}"
    return f"{Decimal(scaled.numerator).scaleb(-9):f}".rstrip("0")


def calculated_path(completion: str) -> str:
    """The calculations in their order, by which RFT (arXiv:2308.01825) knows equal reasoning; without any, the text."""
    found = [calculation.text for calculation in calculations(completion)]
    return ";".join(found) if found else completion[:MAX_READ]
