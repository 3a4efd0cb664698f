"""Signal and noise in the solver's policy gradient, exactly, for attempts at problems of one length.

One attempt gives the estimate A x s, with A = (reward as the verifier gives it) - (its mean at this length) and s =
grad log p(attempt). Its mean is (1 - 2 f) grad accuracy, for a verifier that flips a share f of its verdicts: noise
does not flip the step, it shrinks it. Its spread does not shrink, because a wrong verdict multiplies the same s.
The signal-to-noise ratio is

    |mean|^2 / E|estimate - mean|^2        of one attempt, so that 1 / ratio attempts make the two equal.

The loop compares an attempt with its group at the same problem, which removes a little more noise;
this is the plain estimator.

Arrays: logits (seeds, 200, 20); results (seeds, lengths, ...), entry j for length j + 1.
"""

from dataclasses import dataclass

import numpy as np

from spkit.games.columns import CELLS, OUTCOMES, check_count, check_probability, check_step, softmax
from spkit.games.learnability import check_logits, digit_and_carry, right_digit, transition


def _paths(step: np.ndarray, max_length: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Chance (seeds, c, s) of each state before column i while right so far.

    Chance (seeds, c, s) to end right with i columns left.
    """
    seeds = len(step)
    before = [np.zeros((seeds, 4))]
    before[0][:, 0] = 1
    left = [np.tile([1.0, 0, 0, 1], (seeds, 1))]
    for _ in range(max_length):
        before.append(np.einsum("zi,zij->zj", before[-1], step))
        left.append(np.einsum("zij,zj->zi", step, left[-1]))
    return [x.reshape(seeds, 2, 2) for x in before], [x.reshape(seeds, 2, 2) for x in left]


def accuracy_gradient(logits: np.ndarray, max_length: int = 8) -> np.ndarray:
    """Gradient (seeds, lengths, 200, 20) of the exact accuracy at each length with respect to the logits."""
    p = softmax(check_logits(logits))
    before, left = _paths(transition(p, 1), check_count("max_length", max_length))
    digit, carry = digit_and_carry()
    a, b = np.ogrid[:10, :10]
    gradients = []
    for n in range(1, max_length + 1):
        slope = np.zeros((len(p), 10, 10, 2, 10, 2))  # of the accuracy in each probability: seeds, a, b, s, digit, s'
        for c in (0, 1):
            after = sum(
                before[i][:, c, :, None, None, None] * left[n - 1 - i][:, None, carry[:, :, c], :] for i in range(n)
            )
            slope[:, a, b, :, digit[:, :, c], :] += np.moveaxis(after, (2, 3), (0, 1)) / 100
        slope = slope.reshape(len(p), CELLS, OUTCOMES)
        gradients.append(p * (slope - (p * slope).sum(-1, keepdims=True)))
    return np.stack(gradients, 1)


@dataclass(frozen=True)
class SignalToNoise:
    """Per length, (seeds, lengths): squared norm of the mean step, its expected squared deviation, their ratio."""

    signal: np.ndarray
    noise: np.ndarray

    @property
    def ratio(self) -> np.ndarray:
        """Signal-to-noise ratio of one attempt."""
        return self.signal / self.noise


def signal_to_noise(logits: np.ndarray, max_length: int = 8, flip_rate: float = 0.0) -> SignalToNoise:
    """The signal and noise of one attempt's gradient at each length, with a verifier that flips a share of its
    verdicts.
    """
    f = check_probability("flip_rate", flip_rate)
    p = softmax(check_logits(logits))
    step = transition(p, 1)
    before, left = _paths(step, check_count("max_length", max_length))
    accuracy = np.stack([x[:, 0, 0] for x in left[1:]], 1)
    signal = (1 - 2 * f) ** 2 * (accuracy_gradient(logits, max_length) ** 2).sum((-1, -2))
    mean = f + (1 - 2 * f) * accuracy
    when_right = (1 - f) * (1 - mean) ** 2 + f * mean**2
    when_wrong = f * (1 - mean) ** 2 + (1 - f) * mean**2
    total = _score_norm(p, max_length)
    right = _score_norm_when_right(p, step, before, left, max_length)
    return SignalToNoise(signal, when_right * right + when_wrong * (total - right) - signal)


def _score_norm(p: np.ndarray, max_length: int) -> np.ndarray:
    """E|s|^2: the scores of different columns are uncorrelated, so it is a sum over columns of 1 - |p(cell)|^2."""
    spread = (1 - (p**2).sum(-1)).reshape(-1, 10, 10, 2).mean((1, 2))
    writes_carry = p.reshape(-1, 10, 10, 2, 10, 2)[..., 1].sum(-1).mean((1, 2))  # seeds, s
    carry, total, norms = np.zeros(len(p)), np.zeros(len(p)), []
    for _ in range(max_length):
        total = total + (1 - carry) * spread[:, 0] + carry * spread[:, 1]
        carry = (1 - carry) * writes_carry[:, 0] + carry * writes_carry[:, 1]
        norms.append(total)
    return np.stack(norms, 1)


def _score_norm_when_right(p: np.ndarray, step: np.ndarray, before: list, left: list, max_length: int) -> np.ndarray:
    """E[|s|^2; the answer is right], columns that meet the same cell twice included."""
    seeds = len(p)
    q = right_digit(p)  # seeds, a, b, c, s, s'
    norm = (p**2).sum(-1).reshape(seeds, 10, 10, 2)
    digit, carry = digit_and_carry()
    once = q * (1 - 2 * q + norm[:, :, :, None, :, None]) / 100
    # Two visits to one cell (a, b, s), with true carries c and d and written carries u and v: <s_i, s_j> = [same] - q -
    # q' + |p|^2.
    one, two = q[:, :, :, :, None, :, :, None], q[:, :, :, None, :, :, None, :]  # seeds, a, b, c, d, s, u, v
    same = (digit[:, :, :, None] == digit[:, :, None, :])[:, :, :, :, None, None, None] * np.eye(2)
    twice = one * two * (same - one - two + norm[:, :, :, None, None, :, None, None]) / 1e4
    powers = [np.tile(np.eye(4), (seeds, 1, 1))]
    for _ in range(max_length):
        powers.append(np.einsum("zij,zjk->zik", powers[-1], step))
    onward = [
        x.reshape(seeds, 2, 2, 2, 2)[:, carry] for x in powers
    ]  # seeds, a, b, c, u -> (d, s): how the second visit is reached
    results = []
    for n in range(1, max_length + 1):
        total = sum(np.einsum("zabcsu,zcs,zabcu->z", once, before[i], left[n - 1 - i][:, carry]) for i in range(n))
        for i in range(n):
            for j in range(i + 1, n):
                total = total + 2 * np.einsum(
                    "zabcdsuv,zcs,zabcuds,zabdv->z",
                    twice,
                    before[i],
                    onward[j - i - 1],
                    left[n - 1 - j][:, carry],
                    optimize=False,
                )
        results.append(total)
    return np.stack(results, 1)


def drift(logits: np.ndarray, rate: float, attempts: int, length: int = 1, flip_rate: float = 0.0) -> np.ndarray:
    """How far noise carries the table while the signal carries it by one unit, (seeds,), for problems of one length.

    A step on the mean of `attempts` gradients moves the logits by rate x |mean| and scatters them by a variance of
    rate^2 x noise / attempts; this is the second over the first. It grows with the step size and the flip rate and
    falls with the attempts. It is infinite where there is no signal, as with verdicts flipped half the time.
    """
    found = signal_to_noise(logits, length, flip_rate)
    scatter = check_step("step", rate) * found.noise[:, -1] / check_count("attempts", attempts)
    with np.errstate(divide="ignore"):
        return scatter / np.sqrt(found.signal[:, -1])
