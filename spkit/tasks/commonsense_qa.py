"""CommonsenseQA (arXiv:1811.00937): questions with five lettered choices. STaR (arXiv:2203.14465) was tried on
it, arithmetic and GSM8K.

The prompt and the completion have the form of STaR's appendix, but that the completion starts on a new line:

    Q: What do people use to carry a small dog?
    Answer Choices:
    (a) swimming pool
    (b) basket
    ...
    A:
    The answer must be something that a small dog fits in. A basket is made to hold things. Therefore,
    the answer is basket (b).

and a hint marks the right choice, `(b) basket (CORRECT)`. Where the questions come from: `commonsense_qa:PATH`, the
environment variable SPKIT_COMMONSENSE_QA, or `tau/commonsense_qa` on the hub at a pinned revision, as for GSM8K
(see `gsm8k`). Rows may have the form of the original files (`question` with `stem` and `choices`) or of the hub
(`question`, `choices`, `answerKey`). The public test split has no answers, so the development split is the test
split here. There is one difficulty.

The set has answers and no rationales: `solution` is a plain sentence, and `demonstrations` has rationales
written for this package.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ..run.errors import SpkitError
from .answers import MAX_READ, choice_in, final_text, marked_text, said
from .base import Problem, Split, Task, Verdict
from .question_files import Questions, Source, in_order, load_questions

CHOICE_LETTERS = "abcde"
MAX_RATIONALE = 400  # characters: about twice the longest demonstration

SOURCE = Source(
    task="commonsense_qa",
    variable="SPKIT_COMMONSENSE_QA",
    files={
        "train": ("train.jsonl", "train_rand_split.jsonl"),
        "test": ("test.jsonl", "validation.jsonl", "dev_rand_split.jsonl"),
    },
    hub="tau/commonsense_qa",
    config=None,
    revision="94630fe30dad47192a8546eb75f094926d47e155",
    hub_splits={"train": "train", "test": "validation"},
)

SOLVED_QUESTIONS = (
    (
        "Where would you put a letter so that it is taken to another town?",
        ("drawer", "mailbox", "wallet", "bookshelf", "oven"),
        "b",
        (
            "The answer must be a place from which letters are collected. The post empties a mailbox and "
            "takes the letters to other towns."
        ),
    ),
    (
        "What does a person who has walked all day in the sun most likely want?",
        ("a heavy coat", "more sand", "a loud bell", "a map of the moon", "a cold drink"),
        "e",
        (
            "The answer must be something that helps against heat and thirst. Walking in the sun makes "
            "people thirsty, and a cold drink helps."
        ),
    ),
    (
        "Why did the gardener cover the young plants at night?",
        ("frost", "applause", "hunger", "traffic", "homework"),
        "a",
        (
            "The answer must be something that harms young plants at night. Frost comes in cold nights and "
            "kills young plants."
        ),
    ),
    (
        "If a room is too dark to read in, what should you do?",
        ("close your eyes", "open a tin", "sell the book", "switch on a lamp", "whisper"),
        "d",
        "The answer must be something that brings light into a room. A lamp gives light once it is switched on.",
    ),
    (
        "What is likely to happen to an ice cube that lies on a warm table?",
        ("it sings", "it grows", "it melts", "it burns", "it flies away"),
        "c",
        "The answer must be what warmth does to ice. Ice turns into water when it gets warm, that is, it melts.",
    ),
    (
        "Where do you most often hear a crowd cheer?",
        ("library", "stadium", "desert", "bedroom", "cellar"),
        "b",
        (
            "The answer must be a place where many people watch something exciting. In a stadium crowds "
            "watch games and cheer."
        ),
    ),
)


@dataclass(frozen=True)
class ChoiceProblem(Problem):
    """A question with its five choices in order.

    `answer` is the letter of the right one, `rationale` a row's own if it has one.
    """

    choices: tuple[str, ...]
    rationale: str = ""


@dataclass(frozen=True)
class CommonsenseQa(Task):
    """The fixed questions of CommonsenseQA, or of the folder or file `source`.

    Nothing is read before the first question is asked for.
    """

    source: str | None = None
    difficulties: tuple[int, ...] = (1,)
    extrapolation: tuple[int, ...] = ()
    unit: str = "level"
    chars_per_token: float = 2.0  # prose has 3 to 4, figures 1
    instruction: str = (
        "Choose the best answer. Say why in one or two sentences, then end with the words: Therefore, "
        "the answer is X (b). "
        "Put the choice you mean in place of X, and its letter in the brackets."
    )

    @property
    def name(self) -> str:
        """`commonsense_qa`, or `commonsense_qa:SOURCE`."""
        return f"commonsense_qa:{self.source}" if self.source else "commonsense_qa"

    def problem(self, seed: int, index: int, difficulty: int | None = None, split: Split = "train") -> ChoiceProblem:
        """Question `index` of the set in the order of `seed`."""
        if difficulty not in (None, *self.difficulties):
            raise SpkitError(f"{self.name} has one difficulty, 1, and not {difficulty}")
        asked = _loaded(SOURCE.place(self.source))[split]
        if not asked:
            raise SpkitError(f"{self.name} has no question for the {split} split: give it more rows")
        return in_order(asked, split, seed, index=index)

    def hint(self, problem: ChoiceProblem) -> str:
        """The prompt with `(CORRECT)` after the right choice."""
        lines = problem.prompt.split("\n")
        place = len(lines) - 2 - len(CHOICE_LETTERS) + CHOICE_LETTERS.index(problem.answer)
        lines[place] += " (CORRECT)"
        return "\n".join(lines)

    def solution(self, problem: ChoiceProblem) -> str:
        """The row's rationale, that of a demonstration, or a plain sentence; then the answer."""
        text = problem.choices[CHOICE_LETTERS.index(problem.answer)]
        reason = problem.rationale or f'Of the choices, "{text}" fits the question best.'
        return f"{reason} Therefore, the answer is {text} ({problem.answer})."

    def demonstrations(self) -> list[ChoiceProblem]:
        """Questions whose `solution` gives a reason, for a few-shot prompt.

        Written for this package, none is in the public set.
        """
        return [
            choice_problem(question, choices, letter, reason) for question, choices, letter, reason in SOLVED_QUESTIONS
        ]

    def direct(self, problem: ChoiceProblem) -> str:
        """The letter in brackets."""
        return f"({problem.answer})"

    def verify(self, problem: ChoiceProblem, completion: str) -> Verdict:
        """`correct` compares the letter that the last `answer is` names with the right one.

        No step is checked, so none is wrong.
        """
        letter = chosen_letter(problem.choices, completion)
        correct = letter == problem.answer
        return Verdict(correct, float(correct), letter, 0)

    def path(self, problem: ChoiceProblem, completion: str) -> str:
        """The words, whatever the spaces between them."""
        return " ".join(completion[:MAX_READ].split())

    def max_completion_chars(self, difficulty: int) -> int:
        """Room for two or three sentences."""
        return MAX_RATIONALE


def chosen_letter(choices: tuple[str, ...], completion: str) -> str | None:
    """The letter of the one choice that is named after the last `answer is`; without these words, by a mark or
    a completion of one line.

    See `spkit.tasks.answers` for the marks, and for how a choice is named.
    """
    if len(completion) > MAX_READ:
        return None
    statement = said(completion)
    return choice_in(
        final_text(completion) if statement is None else marked_text(statement) or statement, CHOICE_LETTERS, choices
    )


@lru_cache(maxsize=8)
def _loaded(place: str | None) -> Questions:
    return load_questions(SOURCE, place, read_row)


def choice_problem(question: str, choices: tuple[str, ...], letter: str, rationale: str = "") -> ChoiceProblem:
    """A problem with its prompt."""
    lines = [f"({one}) {text}" for one, text in zip(CHOICE_LETTERS, choices)]
    prompt = "\n".join([f"Q: {question}", "Answer Choices:", *lines, "A:", ""])
    return ChoiceProblem(prompt, letter, 1, choices, rationale)


def read_row(row: dict[str, Any]) -> ChoiceProblem:
    """A problem from a row in the form of the original files or of the hub.

    Raises ValueError or KeyError for any other.
    """
    question = row["question"]
    if isinstance(question, dict):
        stem, labels, texts = (
            question["stem"],
            [one["label"] for one in question["choices"]],
            [one["text"] for one in question["choices"]],
        )
    else:
        stem, labels, texts = question, row["choices"]["label"], row["choices"]["text"]
    letter = row["answerKey"].lower()
    if (
        [label.lower() for label in labels] != list(CHOICE_LETTERS)
        or len(texts) != len(CHOICE_LETTERS)
        or letter not in CHOICE_LETTERS
        or len(letter) != 1
    ):
        raise ValueError("needs choices A to E and an answerKey among them")
    texts = tuple(" ".join(text.split()) for text in texts)
    return choice_problem(" ".join(stem.split()), texts, letter, " ".join(row.get("rationale", "").split()))
