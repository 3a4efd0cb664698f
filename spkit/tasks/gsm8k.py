"""GSM8K (arXiv:2110.14168): 8.5 thousand grade-school word problems with worked solutions, or any file in its public format.

A row is `{"question": ..., "answer": ...}`, the answer being a solution with calculations like `<<48/2=24>>` whose last line is `#### 24`.
Where the rows come from:

- `gsm8k:PATH` (a task name) or `Gsm8k(PATH)`: a folder with train.jsonl and test.jsonl, or one file, which is split by content;
- `gsm8k` with the environment variable SPKIT_GSM8K set to such a path;
- `gsm8k` without it: `openai/gsm8k` from the hub, at a pinned revision (`pip install 'selfplay-kit[hub]'`).

`gsm8k:data/problems/word_problems` asks the generated problems that are shipped, through the same code and without a network.

The difficulty is the number of calculations in the gold solution, at least 1 and at most 8 (harder problems count as 8). Problems come in a
seeded order of the fixed set, without `difficulty` in their natural proportions.

The final answer is compared exactly. What is no plain number, such as `\\frac{144}{2}`, is read by math-verify if it is installed
(`pip install 'selfplay-kit[math]'`), and else is no answer; a plain number is judged alike with and without it.
"""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

from ..errors import SpkitError
from .base import Problem, Split, Verdict, graded_reward
from .question_files import SPLITS, Questions, Source, in_order, load_questions
from .worked import INSTRUCTION, WorkedProblem, asked, as_text, calculated_path, calculations, final_text, hinted, number_in

MAX_DIFFICULTY = 8
MAX_EXPRESSION = 80  # characters of a final answer that math-verify may see

SOURCE = Source(
    task="gsm8k",
    variable="SPKIT_GSM8K",
    files={"train": ("train.jsonl",), "test": ("test.jsonl",)},
    hub="openai/gsm8k",
    config="main",
    revision="e53f048856ff4f594e959d75785d2c2d37b678ee",
    hub_splits={"train": "train", "test": "test"},
)

_NUMBER = r"\d{1,9}(?:\.\d{1,9})?"
_ATOM = rf"-?(?:{_NUMBER}|\\[dt]?frac\{{-?{_NUMBER}\}}\{{{_NUMBER}\}}|\\sqrt\{{{_NUMBER}\}})"
_EXPRESSION = re.compile(rf"(\$)?(\()?{_ATOM}(?: ?(?:[-+*/]|\\times|\\cdot|\\div) ?{_ATOM}){{0,5}}(?(2)\))(?(1)\$)", re.ASCII)


@dataclass(frozen=True)
class Gsm8k:
    """The fixed problems of GSM8K, or of the folder or file `source`. Nothing is read before the first problem is asked for."""

    source: str | None = None
    unit: str = "steps"
    extrapolation: tuple[int, ...] = ()
    chars_per_token: float = 2.0  # prose has 3 to 4, figures 1
    instruction: str = INSTRUCTION

    @property
    def name(self) -> str:
        """`gsm8k`, or `gsm8k:SOURCE`."""
        return f"gsm8k:{self.source}" if self.source else "gsm8k"

    @property
    def difficulties(self) -> tuple[int, ...]:
        """Those that both splits have."""
        common = set.intersection(*({problem.difficulty for problem in self._asked(split)} for split in SPLITS))
        if not common:
            raise SpkitError(f"the train and test questions of {self.name} have no number of steps in common: give it more rows")
        return tuple(sorted(common))

    def _asked(self, split: Split, difficulty: int | None = None) -> tuple[WorkedProblem, ...]:
        return of_difficulty(SOURCE.place(self.source), split, difficulty)

    def problem(self, seed: int, index: int, difficulty: int | None = None, split: Split = "train") -> WorkedProblem:
        """Problem `index` of the set in the order of `seed`; those of one difficulty have an order of their own."""
        chosen = self._asked(split, difficulty)
        if not chosen:
            raise SpkitError(
                f"{self.name} has no {split} problem of difficulty {difficulty}: choose among {', '.join(map(str, self.difficulties))}"
            )
        return in_order(chosen, split, seed, difficulty or 0, index=index)

    def hint(self, problem: Problem) -> str:
        """The prompt with the answer behind the question, in brackets."""
        return hinted(problem)

    def solution(self, problem: WorkedProblem) -> str:
        """The gold solution of the file."""
        return problem.rationale

    def direct(self, problem: Problem) -> str:
        """The last line of the solution alone."""
        return f"#### {problem.answer}"

    def verify(self, problem: Problem, completion: str) -> Verdict:
        """`correct` compares the final answer with the gold one, exactly; `step_errors` counts calculations that are false or repeated.

        If the answer is wrong, those that are missing or too many count as well.
        """
        text = final_text(completion)
        value = number_in(text)
        value = expression_in(text) if value is None and text else value
        correct, found = value == Fraction(problem.answer), calculations(completion)
        errors = sum(not one.right for one in found) + len(found) - len({one.text for one in found})
        errors += 0 if correct or not found else abs(problem.difficulty - len(found))
        parsed = None if value is None else as_text(value)
        return Verdict(correct, graded_reward(correct, errors, len(found), problem.difficulty), parsed, errors)

    def path(self, problem: Problem, completion: str) -> str:
        """The sequence of calculations, whatever words stand around them."""
        return calculated_path(completion)

    def max_completion_chars(self, difficulty: int) -> int:
        """The longest gold solution of that difficulty."""
        return longest_solution(SOURCE.place(self.source), difficulty)


@lru_cache(maxsize=8)
def _loaded(place: str | None) -> Questions:
    return load_questions(SOURCE, place, read_row)


@lru_cache(maxsize=64)
def of_difficulty(place: str | None, split: Split, difficulty: int | None) -> tuple[WorkedProblem, ...]:
    """The problems of a split, or those of one difficulty."""
    return tuple(problem for problem in _loaded(place)[split] if difficulty is None or problem.difficulty == difficulty)


@lru_cache(maxsize=64)
def longest_solution(place: str | None, difficulty: int) -> int:
    """Characters of the longest gold solution of that difficulty, of both splits; 1 if there is none."""
    return max((len(problem.rationale) for split in SPLITS for problem in of_difficulty(place, split, difficulty)), default=1)


def read_row(row: dict[str, Any]) -> WorkedProblem:
    """A problem from a row of the public format. Raises ValueError if the solution does not end in `####` and a number."""
    text = "\n".join(line.rstrip() for line in row["answer"].splitlines() if line.strip())
    body, marker, last = text.rpartition("####")
    value = number_in(last.strip())
    if not marker or value is None or "\n" in last:
        raise ValueError(f"no #### with a number at the end of {row['answer'][-40:]!r}")
    difficulty = min(max(1, len(calculations(body))), MAX_DIFFICULTY)
    return WorkedProblem(
        asked(" ".join(row["question"].split())), as_text(value), difficulty, f"{body.rstrip()}\n#### {as_text(value)}".lstrip()
    )


def expression_in(text: str) -> Fraction | None:
    """The value of a final answer such as `\\frac{144}{2}` or `6 \\times 12`, read by math-verify; None for all else, and without it.

    Only up to six numbers, fractions and roots with signs between them get there: no powers, factorials or names, so that none takes long,
    and nothing unfinished or ambiguous (`72/`, `7 2`), which the library reads in its own way. Its time limit is switched off: it needs
    signals, which only the main thread has, and its failure elsewhere would read as a wrong answer.
    """
    plain, parse = text.strip().rstrip("."), _math_verify()
    if parse is None or len(plain) > MAX_EXPRESSION or not _EXPRESSION.fullmatch(plain):
        return None
    try:
        found = parse(f"${plain.strip('$')}$", parsing_timeout=None)
        value = found[0].doit() if found else None
        return Fraction(int(value.p), int(value.q)) if getattr(value, "is_Rational", False) else None
    except Exception:  # noqa: BLE001  a third party's parser on a model's text: whatever it raises, this is no answer
        return None


def _math_verify() -> Callable[..., list] | None:
    try:
        from math_verify import parse
    except ImportError:
        return None
    logging.getLogger("math_verify").setLevel(logging.ERROR)  # it warns once that its time limit is off
    return parse
