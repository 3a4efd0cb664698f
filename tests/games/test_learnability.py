"""The exact recursions against enumeration, closed forms and Monte-Carlo within its error."""

from math import comb

import numpy as np
import pytest

from spkit.games.columns import COLUMN_REWARDS, CORRECT, Solver, Verifier, is_correct, softmax
from spkit.games.learnability import (
    exact_accuracy,
    expected_reward,
    group_outcomes,
    learnability,
    moment,
    reward_at_rate,
)
from spkit.run.errors import SpkitError

RNG = np.random.default_rng(2)
HALF_TRAINED = RNG.normal(size=(2, 200, 20))
HALF_TRAINED[:, np.arange(200), CORRECT] += 3.5
N, GROUP = 30_000, 4


def solve_rates_of_all_problems(table: np.ndarray, n: int) -> np.ndarray:
    """Chance to be right at each of the 100^n problems of length n <= 2, by summing over everything the solver could
    write.
    """
    p = table.reshape(10, 10, 2, 10, 2)
    a, b = np.divmod(np.arange(100), 10)
    c, d = (a + b) % 10, (a + b) // 10
    if n == 1:
        return p[a, b, 0, c, d]
    rates = []
    for x, y in zip(a, b, strict=True):
        digit, carry = (x + y) % 10, (x + y) // 10
        top = a + b + carry
        rates.append(sum(p[x, y, 0, digit, s] * p[a, b, s, top % 10, top // 10] for s in (0, 1)))
    return np.concatenate(rates)


def simulate(n: int, flip_rate: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Rewards (problems, group) of fresh attempts by the first half-trained table."""
    a, b = RNG.integers(10, size=(2, 1, N, n))
    lengths = np.full((1, N), n)
    attempts = Solver(HALF_TRAINED[:1]).solve(a, b, lengths, RNG.random((n, 1, N, GROUP)))
    return Verifier(flip_rate).judge(a, b, lengths, attempts, RNG.random((1, N, GROUP)))[0], is_correct(
        a, b, lengths, attempts
    )[0]


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("k", [1, 2, 3, 8])
def test_moments_agree_with_enumeration(n, k):
    for z, table in enumerate(softmax(HALF_TRAINED)):
        rates = solve_rates_of_all_problems(table, n)
        assert moment(HALF_TRAINED, n, k)[z, -1] == pytest.approx((rates**k).mean(), rel=1e-10)


@pytest.mark.parametrize("n", [1, 3, 6])
def test_accuracy_and_learnability_agree_with_monte_carlo(n):
    rewards, _ = simulate(n)
    per_problem = rewards.mean(1)
    assert per_problem.mean() == pytest.approx(
        exact_accuracy(HALF_TRAINED, n)[0, -1], abs=4 * per_problem.std() / N**0.5
    )
    within = rewards.var(1, ddof=1)
    assert within.mean() == pytest.approx(learnability(HALF_TRAINED, n)[0, -1], abs=4 * within.std() / N**0.5)


@pytest.mark.parametrize("flip_rate", [0.1, 0.3])
def test_the_variance_that_a_noisy_verifier_shows_agrees_with_monte_carlo(flip_rate):
    within = simulate(2, flip_rate)[0].var(1, ddof=1)
    assert within.mean() == pytest.approx(
        learnability(HALF_TRAINED, 2, flip_rate)[0, -1], abs=4 * within.std() / N**0.5
    )


def test_group_outcomes_agree_with_enumeration_and_sum_to_one():
    found = group_outcomes(HALF_TRAINED, 8, 8)
    assert found.sum(-1) == pytest.approx(1) and found.min() > -1e-9
    rates = solve_rates_of_all_problems(softmax(HALF_TRAINED)[0], 2)
    expected = [(comb(8, m) * rates**m * (1 - rates) ** (8 - m)).mean() for m in range(9)]
    assert found[0, 1] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("rule", COLUMN_REWARDS)
@pytest.mark.parametrize("flip_rate", [0.0, 0.2])
def test_expected_reward_agrees_with_monte_carlo_and_with_that_of_each_problem(rule, flip_rate):
    pay = COLUMN_REWARDS[rule](simulate(2, flip_rate)[0].mean(1))
    exact = expected_reward(HALF_TRAINED, rule, 2, GROUP, flip_rate)[0, -1]
    assert pay.mean() == pytest.approx(exact, abs=4 * pay.std() / N**0.5 + 1e-12)
    rates = solve_rates_of_all_problems(softmax(HALF_TRAINED)[0], 2)
    assert exact == pytest.approx(reward_at_rate(rates, rule, GROUP, flip_rate).mean(), abs=1e-9)


def test_closed_forms():
    blank = np.zeros((1, 200, 20))
    assert exact_accuracy(blank, 4)[0] == pytest.approx([0.05, 0.005, 0.0005, 0.00005])
    assert learnability(blank, 1)[0, 0] == pytest.approx(0.05 * 0.95)
    only_first = np.where(np.arange(200)[:, None] % 2 == 0, 60.0 * (np.arange(20) == CORRECT[:, None]), 0.0)[None]
    # Without a carry-in everything is known, with one nothing: n = 2 is right in 55 % of the cases, else one guess in
    # 20.
    assert exact_accuracy(only_first, 2)[0] == pytest.approx([1, 0.55 + 0.45 * 0.05])
    assert reward_at_rate(np.array([0.0, 1.0]), "1-r", 8, 0.2) == pytest.approx([0.8, 0.2])
    assert reward_at_rate(np.array([0.0]), "1-r if r>0", 8, 0.2)[0] == pytest.approx(0.8 - 0.8**8)


def test_a_certain_solver_has_nothing_to_learn_right_or_wrong():
    wrong = np.zeros((1, 200, 20))
    wrong[0, np.arange(200), (CORRECT + 2 * (np.arange(200) % 3 == 0)) % 20] = 800
    assert 0.05 < exact_accuracy(wrong, 1)[0, 0] < 0.95
    assert learnability(wrong, 8)[0] == pytest.approx(np.zeros(8), abs=1e-12)


def test_bad_input_is_refused():
    for call in (
        lambda: exact_accuracy(HALF_TRAINED, 0),
        lambda: learnability(HALF_TRAINED, 0),
        lambda: group_outcomes(HALF_TRAINED, 2, 0),
    ):
        with pytest.raises(SpkitError, match="is 0: choose a whole number of at least 1"):
            call()
    with pytest.raises(SpkitError, match="flip_rate is -0.5"):
        learnability(HALF_TRAINED, 2, -0.5)
    with pytest.raises(SpkitError, match="flip_rate is 1.5"):
        reward_at_rate(np.array([0.5]), "1-r", 8, 1.5)
    with pytest.raises(SpkitError, match="solve rates are probabilities"):
        reward_at_rate(np.array([-0.1]), "1-r")
    with pytest.raises(SpkitError, match="no reward"):
        expected_reward(HALF_TRAINED, "r")
    with pytest.raises(SpkitError, match="not finite"):
        exact_accuracy(np.full((1, 200, 20), np.inf))
    with pytest.raises(SpkitError, match="shape"):
        exact_accuracy(np.zeros((200, 20)))
