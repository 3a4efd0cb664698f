"""What is wrong with a log, counted: a warning for each kind, however often it was met."""

import re
from collections import Counter


class Tally:
    """Warnings of a log. `count` adds to a kind; a kind is a sentence with `{}` for its number."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.once: list[str] = []

    def count(self, kind: str, number: int = 1) -> None:
        """`number` more of this kind; 0 is none."""
        if number:
            self.counts[kind] += int(number)

    def say(self, sentence: str) -> None:
        """A warning that has no number."""
        if sentence not in self.once:
            self.once.append(sentence)

    def lines(self) -> list[str]:
        """One line a kind."""
        return self.once + [_worded(kind, number) for kind, number in self.counts.items()]


def _worded(kind: str, number: int) -> str:
    if number != 1:
        return kind.format(f"{number:,}")
    one = re.sub(r"^\{\} (\w+)s\b", r"{} \1", kind)
    for many, single in (("were", "was"), ("are", "is"), ("have", "has"), ("hold", "holds")):
        one = re.sub(rf"\b{many}\b", single, one)
    return one.format(1)


NOT_FINITE = "{} numbers are NaN or infinite and were read as missing"
NOT_UTF8 = "{} characters are no UTF-8 and were replaced"
NO_REWARD = "{} rows have no reward at all"
NOT_A_FLAG = "{} values of a column that says right or wrong are neither, and were read as unknown"
NOT_A_NUMBER = "{} values of a column of numbers are none, and were read as missing"
NOT_GENERATED = "{} rows hold no generated text (choices that were scored, or a rollout that failed) and were left out"
CUT_OFF = "{} lines at the end of a file are cut off and were left out"
