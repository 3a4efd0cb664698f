"""The exact gradient against finite differences and samples, and its noise against Monte-Carlo within its error."""

import numpy as np
import pytest

from spkit.games.columns import CORRECT, Solver, Verifier, reinforce, softmax
from spkit.games.gradient import accuracy_gradient, drift, signal_to_noise
from spkit.games.learnability import exact_accuracy
from spkit.run.errors import SpkitError

RNG = np.random.default_rng(3)
LOGITS = RNG.normal(size=(2, 200, 20))
LOGITS[:, np.arange(200), CORRECT] += 4


def narrow() -> np.ndarray:
    """A table that often meets the same cell twice: every wrong outcome is improbable but for one."""
    logits = np.full((1, 200, 20), -6.0)
    logits[0, np.arange(200), CORRECT] = 1.0
    logits[0, np.arange(200), (CORRECT + 1) % 20] = 0.5  # the right digit with the other carry, or its neighbour
    return logits


def estimates(logits: np.ndarray, n: int, flip_rate: float, count: int) -> np.ndarray:
    """Single-attempt gradients A x s, (count, 200 * 20)."""
    a, b = RNG.integers(10, size=(2, 1, count, n))
    lengths = np.full((1, count), n)
    attempts = Solver(logits).solve(a, b, lengths, RNG.random((n, 1, count, 1)))
    rewards = Verifier(flip_rate).judge(a, b, lengths, attempts, RNG.random((1, count, 1)))[0, :, 0]
    mean = flip_rate + (1 - 2 * flip_rate) * exact_accuracy(logits, n)[0, -1]
    scores = np.zeros((count, 200, 20))
    p = softmax(logits)[0]
    for cell, outcome in zip(attempts.cells[:, 0, :, 0], attempts.outcomes[:, 0, :, 0], strict=True):
        scores[np.arange(count), cell] -= p[cell]
        scores[np.arange(count), cell, outcome] += 1
    return ((rewards - mean)[:, None, None] * scores).reshape(count, -1)


def test_the_exact_gradient_agrees_with_finite_differences():
    gradient = accuracy_gradient(LOGITS, 5)
    assert np.abs(gradient).max() > 1e-3
    for cell in RNG.integers(200, size=8):
        for outcome in (CORRECT[cell], (CORRECT[cell] + 1) % 20, 3):
            up, down = LOGITS.copy(), LOGITS.copy()
            up[:, cell, outcome] += 1e-4
            down[:, cell, outcome] -= 1e-4
            assert gradient[:, :, cell, outcome] == pytest.approx(
                (exact_accuracy(up, 5) - exact_accuracy(down, 5)) / 2e-4, abs=1e-9
            )


@pytest.mark.parametrize("flip_rate", [0.0, 0.2])
def test_the_sampled_step_has_the_exact_gradient_as_its_mean(flip_rate):
    n, problems, group = 3, 150_000, 2
    a, b = RNG.integers(10, size=(2, 1, problems, n))
    lengths = np.full((1, problems), n)
    attempts = Solver(LOGITS[:1]).solve(a, b, lengths, RNG.random((n, 1, problems, group)))
    rewards = Verifier(flip_rate).judge(a, b, lengths, attempts, RNG.random((1, problems, group)))
    step = reinforce(softmax(LOGITS[:1]), attempts, rewards - rewards.mean(-1, keepdims=True))[0]
    # the group's mean holds the attempt itself
    exact = (1 - 2 * flip_rate) * (1 - 1 / group) * accuracy_gradient(LOGITS[:1], n)[0, -1]
    found = signal_to_noise(LOGITS[:1], n, flip_rate)
    error = (found.noise[0, -1] / (problems * group)) ** 0.5  # what one attempt's noise leaves in the mean
    assert np.linalg.norm(step - exact) < 1.5 * error
    assert np.linalg.norm(exact) > 5 * error


@pytest.mark.parametrize("flip_rate", [0.0, 0.2])
@pytest.mark.parametrize("n", [1, 2, 6])
def test_signal_and_noise_agree_with_monte_carlo(n, flip_rate):
    for logits in (LOGITS[:1], narrow()):
        squares = (estimates(logits, n, flip_rate, 4000) ** 2).sum(1)
        found = signal_to_noise(logits, n, flip_rate)
        assert squares.mean() == pytest.approx((found.signal + found.noise)[0, -1], abs=4 * squares.std() / 4000**0.5)


def test_the_noise_of_three_columns_agrees_with_enumeration():
    """All 10^6 problems and all ways to write the carries.

    This also sees attempts that meet one cell two or three times.
    """
    p = softmax(LOGITS[:1])[0]
    writes = p.reshape(200, 10, 2).sum(1)  # chance of each written carry, whatever the digit
    norm = (p**2).sum(1)
    pair = np.arange(100)
    pairs = [x.ravel() for x in np.meshgrid(pair, pair, pair, indexing="ij")]
    sums = [x // 10 + x % 10 for x in pairs]
    carry = [0, sums[0] // 10]
    carry.append((sums[1] + carry[1]) // 10)
    last = (sums[2] + carry[2]) // 10
    right = total = reward = 0.0
    for s, t in np.ndindex(2, 2):
        cells = [2 * pairs[0], 2 * pairs[1] + s, 2 * pairs[2] + t]
        outcomes = [2 * ((x + c) % 10) + u for x, c, u in zip(sums, carry, (s, t, last), strict=True)]
        chance = np.prod([p[c, o] for c, o in zip(cells, outcomes, strict=True)], axis=0)
        square = sum(
            (cells[i] == cells[j])
            * ((outcomes[i] == outcomes[j]) - p[cells[i], outcomes[i]] - p[cells[j], outcomes[j]] + norm[cells[i]])
            for i, j in np.ndindex(3, 3)
        )
        right, reward = right + (chance * square).mean(), reward + chance.mean()
        total += (writes[cells[0], s] * writes[cells[1], t] * sum(1 - norm[c] for c in cells)).mean()
    found = signal_to_noise(LOGITS[:1], 3)
    assert (found.signal + found.noise)[0, -1] == pytest.approx(
        (1 - reward) ** 2 * right + reward**2 * (total - right), rel=1e-9
    )


def test_the_signal_shrinks_with_the_flip_rate_and_vanishes_at_one_half():
    clean, noisy, coin = (signal_to_noise(LOGITS, 4, f) for f in (0, 0.2, 0.5))
    assert noisy.signal == pytest.approx(0.36 * clean.signal)
    assert (coin.signal == 0).all() and (noisy.ratio < 0.5 * clean.ratio).all()
    assert (drift(LOGITS, 300.0, 256, 1, 0.5) == np.inf).all()


def test_wander_by_hand_for_a_blank_table_and_one_column():
    # 100 cells visited equally; p = 1/20; the reward is right with 1/20. |grad|^2 = 100 (1/100)^2 p^2 (1 - p), E|s|^2 =
    # 1 - p.
    p = 1 / 20
    signal = p**2 * (1 - p) / 100
    second = p * (1 - p) ** 2 * (1 - p) + (1 - p) * p**2 * (1 - p)
    assert drift(np.zeros((1, 200, 20)), 300.0, 256)[0] == pytest.approx(300 * (second - signal) / 256 / signal**0.5)


def test_bad_input_is_refused():
    with pytest.raises(SpkitError, match="max_length is 0"):
        accuracy_gradient(LOGITS, 0)
    with pytest.raises(SpkitError, match="flip_rate is 2"):
        signal_to_noise(LOGITS, 3, 2)
    with pytest.raises(SpkitError, match="attempts is 0"):
        drift(LOGITS, 1.0, 0)
    with pytest.raises(SpkitError, match="step is -1"):
        drift(LOGITS, -1.0, 10)
