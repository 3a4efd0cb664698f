"""The one choice of a list that an answer names."""

import re
from collections.abc import Sequence

MAX_STATEMENT = 200  # characters of an answer

_ARTICLE = re.compile(r"^(?:an?|the) (?=.{3})")
_WRAPPED = re.compile(r"\\(?:boxed|fbox|text(?:bf|it|rm)?|math(?:bf|rm|it|sf)|mbox)\s?\{([^{}]*)\}")
_MARKS = re.compile(r"\\[()\[\]]|[*_`$\"“”'‘’]")


def choice_in(answer: str | None, letters: str, choices: Sequence[str]) -> str | None:
    """The letter of the one choice that an answer names, None if it names none or more.

    A choice is named by its letter, its text, or both in one of the usual ways; any other word there, a second
    letter, or a letter with the text of another choice is no answer, so that naming all of them wins nothing.
    """
    if answer is None or len(answer) > MAX_STATEMENT:
        return None
    plain = _plain(answer)
    both = {plain, _ARTICLE.sub("", plain)}
    named = [
        letter for letter, text in zip(letters, choices) if both & _names(letter, " ".join(text.casefold().split()))
    ]
    return named[0] if len(named) == 1 else None


def _plain(answer: str) -> str:
    """Without capitals, the marks of Markdown and LaTeX, quotes, full stop, and a leading `option` or `choice`."""
    bare = _WRAPPED.sub(r"\1", _WRAPPED.sub(r"\1", answer))
    words = _MARKS.sub("", bare).casefold().strip(" .!:\n\t").split()
    return " ".join(words[1:] if words[:1] in (["option"], ["choice"]) else words)


def _names(letter: str, text: str) -> set[str]:
    marks = {letter, f"({letter})", f"{letter})"}
    text = _ARTICLE.sub("", re.sub(r"['\"]", "", text).strip(" .!:"))
    before = {f"{mark}{between}{text}" for mark in marks for between in (" ", ". ", ": ", ", ")}
    after = {f"{text}{between}{mark}" for mark in (f"({letter})", f"{letter})") for between in (" ", "", ", ")}
    return marks | {text} | before | after
