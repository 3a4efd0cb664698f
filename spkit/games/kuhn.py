"""Kuhn poker from its rules: exact values, best responses, and a policy-gradient learner that plays both seats.

Rules (Kuhn 1950): three cards, one each, an ante of 1. The first player checks or bets 1; after a bet the other folds
or calls; after a check the other checks (showdown) or bets, and then the first folds or calls. The higher card wins.
Units are antes, for the first player.

A player decides at six places, and a policy is the probability of the second action (bet or call) at each of the
twelve: 0-2 first player to open with card 0-2, 3-5 first player facing a bet after a check, 6-8 second player after a
check, 9-11 after a bet.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import permutations, product

import numpy as np

from spkit.games.matrix import check_iterations, nash_conv
from spkit.run.errors import SpkitError

PLACES = 12
DEALS = np.array(list(permutations(range(3), 2)))  # (6, 2): the first player's card, the second player's
PURE = np.array(list(product((0, 1), repeat=6)))  # (64, 6): every way to fix the action at six places
VALUE = -1 / 18  # of the game to the first player, under optimal play


def returns(deal: np.ndarray, opening: np.ndarray, reply: np.ndarray, answer: np.ndarray) -> np.ndarray:
    """What the first player wins, by the rules; deal (..., 2), the others (...) with 1 for bet or call.

    `reply` is the second player's action, `answer` the first player's when a check met a bet (ignored otherwise).
    """
    showdown = np.where(deal[..., 0] > deal[..., 1], 1, -1)
    after_check = np.where(reply == 0, showdown, np.where(answer == 1, 2 * showdown, -1))
    after_bet = np.where(reply == 1, 2 * showdown, 1)
    return np.where(opening == 1, after_bet, after_check)


@cache
def payoff() -> np.ndarray:
    """Expected return (64, 64) of each pair of pure strategies, over the six deals; read-only."""
    first, second = PURE[:, None, None, :], PURE[None, :, None, :]
    opening = np.take_along_axis(first, DEALS[None, None, :, :1], -1)[..., 0]
    answer = np.take_along_axis(first, DEALS[None, None, :, :1] + 3, -1)[..., 0]
    place = DEALS[None, None, :, 1] + 3 * opening
    reply = np.take_along_axis(np.broadcast_to(second, (64, 64, 6, 6)), place[..., None], -1)[..., 0]
    table = returns(DEALS, opening, reply, answer).mean(-1)
    table.setflags(write=False)
    return table


def check_policy(policy: np.ndarray) -> np.ndarray:
    """The policy (..., 12) as floats; SpkitError unless every entry is a probability."""
    policy = np.asarray(policy, dtype=float)
    if policy.ndim == 0 or policy.shape[-1] != PLACES:
        raise SpkitError(
            f"A Kuhn policy has {PLACES} probabilities, and this one has the shape {policy.shape}: see "
            "spkit.games.kuhn."
        )
    if not ((policy >= 0) & (policy <= 1)).all():
        raise SpkitError(
            "Every entry of a Kuhn policy is the probability of betting or calling: choose numbers from 0 to 1."
        )
    return policy


def mixed(policy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The policy (..., 12) as the two players' mixed strategies (..., 64) over pure ones (Kuhn's
    theorem: nothing is lost).
    """
    policy = check_policy(policy)

    def weights(p: np.ndarray) -> np.ndarray:
        return np.where(PURE == 1, p[..., None, :], 1 - p[..., None, :]).prod(-1)

    return weights(policy[..., :6]), weights(policy[..., 6:])


def expected_value(policy: np.ndarray) -> np.ndarray:
    """Expected return (...) to the first player when a policy (..., 12) plays both seats: a sum over
    deals and lines of play.
    """
    p = check_policy(policy)
    total = 0.0
    for deal in DEALS:
        i, j = deal
        for opening, reply, answer in product((0, 1), repeat=3):
            chance = (
                _chance(p[..., i], opening)
                * _chance(p[..., 6 + 3 * opening + j], reply)
                * _chance(p[..., 3 + i], answer)
            )
            total = total + chance * returns(deal, *np.array([opening, reply, answer])) / len(DEALS)
    return total


def _chance(p: np.ndarray, action: int) -> np.ndarray:
    return p if action else 1 - p


def policy_nash_conv(policy: np.ndarray) -> np.ndarray:
    """NashConv (...) of a policy (..., 12) that plays both seats, in antes."""
    return nash_conv(payoff(), *mixed(policy))


@dataclass(frozen=True)
class LearnerConfig:
    """A REINFORCE learner that plays both seats of Kuhn poker."""

    games: int = 64  # played at each iteration
    rate: float = 0.5
    per_role_baseline: bool = True  # role-conditioned advantage estimation (RAE), SPIRAL, arXiv:2506.24119
    decay: float = 0.95  # of the baselines, as in SPIRAL

    def __post_init__(self) -> None:
        if self.games < 1:
            raise SpkitError(f"games is {self.games}: choose a whole number of at least 1.")
        if not 0 < self.rate < np.inf:
            raise SpkitError(f"rate is {self.rate}: choose a finite learning rate above 0.")
        if not 0 <= self.decay <= 1:
            raise SpkitError(f"decay is {self.decay}, but it weighs the old baseline: choose a number from 0 to 1.")


@dataclass(frozen=True)
class Snapshot:
    """One iteration of the learner: the policy before its update (seeds, 12), and what it won in each seat."""

    policy: np.ndarray
    mean_row: np.ndarray  # (seeds, 64), the average of all policies so far, as a mixed strategy of the first seat
    mean_column: np.ndarray
    gradient: np.ndarray  # (seeds, 12), the step's estimate
    returns: np.ndarray  # (seeds, games), to the first player


def policy_gradient(config: LearnerConfig, seeds: Sequence[int], iterations: int) -> Iterator[Snapshot]:
    """Self-play by REINFORCE: both seats share one table of logits, and each seat has its own running baseline.

    Simplified against SPIRAL: on-policy steps without clipping, games with zero advantage kept, a table for the model.
    """
    generators = [np.random.default_rng(seed) for seed in seeds]
    logits, baseline = np.zeros((len(generators), PLACES)), np.zeros((len(generators), 2))
    totals = np.zeros((2, len(generators), 64))
    for t in range(1, check_iterations(iterations) + 1):
        policy = 1 / (1 + np.exp(-logits))
        totals += np.stack(mixed(policy))
        won, taken, place = play_hands(policy, np.stack([r.random((config.games, 4)) for r in generators]))
        scores = np.stack([won, -won], -1)
        advantages = scores - (baseline[:, None, :] if config.per_role_baseline else 0.0)
        gradient = score_gradient(policy, taken, place, advantages)
        yield Snapshot(policy, totals[0] / t, totals[1] / t, gradient, won)
        logits = logits + config.rate * gradient
        baseline = config.decay * baseline + (1 - config.decay) * scores.mean(1)


def play_hands(policy: np.ndarray, draws: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Play games from uniform draws (seeds, games, 4): returns (seeds, games), then actions and
    places (seeds, games, 3).

    The three decisions are opening, reply, answer; the place is -1 where the game was over before.
    """
    deal = DEALS[(draws[..., 0] * len(DEALS)).astype(int)]

    def act(place: np.ndarray, draw: np.ndarray) -> np.ndarray:
        return (draw < np.take_along_axis(policy, place, -1)).astype(int)

    first, second = deal[..., 0], deal[..., 1]
    opening = act(first, draws[..., 1])
    reply = act(6 + second + 3 * opening, draws[..., 2])
    answer = act(3 + first, draws[..., 3])
    answered = (opening == 0) & (reply == 1)
    place = np.stack([first, 6 + second + 3 * opening, np.where(answered, 3 + first, -1)], -1)
    return returns(deal, opening, reply, answer).astype(float), np.stack([opening, reply, answer], -1), place


def score_gradient(policy: np.ndarray, taken: np.ndarray, place: np.ndarray, advantages: np.ndarray) -> np.ndarray:
    """Mean over games of advantage x grad log p(action), (seeds, 12); advantages (seeds, games, 2), one a seat."""
    seeds, games = taken.shape[:2]
    weight = advantages[..., [0, 1, 0]]
    on = place >= 0
    index = np.arange(seeds)[:, None, None] * PLACES + np.maximum(place, 0)
    error = (taken - policy.ravel()[index]) * weight
    return np.bincount(index[on], error[on], seeds * PLACES).reshape(seeds, PLACES) / games
