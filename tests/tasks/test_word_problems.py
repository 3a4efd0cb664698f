import ast
import json
import math
import operator
import random
import re
from collections import Counter
from fractions import Fraction

import pytest

from spkit.policy import data_folder
from spkit.run.errors import SpkitError
from spkit.tasks import WordProblems, load_task, problems, test_set
from spkit.tasks.word_problems.stories import STORIES
from spkit.tasks.word_problems.story import tell_story
from spkit.tasks.word_problems.task import question_of, shipped_lines, split_of_calculations, write_shipped
from spkit.tasks.worked import WorkedProblem, calculations, question_prompt

TASK = WordProblems()
PENS = WorkedProblem(
    question_prompt("Ada buys 3 pens at $4 each and twice as many pencils at $2 each. How many dollars does she pay?"),
    "24",
    4,
    (
        "The pens cost $<<3*4=12>>12.\nThere are <<3*2=6>>6 pencils.\nThey cost $<<6*2=12>>12.\nTogether "
        "that is $<<12+12=24>>24.\n#### 24"
    ),
)
SAMPLE = {steps: [TASK.problem(3, index, steps) for index in range(400)] for steps in TASK.difficulties}
OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}


def by_python(node: ast.expr) -> Fraction:
    """The value of a parsed calculation, worked out over Python's own syntax tree: another reader than the task's."""
    if isinstance(node, ast.Constant):
        return Fraction(node.value)
    return OPERATORS[type(node.op)](by_python(node.left), by_python(node.right))


@pytest.mark.parametrize("steps", TASK.difficulties)
def test_every_solution_is_right_by_another_reader_and_ends_in_the_answer(steps):
    for problem in SAMPLE[steps]:
        *lines, last = TASK.solution(problem).split("\n")
        assert len(lines) == steps == problem.difficulty and last == f"#### {problem.answer}"
        for line in lines:
            (left, right, after) = re.fullmatch(r"[^<>]*<<([\d+*/-]+)=(\d+)>>(\d+)[^<>]*\.", line).groups()
            assert by_python(ast.parse(left, mode="eval").body) == int(right) == int(after) > 1
        assert right == problem.answer
        verdict = TASK.verify(problem, TASK.solution(problem))
        assert verdict.correct and verdict.reward == 1 and verdict.step_errors == 0 and verdict.parsed == problem.answer
        assert len(TASK.solution(problem)) <= TASK.max_completion_chars(steps)


def test_texts_are_plain_and_one_paragraph():
    for problem in sum(SAMPLE.values(), []):
        text = problem.prompt + TASK.solution(problem)
        assert text.isascii() and "\n\n" not in text and "{" not in text and "@" not in text and "  " not in text
        assert problem.prompt.endswith("?\nAnswer:\n") and len(problem.prompt) < 450


def test_every_number_of_a_solution_comes_from_the_question_or_a_line_before():
    spelled = {"half": 2, "twice": 2, "third": 3, "quarter": 4, "3 get": 3, "metres": 2, "hours": 60, "%": 100}
    for problem in sum(SAMPLE.values(), []):
        known = set(map(int, re.findall(r"\d+", problem.prompt))) | {
            n for word, n in spelled.items() if word in problem.prompt
        }
        for left, right in re.findall(r"<<(.*?)=(\d+)>>", TASK.solution(problem)):
            assert set(map(int, re.findall(r"\d+", left))) <= known, problem
            known.add(int(right))


def test_there_are_many_stories_and_each_difficulty_has_several():
    reach = {
        steps: {story.__name__ for story in STORIES for i in range(60) if tell_story(story, steps, random.Random(i))}
        for steps in range(1, 6)
    }
    assert len(set().union(*reach.values())) == len(STORIES) == 20
    assert all(len(names) >= 9 for names in reach.values()), reach


GUESSES = {
    "the sum of all numbers": sum,
    "the last number": lambda numbers: numbers[-1],
    "the largest number": max,
    "the product of all numbers": math.prod,
    "the product of the first two": lambda numbers: math.prod(numbers[:2]),
    "the difference of the first two": lambda numbers: abs(numbers[0] - numbers[1]) if len(numbers) > 1 else 0,
}


@pytest.mark.parametrize("steps", TASK.difficulties)
def test_answers_cannot_be_guessed(steps):
    asked_for = SAMPLE[steps]
    answers = Counter(problem.answer for problem in asked_for)
    assert answers.most_common(1)[0][1] < 0.05 * len(asked_for) and len(answers) > 0.25 * len(asked_for)
    for name, guess in GUESSES.items():
        right = sum(guess([int(n) for n in re.findall(r"\d+", p.prompt)]) == int(p.answer) for p in asked_for)
        assert right / len(asked_for) < (0.5 if steps == 1 else 0.25 if steps == 2 else 0.05), name


RIGHT = PENS.rationale


@pytest.mark.parametrize(
    ("completion", "correct", "errors", "reward"),
    [
        (RIGHT, True, 0, 1.0),
        (RIGHT.replace("#### 24", "#### $24.00"), True, 0, 1.0),
        ("Pens and pencils cost <<3*4+3*2*2=24>>24.\n#### 24", True, 0, 1.0),  # fewer steps, all of them right
        ("#### 24", True, 0, 1 / 5),
        ("24", True, 0, 1 / 5),
        ("So the answer is 24 dollars.", True, 0, 1 / 5),
        (RIGHT.replace("3*2=6>>6", "3*2=7>>7"), True, 2, 3 / 5),  # a slip, and a 6 that nobody worked out
        (RIGHT.replace("#### 24", "#### 25"), False, 1, 3 / 5),
        ("<<12+12=24>>24\n#### 24", True, 1, 4 / 5),  # from numbers that are neither given nor worked out
        ("<<3*4=12>>12\n#### 24", True, 1, 4 / 5),  # the answer is not the last result
        ("<<3*4=12>>12\n#### 12", False, 3, 1 / 5),  # three steps are missing
        (RIGHT.replace("\nThey", "\n<<3*4=12>>12\n<<3*4=12>>12\nThey"), True, 2, 3 / 5),  # repeated
        ("<<3*4=12>>12\n" * 5 + "#### 12", False, 5, 0.0),
        ("<<24>>24\n#### 24", True, 1, 4 / 5),  # no calculation
        ("<<9**9**9=24>>\n#### 24", True, 1, 4 / 5),  # no powers
        ("<<__import__('os')=24>>\n#### 24", True, 1, 4 / 5),
        ("<<3*4=12>>12\n24", False, 3, 1 / 5),  # no marker
        ("#### 24 or 25", False, 0, 0.0),
        ("#### 24 #### 25", False, 0, 0.0),
        ("#### 25 ####24", True, 0, 1 / 5),  # the last one counts
        ("#### 24\n####", False, 0, 0.0),
        ("#### -24", False, 0, 0.0),
        ("#### 2.4e1", False, 0, 0.0),
        ("#### ٢٤", False, 0, 0.0),
        ("#### ２４", False, 0, 0.0),
        ("#### 024", True, 0, 1 / 5),
        ("#### 2 4", False, 0, 0.0),
        ("#### 24 dozen", False, 0, 0.0),
        ("24\n#### 25", False, 0, 0.0),
        ("", False, 0, 0.0),
        ("\0\n####\n", False, 0, 0.0),
    ],
)  # fmt: skip
def test_verdicts(completion, correct, errors, reward):
    verdict = TASK.verify(PENS, completion)
    assert (verdict.correct, verdict.step_errors) == (correct, errors)
    assert verdict.reward == pytest.approx(reward)


def test_a_repeated_true_step_in_the_worked_example_is_told_from_equal_numbers():
    assert [one.text for one in calculations(RIGHT)] == ["3*4=12", "3*2=6", "6*2=12", "12+12=24"]
    assert (
        TASK.path(PENS, RIGHT)
        == TASK.path(PENS, RIGHT.replace("pens", "things").replace("3*4", "3 * 4"))
        == "3*4=12;3*2=6;6*2=12;12+12=24"
    )
    assert TASK.path(PENS, "no calculation") == "no calculation"
    assert TASK.hint(PENS).endswith("she pay? (The answer is 24.)\nAnswer:\n") and TASK.direct(PENS) == "#### 24"


def test_a_huge_answer_is_wrong_and_quick():
    for text in [
        "9" * 10_000_000,
        RIGHT + " " * 10_000_000 + "x",
        "<<" * 5_000_000,
        "<<1+1=2>>" * 1_000_000,
        "#" * 10_000_000,
    ]:
        verdict = TASK.verify(PENS, text)
        assert not verdict.correct and verdict.parsed is None and len(TASK.path(PENS, text)) <= 50_000


def test_item_depends_on_seed_index_and_difficulty_only():
    once = problems(TASK, 7, 0, 30)
    assert once == [load_task("word_problems").problem(7, index) for index in reversed(range(30))][::-1]
    assert once != problems(TASK, 8, 0, 30) and once != problems(TASK, 7, 0, 30, "test")
    assert [problem.difficulty for problem in once[:5]] == [1, 2, 3, 4, 5]


def sums(problem: WorkedProblem) -> str:
    return ";".join(re.findall(r"<<(.*?)>>", problem.rationale))


def test_train_and_test_share_no_calculations():
    train = {sums(problem) for problem in sum(SAMPLE.values(), [])}
    tests = {sums(problem) for problem in test_set(TASK, 80)}
    assert not train & tests and len(tests) > 350
    assert {split_of_calculations(path.split(";")) for path in train} == {"train"}


def test_the_shipped_files_are_what_the_generator_makes(tmp_path):
    folder = data_folder() / "problems" / "word_problems"
    write_shipped(tmp_path)
    texts = {split: (folder / f"{split}.jsonl").read_text(encoding="utf-8") for split in ("train", "test")}
    assert sum(map(len, texts.values())) < 300_000
    for split, text in texts.items():
        assert (tmp_path / f"{split}.jsonl").read_text(encoding="utf-8") == text, (
            "write data/problems again with write_shipped"
        )
        rows = [json.loads(line) for line in text.splitlines()]
        assert Counter(row["difficulty"] for row in rows) == dict.fromkeys(TASK.difficulties, 50)
        assert text.splitlines() == shipped_lines(split)
    questions = [{json.loads(line)["question"] for line in text.splitlines()} for text in texts.values()]
    assert not questions[0] & questions[1]
    assert {question_of(problem) for problem in test_set(TASK, 50)} == questions[1]


def test_bad_input_is_one_sentence():
    with pytest.raises(SpkitError, match="1 to 5 steps, not 6"):
        TASK.problem(0, 0, 6)
    with pytest.raises(SpkitError, match="not a prompt with a question"):
        TASK.hint(WorkedProblem("3*4", "12", 1, ""))
