"""Texts that keep given constraints, put together from the sentences of a voice.

A `Voice` says what the sentences are: those of a writer who has something to say about the topic, or those of one who
has not (`gaming`). How many there are and what is put around them follows from the constraints.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from ..base import item_rng
from .checks import Constraint, holds
from .reading import word_list, word_parts
from .sentences import ASKING, LEADS, NUMBERED, OF_CATEGORY, OPEN_PLACES, OPENINGS, PLAIN, TITLES
from .topics import Topic

LONGEST_ANSWER = 300  # characters of a reference
TRIED_TEXTS = 20  # texts tried before the constraints count as impossible together
TRIED_LONGER = 1000  # the same, where they are known to be possible
DRAWS = 60  # sentences tried before one is taken that breaks a constraint

_WORD = re.compile(r"[a-z]{3,}", re.IGNORECASE)


class Voice(Protocol):
    """Where sentences come from."""

    def sentence(self, part: str, topic: Topic, noun: str | None, rng: random.Random) -> str:
        """One with a capital and an end mark, about the noun if one is given.

        `part` is opening, plain, number (with {n}), asking (with a `?`), open_place (with a placeholder), lead (of a
        list) or title (which needs no end mark).
        """
        ...


@dataclass(frozen=True)
class OnTopic:
    """The voice of the references: sentences about the topic and its nouns."""

    def sentence(self, part: str, topic: Topic, noun: str | None, rng: random.Random) -> str:
        """A template of the part, filled."""
        forms = {
            "opening": OPENINGS[topic.category],
            "plain": PLAIN + OF_CATEGORY[topic.category] * 2,
            "number": NUMBERED,
            "asking": ASKING,
            "open_place": OPEN_PLACES,
            "lead": LEADS,
            "title": TITLES,
        }[part]
        first, second = rng.sample(topic.nouns, 2)
        chosen = noun or first
        other = second if second != chosen else first
        text = rng.choice(forms).format(t=topic.phrase, w=chosen, v=other, n="{n}")
        return text[0].upper() + text[1:]


class _Draft:
    """A text in the making: constraints by kind, a voice, and sentences that differ in more than a noun."""

    def __init__(self, topic: Topic, constraints: Sequence[Constraint], voice: Voice, rng: random.Random):
        self.topic, self.voice, self.rng, self.used = topic, voice, rng, set()
        self.of = {constraint.kind: constraint for constraint in constraints}
        self.local = [c for c in constraints if c.kind in ("forbidden", "no_letter", "no_commas")]

    def count(self, kind: str, otherwise: int = 0) -> int:
        """The number that a kind asks for."""
        return self.of[kind].low if kind in self.of else otherwise

    def sentence(self, part: str, noun: str | None = None) -> str:
        """A new sentence that breaks none of the constraints on single words, if one is found."""
        for _ in range(DRAWS):
            text = self.voice.sentence(part, self.topic, noun, self.rng)
            form = " ".join(word for word in word_parts(text) if word not in self.topic.nouns)
            if form not in self.used and all(holds(self.local, text)):
                break
        self.used.add(form)
        return text

    def limits(self) -> tuple[int, int]:
        """Fewest and most words."""
        low, high = self.of.get("min_words"), self.of.get("max_words")
        both = self.of.get("words_between")
        least = both.low if both else low.low if low else 10
        return least, both.high if both else high.high if high else max(least + 10, 30)

    def body(self) -> list[str]:
        """The sentences between a start and an end phrase, as many as the constraints ask for and the words allow."""
        told = [self.sentence("opening")] if not self.listed() else []
        told += [self.sentence("plain", self.of["keyword"].text) for _ in range(self.count("keyword"))]
        told += [self._with_digits(self.sentence("number"))] if "digits" in self.of else []
        told += [self.sentence("asking") for _ in range(self.count("questions"))]
        told += [self.sentence("open_place") for _ in range(self.count("placeholders"))]
        least, most = self.limits()
        target = self.rng.randint(least, most)
        if "sentences" in self.of:
            fewest, words = self.count("sentences") - ("ends" in self.of), 0
        else:
            fewest = max(self.count(kind) for kind in ("paragraphs", "bullets", "numbered", "exclamations"))
            words = least if self.listed() else target - 5
        while len(told) < fewest or len(word_list(" ".join(told))) < words:
            told.append(self.sentence("plain"))
        rest = told[1:]
        self.rng.shuffle(rest)
        return [*told[:1], *rest]

    def listed(self) -> str:
        """The kind of list that is asked for, empty if none."""
        return next((kind for kind in ("bullets", "numbered") if kind in self.of), "")

    def _with_digits(self, sentence: str) -> str:
        first, count = self.rng.randint(1, 9), self.of["digits"].low
        return sentence.replace("{n}", str(first) + "".join(str(self.rng.randint(0, 9)) for _ in range(count - 1)))

    def _begun(self, sentence: str) -> str:
        """The sentence after the phrase that the text starts with."""
        comma = " " if "no_commas" in self.of else ", "
        plain = sentence if sentence.startswith("I ") else sentence[0].lower() + sentence[1:]
        return self.of["starts"].text + comma + plain

    def _blocks(self) -> list[str]:
        """The lines or paragraphs of the text."""
        told, end = self.body(), [self.of["ends"].text] if "ends" in self.of else []
        marks = self.rng.sample(range(len(told)), min(self.count("exclamations"), len(told)))
        told = [text[:-1] + "!" if place in marks else text for place, text in enumerate(told)]
        kind = self.listed()
        if kind:
            count = self.of[kind].low
            items = [" ".join(told[place::count]) for place in range(count)]
            lead = self.sentence("lead")
            lead = self._begun(lead) if "starts" in self.of else lead
            return [lead, *(f"{'-' if kind == 'bullets' else f'{i}.'} {item}" for i, item in enumerate(items, 1)), *end]
        told = [self._begun(told[0]), *told[1:]] if "starts" in self.of else told
        count = min(self.count("paragraphs", 1), len(told))
        cuts = [0, *sorted(self.rng.sample(range(1, len(told)), count - 1)), len(told)]
        blocks = [" ".join(told[a:b]) for a, b in pairwise(cuts)]
        return [*blocks[:-1], " ".join([blocks[-1], *end])]

    def text(self) -> str:
        """The whole text, in the case and the marks that are asked for."""
        text = ("\n\n" if "paragraphs" in self.of else "\n").join(self._blocks())
        if "capitals" in self.of:
            places = [m.span() for m in _WORD.finditer(text)]
            for a, b in self.rng.sample(places, min(self.of["capitals"].low, len(places))):
                text = text[:a] + text[a:b].upper() + text[b:]
        if "title" in self.of:
            text = f"<<{self.sentence('title')}>>\n{text}"
        text = f'"{text}"' if "quoted" in self.of else text
        return text.lower() if "lower" in self.of else text.upper() if "upper" in self.of else text


def written(
    topic: Topic, constraints: Sequence[Constraint], voice: Voice, *stream: str | int, attempts: int = TRIED_TEXTS
) -> str | None:
    """A text that keeps all of the constraints, None if none is found in `attempts`.

    A function of its arguments alone; another `stream` gives another text.
    """
    for attempt in range(attempts):
        rng = item_rng("instructions", *stream, topic.phrase, repr(constraints), attempt)
        text = _Draft(topic, constraints, voice, rng).text()
        if len(text) <= LONGEST_ANSWER and all(holds(constraints, text)):
            return text
    return None
