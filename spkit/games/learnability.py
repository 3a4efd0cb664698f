"""What the next round of `columns` can teach, exactly: solve rates, learnability and the proposer reward at every
length, without sampling.

Everything follows from one recursion. Take k attempts at the same random problem, all right so far. What matters for
the next column is the true carry c and how many of the k wrote a carry of 1, j. The chance that all k stay right is
then the k-th moment E[p^k] of a problem's solve rate p: k = 1 is the accuracy, E[p] - E[p^2] the variance of the reward
within a group, and moments up to the group's size give the whole distribution of "m right out of k", hence the expected
reward. With a verifier that flips a share f of its verdicts, the variance within a group is f (1 - f) + (1 - 2 f)^2
(E[p]
- E[p^2]): the first term looks like something to learn and is not.

Arrays: logits (seeds, 200, 20); results (seeds, lengths), entry j for length j + 1.
"""

from math import comb

import numpy as np

from spkit.games.columns import CELLS, OUTCOMES, ColumnReward, check_count, check_probability, reward_rule, softmax
from spkit.run.errors import SpkitError


def digit_and_carry() -> tuple[np.ndarray, np.ndarray]:
    """True digit and true carry of each column, (10, 10, 2) by a, b and the true carry-in."""
    total = np.add.outer(np.add.outer(np.arange(10), np.arange(10)), np.arange(2))
    return total % 10, total // 10


def right_digit(probabilities: np.ndarray) -> np.ndarray:
    """Chance (seeds, a, b, c, s, s') that a column with true carry c and written carry s gets the right
    digit and writes carry s'.
    """
    table = probabilities.reshape(-1, 10, 10, 2, 10, 2)
    digit, _ = digit_and_carry()
    a, b, c, s = np.ogrid[:10, :10, :2, :2]
    return table[:, a, b, s, digit[a, b, c], :]


def check_logits(logits: np.ndarray) -> np.ndarray:
    """The solver's logits as floats; SpkitError unless they are finite and of shape (seeds, 200, 20)."""
    logits = np.asarray(logits, dtype=float)
    if logits.ndim != 3 or logits.shape[1:] != (CELLS, OUTCOMES):
        raise SpkitError(
            f"The solver's table has the shape {logits.shape}: pass logits of shape (seeds, {CELLS}, {OUTCOMES})."
        )
    if not np.isfinite(logits).all():
        raise SpkitError("The solver's table holds a value that is not finite: lower the learning rate.")
    return logits


def transition(probabilities: np.ndarray, k: int) -> np.ndarray:
    """One column of the recursion, (seeds, 2 (k+1), 2 (k+1)): state (c, j) -> (c', j'), averaged over both digits."""
    q = right_digit(probabilities)
    _, carry = digit_and_carry()
    table = np.zeros((len(q), 2, k + 1, 2, k + 1))
    for c in (0, 1):
        for j in range(k + 1):
            # The k - j attempts with carry 0 and the j with carry 1 each stay right with carry 0 or 1: a polynomial in
            # "carries of 1".
            ways = np.ones((*q.shape[:3], 1))
            for s in [0] * (k - j) + [1] * j:
                zero, one = q[:, :, :, c, s, 0, None], q[:, :, :, c, s, 1, None]
                ways = np.pad(zero * ways, ((0, 0),) * 3 + ((0, 1),)) + np.pad(one * ways, ((0, 0),) * 3 + ((1, 0),))
            for next_c in (0, 1):
                table[:, c, j, next_c] = (ways * (carry[:, :, c] == next_c)[..., None]).mean((1, 2))
    return table.reshape(len(q), 2 * k + 2, 2 * k + 2)


def moment(logits: np.ndarray, max_length: int, k: int) -> np.ndarray:
    """E[p^k] over random problems of each length, p being the solver's chance to get the problem right."""
    step = transition(softmax(check_logits(logits)), k)
    state = np.zeros((len(step), 2 * k + 2))
    state[:, 0] = 1
    moments = []
    for _ in range(check_count("max_length", max_length)):
        state = np.einsum("zi,zij->zj", state, step)
        moments.append(state[:, 0] + state[:, -1])
    return np.stack(moments, 1)


def exact_accuracy(logits: np.ndarray, max_length: int = 8) -> np.ndarray:
    """The chance that a random problem of each length is added right."""
    return moment(logits, max_length, 1)


def learnability(logits: np.ndarray, max_length: int = 8, flip_rate: float = 0.0) -> np.ndarray:
    """Variance of the reward between attempts at one problem, averaged over problems: 0 where the solver
    always or never succeeds.
    """
    real = moment(logits, max_length, 1) - moment(logits, max_length, 2)
    return check_probability("flip_rate", flip_rate) * (1 - flip_rate) + (1 - 2 * flip_rate) ** 2 * real


def group_outcomes(logits: np.ndarray, max_length: int, group: int) -> np.ndarray:
    """Chance (seeds, lengths, group + 1) of each number of right answers in `group` attempts at one random problem."""
    known = [np.ones((len(logits), max_length))] + [
        moment(logits, max_length, k) for k in range(1, check_count("group", group) + 1)
    ]
    return np.einsum("zlk,mk->zlm", np.stack(known, -1), _inclusion_exclusion(group))


def _inclusion_exclusion(group: int) -> np.ndarray:
    """Coefficients turning moments into E[C(G, m) p^m (1 - p)^(G - m)]."""
    table = np.zeros((group + 1, group + 1))
    for m in range(group + 1):
        for i in range(group - m + 1):
            table[m, m + i] = comb(group, m) * comb(group - m, i) * (-1) ** i
    return table


def binomial(group: int, p: np.ndarray) -> np.ndarray:
    """Binomial probabilities (..., group + 1) for success chances p (...)."""
    m = np.arange(group + 1)
    ways = np.array([comb(group, i) for i in m], dtype=float)
    p = np.asarray(p, dtype=float)[..., None]
    return ways * p**m * (1 - p) ** (group - m)


def reward_at_rate(p: np.ndarray, proposer_reward: ColumnReward, group: int = 8, flip_rate: float = 0.0) -> np.ndarray:
    """The expected proposer reward of a problem the solver gets right with chance p (...), as the
    noisy verifier counts it.
    """
    p = np.asarray(p, dtype=float)
    if not ((p >= 0) & (p <= 1)).all():
        raise SpkitError("A solve rate outside 0 to 1 was passed: solve rates are probabilities.")
    seen = check_probability("flip_rate", flip_rate) + (1 - 2 * flip_rate) * p
    return binomial(group, seen) @ reward_rule(proposer_reward)(np.arange(group + 1) / group)


def expected_reward(
    logits: np.ndarray, proposer_reward: ColumnReward, max_length: int = 8, group: int = 8, flip_rate: float = 0.0
) -> np.ndarray:
    """The expected proposer reward at each length for the present solver: where it is drawn to."""
    right = np.arange(group + 1)
    # Of m right answers some are called wrong, and of the others some are called right: a sum of two binomials.
    kept = [
        np.convolve(binomial(m, 1 - check_probability("flip_rate", flip_rate)), binomial(group - m, flip_rate))
        for m in right
    ]
    value = np.stack(kept) @ reward_rule(proposer_reward)(right / group)
    return np.einsum("zlm,m->zl", group_outcomes(logits, max_length, group), value)
