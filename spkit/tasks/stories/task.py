"""Stories in which things come and go, in small numbers: made for a small instruction model.

The prompt is a question as one asks it in a chat, `Ben has 9 apples. Ben buys 9 more apples. How many apples does Ben
have now?`, without a line break after it, with which SmolLM2-135M-Instruct is right far less often. A completion is
free text: whatever way of working it out the model has. The difficulty is the number of
changes, 1 to 4; with 4 there are sentences, too, whose numbers do not count. Every number in a story is at most 12, and
nobody ever has fewer than 0 things or more than 40, so that reading is as hard as adding.

The answer is what follows `####` or `answer is`, or in a box, and else the last number of the text. The strict
verdict asks in addition that the completion ended by itself (`spkit.stages.solve.verify_all`); the lenient one takes
the last number of whatever there is.

The train and test splits share no sequence of numbers: a story with other names and words but the same start and the
same changes is on the same side.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import accumulate
from typing import ClassVar

from ..answers import MAX_READ, as_text, last_number, marked_text, number_in
from ..base import Entry, Kind, Proposable, Split, Verdict, graded_reward, item_rng, split_by_content
from ..worked import Calculation
from .equations import equations
from .proposing import (
    ASIDES_AT,
    LONGEST_SUM,
    MAX_CHANGES,
    PROPOSER_MARK,
    answers_offered,
    asks_for_numbers,
    fault_in,
    numbers_of,
    told,
)
from .replying import careless_numbers, reply
from .telling import MOST_AT_ONCE, StoryProblem, fault_of, story_of


@dataclass(frozen=True)
class Stories(Proposable):
    """Stories of 1 to 4 changes; of deduction alone."""

    kind: ClassVar[Kind] = "deduction"
    hardest: ClassVar[int] = MAX_CHANGES
    longest_proposal: ClassVar[int] = LONGEST_SUM
    reads_unfinished: ClassVar[bool] = True
    name: str = "stories"
    difficulties: tuple[int, ...] = (1, 2, 3)
    extrapolation: tuple[int, ...] = (4,)
    unit: str = "steps"
    instruction: str = "Work it out step by step with + and -, briefly. End with: The answer is"
    zero_shot: bool = True
    samples_shown: int = 7
    chars_per_token: float = 2.0  # a figure or a sign with its space is a token

    def problem(self, seed: int, index: int, difficulty: int | None = None, split: Split = "train") -> StoryProblem:
        """A story with exactly `difficulty` changes, of the asked split."""
        said = f"stories have 1 to {MAX_CHANGES} steps"
        changes = self.difficulty_at(index, difficulty, range(1, MAX_CHANGES + 1), said)
        rng = item_rng(self.name, split, seed, index, changes)
        while True:
            numbers = drawn_numbers(rng, changes)
            if split_of_numbers(numbers) == split:
                return story_of(numbers, rng, ASIDES_AT.get(changes, 0))

    def hint(self, problem: StoryProblem) -> str:
        """The prompt with the answer after the question."""
        return f"{problem.prompt} (The answer is {problem.answer}.)"

    def solution(self, problem: StoryProblem, variant: int = 0) -> str:
        """A sentence for each equation, and the answer; each `variant` is an independent draw of the words."""
        rng = item_rng(self.name, "solution", problem.prompt, variant)
        return reply(problem, tuple(accumulate(problem.numbers)), problem.numbers, rng)

    def reference(self, problem: StoryProblem, variant: int = 0) -> str:
        """The solution of writer `variant`: all of them are careful."""
        return self.solution(problem, variant)

    def careless(self, problem: StoryProblem, variant: int = 0) -> str:
        """The solution of a writer who takes one sign for the other or adds up wrongly, and goes on from there."""
        rng = item_rng(self.name, "careless", problem.prompt, variant)
        totals, numbers = careless_numbers(problem.numbers, rng)
        return reply(problem, totals, numbers, rng)

    def direct(self, problem: StoryProblem) -> str:
        """The last sentence of a solution alone."""
        return f"The answer is {problem.answer}."

    def check(self, problem: StoryProblem, completion: str) -> Verdict:
        """`correct` compares the answer as read with the gold one; `lenient` is true, too, if the last number is it.

        `step_errors` counts equations that are false, or start from a number that is none of the story's counted ones
        and no result before; one more if there are equations and the answer is the result of none. The reward counts
        repeated equations as errors, and missing ones if the answer is wrong.
        """
        value, last = answer_in(completion), _last_in(completion)
        correct, gold = value == int(problem.answer), int(problem.answer)
        found = equations(completion)
        errors = _step_errors(problem, found, value)
        steps = sum(max(1, len(one.numbers) - 1) for one in found)
        off = errors + len(found) - len({one.text for one in found})
        off += 0 if correct or not found else abs(problem.difficulty - steps)
        parsed = None if value is None else as_text(value)
        reward = graded_reward(correct, off, steps, problem.difficulty)
        return Verdict(correct, reward, parsed, errors, correct or last == gold)

    def path(self, problem: StoryProblem, completion: str) -> str:
        """The sequence of equations, whatever words stand around them; without any, the text."""
        return ";".join(one.text for one in equations(completion)) or completion[:MAX_READ]

    def max_completion_chars(self, difficulty: int) -> int:
        """Room for a short sentence with an equation a change, and for the answer."""
        return 64 + 32 * difficulty

    @cached_property
    def of_kind(self) -> dict[Kind, "Stories"]:
        """Itself: there are no stories of the other kinds."""
        return {self.kind: self}

    def roles(self, stream: int, shown: int) -> list[tuple[str, list[tuple[str, str]], str]]:
        """The proposer, who is shown no examples beside those of its prompt."""
        return [(PROPOSER_MARK, [], "")]

    def seed_entry(self, kind: Kind) -> Entry:
        """The smallest sum."""
        return self.entry_of(told((1, 1)))

    def entry_of(self, problem: StoryProblem) -> Entry:
        """The sum, and that it runs on nothing."""
        return problem.program, problem.inputs

    def from_entry(self, kind: Kind, entry: Entry) -> StoryProblem:
        """The story told about a sum."""
        return told(numbers_of(entry[0]))

    def triplet(self, entry: Entry) -> str:
        """The sum."""
        return entry[0]

    def proposer_prompt(self, kind: Kind, references: Sequence[str] = (), program: str | None = None) -> str:
        """Asks for a sum, and shows some that are there already."""
        return asks_for_numbers(references)

    def parse(self, kind: Kind, text: str, program: str | None = None) -> tuple[StoryProblem | None, str | None]:
        """The story that proposed numbers come to, and its fault if it has one."""
        numbers = numbers_of(text)
        if numbers is None:
            return None, "text"
        if fault := fault_in(numbers):
            return None, fault
        return told(numbers), "held out" if split_of_numbers(numbers) == "test" else None

    def invalid(self, kind: Kind, text: str) -> StoryProblem:
        """An invalid proposal as a problem: its text stands where the story would."""
        return StoryProblem(text[:MAX_READ].strip() or "?", "", MAX_CHANGES, (), "", "")

    def offered(self, kind: Kind, completion: str) -> list[str]:
        """See `answers_offered`."""
        return answers_offered(completion)


def drawn_numbers(rng: random.Random, changes: int) -> tuple[int, ...]:
    """A start and signed changes that make a story, each drawn from all that do."""
    while True:
        signs = [1, *(rng.choice((-1, 1)) for _ in range(changes))]
        numbers = tuple(sign * rng.randint(1, MOST_AT_ONCE) for sign in signs)
        if not fault_of(numbers):
            return numbers


def split_of_numbers(numbers: Sequence[int]) -> Split:
    """Which split a start and its changes belong to, whatever the words around them."""
    return split_by_content("".join(f"{number:+d}" for number in numbers))


def answer_in(completion: str) -> Fraction | None:
    """The number that a completion gives as its answer: what its marks hold, without any mark the last number.

    Where a mark holds more than a number, such as `9 + 6 = 15 apples. Well done`, it is the last one of the first
    sentence.
    """
    if len(completion) > MAX_READ:
        return None
    held = marked_text(completion)
    value = number_in(held)
    return last_number(completion if held is None else held.partition(". ")[0]) if value is None else value


def _last_in(completion: str) -> Fraction | None:
    return last_number(completion) if len(completion) <= MAX_READ else None


def _step_errors(problem: StoryProblem, found: Sequence[Calculation], answer: Fraction | None) -> int:
    known, errors = {Fraction(abs(number)) for number in problem.numbers}, 0
    for one in found:
        errors += not (one.right and known.issuperset(one.numbers))
        known |= {one.value} - {None}
    return errors + (bool(found) and answer is not None and answer not in {one.value for one in found})
