"""Order-free sums: one problem, many right rationales.

The prompt is `7+15+8+22=`. A completion adds two of the numbers, then one more at a time to the total so
far, in any order, and ends with the answer: `15+7:22;22+8:30;30+22:52;52`. A hint is the answer after the
problem: `7+15+8+22#52=`.

A problem of n terms has up to n! right rationales, so distinct paths, a cap on samples of one problem and diversity
mean something; a column-by-column sum has one. Writers pick the order at random, from a distribution that is known
exactly: Plackett and Luce's, where the next number is drawn among those left with probability proportional to RATIO **
position. Most writers of long sums are careless and leave the last number out (CARELESS). So the everyday text that the
base has read has an exact entropy, a tail of rare orders that a model can lose, and faults that a verifier sees.
"""

import math
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from itertools import permutations

from ..run.errors import SpkitError
from .base import Problem, Split, Task, Verdict, graded_reward, item_rng, split_by_content

MAX_TERMS = 8
LARGEST = 15  # the largest term
CARELESS_SUMS = {
    2: 0.0,
    3: 0.15,
    4: 0.50,
    5: 0.70,
    6: 0.85,
}  # share of the everyday writers who leave a number out, by number of terms
RATIO = 0.5  # how much less likely each later position is to be taken next
MAX_SUM_CHARS = 300  # characters: more than three times the longest right completion; what comes after is not read

_PROMPT = re.compile(r"(\d+(?:\+\d+)+)(?:#\d+)?=", re.ASCII)
_STEP = re.compile(r"([1-9]\d{0,3})\+([1-9]\d{0,3}):([1-9]\d{0,3})", re.ASCII)
_ANSWER = re.compile(r"[1-9]\d{0,3}", re.ASCII)


@dataclass(frozen=True)
class Sums(Task):
    """Sums of n terms from 1 to 15, n = 2..6 by default; any n up to 8 can be asked for by `difficulty`."""

    name: str = "sums"
    difficulties: tuple[int, ...] = (2, 3, 4, 5, 6)
    extrapolation: tuple[int, ...] = (7, 8)
    unit: str = "terms"
    step_end: str = ";"

    def problem(self, seed: int, index: int, difficulty: int | None = None, split: Split = "train") -> Problem:
        """`difficulty` terms of the asked split."""
        said = f"sums has problems of 2 to {MAX_TERMS} terms"
        count = self.difficulty_at(index, difficulty, range(2, MAX_TERMS + 1), said)
        rng = item_rng(self.name, split, seed, index, count)
        while True:
            numbers = [rng.randint(1, LARGEST) for _ in range(count)]
            if split_of_terms(numbers) == split:
                return Problem("+".join(map(str, numbers)) + "=", str(sum(numbers)), count)

    def hint(self, problem: Problem) -> str:
        """The prompt with the answer after `#`."""
        return f"{problem.prompt[:-1]}#{problem.answer}="

    def solution(self, problem: Problem, variant: int = 0) -> str:
        """The rationale of a careful writer; each `variant` is an independent draw of the order."""
        return order_text(self._order(problem, variant))

    def reference(self, problem: Problem, variant: int = 0) -> str:
        """The solution of writer `variant`: all of them are careful."""
        return self.solution(problem, variant)

    def careless(self, problem: Problem, variant: int = 0) -> str:
        """The rationale of a writer who leaves out the number that would come last: every step
        right, the answer too small.
        """
        return order_text(self._order(problem, variant)[:-1])

    def everyday(self, problem: Problem, variant: int = 0) -> str:
        """What an everyday writer puts, careful or careless: the text that the base has read."""
        careless = item_rng(self.name, "everyday", problem.prompt, variant).random() < CARELESS_SUMS[problem.difficulty]
        return self.careless(problem, variant) if careless else self.solution(problem, variant)

    def _order(self, problem: Problem, variant: int) -> list[int]:
        rng, left = item_rng(self.name, "writer", problem.prompt, variant), list(enumerate(terms(problem.prompt)))
        order = []
        while left:
            chosen = rng.choices(range(len(left)), [RATIO**position for position, _ in left])[0]
            order.append(left.pop(chosen)[1])
        return order

    def direct(self, problem: Problem) -> str:
        """The answer without steps."""
        return problem.answer

    def verify(self, problem: Problem, completion: str) -> Verdict:
        """`correct` compares the text after the last `;` with the sum; `step_errors` counts wrong,
        missing and extra steps.

        A step is right if it adds a number that is not used up yet to the total as written before it, correctly. An
        answer that is not the last total is one more error. A completion without steps has none to be wrong. Leading
        zeros and signs are no answer.
        """
        text = completion[:MAX_SUM_CHARS]
        *steps, final = text.split(";")
        parsed = final if len(completion) <= MAX_SUM_CHARS and _ANSWER.fullmatch(final) else None
        correct, count = parsed == problem.answer, len(terms(problem.prompt))
        errors = _step_errors(terms(problem.prompt), steps, parsed) if steps else 0
        return Verdict(correct, graded_reward(correct, errors, len(steps), count - 1), parsed, errors)

    def step_verdicts(self, problem: Problem, completion: str) -> list[bool]:
        """Whether each part between `;` is right, all of them exactly if the reward of `verify` is 1.

        The last part, the answer, is right if it is the last total and the sum: not if a number was left out.
        """
        *steps, final = completion.split(self.step_end)
        numbers = terms(problem.prompt)
        flags, total = _step_flags(numbers, steps)
        whole = len(steps) == len(numbers) - 1 and final == str(total) == problem.answer
        return [*flags, whole and len(completion) <= MAX_SUM_CHARS]

    def path(self, problem: Problem, completion: str) -> str:
        """The rationale with the two numbers of its first step in order of size: `7+15:22` and
        `15+7:22` are the same path.
        """
        first, semicolon, rest = completion[:MAX_SUM_CHARS].partition(";")
        match = _STEP.fullmatch(first)
        if match is None:
            return completion[:MAX_SUM_CHARS]
        small, large = sorted((int(match[1]), int(match[2])))
        return f"{small}+{large}:{match[3]}{semicolon}{rest}"

    def max_completion_chars(self, difficulty: int) -> int:
        """Eleven characters for each step with its `;` (`105+15:120;` is the longest, the first ones are
        shorter), and the answer.
        """
        return 11 * (difficulty - 1) + 3


def split_of_terms(numbers: list[int]) -> Split:
    """Which split a multiset of terms belongs to, by its content: reordered problems always fall on the same side."""
    text = "+".join(map(str, sorted(numbers)))
    return split_by_content(text)


def terms(prompt: str) -> list[int]:
    """The numbers of a prompt, hinted or not."""
    match = _PROMPT.fullmatch(prompt)
    if match is None:
        raise SpkitError(f"not a prompt of sums: {prompt[:60]!r}; write it as 7+15+8=")
    return [int(number) for number in match[1].split("+")]


def order_text(order: list[int]) -> str:
    """The completion that adds the numbers in this order, without a mistake."""
    steps, total = [], order[0]
    for number in order[1:]:
        steps.append(f"{total}+{number}:{total + number}")
        total += number
    return ";".join([*steps, str(total)])


def _step_errors(numbers: list[int], steps: list[str], parsed: str | None) -> int:
    """Steps that are wrong, missing or too many, plus one if the answer is not the last total as written."""
    flags, total = _step_flags(numbers, steps)
    missing = max(0, len(numbers) - 1 - len(steps))
    return flags.count(False) + missing + (parsed is not None and parsed != str(total))


def _step_flags(numbers: list[int], steps: list[str]) -> tuple[list[bool], int | None]:
    """Whether each step is right, those too many never, and the last total as written, None if it cannot be read."""
    left, total, flags = Counter(numbers), None, []
    for step in steps[: len(numbers) - 1]:
        match = _STEP.fullmatch(step)
        if match is None:
            flags.append(False)
            total = None
            continue
        a, b, result = map(int, match.groups())
        used = Counter([a, b] if total is None else [b])
        flags.append(a + b == result and used <= left and (total is None or a == total))
        left -= used
        total = result
    return flags + [False] * (len(steps) - len(flags)), total


def order_of(problem: Problem, completion: str) -> tuple[int, ...] | None:
    """The order in which a careful or a careless writer's text takes the numbers, one that is left out coming last.

    None for other text.
    """
    matches = [_STEP.fullmatch(step) for step in completion[:MAX_SUM_CHARS].split(";")[:-1]]
    if not matches or None in matches:
        return None
    order = [int(matches[0][1]), *(int(match[2]) for match in matches)]
    left = Counter(terms(problem.prompt)) - Counter(order)
    whole = tuple(order + list(left.elements()))
    readable = left.total() <= 1 and sorted(whole) == sorted(terms(problem.prompt)) and order_text(order) == completion
    return whole if readable else None


@cache
def writer(numbers: tuple[int, ...]) -> dict[tuple[int, ...], float]:
    """A writer's probability of every order of these terms.

    Equal numbers make orders that read the same, which are one.
    """
    weights = [RATIO**position for position in range(len(numbers))]
    chances: dict[tuple[int, ...], float] = {}
    for positions in permutations(range(len(numbers))):
        left, chance = sum(weights), 1.0
        for position in positions:
            chance *= weights[position] / left
            left -= weights[position]
        order = tuple(numbers[position] for position in positions)
        chances[order] = chances.get(order, 0.0) + chance
    return chances


def everyday_entropy(problem: Problem) -> float:
    """Entropy (nats) of the everyday text of a problem: that of the order, and whether its last number is left out."""
    order = -sum(chance * math.log(chance) for chance in writer(tuple(terms(problem.prompt))).values())
    share = CARELESS_SUMS[problem.difficulty]
    return order - sum(p * math.log(p) for p in (share, 1 - share) if p > 0)


@cache
def rare_orders(numbers: tuple[int, ...], mass: float = 0.1) -> dict[tuple[int, ...], float]:
    """The tail: a writer's least likely orders, as many as have at most `mass` together, with their probabilities."""
    tail, total = {}, 0.0
    for order, chance in sorted(writer(numbers).items(), key=lambda item: item[1]):
        total += chance
        if total > mass:
            break
        tail[order] = chance
    return tail
