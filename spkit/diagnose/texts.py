"""What is read off a completion without knowing its task. Answers are read by `spkit.tasks.answers`, as the tasks read
them.
"""

import re
from collections.abc import Iterator

from ..tasks.answers import (
    EXPLICIT,
    as_text,
    last_number,
    marked_text,
    marks,
    number_and_unit,
    number_in,
    said,
    spelled,
)

READ = 20_000  # characters of a completion that are looked at, half of them its end

_CURRENCY = re.compile("USD|EUR|GBP|CAD|AUD|NZD|CHF|JPY|INR")
_WORD = re.compile(r"\w+|[^\w\s]")


def shortened(text: str) -> str:
    """Start and end of a long completion."""
    return text if len(text) <= READ else text[: READ // 2] + text[-READ // 2 :]


def gold_answer(text: str) -> str:
    """A gold answer in the spelling of `final_answer`, whether it is bare, marked, or the last line of a solution; ""
    if it is none.
    """
    held = marked_text(text, EXPLICIT)
    return spelled(text.strip() if held is None else held)


def final_answer(text: str) -> str | None:
    """The answer in one spelling: that in a mark, else the number or the letter behind `answer is`, else the last
    number; None if there is none of them. A mark that is never closed, or `answer is` without an answer behind it, is
    none, whatever numbers stand in the text.
    """
    held = marked_text(text, EXPLICIT)
    if held is not None:
        opened = marked_text(text)
        return spelled(held if number_in(opened) is None else opened) or None
    statement = said(text)
    if statement == "":
        return None
    if statement and (
        number_in(statement) is not None or re.fullmatch("[A-Za-z]", spelled(statement))
    ):  # a choice's letter or a number
        return spelled(statement)
    last = last_number(text)
    first = number_in(statement.split()[0]) if statement else None
    return None if last is None or first not in (None, last) else as_text(last)


def has_extra(text: str, gold: str | None) -> bool:
    """More than an answer in the place of the answer: two different marked answers, or the right one with something
    beside it.

    `gold` is in the spelling of `gold_answer`. The place of the answer is the last mark, or without marks what comes
    after the last line break or semicolon.
    """
    found = marks(text)
    if len({spelled(held) for held in found}) > 1:
        return True
    place = found[-1] if found else re.split(r"[;\n]", text.rstrip())[-1].strip()
    read = number_and_unit(place)
    if read is not None:
        beside = re.search("[A-Za-z]", read[1]) is not None and not _CURRENCY.fullmatch(read[1])
        return as_text(read[0]) == gold and beside
    if not gold or spelled(place) == gold:
        return False
    number = last_number(place)  # in any spelling: `it is 1,234` says no more than `it is 1234`
    written = re.search(rf"(?<!\w){re.escape(gold)}(?!\w)", place) is not None
    return written or (number is not None and as_text(number) == gold)


def words(text: str) -> Iterator[str]:
    """Words and signs, one after another."""
    return (match[0] for match in _WORD.finditer(text))
