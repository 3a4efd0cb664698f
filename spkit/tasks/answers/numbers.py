"""The exact number that an answer consists of, and the last number of running text.

Read, each as one value: `18`, `+18`, `-18` and a minus sign, `18.0`, `.5`; thousands in groups of three with comma,
apostrophe or space (`1,234`, `1'234`, `1 234`); fractions and mixed numbers (`1/2`, `\\frac12`, `2 1/2`); a currency
sign before or after it, a unit after it, the per cent sign as a unit (`18%` is 18); around it Markdown's and LaTeX's
marks, quotes, `x =`, and an end of sentence after it.

Not read: two numbers, ranges, times, dates (`3:30`, `2024-01-05`), commas that leave no groups of three (`1.234,00`,
`1,23`), powers of ten (`1e3`), `18 thousand`, `18M`, `18x`, words that change the number (`18 or more`, `18 less`),
numbers cut off (`0.33...`), digits of other scripts.
"""

import re
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

MAX_ANSWER = 60  # characters of a final answer, its unit included

_WRAPPER = re.compile(
    r"\\(?:(?:text|math)(?:bf|it|rm|sf|tt|normal|style)?|mbox|boxed|fbox|bm|boldsymbol|emph|underline"
    r"|displaystyle)(?![A-Za-z])\s?",
    re.ASCII,
)
_LATEX_SPACE = re.compile(r"\\[,;: ]|~(?=\\)")
_FIRST = re.compile(r"\\[dtc]?frac|\.?\d|[½⅓⅔¼¾]", re.ASCII)
_GROUPS = r"[1-9]\d{0,2}(?:(?:,\d{3})+|(?:['’]\d{3})+|(?:[ \u00a0\u2009\u202f]\d{3})+)(?!\d)"
_NUMBER = rf"(?:{_GROUPS}|\d+)?(?:(?<=\d)|(?=\.\d))(?:\.\d+)?"
_DECIMAL = re.compile(_NUMBER, re.ASCII)
_SLASHED = re.compile(rf"\s?/\s?({_NUMBER})", re.ASCII)
_MIXED = re.compile(r"(?: | and )([1-9]\d*)/([1-9]\d*)", re.ASCII)
_FRAC = re.compile(rf"\\[dtc]?frac\s?(?:\{{\s?(-?{_NUMBER})\s?\}}|(\d))\s?(?:\{{\s?({_NUMBER})\s?\}}|(\d))", re.ASCII)
_SIGNS = {"½": Fraction(1, 2), "⅓": Fraction(1, 3), "⅔": Fraction(2, 3), "¼": Fraction(1, 4), "¾": Fraction(3, 4)}
_NAMED = re.compile(r"\s*\$*\s?(?:[A-Za-z]{1,12}\s?)?=\s?", re.ASCII)
_MONEY = re.compile(
    r"\$*(?:(?:US|AU|CA|NZ|HK|SG|[ACRS])?[$¤]|[€£¥₹₩]|USD|EUR|GBP|CAD|AUD|NZD|CHF|JPY|INR|Rs\.?)?", re.ASCII
)
_UNIT = re.compile(r"(?:%|°[CF]?|[$¤€£¥₹₩]|/?[A-Za-z][A-Za-z'/ -]*)?", re.ASCII)
_MULTIPLE = (
    r"hundred|thousand|million|billion|trillion|dozen|score|gross|lakh|crore|grand\b|\btens?\b"
    r"|\bm(?:il|ln|io|rd)\b|\b[bt]n\b"
    r"|half|halves|quarter|\bthirds?\b|\b(?:four|fif|six|seven|eigh|nin|ten|eleven|twelf|twentie)ths?\b|\bpi\b|\b[kx]\b"
)
_SCALE = re.compile(  # words that make another number of it, or take it back
    rf"{_MULTIPLE}|square|cube|power|point|plus|minus|times|divided|more|less"
    r"|\bbelow\b|\bnegative\b|\bor\b|\bnot\b|wrong|n't\b|percent of",
    re.ASCII | re.IGNORECASE,
)
_LETTER = re.compile(  # millions, billions; unknowns; days
    r"^(?:M|MM|B|T|[einyz]|(?:Jan|Febr)uary|March|April|May|June|July|August|(?:Septem|Octo|Novem|Decem)ber)\b",
    re.ASCII,
)
_NO_SCALE = re.compile(r"\b(?:(?:square|cubic) [a-z]+|cubes|score points?)\b", re.ASCII | re.IGNORECASE)
_MARKS = "*_`"


def number_in(text: str | None) -> Fraction | None:
    """The one number a final answer consists of, in one of the spellings above; None for all else."""
    found = number_and_unit(text)
    return None if found is None else found[0]


def number_and_unit(text: str | None) -> tuple[Fraction, str] | None:
    """The number of `number_in`, and the words or signs after it."""
    return None if text is None or len(text) > MAX_ANSWER else _read(text)


@lru_cache(maxsize=4096)  # the samples of a problem give the same few answers
def _read(text: str) -> tuple[Fraction, str] | None:
    plain = _plain(text)
    first = _FIRST.search(plain)
    size = _size(plain[first.start() :]) if first else None
    if size is None:
        return None
    before, (value, length) = plain[: first.start()], size
    sign, unit = _sign(before), _unit(before, plain[first.start() + length :])
    if sign is None or unit is None or (value.denominator != 1 and ".." in plain):
        return None
    return (-value if sign == "-" else value), unit


def _plain(text: str) -> str:
    """With plain signs, and without brackets around a lone number."""
    text = _plain_signs(text.strip())
    inner = text[1:-1] if text[:1] == "(" and text[-1:] == ")" else ""
    return inner if inner and not set("(),") & set(inner) else text


def _plain_signs(text: str) -> str:
    """A minus sign is a hyphen, LaTeX's spaces are thin spaces, its escaped signs the signs, but that an escaped
    dollar is ¤.
    """
    text = text.replace("\u2212", "-").replace("\u2026", "...").replace("{,}", ",").replace("\\!", "")
    return _LATEX_SPACE.sub("\u2009", text.replace("\\$", "¤").replace("\\%", "%"))


def _size(text: str) -> tuple[Fraction, int] | None:
    """The number without sign that a text begins with, and how long it is; None if there is none, or a second
    reading.
    """
    part = _part(text)
    if part is not None:
        return part
    whole = _DECIMAL.match(text)
    if whole is None:
        return None
    value, end = _value(whole[0]), whole.end()
    over, mixed = _SLASHED.match(text, end), _MIXED.match(text, end)
    part = _part(text[end:].lstrip(" \u2009"))
    if over:
        digits = whole[0] + " " + over[1]
        below = _value(over[1])
        dated = re.search(r"(?:^| )0\d", digits) or len(digits.split()) > 2
        return None if dated or not below else (value / below, over.end())
    if (mixed or part) and (not whole[0].isdigit() or whole[0][0] == "0"):
        return None
    if mixed:
        part = Fraction(int(mixed[1]), int(mixed[2])), 0
    if part and not 0 < part[0] < 1:
        return None
    if part:
        end = mixed.end() if mixed else len(text) - len(text[end:].lstrip(" \u2009")) + part[1]
        return value + part[0], end
    return value, end


def _part(text: str) -> tuple[Fraction, int] | None:
    """The fraction that a text begins with as one sign or as LaTeX writes it, and how long it is."""
    if text[:1] in _SIGNS and text:
        return _SIGNS[text[0]], 1
    match = _FRAC.match(text)
    if match is None:
        return None
    above, below = match[1] or match[2], match[3] or match[4]
    value = -_value(above[1:]) if above[0] == "-" else _value(above)
    return (value / _value(below), match.end()) if _value(below) else None


def _value(digits: str) -> Fraction:
    """Of a number as _NUMBER matches it."""
    return Fraction(Decimal(re.sub(r"[^\d.]", "", digits)))


def _sign(before: str) -> str | None:
    """The sign in what stands before a number, "" without one; None if anything else but marks, `x =` and a currency
    stands there.
    """
    bare = re.sub(r"\\[(\[]|[{*_`\"“‘']", "", _WRAPPER.sub("", before))
    named = _NAMED.match(bare)
    bare = re.sub(r"\s", "", bare[named.end() :] if named else bare)
    signs = re.findall("[-+]", bare)
    return "".join(signs) if len(signs) < 2 and _MONEY.fullmatch(re.sub("[-+]", "", bare)) else None


def _unit(before: str, after: str) -> str | None:
    """What follows a number, without marks; None if that is no unit, or makes another number of it."""
    bare = re.sub(r"\\[)\]]|[{}]", "", _WRAPPER.sub("", after.replace("^\\circ", "°").replace("^{\\circ}", "°")))
    if set(_MARKS) & set(before):
        bare = bare.lstrip(_MARKS)
    if set("\"“‘'") & set(before):
        bare = re.sub(r"[\"”’']", "", bare, count=1)
    bare = bare.rstrip(_MARKS + ".,;: \t\n").removesuffix("!").rstrip(_MARKS + ".")
    if "$" in before:
        bare = re.sub(r"^\s*\$+|\$+$", "", bare)
    unit = " ".join(bare.rstrip(".").split())
    spoilt = _SCALE.search(_NO_SCALE.sub("", unit)) or _LETTER.match(unit)
    return unit if _UNIT.fullmatch(unit) and not spoilt else None


_TOKEN = re.compile(
    r"(?:(?<![\d.,])[-+])?[$¤€£]?"
    r"(?:\\[dtc]?frac\s?(?:\{[^{}]{1,20}\}|\d)\s?(?:\{[^{}]{1,20}\}|\d)"
    r"|\.?\d(?:[\d.,/'’\u00a0\u2009\u202f]*[\d½⅓⅔¼¾])?|[½⅓⅔¼¾])",
    re.ASCII,
)
_LINK = re.compile(r" ?(?:or|to|and|[-\u2013\u2014~±+*/×÷·^]|\*\*|\\times|\\cdot|\\div) ?", re.ASCII | re.IGNORECASE)
_INSIDE = re.compile(r"(?:[-+±^\u2013]|[^\W_]_?|(?:\\([A-Za-z]+)\s?)?\{)\Z", re.ASCII)
_PAIRED = re.compile(r"(?:[^-+*/\d]|^)\d+:\Z", re.ASCII)  # times and ratios, but not the toy worlds' `3+4:7`
_FOLLOWS = re.compile(
    rf"\s?(?:and )?(?:an? )?(?:{_MULTIPLE})|\s?[kx]\b|\s?\\?pi\b"
    rf"|\^(?!\{{?\\circ)|[²³]|(?-i:[MBT]\b)|\s?(?:\\times|[×*])\s?10|\.\.",
    re.ASCII | re.IGNORECASE,
)
_NEAR = 100  # characters around a number that can change what it is


def last_number(text: str) -> Fraction | None:
    """The last number of running text; None without one, or if it is one end of a range or calculation, a part of a
    word, time or date.
    """
    last = re.search(r"[\d½⅓⅔¼¾]", text[::-1])  # digits of other scripts too, which are then not read
    if last is None:
        return None
    end = len(text) - last.start()
    start, closed = max(0, end - _NEAR), len(re.match(r"(?:\s?\})?", text[end : end + 2])[0])
    before = _plain_signs(text[start : end + closed])
    tokens = list(_TOKEN.finditer(before))
    if not tokens or tokens[-1].end() < len(before) - closed or (start and tokens[-1].start() == 0):
        return None
    return None if _FOLLOWS.match(_plain_signs(text[end + closed : end + _NEAR])) else _in_context(before, tokens)


def _in_context(before: str, tokens: list[re.Match]) -> Fraction | None:
    """The value of the last token of `before`, where what stands before it leaves it one."""
    token = tokens[-1]
    if len(tokens) > 1:
        gap = before[tokens[-2].end() : token.start()]
        part, near = re.search("/|frac|[½⅓⅔¼¾]", token[0]), gap in ("", " ", "\u2009")
        if near and part:
            return number_in(f"{tokens[-2][0]}{gap}{token[0]}")
        grouped = near and re.fullmatch(r"\d{3}(?:\.\d+)?", token[0])  # `1 234` may be two numbers
        if (
            not _WRAPPER.sub("", gap).strip("{}")
            or grouped
            or _LINK.fullmatch(gap)
            or (not gap.strip() and token[0][0] in "-+")
        ):
            return None
    if _PAIRED.search(before[: token.start()]):
        return None
    inside = None if token[0][0] in "$¤€£" else _INSIDE.search(before[: token.start()])
    if inside and not (inside[1] and _WRAPPER.fullmatch(f"\\{inside[1]}")):
        return None
    return number_in(token[0])


def spelled(text: str) -> str:
    """An answer in one spelling, by which equal ones are known: its number, or the text without marks and a full stop
    around it.
    """
    value = number_in(text)
    if value is not None:
        return as_text(value)
    bare = text.strip()
    if len(bare) <= MAX_ANSWER:
        bare = re.sub(r"^\\[(\[]|\\[)\]]$", "", bare.removesuffix(".").strip(_MARKS + "$ ")).strip()
        wrapped = re.fullmatch(rf"{_WRAPPER.pattern}\{{([^{{}}]*)\}}", bare, re.ASCII)
        bare = (wrapped[1] if wrapped else bare).strip().removesuffix(".")
    return bare[1:-1] if re.fullmatch(r"\([A-Za-z]\)", bare) else bare


def as_text(value: Fraction) -> str:
    """One spelling for each value: `72`, `-7`, `72.5`, and `1/3` where no decimal number of nine places is exact."""
    if value.denominator == 1:
        return str(value.numerator)
    scaled = value * 10**9
    if scaled.denominator != 1:
        return f"{value.numerator}/{value.denominator}"
    return f"{Decimal(scaled.numerator).scaleb(-9):f}".rstrip("0")
