"""GSM8K (arXiv:2110.14168): 8.5 thousand grade-school word problems with worked solutions, or any
file in its public format.

A row is `{"question": ..., "answer": ...}`, the answer being a solution with calculations like `<<48/2=24>>` whose last
line is `#### 24`. Where the rows come from:

- `gsm8k:PATH` (a task name) or `Gsm8k(PATH)`: a folder with train.jsonl and test.jsonl, or one file,
  which is split by content;
- `gsm8k` with the environment variable SPKIT_GSM8K set to such a path;
- `gsm8k` without it: `openai/gsm8k` from the hub, at a pinned revision (`pip install 'selfplay-kit[hub]'`).

`gsm8k:data/problems/word_problems` asks the generated problems that are shipped, through the same
code and without a network.

The difficulty is the number of calculations in the gold solution, at least 1 and at most 8 (harder problems count as
8). Problems come in a seeded order of the fixed set, without `difficulty` in their natural proportions.

The final answer is read by `spkit.tasks.answers` and compared exactly. What has to be calculated, such as `6 \\times
12`, is read by math-verify if it is installed (`pip install 'selfplay-kit[math]'`), and else is no answer; numbers and
fractions are judged alike with and without it.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

from ..run.errors import SpkitError
from .answers import as_text, expression_in, final_text, number_in
from .base import Problem, Split, Task, Verdict, graded_reward
from .question_files import SPLITS, Questions, Source, in_order, load_questions
from .worked import INSTRUCTION, WorkedProblem, calculated_path, calculations, hinted, question_prompt

MAX_DIFFICULTY = 8

SOURCE = Source(
    task="gsm8k",
    variable="SPKIT_GSM8K",
    files={"train": ("train.jsonl",), "test": ("test.jsonl",)},
    hub="openai/gsm8k",
    config="main",
    revision="e53f048856ff4f594e959d75785d2c2d37b678ee",
    hub_splits={"train": "train", "test": "test"},
)


@dataclass(frozen=True)
class Gsm8k(Task):
    """The fixed problems of GSM8K, or of the folder or file `source`.

    Nothing is read before the first problem is asked for.
    """

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
            raise SpkitError(
                f"the train and test questions of {self.name} have no number of steps in common: give it more rows"
            )
        return tuple(sorted(common))

    def _asked(self, split: Split, difficulty: int | None = None) -> tuple[WorkedProblem, ...]:
        return of_difficulty(SOURCE.place(self.source), split, difficulty)

    def problem(self, seed: int, index: int, difficulty: int | None = None, split: Split = "train") -> WorkedProblem:
        """Problem `index` of the set in the order of `seed`; those of one difficulty have an order of their own."""
        chosen = self._asked(split, difficulty)
        if not chosen:
            raise SpkitError(
                f"{self.name} has no {split} problem of difficulty {difficulty}: choose among "
                f"{', '.join(map(str, self.difficulties))}"
            )
        return in_order(chosen, split, seed, difficulty or 0, index=index)

    def hint(self, problem: Problem) -> str:
        """The prompt with the answer after the question, in brackets."""
        return hinted(problem)

    def solution(self, problem: WorkedProblem) -> str:
        """The gold solution of the file."""
        return problem.rationale

    def direct(self, problem: Problem) -> str:
        """The last line of the solution alone."""
        return f"#### {problem.answer}"

    def verify(self, problem: Problem, completion: str) -> Verdict:
        """`correct` compares the final answer with the gold one, exactly; `step_errors` counts calculations
        that are false or repeated.

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
    return max(
        (len(problem.rationale) for split in SPLITS for problem in of_difficulty(place, split, difficulty)), default=1
    )


def read_row(row: dict[str, Any]) -> WorkedProblem:
    """A problem from a row of the public format.

    Raises ValueError if the solution does not end in `####` and a number.
    """
    text = "\n".join(line.rstrip() for line in row["answer"].splitlines() if line.strip())
    body, marker, last = text.rpartition("####")
    value = number_in(last.strip())
    if not marker or value is None or "\n" in last:
        raise ValueError(f"no #### with a number at the end of {row['answer'][-40:]!r}")
    difficulty = min(max(1, len(calculations(body))), MAX_DIFFICULTY)
    return WorkedProblem(
        question_prompt(" ".join(row["question"].split())),
        as_text(value),
        difficulty,
        f"{body.rstrip()}\n#### {as_text(value)}".lstrip(),
    )
