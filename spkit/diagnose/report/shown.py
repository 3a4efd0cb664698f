"""Texts and numbers as they are shown: what a log holds can neither hide nor reorder what stands beside it."""

import re
from typing import Any

# Controls, bidirectional marks and overrides, invisible signs, language tags, half surrogates: named instead of obeyed.
# Line feed and tab stay, and so do the joiners U+200C and U+200D, which Persian, Hindi and emoji are written with.
HIDDEN_SIGNS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff"
    "\uffa0\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
CUT_AT = 2000  # characters of a text that are shown


def visible(text: str, limit: int = CUT_AT) -> str:
    """The text with each hidden character as ⟨U+XXXX⟩, cut at `limit` characters with how many were left out."""
    kept = text[:limit].replace("\r\n", "\n")
    more = f" … ({len(text) - limit:,} more characters)" if len(text) > limit else ""
    return HIDDEN_SIGNS.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", kept) + more


def one_line(text: str, width: int | None = None) -> str:
    """The text in one line of at most `width` characters, cut at a word if it is longer; None cuts nothing."""
    line = " ".join(visible(text, 100_000).split())
    if width is None or len(line) <= width:
        return line
    return line[: width - 1].rsplit(" ", 1)[0][: width - 1] + "…"


LARGEST_DRAWN = 1e300  # beyond, the difference of two numbers may be none


def known_number(value: Any) -> float | None:
    """The value as a float; None for what is no finite number."""
    return float(value) if isinstance(value, int | float) and abs(value) < LARGEST_DRAWN else None


def number_text(value: float | None, unit: str = "") -> str:
    """A number in three figures, in percent if the unit is `share`; a dash for what is not known."""
    value = known_number(value)
    if value is None:
        return "–"
    if unit == "share":
        return f"{100 * value:.1f}%" if 0 < abs(value) < 0.1 else f"{100 * value:.0f}%"
    if value and not 1e-3 <= abs(value) < 1e7:
        return f"{value:.1e}"
    return f"{value:,.0f}" if abs(value) >= 100 or value == round(value) else f"{value:.3g}"
