"""Checks for the exercises of notebook 00; each takes the reader's function."""

import numpy as np

from spkit.exercises.checking import Answer, compare
from spkit.games.columns import CORRECT, softmax
from spkit.games.learnability import binomial, digit_and_carry, exact_accuracy

_nash_conv_rng = np.random.default_rng(0)


def _nash_conv_right(a, x, y):
    return (a @ y).max() - (x @ a).min()


NASH_CONV_MISTAKES = {
    "this is the row player's gain alone; the column player can gain too.": lambda a, x, y: (a @ y).max() - x @ a @ y,
    "this is the column player's gain alone; the row player can gain too.": lambda a, x, y: x @ a @ y - (x @ a).min(),
    "this is NashConv divided by 2, which is called exploitability.": lambda a, x, y: _nash_conv_right(a, x, y) / 2,
    "the column player earns the negative of the payoff, so its best response minimises.": lambda a, x, y: (
        (a @ y).max() - (x @ a).max()
    ),
    "these are the largest and smallest payoffs; a best response is to the other's mixture.": lambda a, x, y: (
        a.max() - a.min()
    ),
}


def check_nash_conv(answer: Answer) -> None:
    """`answer(payoff, row, column)`: what both players could gain by best responses."""
    cases = [
        (
            _nash_conv_rng.normal(size=(rows, 4)),
            _nash_conv_rng.dirichlet(np.ones(rows)),
            _nash_conv_rng.dirichlet(np.ones(4)),
        )
        for rows in (3, 4, 5)
    ]
    compare("nash_conv", answer, _nash_conv_right, NASH_CONV_MISTAKES, cases)


_learnability_rng = np.random.default_rng(1)


LEARNABILITY_MISTAKES = {
    "this pools all problems: two groups, one all right and one all wrong, would look learnable.": lambda r: r.var(),
    "this pools all problems, without bias but still: the spread between problems is not learnable.": lambda r: r.var(
        ddof=1
    ),
    "this divides by the group's size; compared with their own mean, rewards lose a degree of freedom.": lambda r: (
        r.var(1).mean()
    ),
    "this is the standard deviation; learnability is the variance.": lambda r: r.std(1, ddof=1).mean(),
    "this takes the variance between the problems' solve rates; learnable is what varies within one.": lambda r: r.mean(
        1
    ).var(ddof=1),
    "this is how hard the problems are, 1 - r: an impossible problem would come out best.": lambda r: 1 - r.mean(),
}


def check_learnability(answer: Answer) -> None:
    """`answer(rewards)`: unbiased estimate of the variance within a group, from rewards (problems, group)."""
    cases = [
        ((_learnability_rng.random((problems, 6)) < _learnability_rng.random((problems, 1))).astype(float),)
        for problems in (40, 41, 60)
    ]
    compare("learnability", answer, lambda r: r.var(1, ddof=1).mean(), LEARNABILITY_MISTAKES, cases)


def _half_trained(seed: int) -> np.ndarray:
    """A table (a, b, carry-in, digit, carry) that is right more often than not."""
    logits = np.random.default_rng(seed).normal(size=(200, 20))
    logits[np.arange(200), CORRECT] += 3
    return softmax(logits).reshape(10, 10, 2, 10, 2)


def _column(table: np.ndarray) -> np.ndarray:
    """Chance (true carry, written carry, next true carry, next written carry) that a column gets the right digit."""
    digit, carry = digit_and_carry()
    chances = np.zeros((2, 2, 2, 2))
    for a, b, c, s in np.ndindex(10, 10, 2, 2):
        chances[c, s, carry[a, b, c]] += table[a, b, s, digit[a, b, c]] / 100
    return chances


def _chain(table: np.ndarray, n: int) -> np.ndarray:
    """Chance (true carry, written carry) after n columns with right digits."""
    state = np.array([[1.0, 0], [0, 0]])
    for _ in range(n):
        state = np.einsum("cs,csdu->du", state, _column(table))
    return state


def _accuracy_right(table, n):
    return exact_accuracy(np.log(table).reshape(1, 200, 20), n)[0, -1]


def _accuracy_carries_in_between(table, n):
    chances, state = _column(table), np.array([1.0, 0])
    for _ in range(n):
        state = state @ np.array([[chances[c, c, d, d] for d in (0, 1)] for c in (0, 1)])
    return state.sum()


def _accuracy_as_if_written_carry_were_true(table, n):
    chances, state = _column(table), np.array([1.0, 0])
    for step in range(n):
        last = step == n - 1
        state = state @ np.array(
            [[chances[c, c, d, d] if last else chances[c, c, d].sum() for d in (0, 1)] for c in (0, 1)]
        )
    return state.sum()


ACCURACY_MISTAKES = {
    "columns are not independent copies of the first: later ones meet carries.": lambda t, n: (
        _accuracy_right(t, 1) ** n
    ),
    "the last carry is part of the answer: it must be the true one.": lambda t, n: _chain(t, n).sum(),
    (
        "the verifier does not see the carries in between: a wrong one with right digits all the same counts."
    ): _accuracy_carries_in_between,
    (
        "the next column starts from the carry that was written, not from the true one."
    ): _accuracy_as_if_written_carry_were_true,
}


def check_accuracy(answer: Answer) -> None:
    """`answer(table, n)`: chance that a random n-digit sum is right, table (10, 10, 2, 10, 2) by a,
    b, carry-in, digit, carry.
    """
    cases = [(_half_trained(seed), n) for seed in (0, 1) for n in (1, 2, 4)]
    compare("accuracy", answer, _accuracy_right, ACCURACY_MISTAKES, cases)


def check_debias(answer: Answer) -> None:
    """`answer(verdicts, flip_rate)`: rewards whose expectation is the truth, from verdicts (...) of
    which a known share is flipped.
    """
    rng = np.random.default_rng(2)
    cases = [((rng.random((3, 8)) < 0.4).astype(float), flip_rate) for flip_rate in (0.05, 0.2, 0.35)]
    known = {
        "this stretches without shifting: a wrong answer still earns f / (1 - 2 f) on average.": lambda v, f: (
            v / (1 - 2 * f)
        ),
        "this shifts without stretching: a right answer earns 1 - 2 f on average.": lambda v, f: v - f,
        "a right answer is called right with 1 - f and a wrong one with f: they are 1 - 2 f apart.": lambda v, f: (
            (v - f) / (1 - f)
        ),
        "cutting to [0, 1] brings the bias back: let single rewards leave the range.": lambda v, f: np.clip(
            (v - f) / (1 - 2 * f), 0, 1
        ),
        "unchanged verdicts average f + (1 - 2 f) x truth.": lambda v, f: v,
    }
    compare("debias", answer, lambda v, f: (v - f) / (1 - 2 * f), known, cases)


_noisy_reward_p = np.linspace(0, 1, 21)


NOISY_REWARD_MISTAKES = {
    "this rewards hard problems: impossible ones earn the most.": lambda r, f, g: 1 - r,
    "this is Absolute Zero's rule: with flips, impossible problems pass its gate.": lambda r, f, g: np.where(
        r > 0, 1 - r, 0
    ),
    "this is R-Zero's rule: flips alone earn it something at p = 0 and p = 1.": lambda r, f, g: 1 - 2 * np.abs(r - 0.5),
    "r (1 - r) is too small by (g - 1) / g on average, and flips alone earn it something.": lambda r, f, g: r * (1 - r),
    "the flips' own variance f (1 - f) is still rewarded.": lambda r, f, g: r * (1 - r) * g / (g - 1),
    "the flips' variance is gone, but what remains is (1 - 2 f)^2 too small.": lambda r, f, g: (
        r * (1 - r) * g / (g - 1) - f * (1 - f)
    ),
    "r (1 - r) of a group is too small by (g - 1) / g on average: correct that before subtracting.": lambda r, f, g: (
        (r * (1 - r) - f * (1 - f)) / (1 - 2 * f) ** 2
    ),
}


def check_noisy_reward(answer: Answer) -> None:
    """`answer(r, flip_rate, group)`: a proposer reward whose expectation at a problem of true solve
    rate p is p (1 - p), whatever the noise.

    The check takes the expectation exactly, over the binomial of verdicts, at 21 solve rates.
    """
    cases = [(flip_rate, group) for flip_rate in (0.0, 0.1, 0.25) for group in (4, 8)]

    def expectation(reward):
        def over_verdicts(flip_rate, group):
            seen = flip_rate + (1 - 2 * flip_rate) * _noisy_reward_p
            values = np.broadcast_to(reward(np.arange(group + 1) / group, flip_rate, group), (group + 1,))
            return binomial(group, seen) @ values

        return over_verdicts

    compare(
        "noisy_reward",
        expectation(answer),
        expectation(lambda r, f, g: (r * (1 - r) * g / (g - 1) - f * (1 - f)) / (1 - 2 * f) ** 2),
        {text: expectation(wrong) for text, wrong in NOISY_REWARD_MISTAKES.items()},
        cases,
    )
