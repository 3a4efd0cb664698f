"""Self-play fine-tuning on a table: a policy over K outcomes, so that every expectation is a sum and nothing is sampled.

A policy is a vector of K log-probabilities, its parameters are logits, p is the data's distribution and q the opponent's (the last policy).
The implicit reward is r = beta * log(policy / opponent); `losses.KINDS` are the same losses, here as expectations over y ~ p and y' ~ generated,
which is q unless a control says otherwise.

What is quoted: SPIN's loss and Theorem 5.4 (arXiv:2401.01335). What is derived here: the rate 1 - 1/beta and its threshold beta = 1/2, everything
about chi2, the best responses to the exponential and the squared pairwise loss, and that T-SPIN's fixed point is not p.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import SpkitError

Vector = NDArray[np.float64]


def log_softmax(logits: Vector) -> Vector:
    """Normalised log-probabilities (K,)."""
    shifted = logits - logits.max()
    return shifted - np.log(np.exp(shifted).sum())


def sigmoid(x: Vector) -> Vector:
    """1 / (1 + exp(-x)) without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * x))


def kl(p: Vector, log_policy: Vector) -> float:
    """KL(p || policy) in nats; outcomes with p = 0 do not count. Infinite where the policy has lost an outcome to rounding."""
    there = p > 0
    return float((p[there] * (np.log(p[there]) - log_policy[there])).sum())


def example(outcomes: int = 6, seed: int = 3, distance: float = 4.0) -> tuple[Vector, Vector]:
    """p and the log-probabilities of a first policy with KL(p || policy) = `distance` nats (exactly, by choosing how peaked the policy is)."""
    rng = np.random.default_rng(seed)
    p, logits = rng.dirichlet(np.full(outcomes, 2.0)), rng.normal(size=outcomes)
    low, high = 0.0, 100.0
    for _ in range(200):
        scale = (low + high) / 2
        low, high = (scale, high) if kl(p, log_softmax(scale * logits)) < distance else (low, scale)
    return p, log_softmax(high * logits)


# Derivatives of the losses of `spkit.losses`, in the margin (pairwise) or in the rewards of real and generated (pointwise).
PAIRWISE: dict[str, Callable[[Vector, float], Vector]] = {
    "logistic": lambda margin, tau: -sigmoid(-margin),
    "hinge": lambda margin, tau: -(margin < 1).astype(float),
    "exponential": lambda margin, tau: -np.exp(np.minimum(-margin, 700.0)),
    "ipo": lambda margin, tau: 2 * (margin - tau),
}
POINTWISE: dict[str, Callable[[Vector, float], tuple[Vector, Vector]]] = {
    "chi2": lambda r, tau: (2 * (r - tau), 2 * (r + tau)),
    "nce": lambda r, tau: (-sigmoid(-r), sigmoid(r)),
}


@dataclass(frozen=True)
class Game:
    """One iteration's learning problem: a loss against the opponent `log_q` (K,), with data `p` (K,) and generated replies from `generated` (K,)."""

    kind: str
    p: Vector
    log_q: Vector
    beta: float = 1.0
    tau: float = 1.0
    generated: Vector | None = None

    def __post_init__(self) -> None:
        if self.kind not in (*PAIRWISE, *POINTWISE, "tspin"):
            raise SpkitError(f"unknown kind of loss {self.kind!r}: choose one of {', '.join((*PAIRWISE, *POINTWISE, 'tspin'))}")
        if self.beta <= 0 or self.tau < 0:
            raise SpkitError(f"beta must be positive and tau not negative, not {self.beta} and {self.tau}")

    @property
    def q(self) -> Vector:
        """Where generated replies come from."""
        return np.exp(self.log_q) if self.generated is None else self.generated


def gradient(game: Game, log_policy: Vector) -> Vector:
    """Exact gradient (K,) of the expected loss in the policy's logits."""
    r = game.beta * (log_policy - (0.0 if game.kind == "tspin" else game.log_q))
    if game.kind in POINTWISE:
        real, generated = POINTWISE[game.kind](r, game.tau)
        slope = game.p * real + game.q * generated
    else:
        pairs = PAIRWISE["logistic" if game.kind == "tspin" else game.kind](r[:, None] - r[None, :], game.tau) * np.outer(game.p, game.q)
        slope = pairs.sum(1) - pairs.sum(0)
    return game.beta * (slope - np.exp(log_policy) * slope.sum())


def sft_gradient(p: Vector, log_policy: Vector) -> Vector:
    """Gradient (K,) of the cross-entropy of the data, in the policy's logits."""
    return np.exp(log_policy) - p


def descend(game: Game, steps: int, rate: float) -> Vector:
    """The policy after `steps` plain gradient steps from the opponent."""
    logits = game.log_q
    for _ in range(steps):
        logits = log_softmax(logits - rate * gradient(game, logits))
    return logits


def best_response(game: Game) -> Vector:
    """The policy that minimises the expected loss exactly, for the losses that have a closed form.

    `logistic`: Theorem 5.4 of SPIN, q (p / q)^(1 / beta). `exponential`: the reward is half of the logistic's, so 1 / (2 beta). `ipo`: a linear
    system for the reward. `chi2`: its best *reward* tau (p - q) / (p + q), then the policy q exp(r / beta) that maximises it under a KL
    penalty: two steps, which the pointwise loss takes in one and only nearly alike. Raises SpkitError for the others, and where p = 0.
    """
    if game.kind not in ("logistic", "exponential", "ipo", "chi2"):
        raise SpkitError(f"the best response to {game.kind} has no closed form here: use descend with many steps")
    if game.kind in ("logistic", "exponential") and not (game.p > 0).all():
        raise SpkitError(f"the best response to {game.kind} does not exist: an outcome is missing from the data, and its reward falls for ever")
    return log_softmax(game.log_q + best_reward(game) / game.beta)


def best_reward(game: Game) -> Vector:
    """The reward (K,) that minimises the expected loss, up to a constant for the pairwise ones; -inf for outcomes the data lacks."""
    p, q = game.p, np.exp(game.log_q)
    if game.kind == "chi2":
        return game.tau * (p - q) / np.maximum(p + q, np.finfo(float).tiny)
    if game.kind == "ipo":
        matrix = np.diag(p + q) - np.outer(p, q) - np.outer(q, p)
        return np.linalg.lstsq(matrix, game.tau * (p - q), rcond=None)[0]
    with np.errstate(divide="ignore"):
        ratio = np.log(p) - game.log_q
    return ratio / 2 if game.kind == "exponential" else ratio


def play(step: Callable[[Vector], Vector], log_policy: Vector, iterations: int) -> Iterator[Vector]:
    """The policies of self-play, the first one included: `step` maps an opponent to the policy that learned against it."""
    yield log_policy
    for _ in range(iterations):
        log_policy = step(log_policy)
        yield log_policy


def distances(kind: str, p: Vector, log_policy: Vector, iterations: int, beta: float, tau: float = 1.0) -> list[float]:
    """KL(p || policy) over iterations of exact best responses."""
    return [kl(p, policy) for policy in play(lambda q: best_response(Game(kind, p, q, beta, tau)), log_policy, iterations)]


def distance_after(kind: str, p: Vector, log_policy: Vector, steps: int, *, beta: float = 0.1, tau: float = 1.0, rate: float = 20.0, iterations: int = 8) -> float:
    """KL(p || policy) after `iterations` of `steps` gradient steps each: `steps` says how early an iteration is stopped."""
    *_, last = play(lambda q: descend(Game(kind, p, q, beta, tau), steps, rate), log_policy, iterations)
    return kl(p, last)


def greedy(log_policy: Vector) -> Vector:
    """All mass on the likeliest outcome: what greedy decoding draws."""
    return np.eye(len(log_policy))[int(np.argmax(log_policy))]


def cosine(a: Vector, b: Vector) -> float:
    """Cosine of the angle between two gradients."""
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
