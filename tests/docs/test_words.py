"""The course says a thing with one word: those that it does not use are nowhere in its prose."""

import re

import pytest

from .pages import MODULES, NOTEBOOKS, PAGES, markdown, name_of, plain, sayings

INSTEAD = {  # what is not said, as a pattern, and what is said in its place
    r"dealt (out|anew)|deals? out": "shuffled within the group, or random rewards",
    r"turn(s|ed|ing)? (it |them )?round": "flipped",
    r"talk(s|ed|ing)? round": "gamed",
    r"pay|pays|paid|unpaid": "proposer reward, earns, costs",
    r"word of the verifier|verifier's word": "verdict",
    r"who decides what is kept": "verifier",
    r"at hand|(with)?in reach": "available",
    r"on and on|time and again": "repeatedly",
    r"wander(s|ed|ing)?": "drift",
    r"votes_right": "majority_correct",
    r"in_turn|in turns|afresh": "run_in_chunks, retry_smaller",
    r"roomy|roomier": "growing",
    r"as it stood": "restore",
    r"unsound": "invalid",
    r"does not matter|do not matter|doesn't matter": "not seen (interval)",
}
PROSE = {path: plain(markdown(path)) for path in (*PAGES, *NOTEBOOKS)} | {path: sayings(path) for path in MODULES}


def unwanted(text: str) -> list[str]:
    """Each word that is not said, with its neighbours and what to say in its place."""
    flat = re.sub(r"\s+", " ", text)
    return [
        f"{flat[max(0, m.start() - 40) : m.end() + 40]!r}: say {better}"
        for pattern, better in INSTEAD.items()
        for m in re.finditer(rf"(?<![\w-])({pattern})(?![\w-])", flat, re.IGNORECASE)
    ]


@pytest.mark.parametrize("path", PROSE, ids=name_of)
def test_no_word_that_the_course_does_not_use(path):
    found = unwanted(PROSE[path])
    assert not found, "\n".join(found)
