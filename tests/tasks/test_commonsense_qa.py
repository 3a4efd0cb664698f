import json
import time
from collections import Counter

import pytest

from spkit.run.errors import SpkitError
from spkit.tasks import CommonsenseQa, load_task, problems, test_set
from spkit.tasks.commonsense_qa import SOLVED_QUESTIONS, SOURCE, choice_problem, chosen_letter, read_row

DOG = choice_problem(
    "What can be used to carry a small dog?", ("swimming pool", "basket", "dog show", "back yard", "own home"), "b"
)
TASK = CommonsenseQa()
ORIGINAL = {
    "answerKey": "B",
    "id": "x",
    "question": {
        "question_concept": "dog",
        "stem": "What can be used to carry a small dog?",
        "choices": [{"label": letter, "text": text} for letter, text in zip("ABCDE", DOG.choices)],
    },
}
HUB = {
    "id": "x",
    "question": DOG.prompt.split("\n")[0][3:],
    "choices": {"label": list("ABCDE"), "text": list(DOG.choices)},
    "answerKey": "B",
}


def row(number: int) -> dict:
    return HUB | {"question": f"Which one is number {number}?", "answerKey": "ABCDE"[number % 5]}


@pytest.fixture
def folder(tmp_path):
    for name, numbers in (("train_rand_split", range(60)), ("dev_rand_split", range(50, 80))):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(json.dumps(row(number)) for number in numbers))
    return tmp_path


RIGHT = [
    "A basket is made to hold things. Therefore, the answer is basket (b).",
    "Therefore, the answer is (b).",
    "Therefore, the answer is (b) basket.",
    "the answer is b",
    "The answer is B.",
    "The correct answer is: b) Basket",
    "The answer is **(B)**.",
    "The answer is B: basket",
    "The answer is basket.",
    "Perhaps the answer is dog show (c). No.\nTherefore, the answer is basket (b).",
    "The answer is basket (b).\nQ: What else?",
    "b",
    "(b)",
    "basket (b)",
    "A basket holds things.\nAnswer: b",
    "The answer is option (b).",
    "The answer is:\n\nbasket (b)",
    "The answer is a basket (b).",
    "The answer is the basket",
    'The answer is "basket" (b).',
    "The answer is $\\boxed{b}$.",
    "The answer is `b`.",
    "The answer is (b), basket",
]
WRONG = [
    "a b",
    "The answer is the b",
    "The answer is a dog show (b).",
    "",
    "(a)",
    "a",
    "(a) (b) (c) (d) (e)",
    "The answer is (a) (b) (c) (d) (e).",
    "The answer is (a), (b), (c), (d) or (e).",
    "The answer is (a). The answer is (b). The answer is (c).",
    "The answer is basket (c).",
    "The answer is dog show (b).",
    "The answer is (b) dog show.",
    "The answer is (b) or (c).",
    "The answer is not (b).",
    "The answer is not basket (b).",
    "The answer is either basket or own home.",
    "The answer is bb",
    "The answer is (B",
    "The answer is ⒝.",
    "The answer is (ｂ).",
    "The answer is 2.",
    "Basket (b) is right.\nThat is all.",
    "The answer is",
    "The answer is (b) because a basket is big and not a dog show (c).",
    "The answer is " + "(b)" * 100,
    "(b)\n(c)",
]


def test_letters_are_read_and_lists_are_not():
    assert [text for text in RIGHT if not TASK.verify(DOG, text).correct] == []
    assert [text for text in WRONG if TASK.verify(DOG, text).correct] == []
    assert {TASK.verify(DOG, text).parsed for text in RIGHT} == {"b"}


def test_choices_with_the_same_text_need_the_letter():
    twice = ("bank", "river", "bank", "mouth", "sea")
    assert chosen_letter(twice, "The answer is bank.") is None
    assert (
        chosen_letter(twice, "The answer is bank (c).") == "c"
        and chosen_letter(twice, "The answer is bank (b).") is None
    )


def test_prompt_hint_and_solution_are_those_of_the_paper():
    choices = ["(a) swimming pool", "(b) basket", "(c) dog show", "(d) back yard", "(e) own home"]
    assert DOG.prompt.split("\n") == [
        "Q: What can be used to carry a small dog?",
        "Answer Choices:",
        *choices,
        "A:",
        "",
    ]
    assert (
        TASK.hint(DOG).split("\n")[3] == "(b) basket (CORRECT)"
        and TASK.hint(DOG).replace(" (CORRECT)", "") == DOG.prompt
    )
    assert TASK.solution(DOG) == 'Of the choices, "basket" fits the question best. Therefore, the answer is basket (b).'
    assert TASK.direct(DOG) == "(b)" and TASK.path(DOG, "a  b\nc") == "a b c"
    with_reason = read_row({**HUB, "rationale": "Baskets hold things."})
    assert TASK.solution(with_reason) == "Baskets hold things. Therefore, the answer is basket (b)."
    for problem in [DOG, with_reason]:
        assert (
            TASK.verify(problem, TASK.solution(problem)).reward
            == TASK.verify(problem, TASK.direct(problem)).reward
            == 1.0
        )


def test_demonstrations_are_right_short_and_favour_no_letter():
    shown = TASK.demonstrations()
    assert len(shown) == len(SOLVED_QUESTIONS) >= 6 and max(Counter(problem.answer for problem in shown).values()) <= 2
    for problem in shown:
        text = TASK.solution(problem)
        assert TASK.verify(problem, text).correct and "\n" not in text and len(text) <= TASK.max_completion_chars(1)


def test_both_public_forms_are_read():
    assert read_row(ORIGINAL) == read_row(HUB) == DOG
    for broken in (
        {**HUB, "answerKey": ""},
        {**HUB, "answerKey": "F"},
        {**HUB, "choices": {"label": ["A"], "text": ["x"]}},
    ):
        with pytest.raises(ValueError, match="choices A to E"):
            read_row(broken)


def test_splits_share_no_question_and_the_order_is_seeded(folder):
    task = load_task(f"commonsense_qa:{folder}")
    train, test = problems(task, 0, 0, 50), test_set(task, 40)
    assert len({problem.prompt for problem in train}) == 50 and len(test) == 30
    assert not {problem.prompt for problem in train} & {problem.prompt for problem in test}
    assert (
        train
        == [CommonsenseQa(str(folder)).problem(0, index) for index in reversed(range(50))][::-1]
        != problems(task, 1, 0, 50)
    )


def test_a_huge_answer_is_wrong_and_quick():
    for text in [
        "(b)" * 3_000_000,
        "answer is (b) " * 700_000,
        "answer is " + "b" * 40_000,
        "\n" * 10_000_000,
        "\ud800 answer is b",
    ]:
        start = time.perf_counter()
        verdict = TASK.verify(DOG, text)
        assert time.perf_counter() - start < 1 and verdict.correct == text.startswith("\ud800")


def test_without_questions_one_sentence_says_what_to_do(tmp_path, folder):
    with pytest.raises(SpkitError, match="has no train.jsonl or train_rand_split.jsonl"):
        CommonsenseQa(str(tmp_path / "..")).problem(0, 0)
    with pytest.raises(SpkitError, match="has one difficulty"):
        CommonsenseQa(str(folder)).problem(0, 0, 2)
    assert len(SOURCE.revision) == 40
