"""`columns`: a proposer, a solver and a verifier teach a table to add, with no language model.

Two n-digit numbers are added column by column, from the right. The solver is a table p(digit, carry | a, b, carry-in):
200 cells of 20 outcomes, uniform at the start. The proposer is a softmax over the length n. The verifier compares the
whole answer with the true sum, so a right column inside a wrong sum earns nothing. All three meet in
`spkit.games.self_play.one_round`.

Simplified against the papers: the "prompt" is a length, the proposer cannot write an invalid problem, and both learners
take plain REINFORCE steps (no clipping, no KL). The proposer's rewards are those of Absolute Zero (arXiv:2505.03335,
eq. 4), R-Zero (arXiv:2508.05004; `min` is what its code gives) and Self-Questioning Language Models (arXiv:2508.03682).

Every array starts with the axis of seeds, because all seeds are played at once; a seed's games never
depend on the other seeds.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from spkit.run.errors import SpkitError

CELLS, OUTCOMES = 200, 20  # cell = 20 a + 2 b + carry-in; outcome = 2 digit + carry
_SUM = np.arange(CELLS) // 20 + np.arange(CELLS) % 20 // 2 + np.arange(CELLS) % 2
CORRECT = 2 * (_SUM % 10) + _SUM // 10  # the right outcome of each cell, shape (200,)

COLUMN_PROPOSERS = ("adaptive", "uniform", "easy", "hard", "frozen")
RewardRule = Callable[[np.ndarray], np.ndarray]  # solve rates to proposer rewards, entry by entry
ColumnReward = str | RewardRule
COLUMN_REWARDS: dict[str, RewardRule] = {
    "1-r": lambda r: 1 - r,
    "1-r if r>0": lambda r: np.where(r > 0, 1 - r, 0.0),  # Absolute Zero, eq. 4
    "1-2|r-1/2|": lambda r: 1 - 2 * np.abs(r - 0.5),
    "min(r,1-r)": lambda r: np.minimum(r, 1 - r),
    "1[0<r<1]": lambda r: ((r > 0) & (r < 1)).astype(float),
    "constant": lambda r: np.ones_like(r),
}


@dataclass(frozen=True)
class Proposer:
    """Chooses how long the next problems are; the adaptive kind moves towards the lengths that were rewarded."""

    logits: np.ndarray  # (seeds, lengths)
    kind: str = "adaptive"
    reward: ColumnReward = "1-r if r>0"  # what it earns for a problem with solve rate r
    rate: float = 5.0
    explore: float = 0.05  # share of its choices that is uniform

    def __post_init__(self) -> None:
        check_choice("proposer", self.kind, COLUMN_PROPOSERS)
        reward_rule(self.reward)
        check_probability("explore", self.explore)
        check_step("proposer's rate", self.rate)

    @property
    def probabilities(self) -> np.ndarray:
        """(seeds, lengths); entry j is the chance of proposing length j + 1."""
        size = self.logits.shape[1]
        if self.kind in ("adaptive", "frozen"):
            return (1 - self.explore) * softmax(self.logits) + self.explore / size
        fixed = {"uniform": np.full(size, 1 / size), "easy": np.eye(size)[0], "hard": np.eye(size)[-1]}[self.kind]
        return np.tile(fixed, (len(self.logits), 1))

    def propose(self, draws: np.ndarray) -> np.ndarray:
        """Lengths (seeds, problems) from uniform draws of the same shape."""
        return 1 + _invert(self.probabilities.cumsum(-1)[:, None, :], draws)

    def learn(self, lengths: np.ndarray, solve_rates: np.ndarray) -> "Proposer":
        """One REINFORCE step on the reward for solve rates (seeds, problems), compared with its mean.

        Only the adaptive kind moves.
        """
        if self.kind != "adaptive":
            return self
        earned = reward_rule(self.reward)(solve_rates)
        chosen = lengths[..., None] == 1 + np.arange(self.logits.shape[1])
        step = ((earned - earned.mean(1, keepdims=True))[..., None] * (chosen - softmax(self.logits)[:, None, :])).mean(
            1
        )
        return replace(self, logits=self.logits + self.rate * step)


@dataclass(frozen=True)
class ColumnAttempts:
    """What the solver wrote: visited cells and outcomes, (columns, seeds, problems, group), -1
    beyond a problem's length.
    """

    cells: np.ndarray
    outcomes: np.ndarray


@dataclass(frozen=True)
class Solver:
    """Adds two numbers column by column with a table of its own guesses, and makes rewarded guesses likelier."""

    logits: np.ndarray  # (seeds, 200, 20)
    rate: float = 300.0  # times the mean gradient of an attempt, which touches a few of the 200 cells

    def __post_init__(self) -> None:
        check_step("solver's rate", self.rate)

    @cached_property
    def probabilities(self) -> np.ndarray:
        """(seeds, 200, 20)."""
        return softmax(self.logits)

    def solve(self, a: np.ndarray, b: np.ndarray, lengths: np.ndarray, draws: np.ndarray) -> ColumnAttempts:
        """Attempt problems with digits a, b (seeds, problems, columns), lowest first.

        Draws (columns, seeds, problems, group).
        """
        if lengths.min() < 1 or lengths.max() > len(draws):
            raise SpkitError(
                f"A length n is {lengths.min()} to {lengths.max()}, and a sum has 1 to {len(draws)} columns "
                "here: propose within."
            )
        shape, size = draws.shape[1:], draws[0].size
        cdf = self.probabilities.cumsum(-1).reshape(-1, OUTCOMES)
        offset = np.repeat(np.arange(shape[0]) * CELLS, size // shape[0])
        length, pairs = (
            np.repeat(lengths.ravel(), shape[2]),
            np.repeat((20 * a + 2 * b).reshape(-1, a.shape[2]), shape[2], axis=0),
        )
        cells, outcomes = np.full((2, len(draws), size), -1)
        carry = np.zeros(size, dtype=int)
        for j in range(lengths.max()):
            on = np.flatnonzero(length > j)
            cell = pairs[on, j] + carry[on]
            outcome = _invert(cdf[offset[on] + cell], draws[j].ravel()[on])
            carry[on] = outcome % 2
            cells[j, on], outcomes[j, on] = cell, outcome
        return ColumnAttempts(cells.reshape(draws.shape), outcomes.reshape(draws.shape))

    def certain(self) -> "Solver":
        """The same solver at temperature 0: it always writes its likeliest outcome."""
        return replace(self, logits=1e3 * (np.arange(OUTCOMES) == self.logits.argmax(-1)[..., None]))

    def learn(self, attempts: ColumnAttempts, advantages: np.ndarray) -> "Solver":
        """One REINFORCE step, advantages (seeds, problems, group): every visited column of an
        attempt gets its advantage.
        """
        return replace(self, logits=self.logits + self.rate * reinforce(self.probabilities, attempts, advantages))


@dataclass(frozen=True)
class Verifier:
    """Says whether the whole answer is the true sum, and is wrong at a known rate."""

    flip_rate: float = 0.0

    def __post_init__(self) -> None:
        check_probability("flip_rate", self.flip_rate)

    def judge(
        self, a: np.ndarray, b: np.ndarray, lengths: np.ndarray, attempts: ColumnAttempts, draws: np.ndarray
    ) -> np.ndarray:
        """Rewards 0 or 1, (seeds, problems, group), each flipped where its uniform draw is below the flip rate."""
        return (is_correct(a, b, lengths, attempts) ^ (draws < self.flip_rate)).astype(float)


def check_choice(name: str, value: str, choices: Iterable[str]) -> None:
    """SpkitError unless the value is one of the choices."""
    if value not in choices:
        raise SpkitError(f"There is no {name} {value!r}: choose one of {', '.join(choices)}.")


def reward_rule(reward: ColumnReward) -> RewardRule:
    """The rule of that name, or the reader's own function; SpkitError for a name that is not known."""
    if callable(reward):
        return reward
    check_choice("reward", reward, COLUMN_REWARDS)
    return COLUMN_REWARDS[reward]


def check_probability(name: str, value: float) -> float:
    """SpkitError unless the value lies in [0, 1]."""
    if not 0 <= value <= 1:
        raise SpkitError(f"{name} is {value}, but it is a probability: choose a number from 0 to 1.")
    return value


def check_step(name: str, value: float) -> float:
    """SpkitError unless the value can be a learning rate."""
    if not 0 <= value < np.inf:
        raise SpkitError(f"The {name} is {value}: choose a finite learning rate of at least 0.")
    return value


def check_count(name: str, value: int, least: int = 1) -> int:
    """SpkitError unless the value is a whole number of at least `least`."""
    if not isinstance(value, (int, np.integer)) or value < least:
        raise SpkitError(f"{name} is {value}: choose a whole number of at least {least}.")
    return value


def softmax(logits: np.ndarray) -> np.ndarray:
    """Softmax over the last axis."""
    e = np.exp(logits - logits.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def _invert(cdf: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Index of the first entry of cdf (last axis) above the draw; rounding at the top end stays inside."""
    return np.minimum((cdf <= draws[..., None]).sum(-1), cdf.shape[-1] - 1)


def is_correct(a: np.ndarray, b: np.ndarray, lengths: np.ndarray, attempts: ColumnAttempts) -> np.ndarray:
    """Whether every digit and the last carry are those of a + b, (seeds, problems, group)."""
    carry = np.zeros(lengths.shape, dtype=int)
    right = np.ones(attempts.cells.shape[1:], dtype=bool)
    for j in range(lengths.max()):
        total = a[..., j] + b[..., j] + carry
        carry = total // 10
        outcome = attempts.outcomes[j]
        last, on = (lengths == j + 1)[..., None], (lengths > j)[..., None]
        right &= ~on | ((outcome // 2 == (total % 10)[..., None]) & (~last | (outcome % 2 == carry[..., None])))
    return right


def reinforce(probabilities: np.ndarray, attempts: ColumnAttempts, advantages: np.ndarray) -> np.ndarray:
    """Mean over attempts of advantage x grad log p(attempt), with respect to the logits behind
    probabilities (seeds, 200, 20).
    """
    seeds = probabilities.shape[0]
    flat = np.flatnonzero(attempts.cells >= 0)
    attempt = flat % advantages.size  # the first axis of attempts.cells is the column
    weight = advantages.ravel()[attempt]
    cell = attempt // (advantages.size // seeds) * CELLS + attempts.cells.ravel()[flat]
    outcome = attempts.outcomes.ravel()[flat]
    hit = np.bincount(cell * OUTCOMES + outcome, weight, seeds * CELLS * OUTCOMES).reshape(probabilities.shape)
    visits = np.bincount(cell, weight, seeds * CELLS).reshape(seeds, CELLS, 1)
    return (hit - visits * probabilities) * (seeds / advantages.size)
