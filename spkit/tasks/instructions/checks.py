"""The constraints and the programs that check them, strictly and loosely.

`holds` is one exact verdict a constraint. `loosely` is the loose verdict of IFEval (arXiv:2311.07911, section 2.2): a
constraint counts as kept if it holds for the text, or for one of the forms of it without its first line, without its
last line, without both, and each of these without the asterisks of markdown; each constraint may take another form.

Departures from IFEval: a keyword is a whole word, not a part of one; a sentence ends at a fixed set of marks and not
where NLTK's trained splitter says; a text in the wrong case fails on any letter and no language is detected; a text of
more than LONGEST_READ characters keeps no constraint, nor does one without a letter or digit.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from unicodedata import category

from .reading import (
    COMMAS,
    composed,
    ends_with,
    full_lines,
    has_word,
    paragraph_count,
    sentence_count,
    starts_with,
    word_list,
    word_parts,
)

LONGEST_READ = 4000  # characters: more than ten times the longest right completion

_BULLET = re.compile(r"[-*•]\s+\S")
_NUMBERED = re.compile(r"(\d{1,3})[.)]\s+\S", re.ASCII)
_TITLE = re.compile(r"<<([^<>\n]+)>>")
_PLACEHOLDER = re.compile(r"\[([^\[\]\n]+)\]")
_QUOTES = {'"': '"', "“": "”"}


@dataclass(frozen=True, order=True)
class Constraint:
    """One constraint: its kind (a key of CHECK_OF), and its numbers and its word or phrase as the kind has them."""

    kind: str
    low: int = 0
    high: int = 0
    text: str = ""


def _all_lower(text: str) -> bool:
    return any(c.isalpha() and c.islower() for c in text) and not any(category(c) in ("Lu", "Lt") for c in text)


def _all_upper(text: str) -> bool:
    return any(c.isalpha() and c.isupper() for c in text) and not any(category(c) in ("Ll", "Lt") for c in text)


def _quoted(text: str) -> bool:
    body = text.strip()
    inside = body[1:-1]
    return _QUOTES.get(body[0]) == body[-1] and has_word(inside) and not any(mark in inside for mark in '"“”')


def _numbered(text: str, count: int) -> bool:
    found = [match[1] for match in map(_NUMBERED.match, full_lines(text)) if match]
    return found == [str(number) for number in range(1, count + 1)]


def _capital_words(text: str) -> int:
    return sum(len(word) > 1 and word.isalpha() and word.isupper() for word in word_list(text))


CHECK_OF: dict[str, Callable[[str, Constraint], bool]] = {
    "min_words": lambda text, c: len(word_list(text)) >= c.low,
    "max_words": lambda text, c: len(word_list(text)) <= c.high,
    "words_between": lambda text, c: c.low <= len(word_list(text)) <= c.high,
    "sentences": lambda text, c: sentence_count(text) == c.low,
    "paragraphs": lambda text, c: paragraph_count(text) == c.low,
    "bullets": lambda text, c: sum(bool(_BULLET.match(line)) for line in full_lines(text)) == c.low,
    "numbered": lambda text, c: _numbered(text, c.low),
    "lower": lambda text, c: _all_lower(text),
    "upper": lambda text, c: _all_upper(text),
    "capitals": lambda text, c: _capital_words(text) >= c.low,
    "keyword": lambda text, c: word_parts(text).count(c.text) >= c.low,
    "forbidden": lambda text, c: c.text not in word_parts(text),
    "no_letter": lambda text, c: c.text not in text.casefold(),
    "no_commas": lambda text, c: not any(mark in text for mark in COMMAS),
    "no_digits": lambda text, c: not any(character.isdecimal() for character in text),
    "digits": lambda text, c: sum(character.isdecimal() for character in text) == c.low,
    "starts": lambda text, c: starts_with(text, c.text),
    "ends": lambda text, c: ends_with(text, c.text),
    "quoted": lambda text, c: _quoted(text),
    "title": lambda text, c: any(map(has_word, _TITLE.findall(text))),
    "lines_end": lambda text, c: all(line.endswith(".") for line in full_lines(text)),
    "exclamations": lambda text, c: text.count("!") == c.low,
    "questions": lambda text, c: text.count("?") == c.low,
    "placeholders": lambda text, c: sum(map(has_word, _PLACEHOLDER.findall(text))) >= c.low,
}


def holds(constraints: Sequence[Constraint], text: str) -> list[bool]:
    """Whether each constraint holds for the text, exactly. None does for a text without a word, or too long to read."""
    if len(text) > LONGEST_READ or not has_word(text):
        return [False] * len(constraints)
    read = composed(text)
    return [CHECK_OF[constraint.kind](read, constraint) for constraint in constraints]


def loosely(constraints: Sequence[Constraint], text: str) -> list[bool]:
    """Whether each constraint holds for the text or for one of its loose forms."""
    verdicts = [holds(constraints, form) for form in loose_forms(text)] if len(text) <= LONGEST_READ else []
    return [any(of_one) for of_one in zip(*verdicts)] if verdicts else [False] * len(constraints)


def loose_forms(text: str) -> list[str]:
    """The text itself and its loose forms, each once."""
    lines = text.split("\n")
    cut = [text, *("\n".join(kept).strip() for kept in (lines[1:], lines[:-1], lines[1:-1]))]
    return list(dict.fromkeys([*cut, *(form.replace("*", "") for form in cut)]))
