"""Two-player zero-sum matrix games: how far from equilibrium a pair is, and three ways of playing against oneself.

The row player earns payoff[i, j] and the column player its negative. NashConv is what the two players could gain,
together, by each switching to a best response: 0 at an equilibrium and nowhere else (Lanctot et al. 2017,
arXiv:1711.00832, section 2).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from spkit.run.errors import SpkitError

ROCK_PAPER_SCISSORS = np.array([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]])
TIE = 1e-9  # payoffs closer than this are a tie, on every machine


def check_payoff(payoff: np.ndarray) -> np.ndarray:
    """The payoff as a float matrix; SpkitError unless it is two-dimensional, not empty and finite."""
    payoff = np.asarray(payoff, dtype=float)
    if payoff.ndim != 2 or not payoff.size:
        raise SpkitError(
            f"A payoff matrix has rows and columns, and this one has the shape {payoff.shape}: pass a 2-d array."
        )
    if not np.isfinite(payoff).all():
        raise SpkitError(
            "The payoff matrix holds a value that is not finite: replace every nan and infinity by a number."
        )
    return payoff


def check_strategy(strategy: np.ndarray, actions: int) -> np.ndarray:
    """The strategies (..., actions) as floats; SpkitError unless each is non-negative and sums to one."""
    strategy = np.asarray(strategy, dtype=float)
    if strategy.ndim == 0 or strategy.shape[-1] != actions:
        raise SpkitError(
            f"A strategy of shape {strategy.shape} does not fit a game with {actions} actions: pass one "
            "probability an action."
        )
    if not (strategy >= 0).all() or not np.allclose(strategy.sum(-1), 1, atol=1e-9, rtol=0):
        raise SpkitError(
            "The probabilities of a strategy must be at least 0 and sum to 1: divide the weights by their sum."
        )
    return strategy


def check_iterations(iterations: int) -> int:
    """SpkitError unless there is at least one iteration."""
    if iterations < 1:
        raise SpkitError(f"iterations is {iterations}: choose a whole number of at least 1.")
    return iterations


def nash_conv(payoff: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """NashConv of strategies row (..., rows) and column (..., columns), in units of payoff.

    Any leading axes, such as seeds.
    """
    payoff = check_payoff(payoff)
    row, column = check_strategy(row, payoff.shape[0]), check_strategy(column, payoff.shape[1])
    return (column @ payoff.T).max(-1) - (row @ payoff).min(-1)


def best_action(values: np.ndarray) -> int:
    """The first action whose value is the best, ties within 1e-9 counting as equal."""
    return int(np.flatnonzero(values >= values.max() - TIE)[0])


@dataclass(frozen=True)
class Strategies:
    """What both players play at one iteration, and the average of all iterations so far."""

    row: np.ndarray
    column: np.ndarray
    mean_row: np.ndarray
    mean_column: np.ndarray


def _with_means(pairs: Iterator[tuple[np.ndarray, np.ndarray]], iterations: int) -> Iterator[Strategies]:
    total_row = total_column = 0.0
    for t, (row, column) in zip(range(1, iterations + 1), pairs, strict=False):
        total_row, total_column = total_row + row, total_column + column
        yield Strategies(row, column, total_row / t, total_column / t)


def multiplicative_weights(
    payoff: np.ndarray, row: np.ndarray, column: np.ndarray, rate: float, iterations: int
) -> Iterator[Strategies]:
    """Both players multiply each action's weight by exp(rate x its payoff against the other's present strategy).

    The same as softmax self-play on logits that add up the payoffs. Yields the start first. The average's NashConv
    is at most 2 (log(actions) / (rate t) + rate / 2) for payoffs in [-1, 1] and a uniform start (Freund and
    Schapire 1999, section 2).
    """
    payoff = check_payoff(payoff)
    row, column = check_strategy(row, payoff.shape[0]), check_strategy(column, payoff.shape[1])
    if not 0 < rate < np.inf:
        raise SpkitError(f"rate is {rate}: choose a finite learning rate above 0.")
    if (row <= 0).any() or (column <= 0).any():
        raise SpkitError("An action that starts at probability 0 stays there: give every action a little at the start.")

    def pairs() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        log_row, log_column = np.log(row), np.log(column)
        while True:
            x, y = _normalised(log_row), _normalised(log_column)
            yield x, y
            log_row, log_column = log_row + rate * (payoff @ y), log_column - rate * (x @ payoff)

    return _with_means(pairs(), check_iterations(iterations))


def _normalised(log_weights: np.ndarray) -> np.ndarray:
    e = np.exp(log_weights - log_weights.max())
    return e / e.sum()


def latest_opponent(payoff: np.ndarray, iterations: int) -> Iterator[Strategies]:
    """Naive self-play: from uniform, each iteration both players best-respond to what the other played last."""
    payoff = check_payoff(payoff)
    eye_row, eye_column = np.eye(payoff.shape[0]), np.eye(payoff.shape[1])

    def pairs() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        row, column = eye_row.mean(0), eye_column.mean(0)
        while True:
            row, column = eye_row[best_action(payoff @ column)], eye_column[best_action(-(row @ payoff))]
            yield row, column

    return _with_means(pairs(), check_iterations(iterations))


def fictitious_play(payoff: np.ndarray, iterations: int) -> Iterator[Strategies]:
    """Each iteration both players best-respond to the average of all the other has played, uniform included (Brown
    1951).
    """
    payoff = check_payoff(payoff)
    check_iterations(iterations)
    eye_row, eye_column = np.eye(payoff.shape[0]), np.eye(payoff.shape[1])
    mean_row, mean_column = eye_row.mean(0), eye_column.mean(0)
    for t in range(1, iterations + 1):
        row, column = eye_row[best_action(payoff @ mean_column)], eye_column[best_action(-(mean_row @ payoff))]
        mean_row, mean_column = mean_row + (row - mean_row) / (t + 1), mean_column + (column - mean_column) / (t + 1)
        yield Strategies(row, column, mean_row, mean_column)
