"""pass@k, maj@k, best of k and distinct correct, each against all subsets written out or against a binomial
expectation.
"""

import random
import time
from collections import Counter
from fractions import Fraction
from itertools import combinations, permutations
from math import comb, prod

import pytest

from spkit.measures.pass_at_k import best_of_k, distinct_correct, maj_at_k, pass_at_k, pass_at_k_plug_in, per_problem
from spkit.run.errors import SpkitError

RNG = random.Random(0)


def over_subsets(n, k, value):
    """Mean of `value(subset)` over all subsets of size k of n samples."""
    return float(sum(Fraction(value(subset)) for subset in combinations(range(n), k)) / comb(n, k))


def expectation(estimate, n, k, p):
    """Mean of an estimate of pass@k over the number right of n samples, each right with chance p."""
    return sum(comb(n, c) * p**c * (1 - p) ** (n - c) * estimate([c], n, k) for c in range(n + 1))


@pytest.mark.parametrize("n", [1, 4, 7])
def test_pass_at_k_is_the_share_of_subsets_with_a_right_sample(n):
    for c in range(n + 1):
        for k in range(1, n + 1):
            assert pass_at_k([c], n, k) == pytest.approx(
                over_subsets(n, k, lambda subset, c=c: min(subset) < c), abs=1e-15
            )


@pytest.mark.parametrize("p", [0.03, 0.4, 0.9])
@pytest.mark.parametrize(("n", "k"), [(1, 1), (10, 5), (6, 6), (60, 7)])
def test_pass_at_k_is_unbiased_and_the_plug_in_too_low(n, k, p):
    true = 1 - (1 - p) ** k
    assert expectation(pass_at_k, n, k, p) == pytest.approx(true, abs=1e-12)
    bias = expectation(pass_at_k_plug_in, n, k, p) - true
    assert bias == pytest.approx(0, abs=1e-12) if k == 1 else bias < -1e-9


def test_pass_at_k_by_hand():
    assert pass_at_k([1], 10, 5) == 0.5
    assert pass_at_k_plug_in([1], 10, 5) == pytest.approx(0.40951)
    assert pass_at_k([0], 10, 5) == 0 and pass_at_k([6], 10, 5) == 1, "5 samples cannot avoid 6 right ones of 10"
    assert pass_at_k([0, 1, 6], 10, 5) == pytest.approx(0.5), "the mean over problems is taken last"
    assert pass_at_k([3, 1], 8, 1) == pytest.approx(4 / 16)


def test_pass_at_k_equals_the_product_of_the_paper_where_binomials_are_huge():
    n, c, k = 10_000, 3, 4_000
    assert pass_at_k([c], n, k) == pytest.approx(1 - prod(1 - k / i for i in range(n - c + 1, n + 1)), rel=1e-12)


def vote(answers, gold):
    """Share of a right plain vote, ties shared equally."""
    votes = Counter(answers)
    winners = [answer for answer in votes if votes[answer] == max(votes.values())]
    return Fraction(gold in winners, len(winners))


def first_of_the_tied(answers, gold):
    """Whether the vote is right when a tie goes to the answer met first."""
    return Counter(answers).most_common(1)[0][0] == gold


@pytest.mark.parametrize("n", [1, 2, 5, 9])
@pytest.mark.parametrize("kinds", [1, 2, 3, 6])
def test_maj_at_k_is_the_mean_vote_of_all_subsets(n, kinds):
    for _ in range(4):
        answers = RNG.choices(["7", None, "8", "9", "10", "11"][:kinds], k=n)
        for k in range(1, n + 1):
            enumerated = over_subsets(n, k, lambda subset, answers=answers: vote([answers[i] for i in subset], "7"))
            assert maj_at_k([answers], ["7"], k) == pytest.approx(enumerated, abs=1e-12)


def test_sharing_ties_is_the_answer_met_first_in_random_order():
    answers = ["7", "8", "7", None, "8"]
    for k in range(1, 6):
        orders = list(permutations(answers, k))
        first = sum(first_of_the_tied(order, "7") for order in orders) / len(orders)
        assert maj_at_k([answers], ["7"], k) == pytest.approx(first, abs=1e-12)


def test_maj_at_k_is_what_resampling_tends_to():
    answers = RNG.choices(["7", "8", "9", None], weights=[5, 4, 3, 2], k=40)
    draws = [float(vote(RNG.sample(answers, 12), "7")) for _ in range(4_000)]
    mean = sum(draws) / len(draws)
    error = (sum((draw - mean) ** 2 for draw in draws) / len(draws) ** 2) ** 0.5
    assert abs(maj_at_k([answers], ["7"], 12) - mean) < 4 * error < 0.05


def test_maj_at_k_ends_and_order():
    answers = ["7", "8", "7", None, "9", "7", "8", None]
    assert maj_at_k([answers], ["7"], 1) == 3 / 8
    assert maj_at_k([answers], ["7"], 8) == 1
    assert maj_at_k([answers[:5]], ["8"], 5) == 0 and maj_at_k([["7", None]], ["7"], 2) == 0.5
    assert maj_at_k([[None, None, "7"]], ["7"], 3) == 0, "answers that cannot be read win the vote, and are not right"
    assert maj_at_k([answers], ["5"], 3) == 0
    assert maj_at_k([answers, ["1"] * 8], ["7", "2"], 1) == 3 / 16
    shuffled = RNG.sample(answers, 8)
    assert all(maj_at_k([shuffled], ["7"], k) == maj_at_k([answers], ["7"], k) for k in range(1, 9))


def test_more_votes_help_the_most_frequent_answer_only_and_more_samples_always():
    wrong_leads = ["7"] * 12 + ["8"] * 20
    votes = [maj_at_k([wrong_leads], ["7"], k) for k in (1, 3, 9, 31)]
    passes = [pass_at_k([12], 32, k) for k in (1, 3, 9, 31)]
    assert votes == sorted(votes, reverse=True) and votes[0] == 0.375 and votes[-1] == 0
    assert passes == sorted(passes) and passes[-1] == 1


def test_maj_at_k_of_many_samples_is_quick():
    answers = [str(RNG.randrange(12)) for _ in range(128)]
    start = time.process_time()
    assert 0 < maj_at_k([answers], [Counter(answers).most_common(1)[0][0]], 64) < 1
    assert time.process_time() - start < 3, "seconds; C(128, 64) subsets could not be enumerated"


@pytest.mark.parametrize("levels", [1, 2, 4, 100])
def test_best_of_k_is_the_mean_of_all_subsets(levels):
    for n in (1, 3, 8):
        scores = [RNG.randrange(levels) / 4 - 1 for _ in range(n)]
        correct = [RNG.random() < 0.5 for _ in range(n)]

        def best(subset, scores=scores, correct=correct):
            top = [correct[i] for i in subset if scores[i] == max(scores[j] for j in subset)]
            return Fraction(sum(top), len(top))

        for k in range(1, n + 1):
            assert best_of_k([scores], [correct], k) == pytest.approx(over_subsets(n, k, best), abs=1e-12)


def test_best_of_k_of_a_verifier_that_knows_all_or_nothing():
    correct = [True, False, False, True, False, False]
    for k in range(1, 7):
        assert best_of_k([correct], [correct], k) == pass_at_k([2], 6, k)
        assert best_of_k([[0.0] * 6], [correct], k) == pytest.approx(1 / 3)
        assert best_of_k([[-float(right) for right in correct]], [correct], k) == pytest.approx(comb(2, k) / comb(6, k))
    assert best_of_k([correct, [1, 2]], [correct, [True, False]], 1) == pytest.approx((1 / 3 + 1 / 2) / 2)


@pytest.mark.parametrize("n", [1, 4, 8])
def test_distinct_correct_is_the_mean_of_all_subsets(n):
    for _ in range(4):
        paths = [RNG.choice("abcde") for _ in range(n)]
        correct = [path in "abc" for path in paths]
        for k in range(1, n + 1):
            enumerated = over_subsets(n, k, lambda subset, paths=paths: len({paths[i] for i in subset} & set("abc")))
            assert distinct_correct([paths], [correct], k) == pytest.approx(enumerated, abs=1e-12)
        assert distinct_correct([paths], [correct]) == len(set(paths) & set("abc"))


def test_distinct_correct_of_one_path_is_pass_at_k():
    assert distinct_correct(["aabb"], [[True, True, False, False]], 2) == pass_at_k([2], 4, 2)
    assert distinct_correct(["ab", "xy"], [[True, True], [False, True]]) == 1.5


def test_distinct_correct_compares_runs_of_different_n_at_one_k():
    chances = {"a": 0.5, "b": 0.2, "c": 0.05, "wrong": 0.25}
    true = sum(1 - (1 - p) ** 4 for path, p in chances.items() if path != "wrong")
    for n in (4, 32):
        rows = [RNG.choices(list(chances), weights=chances.values(), k=n) for _ in range(4_000)]
        assert distinct_correct(rows, [[path != "wrong" for path in row] for row in rows], 4) == pytest.approx(
            true, abs=0.05
        )
    assert distinct_correct(rows, [[path != "wrong" for path in row] for row in rows]) > true + 0.5, (
        "without k, more samples find more"
    )


def test_rows_become_problems():
    assert per_problem("aabbcc", 2) == [["a", "a"], ["b", "b"], ["c", "c"]]
    with pytest.raises(SpkitError, match="5 rows are not 2 samples"):
        per_problem("aabbc", 2)


@pytest.mark.parametrize(
    ("measure", "message"),
    [
        (lambda: pass_at_k([1], 4, 5), "k is 5 and a problem has 4 samples"),
        (lambda: pass_at_k([1], 4, 0), "k is 0"),
        (lambda: pass_at_k_plug_in([1], 4, 5), "k is 5"),
        (lambda: pass_at_k([5], 4, 1), "from 5 to 5 and each must be in 0..4"),
        (lambda: pass_at_k([], 4, 1), "no problem to average over"),
        (lambda: maj_at_k([["1"]], ["1"], 2), "k is 2 and a problem has 1 samples"),
        (lambda: maj_at_k([["1"]], [None], 1), "a gold answer is None"),
        (lambda: maj_at_k([["1"]], [], 1), "1 problems in one list and 0 in the other"),
        (lambda: best_of_k([[1.0, float("nan")]], [[True, True]], 1), "a score is nan"),
        (lambda: best_of_k([[1.0]], [[True, True]], 1), "1 samples and 2 verdicts"),
        (lambda: best_of_k([[1.0]], [[True]], 2), "k is 2"),
        (lambda: distinct_correct([], []), "at least one"),
        (lambda: distinct_correct(["a"], [[True]], 2), "k is 2"),
    ],
)
def test_bad_input_is_one_sentence(measure, message):
    with pytest.raises(SpkitError, match=message):
        measure()
