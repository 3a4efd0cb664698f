import json
import random
import re
import sys
import threading
import time
import types
from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest

from spkit.policy import data_folder
from spkit.run.errors import SpkitError
from spkit.tasks import Gsm8k, load_task, problems, test_set
from spkit.tasks import gsm8k as module
from spkit.tasks.answers import MAX_READ, expression_in, expressions, number_in
from spkit.tasks.gsm8k import SOURCE, read_row
from spkit.tasks.worked import calculations, value_of

SHIPPED = data_folder() / "problems" / "word_problems"
ROW = {
    "question": "A shop sells mugs in boxes of 6.  It has 15 boxes and sells 18 mugs. How many are left?",
    "answer": "There are 15 x 6 = <<15*6=90>>90 mugs.\n\nSo 90 - 18 = <<90-18=72>>72 mugs are left.\n#### 72",
}
PROBLEM, TASK = read_row(ROW), Gsm8k(str(SHIPPED))


def number_read(completion: str) -> str | None:
    return TASK.verify(PROBLEM, completion).parsed


def without_math_verify(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "math_verify", None)


RIGHT = [
    "#### 72",
    PROBLEM.rationale,
    "72",
    "$72",
    "72.",
    "#### 72.0",
    "#### $72.00",
    "#### 72 mugs",
    "#### **72**",
    "####72",
    "#### 072",
    "so #### 71\n#### 72",
    "#### 71 #### 72",
    "The answer is 72.",
    "The answer is 70. No: the answer is: $72",
    "I think it is 70.\nSo the final answer is **72** mugs.",
    "Thus \\boxed{72}.",
    "First \\boxed{70}, but then \\boxed{\\$72}",
    "#### \\boxed{72}",
    "#### 72\nQuestion: what else?",
    " \n#### 72 \n",
    "That makes 72.\nAnswer: 72",
    "The answer is:\n72",
    "\\boxed{72\\text{ mugs}}",
    "#### 72 months",
    "#### 72 square feet",
    "#### 72 paths",
    "#### +72",
    "#### 144/2",
    "\\boxed{\\frac{144}{2}}",
    "#### \\text{72}",
]
WRONG = [
    *(
        f"#### 72 {word}"
        for word in (
            "fifths",
            "thirds",
            "tenth",
            "squared",
            "k",
            "bn",
            "plus two",
            "minus one",
            "times ten",
            "to the power of two",
            "point five",
        )
    ),
    "#### 72 is wrong",
    "#### 72 less than 100",
    "\\boxed{7\\text{2}}",
    "",
    " ",
    "####",
    "#### ",
    "#### 72\n#### ",
    "#### 73",
    "#### 72 ####73",
    "#### -72",
    "#### --72",
    "#### +-72",
    "#### −72",
    "#### 72 or 73",
    "#### 72 or more",
    "#### not 72",
    "#### 72, 73",
    "#### 7.2e1",
    "#### 1e3",
    "#### 72e0",
    "#### 7 2",
    "#### 7_2",
    "#### 7*2",
    "#### 7**2",
    "#### 7,2",
    "#### 0,072",
    "#### 72.5",
    "#### 72.01",
    "#### 72%72",
    "#### 0x48",
    "#### 72 dozen",
    "#### 72 thousand",
    "#### LXXII",
    "#### seventy-two",
    "#### ٧٢",
    "#### ７２",
    "#### ⁷²",
    "#### 72²",
    "#### x = 72 = 73",
    "#### inf",
    "#### nan",
    "72 mugs were sold.\n#### 18",
    "There are 72 mugs left.\nThat is all.",
    "The answer is 72 if nothing broke, else 70",
    "The answer is not 72.",
    "The answer is 72 \\boxed{73}",
    "\\boxed{72",
    "\\boxed{}72",
    "\\boxed{72}\n#### 73",
    "<<90-18=72>>",
    "#" * 100 + "\n",
    "\0#### \x0072",
    "####\n72",
]


@pytest.mark.parametrize("installed", [True, False])
def test_verdicts_on_plain_numbers_are_the_same_with_and_without_math_verify(installed, monkeypatch):
    if not installed:
        without_math_verify(monkeypatch)
    assert [text for text in RIGHT if not TASK.verify(PROBLEM, text).correct] == []
    assert [text for text in WRONG if TASK.verify(PROBLEM, text).correct] == []


def test_emphasis_around_the_whole_sentence_and_a_minus_sign_are_read():
    assert [
        TASK.verify(PROBLEM, text).correct for text in ("**The answer is 72.**", "So *the answer is 72*", "#### 72**")
    ] == [True] * 3
    assert number_in("\u22125") == -5 and number_in("-\u22125") is None and number_in("5\u22122") is None


def test_numbers_have_one_spelling():
    assert {number_read(text) for text in RIGHT} == {"72"}
    read = {
        "#### 1,234,567": "1234567",
        "#### -3.50": "-3.5",
        "-$5": "-5",
        "$-5": "-5",
        "#### 0": "0",
        "#### -0": "0",
        "$1,234.50 dollars": "1234.5",
    }
    assert {text: number_read(text) for text in read} == read
    assert (
        number_read("#### 12,34") is None and number_read("#### 1234,567") is None and number_read("#### 1e3") is None
    )


def test_expressions_need_math_verify(monkeypatch):
    pytest.importorskip("math_verify")
    texts = [
        "#### 6 \\times 12",
        "\\boxed{\\frac{144}{2} * 1}",
        "#### \\sqrt{5184}",
        "The answer is $(60+12)$.",
        "#### \\dfrac{720}{10} + 0",
    ]
    assert [text for text in texts if not TASK.verify(PROBLEM, text).correct] == []
    assert number_read("#### \\frac{1}{3}") == "1/3" and not TASK.verify(PROBLEM, "#### 145/2").correct
    without_math_verify(monkeypatch)
    assert not any(TASK.verify(PROBLEM, text).correct for text in texts)


HOSTILE = [
    "9**9**9**9",
    "9^{9^{9^9}}",
    "99999!!!!",
    "\\frac{1}{0}",
    "0/0",
    "\\sqrt{-1}",
    "(" * 30,
    "\\frac" * 8,
    "72, 73",
    "\\text{7}2",
    "x",
    "1/(1-1)",
    "__import__('os')",
]


def test_a_hostile_expression_is_no_answer_and_quick():
    start = time.perf_counter()
    for text in HOSTILE:
        for form in (f"#### {text}", f"\\boxed{{{text}}}", f"The answer is ${text}$."):
            verdict = TASK.verify(PROBLEM, form)
            assert not verdict.correct and verdict.parsed is None, form
    assert time.perf_counter() - start < 3
    assert all(expression_in(text) is None for text in HOSTILE)


def test_powers_never_get_to_the_parser(monkeypatch):
    seen = []
    monkeypatch.setattr(
        expressions, "_math_verify", lambda: lambda text, parsing_timeout: seen.append((text, parsing_timeout)) or []
    )
    for text in [
        *HOSTILE[:3],
        "9" * 5000,
        "2^3",
        "2 3",
        "10**9",
        "3!",
        "\\binom{9}{2}",
        "72 or 73",
        "9" * 10,
        "e",
        "\\pi",
    ]:
        TASK.verify(PROBLEM, f"#### {text}")
    assert seen == []
    TASK.verify(PROBLEM, "#### \\frac{144}{2}*1")
    assert seen == [("$\\frac{144}{2}*1$", None)]


def test_answers_are_read_in_threads_too():
    """The parser's time limits use a signal, which only the main thread may set.

    With them, everything is wrong here.
    """
    pytest.importorskip("math_verify")
    right = []
    thread = threading.Thread(
        target=lambda: right.extend(TASK.verify(PROBLEM, text).correct for text in ("#### 72", "#### 6 \\times 12"))
    )
    thread.start()
    thread.join()
    assert right == [True, True]


@pytest.mark.parametrize(
    "text",
    [
        "9" * 10_000_000,
        "#" * 10_000_000,
        "#### 72" + " ," * 5_000_000,
        "\\boxed{" * 1_500_000,
        "the answer is " * 700_000,
        "<<1+1=2>>" * 1_000_000,
        "<<" * 5_000_000,
        "answer  " * 1_200_000,
    ],
    ids=range(8),
)
def test_ten_megabytes_are_no_answer_and_quick(text):
    for long, right in (
        (text, False),
        (f"{text}\n#### 72", False),
        (text[:MAX_READ], False),
        (text[: MAX_READ - 10] + "\n#### 72", True),
    ):
        start = time.perf_counter()
        verdict = TASK.verify(PROBLEM, long)
        assert time.perf_counter() - start < 1 and verdict.correct == right
        assert len(TASK.path(PROBLEM, long)) <= MAX_READ


def test_nothing_raises_on_noise():
    rng, pieces = (
        random.Random(0),
        [
            "####",
            "\\boxed{",
            "}",
            "answer is",
            "<<",
            ">>",
            "=",
            "72",
            "$",
            ",",
            "-",
            "*",
            "/",
            "(",
            ")",
            ".",
            "%",
            "\n",
            " ",
            "٢",
            "\ud800",
            "é",
            "**",
        ],
    )
    for _ in range(3000):
        text = "".join(rng.choices(pieces, k=rng.randint(1, 12)))
        assert 0 <= TASK.verify(PROBLEM, text).reward <= 1 and isinstance(TASK.path(PROBLEM, text), str)


@pytest.mark.parametrize(
    ("completion", "errors", "reward"),
    [
        (PROBLEM.rationale, 0, 1.0),
        ("<<15*6-18=72>>72\n#### 72", 0, 1.0),
        ("#### 72", 0, 1 / 3),
        ("<<15*6=91>>91\n<<90-18=72>>72\n#### 72", 1, 2 / 3),
        ("<<15*6=90>>\n<<15*6=90>>\n#### 72", 1, 2 / 3),
        ("<<15*6=90>>\n#### 90", 1, 1 / 3),
        ("<<72>>\n#### 72", 1, 2 / 3),
    ],
)
def test_steps(completion, errors, reward):
    verdict = TASK.verify(PROBLEM, completion)
    assert verdict.step_errors == errors and verdict.reward == pytest.approx(reward)


def test_calculations_of_the_public_files_are_read():
    """Forms that stand in GSM8K's files; the last four are wrong."""
    right = [
        "20/100*20=4",
        "1/2*2500=1250",
        "20*.5=10",
        "17+7=24",
        "16*3-5=43",
        "(2+3)*4=20",
        "200*20%=40",
        "20%*50=10",
        "8=8",
        "1,000*2=2,000",
        "10/3=3.33",
        "2/3=.67",
        "5*-2=-10",
    ]
    wrong = ["10/3=3.3", "5+3=9", "5/0=5", "2**3=8", "10/4=2.4"]
    assert [text for text in right if not calculations(f"<<{text}>>")[0].right] == []
    assert [text for text in wrong if calculations(f"<<{text}>>")[0].right] == []


def test_evaluation_agrees_with_python_on_random_calculations():
    rng = random.Random(1)
    for _ in range(1000):
        text = str(rng.randint(0, 99))
        for _ in range(rng.randint(1, 4)):
            text = f"{text if rng.random() < 0.6 else f'({text})'}{rng.choice('+-*/')}{rng.randint(1, 99)}"
        assert value_of(text) == eval(
            re.sub(r"(\d+)", r"Fraction(\1)", text), {"Fraction": Fraction}
        )  # our own text, not a model's


def test_rows_keep_question_solution_and_difficulty():
    assert (
        PROBLEM.prompt
        == "Question: A shop sells mugs in boxes of 6. It has 15 boxes and sells 18 mugs. How many are left?\nAnswer:\n"
    )
    assert (
        PROBLEM.rationale.endswith("mugs are left.\n#### 72")
        and "\n\n" not in PROBLEM.rationale
        and PROBLEM.difficulty == 2
    )
    assert read_row({"question": "q", "answer": "no calculation\n#### 1,234"}).answer == "1234"
    assert read_row({"question": "q", "answer": "#### 5"}).rationale == "#### 5"
    many = "\n".join(f"<<{i}+1={i + 1}>>" for i in range(12))
    assert read_row({"question": "q", "answer": f"{many}\n#### 12"}).difficulty == 8
    assert (
        TASK.hint(PROBLEM).endswith("How many are left? (The answer is 72.)\nAnswer:\n")
        and TASK.direct(PROBLEM) == "#### 72"
    )


def test_the_shipped_problems_come_through_the_public_format():
    asked_for = test_set(TASK, 60)
    assert Counter(problem.difficulty for problem in asked_for) == dict.fromkeys(
        range(1, 6), 50
    ) and TASK.difficulties == (
        1,
        2,
        3,
        4,
        5,
    )
    assert {problem.prompt for problem in asked_for} == {
        problem.prompt for problem in test_set(load_task("word_problems"), 50)
    }
    for problem in asked_for:
        verdict = TASK.verify(problem, TASK.solution(problem))
        assert (
            verdict.correct
            and verdict.reward == 1
            and len(TASK.solution(problem)) <= TASK.max_completion_chars(problem.difficulty)
        )
    assert load_task(f"gsm8k:{SHIPPED}") == TASK and load_task("gsm8k").name == "gsm8k"


def test_the_order_is_seeded_and_goes_through_the_set_before_it_repeats():
    once = problems(TASK, 5, 0, 250)
    assert len({problem.prompt for problem in once}) == 250 and once[:100] != problems(TASK, 6, 0, 100)
    assert problems(TASK, 5, 250, 250) != once and {p.prompt for p in problems(TASK, 5, 250, 250)} == {
        p.prompt for p in once
    }
    assert [TASK.problem(5, index) for index in (249, 3, 77)] == [once[249], once[3], once[77]]
    assert Gsm8k(str(SHIPPED)).problem(5, 3) == once[3]


def written(path: Path, rows: list[dict]) -> Path:
    path.write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    return path


def rows_of(numbers: range) -> list[dict]:
    return [{"question": f"How much is {n} and 1?", "answer": f"<<{n}+1={n + 1}>>\n#### {n + 1}"} for n in numbers]


def test_train_and_test_share_no_question(tmp_path):
    written(tmp_path / "test.jsonl", rows_of(range(10)))
    written(
        tmp_path / "train.jsonl",
        [*rows_of(range(5, 30)), *rows_of(range(5, 30)), {**rows_of(range(1))[0], "question": "how much is 0  AND 1?"}],
    )
    task = Gsm8k(str(tmp_path))
    train = {problem.prompt for problem in problems(task, 0, 0, 100)}
    assert len(train) == 20 and not train & {problem.prompt for problem in test_set(task, 50)}
    single = Gsm8k(str(written(tmp_path / "all.jsonl", rows_of(range(200)) * 2)))
    halves = [{problem.prompt for problem in problems(single, 0, 0, 400, split)} for split in ("train", "test")]
    assert not halves[0] & halves[1] and len(halves[0]) + len(halves[1]) == 200 and 25 < len(halves[1]) < 75


@pytest.mark.parametrize(
    "gold", ["#### 18 or 19", "#### 1.234,00", "####", "18", "#### eighteen", "#### 1/0", "#### 18\nmore", "#### 2^4"]
)
def test_a_gold_answer_that_cannot_be_read_is_refused_by_its_line(tmp_path, gold):
    path = written(tmp_path / "some.jsonl", [*rows_of(range(40)), {"question": "q", "answer": gold}])
    with pytest.raises(SpkitError, match="some.jsonl line 41 is not in the expected format .*no #### with a number"):
        Gsm8k(str(path)).problem(0, 0)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"question": "q", "ans', "some.jsonl line 41 is no JSON .Unterminated string"),
        (b"[" * 100_000, "some.jsonl line 41 is no JSON"),
        (b'{"question": null, "answer": "#### 5"}', "some.jsonl line 41 is not in the expected format"),
        (b'{"question": "q", "answer": 5}', "some.jsonl line 41 is not in the expected format"),
        (b"\xff", "some.jsonl line 41 is no text in UTF-8"),
    ],
)
def test_a_line_that_is_damaged_is_named(tmp_path, line, said):
    path = written(tmp_path / "some.jsonl", rows_of(range(40)))
    path.write_bytes(path.read_bytes() + line)
    with pytest.raises(SpkitError, match=said):
        Gsm8k(str(path)).problem(0, 0)


def test_files_of_other_systems_are_read(tmp_path):
    odd = {"question": "one\u2028two\x85three", "answer": "#### 3"}
    lines = [*map(json.dumps, rows_of(range(40))), " ", json.dumps(odd, ensure_ascii=False)]
    path = tmp_path / "some.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    assert (
        len(
            {
                Gsm8k(str(path)).problem(0, index, split=split).prompt
                for index in range(41)
                for split in ("train", "test")
            }
        )
        == 41
    )


@pytest.mark.parametrize("count", [0, 1])
def test_a_file_that_is_too_short_is_one_sentence(tmp_path, count):
    task = Gsm8k(str(written(tmp_path / "short.jsonl", rows_of(range(count)))))
    with pytest.raises(SpkitError, match="has no question for the"):
        task.difficulties
    both = [{"question": "a", "answer": "#### 1"}], [{"question": "b", "answer": "<<1+1=2>> <<2+1=3>>\n#### 3"}]
    for name, rows in zip(("train.jsonl", "test.jsonl"), both):
        written(tmp_path / name, rows)
    with pytest.raises(SpkitError, match="no number of steps in common"):
        Gsm8k(str(tmp_path)).difficulties


def test_the_environment_names_a_folder(monkeypatch):
    monkeypatch.setenv(SOURCE.variable, str(SHIPPED))
    assert Gsm8k().problem(0, 0) == TASK.problem(0, 0)


def hub(monkeypatch, load_dataset) -> None:
    monkeypatch.delenv(SOURCE.variable, raising=False)
    monkeypatch.setitem(sys.modules, "datasets", types.SimpleNamespace(load_dataset=load_dataset))
    forget()


def forget() -> None:
    """Nothing read so far is remembered."""
    for remembered in (module._loaded, module.of_difficulty, module.longest_solution):
        remembered.cache_clear()


def test_the_hub_is_asked_for_a_pinned_revision(monkeypatch):
    calls = []
    hub(
        monkeypatch,
        lambda name, config, revision, split: (
            calls.append((name, config, revision, split)) or rows_of(range(9) if split == "test" else range(9, 30))
        ),
    )
    assert len(test_set(Gsm8k(), 50)) == 9
    assert calls == [("openai/gsm8k", "main", SOURCE.revision, split) for split in ("train", "test")] and re.fullmatch(
        "[0-9a-f]{40}", SOURCE.revision
    )
    forget()


def test_without_questions_one_sentence_says_what_to_do(monkeypatch, tmp_path):
    def offline(*arguments, **options):
        raise ConnectionError("no route")

    hub(monkeypatch, offline)
    with pytest.raises(
        SpkitError,
        match=r"could not download openai/gsm8k \(ConnectionError\): check the network, or give gsm8k:FOLDER",
    ):
        Gsm8k().problem(0, 0)
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(SpkitError, match=r"give gsm8k:FOLDER, or set SPKIT_GSM8K .* pip install 'selfplay-kit\[hub\]'"):
        Gsm8k().problem(0, 0)
    with pytest.raises(SpkitError, match="there is no .*nowhere"):
        Gsm8k(str(tmp_path / "nowhere")).problem(0, 0)
    with pytest.raises(SpkitError, match="has no train.jsonl"):
        Gsm8k(str(tmp_path)).problem(0, 0)
    written(tmp_path / "broken.jsonl", [{"question": "q", "answer": "no marker 5"}])
    with pytest.raises(SpkitError, match="broken.jsonl line 1 is not in the expected format"):
        Gsm8k(str(tmp_path / "broken.jsonl")).problem(0, 0)
    (tmp_path / "text.jsonl").write_text("not json\n")
    with pytest.raises(SpkitError, match="text.jsonl line 1 is no JSON"):
        Gsm8k(str(tmp_path / "text.jsonl")).problem(0, 0)
    with pytest.raises(SpkitError, match="no train problem of difficulty 9: choose among 1, 2, 3, 4, 5"):
        TASK.problem(0, 0, 9)
