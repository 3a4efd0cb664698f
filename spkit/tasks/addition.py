"""Addition of two n-digit numbers, written out column by column.

The prompt is `47+85=`. A completion works from the right, one column a step, each step written `a+b+carry:` and two
digits, the carry out and the digit of the sum, and ends with the answer: `7+5+0:12;4+8+1:13;132`. A hint is the answer
after the problem: `47+85#132=`.

What differs from the paper (STaR, arXiv:2203.14465, section 4.3 and Figure 3): its scratchpad repeats the operands that
are left and the running sum on every line, so a rationale of n columns costs on the order of n^2 tokens. Here a step
costs 9 characters whatever n is, which keeps a 10-digit sum within 125 characters and a laptop's CPU within seconds;
copying the digits of the running sum is asked for once, in the answer. Kept from the paper: operands of exactly n
digits, digits as single tokens, 1 to 5 digits for training and 6 to 10 for extrapolation, the hint as the bare answer,
and a check of the final answer alone.
"""

import re
from dataclasses import dataclass

from ..run.errors import SpkitError
from .base import Problem, Split, Task, Verdict, graded_reward, item_rng, split_by_content

MAX_DIGITS = 10
MAX_ADDITION_CHARS = 400  # characters: more than three times the longest right completion; what comes after is not read

_PROMPT = re.compile(r"(\d+)\+(\d+)(?:#\d+)?=", re.ASCII)
_STEP = re.compile(r"(\d)\+(\d)\+(\d):(\d)(\d)", re.ASCII)
_ANSWER = re.compile(rf"\d{{1,{MAX_DIGITS + 1}}}", re.ASCII)


@dataclass(frozen=True)
class Addition(Task):
    """n-digit sums, n = 1..5 by default; any n up to 10 can be asked for by `difficulty`."""

    name: str = "addition"
    difficulties: tuple[int, ...] = (1, 2, 3, 4, 5)
    extrapolation: tuple[int, ...] = (6, 7, 8, 9, 10)
    unit: str = "digits"

    def problem(self, seed: int, index: int, difficulty: int | None = None, split: Split = "train") -> Problem:
        """Two operands of exactly `difficulty` digits (1-digit operands are 1 to 9, as in the
        paper), of the asked split.
        """
        said = f"addition has sums of 1 to {MAX_DIGITS} digits"
        digits = self.difficulty_at(index, difficulty, range(1, MAX_DIGITS + 1), said)
        rng = item_rng(self.name, split, seed, index, digits)
        while True:
            a, b = (rng.randrange(10 ** (digits - 1), 10**digits) for _ in range(2))
            if split_of_operands(a, b) == split:
                return Problem(f"{a}+{b}=", str(a + b), digits)

    def hint(self, problem: Problem) -> str:
        """The prompt with the answer after `#`."""
        return f"{problem.prompt[:-1]}#{problem.answer}="

    def solution(self, problem: Problem) -> str:
        """The scratchpad of a careful writer."""
        steps = [f"{a}+{b}+{carry}:{a + b + carry:02d}" for a, b, carry in columns(*operands(problem.prompt))]
        return ";".join([*steps, problem.answer])

    def direct(self, problem: Problem) -> str:
        """The answer without a scratchpad."""
        return problem.answer

    def verify(self, problem: Problem, completion: str) -> Verdict:
        """`correct` compares the text after the last `;` with the sum; `step_errors` counts wrong,
        missing and extra columns.

        An answer that the written columns do not spell is one more step error. A completion without a scratchpad has no
        steps to be wrong. Leading zeros, signs, spaces and digits of other scripts are not an answer.
        """
        text = completion[:MAX_ADDITION_CHARS]
        *steps, final = text.split(";")
        complete = len(completion) <= MAX_ADDITION_CHARS and _ANSWER.fullmatch(final) is not None
        parsed = final if complete and (final == "0" or final[0] != "0") else None
        correct, errors = parsed == problem.answer, _step_errors(problem, steps, parsed) if steps else 0
        return Verdict(correct, graded_reward(correct, errors, len(steps), problem.difficulty), parsed, errors)

    def path(self, problem: Problem, completion: str) -> str:
        """The text itself: a column-by-column sum can be worked out in one way only."""
        return completion[:MAX_ADDITION_CHARS]

    def max_completion_chars(self, difficulty: int) -> int:
        """Nine characters for each column and its `;`, and an answer of at most one digit more than the operands."""
        return 9 * difficulty + difficulty + 1


def split_of_operands(a: int, b: int) -> Split:
    """Which split a pair of operands belongs to, by its content: `a+b` and `b+a` always fall on the same side."""
    low, high = sorted((a, b))
    return split_by_content(f"{low}+{high}")


def operands(prompt: str) -> tuple[int, int]:
    """The two numbers of a prompt, hinted or not."""
    match = _PROMPT.fullmatch(prompt)
    if match is None:
        raise SpkitError(f"not an addition prompt: {prompt[:60]!r}; write it as 47+85=")
    return int(match[1]), int(match[2])


def columns(a: int, b: int) -> list[tuple[int, int, int]]:
    """(digit of a, digit of b, carry in) for each column, from the right."""
    result, carry = [], 0
    while a or b:
        result.append((a % 10, b % 10, carry))
        carry = (a % 10 + b % 10 + carry) // 10
        a, b = a // 10, b // 10
    return result


def _step_errors(problem: Problem, steps: list[str], parsed: str | None) -> int:
    """Columns that are wrong, missing or too many, plus one if the answer is not what the columns as written spell."""
    right = columns(*operands(problem.prompt))
    written = [_STEP.fullmatch(step) for step in steps]
    wrong = abs(len(right) - len(written))
    for (a, b, carry), match in zip(right, written):
        wrong += match is None or tuple(map(int, match.groups())) != (a, b, carry, *divmod(a + b + carry, 10))
    spelled = "".join(match[5] if match else "?" for match in reversed(written))
    if written and written[-1] and written[-1][4] != "0":
        spelled = written[-1][4] + spelled
    return wrong + (parsed is not None and parsed != spelled)
