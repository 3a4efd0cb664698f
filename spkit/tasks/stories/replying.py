"""Replies to a story: its equations in several wordings, right ones and those of a careless writer."""

import random
from collections.abc import Sequence
from itertools import accumulate

from .telling import StoryProblem
from .words import counted

FORMS = ("{equation}.", "{equation} {thing}.", "{first}{equation} {thing}.", "{now} {who} has {equation} {thing}.")
ANSWER_FORMS = ("The answer is {total}.", "So the answer is {total}.", "Answer: {total}", "#### {total}")


def reply(problem: StoryProblem, totals: Sequence[int], numbers: Sequence[int], rng: random.Random) -> str:
    """A short sentence for each equation, `totals[i]` being what `numbers` up to i are said to make, and the answer."""
    form, end, between = rng.choice(FORMS), rng.choice(ANSWER_FORMS), rng.choice((" ", "\n"))
    lines = []
    for i in range(1, len(numbers)):
        equation = f"{totals[i - 1]} {'+' if numbers[i] > 0 else '-'} {abs(numbers[i])} = {totals[i]}"
        thing = counted(totals[i], problem.thing).partition(" ")[2]
        words = {"first": "Then " if i > 1 else "", "now": "Now" if i > 1 else "First,", "who": problem.who}
        lines.append(form.format(equation=equation, thing=thing, **words))
    if end[0] in "A#":
        between = "\n"
    return between.join([*lines, end.format(total=totals[-1])])


def careless_numbers(numbers: Sequence[int], rng: random.Random) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What a careless writer makes of the numbers: the totals, and the numbers with the signs as read.

    One sign is taken for the other, or one sum is off by 1 to 3; what follows is worked out from there. The last total
    is always wrong, and none is below 0.
    """
    slips = []
    for i in range(1, len(numbers)):
        flipped = (*numbers[:i], -numbers[i], *numbers[i + 1 :])
        slips += [(tuple(accumulate(flipped)), flipped)] * 3
        for error in (-3, -2, -1, 1, 2, 3):
            totals = tuple(total + error * (j >= i) for j, total in enumerate(accumulate(numbers)))
            slips.append((totals, tuple(numbers)))
    return rng.choice([(totals, read) for totals, read in slips if min(totals) >= 0])
