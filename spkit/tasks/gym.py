"""Any dataset of reasoning-gym (arXiv:2505.24760) as a task: `gym:chain_sum`, or
`gym:chain_sum,min_terms=2,max_terms=3` with its settings.

The prompt is the dataset's question, and the answer is what stands between the last `<answer>` and `</answer>`, the
marker that the library's own prompts ask for. The dataset's `score_answer` judges it: a score of 1 is correct, and the
score is the reward. There are no solutions with steps, so `solution` is the bare answer between the marks. `pip install
'selfplay-kit[gym]'` is needed; one of its requirements, pycosat, has to be compiled.

Two things are not left to the library. Its item i with seed s is its item i + 1 with seed s - 1, so that streams of
neighbouring seeds are almost one stream; here every item has a seed of its own, drawn from (seed, i), and its split
follows from its question. And some datasets judge an answer by `eval`, or by a parser of sympy that calls it: those are
refused, as are those that run programs, those without a gold answer that they accept, and those whose items change with
Python's hash seed, so that no run could be continued (UNSTABLE). Of the 106 datasets of version 0.1.25, 84 are left,
some of them slow to make an item.
"""

import ast
import inspect
import json
import re
from copy import deepcopy
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from ..run.errors import SpkitError
from .answers import MAX_READ
from .base import Problem, Split, Task, Verdict, item_rng, split_by_content
from .worked import hinted, question_prompt

MAX_GYM_ANSWER = 2_000  # characters between the marks
TRIES = 400  # draws for a question of the asked split
_HUGE = re.compile(r"\d[eE][+-]?\d{4}", re.ASCII)  # a number that some datasets would write out in full
RUNS_TEXT = frozenset({"eval", "exec", "compile", "parse_expr", "sympify", "__import__"})
UNSTABLE = frozenset(
    {"isomorphic_strings", "knight_swap", "ransom_note"}
)  # seen in 0.1.25, by making items under two hash seeds
MAX_GYM_COMPLETION = 2_000  # characters: room for a rationale before the answer, which the library does not bound


@dataclass(frozen=True)
class GymProblem(Problem):
    """A question with the dataset's own entry, which its `score_answer` asks for."""

    entry: dict[str, Any] = field(hash=False, compare=False, repr=False)


@dataclass(frozen=True)
class ReasoningGym(Task):
    """A dataset of reasoning-gym by its name.

    `settings` are pairs (name, value) of its configuration. See `reasoning_gym`.
    """

    dataset: str
    settings: tuple[tuple[str, Any], ...] = ()
    difficulties: tuple[int, ...] = (1,)
    extrapolation: tuple[int, ...] = ()
    unit: str = "level"
    chars_per_token: float = 2.0  # prose has 3 to 4, figures 1
    instruction: str = "Think step by step, then give the final answer alone between <answer> and </answer>."

    def __post_init__(self) -> None:
        _checked(self.dataset, self.settings)

    @property
    def name(self) -> str:
        """`gym:DATASET`, with the settings after it."""
        return ",".join([f"gym:{self.dataset}", *(f"{name}={json.dumps(value)}" for name, value in self.settings)])

    def problem(self, seed: int, index: int, difficulty: int | None = None, split: Split = "train") -> GymProblem:
        """The first question of the asked split among those that the item's own seeds give."""
        if difficulty not in (None, *self.difficulties):
            raise SpkitError(f"{self.name} has one difficulty, 1, and not {difficulty}: change its settings instead")
        rng = item_rng("gym", self.dataset, split, seed, index)
        for _ in range(TRIES):
            entry = _dataset(self.dataset, self.settings, rng.randrange(2**31))[0]
            if split_by_content(" ".join(entry["question"].split())) == split:
                return GymProblem(question_prompt(entry["question"].strip()), entry["answer"], 1, entry)
        raise SpkitError(
            f"{self.name} has too few different questions for a {split} split: choose other settings or another dataset"
        )

    def hint(self, problem: Problem) -> str:
        """The prompt with the answer after the question, in brackets."""
        return hinted(problem)

    def solution(self, problem: Problem) -> str:
        """The answer between the marks: the library has no rationales."""
        return f"<answer>{problem.answer}</answer>"

    def direct(self, problem: Problem) -> str:
        """The same."""
        return self.solution(problem)

    def verify(self, problem: GymProblem, completion: str) -> Verdict:
        """Judge what is between the last pair of marks by the dataset's score, which is the reward.

        1 is correct. No step is checked.
        """
        answer = marked(completion)
        score = 0.0
        if answer:
            try:
                score = float(_checked(self.dataset, self.settings).score_answer(answer, deepcopy(problem.entry)))
            except Exception:
                score = 0.0
        reward = min(
            max(0.0, score), 1.0
        )  # 0 for what is no number, too: max keeps its first argument unless another is larger
        return Verdict(reward == 1.0, reward, answer, 0)

    def path(self, problem: Problem, completion: str) -> str:
        """The words, whatever the spaces between them."""
        return " ".join(completion[:MAX_READ].split())

    def max_completion_chars(self, difficulty: int) -> int:
        """Room for a rationale and an answer."""
        return MAX_GYM_COMPLETION


def reasoning_gym(dataset: str, **settings: Any) -> ReasoningGym:
    """The task of a dataset with settings of its configuration: `reasoning_gym("chain_sum", min_terms=2)`."""
    return ReasoningGym(dataset, tuple(sorted(settings.items())))


def from_name(text: str) -> ReasoningGym:
    """The task of `chain_sum` or `chain_sum,min_terms=2,max_terms=3`, values as in JSON, a bare word being a string."""
    dataset, *pairs = text.split(",")
    settings = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise SpkitError(f"{pair!r} is no setting: write gym:{dataset},name=value")
        try:
            settings[name.strip()] = json.loads(value)
        except ValueError:
            settings[name.strip()] = value
    return reasoning_gym(dataset.strip(), **settings)


def marked(completion: str) -> str | None:
    """What is between the last `<answer>` and the `</answer>` after it; None without both, if too long, and
    for numbers like 1e9999.

    In small letters only, as the library's own prompts ask for it: `spkit.tasks.answers` reads
    capitals too, and other marks.
    """
    if len(completion) > MAX_READ:
        return None
    _, opening, rest = completion.rpartition("<answer>")
    answer, closing, _ = rest.partition("</answer>")
    return (
        answer.strip() if opening and closing and len(answer) <= MAX_GYM_ANSWER and not _HUGE.search(answer) else None
    )


def _dataset(name: str, settings: tuple[tuple[str, Any], ...], seed: int) -> Any:
    try:
        import reasoning_gym as library
    except ImportError as error:
        text = f"gym:{name} needs reasoning-gym ({error}): pip install 'selfplay-kit[gym]'"
        raise SpkitError(text) from error
    try:
        return library.create_dataset(name, **dict(settings), seed=seed, size=1)
    except (TypeError, ValueError, AssertionError) as error:
        raise SpkitError(
            f"reasoning-gym makes no dataset {name!r} with these settings ({error}): see its gallery for "
            "names and settings"
        ) from error


@lru_cache(maxsize=16)
def _checked(name: str, settings: tuple[tuple[str, Any], ...]) -> Any:
    """The dataset that judges answers. Raises SpkitError for one that is refused, see the head of this module."""
    dataset = _dataset(name, settings, 0)
    if runs_text(type(dataset)):
        raise SpkitError(
            f"{name} of reasoning-gym runs text as a program to judge it, in this process: choose another dataset"
        )
    if name in UNSTABLE:
        raise SpkitError(f"{name} of reasoning-gym asks other questions in every process: choose another dataset")
    entry = dataset[0]
    if not isinstance(entry["answer"], str) or dataset.score_answer(entry["answer"], deepcopy(entry)) < 1:
        raise SpkitError(
            f"{name} of reasoning-gym has no gold answer that it accepts, which hints and baselines need: "
            "choose another dataset"
        )
    return dataset


def runs_text(dataset: type) -> bool:
    """Whether `score_answer`, or a function of its module that it calls, evaluates text.

    Or anything in the module executes programs.
    """
    owner = next(kind for kind in dataset.__mro__ if "score_answer" in vars(kind))
    tree = ast.parse(inspect.getsource(inspect.getmodule(owner)))
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    pending, seen = ["score_answer"], {"exec"} if "exec" in _called(tree) else set()
    while pending:
        name = pending.pop()
        if name not in seen:
            seen.add(name)
            pending += _called(functions[name]) if name in functions else ()
    return bool((seen - set(functions)) & RUNS_TEXT)


def _called(node: ast.AST) -> set[str]:
    calls = (one.func for one in ast.walk(node) if isinstance(one, ast.Call))
    return {
        call.id if isinstance(call, ast.Name) else call.attr
        for call in calls
        if isinstance(call, ast.Name | ast.Attribute)
    }
