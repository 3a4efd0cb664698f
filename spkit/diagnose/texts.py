"""What is read off a completion without knowing its task."""

import re
from collections.abc import Iterator

READ = 20_000  # characters of a completion that are looked at, half of them its end

_MARKED = re.compile(r"<answer>(.*?)</answer>|\\boxed\{([^{}]*)\}|####[ \t]*([^\n]*)", re.DOTALL | re.IGNORECASE)
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
_WORD = re.compile(r"\w+|[^\w\s]")


def shortened(text: str) -> str:
    """Start and end of a long completion."""
    return text if len(text) <= READ else text[: READ // 2] + text[-READ // 2 :]


def marked(text: str) -> list[str]:
    """What stands in answer marks: <answer>...</answer>, \\boxed{...} or after ####."""
    return [next(part for part in match.groups() if part is not None).strip() for match in _MARKED.finditer(text)]


def final_answer(text: str) -> str | None:
    """The last marked answer, else the last number; None if there is neither."""
    found = marked(text)
    if found:
        return found[-1]
    numbers = _NUMBER.findall(text)
    return numbers[-1].replace(",", "") if numbers else None


def has_extra(text: str, gold: str | None) -> bool:
    """More than an answer in the place of the answer: two different marked answers, or the right one with something beside it.

    The place of the answer is the last mark, or without marks what comes after the last line break or semicolon.
    """
    found = marked(text)
    if len(set(found)) > 1:
        return True
    place = found[-1] if found else re.split(r"[;\n]", text.rstrip())[-1].strip()
    return bool(gold) and place != gold and re.search(rf"(?<!\w){re.escape(gold)}(?!\w)", place) is not None


def words(text: str) -> Iterator[str]:
    """Words and signs, one after another."""
    return (match[0] for match in _WORD.finditer(text))
