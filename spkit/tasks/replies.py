"""Replies: orders at a counter, answered in one of several styles drawn from a grammar whose
probabilities are known exactly.

The prompt is `ann: 2 tea 1 bun>`. A reply may open with a greeting, says what the order costs, and may close:
`hello ann, that is 5, enjoy`. Reference writers have a style (STYLES), and the style decides how they open, say it
and close; a share `wrong` of them adds up carelessly. So the probability of every reply is a sum over styles, all
replies to a prompt can be listed, and KL(p_data || policy), the mass on rare replies and what is lost in mode
collapse are computed, not guessed.

Everyday writers, whose text the base has read, use the same words with no sense of style: they draw the parts
independently, from flattened frequencies, and add up carelessly more often the longer the order is (CARELESS).
"""

import math
import re
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import NamedTuple

from ..run.errors import SpkitError
from .base import Problem, Split, Task, Verdict, graded_reward, item_rng, split_by_content

CUSTOMERS = "ann bob cid dan eve fay gus hal ida joe kim leo mia ned ola pam ron sue tom una vic wes yan zoe".split()
PRICES = {"bun": 1, "tea": 2, "jam": 3}
MOST = 3  # of one item
CARELESS_REPLIES = {1: 0.1, 2: 0.3, 3: 0.5}  # share of everyday writers who add up carelessly, by number of lines
MAX_REPLY_CHARS = 200  # characters
FLATTEN = 0.5  # everyday writers use a phrase in proportion to its frequency to this power


class Style(NamedTuple):
    """How often a style is used, and how it opens, says the total ($) and closes.

    @ is the customer's name, an empty part is left out.
    """

    share: float
    openings: dict[str, float]
    bodies: dict[str, float]
    closings: dict[str, float]


STYLES = (
    Style(
        0.50,
        {"": 0.60, "hi @": 0.40},
        {"$": 0.50, "that is $": 0.35, "$ in all": 0.15},
        {"": 0.70, "bye": 0.25, "cheers": 0.05},
    ),
    Style(
        0.35,
        {"hello @": 0.65, "hi @": 0.25, "dear @": 0.10},
        {"that is $": 0.70, "it comes to $": 0.30},
        {"thank you": 0.50, "enjoy": 0.30, "see you soon": 0.20},
    ),
    Style(
        0.15,
        {"good day @": 0.85, "dear @": 0.15},
        {"it comes to $": 0.60, "the total is $": 0.40},
        {"thank you": 0.75, "good bye": 0.25},
    ),
)

_PROMPT = re.compile(r"([a-z]+):((?: [1-9] [a-z]+)+)(?:#\d+)?>", re.ASCII)
_NUMBER = re.compile(r"\d+", re.ASCII)


@dataclass(frozen=True)
class Replies(Task):
    """Orders of 1 to 3 lines. `wrong` is the share of reference writers who add up carelessly."""

    wrong: float = 0.0
    name: str = "replies"
    difficulties: tuple[int, ...] = (1, 2, 3)
    extrapolation: tuple[int, ...] = ()
    unit: str = "lines"

    def __post_init__(self) -> None:
        if not 0 <= self.wrong <= 1:
            raise SpkitError(f"the share of wrong references must be between 0 and 1, not {self.wrong}")

    def problem(self, seed: int, index: int, difficulty: int | None = None, split: Split = "train") -> Problem:
        """An order of `difficulty` lines, each of another item, of the asked split."""
        said = f"replies has orders of 1 to {len(CARELESS_REPLIES)} lines"
        lines = self.difficulty_at(index, difficulty, range(1, len(CARELESS_REPLIES) + 1), said)
        rng = item_rng(self.name, split, seed, index, lines)
        while True:
            items = rng.sample(list(PRICES), lines)
            order = " ".join(f"{rng.randint(1, MOST)} {item}" for item in items)
            prompt = f"{rng.choice(CUSTOMERS)}: {order}>"
            if split_by_content(prompt) == split:
                return Problem(prompt, str(total(prompt)), lines)

    def hint(self, problem: Problem) -> str:
        """The prompt with the total after `#`."""
        return f"{problem.prompt[:-1]}#{problem.answer}>"

    def solution(self, problem: Problem, variant: int = 0) -> str:
        """A reply in a style of the reference writers, with the right total; each `variant` is an independent draw."""
        return self._draw(self.right(problem), problem, "solution", variant)

    def careless(self, problem: Problem, variant: int = 0) -> str:
        """A reply in a style of the reference writers, with the total of a careless one."""
        return self._draw(self.wrong_replies(problem), problem, "careless", variant)

    def reference(self, problem: Problem, variant: int = 0) -> str:
        """A draw from p_data: what `chances` lists."""
        return self._draw(self.chances(problem), problem, "reference", variant)

    def everyday(self, problem: Problem, variant: int = 0) -> str:
        """A draw from what everyday writers put: the text that the base has read."""
        return self._draw(everyday_chances(problem), problem, "everyday", variant)

    def _draw(self, chances: dict[str, float], problem: Problem, stream: str, variant: int) -> str:
        return item_rng(self.name, stream, problem.prompt, variant).choices(list(chances), list(chances.values()))[0]

    def direct(self, problem: Problem) -> str:
        """The bare total, which is a brief writer's reply too."""
        return problem.answer

    def right(self, problem: Problem) -> dict[str, float]:
        """Every reply with the right total, with its probability under writers who add up well."""
        return phrased(problem, problem.answer)

    def wrong_replies(self, problem: Problem) -> dict[str, float]:
        """Every reply with the total of a careless writer, with its probability given that it is one."""
        return phrased(problem, str(careless_total(problem.prompt)))

    def chances(self, problem: Problem) -> dict[str, float]:
        """p_data(. | prompt): every reply that a reference writer may put, with its exact probability.

        They add up to 1.
        """
        chances = {reply: (1 - self.wrong) * chance for reply, chance in self.right(problem).items()}
        if self.wrong:
            chances |= {reply: self.wrong * p for reply, p in self.wrong_replies(problem).items()}
        return chances

    def logprob(self, problem: Problem, reply: str) -> float:
        """Exact log-probability (nats) of a reply under the reference writers.

        Minus infinity for what they never write.
        """
        chance = self.chances(problem).get(reply, 0.0)
        return math.log(chance) if chance else -math.inf

    def verify(self, problem: Problem, completion: str) -> Verdict:
        """`correct` compares the only number of the reply with the total.

        One `step_error` if its words are none that a writer uses together.
        """
        text = completion[:MAX_REPLY_CHARS]
        numbers = _NUMBER.findall(text)
        parsed = numbers[0] if len(numbers) == 1 and len(completion) <= MAX_REPLY_CHARS else None
        errors = int(parsed is None or text not in phrased(problem, parsed))
        correct = parsed == problem.answer
        return Verdict(correct, graded_reward(correct, errors, 1, 1), parsed, errors)

    def path(self, problem: Problem, completion: str) -> str:
        """The reply itself."""
        return completion[:MAX_REPLY_CHARS]

    def max_completion_chars(self, difficulty: int) -> int:
        """`good day ann, the total is 18, see you soon` is the longest, from an everyday writer."""
        return 43


def order(prompt: str) -> list[tuple[int, str]]:
    """The lines of a prompt, hinted or not, as (count, item)."""
    match = _PROMPT.fullmatch(prompt)
    words = match[2].split() if match else []
    if not words or not set(words[1::2]) <= set(PRICES):
        raise SpkitError(
            f"not a prompt of replies: {prompt[:60]!r}; write it as 'ann: 2 tea 1 bun>' with items among "
            f"{', '.join(PRICES)}"
        )
    return [(int(count), item) for count, item in zip(words[::2], words[1::2])]


def total(prompt: str) -> int:
    """What an order costs."""
    return sum(count * PRICES[item] for count, item in order(prompt))


def careless_total(prompt: str) -> int:
    """What a careless writer says: the last line is left out.

    An order of a single line is charged one item too many.
    """
    lines = order(prompt)
    count, item = lines[-1]
    return total(prompt) - count * PRICES[item] if len(lines) > 1 else (count + 1) * PRICES[item]


def phrased(problem: Problem, said: str) -> dict[str, float]:
    """Every reply of the reference writers that names the total `said`, with its probability given that they say it."""
    name = problem.prompt.partition(":")[0]
    return {_fill(form, name, said): chance for form, chance in styled_forms().items()}


def everyday_chances(problem: Problem) -> dict[str, float]:
    """Every reply of everyday writers with its probability."""
    name, share = problem.prompt.partition(":")[0], CARELESS_REPLIES[problem.difficulty]
    said = {problem.answer: 1 - share, str(careless_total(problem.prompt)): share}
    return {_fill(form, name, number): p * q for form, p in everyday_forms().items() for number, q in said.items()}


def _fill(form: str, name: str, said: str) -> str:
    return form.replace("@", name).replace("$", said)


def _join(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


@cache
def styled_forms() -> dict[str, float]:
    """Every form of a reply with its probability: a sum over the styles that can produce it."""
    forms: dict[str, float] = {}
    for style in STYLES:
        for parts in product(style.openings, style.bodies, style.closings):
            chance = style.share * math.prod(table[part] for table, part in zip(style[1:], parts))
            forms[_join(*parts)] = forms.get(_join(*parts), 0.0) + chance
    return forms


@cache
def everyday_forms() -> dict[str, float]:
    """The forms of everyday writers: the parts are independent, and their frequencies flattened."""
    forms = {}
    for parts in product(*(_flat(slot).items() for slot in (1, 2, 3))):
        forms[_join(*(part for part, _ in parts))] = math.prod(chance for _, chance in parts)
    return forms


def _flat(slot: int) -> dict[str, float]:
    table: dict[str, float] = {}
    for style in STYLES:
        for part, chance in style[slot].items():
            table[part] = table.get(part, 0.0) + style.share * chance
    weights = {part: chance**FLATTEN for part, chance in table.items()}
    return {part: weight / sum(weights.values()) for part, weight in weights.items()}


def rare_replies(chances: dict[str, float], mass: float = 0.1) -> dict[str, float]:
    """The tail: the least likely replies, as many as have at most `mass` together, with their probabilities."""
    tail, so_far = {}, 0.0
    for reply, chance in sorted(chances.items(), key=lambda item: item[1]):
        so_far += chance
        if so_far > mass:
            break
        tail[reply] = chance
    return tail
