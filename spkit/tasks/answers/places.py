"""Where a completion gives its answer.

Marks in the order of their weight: after `####`; between `<answer>` and `</answer>`; inside `\\boxed{}`; after
`answer is` or `answer:`. The first kind that stands in a text decides, and of several marks of that kind the last
one: who corrects himself is taken at his last word. A mark that is never closed, or holds nothing, is an answer that
was not given: nothing else in the text is taken for it.
"""

import re
from collections.abc import Callable, Sequence

Finder = Callable[[str], str | None]

MAX_READ = 50_000  # characters of a completion; a longer one has no answer

_OPEN_BOX = re.compile(r"\\(?:boxed|fbox)\s?\{", re.ASCII)
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_TAG = re.compile(r"<(/?)answer>", re.ASCII | re.IGNORECASE)
_SAID = re.compile(r"answer(?:\*\*|__|[*_`])?(?:\s+is\b:?|\s?[:=])", re.ASCII | re.IGNORECASE)
_BULLET = re.compile(r"[-+\u2022] ")


def final_text(completion: str) -> str | None:
    """What a completion gives as its answer, as written; None if it gives none or is longer than MAX_READ.

    What its marks hold (`marked_text`); without any mark, the whole completion if it is one line.
    """
    if len(completion) > MAX_READ:
        return None
    text = completion.strip()
    place = marked_text(text)
    if place is None and "\n" not in text:
        place = text
    return place or None


def marked_text(text: str, kinds: Sequence[Finder] | None = None) -> str | None:
    """What the mark that decides holds, "" if that is nothing; None without any. A mark of a later kind inside it is
    opened too.
    """
    found = False
    for read in kinds or (*EXPLICIT, said):
        held = read(text)
        if held is not None:
            text, found = held, True
    return text if found else None


def marks(text: str) -> list[str]:
    """What every `<answer></answer>`, outermost `\\boxed{}` and `####` holds, in the order of the text."""
    found = [(start, text[start:end].strip()) for start, end in _boxes(text)]
    for match in re.finditer(r"####[ \t]*([^\n]*)", text):
        found.append((match.start(), _untagged(match[1])))
    start = None
    for match in _TAG.finditer(text):
        if match[1] and start is not None:
            found.append((start, text[start : match.start()].strip()))
        start = None if match[1] else match.end()
    return [held for _, held in sorted(found)]


def hashed(text: str) -> str | None:
    """What follows the last `####` on its line; None without it."""
    _, mark, behind = text.rpartition("####")
    return _untagged(behind.partition("\n")[0]) if mark else None


def tagged(text: str) -> str | None:
    """What stands between the last `<answer>` and the `</answer>` after it, "" if that is missing; None without
    `<answer>`.
    """
    opening = closing = None
    for match in _TAG.finditer(text):
        if not match[1]:
            opening, closing = match.end(), None
        elif closing is None:
            closing = match.start()
    if opening is None:
        return None
    return "" if closing is None else text[opening:closing].strip()


def boxed(text: str) -> str | None:
    """What the last `\\boxed{}` holds, braces in it included, "" if it is not closed; None without one."""
    starts = [match.end() for match in _OPEN_BOX.finditer(text)]
    if not starts:
        return None
    depth = 1
    for match in _BRACE.finditer(text, starts[-1]):
        depth += (match[0] == "{") - (match[0] == "}")
        if depth == 0:
            return text[starts[-1] : match.start()].strip()
    return ""


def said(text: str) -> str | None:
    """What follows the last `answer is` or `answer:`, on its line or the next one that says something; None
    without them.

    A list on the lines below is more than one answer, or a hyphen that is no minus sign: "".
    """
    ends = [match.end() for match in _SAID.finditer(text)]
    if not ends:
        return None
    line, _, below = text[ends[-1] :].partition("\n")
    if line.strip(" \t\r*_`"):
        return line.strip()
    line = below.strip().partition("\n")[0].strip()
    return "" if _BULLET.match(line) else line


EXPLICIT: tuple[Finder, ...] = (
    hashed,
    tagged,
    boxed,
)  # kinds of marks, those first that weigh most; `said` weighs least


def _boxes(text: str) -> list[tuple[int, int]]:
    """Start and end of what each outermost `\\boxed{}` holds, in one pass."""
    starts = {match.end() for match in _OPEN_BOX.finditer(text)}
    if not starts:
        return []
    opened, found = [], []
    for match in _BRACE.finditer(text):
        if match[0] == "{":
            opened.append(match.end())
        elif match[0] == "}" and opened:
            start = opened.pop()
            if start in starts:
                while found and found[-1][0] > start:
                    found.pop()
                found.append((start, match.start()))
    return found


def _untagged(text: str) -> str:
    """Without a closing tag and what comes after it."""
    end = _TAG.search(text)
    return (text[: end.start()] if end and end[1] else text).strip()
