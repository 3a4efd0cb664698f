"""What is asked and how it is checked: the words every task and every loop share."""

import random
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Literal, TypeAlias, get_args

from ..run.errors import SpkitError

Split = Literal["train", "test"]
Kind = Literal["deduction", "abduction", "induction"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Entry: TypeAlias = tuple[str, tuple[tuple, ...]]
MAX_PATH = 20_000  # characters
TEST_ONE_IN = 4  # of the problems, told apart by their content, one in four is kept for the test split
INDUCTION_PAIRS = 10  # inputs of a problem of induction
INDUCTION_SHOWN = 5  # of them shown with their outputs; the others are hidden
UNKNOWN = "<unk>"  # how a tokenizer writes a token that is no character; a policy may sample it, no prompt may hold it


@dataclass(frozen=True)
class Problem:
    """One question with its gold answer. `difficulty` is in the task's own unit (digits, depth, ...)."""

    prompt: str
    answer: str
    difficulty: int


@dataclass(frozen=True)
class Verdict:
    """What a verifier says of one completion.

    `correct` reads the final answer only; `step_errors` counts wrong intermediate steps and never changes
    `correct`, so that a right answer reached through wrong steps is visible as `correct and step_errors > 0`.
    `parsed` is the final answer as read, None if there is none. `reward` is graded, in [0, 1]: the share of steps
    that are right, the answer counted as one more.

    `lenient` is a second check, None where a task has one check only: whether the answer is right in whatever form (the
    last number of the text is the gold one) and whether or not the completion ended. It is true whenever `correct` is.
    """

    correct: bool
    reward: float
    parsed: str | None
    step_errors: int
    lenient: bool | None = None


class Task:
    """A stream of problems with a verifier. Every method is a pure function of its arguments.

    What has a default here is optional. `base` names the shipped model that knows the task, if that is not called like
    it; `instruction` is what a chat model is told of the format; `chars_per_token` is how many characters of a
    completion make a token at least; `zero_shot` says that a chat model is asked without solved examples;
    `samples_shown` is how many test completions of each difficulty a record shows; `step_end` is what stands
    between two steps of a completion, empty where `step_verdicts` is not defined.
    """

    name: str
    difficulties: tuple[int, ...]
    unit: str
    extrapolation: tuple[int, ...] = ()
    base: str = ""
    instruction: str = ""
    chars_per_token: float = 1.0
    zero_shot: bool = False
    samples_shown: int = 2
    step_end: str = ""

    def difficulty_at(self, index: int, asked: int | None, allowed: range, said: str) -> int:
        """The difficulty that was asked for; without one, that of place `index`, all in turn.

        Raises SpkitError, which begins with `said` (what is allowed, in words), if it is not allowed.
        """
        chosen = self.difficulties[index % len(self.difficulties)] if asked is None else asked
        if chosen not in allowed:
            raise SpkitError(f"{said}, not {chosen}: ask for a difficulty in that range")
        return chosen

    def problem(self, seed: int, index: int, difficulty: int | None = None, split: Split = "train") -> Problem:
        """Problem `index` of the stream `seed`; without `difficulty` it cycles through `difficulties`."""
        raise NotImplementedError

    def hint(self, problem: Problem) -> str:
        """The prompt with the gold answer shown, for rationalization."""
        raise NotImplementedError

    def solution(self, problem: Problem) -> str:
        """A completion with every step right: what a careful writer would put."""
        raise NotImplementedError

    def direct(self, problem: Problem) -> str:
        """A completion that is the bare answer, without steps."""
        raise NotImplementedError

    def verify(self, problem: Problem, completion: str) -> Verdict:
        """Check a completion, however malformed, without ever raising."""
        raise NotImplementedError

    def step_verdicts(self, problem: Problem, completion: str) -> list[bool]:
        """Whether each step is right, one flag for each part of `completion.split(step_end)`, the answer being the
        last. Raises SpkitError where the task does not say.
        """
        raise SpkitError(
            f"the task {self.name!r} does not say which of the steps are right, and a learned verifier is trained on "
            "that: take sums"
        )

    def max_completion_chars(self, difficulty: int) -> int:
        """Length of the longest right completion, in characters, end mark not counted."""
        raise NotImplementedError

    def path(self, problem: Problem, completion: str) -> str:
        """The completion in the form by which two that reason alike are known as copies; bounded in length."""
        return completion[:MAX_PATH]

    def demonstrations(self) -> Sequence[Problem]:
        """Problems to show to a model that does not know the task; none: the first of a stream of their own."""
        return ()

    def roles(self, stream: int, shown: int) -> list[tuple[str, list[tuple[str, str]], str]]:
        """(mark, examples, instruction) of every other role, as `spkit.policy.prompting` shows them."""
        return []

    def reference(self, problem: Problem, variant: int) -> str:
        """A draw from the distribution of reference replies; without one, the solution."""
        return self.solution(problem)

    def careless(self, problem: Problem, variant: int) -> str:
        """The reply of a careless writer, to be rejected. Raises SpkitError where there are none."""
        raise SpkitError(f"the task {self.name!r} has no careless writers: preference pairs need sums or replies")

    def transfers(self, per_difficulty: int) -> dict[str, list[Any]]:
        """Test problems of what training does not touch, by name; here the `harder` ones, up to `per_difficulty` of
        each difficulty.
        """
        return {"harder": test_set(self, per_difficulty, self.extrapolation)} if self.extrapolation else {}

    def for_problem(self, problem: Problem) -> "Task":
        """The task that reads and checks this problem: itself, unless its problems are of several kinds."""
        return self


class Proposable(Task):
    """A task whose problems a model can write, of three kinds (Absolute Zero, arXiv:2505.03335, section 3).

    Problems have a `kind`, a `program` and `inputs`; one without inputs is invalid and has no right answer. An entry of
    a buffer is a program with its inputs, each a tuple: `(4, 7)` of an expression, `('[1, 2]', '3')` (with its output)
    of a Python program.
    """

    kind: Kind
    hardest: int  # the largest difficulty that a completion has to have room for
    longest_proposal: int  # characters of a valid proposal
    reads_unfinished: ClassVar[bool] = False  # whether a proposal may be read out of a text that did not end by itself

    @cached_property
    def of_kind(self) -> dict[Kind, "Proposable"]:
        """The same task, asking for each of the kinds."""
        return {kind: self if kind == self.kind else replace(self, kind=kind) for kind in KINDS}

    def for_problem(self, problem: Any) -> "Proposable":
        """The task of the problem's kind."""
        return self.of_kind[problem.kind]

    def seed_entry(self, kind: Kind) -> Entry:
        """The identity, the one entry that self-play starts from."""
        raise NotImplementedError

    def entry_of(self, problem: Any) -> Entry:
        """What a buffer keeps of a problem."""
        raise NotImplementedError

    def from_entry(self, kind: Kind, entry: Entry) -> Any:
        """The problem of that kind about an entry."""
        raise NotImplementedError

    def triplet(self, entry: Entry) -> Any:
        """An entry of deduction or abduction as a reference; its str is what a prompt shows."""
        raise NotImplementedError

    def proposer_prompt(self, kind: Kind, references: Sequence[Any] = (), program: str | None = None) -> str:
        """What a proposer reads."""
        raise NotImplementedError

    def parse(self, kind: Kind, text: str, program: str | None = None) -> tuple[Any | None, str | None]:
        """The problem that a proposal comes to, and its fault if it has one.

        `program` is the one that was given, for induction.
        """
        raise NotImplementedError

    def invalid(self, kind: Kind, text: str) -> Any:
        """An invalid proposal as a problem without a right answer: its text stands where the question would."""
        raise NotImplementedError

    def offered(self, kind: Kind, completion: str) -> list[str]:
        """The completion once for every answer it offers in the end, that one alone: what a lenient check looks at."""
        raise NotImplementedError

    def check(self, problem: Any, completion: str) -> Verdict:
        """Check a completion of a valid problem of any kind, without ever raising."""
        raise NotImplementedError

    def verify(self, problem: Any, completion: str) -> Verdict:
        """Check a completion of any kind; to an invalid problem no answer is right, though it may be read."""
        if problem.inputs:
            return self.check(problem, completion)
        stand_in = self.from_entry(problem.kind, self.seed_entry(problem.kind))
        verdict = self.check(stand_in, completion)
        return replace(verdict, correct=False, reward=0.0, lenient=None if verdict.lenient is None else False)


def graded_reward(correct: bool, errors: int, steps: int, needed: int) -> float:
    """Share of `needed` steps and the answer that are right: 1 exactly if the answer and every step are.

    Missing and extra steps are among the `errors`, so that repeating a right step earns nothing. A bare answer, without
    any of the `steps`, earns the answer's share alone.
    """
    right = int(correct) if steps == 0 else needed + correct - errors
    return max(0, right) / (needed + 1)


def item_rng(*parts: int | str) -> random.Random:
    """A generator that depends on `parts` only: the same on every machine, whatever was drawn before."""
    return random.Random("/".join(str(part) for part in parts))


def split_by_content(content: str, one_in: int = TEST_ONE_IN, rest: int = 0) -> Split:
    """Which split a problem belongs to, by its content: `one_in` is the number of sides of the hash, one being test."""
    return "test" if zlib.crc32(content.encode()) % one_in == rest else "train"


def problems(task: Task, seed: int, start: int, count: int, split: Split = "train") -> list[Problem]:
    """Problems `start` to `start + count - 1` of the stream `seed`, difficulties in turn."""
    return [task.problem(seed, index, split=split) for index in range(start, start + count)]


def test_set(task: Task, per_difficulty: int, difficulties: Sequence[int] | None = None) -> list[Problem]:
    """The fixed test set: up to `per_difficulty` distinct problems of each difficulty, the same for every seed."""
    chosen: dict[str, Problem] = {}
    for difficulty in difficulties or task.difficulties:
        distinct: dict[str, Problem] = {}
        for index in range(20 * per_difficulty):
            problem = task.problem(0, index, difficulty, "test")
            distinct.setdefault(problem.prompt, problem)
            if len(distinct) == per_difficulty:
                break
        chosen |= distinct
    return list(chosen.values())


test_set.__test__ = False  # not a test, whatever pytest thinks of the name
