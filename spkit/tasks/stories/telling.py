"""A story about numbers that come and go: what a sequence of signed numbers reads like."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import ClassVar

from ...run.errors import SpkitError
from ..base import Kind, Problem
from ..word_problems.story import Person
from .words import (
    ASIDES,
    BEFORE,
    CAST,
    COMINGS,
    CONNECTIONS,
    LEAVINGS,
    QUESTIONS,
    STORY_OPENINGS,
    THINGS,
    counted,
    plural,
)

MOST_AT_ONCE = 12  # things that come or go in one sentence
MOST_THINGS = 40  # that somebody has at any time
LAYOUTS = ("in order",) * 7 + ("question first", "change first", "joined")


@dataclass(frozen=True)
class StoryProblem(Problem):
    """A story with what it is about: `numbers` are the start and the signed changes, of the `thing` that `who` has.

    Without numbers it is an invalid proposal.
    """

    numbers: tuple[int, ...]
    who: str
    thing: str
    kind: ClassVar[Kind] = "deduction"

    @property
    def program(self) -> str:
        """The sum that the story tells, `9 - 4 + 6`."""
        signed = (f" {'+' if number > 0 else '-'} {abs(number)}" for number in self.numbers[1:])
        return "".join([*map(str, self.numbers[:1]), *signed])

    @property
    def inputs(self) -> tuple[tuple, ...]:
        """A sum runs on nothing, which is one empty input; none of an invalid proposal."""
        return ((),) if self.numbers else ()


@dataclass(frozen=True)
class _Teller:
    rng: random.Random
    who: Person
    others: list[Person]
    thing: str
    pronouns: bool

    def sentence(self, form: str, quantity: str, subject: str = "") -> str:
        """The form with everything filled in, without an end."""
        other = self.others.pop().name if "%" in form else ""
        return form.replace("#", quantity).replace("@", subject or self.who.name, 1).replace("%", other)

    def opening(self, number: int, forms: Sequence[str] = STORY_OPENINGS) -> str:
        return self.sentence(self.rng.choice(forms), counted(number, self.thing))

    def change(self, number: int, form: str, subject: str = "") -> str:
        """A change by a signed number of things."""
        own = f"of {self.who.his} " if form.startswith("@") else ""
        if number > 0:
            return self.sentence(form, counted(number, self.thing, self.rng.choice(("", "more "))), subject)
        some = f"{-number} {own}{plural(self.thing)}" if own and self.rng.random() < 0.3 else ""
        return self.sentence(form, some or counted(-number, self.thing), subject)

    def form(self, number: int) -> str:
        return self.rng.choice(COMINGS if number > 0 else LEAVINGS)

    def later(self, number: int) -> str:
        """A change after another one: with a connection, and a pronoun if nobody else is in the story yet."""
        form, before = self.form(number), self.rng.choice(CONNECTIONS)
        alone = self.pronouns and len(self.others) == len(CAST) - 1
        alone = alone and form.startswith("@") and self.rng.random() < 0.5
        said = self.change(number, form, self.who.he if alone else "")
        return before + said if before else said[0].upper() + said[1:]

    def question(self, left: bool) -> str:
        when = self.rng.choice((*QUESTIONS, "left", "left") if left else QUESTIONS)
        return f"How many {plural(self.thing)} does {self.who.name} have {when}?"

    def aside(self, form: str) -> str:
        """A sentence with a number that does not count."""
        number = self.rng.randint(2, MOST_AT_ONCE)
        thing = self.thing if form.startswith("Each") or self.rng.random() < 0.5 else self.rng.choice(THINGS)
        said = self.sentence(form, thing if form.startswith("Each") else plural(thing))
        return said.replace("$", str(number))


def story_of(numbers: Sequence[int], rng: random.Random, asides: int = 0) -> StoryProblem:
    """The story of a start and signed changes, its names, things and words drawn; `asides` sentences do not count.

    Raises SpkitError unless there is a change, all numbers are small and nobody ever has fewer than none.
    """
    if fault := fault_of(numbers):
        raise SpkitError(f"no story has the numbers {list(numbers)[:12]}: {fault}")
    who, *others = rng.sample(CAST, len(CAST))
    teller = _Teller(rng, who, others, rng.choice(THINGS), pronouns=not asides)
    question, layout = teller.question(numbers[-1] < 0), rng.choice(LAYOUTS)
    told = [f"{one}." for one in _told(teller, numbers, layout)]
    for form in rng.sample(ASIDES, asides):
        told.insert(rng.randint(1, len(told)), f"{teller.aside(form)}.")
    told.insert(0 if layout == "question first" else len(told), question)
    return StoryProblem(" ".join(told), str(sum(numbers)), len(numbers) - 1, tuple(numbers), who.name, teller.thing)


def _told(teller: _Teller, numbers: Sequence[int], layout: str) -> list[str]:
    start, first, *rest = numbers
    if layout == "joined":
        own = [form for form in (COMINGS if first > 0 else LEAVINGS) if form.startswith("@ ")]
        change = teller.change(first, teller.rng.choice(own)).removeprefix(f"{teller.who.name} ")
        begun = [f"{teller.opening(start)} and {change}"]
    elif layout == "change first":
        begun = [teller.change(first, teller.form(first)), teller.opening(start, BEFORE)]
    else:
        begun = [teller.opening(start), teller.later(first)]
    return begun + [teller.later(number) for number in rest]


def fault_of(numbers: Sequence[int]) -> str:
    """Why a sequence of a start and signed changes makes no story; empty if it makes one."""
    if len(numbers) < 2:
        return "give a start and at least one change"
    if not all(1 <= abs(number) <= MOST_AT_ONCE for number in numbers) or numbers[0] < 0:
        return f"every number has 1 to {MOST_AT_ONCE} things, the start without a sign"
    if not all(0 <= total <= MOST_THINGS for total in accumulate(numbers)):
        return f"after every change there have to be 0 to {MOST_THINGS} things"
    return ""
