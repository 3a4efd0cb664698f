"""Stories: what they say, how they are split, what is read of a reply, and the two verdicts."""

import json
import re
import time
from itertools import accumulate

import pytest
import torch

from spkit.measures.accuracy import accuracy
from spkit.policy import Rollouts
from spkit.policy.prompting import prompting_for
from spkit.run.errors import SpkitError
from spkit.run.tables import IterationTable
from spkit.stages.buffers import Buffers
from spkit.stages.measure import attempt_counts, first_samples, kept_counts, lenient_on_tests, verdict_row
from spkit.stages.propose import proposable
from spkit.stages.solve import Attempts, verify_all
from spkit.stages.verify import Filter, keep
from spkit.tasks import Stories, Verdict, load_task, problems, test_set
from spkit.tasks.base import item_rng
from spkit.tasks.stories.equations import equations
from spkit.tasks.stories.proposing import EXAMPLE_SUMS
from spkit.tasks.stories.task import answer_in, split_of_numbers
from spkit.tasks.stories.telling import StoryProblem, fault_of, story_of
from spkit.tasks.stories.words import ASIDES, CAST, COMINGS, LEAVINGS, STORY_OPENINGS, THINGS, plural
from tests.hostile import TEXTS
from tests.policy.test_prompting import CHAT

TASK = Stories()
LEVELS = (1, 2, 3, 4)
SAMPLE = {level: [TASK.problem(3, index, level) for index in range(400)] for level in LEVELS}
ALL = sum(SAMPLE.values(), [])
BEN = StoryProblem(
    "Ben has 9 apples. Ben buys 9 more apples. Then Ben sells 3 apples. How many apples does Ben have now?",
    "15",
    2,
    (9, 9, -3),
    "Ben",
    "apple",
)


def test_words_are_many_and_different():
    assert len({one.name for one in CAST}) == len(CAST) >= 40 and len(set(THINGS)) == len(THINGS) >= 40
    assert len(set(COMINGS)) == len(COMINGS) >= 20 and len(set(LEAVINGS)) == len(LEAVINGS) >= 20
    for form in (*COMINGS, *LEAVINGS, *STORY_OPENINGS):
        assert form.count("@") == 1 and form.count("#") == 1 and form.count("%") <= 1 and not form.endswith(".")
    assert not set(COMINGS) & set(LEAVINGS)


@pytest.mark.parametrize("level", LEVELS)
def test_the_answer_follows_from_the_numbers_told(level):
    for problem in SAMPLE[level]:
        start, *changes = problem.numbers
        assert len(changes) == level == problem.difficulty and int(problem.answer) == sum(problem.numbers)
        assert all(1 <= abs(number) <= 12 for number in problem.numbers) and start > 0
        assert all(0 <= total <= 40 for total in accumulate(problem.numbers))
        told = [int(number) for number in re.findall(r"\d+", problem.prompt)]
        for number in map(abs, problem.numbers):
            told.remove(number)
        assert len(told) == (2 if level == 4 else 0)
        assert problem.answer != problem.prompt and not problem.prompt.endswith(f"{problem.answer}.")


def test_the_sentences_are_grammatical():
    for problem in ALL:
        text = problem.prompt
        assert "\n" not in text and text.count("?") == 1 and text.isascii()
        assert not re.search(r"[@#%$_{}]|  |\.\.|\?\.", text), text
        for number, thing in re.findall(r"\b(\d+) (?:more )?([a-z]+)", text):
            one = thing in THINGS
            assert not (one and number != "1") and not (number == "1" and thing in map(plural, THINGS)), text
        for sentence in re.split(r"(?<=[.?]) ", text.strip()):
            assert sentence[0].isupper(), text
        assert f"How many {plural(problem.thing)} does {problem.who} have" in text
    for reply in map(TASK.solution, ALL):
        for number, thing in re.findall(r"= (\d+) ([a-z]+)", reply):
            assert (thing in THINGS) == (number == "1") and (thing in map(plural, THINGS)) == (number != "1"), reply


def test_stories_are_told_in_several_orders():
    begins = [problem.prompt.startswith("How many") for problem in ALL]
    assert 0.05 < sum(begins) / len(ALL) < 0.3
    assert sum(" had " in problem.prompt for problem in ALL) > 80 and sum(" and " in p.prompt for p in ALL) > 80
    others = sum(any(f"{one.name}" in p.prompt for one in CAST if one.name != p.who) for p in SAMPLE[1])
    assert others > 100
    assert len({re.sub(r"\d+", "", problem.prompt) for problem in SAMPLE[1]}) > 350


def test_item_depends_on_its_arguments_only():
    once = problems(TASK, 7, 0, 30)
    assert once == [load_task("stories").problem(7, index) for index in reversed(range(30))][::-1]
    assert once != problems(TASK, 8, 0, 30) and once != problems(TASK, 7, 0, 30, "test")
    assert [problem.difficulty for problem in once[:4]] == [1, 2, 3, 1]


def test_train_and_test_share_no_numbers():
    tests = test_set(TASK, 60) + test_set(TASK, 60, TASK.extrapolation)
    held = {problem.numbers for problem in tests}
    assert not held & {problem.numbers for problem in ALL}
    assert {split_of_numbers(numbers) for numbers in held} == {"test"}
    assert {split_of_numbers(problem.numbers) for problem in ALL} == {"train"}
    for level in LEVELS:
        own = [problem for problem in tests if problem.difficulty == level]
        assert len({problem.prompt for problem in own}) == 60
        assert len({problem.numbers for problem in own}) >= (30 if level == 1 else 55)


def test_a_story_is_made_of_its_numbers():
    made = story_of((5, -5, 12), item_rng("a"))
    assert (made.answer, made.difficulty, made.numbers) == ("12", 2, (5, -5, 12)) and made == story_of(
        (5, -5, 12), item_rng("a")
    )
    assert made.prompt != story_of((5, -5, 12), item_rng("b")).prompt
    for bad, why in [
        ((5,), "one change"),
        ((5, -6), "0 to 40"),
        ((5, 13), "1 to 12"),
        ((-1, 2), "1 to 12"),
        ((5, 0), "1 to 12"),
    ]:
        assert why in fault_of(bad)
        with pytest.raises(SpkitError, match="no story has the numbers"):
            story_of(bad, item_rng("a"))
    assert fault_of((12, 12, 12, 5)).startswith("after every change")


@pytest.mark.parametrize("level", LEVELS)
def test_every_solution_is_right_and_every_careless_reply_is_wrong(level):
    kinds = set()
    for problem in SAMPLE[level][:150]:
        texts = {TASK.reference(problem, variant) for variant in range(16)}
        assert len(texts) >= 4 and TASK.reference(problem, 0) == TASK.solution(problem)
        for text in texts:
            verdict = TASK.verify(problem, text)
            assert verdict == Verdict(True, 1.0, problem.answer, 0, True), text
            assert len(text) <= TASK.max_completion_chars(level) and TASK.path(problem, text).count("=") == level
        for variant in range(6):
            text = TASK.careless(problem, variant)
            verdict = TASK.verify(problem, text)
            assert not verdict.correct and not verdict.lenient and verdict.reward < 1, text
            assert verdict.parsed is not None and len(text) <= TASK.max_completion_chars(level)
            kinds.add(verdict.step_errors > 0)
        assert TASK.verify(problem, TASK.direct(problem)).correct
    assert kinds == {True, False}  # wrong sums, and wrong signs with right sums


READINGS = [
    # text, found, false
    ("9 + 9 = 18", 1, 0),
    ("9+9=18", 1, 0),
    ("9 + 9 = 19", 1, 1),
    ("12 - 3 = 9", 1, 0),
    ("12 \u2212 3 = 9", 1, 0),
    ("12 \u2013 3 = 9", 1, 0),
    ("12 - 3 = 8.", 1, 1),
    ("9 + 9 - 3 = 15", 1, 0),
    ("9 + 9 - 3 = 16", 1, 1),
    ("$9 + $9 = $18", 1, 0),
    ("9 apples + 9 apples = 18 apples.", 1, 0),
    ("9 apples + 9 more red apples = 17 apples", 1, 1),
    ("Ben has 9 + 9 = 18 apples and 18 - 3 = 15 are left.", 2, 0),
    ("9 + 9 = 18. 18 - 3 = 16.", 2, 1),
    ("9 + 9 = 18\n18 - 3 = 15", 2, 0),
    ("1. 9 + 9 = 18\n2. 18 - 3 = 15", 2, 0),
    ("- 9 + 9 = 18\n- 18 - 3 = 15", 2, 0),
    ("* 9 + 9 = 18\n* 18 - 3 = 14", 2, 1),
    ("**9 + 9 = 18**", 1, 0),
    ("9 + 9 = **18** apples", 1, 0),
    ("\\(9 + 9 = 18\\)", 1, 0),
    ("\\[ 9 \\text{ apples} + 9 = \\boxed{18} \\]", 1, 0),
    ("`9+9=18`", 1, 0),
    ("9 plus 9 equals 18", 1, 0),
    ("9 plus 9 is 18.", 1, 0),
    ("12 minus 3 is 8", 1, 1),
    ("(9 + 9) - 3 = 15", 1, 0),
    ("(9 + 9 = 18)", 1, 0),
    ("12 - (3 + 4) = 5", 1, 0),
    ("9 + 9 = 18 = 18", 1, 0),
    ("9 + 9 = 18 - 3 = 15", 1, 1),
    ("18 = 9 + 9", 1, 0),
    ("3 - 5 = -2", 1, 0),
    ("2 * 9 + 1 = 19", 1, 0),
    ("2 x 9 = 18", 1, 0),
    ("2 \\times 9 = 19", 1, 1),
    ("x = 9 + 9 = 18", 1, 0),
    ("Total = 9 + 9 = 18", 1, 0),
    ("He gets 9 apples 3 + 4 = 7", 1, 0),
    ("12 / 0 = 3", 1, 1),
    # no equations
    ("x + 3 = 12", 0, 0),
    ("apples - 9 + 3 = 12", 0, 0),
    ("9 + 9 = ?", 0, 0),
    ("9 + ? = 18", 0, 0),
    ("9 + x = 18", 0, 0),
    ("9 = 9", 0, 0),
    ("9 + 9", 0, 0),
    ("He has 9 apples and is 7", 0, 0),
    ("9 apples, 9 more, so 18", 0, 0),
    ("9^2 + 1 = 82", 0, 0),
    ("", 0, 0),
]


@pytest.mark.parametrize(("text", "found", "false"), READINGS)
def test_equations_are_read_and_checked(text, found, false):
    read = equations(text)
    assert (len(read), sum(not one.right for one in read)) == (found, false), read


SOLVED = "Ben has 9 + 9 = 18 apples. Then 18 - 3 = 15 apples."


@pytest.mark.parametrize(
    ("completion", "correct", "errors", "reward", "lenient"),
    [
        (f"{SOLVED} The answer is 15.", True, 0, 1.0, True),
        (f"{SOLVED}\n#### 15", True, 0, 1.0, True),
        (f"{SOLVED}\nAnswer: 15 apples", True, 0, 1.0, True),
        (f"{SOLVED} So \\boxed{{15}}", True, 0, 1.0, True),
        (SOLVED, True, 0, 1.0, True),  # without a mark the last number
        (f"{SOLVED} The answer is 15 apples. Done", True, 0, 1.0, True),
        ("9 + 9 - 3 = 15", True, 0, 1.0, True),
        ("18 = 9 + 9. 15 = 18 - 3. The answer is 15.", True, 0, 1.0, True),
        ("18 = 9 + 9. 15 = 18 - 2. The answer is 15.", True, 1, 2 / 3, True),
        ("The answer is 15.", True, 0, 1 / 3, True),
        ("15", True, 0, 1 / 3, True),
        (f"{SOLVED} The answer is 14. No: 15", False, 1, 1 / 3, True),
        ("#### 14\nor 15", False, 0, 0.0, True),  # only the lenient check takes it
        (f"{SOLVED} #### 15 of 18", False, 0, 2 / 3, False),
        ("9 + 9 = 19. 19 - 3 = 16. The answer is 15.", True, 2, 1 / 3, True),
        ("9 + 8 = 17. The answer is 15.", True, 2, 1 / 3, True),  # 8 is in no sentence, and 15 no result
        ("9 + 9 = 18. The answer is 18.", False, 0, 1 / 3, False),
        (f"{SOLVED} {SOLVED} The answer is 15.", True, 0, 1 / 3, True),  # repeated steps earn nothing
        ("9 + 9 = 18. " * 5 + "The answer is 18.", False, 0, 0.0, False),
        ("fifteen", False, 0, 0.0, False),
        ("", False, 0, 0.0, False),
    ],
)  # fmt: skip
def test_verdicts(completion, correct, errors, reward, lenient):
    verdict = TASK.verify(BEN, completion)
    assert (verdict.correct, verdict.step_errors) == (correct, errors)
    assert verdict.reward == pytest.approx(reward) and verdict.lenient == (lenient or correct)


def test_numbers_of_asides_do_not_count():
    aside = StoryProblem(BEN.prompt.replace("Then", "Tom has 7 plums. Then"), "15", 2, (9, 9, -3), "Ben", "apple")
    assert TASK.verify(aside, f"{SOLVED} The answer is 15.").step_errors == 0
    assert TASK.verify(aside, "9 + 9 = 18. 18 + 7 = 25. The answer is 25.").step_errors == 1
    for problem in SAMPLE[4][:50]:
        counted = list(map(abs, problem.numbers))
        assert len(re.findall(r"\d+", problem.prompt)) == len(counted) + 2
    assert all("$" in form for form in ASIDES)


def test_hostile_text_is_never_right_and_quick():
    long = (
        "9" * 10_000_000,
        SOLVED + " " * 10_000_000 + "15",
        "9 + 9 = 18 " * 1_000_000,
        "(" * 10_000_000,
        "9 +" * 3_000_000,
    )
    short = (
        "9 + " * 12_000,
        "(" * 49_000 + "9",
        "a " * 24_000,
        "9 apples " * 5000,
        "=" * 49_000,
        "9 = " * 12_000,
        "1+1=2;" * 8000,
    )
    for text in (*TEXTS, *long, *short):
        begun = time.perf_counter()
        verdict, path = TASK.verify(BEN, text), TASK.path(BEN, text)
        assert not verdict.correct and verdict.step_errors >= 0 and 0 <= verdict.reward <= 1, ascii(text[:40])
        assert len(path) <= 50_000 and time.perf_counter() - begun < 2, ascii(text[:40])


def test_the_hint_shows_the_answer_and_the_prompt_does_not():
    for problem in ALL[::7]:
        shown = TASK.hint(problem)
        assert shown.startswith(problem.prompt) and shown.endswith(f"The answer is {problem.answer}.)")
        assert "answer" not in problem.prompt


def test_bad_input_is_one_sentence():
    for level in (0, 5):
        with pytest.raises(SpkitError, match=f"1 to 4 steps, not {level}"):
            TASK.problem(0, 0, level)


def test_a_chat_is_zero_shot_and_few_shot_is_not(policy):
    tokenizer = policy.tokenizer
    assert len(prompting_for(TASK, tokenizer).demonstrations) == 6
    tokenizer.chat_template = CHAT
    try:
        chat = prompting_for(TASK, tokenizer)
        assert (chat.kind, chat.demonstrations, chat.instruction) == ("chat", (), TASK.instruction)
        assert len(prompting_for(TASK, tokenizer, shown=2, hinted=1).demonstrations) == 3
        assert len(prompting_for(load_task("word_problems"), tokenizer).demonstrations) == 6
    finally:
        tokenizer.chat_template = None


def attempts(texts: list[str], finished: list[bool], task=TASK, problem=BEN) -> Attempts:
    """Attempts at one problem by hand."""
    ids = [[1] * (i + 1) for i in range(len(texts))]
    rows = Rollouts([problem.prompt] * len(texts), ids, texts, [], torch.zeros(0), finished)
    return Attempts([problem], len(texts), rows, verify_all(task, [problem], rows, len(texts)))


DRAWN = attempts(
    [f"{SOLVED} The answer is 15.", f"{SOLVED} And so on and", "9 + 9 = 19. 15", "9 + 9 = 18"],
    [True, False, False, True],
)


def test_a_completion_that_was_cut_off_is_right_leniently_alone():
    strict, cut, wrong_step, wrong = DRAWN.verdicts
    assert (strict.correct, strict.lenient) == (True, True)
    assert cut == Verdict(False, 0.0, None, 0, True)
    assert wrong_step == Verdict(False, 0.0, None, 2, True)
    assert (wrong.correct, wrong.lenient) == (False, False)


def test_records_hold_both_verdicts():
    said = accuracy([BEN] * 4, DRAWN.verdicts)
    assert (said["accuracy"], said["lenient_accuracy"]) == (0.25, 0.75)
    assert said["lenient_accuracy_by_difficulty"] == {"2": 0.75}
    lenient = {"sampled_lenient_accuracy": 0.75, "sampled_finished": 0.5, "sampled_mean_tokens": 2.5}
    drawn = DRAWN.samples(TASK)
    kept = keep(drawn, 4, Filter(), torch.Generator())
    assert [sample.text for sample in kept] == [DRAWN.rollouts.texts[0]]
    for counts in (attempt_counts(DRAWN), kept_counts(drawn, kept)):
        assert counts.items() >= lenient.items() and counts["sampled_accuracy"] == 0.25
    on_tests = lenient_on_tests(DRAWN, said)
    assert on_tests == {f"test_{name}": value for name, value in lenient.items()} | {
        "test_sampled_lenient_accuracy_by_difficulty": {"2": 0.75}
    }
    assert first_samples([(BEN, "x", DRAWN.verdicts[1])])[0]["lenient"] is True


def test_records_of_other_tasks_gain_nothing():
    other = load_task("addition")
    problem = other.problem(0, 0)
    drawn = attempts([other.solution(problem), "1"], [True, False], other, problem)
    assert [verdict.lenient for verdict in drawn.verdicts] == [None, None]
    samples = drawn.samples(other)
    said = accuracy([problem] * 2, drawn.verdicts)
    rows = [
        said,
        attempt_counts(drawn),
        kept_counts(samples, samples),
        *first_samples([(problem, "1", drawn.verdicts[0])]),
    ]
    assert not any("lenient" in key or "finished" in key or "tokens" in key for row in rows for key in row)
    assert lenient_on_tests(drawn, said) == {}
    assert (
        json.dumps(verdict_row(Verdict(True, 1.0, "7", 0)))
        == '{"correct": true, "reward": 1.0, "parsed": "7", "step_errors": 0}'
    )


def test_the_table_shows_a_lenient_column_where_there_is_one(capsys):
    record = {"iteration": 0, "accuracy": 0.25, "accuracy_by_difficulty": {"1": 0.25}, "seconds": {}}
    IterationTable("steps", "star").print(record)
    IterationTable("steps", "star").print(record | {"lenient_accuracy": 0.75})
    without, _, heads, line = capsys.readouterr().out.splitlines()
    assert "lenient" not in without and "lenient" in heads and "75.0%" in line


@pytest.mark.parametrize(
    ("text", "value"),
    [("The answer is 9 + 6 = 15", 15), ("Answer: he has 15 apples", 15), ("#### 15 or 16", None), ("5 apples", 5)],
)
def test_answers_are_what_a_mark_holds_or_the_last_number(text, value):
    assert answer_in(text) == value


PROPOSALS = [
    ("9 - 4 + 6", (9, -4, 6), None),
    ("9-4+6.", (9, -4, 6), None),
    (" 7 + 5 = 12\n", (7, 5), "held out"),
    ("7 - 7", (7, -7), None),
    ("7", None, "text"),
    ("Sure! Here it is:\n1. 9 - 4 + 6 = 11\n2. 3 + 8", (9, -4, 6), None),
    ("9 - 4 + 6\n7 - 7", (9, -4, 6), None),
    ("7 * 5", None, "text"),
    ("7 * 5 + 3", None, "text"),
    ("7 + 5 * 3", None, "text"),
    ("2.7 + 5", None, "text"),
    ("7 + 5.5", None, "text"),
    ("7 + 123", None, "text"),
    ("a7 + 5b", None, "text"),
    ("7 - 9", None, "input"),
    ("7 + 13", None, "input"),
    ("12 + 12 + 12 + 12", None, "input"),
    ("1 + 1 + 1 + 1 + 1 + 1", None, "depth"),
    ("1 + " * 2_000_000 + "1", None, "depth"),
    ("no sum " * 1_000_000 + "7 - 7", None, "text"),
]


@pytest.mark.parametrize("text, numbers, fault", PROPOSALS, ids=[text[:20] for text, *_ in PROPOSALS])
def test_what_proposed_numbers_come_to(text, numbers, fault):
    problem, found = TASK.parse("deduction", text)
    assert found == fault and (problem and problem.numbers) == numbers
    if problem:
        assert problem.answer == str(sum(numbers)) and (found == "held out") == (split_of_numbers(numbers) == "test")


def test_a_buffer_gives_a_proposed_story_back():
    problem, _ = TASK.parse("deduction", "9 - 4 + 6")
    buffers = Buffers(("deduction",), TASK)
    buffers.add(problem)
    again = Buffers.load(buffers.dump(), TASK)
    entry = TASK.entry_of(problem)
    assert again.has("deduction", entry) and TASK.from_entry("deduction", entry) == problem
    assert str(TASK.triplet(entry)) in TASK.proposer_prompt("deduction", [TASK.triplet(entry)])
    assert split_of_numbers(TASK.from_entry("deduction", TASK.seed_entry("deduction")).numbers) == "train"


def test_an_invalid_proposal_has_no_right_answer_and_several_answers_are_several():
    nothing = TASK.invalid("deduction", " ")
    assert nothing.prompt and not TASK.verify(nothing, "The answer is 2.").correct
    assert TASK.verify(nothing, "The answer is 2.").lenient is False
    problem, _ = TASK.parse("deduction", "9 - 4 + 6")
    offered = TASK.offered("deduction", "It is\n11 or 12")
    assert [TASK.verify(problem, one).correct for one in offered] == [True, False]


def test_only_deduction_can_be_proposed():
    with pytest.raises(SpkitError, match="stories has no problems of abduction: choose kinds among deduction"):
        proposable(TASK, ("deduction", "abduction"))


def test_a_proposer_that_copies_its_examples_proposes_what_may_be_learned():
    for example in EXAMPLE_SUMS:
        assert example in TASK.proposer_prompt("deduction")
        assert TASK.parse("deduction", example)[1] is None
