"""Self-play fine-tuning on a table: a policy over K outcomes, so that every expectation is a sum and nothing is
sampled.

A policy is a vector of K log-probabilities, its parameters are logits, p is the data's distribution and q the
opponent's (the last policy). The implicit reward is r = beta * log(policy / opponent); `losses.KINDS` are the same
losses, here as expectations over y ~ p and y' ~ generated, which is q unless a control says otherwise.

What is quoted: SPIN's loss and Theorem 5.4 (arXiv:2401.01335). What is derived here: the rate 1 - 1/beta and its
threshold beta = 1/2, everything about chi2 (which is not the loss of arXiv:2602.01357), the best responses to the
exponential and the squared pairwise loss, and that the fixed point of T-SPIN's loss (arXiv:2601.08198) is not p.

All in logarithms: a policy that diverges has a KL that is large or infinite, and never nan.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..run.errors import SpkitError
from .vectors import Vector, kl, log_sigmoid, log_softmax, sigmoid

FAR = 4.0  # nats; no Newton step goes farther, for beyond it the loss has other curvature
CLOSED = ("logistic", "exponential", "ipo", "chi2")  # kinds whose best response is a formula


def example(outcomes: int = 6, seed: int = 3, distance: float = 4.0) -> tuple[Vector, Vector]:
    """p and the log-probabilities of a first policy, so peaked that KL(p || policy) is exactly `distance` nats."""
    rng = np.random.default_rng(seed)
    p, logits = rng.dirichlet(np.full(outcomes, 2.0)), rng.normal(size=outcomes)
    low, high = 0.0, 100.0
    for _ in range(200):
        scale = (low + high) / 2
        low, high = (scale, high) if kl(p, log_softmax(scale * logits)) < distance else (low, scale)
    return p, log_softmax(high * logits)


# The losses of `spkit.maths.preference`, of the margin (pairwise) or of the rewards of real and of generated
# (pointwise), and their derivatives.
PAIRWISE_LOSS: dict[str, Callable[[Vector, float], Vector]] = {
    "logistic": lambda margin, tau: -log_sigmoid(margin),
    "hinge": lambda margin, tau: np.maximum(1 - margin, 0.0),
    "exponential": lambda margin, tau: np.exp(np.minimum(-margin, 700.0)),
    "ipo": lambda margin, tau: (margin - tau) ** 2,
}
POINTWISE_LOSS: dict[str, Callable[[Vector, float], tuple[Vector, Vector]]] = {
    "chi2": lambda r, tau: ((r - tau) ** 2, (r + tau) ** 2),
    "nce": lambda r, tau: (-log_sigmoid(r), -log_sigmoid(-r)),
}
PAIRWISE_SLOPES: dict[str, Callable[[Vector, float], Vector]] = {
    "logistic": lambda margin, tau: -sigmoid(-margin),
    "hinge": lambda margin, tau: -(margin < 1).astype(float),
    "exponential": lambda margin, tau: -np.exp(np.minimum(-margin, 700.0)),
    "ipo": lambda margin, tau: 2 * (margin - tau),
}
POINTWISE_SLOPES: dict[str, Callable[[Vector, float], tuple[Vector, Vector]]] = {
    "chi2": lambda r, tau: (2 * (r - tau), 2 * (r + tau)),
    "nce": lambda r, tau: (-sigmoid(-r), sigmoid(r)),
}


@dataclass(frozen=True)
class ImitationGame:
    """One iteration's learning problem: a loss against the opponent `log_q` (K,), with data `p` (K,) and generated
    replies from `generated` (K,).

    T-SPIN with tau above 0 also needs `initial` (K,), the probabilities of the replies y0 of the initial model.
    """

    kind: str
    p: Vector
    log_q: Vector
    beta: float = 1.0
    tau: float = 1.0
    generated: Vector | None = None
    initial: Vector | None = None

    def __post_init__(self) -> None:
        kinds = (*PAIRWISE_SLOPES, *POINTWISE_SLOPES, "tspin")
        if self.kind not in kinds:
            raise SpkitError(f"unknown kind of loss {self.kind!r}: choose one of {', '.join(kinds)}")
        if not (0 < self.beta < np.inf) or not (0 <= self.tau < np.inf) or (self.tau == 0 and self.kind != "tspin"):
            raise SpkitError(
                f"beta must be positive and tau not negative (0 for tspin alone), not {self.beta} and {self.tau}"
            )
        if self.kind == "tspin" and self.tau and self.initial is None:
            raise SpkitError("tspin with tau above 0 needs `initial`: the probabilities of the initial model's replies")
        given = [v for v in (self.p, self.log_q, self.generated, self.initial) if v is not None]
        if len({np.shape(v) for v in given}) > 1 or np.ndim(self.p) != 1:
            raise SpkitError(f"give vectors with one entry an outcome, not shapes {[np.shape(v) for v in given]}")

    @property
    def q(self) -> Vector:
        """Where generated replies come from."""
        return np.exp(self.log_q) if self.generated is None else self.generated

    def reward(self, log_policy: Vector) -> Vector:
        """What the loss is a function of, (K,): beta times the log-ratio to the opponent.

        T-SPIN has no opponent in it.
        """
        return self.beta * (log_policy - (0.0 if self.kind == "tspin" else self.log_q))

    @property
    def pairs(self) -> tuple[str, Vector]:
        """The pairwise loss, and the weight (K, K) of each pair (preferred, other) in it."""
        weights = np.outer(self.p, self.q)
        if self.kind != "tspin":
            return self.kind, weights
        return "logistic", weights if self.initial is None else weights + self.tau * np.outer(self.q, self.initial)


def expected_loss(game: ImitationGame, log_policy: Vector) -> float:
    """The loss, exactly: over all K x K pairs for pairwise kinds, over real and over generated
    replies for pointwise ones.
    """
    r = game.reward(log_policy)
    if game.kind in POINTWISE_SLOPES:
        real, generated = POINTWISE_LOSS[game.kind](r, game.tau)
        return float(game.p @ real + game.q @ generated)
    name, weights = game.pairs
    return float((weights * PAIRWISE_LOSS[name](r[:, None] - r[None, :], game.tau)).sum())


def gradient(game: ImitationGame, log_policy: Vector) -> Vector:
    """Exact gradient (K,) of the expected loss in the policy's logits."""
    r = game.reward(log_policy)
    if game.kind in POINTWISE_SLOPES:
        real, generated = POINTWISE_SLOPES[game.kind](r, game.tau)
        slope = game.p * real + game.q * generated
    else:
        name, weights = game.pairs
        pairs = weights * PAIRWISE_SLOPES[name](r[:, None] - r[None, :], game.tau)
        slope = pairs.sum(1) - pairs.sum(0)
    return game.beta * (slope - np.exp(log_policy) * slope.sum())


def sft_gradient(p: Vector, log_policy: Vector) -> Vector:
    """Gradient (K,) of the cross-entropy of the data, in the policy's logits."""
    return np.exp(log_policy) - p


def descend(game: ImitationGame, steps: int, rate: float) -> Vector:
    """The policy after `steps` plain gradient steps from the opponent."""
    logits = game.log_q
    for _ in range(steps):
        logits = log_softmax(logits - rate * gradient(game, logits))
    return logits


def best_response(game: ImitationGame) -> Vector:
    """The policy that minimises the expected loss exactly, for the losses that have a closed form.

    `logistic`: Theorem 5.4 of SPIN, q (p / q)^(1 / beta). `exponential`: the reward is half of the logistic's, so 1 /
    (2 beta). `ipo`: a linear system for the reward. `chi2`: its best *reward* tau (p - q) / (p + q), then the policy q
    exp(r / beta) that maximises it under a KL penalty: two steps, which the pointwise loss takes in one and only nearly
    alike (`minimise` gives a minimum of that loss itself). Raises SpkitError for the others, and where p = 0.
    """
    if game.kind not in CLOSED:
        raise SpkitError(f"the best response to {game.kind} has no closed form here: use minimise")
    _check_minimum(game)
    with np.errstate(over="ignore"):
        return log_softmax(game.log_q + best_reward(game) / game.beta)


def best_reward(game: ImitationGame) -> Vector:
    """The reward (K,) that minimises the expected loss, up to a constant for pairwise ones; -inf where p is 0.

    The rewards are free numbers here; those of a policy, beta * log(policy / q), obey E_q exp(r / beta) = 1, which
    matters to pointwise losses alone. Raises SpkitError for hinge and tspin, which have no formula, and for replies
    that the opponent did not draw.
    """
    if game.kind not in (*CLOSED, "nce") or game.generated is not None:
        raise SpkitError(
            f"the best reward of {game.kind} has no formula here, or the generated replies are not the opponent's own"
        )
    p, q = game.p, np.exp(game.log_q)
    if game.kind == "chi2":
        return game.tau * (p - q) / np.maximum(p + q, np.finfo(float).tiny)
    if game.kind == "ipo":
        matrix = np.diag(p + q) - np.outer(p, q) - np.outer(q, p)
        return np.linalg.lstsq(matrix, game.tau * (p - q), rcond=None)[0]
    with np.errstate(divide="ignore"):
        ratio = np.log(p) - game.log_q
    return ratio / 2 if game.kind == "exponential" else ratio


def minimise(game: ImitationGame, start: Vector | None = None, tolerance: float = 1e-6, rounds: int = 500) -> Vector:
    """The policy at a minimum of the expected loss, found by damped Newton steps on the logits from
    `start`, or from the opponent.

    The Hessian comes from differences of the exact gradient. Pairwise losses are convex in the logits and have one
    minimum; pointwise ones are not and may have several. Raises SpkitError unless, within `rounds`, a full Newton step
    moves no logit by more than `tolerance` nats, for hinge, which has kinks, and where the data or the replies lack an
    outcome, unless the loss is a square.
    """
    if game.kind == "hinge":
        raise SpkitError("hinge has kinks, and Newton steps do not find its minimum: use descend")
    _check_minimum(game)
    logits, damping, eye = game.log_q if start is None else start, 1e-3, np.eye(len(game.log_q))
    value = expected_loss(game, logits)
    for _ in range(rounds):
        slope, curvature = gradient(game, logits), _curvature(game, logits)
        if np.abs(np.linalg.lstsq(curvature, slope, rcond=1e-14)[0]).max() < tolerance:
            return logits
        step = np.linalg.solve(curvature + damping * np.abs(curvature).max() * eye, slope)
        trial = log_softmax(logits - step * min(1.0, FAR / np.abs(step).max()))
        if (after := expected_loss(game, trial)) <= value + 1e-14 * abs(
            value
        ):  # rounding hides the last steps along flat directions
            logits, value, damping = trial, after, max(damping / 5, 1e-14)
        else:
            damping *= 5
    raise SpkitError(
        f"no minimum of the loss {game.kind} was found in {rounds} Newton steps: choose a beta nearer to 1"
    )


def _curvature(game: ImitationGame, logits: Vector, width: float = 1e-5) -> NDArray[np.float64]:
    """Hessian (K, K) in the logits, with a curvature of its own for adding a constant to all, which changes nothing."""
    eye = np.eye(len(logits))
    ahead, behind = (
        np.array([gradient(game, log_softmax(logits + sign * width * e)) for e in eye]) for sign in (1, -1)
    )
    hessian = (ahead - behind) / (2 * width)
    return (hessian + hessian.T) / 2 + (np.abs(hessian).max() + np.finfo(float).tiny) / len(logits)


def _check_minimum(game: ImitationGame) -> None:
    if game.kind not in ("chi2", "ipo") and not (
        (game.p > 0).all() and (game.generated is None or (game.generated > 0).all())
    ):
        raise SpkitError(
            f"the best response to {game.kind} does not exist: an outcome is missing from the data or the "
            "replies, its reward infinite"
        )


def play(step: Callable[[Vector], Vector], log_policy: Vector, iterations: int) -> Iterator[Vector]:
    """The policies of self-play, the first one included: `step` maps an opponent to the policy trained against it."""
    yield log_policy
    for _ in range(iterations):
        log_policy = step(log_policy)
        yield log_policy


def distances(
    kind: str,
    p: Vector,
    log_policy: Vector,
    iterations: int,
    beta: float,
    tau: float = 1.0,
    respond: Callable[[ImitationGame], Vector] = best_response,
) -> list[float]:
    """KL(p || policy) over iterations of exact best responses, by the formula or by `minimise`."""
    return [
        kl(p, policy)
        for policy in play(lambda q: respond(ImitationGame(kind, p, q, beta, tau)), log_policy, iterations)
    ]


def distance_after(
    kind: str,
    p: Vector,
    log_policy: Vector,
    steps: int,
    *,
    beta: float = 0.1,
    tau: float = 1.0,
    rate: float = 20.0,
    iterations: int = 8,
) -> float:
    """KL(p || policy) after `iterations` of `steps` gradient steps each: `steps` says how early an iteration is
    stopped.
    """
    *_, last = play(lambda q: descend(ImitationGame(kind, p, q, beta, tau), steps, rate), log_policy, iterations)
    return kl(p, last)


def sft_steps(kind: str, beta: float, tau: float = 1.0) -> float:
    """How many steps on the cross-entropy of the data the first step of a loss is worth, at one learning
    rate: beta / 2 for SPIN.
    """
    first = {"logistic": 0.5, "hinge": 1.0, "exponential": 1.0, "ipo": 2 * tau, "chi2": 2 * tau, "nce": 0.5}
    if kind not in first:
        raise SpkitError(f"the first step of {kind} is no multiple of a step of SFT: choose one of {', '.join(first)}")
    return beta * first[kind]


def greedy(log_policy: Vector) -> Vector:
    """All mass on the likeliest outcome: what greedy decoding draws."""
    return np.eye(len(log_policy))[int(np.argmax(log_policy))]


def cosine(a: Vector, b: Vector) -> float:
    """Cosine of the angle between two gradients."""
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
