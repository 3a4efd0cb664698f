"""Answers that have to be calculated, such as `6 \\times 12` or `\\sqrt{5184}`, read by math-verify (`pip install
'selfplay-kit[math]'`).
"""

import logging
import re
from collections.abc import Callable
from fractions import Fraction

MAX_EXPRESSION = 80  # characters of a final answer that math-verify may see

_NUMBER = r"\d{1,9}(?:\.\d{1,9})?"
_ATOM = rf"-?(?:{_NUMBER}|\\[dt]?frac\{{-?{_NUMBER}\}}\{{{_NUMBER}\}}|\\sqrt\{{{_NUMBER}\}})"
_EXPRESSION = re.compile(
    rf"(\$)?(\()?{_ATOM}(?: ?(?:[-+*/]|\\times|\\cdot|\\div) ?{_ATOM}){{0,5}}(?(2)\))(?(1)\$)", re.ASCII
)
_PAIR = re.compile(r"\$?([\d.]+) ?- ?([\d.]+)\$?", re.ASCII)
_EMPHASIS = re.compile(r"(\*\*|\*|__|_|`)([^*_`]*|[^*].*[^*])\1")
_DATE = re.compile(r"\d-\d+-\d|\d/\d+/\d|\b0\d/\d|^\$?\d+-\d+/\d+\$?$", re.ASCII)  # and a mixed number with a hyphen


def expression_in(text: str) -> Fraction | None:
    """The value of a final answer such as `6 \\times 12`; None for all else, and without math-verify.

    Only up to six numbers, fractions and roots with signs between them get there: no powers, factorials or names, so
    that none takes long, and nothing unfinished or ambiguous (`72/`, `7 2`), which the library reads in its own way,
    nor what could be a range or a date (`18-20`, `10/12/2024`). Its time limit is switched off: it needs signals,
    which only the main thread has, and its failure elsewhere would read as a wrong answer.
    """
    plain, parse = _bare(text), _math_verify()
    if parse is None or len(plain) > MAX_EXPRESSION or not _EXPRESSION.fullmatch(plain) or _is_range(plain):
        return None
    try:
        found = parse(f"${plain.strip('$')}$", parsing_timeout=None)
        value = found[0].doit() if found else None
        return Fraction(int(value.p), int(value.q)) if getattr(value, "is_Rational", False) else None
    except Exception:
        return None


def _bare(text: str) -> str:
    """Without a full stop, emphasis and LaTeX's brackets around it."""
    bare = text.strip().rstrip(".")
    marked = _EMPHASIS.fullmatch(bare)
    bare = marked[2].strip() if marked else bare
    return bare[2:-2].strip() if (bare[:2], bare[-2:]) in (("\\(", "\\)"), ("\\[", "\\]")) else bare


def _is_range(plain: str) -> bool:
    """Whether it may stand for a range, upwards, or a date."""
    pair = _PAIR.fullmatch(plain)
    return bool(_DATE.search(plain)) or (pair is not None and Fraction(pair[1]) < Fraction(pair[2]))


def _math_verify() -> Callable[..., list] | None:
    try:
        from math_verify import parse
    except ImportError:
        return None
    logging.getLogger("math_verify").setLevel(logging.ERROR)  # it warns once that its time limit is off
    return parse
