"""Probabilities as vectors of logarithms: normalised, compared, and without overflow."""

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


HUGE = 1e300  # nats; logits beyond are cut, so that a policy that has left for infinity stays a number


def log_softmax(logits: Vector) -> Vector:
    """Normalised log-probabilities (K,)."""
    cut = np.clip(logits, -HUGE, HUGE)
    shifted = cut - cut.max()
    return shifted - np.log(np.exp(shifted).sum())


def sigmoid(x: Vector) -> Vector:
    """1 / (1 + exp(-x)) without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * x))


def kl(p: Vector, log_policy: Vector) -> float:
    """KL(p || policy) in nats.

    Outcomes with p = 0 do not count. Infinite where the policy has lost an outcome to rounding.
    """
    there = p > 0
    return max(0.0, float((p[there] * (np.log(p[there]) - log_policy[there])).sum()))


def log_sigmoid(x: Vector) -> Vector:
    """log(1 / (1 + exp(-x))) without overflow."""
    return -np.logaddexp(0.0, -x)
