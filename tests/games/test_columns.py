"""The three roles of `columns`, one by one."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from spkit.games.columns import (
    COLUMN_REWARDS,
    CORRECT,
    ColumnAttempts,
    Proposer,
    Solver,
    Verifier,
    is_correct,
    reinforce,
    softmax,
)
from spkit.run.errors import SpkitError

RNG = np.random.default_rng(1)


def knowing(strength: float = 50.0) -> Solver:
    """A solver that always writes the right outcome."""
    logits = np.zeros((1, 200, 20))
    logits[0, np.arange(200), CORRECT] = strength
    return Solver(logits)


def problems(count: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    a, b = RNG.integers(10, size=(2, 1, count, n))
    return a, b, np.full((1, count), n)


def as_number(digits: np.ndarray) -> int:
    return sum(int(d) * 10**j for j, d in enumerate(digits))


def test_a_solver_that_knows_the_table_writes_true_sums():
    a, b, lengths = problems(50, 5)
    attempts = knowing().solve(a, b, lengths, RNG.random((5, 1, 50, 2)))
    assert is_correct(a, b, lengths, attempts).all()
    for x, y, outcome in zip(a[0], b[0], attempts.outcomes[:, 0, :, 0].T, strict=True):
        assert as_number(outcome // 2) + 10**5 * (outcome[-1] % 2) == as_number(x) + as_number(y)


def test_the_verifier_reads_the_answer_and_nothing_else():
    a, b, lengths = problems(2000, 3)
    attempts = Solver(RNG.normal(size=(1, 200, 20)) + 4 * (np.arange(20) == CORRECT[:, None])).solve(
        a, b, lengths, RNG.random((3, 1, 2000, 1))
    )
    right = is_correct(a, b, lengths, attempts)[0, :, 0]
    for x, y, outcome, verdict in zip(a[0], b[0], attempts.outcomes[:, 0, :, 0].T, right, strict=True):
        answer = as_number(outcome // 2) + 1000 * int(outcome[-1] % 2)
        assert verdict == (answer == as_number(x) + as_number(y))
    assert 0.1 < right.mean() < 0.9


def test_mixed_lengths_are_read_up_to_their_own_end():
    a, b, _ = problems(60, 4)
    lengths = RNG.integers(1, 5, size=(1, 60))
    attempts = knowing().solve(a, b, lengths, RNG.random((4, 1, 60, 3)))
    assert is_correct(a, b, lengths, attempts).all()
    beyond = np.arange(4)[:, None, None, None] >= lengths[None, ..., None]
    assert ((attempts.cells == -1) == np.broadcast_to(beyond, attempts.cells.shape)).all()


def test_verdicts_are_flipped_at_the_stated_rate():
    a, b, lengths = problems(20_000, 1)
    attempts = knowing().solve(a, b, lengths, RNG.random((1, 1, 20_000, 1)))
    rewards = Verifier(0.2).judge(a, b, lengths, attempts, RNG.random((1, 20_000, 1)))
    assert rewards.mean() == pytest.approx(0.8, abs=4 * 0.4 / 20_000**0.5)
    assert (Verifier(0.0).judge(a, b, lengths, attempts, RNG.random((1, 20_000, 1))) == 1).all()


def log_probability(logits: np.ndarray, attempts: ColumnAttempts) -> np.ndarray:
    p, on = softmax(logits), attempts.cells >= 0
    seed = np.broadcast_to(np.arange(len(logits))[None, :, None, None], on.shape)
    return np.where(on, np.log(p[seed, attempts.cells, attempts.outcomes]), 0.0).sum(0)


def test_the_reinforce_step_is_the_gradient_of_the_weighted_log_probability():
    logits = RNG.normal(size=(2, 200, 20))
    a, b = RNG.integers(10, size=(2, 2, 7, 3))
    attempts = Solver(logits).solve(a, b, RNG.integers(1, 4, size=(2, 7)), RNG.random((3, 2, 7, 4)))
    advantages = RNG.normal(size=(2, 7, 4))
    step = reinforce(softmax(logits), attempts, advantages)
    cells = np.unique(attempts.cells[:, 1][attempts.cells[:, 1] >= 0])
    for cell, outcome in itertools.product(cells[:4], (0, 7, 19)):
        up, down = logits.copy(), logits.copy()
        up[1, cell, outcome] += 1e-5
        down[1, cell, outcome] -= 1e-5
        weighted = [(advantages * log_probability(x, attempts)).mean((1, 2)) for x in (up, down)]
        assert (
            step[:, cell, outcome] == pytest.approx([0, (weighted[0] - weighted[1])[1] / 2e-5], abs=1e-8)
            or cell in attempts.cells[:, 0]
        )
        assert step[1, cell, outcome] == pytest.approx((weighted[0] - weighted[1])[1] / 2e-5, abs=1e-8)


def test_learning_makes_a_rewarded_attempt_likelier():
    a, b, lengths = problems(1, 2)
    solver = Solver(np.zeros((1, 200, 20)), rate=1.0)
    attempts = solver.solve(a, b, lengths, RNG.random((2, 1, 1, 1)))
    after = solver.learn(attempts, np.ones((1, 1, 1)))
    assert log_probability(after.logits, attempts) > log_probability(solver.logits, attempts)


@pytest.mark.parametrize(
    ("kind", "expected"), [("easy", [1, 0, 0, 0]), ("hard", [0, 0, 0, 1]), ("uniform", [0.25] * 4)]
)
def test_fixed_proposers(kind, expected):
    proposer = Proposer(np.zeros((1, 4)), kind)
    assert proposer.probabilities[0] == pytest.approx(expected)
    assert proposer.learn(np.array([[1, 4]]), np.array([[0.5, 0.1]])) is proposer


def test_an_adaptive_proposer_moves_to_what_paid_and_a_frozen_one_stays():
    lengths, solve_rates = np.array([[1, 1, 3, 3]]), np.array([[1.0, 1, 0.25, 0.25]])
    proposer = Proposer(np.zeros((1, 4)), "adaptive")
    moved = proposer.learn(lengths, solve_rates)
    assert moved.probabilities[0, 2] > proposer.probabilities[0, 2] > moved.probabilities[0, 0]
    assert replace(proposer, kind="frozen").learn(lengths, solve_rates).logits is proposer.logits


def test_the_proposer_step_agrees_with_finite_differences():
    proposer = Proposer(RNG.normal(size=(1, 5)), rate=1.0, explore=0.0)
    lengths, solve_rates = RNG.integers(1, 6, size=(1, 30)), RNG.random((1, 30))
    pay = COLUMN_REWARDS[proposer.reward](solve_rates)[0]

    def weighted(logits):
        return ((pay - pay.mean()) * np.log(softmax(logits))[0, lengths[0] - 1]).mean()

    exact = [(weighted(proposer.logits + e) - weighted(proposer.logits - e)) / 2e-5 for e in 1e-5 * np.eye(5)]
    assert (proposer.learn(lengths, solve_rates).logits - proposer.logits)[0] == pytest.approx(exact, abs=1e-8)


def test_the_proposer_draws_from_its_probabilities():
    proposer = Proposer(np.array([[0.0, 1.0, -1.0]]))
    counts = np.bincount(proposer.propose(RNG.random((1, 100_000)))[0], minlength=4)[1:] / 100_000
    assert counts == pytest.approx(proposer.probabilities[0], abs=4 * 0.5 / 100_000**0.5)


def test_rewards_at_known_solve_rates():
    r = np.array([0, 1 / 8, 1 / 2, 7 / 8, 1])
    expected = {
        "1-r": [1, 7 / 8, 1 / 2, 1 / 8, 0],
        "1-r if r>0": [0, 7 / 8, 1 / 2, 1 / 8, 0],
        "1-2|r-1/2|": [0, 1 / 4, 1, 1 / 4, 0],
        "min(r,1-r)": [0, 1 / 8, 1 / 2, 1 / 8, 0],
        "1[0<r<1]": [0, 1, 1, 1, 0],
        "constant": [1, 1, 1, 1, 1],
    }
    assert set(expected) == set(COLUMN_REWARDS)
    for name, pay in expected.items():
        assert COLUMN_REWARDS[name](r) == pytest.approx(pay)


def test_bad_input_is_refused():
    with pytest.raises(SpkitError, match="flip_rate is -0.1"):
        Verifier(-0.1)
    with pytest.raises(SpkitError, match="flip_rate is nan"):
        Verifier(float("nan"))
    with pytest.raises(SpkitError, match="no proposer 'clever'.*adaptive"):
        Proposer(np.zeros((1, 8)), "clever")
    with pytest.raises(SpkitError, match="no reward"):
        Proposer(np.zeros((1, 8)), reward="r")
    with pytest.raises(SpkitError, match="proposer's rate is -1"):
        Proposer(np.zeros((1, 8)), rate=-1)
    with pytest.raises(SpkitError, match="solver's rate is -1"):
        Solver(np.zeros((1, 200, 20)), rate=-1)
    a, b, _ = problems(3, 2)
    with pytest.raises(SpkitError, match="length n is 0 to 2"):
        knowing().solve(a, b, np.array([[0, 1, 2]]), RNG.random((2, 1, 3, 2)))
