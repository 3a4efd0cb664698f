"""How a word problem is told: facts for the question, and one line of work for each calculation."""

import random
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias


class Person(NamedTuple):
    """Somebody in a story, with the words for her or him."""

    name: str
    he: str
    his: str

    @property
    def He(self) -> str:
        """The pronoun with a capital."""
        return self.he.capitalize()

    @property
    def His(self) -> str:
        """The possessive with a capital."""
        return self.his.capitalize()


PEOPLE = tuple(
    Person(name, "she", "her")
    for name in (
        "Ada Bea Clara Dina Eva Fatima Grace Hana Iris Julia Kim Lena Maya Nora Priya Ruth Sofia Tara Wen"
    ).split()
) + tuple(
    Person(name, "he", "his")
    for name in (
        "Adam Ben Carlos David Emil Frank Goran Hugo Ivan Jonas Karl Leo Marco Noah Omar Paul Ravi Sam Tom Yusuf"
    ).split()
)
GOODS = (
    "pens,notebooks,mugs,candles,scarves,puzzles,kites,lamps,baskets,caps,plates,belts,frames,brushes,whistles,ribbons"
).split(",")
TREATS = "cookies,muffins,pies,pretzels,cupcakes,rolls,scones,waffles,brownies,tarts".split(",")
SMALL = "marbles,stickers,stamps,shells,beads,buttons,coins,cards,pebbles,badges".split(",")
FRUIT = "apples,pears,plums,lemons,peaches,oranges,figs,melons".split(",")


class Misfit(Exception):
    """The numbers drawn do not make a story: a division with a remainder, or fewer than two of something."""


class Teller:
    """A story as it grows: `facts` are the question's sentences, `lines` the solution's, `sums` its calculations."""

    def __init__(self, rng: random.Random):
        self.rng = rng
        self.facts: list[str] = []
        self.lines: list[str] = []
        self.sums: list[str] = []
        self.result = 0
        self._people = rng.sample(PEOPLE, 4)

    def person(self) -> Person:
        """Somebody who is not in the story yet."""
        return self._people.pop()

    def one(self, *options: str) -> str:
        """One of the options."""
        return self.rng.choice(options)

    def two(self, words: list[str]) -> list[str]:
        """Two different words."""
        return self.rng.sample(words, 2)

    def number(self, low: int, high: int, step: int = 1) -> int:
        """A number from `low` to `high`, in steps."""
        return self.rng.randrange(low, high + 1, step)

    def maybe(self) -> bool:
        """True half of the time."""
        return self.rng.random() < 0.5

    def tell(self, *options: str) -> None:
        """Add one of these sentences to the question."""
        self.facts.append(self.one(*options))

    def work(self, text: str, *parts: int | str) -> int:
        """Work out `parts`, numbers with signs between them taken from left to right; the calculation
        goes where `text` has `@`.

        Raises Misfit if a division leaves a remainder or any result is below 2, so that every noun is a plural.
        """
        result = int(parts[0])
        for sign, number in zip(parts[1::2], parts[2::2]):
            result = calculate(str(sign), result, int(number))
        calculation = f"{''.join(map(str, parts))}={result}"
        self.sums.append(calculation)
        self.lines.append(text.replace("@", f"<<{calculation}>>{result}"))
        self.result = result
        return result


def calculate(sign: str, a: int, b: int) -> int:
    """a sign b, in whole numbers above 1. Raises Misfit for anything else."""
    if sign == "/" and (b == 0 or a % b):
        raise Misfit
    result = {"+": a + b, "-": a - b, "*": a * b, "/": a // max(b, 1)}[sign]
    if result < 2:
        raise Misfit
    return result


Telling: TypeAlias = Callable[[Teller], Iterator[str]]
"""A template: it tells facts, works them out, and yields the question that could be asked at this point."""


def tell_story(template: Telling, steps: int, rng: random.Random) -> tuple[Teller, str] | None:
    """The story with its question after exactly `steps` calculations, all different.

    None if this template, or these numbers, have none.
    """
    teller = Teller(rng)
    try:
        for question in template(teller):
            if len(teller.sums) == steps:
                return (teller, question) if len(set(teller.sums)) == steps else None
    except Misfit:
        pass
    return None
