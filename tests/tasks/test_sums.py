import math
import random
from collections import Counter
from itertools import permutations

import pytest

from spkit.run.errors import SpkitError
from spkit.tasks import Problem, Sums, problems, test_set
from spkit.tasks.sums import (
    CARELESS_SUMS,
    LARGEST,
    everyday_entropy,
    order_of,
    order_text,
    rare_orders,
    split_of_terms,
    terms,
    writer,
)

TASK = Sums()
PROBLEM = Problem("7+15+8+12=", "42", 4)


def test_every_careful_solution_is_right_in_every_step():
    for count in range(2, 9):
        for index in range(100):
            problem = TASK.problem(3, index, count)
            numbers = terms(problem.prompt)
            assert (
                len(numbers) == count
                and all(1 <= number <= LARGEST for number in numbers)
                and problem.answer == str(sum(numbers))
            )
            text = TASK.solution(problem, index)
            verdict = TASK.verify(problem, text)
            assert verdict.correct and verdict.reward == 1.0 and verdict.step_errors == 0
            assert len(text) <= TASK.max_completion_chars(count)


@pytest.mark.parametrize(
    ("completion", "correct", "step_errors", "reward"),
    [
        ("15+7:22;22+8:30;30+12:42;42", True, 0, 1.0),
        ("8+12:20;20+15:35;35+7:42;42", True, 0, 1.0),
        ("42", True, 0, 1 / 4),  # no steps to be wrong, and only the answer earns anything
        ("15+7:23;23+8:30;30+12:42;42", True, 2, 2 / 4),  # two slips that cancel
        ("15+7:22;22+8:30;30+8:38;42", True, 2, 2 / 4),  # 8 is used twice, and the answer is not the last total
        ("15+7:22;22+20:42;42", True, 2, 2 / 4),  # 20 is not one of the numbers, and a step is missing
        ("15+7:22;8+22:30;30+12:42;42", True, 1, 3 / 4),  # the total comes first
        ("15+7:22;22+8:30;30+12:42;42+0:42;42", True, 1, 3 / 4),  # a step too many
        ("15+7:22;22+8:30;30+12:41;41", False, 1, 2 / 4),
        ("15+7:22;22+8:30;30+12:42;042", False, 0, 3 / 4),
        ("15+7:22;22+8:30;30+12:42;+42", False, 0, 3 / 4),
        ("15+7:22;22+8:30;30+12:42;٤٢", False, 0, 3 / 4),  # digits of another script
        ("15+7:22;" * 40, False, 0, 0.0),
        ("", False, 0, 0.0),
        (";;;", False, 3, 0.0),
    ],
)
def test_verdicts(completion, correct, step_errors, reward):
    verdict = TASK.verify(PROBLEM, completion)
    assert verdict.correct == correct
    assert verdict.step_errors == step_errors or len(completion) > 300
    assert verdict.reward == reward


def slow_errors(numbers: list[int], completion: str) -> bool:
    """Whether a completion has any mistake, by trying every order."""
    return completion not in {order_text(list(order)) for order in permutations(numbers)}


def test_verdict_agrees_with_trying_every_order():
    rng = random.Random(0)
    seen = Counter()
    for index in range(1500):
        problem = TASK.problem(1, index, 2 + index % 4)
        text = list(TASK.solution(problem, index))
        for _ in range(rng.choice([0, 1, 1, 2])):
            text[rng.randrange(len(text))] = rng.choice("0123456789+:;")
        verdict = TASK.verify(problem, "".join(text))
        faulty = slow_errors(terms(problem.prompt), "".join(text))
        assert (verdict.reward == 1.0) == (verdict.correct and verdict.step_errors == 0) == (not faulty)
        assert verdict.correct == ("".join(text).split(";")[-1] == str(sum(terms(problem.prompt))))
        seen[verdict.correct, faulty] += 1
    assert min(seen[True, False], seen[True, True], seen[False, True]) > 50


def test_paths_forget_the_order_of_the_first_two_numbers_only():
    same = [TASK.path(PROBLEM, text) for text in ("15+7:22;22+8:30;30+12:42;42", "7+15:22;22+8:30;30+12:42;42")]
    other = TASK.path(PROBLEM, "15+7:22;22+12:34;34+8:42;42")
    assert same[0] == same[1] != other
    assert TASK.path(PROBLEM, "nonsense;15+7:22") == "nonsense;15+7:22"
    problem = Problem("1+2+3+4=", "10", 4)
    assert len({TASK.path(problem, order_text(list(order))) for order in permutations([1, 2, 3, 4])}) == 12


@pytest.mark.parametrize("numbers", [(3, 9), (7, 15, 8), (5, 5, 8), (1, 2, 3, 4, 5), (4, 4, 4)])
def test_the_writer_is_a_distribution(numbers):
    chances = writer(numbers)
    assert set(chances) == set(permutations(numbers)) and sum(chances.values()) == pytest.approx(1, abs=1e-12)
    problem, share = (
        Problem("+".join(map(str, numbers)) + "=", str(sum(numbers)), len(numbers)),
        CARELESS_SUMS[len(numbers)],
    )
    texts = Counter()
    for order, chance in chances.items():
        texts[order_text(list(order))] += (1 - share) * chance
        texts[order_text(list(order[:-1]))] += share * chance
    assert everyday_entropy(problem) == pytest.approx(-sum(p * math.log(p) for p in texts.values() if p))
    tail = rare_orders(numbers)
    assert sum(tail.values()) <= 0.1 and all(chances[order] == p for order, p in tail.items())
    assert max(tail.values(), default=0) <= min((p for order, p in chances.items() if order not in tail), default=1)


def test_the_writer_is_plackett_and_luces():
    chances = writer((7, 15, 8))  # weights 1, 1/2, 1/4
    assert chances[7, 15, 8] == pytest.approx(4 / 7 * 2 / 3)
    assert chances[8, 15, 7] == pytest.approx(1 / 7 * 1 / 3)
    assert writer((5, 5))[5, 5] == 1.0
    assert set(rare_orders((7, 15, 8))) == {(8, 15, 7)}


def test_solutions_are_drawn_from_the_writer():
    problem, draws = Problem("7+15+8=", "30", 3), 4000
    counts = Counter(order_of(problem, TASK.solution(problem, variant)) for variant in range(draws))
    expected = {order: draws * chance for order, chance in writer((7, 15, 8)).items()}
    chi_square = sum((counts[order] - mean) ** 2 / mean for order, mean in expected.items())
    assert chi_square < 20.5  # 5 degrees of freedom: once in a thousand
    assert TASK.solution(problem, 3) == TASK.solution(problem, 3)


def test_everyday_text_is_read_back_and_as_careless_as_it_should_be():
    for count, share in CARELESS_SUMS.items():
        asked, wrong = [TASK.problem(5, index, count) for index in range(400)], 0
        for problem in asked:
            text = TASK.everyday(problem, 1)
            order, verdict = order_of(problem, text), TASK.verify(problem, text)
            assert Counter(order) == Counter(terms(problem.prompt)) and len(text) <= TASK.max_completion_chars(count)
            assert text == order_text(list(order if verdict.correct else order[:-1]))
            wrong += not verdict.correct
        assert abs(wrong / 400 - share) < 0.1
    for text in ("15+7:22;22;", "15+7:22;22+8:31;31+12:43;43", "15+7:22;22", "15+15:30;30+8:38;38+12:50;50", "", "42"):
        assert order_of(PROBLEM, text) is None


def test_hint_and_written_example():
    assert TASK.hint(PROBLEM) == "7+15+8+12#42=" and terms(TASK.hint(PROBLEM)) == [7, 15, 8, 12]
    assert order_text([15, 7, 8, 12]) == "15+7:22;22+8:30;30+12:42;42"


def test_a_huge_or_binary_answer_is_wrong_and_quick():
    for text in ["9" * 10_000_000, PROBLEM.answer + ";" * 10_000_000, "\0\n\r" * 100, TASK.solution(PROBLEM) + "\n"]:
        verdict = TASK.verify(PROBLEM, text)
        assert not verdict.correct and verdict.reward < 1 and len(TASK.path(PROBLEM, text)) <= 300


def test_item_depends_on_seed_and_index_only():
    once = problems(TASK, 7, 0, 50)
    assert once == [TASK.problem(7, index) for index in reversed(range(50))][::-1]
    assert once != problems(TASK, 8, 0, 50)


def test_train_and_test_share_no_terms_in_any_order():
    train = {tuple(sorted(terms(p.prompt))) for seed in range(3) for p in problems(TASK, seed, 0, 3000)}
    test = {tuple(sorted(terms(p.prompt))) for p in test_set(TASK, 50, range(2, 9))}
    assert not train & test
    assert split_of_terms([1, 2, 3]) == split_of_terms([3, 1, 2])
    assert len(test_set(TASK, 50)) == 250


def test_bad_input_is_one_sentence():
    with pytest.raises(SpkitError, match="2 to 8 terms, not 9"):
        TASK.problem(0, 0, 9)
    with pytest.raises(SpkitError, match="not a prompt of sums"):
        terms("7*15=")
