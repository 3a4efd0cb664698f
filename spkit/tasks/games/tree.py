"""A whole game as arrays, for exact values: expected returns, best responses, NashConv, minimax.

NashConv is what the two players could gain, together, by each switching to a best response: 0 at an equilibrium and
nowhere else (Lanctot et al. 2017, arXiv:1711.00832, section 2); exploitability is half of it. Everything is one walk up
or down the states, in the order of how many moves are left at most. A state reached in several ways stands once.

A strategy is one vector: the probability of every legal move at every information set, moves in the order of
`GameTree.texts`. It plays either seat, since a text names its player.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...run.errors import SpkitError
from .base import CHANCE, OVER, State, TextGame

FloatVector = NDArray[np.float64]
IntegerVector = NDArray[np.int64]
CLOSE = 1e-9  # values closer than this are a tie, on every machine


class Edges(NamedTuple):
    """Moves from state to state: of chance with its probability, or of a player with its place in a strategy."""

    source: IntegerVector
    target: IntegerVector
    seat: IntegerVector  # of who moves; -1 for chance
    action: IntegerVector  # place in a strategy; -1 for chance
    chance: FloatVector  # 1 for a player's


@dataclass(frozen=True)
class GameTree:
    """A game's states and information sets. `starts[i]` to `starts[i + 1]` are set i's places in a strategy."""

    game: TextGame
    states: list[State]
    texts: list[tuple[str, tuple[str, ...]]]  # of every information set: what is seen, and the legal moves
    seats: IntegerVector  # whose information set it is
    starts: IntegerVector
    edges: Edges  # those of states with the fewest moves left first
    levels: list[slice]  # of edges, by moves left
    set_of: IntegerVector  # the information set of every state, -1 where no player moves
    payoff: FloatVector  # to the first player, 0 where the game goes on

    @cached_property
    def owner(self) -> IntegerVector:
        """The information set of every place in a strategy."""
        return np.repeat(np.arange(len(self.texts)), np.diff(self.starts))

    @cached_property
    def branches(self) -> IntegerVector:
        """How many moves there are in every state."""
        return np.bincount(self.edges.source, minlength=len(self.states))

    @cached_property
    def _first_edge(self) -> IntegerVector:
        """Of every state that has edges the number of the first; the others follow in the order of moves."""
        result = np.zeros(len(self.states), dtype=int)
        sources, first = np.unique(self.edges.source, return_index=True)
        result[sources] = first
        return result

    def child(self, states: IntegerVector, places: IntegerVector) -> IntegerVector:
        """The states after the moves at these places, among those of each state."""
        return self.edges.target[self._first_edge[states] + places]

    def uniform(self) -> FloatVector:
        """The strategy that draws any legal move."""
        return (1 / np.diff(self.starts))[self.owner]

    def greedy(self, strategy: FloatVector) -> FloatVector:
        """The strategy that always makes the likeliest move, the first of those that are as likely."""
        return self._best(np.asarray(strategy, dtype=float), np.arange(self.starts[-1]))

    def checked(self, strategy: FloatVector) -> FloatVector:
        """The strategy as floats. Raises SpkitError unless there is one distribution at every information set."""
        strategy = np.asarray(strategy, dtype=float)
        if strategy.shape != (self.starts[-1],):
            raise SpkitError(
                f"a strategy of {self.game.name} has {self.starts[-1]} probabilities, one a legal move, and this one "
                f"has the shape {strategy.shape}"
            )
        sums = np.add.reduceat(strategy, self.starts[:-1])
        if not (strategy >= 0).all() or not np.allclose(sums, 1, atol=1e-6, rtol=0):
            raise SpkitError("the probabilities at every information set must be at least 0 and sum to 1")
        return strategy

    def value(self, first: FloatVector, second: FloatVector) -> float:
        """Expected return to the first player."""
        return float(self._values(self._weights(first, second), self.payoff)[0])

    def win_rate(self, first: FloatVector, second: FloatVector) -> float:
        """Probability that the first player wins, a draw counting as half."""
        return 0.5 + 0.5 * float(self._values(self._weights(first, second), np.sign(self.payoff))[0])

    def margin(self, ours: FloatVector, theirs: FloatVector) -> float:
        """What `ours` wins of `theirs` a game, the seats changing from game to game."""
        return (self.value(ours, theirs) - self.value(theirs, ours)) / 2

    def both_seats(self, ours: FloatVector, theirs: FloatVector) -> float:
        """How often `ours` wins against `theirs`, a draw counting as half, the seats changing from game to game."""
        return (self.win_rate(ours, theirs) + 1 - self.win_rate(theirs, ours)) / 2

    def best_response(self, strategy: FloatVector, seat: int) -> float:
        """What the best response in this seat wins against the strategy in the other one."""
        return self.respond(strategy, seat)[0]

    def nash_conv(self, strategy: FloatVector) -> float:
        """NashConv of a strategy that plays both seats: what one wins the other loses, so the values cancel."""
        return self.best_response(strategy, 0) + self.best_response(strategy, 1)

    def respond(self, strategy: FloatVector, seat: int) -> tuple[float, FloatVector]:
        """The best response's return in this seat, and the response: a strategy, uniform at the other seat's sets.

        Of moves that are as good the first is taken. At information sets that are never reached it is a best response
        too, all their states counting alike.
        """
        strategy, sign = self.checked(strategy), 1 - 2 * seat
        one = np.where(self.seats[self.owner] == seat, 1.0, strategy)
        reach = self._reach(self._weights(one, one, check=False))
        missing = np.bincount(self.set_of[self.set_of >= 0], reach[self.set_of >= 0], len(self.texts)) == 0
        reach = np.where((self.set_of >= 0) & missing[self.set_of], 1.0, reach)
        weights, values, chosen = self._weights(strategy, strategy), sign * self.payoff, self.uniform()
        gains, e = np.zeros(len(strategy)), self.edges
        for level in self.levels:
            own = np.flatnonzero(e.seat[level] == seat) + level.start
            np.add.at(gains, e.action[own], reach[e.source[own]] * values[e.target[own]])
            places = np.unique(e.action[own])
            chosen[places] = self._best(gains, places)
            weights[own] = chosen[e.action[own]]
            np.add.at(values, e.source[level], weights[level] * values[e.target[level]])
        return float(values[0]), chosen

    def _best(self, gains: FloatVector, places: IntegerVector) -> FloatVector:
        """1 at the first best move of each information set, 0 at the others; `places` are those of whole sets."""
        if not len(places):
            return np.zeros(0)
        begin = np.unique(self.owner[places], return_index=True)[1]
        counts = np.diff([*begin, len(places)])
        top = np.maximum.reduceat(gains[places], begin)
        good = gains[places] >= np.repeat(top, counts) - CLOSE
        before = np.cumsum(good) - good
        return (good & (before == np.repeat(before[begin], counts))).astype(float)

    def minimax(self) -> FloatVector:
        """The value of every state to the first player, where both play perfectly.

        Raises SpkitError for a game with chance or hidden information, where a state has no value of its own.
        """
        if (self.edges.seat == CHANCE).any() or np.bincount(self.set_of[self.set_of >= 0]).max() > 1:
            raise SpkitError(f"{self.game.name} has chance or hidden information: ask for best responses instead")
        signs, values = 1 - 2 * self.edges.seat, self.payoff.copy()
        for level in self.levels:
            source, sign = self.edges.source[level], signs[level]
            best = np.full(len(values), -np.inf)
            np.maximum.at(best, source, sign * values[self.edges.target[level]])
            values[source] = sign * best[source]
        return values

    def reached(self, strategy: FloatVector) -> FloatVector:
        """How often each information set is met a game when the strategy plays both seats, (information sets,)."""
        reach, there = self._reach(self._weights(strategy, strategy)), self.set_of >= 0
        return np.bincount(self.set_of[there], reach[there], len(self.texts))

    def own_reach(self, strategy: FloatVector) -> FloatVector:
        """The probability that a player's own moves allow for each of its information sets, (information sets,).

        Where several ways lead to one set, that of the likeliest.
        """
        e, result = self.edges, np.zeros(len(self.texts))
        for seat in (0, 1):
            weights = np.where(e.seat == seat, self.checked(strategy)[e.action], 1.0)
            reach = np.zeros(len(self.states))
            reach[0] = 1
            for level in reversed(self.levels):
                np.maximum.at(reach, e.target[level], reach[e.source[level]] * weights[level])
            mine = np.flatnonzero((self.set_of >= 0) & (self.seats[self.set_of] == seat))
            np.maximum.at(result, self.set_of[mine], reach[mine])
        return result

    def _weights(self, first: FloatVector, second: FloatVector, check: bool = True) -> FloatVector:
        if check:
            first, second = self.checked(first), self.checked(second)
        e = self.edges
        return np.where(e.seat == CHANCE, e.chance, np.where(e.seat == 0, first[e.action], second[e.action]))

    def _values(self, weights: FloatVector, payoff: FloatVector) -> FloatVector:
        values, e = payoff.astype(float), self.edges
        for level in self.levels:
            np.add.at(values, e.source[level], weights[level] * values[e.target[level]])
        return values

    def _reach(self, weights: FloatVector) -> FloatVector:
        reach, e = np.zeros(len(self.states)), self.edges
        reach[0] = 1
        for level in reversed(self.levels):
            np.add.at(reach, e.target[level], weights[level] * reach[e.source[level]])
        return reach


@lru_cache(maxsize=16)
def game_tree(game: TextGame) -> GameTree:
    """Every state of the game that can be reached, state 0 being the start. A game of some 10,000 states is one second.

    Raises SpkitError if the states of an information set differ in their moves or in how many may follow.
    """
    order, left = _states(game)
    number = {state: index for index, state in enumerate(order)}
    sets: dict[str, tuple[int, int, tuple[str, ...], int]] = {}
    set_of = np.full(len(order), -1)
    starts = [0]
    for index, state in enumerate(order):
        if game.turn(state) < 0:
            continue
        prompt, seen = game.prompt(state), (game.turn(state), game.legal(state), left[state])
        if prompt not in sets:
            sets[prompt] = (len(sets), *seen)
            starts.append(starts[-1] + len(seen[1]))
        if sets[prompt][1:] != seen:
            raise SpkitError(f"two states of {game.name} look alike ({prompt!r}) and differ in what may follow")
        set_of[index] = sets[prompt][0]
    rows = [(left[state], *row) for state in order for row in _moves(game, state, number, set_of, starts)]
    rows.sort(key=lambda row: row[0])
    heights = np.array([row[0] for row in rows])
    bounds = [*np.flatnonzero(np.diff(heights, prepend=0)), len(rows)]
    source, target, seat, action = (np.array([row[i] for row in rows]) for i in (1, 2, 3, 4))
    over = [game.returns(state) if game.turn(state) == OVER else 0.0 for state in order]
    return GameTree(
        game,
        order,
        [(prompt, moves) for prompt, (_, _, moves, _) in sets.items()],
        np.array([seat for _, seat, _, _ in sets.values()]),
        np.array(starts),
        Edges(source, target, seat, action, np.array([row[5] for row in rows])),
        [slice(a, b) for a, b in pairwise(bounds)],
        set_of,
        np.array(over, dtype=float),
    )


def next_states(game: TextGame, state: State) -> list[State]:
    """What may come next, moves in their order; nothing when the game is over."""
    turn = game.turn(state)
    if turn == CHANCE:
        return game.chances(state)
    return [] if turn == OVER else [game.after(state, move) for move in game.legal(state)]


def _states(game: TextGame) -> tuple[list[State], dict[State, int]]:
    """The states, each before what follows it first; and the most moves that are left in each."""
    order, left, todo = [game.start()], {}, [game.start()]
    known = set(order)
    while todo:
        state = todo[-1]
        following = next_states(game, state)
        new = [one for one in following if one not in known]
        if new:
            known.update(new)
            order += new
        waiting = [one for one in following if one not in left]
        if waiting:
            todo += waiting
            continue
        left[state] = 1 + max((left[one] for one in following), default=-1)
        todo.pop()
    return order, left


def _moves(
    game: TextGame, state: State, number: dict[State, int], set_of: IntegerVector, starts: list[int]
) -> list[tuple]:
    """(source, target, seat, place in a strategy, probability if chance) of every move from the state."""
    following, here, turn = next_states(game, state), number[state], game.turn(state)
    places = [-1] * len(following) if turn < 0 else range(starts[set_of[here]], starts[set_of[here] + 1])
    chance = 1 / len(following) if turn == CHANCE and following else 1.0
    return [(here, number[to], turn, place, chance) for to, place in zip(following, places)]
