"""Word problems as in a grade-school book, generated: 20 templates, and any number of problems with exact whole
answers.

The prompt is `Question: Ada buys 3 pens at $4 each. ...` and `Answer:` on a line of its own. A completion has one
sentence a step, the calculation inside, and the answer on the last line:

    The pens cost $<<3*4=12>>12.
    Ada gets $<<20-12=8>>8 back.
    #### 8

which is the public format of GSM8K (arXiv:2110.14168), so that one reader serves both. The difficulty is the number of
calculations, from 1 to 5. The problems are ours, not GSM8K's: easier to read, and as many as a loop needs. So nothing
has to be downloaded, and none can have been in a model's pretraining text. How stories are told is in `story`; the
templates are in `stories`.

The train and test splits share no sequence of calculations: a story with other names but the same numbers and
signs is on the same side.
"""

import json
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from ..answers import as_text, final_text, number_in
from ..base import Split, Task, Verdict, graded_reward, item_rng, split_by_content, test_set
from ..worked import INSTRUCTION, WorkedProblem, calculated_path, calculations, hinted, question_prompt
from .stories import STORIES
from .story import tell_story

MAX_STEPS = 5
LINE = 70  # characters: no line of a solution is longer
SHIPPED_PROBLEMS = 50  # problems of each difficulty and split in data/problems/word_problems

_NUMBER = re.compile(r"\d+", re.ASCII)
_WORDS = {
    "twice": 2,
    "half": 2,
    "halves": 2,
    "third": 3,
    "quarter": 4,
    "three": 3,
    "four": 4,
    "hour": 60,
    "hours": 60,
    "rectangular": 2,
    "%": 100,
}
_WORD = re.compile(r"[a-z]+|%", re.ASCII)


@dataclass(frozen=True)
class WordProblems(Task):
    """Generated word problems of 1 to 5 steps."""

    name: str = "word_problems"
    difficulties: tuple[int, ...] = (1, 2, 3, 4, 5)
    extrapolation: tuple[int, ...] = ()
    unit: str = "steps"
    base: str = "words"
    instruction: str = INSTRUCTION

    def problem(self, seed: int, index: int, difficulty: int | None = None, split: Split = "train") -> WorkedProblem:
        """A story with exactly `difficulty` calculations, of the asked split."""
        said = f"word problems have 1 to {MAX_STEPS} steps"
        steps = self.difficulty_at(index, difficulty, range(1, MAX_STEPS + 1), said)
        rng = item_rng(self.name, split, seed, index, steps)
        while True:
            told = tell_story(rng.choice(STORIES), steps, rng)
            if told and split_of_calculations(told[0].sums) == split:
                story, question = told
                text = "\n".join([*story.lines, f"#### {story.result}"])
                return WorkedProblem(
                    question_prompt(" ".join([*story.facts, question])), str(story.result), steps, text
                )

    def hint(self, problem: WorkedProblem) -> str:
        """The prompt with the answer after the question, in brackets."""
        return hinted(problem)

    def solution(self, problem: WorkedProblem) -> str:
        """The story worked out, one sentence a calculation."""
        return problem.rationale

    def direct(self, problem: WorkedProblem) -> str:
        """The last line of the solution alone."""
        return f"#### {problem.answer}"

    def verify(self, problem: WorkedProblem, completion: str) -> Verdict:
        """`correct` compares the final answer with the gold one, exactly.

        `step_errors` is what `step_errors` counts.
        """
        value = number_in(final_text(completion))
        correct = value == int(problem.answer)
        steps = len(calculations(completion))
        errors = _step_errors(problem, completion, value) if steps else 0
        return Verdict(
            correct,
            graded_reward(correct, errors, steps, problem.difficulty),
            None if value is None else as_text(value),
            errors,
        )

    def path(self, problem: WorkedProblem, completion: str) -> str:
        """The sequence of calculations, whatever words stand around them."""
        return calculated_path(completion)

    def max_completion_chars(self, difficulty: int) -> int:
        """A line for each calculation with its line break, and the answer's."""
        return (LINE + 1) * difficulty + len("#### 12345678")


def split_of_calculations(sums: list[str]) -> Split:
    """Which split a sequence of calculations belongs to, by its content."""
    return split_by_content(";".join(sums))


def given(prompt: str) -> set[Fraction]:
    """The numbers a question gives: those in digits, those in words such as `twice`, `half` or
    `hours`, and 0.4 for 40%.
    """
    question = prompt.rpartition("\nAnswer:")[0]
    words = {Fraction(_WORDS[word]) for word in _WORD.findall(question.lower()) if word in _WORDS}
    numbers = {Fraction(number) for number in _NUMBER.findall(question)}
    return (
        numbers
        | words
        | {1 / word for word in words}
        | ({number / 100 for number in numbers} if "%" in question else set())
    )


def _step_errors(problem: WorkedProblem, completion: str, answer: Fraction | None) -> int:
    """Calculations that are false, repeated, or start from a number that is neither given nor calculated before; one
    more error if the answer is not the last result.

    There is more than one way to a right answer, so their number is not compared with the solution's unless the answer
    is wrong: then each calculation that is missing or too many counts.
    """
    found = calculations(completion)
    known, seen, errors = given(problem.prompt), set(), 0
    for one in found:
        errors += not (one.right and known.issuperset(one.numbers) and one.text not in seen)
        seen.add(one.text)
        known |= {one.value} - {None}
    if answer != int(problem.answer):
        errors += abs(problem.difficulty - len(found))
    return errors + (answer is not None and bool(found) and found[-1].value != answer)


def shipped_lines(split: Split) -> list[str]:
    """The lines of data/problems/word_problems/SPLIT.jsonl: the fixed test set, or as many problems of
    the train split's stream 0.
    """
    task = WordProblems()
    if split == "test":
        chosen = test_set(task, SHIPPED_PROBLEMS)
    else:
        chosen = [task.problem(0, index, steps) for steps in task.difficulties for index in range(SHIPPED_PROBLEMS)]
    return [
        json.dumps({"question": question_of(one), "answer": one.rationale, "difficulty": one.difficulty})
        for one in chosen
    ]


def question_of(problem: WorkedProblem) -> str:
    """The question alone."""
    return problem.prompt.removeprefix("Question: ").removesuffix("\nAnswer:\n")


def write_shipped(folder: Path) -> None:
    """Write train.jsonl and test.jsonl, in GSM8K's format with the difficulty added, into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "test"):
        (folder / f"{split}.jsonl").write_text("".join(line + "\n" for line in shipped_lines(split)), encoding="utf-8")
