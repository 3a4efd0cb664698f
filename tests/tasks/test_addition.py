import pytest

from spkit.run.errors import SpkitError
from spkit.tasks import Addition, Problem, load_task, problems, test_set
from spkit.tasks.addition import operands, split_of_operands

TASK = Addition()


def test_every_careful_solution_is_right_in_every_step():
    for digits in range(1, 11):
        for index in range(200):
            problem = TASK.problem(3, index, digits)
            a, b = operands(problem.prompt)
            assert len(str(a)) == len(str(b)) == digits and problem.answer == str(a + b)
            text = TASK.solution(problem)
            verdict = TASK.verify(problem, text)
            assert verdict.correct and verdict.reward == 1.0 and verdict.step_errors == 0
            assert len(text) <= TASK.max_completion_chars(digits)


def test_written_example():
    problem = next(p for p in problems(TASK, 0, 0, 5000) if p.difficulty == 2 and p.answer == "132")
    a, b = operands(problem.prompt)
    assert TASK.hint(problem) == f"{a}+{b}#132="
    assert operands(TASK.hint(problem)) == (a, b)
    assert TASK.solution(problem).endswith(";132") and TASK.solution(problem).startswith(f"{a % 10}+{b % 10}+0:")


@pytest.mark.parametrize(
    ("completion", "correct", "step_errors", "reward"),
    [
        ("7+5+0:12;4+8+1:13;132", True, 0, 3 / 3),
        ("132", True, 0, 1 / 3),  # no scratchpad: no step to be wrong
        ("7+5+0:12;4+8+1:13;0+0+0:00;132", True, 2, 1 / 3),  # one more, and now they spell 0132
        ("7+5+0:13;4+8+1:13;132", True, 2, 1 / 3),  # wrong sum in a column, and the columns spell 133
        ("7+5+0:12;4+8+0:12;132", True, 2, 1 / 3),  # the carry is forgotten, the answer is right all the same
        ("7+5+0:12;132", True, 2, 1 / 3),  # a column is missing, and what is there spells 12
        ("7+5+0:12;4+8+1:13;0+0+1:01;132", True, 1, 2 / 3),  # a column too many
        ("7+5+0:12;4+8+1:13;133", False, 1, 1 / 3),
        ("7+5+0:12;4+8+1:13;0132", False, 0, 2 / 3),
        ("7+5+0:12;4+8+1:13;+132", False, 0, 2 / 3),
        ("7+5+0:12;4+8+1:13;132 ", False, 0, 2 / 3),
        ("7+5+0:12;4+8+1:13;١٣٢", False, 0, 2 / 3),  # digits of another script
        ("7+5+0:12;4+8+1:13;", False, 0, 2 / 3),
        ("", False, 0, 0 / 3),
        (";;;", False, 3, 0 / 3),
    ],
)
def test_verdicts(completion, correct, step_errors, reward):
    verdict = TASK.verify(Problem("47+85=", "132", 2), completion)
    assert (verdict.correct, verdict.step_errors) == (correct, step_errors)
    assert verdict.reward == reward


def test_a_huge_or_binary_answer_is_wrong_and_quick():
    problem = TASK.problem(0, 0, 2)
    for text in ["9" * 10_000_000, problem.answer + ";" * 10_000_000, "\0\n\r" * 100, TASK.solution(problem) + "\n"]:
        assert not TASK.verify(problem, text).correct


def test_item_depends_on_seed_and_index_only():
    once = problems(TASK, 7, 0, 50)
    assert once == [TASK.problem(7, index) for index in reversed(range(50))][::-1]
    assert once[10:20] == problems(TASK, 7, 10, 10)
    assert once != problems(TASK, 8, 0, 50)


def test_train_and_test_share_no_operands_in_either_order():
    train = {frozenset(operands(p.prompt)) for seed in range(3) for p in problems(TASK, seed, 0, 3000)}
    test = {frozenset(operands(p.prompt)) for p in test_set(TASK, 100, range(1, 11))}
    assert not train & test
    assert split_of_operands(12, 34) == split_of_operands(34, 12)


def test_test_set_is_fixed_distinct_and_balanced():
    chosen = test_set(TASK, 100)
    assert chosen == test_set(TASK, 100)
    assert len({p.prompt for p in chosen}) == len(chosen)
    counts = {n: sum(p.difficulty == n for p in chosen) for n in TASK.difficulties}
    assert counts[1] >= 15 and all(counts[n] == 100 for n in (2, 3, 4, 5))


def test_bad_input_is_one_sentence():
    with pytest.raises(SpkitError, match="1 to 10 digits, not 11"):
        TASK.problem(0, 0, 11)
    with pytest.raises(SpkitError, match="not an addition prompt"):
        operands("47*85=")
    with pytest.raises(SpkitError, match="unknown task 'adition': choose one of addition"):
        load_task("adition")
