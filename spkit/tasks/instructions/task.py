"""Verifiable instructions in the manner of IFEval (arXiv:2311.07911): a request and constraints that a program checks.

    Tell me briefly about a river. Write exactly 2 sentences. Use the word "bridge" at least once.

The difficulty is the number of constraints, 1 to 4, of 24 kinds (`checks.CHECK_OF`). They never contradict each other:
a problem is asked only if a text is found that keeps them all, and that text is its answer. Any text that keeps them is
right; what it says is not looked at, and `gaming` shows what that costs.

The train and test splits share no topic with the same constraints, whatever the words of the request.

The prompts are for a model that follows a chat. Few-shot prompting ends a completion at a blank line, so that two
paragraphs cannot be written under it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ...run.streams import DEMONSTRATIONS
from ..base import Problem, Split, Task, Verdict, item_rng, split_by_content
from .checks import LONGEST_READ, Constraint, holds, loosely
from .drawing import drawn_constraints
from .reading import composed, has_word
from .topics import REQUESTS, TOPICS, Topic
from .wording import worded
from .writer import LONGEST_ANSWER, TRIED_LONGER, OnTopic, written

MAX_CONSTRAINTS = 4
DEMONSTRATED = 6  # demonstrations
DRAFTS = 20  # of a careless writer


@dataclass(frozen=True)
class InstructionProblem(Problem):
    """A request about a topic with its constraints; `answer` is one text that keeps them all, of many."""

    topic: Topic
    constraints: tuple[Constraint, ...]


@dataclass(frozen=True)
class Instructions(Task):
    """Requests with 1 to 3 constraints, or 4."""

    name: str = "instructions"
    difficulties: tuple[int, ...] = (1, 2, 3)
    extrapolation: tuple[int, ...] = (4,)
    unit: str = "instructions"
    zero_shot: bool = True
    samples_shown: int = 7
    chars_per_token: float = 2.5  # prose has 4 to 5, capitals 2.3 to 3, in references shorter than the longest

    def problem(
        self, seed: int, index: int, difficulty: int | None = None, split: Split = "train"
    ) -> InstructionProblem:
        """A request with `difficulty` constraints, of the asked split."""
        said = f"instructions has problems of 1 to {MAX_CONSTRAINTS} instructions"
        count = self.difficulty_at(index, difficulty, range(1, MAX_CONSTRAINTS + 1), said)
        rng = item_rng(self.name, split, seed, index, count)
        while True:
            topic = rng.choice(TOPICS)
            constraints = drawn_constraints(rng, topic, count)
            if split_of_request(topic, constraints) == split:
                answer = written(topic, constraints, OnTopic(), 0)
                if answer is not None:
                    request = rng.choice(REQUESTS[topic.category]).format(topic.phrase)
                    asked = [request, *(worded(c, rng.randrange(2)) for c in rng.sample(constraints, count))]
                    return InstructionProblem(" ".join(asked) + "\n", answer, count, topic, constraints)

    def hint(self, problem: InstructionProblem) -> str:
        """The prompt with one right answer after it."""
        return f"{problem.prompt}An answer that follows all of this is: {problem.answer}\n"

    def solution(self, problem: InstructionProblem) -> str:
        """The text that showed that the constraints can be kept together."""
        return problem.answer

    def direct(self, problem: InstructionProblem) -> str:
        """The solution: there are no steps to leave out."""
        return problem.answer

    def reference(self, problem: InstructionProblem, variant: int = 0) -> str:
        """A text about the topic that keeps every constraint; each `variant` is another draw, 0 being the solution."""
        text = written(problem.topic, problem.constraints, OnTopic(), variant, attempts=TRIED_LONGER)
        return text or problem.answer

    def careless(self, problem: InstructionProblem, variant: int = 0) -> str:
        """The text of a writer who forgets the first constraint, or stops too early or too late to keep it."""
        forgotten, others = problem.constraints[0], problem.constraints[1:]
        drafts = (written(problem.topic, others, OnTopic(), "careless", variant, n) for n in range(DRAFTS))
        texts = (text for text in drafts if text and not all(holds([forgotten], text)))
        return next(texts, None) or _spoiled(forgotten, problem.answer)

    def verify(self, problem: InstructionProblem, completion: str) -> Verdict:
        """`correct`: every constraint holds, exactly; `reward`: the share that does; `lenient`: all do loosely.

        `parsed` is the text with its spaces made single ones, None if it has no word or more than LONGEST_READ
        characters. There are no steps, so none is wrong.
        """
        kept = holds(problem.constraints, completion)
        parsed = None
        if len(completion) <= LONGEST_READ and has_word(completion):
            parsed = " ".join(composed(completion).split())
        lenient = all(loosely(problem.constraints, completion))
        return Verdict(all(kept), sum(kept) / len(kept), parsed, 0, lenient)

    def path(self, problem: InstructionProblem, completion: str) -> str:
        """The text without case, its spaces made single ones, LONGEST_READ characters at most."""
        return " ".join(completion[:LONGEST_READ].casefold().split())[:LONGEST_READ]

    def max_completion_chars(self, difficulty: int) -> int:
        """The length beyond which no reference is written, whatever the difficulty."""
        return LONGEST_ANSWER

    def demonstrations(self) -> Sequence[InstructionProblem]:
        """The first problems of a stream of their own that have one paragraph, difficulties in turn."""
        stream = (self.problem(DEMONSTRATIONS, index) for index in range(100))
        whole = (problem for problem in stream if "\n\n" not in problem.answer)
        return tuple(problem for problem, _ in zip(whole, range(DEMONSTRATED)))


def split_of_request(topic: Topic, constraints: Sequence[Constraint]) -> Split:
    """Which split a request belongs to, by its topic and its constraints in whatever order."""
    return split_by_content(f"{topic.phrase}|{sorted(constraints)}")


def _spoiled(constraint: Constraint, text: str) -> str:
    """The text with too much at its end, or without most of it, so that it breaks a constraint on its words."""
    if constraint.kind in ("words_between", "sentences"):
        while holds([constraint], text)[0]:
            text += " I could go on for a long time."
        return text
    return " ".join(text.split()[:4]) + "."
