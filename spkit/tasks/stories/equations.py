"""The equations of free text: `9 + 9 = 18`, also with units (`9 apples + 9 apples = $18`), in words, or in LaTeX.

A text is read from left to right, once. An equation is a stretch of numbers with signs between them, at least one sign
and one `=` among them; words of a unit may follow a number. What stops in the middle is no equation (`9 + ? =
18`, `x + 3 = 12`), so that none is called false that nobody wrote.
"""

import re
from collections.abc import Iterator

from ..answers import MAX_READ
from ..worked import MAX_CALCULATIONS, Calculation, read_calculation

MAX_UNIT = 3  # words of a unit
SPOKEN = {"plus": "+", "minus": "-", "times": "*", "x": "*", "equals": "=", "is": "="}
PLAIN_SIGNS = {"\u2212": "-", "\u2013": "-", "×": "*", "·": "*", "÷": "/", "\\times": "*", "\\cdot": "*", "\\div": "/"}

_TOKEN = re.compile(
    r"(?P<space>\*\*|\\text\s?\{[^{}\n]{0,40}\}|\\[()\[\] ,;$]|\\(?:boxed|mathbf|textbf|bf)\b|[ \t$_`&{}\u00a0\u2009])"
    r"|(?P<number>\d{1,3}(?:,\d{3})+(?!\d)|\d+(?:\.\d+)?)"
    r"|(?P<sign>[-+*/=()\u2212\u2013×·÷]|\\times\b|\\cdot\b|\\div\b)"
    r"|(?P<word>[^\W\d_]+)"
    r"|(?P<line>\n)"
    r"|(?P<other>.)",
    re.ASCII,
)


class _Stretch:
    """What has been read of an equation: `parts` are its numbers and signs, `words` counts those after the last."""

    def __init__(self, spoilt: bool = False) -> None:
        self.parts: list[str] = []
        self.words, self.spoilt = 0, spoilt

    @property
    def after_number(self) -> bool:
        return bool(self.parts) and (self.parts[-1] == ")" or self.parts[-1][0].isdigit())

    def takes(self, kind: str, text: str) -> bool:
        """Read one more token; False if the equation cannot go on with it."""
        if kind == "number" or text == "(":
            fits = not self.after_number
        elif kind == "sign":
            fits = self.after_number or (text == "-" and self.parts[-1:] in (["="], ["("]))
        else:
            self.words += 1
            return self.after_number and self.words <= MAX_UNIT
        self.words = 0
        if fits:
            self.parts.append(text)
        return fits

    def equation(self) -> Calculation | None:
        """The equation, if it is one."""
        while self.parts and not self.after_number:
            self.parts.pop()
        sides = "".join(self.parts).split("=")
        sides[0] = sides[0].lstrip("(") if sides[0].count("(") > sides[0].count(")") else sides[0]
        sides[-1] = sides[-1].rstrip(")") if sides[-1].count("(") < sides[-1].count(")") else sides[-1]
        signed = [bool(re.search(r"\d\)*[-+*/]", side)) for side in sides]
        if not signed[0] and signed[-1]:  # `18 = 9 + 9`
            sides.reverse()
        return read_calculation("=".join(sides)) if len(sides) > 1 and any(signed) and not self.spoilt else None


def equations(text: str) -> list[Calculation]:
    """The equations of a text in order, at most MAX_CALCULATIONS; none of a text that is longer than MAX_READ."""
    found = []
    for stretch in _stretches(text) if len(text) <= MAX_READ else ():
        if one := stretch.equation():
            found.append(one)
        if len(found) == MAX_CALCULATIONS:
            break
    return found


def _stretches(text: str) -> Iterator[_Stretch]:
    stretch, before = _Stretch(), "line"
    for match in _TOKEN.finditer(text):
        kind, token = _known(match)
        if kind == "space":
            continue
        if kind in ("line", "other") or not stretch.takes(kind, token):
            yield stretch
            operand = kind == "sign" and token not in "=(" and before not in ("line", "other")
            stretch = _Stretch(operand or (kind == "other" and token in "?_^%#<>"))
            if kind == "number" or token == "(":
                stretch.takes(kind, token)
        before = kind
    yield stretch


def _known(match: re.Match) -> tuple[str, str]:
    """Kind and text of a token, with plain signs."""
    kind, token = match.lastgroup, match[0]
    spoken = SPOKEN.get(token.lower(), "") if kind == "word" else ""
    return ("sign", spoken) if spoken else (kind, PLAIN_SIGNS.get(token, token))
