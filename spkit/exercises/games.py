"""Checks for the exercises of notebook 07: what a language model plays, best responses under hidden information,
baselines of seats, the average of strategies, and a step with an anchor.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from .checking import Answer, compare

FloatArray = NDArray[np.float64]
_share = lambda weights: np.asarray(weights) / np.sum(weights)
_each = lambda rule: lambda scores: np.array([rule(one) for one in scores])

LEGAL_CHANCES_MISTAKES: dict[str, Answer] = {
    "this takes the mean over tokens; a move's log-probability is the sum, or a long move would look likely.": (
        lambda scores: _share(np.exp(_each(np.mean)(scores)))
    ),
    "the end of a move is left out: `c1` would get the chance of everything that begins with c1.": lambda scores: (
        _share(np.exp(_each(lambda one: sum(one[:-1]))(scores)))
    ),
    "only the first token of each move is read; two moves may begin with the same one.": lambda scores: _share(
        np.exp(_each(lambda one: one[0])(scores))
    ),
    "these sum to less than 1: the rest is for text that is no move. Divide by what all legal moves have together.": (
        lambda scores: np.exp(_each(sum)(scores))
    ),
    "this divides log-probabilities by their sum; make probabilities of them first, with exp.": lambda scores: _share(
        _each(sum)(scores)
    ),
    "this is the likeliest move alone; the model draws its moves, so that all of them count.": lambda scores: (
        _each(sum)(scores) == _each(sum)(scores).max()
    ),
    "exp is taken twice: a softmax of probabilities. Take it of log-probabilities.": lambda scores: _share(
        np.exp(np.exp(_each(sum)(scores)))
    ),
}


def check_legal_chances(answer: Answer) -> None:
    """`answer(scores)`: the probability of each legal move among the legal ones, (moves,). `scores` holds for each move
    the log-probabilities (nats) of its tokens, the one of its end last.
    """
    rng = np.random.default_rng(70)
    cases = [
        ([(-rng.uniform(0.05, 3, size=rng.integers(2, 5))).tolist() for _ in range(moves)],) for moves in (2, 3, 5, 7)
    ]
    right = lambda scores: _share(np.exp(_each(sum)(scores)))
    compare("legal_chances", answer, right, LEGAL_CHANCES_MISTAKES, cases)


def _reply(
    choose: Callable[[FloatArray, FloatArray], int] = lambda reach, values: int((reach @ values).argmax()),
    worth: Callable[[FloatArray, FloatArray, int], float] = lambda reach, values, move: float(reach @ values[:, move]),
) -> Answer:
    """The value of one move at each information set, by rules: which move, and what it is worth there."""

    def value(reach: FloatArray, values: FloatArray, sets: Sequence[int]) -> float:
        reach, values, sets = np.asarray(reach), np.asarray(values), np.asarray(sets)
        groups = [(reach[sets == one], values[sets == one]) for one in np.unique(sets)]
        return sum(worth(*group, choose(*group)) for group in groups)

    return value


BEST_REPLY_MISTAKES: dict[str, Answer] = {
    (
        "this chooses the best move in every *state*: it sees the other player's card. In an information set the same "
        "move is made in all of its states."
    ): lambda reach, values, sets: np.asarray(reach) @ np.asarray(values).max(1),
    "the move is chosen for the likeliest state of the set alone; weigh all of its states.": _reply(
        lambda reach, values: int(values[reach.argmax()].argmax())
    ),
    "the move is chosen as if all states of the set were equally likely; weigh each with its reach.": _reply(
        lambda reach, values: int(values.sum(0).argmax())
    ),
    "this is the worst response: the values are the responding player's own, and it wants the highest.": _reply(
        lambda reach, values: int((reach @ values).argmin())
    ),
    "one move is chosen for all information sets together; the player knows in which of them it is.": (
        lambda reach, values, sets: (np.asarray(reach) @ np.asarray(values)).max()
    ),
    "this divides by how often a set is met, so that a rare one counts as much as a common one.": _reply(
        worth=lambda reach, values, move: float(reach @ values[:, move]) / reach.sum()
    ),
    "this is what drawing moves uniformly wins; take the best one.": lambda reach, values, sets: (
        np.asarray(reach) @ np.asarray(values).mean(1)
    ),
}


def check_best_reply(answer: Answer) -> None:
    """`answer(reach, values, sets)`: what the best response wins. `reach` (states,) is how likely chance and the other
    player make each state, `values` (states, moves) what the responding player wins by each move there, and `sets`
    (states,) the information set that each state belongs to.
    """
    rng = np.random.default_rng(71)
    cases = []
    for states, moves in ((6, 2), (8, 2), (9, 3), (12, 3)):
        reach = rng.dirichlet(np.ones(states)) * rng.uniform(0.5, 1)
        cases.append((reach, rng.normal(size=(states, moves)), np.arange(states) % 3))
    compare("best_reply", answer, _reply(), BEST_REPLY_MISTAKES, cases)


def _running(
    read: Callable[[FloatArray], FloatArray] = lambda returns: returns,
    move: Callable[[FloatArray, FloatArray, float], FloatArray] = lambda b, won, decay: decay * b + (1 - decay) * won,
    first: bool = False,
) -> Answer:
    """Returns minus running means, game after game, by rules: which returns are read, and how the means move."""

    def advantages(returns: FloatArray, baselines: FloatArray, decay: float) -> FloatArray:
        returns, b = read(np.asarray(returns, dtype=float)), np.array(baselines, dtype=float)
        result = np.zeros(returns.shape)
        for game, won in enumerate(returns):
            moved = move(b, won, decay)
            result[game], b = won - (moved if first else b), moved
        return result

    return advantages


def _one_after_the_other(returns: FloatArray, baselines: FloatArray, decay: float) -> FloatArray:
    flat = np.asarray(returns, dtype=float).reshape(-1, 1)
    return _running()(flat, np.asarray(baselines)[:1], decay).reshape(-1, 2)


_ours = _running()
SEAT_ADVANTAGES_MISTAKES: dict[str, Answer] = {
    (
        "both seats are compared with one baseline; where one seat wins more, all of its moves look good. Keep one for "
        "each seat."
    ): _one_after_the_other,
    "the two baselines are moved by the mean over both seats; each is moved by its own seat's return.": _running(
        move=lambda b, won, decay: decay * b + (1 - decay) * won.mean()
    ),
    "the baseline already has this game's return in it; compare first, and move it afterwards.": _running(first=True),
    "decay and 1 - decay are exchanged: the baseline forgets all but the last games.": _running(
        move=lambda b, won, decay: (1 - decay) * b + decay * won
    ),
    "the baselines never move.": _running(move=lambda b, won, decay: b),
    "the baseline is moved without forgetting: it grows for ever; multiply it with decay.": _running(
        move=lambda b, won, decay: b + (1 - decay) * won
    ),
    "this compares with the mean of these games, later ones included; a running mean is asked for.": (
        lambda returns, baselines, decay: returns - np.mean(returns, 0)
    ),
    (
        "the second seat's return is taken to be minus the first one's; an illegal move costs its writer, and the "
        "other player wins nothing."
    ): _running(lambda returns: np.stack([returns[:, 0], -returns[:, 0]], 1)),
    "the advantages are divided by their standard deviation, which is not asked for.": lambda *case: (
        _ours(*case) / np.std(_ours(*case), 0)
    ),
}


def check_seat_advantages(answer: Answer) -> None:
    """`answer(returns, baselines, decay)`: the advantages (games, 2) of SPIRAL, arXiv:2506.24119. Game after game a
    seat's return (games, 2) is compared with its baseline (2,) as it stands, which then moves: decay times itself plus
    1 - decay times the return.
    """
    rng = np.random.default_rng(72)
    cases = []
    for games, start, decay in ((5, 0.0, 0.95), (6, 0.2, 0.9), (8, -0.1, 0.8)):
        won = rng.choice([-1.0, -0.5, 0.5, 1.0], size=games)
        returns = np.stack([won, -won], 1)
        returns[1], returns[3] = (-1.5, 0.0), (0.0, -1.5)
        cases.append((returns, np.array([start, start]), decay))
    compare("seat_advantages", answer, _ours, SEAT_ADVANTAGES_MISTAKES, cases)


def _average(strategies: FloatArray, reach: FloatArray, nowhere: float | None = None) -> FloatArray:
    strategies, reach = np.asarray(strategies), np.asarray(reach)
    moves, met = (reach[:, :, None] * strategies).sum(0), reach.sum(0)[:, None]
    empty = 1 / strategies.shape[2] if nowhere is None else nowhere
    return np.where(met > 0, moves / np.where(met > 0, met, 1), empty)


def _geometric(strategies: FloatArray, reach: FloatArray) -> FloatArray:
    mean = np.exp(np.log(strategies).mean(0))
    return mean / mean.sum(1, keepdims=True)


AVERAGE_MISTAKES: dict[str, Answer] = {
    (
        "this is the plain mean; a strategy that never comes to an information set says nothing about how to play "
        "there. Weigh with reach."
    ): lambda strategies, reach: np.mean(strategies, 0),
    "this is the last strategy; the average of all is asked for.": lambda strategies, reach: strategies[-1],
    "these do not sum to 1: divide by the sum of the reach, not by the number of strategies.": (
        lambda strategies, reach: (np.asarray(reach)[:, :, None] * strategies).mean(0)
    ),
    "this divides by the reach of all information sets together; each has its own sum.": lambda strategies, reach: (
        (np.asarray(reach)[:, :, None] * strategies).sum(0) / np.sum(reach)
    ),
    "this is the mean of log-probabilities; one strategy that never makes a move would rule it out for ever.": (
        _geometric
    ),
    "an information set that no strategy comes to has probabilities that sum to 0; play uniformly there.": (
        lambda strategies, reach: _average(strategies, reach, 0.0)
    ),
}


def check_average_strategy(answer: Answer) -> None:
    """`answer(strategies, reach)`: the average (sets, moves) of strategies (strategies, sets, moves), each weighted at
    an information set by its own reach (strategies, sets); uniform where no strategy comes to.
    """
    rng = np.random.default_rng(73)
    cases = []
    for count, sets, moves in ((3, 4, 2), (5, 3, 3), (4, 6, 2)):
        reach = rng.uniform(0, 1, size=(count, sets))
        reach[:, 1] = 0
        cases.append((rng.dirichlet(np.ones(moves), size=(count, sets)), reach))
    compare("average_strategy", answer, _average, AVERAGE_MISTAKES, cases)


def _step(
    pull_of: Callable[[float, float], float] = lambda rate, pull: rate * pull,
    towards: Callable[[FloatArray], FloatArray] = lambda anchor: anchor,
    root: bool = True,
    sign: int = 1,
    inside: bool = True,
) -> Answer:
    """A step with an anchor by rules: how strong the pull is, where to, and what the root is taken of."""

    def step(policy: FloatArray, anchor: FloatArray, gains: FloatArray, rate: float, pull: float) -> FloatArray:
        strength, uphill = pull_of(rate, pull), sign * rate * np.asarray(gains)
        logs = np.log(policy) + strength * np.log(towards(np.asarray(anchor)))
        logs = (logs + uphill if inside else logs) / (1 + strength if root else 1)
        return _share(np.exp(logs if inside else logs + uphill))

    return step


def _unnormalised(policy: FloatArray, anchor: FloatArray, gains: FloatArray, rate: float, pull: float) -> FloatArray:
    logs = np.log(policy) + rate * pull * np.log(anchor) + rate * np.asarray(gains)
    return np.exp(logs / (1 + rate * pull))


def _mixed(policy: FloatArray, anchor: FloatArray, gains: FloatArray, rate: float, pull: float) -> FloatArray:
    moved = _share(policy * np.exp(rate * np.asarray(gains)))
    return (moved + rate * pull * np.asarray(anchor)) / (1 + rate * pull)


ANCHORED_STEP_MISTAKES: dict[str, Answer] = {
    "the anchor is left out: this is multiplicative weights, which goes round.": _step(lambda rate, pull: 0.0),
    "the root is missing: divide the exponents by 1 + rate * pull, or nothing is forgotten.": _step(root=False),
    "this pulls towards uniform play; the anchor may be another policy.": _step(
        towards=lambda anchor: np.full(anchor.shape, 1 / len(anchor))
    ),
    "the pull is not multiplied with the rate: a small step would go as far towards the anchor as a large one.": _step(
        lambda rate, pull: pull
    ),
    "the gains are outside the root; it is taken of the whole product.": _step(inside=False),
    "this goes down the gains: the player wants high ones.": _step(sign=-1),
    "these do not sum to 1: divide by their sum.": _unnormalised,
    "this mixes probabilities; the step multiplies powers of them.": _mixed,
}


def check_anchored_step(answer: Answer) -> None:
    """`answer(policy, anchor, gains, rate, pull)`: the next policy (moves,) of magnetic mirror descent,
    arXiv:2206.05825: proportional to (policy * anchor^(rate * pull) * exp(rate * gains))^(1 / (1 + rate * pull)).
    """
    rng = np.random.default_rng(74)
    cases = []
    for moves, rate, pull in ((3, 0.1, 0.5), (2, 0.5, 0.2), (4, 1.5, 2.0)):
        policy, anchor = rng.dirichlet(np.ones(moves), size=2)
        cases.append((policy, anchor, rng.normal(size=moves), rate, pull))
    compare("anchored_step", answer, _step(), ANCHORED_STEP_MISTAKES, cases)
