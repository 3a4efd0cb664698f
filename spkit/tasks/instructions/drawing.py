"""Constraints drawn at random that can be kept together.

Two kinds that would contradict each other, or that would make the check of one depend on the form of the other (a
title is neither a sentence nor none), never meet: they are in one of the CLASHES. What is left, such as a letter that
a given word contains, is refused by `writer.written`, which has to find a text that keeps all of them.
"""

import random
from collections.abc import Callable
from itertools import combinations

from .checks import Constraint
from .sentences import CLOSING_PHRASES, OPENING_PHRASES
from .topics import Topic

CLASHES: tuple[frozenset[str], ...] = tuple(
    frozenset(kinds.split())
    for kinds in (
        "min_words max_words words_between",
        "bullets numbered paragraphs",
        "lower upper capitals",
        "digits no_digits",
        "numbered digits",
        "numbered no_digits",
        "sentences bullets",
        "sentences numbered",
        "sentences title",
        "sentences placeholders",
        "title starts",
        "quoted starts",
        "quoted ends",
        "quoted bullets",
        "quoted numbered",
        "quoted paragraphs",
        "lines_end title",
        "lines_end quoted",
        "lines_end exclamations",
        "lines_end questions",
        "exclamations questions",
        "max_words paragraphs",
    )
)
MILD = frozenset({"max_words", "forbidden", "no_letter", "no_commas", "no_digits", "lines_end"})
KIND_SHARES = {  # how often a kind is drawn, the others having 1: more often what a small model sometimes keeps
    **dict.fromkeys(("min_words", "words_between", "title", "starts", "placeholders", "keyword"), 4),
    **dict.fromkeys(("numbered", "bullets", "forbidden", "no_digits", "no_commas", "max_words"), 3),
    **dict.fromkeys(("sentences", "no_letter"), 2),
}
COMMON = ("very", "many", "people", "also", "like", "can", "will", "you", "good", "life")
LETTERS = "bcfgjkmpquvwxyz"


def _pick(low: int, high: int, step: int = 1) -> Callable[[str], Callable[[random.Random, Topic], Constraint]]:
    return lambda kind: lambda rng, topic: Constraint(kind, rng.randrange(low, high + 1, step))


def _between(rng: random.Random, topic: Topic) -> Constraint:
    low = rng.randrange(10, 25, 2)
    return Constraint("words_between", low, low + rng.randrange(16, 31, 2))


def _letter(rng: random.Random, topic: Topic) -> Constraint:
    return Constraint("no_letter", text=rng.choice([c for c in LETTERS if c not in topic.phrase]))


DRAWN: dict[str, Callable[[random.Random, Topic], Constraint]] = {
    "min_words": _pick(20, 40, 2)("min_words"),
    "max_words": lambda rng, topic: Constraint("max_words", high=rng.randrange(18, 41, 2)),
    "words_between": _between,
    "sentences": _pick(2, 4)("sentences"),
    "paragraphs": _pick(2, 3)("paragraphs"),
    "bullets": _pick(2, 4)("bullets"),
    "numbered": _pick(2, 4)("numbered"),
    "lower": _pick(0, 0)("lower"),
    "upper": _pick(0, 0)("upper"),
    "capitals": _pick(1, 2)("capitals"),
    "keyword": lambda rng, topic: Constraint("keyword", rng.choice((1, 1, 2, 3)), text=rng.choice(topic.nouns)),
    "forbidden": lambda rng, topic: Constraint("forbidden", text=rng.choice(topic.nouns + COMMON)),
    "no_letter": _letter,
    "no_commas": _pick(0, 0)("no_commas"),
    "no_digits": _pick(0, 0)("no_digits"),
    "digits": _pick(1, 4)("digits"),
    "starts": lambda rng, topic: Constraint("starts", text=rng.choice(OPENING_PHRASES)),
    "ends": lambda rng, topic: Constraint("ends", text=rng.choice(CLOSING_PHRASES)),
    "quoted": _pick(0, 0)("quoted"),
    "title": _pick(0, 0)("title"),
    "lines_end": _pick(0, 0)("lines_end"),
    "exclamations": _pick(1, 2)("exclamations"),
    "questions": _pick(1, 2)("questions"),
    "placeholders": _pick(1, 2)("placeholders"),
}


def clash(first: str, second: str) -> bool:
    """Whether two kinds of constraint must not be in one prompt."""
    return any({first, second} <= kinds for kinds in CLASHES)


def drawn_constraints(rng: random.Random, topic: Topic, count: int) -> tuple[Constraint, ...]:
    """`count` constraints of different kinds that do not clash.

    Kinds are drawn one after another, without repetition, in proportion to their KIND_SHARES (Efraimidis and Spirakis
    2006). The first is none of the MILD ones, which nearly any text keeps: alone they would ask for nothing.
    """
    while True:
        kinds = sorted(DRAWN, key=lambda kind: -(rng.random() ** (1 / KIND_SHARES.get(kind, 1))))[:count]
        if kinds[0] not in MILD and not any(clash(*pair) for pair in combinations(kinds, 2)):
            return tuple(DRAWN[kind](rng, topic) for kind in kinds)
