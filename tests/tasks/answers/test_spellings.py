"""The table of spellings, row by row, through every reader; and generated spellings, which may go unread but never be
misread.
"""

import random
import re
import sys
import time
from fractions import Fraction
from pathlib import Path

import pytest

from spkit.diagnose.texts import final_answer, gold_answer, has_extra
from spkit.tasks import CommonsenseQa, Gsm8k, WordProblems
from spkit.tasks.answers import as_text, choice_in, expression_in, final_text, last_number, marks, number_in, spelled
from spkit.tasks.answers.numbers import MAX_ANSWER
from spkit.tasks.answers.places import MAX_READ
from spkit.tasks.commonsense_qa import choice_problem
from spkit.tasks.gsm8k import read_row
from spkit.tasks.worked import WorkedProblem
from tests.tasks.answers.rendering import a_value, rendered

FOLDER = Path(__file__).parent
CALCULATED = {"\\sqrt{324}": "18"}  # by math-verify


def shown(text: str) -> str:
    return re.sub(r"<U\+([0-9A-F]{4})>", lambda code: chr(int(code[1], 16)), text.replace("⏎", "\n"))


def table(name: str) -> list[list[str]]:
    lines = (FOLDER / name).read_text(encoding="utf-8").split("\n")
    return [[shown(cell) for cell in line.split("\t")] for line in lines if line.strip() and not line.startswith("#")]


ROWS = table("spellings.tsv")


def test_the_table_is_large_and_has_each_spelling_once():
    assert len(ROWS) > 250 and len({text for _, _, text in ROWS}) == len(ROWS)
    assert sum(value == "none" for value, _, _ in ROWS) > 80


def test_the_tasks_read_what_the_table_says(monkeypatch):
    gsm8k, problem = Gsm8k("nowhere"), read_row({"question": "q", "answer": "#### 18"})
    story, own = WordProblems(), WorkedProblem("Question: q\nAnswer:\n", "18", 1, "#### 18")
    for installed in (True, False):
        if not installed:
            monkeypatch.setitem(sys.modules, "math_verify", None)
        for value, _, text in ROWS:
            expected = None if value == "none" else value
            read = {
                name: task.verify(one, text)
                for name, task, one in (("gsm8k", gsm8k, problem), ("word_problems", story, own))
            }
            assert read["word_problems"].parsed == expected, text
            assert read["gsm8k"].parsed == (CALCULATED.get(text, expected) if installed else expected), text
            assert read["word_problems"].correct == (expected == "18"), text


def test_diagnose_reads_what_the_table_says():
    for value, other, text in ROWS:
        expected = value if other == "=" else other
        assert (final_answer(text) or "none") == expected, text


def test_generated_spellings_are_read_as_their_value():
    rng, unread = random.Random(0), []
    for _ in range(6000):
        value = a_value(rng)
        text = rendered(value, rng)
        read = number_in(final_text(text))
        assert read in (None, value), (text, read, value)
        assert final_answer(text) in (None, as_text(value)) or not re.fullmatch(r"-?[\d./]+", final_answer(text)), (
            text,
            value,
        )
        unread += [text] if read is None else []
    assert len(unread) < 60, unread[:20]


SPOILT = (
    "{} or {other}", "{} to {other}", "{}-{other}", "{}–{other}", "{}:{two}", "{}, {other}", "{} and {other}",
    "{}^{other}", "{}e{two}", "{},{two}",
    "{}..{other}", "{} thousand", "{} million", "{}k", "{}M", "{}x", "{} dozen", "{} \\times {other}",
    "{}\\cdot {other}", "{}!{other}", "{} = {other}",
    "{} x {other}", "{}_{other}", "\\sqrt{{{}}}", "\\sqrt[3]{{{}}}", "-{} - {other}", "--{}", "±{}",
    "{} ± {other}", "{}²", "{} {two}", "{}/{other}/{two}",
    "{} or more", "not {}", "{} more", "{}{{{two}}}", "x{}", "{}\\text{{{other}}}", "{}…{other}", "1e{}",
    "({}, {other})", "{} half",
)  # fmt: skip


def test_what_is_spoilt_on_purpose_is_not_read():
    """Each changes the number or makes two of it; none of them may be read as anything, in any place."""
    rng = random.Random(1)
    for _ in range(6000):
        number, other, two = rng.randint(10, 99_999), rng.randint(1001, 9999), rng.randint(10, 99)
        broken = rng.choice(SPOILT).format(number, other=other, two=two)
        text = rng.choice(
            ("#### {}", "<answer>{}</answer>", "\\boxed{{{}}}", "The answer is {}.", "**Final Answer:** {}")
        ).format(broken)
        assert number_in(final_text(text)) is None, text
        said = final_answer(text)
        assert said is None or not text.startswith(("#", "<", "\\")) or not re.fullmatch(r"-?\d+(?:\.\d+)?", said), (
            text,
            said,
        )


def test_the_last_number_is_never_one_that_is_not_written():
    """In running text the last number may go unread; if it is read, it is the one that was put there, with nothing of
    its neighbours.
    """
    rng, read = random.Random(2), 0
    for _ in range(4000):
        value = Fraction(rng.randint(-999, 99_999))
        lead = rng.choice(
            (
                "There are {o} mugs and {o} cups.\nThat leaves ",
                "{o} * 3 = ",
                "So it costs $",
                "left: ",
                "in {o}, ",
                "x{o} is ",
                "is **",
            )
        )
        after = rng.choice((" mugs.", ".", "", "!", " left.\nDone.", "**.", "% of all.", "\n"))
        text = lead.format(o=rng.randint(1, 99)) + (as_text(value) if rng.random() < 0.5 else f"{int(value):,}") + after
        found = last_number(text)
        assert found in (None, value), (text, found)
        read += found is not None
    assert read > 3800


def test_random_signs_never_raise_and_all_readers_agree_on_what_is_read():
    pieces = ["18", "1", "234", ",", ".", "/", " ", "-", "+", "$", "\\$", "\\frac", "{", "}", "\\text{",
        "\\boxed{", "####", "<answer>", "</answer>",
              "answer is", "answer:", "**", "`", "½", "%", "\\(", "\\)", "=", "x", "\n", "\u2009", "'", "\u2212",
        "\ud800", "٢", "¤", "e", "(", ")"]  # fmt: skip
    rng = random.Random(3)
    for _ in range(20_000):
        text = "".join(rng.choices(pieces, k=rng.randint(1, 10)))
        value, said = number_in(final_text(text)), final_answer(text)
        marks(text), has_extra(text, "18"), spelled(text), expression_in(text) if rng.random() < 0.05 else None
        if value is not None and said is not None and any(mark in text for mark in ("####", "<answer>", "\\boxed{")):
            assert said == as_text(value), text


def test_a_value_survives_being_written_in_one_spelling():
    rng = random.Random(4)
    for _ in range(2000):
        value = a_value(rng)
        assert number_in(as_text(value)) == value and spelled(as_text(value)) == as_text(value) == gold_answer(
            as_text(value)
        )


HOSTILE = [
    "9" * 10_000_000, "1," * 5_000_000, "1 " * 5_000_000, "{" * 10_000_000, "}" * 10_000_000,
        "\\boxed{" * 1_400_000, "\\boxed{" * 700_000 + "}" * 700_000,
    "<answer>" * 1_250_000, "</answer>" * 1_100_000, "#" * 10_000_000, "answer " * 1_400_000,
        "answer" + " " * 10_000_000, "\\frac{" * 1_600_000,
    "\\frac{1}{" * 1_100_000, "*" * 10_000_000, "$" * 10_000_000, "-" * 10_000_000, "." * 10_000_000,
        "\\text{" * 1_600_000, "\\" * 10_000_000,
    "\n" * 10_000_000, "½" * 5_000_000, "=" * 10_000_000, "a" * 10_000_000, "1/" * 5_000_000, "or 1 " * 2_000_000,
        "\\boxed" + " " * 10_000_000,
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_ten_megabytes_take_linear_time(text):
    """The tasks' readers on the whole text, those of `diagnose`, which shortens texts to 20,000 characters, on a
    tenth of it.

    A square of these lengths would take hours.
    """
    start = time.perf_counter()
    assert final_text(text) is None
    for reader in (number_in, last_number, expression_in):
        reader(text)
    choice_in(text, "ab", ("x", "y"))
    for reader in (marks, final_answer, spelled):
        reader(text[:1_000_000])
    has_extra(text[:1_000_000], "18")
    for short in (text[:MAX_READ], text[: MAX_READ - 9] + "\n#### 18", text[:MAX_ANSWER]):
        final_text(short), number_in(final_text(short)), final_answer(short)
    assert time.perf_counter() - start < 30


def test_numbers_beyond_pythons_limit_of_digits_do_not_raise():
    for text in (
        "9" * 4301,
        "9" * 19_000,
        f"#### {'9' * 5000}",
        f"\\boxed{{{'9' * 5000}}}",
        f"so {'9' * 5000}",
        f"1/{'9' * 5000}",
        "9" * 60,
        f"1/{'9' * 50}",
    ):
        number_in(text), last_number(text), final_answer(text), has_extra(text, "9" * 5000), gold_answer(text)
    assert final_answer("9" * 60) == "9" * 60 and final_answer(f"#### {'9' * 5000}") == "9" * 5000


def test_ranges_and_dates_are_not_calculated():
    pytest.importorskip("math_verify")
    for text in ("18-20", "18 - 20", "2024-01-05", "10/12/2024", "01/05", "2-1/2", "$18-20$"):
        assert expression_in(text) is None, text
    assert (
        expression_in("90 - 18") == 72 and expression_in("\\(6 \\times 12\\)") == 72 and expression_in("**6*12**") == 72
    )


def test_choices_are_read_as_the_table_says():
    dog = choice_problem("What can carry a dog?", ("swimming pool", "basket", "dog show", "back yard", "own home"), "b")
    rows = table("choices.tsv")
    assert len(rows) > 40
    for letter, text in rows:
        assert (CommonsenseQa().verify(dog, text).parsed or "none") == letter, text
