"""Chains: a number and a few operations, worked out from left to right, of which the last digit alone is kept.

The prompt is `4+7*3-2=`: 4 + 7 is 11, so 1; 1 * 3 is 3; 3 - 2 is 1, the answer. A completion is the bare answer, or the
running values in brackets and then the answer: `(131)1`. Operations are `+` and `-` with 1 to 9, and `*` with 3, 7 or
9, by which the last digit of a product can be told apart: each digit is the answer equally often.

Text is made of chains with their answers, `4+7*3-2=1;`. Nothing in it needs a thought but the answer, one character in
ten, which takes three steps in a row: what Quiet-STaR (notebook 04) has something to do with.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from ..run.errors import SpkitError
from .base import Problem, Split, Task, Verdict, graded_reward, item_rng, split_by_content

MOST_OPERATIONS = 6
FACTORS = "379"
CHAIN_OPERANDS = {"+": "123456789", "-": "123456789", "*": FACTORS}
CHAIN_END = ";"  # of a chain in a text

_CHAIN = re.compile(r"\d(?:[-+*]\d)*", re.ASCII)
_REPLY = re.compile(r"(?:\(([^()]{0,40})\))?(\d)", re.ASCII)


@dataclass(frozen=True)
class Chains(Task):
    """Chains of three operations by default; 1 to MOST_OPERATIONS can be asked for by `difficulty`."""

    name: str = "chains"
    difficulties: tuple[int, ...] = (3,)
    unit: str = "operations"
    base: str = "quiet"

    def problem(self, seed: int, index: int, difficulty: int | None = None, split: Split = "train") -> Problem:
        """A chain of the asked split, every number and operation equally likely."""
        said = f"chains have 1 to {MOST_OPERATIONS} operations"
        operations = self.difficulty_at(index, difficulty, range(1, MOST_OPERATIONS + 1), said)
        rng = item_rng(self.name, split, seed, index, operations)
        while True:
            signs = [rng.choice("+-*") for _ in range(operations)]
            chain = rng.choice("0123456789") + "".join(sign + rng.choice(CHAIN_OPERANDS[sign]) for sign in signs)
            if split_by_content(chain) == split:
                return Problem(f"{chain}=", running_values(chain)[-1], operations)

    def hint(self, problem: Problem) -> str:
        """The prompt with the answer after `#`."""
        return f"{problem.prompt[:-1]}#{problem.answer}="

    def solution(self, problem: Problem) -> str:
        """The running values in brackets, and the answer."""
        return f"({running_values(problem.prompt.partition('#')[0].rstrip('='))}){problem.answer}"

    def direct(self, problem: Problem) -> str:
        """The answer alone."""
        return problem.answer

    def verify(self, problem: Problem, completion: str) -> Verdict:
        """`correct` compares the digit that the completion ends with; a step error is a running value that is wrong,
        missing or too many in the brackets. What else the brackets hold is not read as steps.
        """
        found = _REPLY.fullmatch(completion.strip()) if len(completion) <= self.max_completion_chars(20) else None
        if found is None:
            return Verdict(False, 0.0, None, 0)
        right, written = running_values(problem.prompt.rstrip("=")), found[1] or ""
        steps = written if written.isdecimal() else ""
        errors = abs(len(right) - len(steps)) + sum(a != b for a, b in zip(right, steps)) if steps else 0
        correct = found[2] == problem.answer
        return Verdict(correct, graded_reward(correct, errors, len(steps), len(right)), found[2], errors)

    def max_completion_chars(self, difficulty: int) -> int:
        """A running value for each operation, two brackets, and the answer."""
        return difficulty + 3


def running_values(chain: str) -> str:
    """The last digit after each operation of a chain, `4+7*3-2`: `131`. Raises SpkitError for what is none."""
    if _CHAIN.fullmatch(chain) is None:
        raise SpkitError(f"{chain[:60]!r} is no chain: write it as 4+7*3-2")
    value, values = int(chain[0]), []
    for sign, digit in zip(chain[1::2], chain[2::2]):
        value = {"+": value + int(digit), "-": value - int(digit), "*": value * int(digit)}[sign] % 10
        values.append(str(value))
    return "".join(values)


def chains_text(task: Chains, seed: int, index: int, length: int, split: Split = "train") -> str:
    """`length` characters of chains with their answers, cut out of a longer text at any place: a function of its
    arguments.
    """
    rng = item_rng("chains text", split, seed, index)
    start = rng.randrange(2 * max(task.difficulties) + 4)
    written = ""
    for number in count(index * (length + 20)):  # no two texts share a chain
        if len(written) >= start + length:
            return written[start : start + length]
        problem = task.problem(seed, number, split=split)
        written += problem.prompt + problem.answer + CHAIN_END


def kinds_of_characters(written: str) -> Iterator[str]:
    """What each character of a text is: `answer`, `number`, `sign` (of an operation), `mark` (`=` or `;`); `cut` is an
    answer to a chain whose beginning may be missing, so that nobody can know it.
    """
    whole = False
    for before, character in zip(f" {written}", written):
        if character in "=;":
            whole = whole or character == CHAIN_END
            yield "mark"
        elif character in "+-*":
            yield "sign"
        else:
            yield ("answer" if whole else "cut") if before == "=" else "number"


def floors() -> dict[str, float]:
    """The entropy (nats) of each kind of character given all before it, which no policy can go below.

    Of a first number, log 10; of the others, log 9 or log 3 by their sign; `number` is the mean of the four in a chain
    of three operations.
    """
    later = (2 * math.log(9) + math.log(3)) / 3
    return {"answer": 0.0, "mark": 0.0, "sign": math.log(3), "number": (math.log(10) + 3 * later) / 4}
