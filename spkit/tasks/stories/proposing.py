"""How a policy proposes stories: it makes up the numbers, `9 - 4 + 6`, and the story is told about them.

So a proposal can be checked, which a story of the policy's own could not: the answer is what the numbers come to.
Absolute Zero (arXiv:2505.03335, section 3.3) has its proposer write a program with an input; here the sum is both.
"""

import re
from collections.abc import Sequence
from itertools import islice

from ..base import item_rng
from .telling import MOST_THINGS, StoryProblem, fault_of, story_of

MAX_CHANGES = 4
ASIDES_AT = {4: 2}  # sentences whose numbers do not count, by the number of changes
PROPOSER_MARK = "Make up one more sum like these:"
EXAMPLE_SUMS = ("6 + 5", "9 - 4 + 6")
LONGEST_SUM = 48  # characters of a proposal
MOST_READ_OF_A_PROPOSAL = 4 * LONGEST_SUM  # characters in which a sum is looked for

_SUM = re.compile(r"(?<![\w.+*/-])(?<![*/=+-] )\d{1,2}(?:[ \t]*[-+][ \t]*\d{1,2})+(?![\w.]\w|\w|[ \t]*[*/])", re.ASCII)
_PART = re.compile(r"([-+]?)\s*(\d{1,2})", re.ASCII)


def numbers_of(text: str) -> tuple[int, ...] | None:
    """The start and the signed changes of the first sum in the text, whatever stands around it; None if there is none.

    A small model seldom writes the sum alone. Absolute Zero's reads a proposal out of the text around it, too.
    """
    found = _SUM.search(text[:MOST_READ_OF_A_PROPOSAL])
    return tuple(int(sign + digits) for sign, digits in _PART.findall(found[0])) if found else None


def asks_for_numbers(references: Sequence[str]) -> str:
    """The prompt of a proposer: examples, one a line, and after them sums that are there already."""
    return "\n".join([PROPOSER_MARK, *EXAMPLE_SUMS, *references])


def fault_in(numbers: Sequence[int]) -> str | None:
    """Why proposed numbers make no story, None if they make one: `depth` is too many of them, `input` too large."""
    if len(numbers) - 1 > MAX_CHANGES:
        return "depth"
    return "input" if fault_of(numbers) else None


def told(numbers: Sequence[int]) -> StoryProblem:
    """The one story that is told about proposed numbers."""
    rng = item_rng("stories", "told", *numbers)
    return story_of(numbers, rng, ASIDES_AT.get(len(numbers) - 1, 0))


def answers_offered(completion: str) -> list[str]:
    """Each number of the last line as the answer: `7 or 8` offers two."""
    line = completion.strip().rpartition("\n")[2]
    return [f"The answer is {match[0]}." for match in islice(re.finditer(r"\d{1,9}", line, re.ASCII), 2 * MOST_THINGS)]
