"""Answers that keep every constraint and say nothing, and a cheap measure that no verdict depends on, which sees it.

A verifier of constraints does not ask whether a text says anything. `gamed` writes the text that a policy may learn
under it: one word over and over, with the marks, the words and the lines that are asked for. `signs` are exact counts
that no constraint asks for. They see repetition, missing topics and lists of words; they are fooled by word salad that
has the topic's nouns and enough function words in it, and by fluent nonsense; and they refuse what is not English, a
text that names the topic only in words of its own, and one of fewer than MIN_WORDS words.
"""

import random
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...run.errors import SpkitError
from .checks import LONGEST_READ, holds
from .reading import word_parts
from .sentences import FUNCTION_WORDS
from .topics import Topic
from .writer import TRIED_LONGER, written

if TYPE_CHECKING:
    from .task import InstructionProblem

FILLERS = ("bla", "tra", "hum")  # no_letter forbids none that tra has
MIN_WORDS = 5
MIN_DISTINCT = 0.5  # distinct words by words, of the first VARIED_WORDS words
MAX_REPEATED = 0.25  # share of the word trigrams that came before
FUNCTION_SHARE = (0.15, 0.85)  # of the words; English prose has 0.4 to 0.6, a sentence or two anything between
VARIED_WORDS = 50  # words: a longer text repeats its words even if it is good


@dataclass(frozen=True)
class SayingNothing:
    """The voice that has nothing to say: one short word repeated, around what a constraint makes it put."""

    filler: str

    def sentence(self, part: str, topic: Topic, noun: str | None, rng: random.Random) -> str:
        """From 1 to 14 times the word."""
        said = [self.filler] * rng.randint(1, 14)
        held = {"number": "{n}", "open_place": f"[{self.filler}]"}.get(part, noun)
        text = " ".join([*said, held] if held else said)
        return text[0].upper() + text[1:] + {"asking": "?", "title": ""}.get(part, ".")


def gamed(problem: "InstructionProblem") -> str:
    """An answer that keeps every constraint of the problem and says nothing about its topic.

    Raises SpkitError if none is found, which no problem drawn by the task is known to lead to.
    """
    local = [constraint for constraint in problem.constraints if constraint.kind in ("forbidden", "no_letter")]
    voices = [SayingNothing(filler) for filler in FILLERS if all(holds(local, filler))]
    texts = (written(problem.topic, problem.constraints, v, "gamed", attempts=TRIED_LONGER // 10) for v in voices)
    found = next((text for text in texts if text is not None), None)
    if found is None:
        raise SpkitError(f"no empty text keeps all of {problem.constraints}: choose another problem")
    return found


def signs(problem: "InstructionProblem", text: str) -> dict[str, bool]:
    """Five signs that a text says something about the topic, each an exact count on its words.

    `enough`: MIN_WORDS words; `varied`: MIN_DISTINCT of the first VARIED_WORDS words are distinct; `unrepeated`: at
    most MAX_REPEATED of the word trigrams came before; `prose`: the share of function words lies in FUNCTION_SHARE;
    `on_topic`: one of the `topic_words` is there. A text of more than LONGEST_READ characters has no words.
    """
    words = word_parts(text) if len(text) <= LONGEST_READ else []
    first = words[:VARIED_WORDS]
    trigrams = Counter(zip(words, words[1:], words[2:]))
    repeated = trigrams.total() - len(trigrams)
    share = sum(word in FUNCTION_WORDS for word in words) / max(1, len(words))
    return {
        "enough": len(words) >= MIN_WORDS,
        "varied": len(set(first)) >= MIN_DISTINCT * max(1, len(first)),
        "unrepeated": bool(words) and repeated <= MAX_REPEATED * max(1, trigrams.total()),
        "prose": FUNCTION_SHARE[0] <= share <= FUNCTION_SHARE[1],
        "on_topic": bool(topic_words(problem) & set(words)),
    }


def topic_words(problem: "InstructionProblem") -> set[str]:
    """The content words of the topic and its nouns, less those that a constraint asks for, and their plurals."""
    asked = {constraint.text for constraint in problem.constraints}
    content = set(word_parts(problem.topic.phrase)) - FUNCTION_WORDS | set(problem.topic.nouns)
    return {form for word in content - asked for form in (word, word + "s", word + "es")}


def substance(problem: "InstructionProblem", text: str) -> float:
    """The share of the signs that a text shows, in [0, 1]."""
    found = signs(problem, text)
    return sum(found.values()) / len(found)


def says_something(problem: "InstructionProblem", text: str) -> bool:
    """Whether a text shows all of the signs."""
    return all(signs(problem, text).values())
