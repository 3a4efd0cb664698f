"""Checks for the exercises of notebook 03 on tables: p is the data, q the opponent, one probability an
outcome, all in float64.
"""

from collections.abc import Callable

import numpy as np

from .checking import Answer, Mistake, compare

FATES = ("converges", "2-cycle", "diverges")


def _tables(seed: int, count: int, outcomes: int = 5) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(seed)
    return [(rng.dirichlet(np.full(outcomes, 2.0)), rng.dirichlet(np.full(outcomes, 2.0))) for _ in range(count)]


def _normalized(weights: np.ndarray) -> np.ndarray:
    return weights / weights.sum()


def _best_response_weights(p, q, lam):
    return q * (p / q) ** (1 / lam)


BEST_RESPONSE_MISTAKES = {
    "the exponent is lambda; it is 1 / lambda: the larger lambda, the smaller the change.": lambda p, q, lam: (
        _normalized(q * (p / q) ** lam)
    ),
    "the ratio is inverted, q / p: this moves away from the data.": lambda p, q, lam: _normalized(
        q * (q / p) ** (1 / lam)
    ),
    "this is not normalised.": _best_response_weights,
    "q is missing in front; the response starts from the opponent.": lambda p, q, lam: _normalized(
        (p / q) ** (1 / lam)
    ),
    "p stands in front; the response starts from the opponent, q.": lambda p, q, lam: _normalized(
        p * (p / q) ** (1 / lam)
    ),
    "this is p whatever lambda is, which is right for lambda = 1 alone.": lambda p, q, lam: p,
    "the power is of q as well; only the ratio has the exponent.": lambda p, q, lam: _normalized(
        (q * p / q) ** (1 / lam)
    ),
    "this mixes probabilities, q + (p - q) / lambda; the response mixes logarithms.": lambda p, q, lam: (
        q + (p - q) / lam
    ),
    (
        "this is q e^(p / (q lambda)); the optimal reward is the logarithm of the ratio, not the ratio."
    ): lambda p, q, lam: _normalized(q * np.exp(p / q / lam)),
    "this is q (1 + log(p / q) / lambda), the first step of the exponential series.": lambda p, q, lam: _normalized(
        q * (1 + np.log(p / q) / lam)
    ),
}


def check_best_response(answer: Answer) -> None:
    """`answer(p, q, lam)`: the minimiser of SPIN's loss on a table (Theorem 5.4)."""
    cases = [(p, q, lam) for p, q in _tables(0, 2) for lam in (0.4, 1.0, 2.5)]
    compare(
        "best_response",
        answer,
        lambda p, q, lam: _normalized(_best_response_weights(p, q, lam)),
        BEST_RESPONSE_MISTAKES,
        cases,
    )


def _fate_numbered(function: Answer) -> Answer:
    def number(*case):
        said = function(*case)
        if said not in FATES:
            raise Mistake(f"fate: say one of {', '.join(FATES)}, not {said!r}.")
        return FATES.index(said)

    return number


def _fate_by(fate: Callable[[float], str]) -> Answer:
    return lambda p, q, lam: fate(lam)


def _fate_around(threshold: float, below: str, at: str, above: str) -> Answer:
    return _fate_by(lambda lam: below if lam < threshold else above if lam > threshold else at)


def _fate_first_step(p, q, lam):
    after = _normalized(q * (p / q) ** (1 / lam))
    return "converges" if p @ np.log(p / after) < p @ np.log(p / q) else "diverges"


FATE_MISTAKES = {
    (
        "that it always converges is folklore; the theorems are about the fixed point, not about the way to it."
    ): _fate_by(lambda lam: "converges"),
    (
        "below 1 it overshoots, but from 1/2 on each overshoot is smaller than the last; only below 1/2 they grow."
    ): _fate_around(1, "diverges", "converges", "converges"),
    "lambda = 1 is no cycle: one step lands on the data; and the threshold is not there.": _fate_around(
        1, "diverges", "2-cycle", "converges"
    ),
    "the threshold is not at 1, and it is flipped: a larger lambda is a smaller change.": _fate_around(
        1, "converges", "converges", "diverges"
    ),
    "below 1 the iterates alternate, but an alternation is a 2-cycle only if its size stays the same.": _fate_around(
        1, "2-cycle", "converges", "converges"
    ),
    "between 1/2 and 1 the iterates alternate, but their distance to the data shrinks.": _fate_by(
        lambda lam: "diverges" if lam < 0.5 else "2-cycle" if lam < 1 else "converges"
    ),
    "this is flipped: a small lambda is a large change (1 / lambda is the exponent).": _fate_around(
        0.5, "converges", "2-cycle", "diverges"
    ),
    "at lambda = 1/2 the log-ratio only changes its sign, for ever: it does not shrink.": _fate_around(
        0.5, "diverges", "converges", "converges"
    ),
    "at lambda = 1/2 the log-ratio only changes its sign, for ever: it does not grow.": _fate_around(
        0.5, "diverges", "diverges", "converges"
    ),
    "below 1/2 each change of sign is larger than the last: no cycle.": _fate_around(
        0.5, "2-cycle", "2-cycle", "converges"
    ),
    "this judges by the first iteration; KL can fall once and rise for ever after.": _fate_first_step,
}


def check_fate(answer: Answer) -> None:
    """`answer(p, q, lam)`: one of FATES, for exact best responses repeated without end from q, which is not p."""
    cases = [(p, q, lam) for p, q in _tables(1, 3) for lam in (0.1, 0.3, 0.45, 0.5, 0.55, 0.8, 1.0, 1.5, 4.0)]
    compare("fate", _fate_numbered(answer), _fate_numbered(_fate_around(0.5, "diverges", "2-cycle", "converges")),
            {text: _fate_numbered(wrong) for text, wrong in FATE_MISTAKES.items()}, cases)  # fmt: skip


_chi_square_loss_rng = np.random.default_rng(2)


CHI_SQUARE_LOSS_MISTAKES = {
    (
        "this is the pairwise square, of the difference of the two rewards; each reward has a target of its own."
    ): lambda r, g, tau: ((r - g - tau) ** 2).mean(),
    (
        "this is the pairwise square with the targets' distance, 2 tau; each reward has a target of its own."
    ): lambda r, g, tau: ((r - g - 2 * tau) ** 2).mean(),
    "a sign is missing: the generated reply's target is -tau.": lambda r, g, tau: (
        (r - tau) ** 2 + (g - tau) ** 2
    ).mean(),
    "the targets have changed places: tau is for the real reply.": lambda r, g, tau: (
        (r + tau) ** 2 + (g - tau) ** 2
    ).mean(),
    "tau is forgotten: this pulls both rewards to 0.": lambda r, g, tau: (r**2 + g**2).mean(),
    "the generated reply's target is -tau, not 0.": lambda r, g, tau: ((r - tau) ** 2 + g**2).mean(),
    "this is the mean of both terms; the loss is their sum.": lambda r, g, tau: (
        ((r - tau) ** 2 + (g + tau) ** 2).mean() / 2
    ),
    "this is the sum over rows; the mean does not depend on the batch size.": lambda r, g, tau: (
        (r - tau) ** 2 + (g + tau) ** 2
    ).sum(),
    "this averages the rewards first; the mean comes after the squares.": lambda r, g, tau: (
        (r.mean() - tau) ** 2 + (g.mean() + tau) ** 2
    ),
    "the squares are missing.": lambda r, g, tau: (np.abs(r - tau) + np.abs(g + tau)).mean(),
}


def check_chi_square_loss(answer: Answer) -> None:
    """`answer(r_real, r_generated, tau)`: the pointwise chi-square loss of implicit rewards (rows,), mean over rows."""
    cases = [
        (_chi_square_loss_rng.normal(0.3, 1, size=rows), _chi_square_loss_rng.normal(-0.2, 1, size=rows), tau)
        for rows, tau in ((3, 1.0), (4, 0.5), (6, 2.0))
    ]
    compare(
        "chi_square_loss",
        answer,
        lambda r, g, tau: ((r - tau) ** 2 + (g + tau) ** 2).mean(),
        CHI_SQUARE_LOSS_MISTAKES,
        cases,
    )


BOUNDED_REWARD_MISTAKES = {
    "the sign is missing: what the opponent says too often has a negative reward.": lambda p, q, tau: (
        tau * np.abs(p - q) / (p + q)
    ),
    "the sign is flipped: what the data say more often has a positive reward.": lambda p, q, tau: (
        tau * (q - p) / (p + q)
    ),
    "this is the logit clipped; the chi-square reward bends, it is not cut.": lambda p, q, tau: np.clip(
        np.log(p / q), -tau, tau
    ),
    "this is the logistic loss's reward, log(p / q), which has no bound.": lambda p, q, tau: np.log(p / q),
    "this is tau log(p / q): scaled, and still without a bound.": lambda p, q, tau: tau * np.log(p / q),
    "this is the discriminator p / (p + q), from 0 to tau; the reward is centred: tau (2 D - 1).": lambda p, q, tau: (
        tau * p / (p + q)
    ),
    "tau is forgotten.": lambda p, q, tau: (p - q) / (p + q),
    "this divides by tau.": lambda p, q, tau: (p - q) / (p + q) / tau,
    "this divides by the mixture (p + q) / 2: twice as much, up to 2 tau.": lambda p, q, tau: (
        2 * tau * (p - q) / (p + q)
    ),
    "this divides by q alone, which has no upper bound.": lambda p, q, tau: tau * (p - q) / q,
    "the denominator is missing: rare outcomes would hardly be rewarded.": lambda p, q, tau: tau * (p - q),
    "this is tau tanh of the logit; half the logit is meant, if you like tanh.": lambda p, q, tau: (
        tau * np.tanh(np.log(p / q))
    ),
}


def check_bounded_reward(answer: Answer) -> None:
    """`answer(p, q, tau)`: the reward of each outcome that minimises the chi-square loss."""
    cases = [(p, q, tau) for p, q in _tables(3, 2) for tau in (0.5, 1.0, 2.0)]
    compare("bounded_reward", answer, lambda p, q, tau: tau * (p - q) / (p + q), BOUNDED_REWARD_MISTAKES, cases)


def check_sft_gradient(answer: Answer) -> None:
    """`answer(p, q)`: the gradient of -E_p log p_theta with respect to the logits, where p_theta = q."""
    known = {
        "this points uphill: the gradient of the loss has the other sign.": lambda p, q: p - q,
        "this forgets the softmax's normaliser: raising one logit lowers the other probabilities.": lambda p, q: -p,
        "this is the gradient with respect to the probabilities; the logits are asked for.": lambda p, q: -p / q,
        "this weights by q once more; under E_p, the gradient of log p_theta(y) is e_y - q.": lambda p, q: q * (q - p),
        "these are the terms of the loss, not its gradient.": lambda p, q: -p * np.log(q),
    }
    compare("sft_gradient", answer, lambda p, q: q - p, known, _tables(4, 3))


SPIN_GRADIENT_MISTAKES = {
    "the factor 1/2 is forgotten: at margin 0 the logistic loss has the slope -1/2.": lambda p, q, n, lam: (
        lam * (n - p)
    ),
    "lambda is forgotten: the reward is lambda times the log-ratio.": lambda p, q, n, lam: (n - p) / 2,
    "this divides by lambda.": lambda p, q, n, lam: (n - p) / 2 / lam,
    "this points uphill: the gradient of the loss has the other sign.": lambda p, q, n, lam: lam / 2 * (p - n),
    (
        "this is lambda / 2 times SFT's whatever the negatives; E grad log p_theta = 0 holds under q "
        "alone, not under greedy replies."
    ): (lambda p, q, n, lam: lam / 2 * (q - p)),
    (
        "this is lambda times SFT's: the factor 1/2 is forgotten, and the negatives were not looked at."
    ): lambda p, q, n, lam: lam * (q - p),
    "this is SFT's own gradient.": lambda p, q, n, lam: q - p,
    (
        "the normaliser is in one of the two terms only: both log-ratios have it, and there it cancels."
    ): lambda p, q, n, lam: lam / 2 * (n - p + q),
    "the normaliser is in the real term only: both log-ratios have it, and there it cancels.": lambda p, q, n, lam: (
        lam / 2 * (n - p - q)
    ),
    "the two gradients are added; the generated reply's is subtracted.": lambda p, q, n, lam: (
        -lam / 2 * (p + n - 2 * q)
    ),
    "the sigmoid's slope, 1/4, is not the loss's: the derivative of log(1 + e^-t) at 0 is -1/2.": lambda p, q, n, lam: (
        lam / 4 * (n - p)
    ),
}


def check_spin_gradient(answer: Answer) -> None:
    """`answer(p, q, negatives, lam)`: gradient of the logistic SPIN loss with respect to the logits, where p_theta = q.

    `negatives` is the distribution that the generated replies come from: q itself, or another one.
    """
    cases = []
    for p, q in _tables(5, 2):
        greedy = np.eye(len(q))[q.argmax()]
        truncated = _normalized(np.where(q >= np.sort(q)[-2], q, 0))
        cases += [(p, q, negatives, lam) for negatives in (q, greedy, truncated) for lam in (0.1, 2.0)]
    compare("spin_gradient", answer, lambda p, q, n, lam: lam / 2 * (n - p), SPIN_GRADIENT_MISTAKES, cases)
