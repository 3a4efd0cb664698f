"""Stages 1 to 3 of games: deal and seat, play, and what the rules say of the outcome.

The policy writes its moves as text, sampled at temperature 1. Its opponents are strategies: probabilities of the legal
moves at every information set, as `spkit.measures.game_moves` reads them off a language model. A past self that is
kept so plays as the model did, in a thousandth of the memory, but never an illegal move.

What is no legal move ends the game, and its writer loses the price of it; the other player wins nothing by that.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..measures.game_moves import move_tokens
from ..policy import Policy
from ..policy.alike import sample_alike
from ..tasks.games import GameTree, State, TextGame
from ..tasks.games.tree import FloatVector, IntegerVector

LEARNER = -1  # in place of the number of an opponent
CHANCE_MOVES = 4  # at most in one game


@dataclass(frozen=True)
class Seating:
    """Games to be played: for each the numbers that decide what chance does (games, 4), and who sits in the two seats
    (games, 2): the policy (`LEARNER`) or the number of an opponent.
    """

    luck: FloatVector
    players: IntegerVector


class PlayedMove(NamedTuple):
    """A move that the policy wrote: in which game, from which seat, the tokens with their log-probabilities (nats),
    and the move it comes to, None if that is no legal one.
    """

    game: int
    seat: int
    prompt: str
    token_ids: list[int]
    logprobs: Tensor
    text: str
    move: str | None


@dataclass(frozen=True)
class Played:
    """Games that were played: the policy's moves, the last states, and which seat wrote no legal move (-1: none)."""

    seating: Seating
    turns: list[PlayedMove]
    ends: list[State]
    spoiled: IntegerVector


def deal(count: int, k: int, chances: Sequence[float], generator: torch.Generator) -> Seating:
    """`count` deals, each played k times in a row with the same luck. `chances` are those of the opponents to be drawn.

    With opponents the policy sits in the first seat of every other deal; without, in both seats of all.
    """
    numbers = torch.rand((count, CHANCE_MOVES + 1), generator=generator, dtype=torch.float64).numpy()
    players = np.full((count, 2), LEARNER)
    if len(chances):
        odds = np.cumsum(chances)
        drawn = np.searchsorted(odds[:-1], numbers[:, -1] * odds[-1], side="right")
        players[np.arange(count), 1 - np.arange(count) % 2] = drawn
    return Seating(numbers[:, :-1].repeat(k, 0), players.repeat(k, 0))


def play_games(
    policy: Policy,
    tree: GameTree,
    seating: Seating,
    strategies: FloatVector,
    generator: torch.Generator,
    on_games: Callable[[int], None] = lambda count: None,
) -> Played:
    """Play all games side by side; `strategies` (opponents, places).

    Every game has its own random numbers, and moves that are alike are computed once.
    """
    longest, count = max(map(len, move_tokens(policy, tree.game).values())), len(seating.luck)
    draws = torch.rand((count, len(tree.levels), longest), generator=generator)
    states, events = _after_chance(tree, np.zeros(count, dtype=int), np.zeros(count, dtype=int), seating.luck)
    going, spoiled, turns = np.arange(count), np.full(count, -1), []
    for made in range(len(tree.levels)):
        sets = tree.set_of[states]
        left = going[(spoiled[going] < 0) & (sets[going] >= 0)]
        on_games(len(going) - len(left))
        going, seats = left, tree.seats[sets]
        player = seating.players[going, seats[going]]
        ours, theirs = going[player == LEARNER], going[player != LEARNER]
        written, places = _written(policy, tree, ours, states[ours], draws[ours, made])
        turns += written
        spoiled[ours] = np.where(places < 0, seats[ours], -1)
        legal = places >= 0
        states[ours[legal]] = tree.child(states[ours[legal]], places[legal])
        numbers = draws[theirs, made, 0].double().numpy()
        places = _drawn(tree, strategies, player[player != LEARNER], sets[theirs], numbers)
        states[theirs] = tree.child(states[theirs], places)
        states, events = _after_chance(tree, states, events, seating.luck)
    on_games(len(going))
    return Played(seating, turns, [tree.states[state] for state in states], spoiled)


def _after_chance(
    tree: GameTree, states: IntegerVector, events: IntegerVector, luck: FloatVector
) -> tuple[IntegerVector, IntegerVector]:
    """The states after all moves of chance that are due, and how many there have been in each game."""
    states, events = states.copy(), events.copy()
    while len(due := np.flatnonzero((tree.set_of[states] < 0) & (tree.branches[states] > 0))):
        here = states[due]
        states[due] = tree.child(here, (luck[due, events[due]] * tree.branches[here]).astype(int))
        events[due] += 1
    return states, events


def _written(
    policy: Policy, tree: GameTree, games: IntegerVector, states: IntegerVector, uniform: Tensor
) -> tuple[list[PlayedMove], IntegerVector]:
    """The policy's moves in these games, and the place of each among the legal ones, -1 if it is none of them."""
    sets, first, rows = np.unique(tree.set_of[states], return_index=True, return_inverse=True)
    prompts = [tree.texts[index][0] for index in sets]
    found, which = sample_alike(policy, prompts, torch.from_numpy(rows), uniform)
    line = {prompt: number for number, prompt in enumerate(prompts)}
    kinds, places = [], []
    for prompt, ids, scores, text, end in zip(
        found.prompts, found.token_ids, found.token_logprobs, found.texts, found.finished
    ):
        index, state = sets[line[prompt]], tree.states[states[first[line[prompt]]]]
        move = tree.game.read(state, text) if end else None
        kinds.append((int(tree.seats[index]), prompt, ids, scores, text, move))
        places.append(-1 if move is None else tree.texts[index][1].index(move))
    turns = [PlayedMove(game, *kinds[kind]) for game, kind in zip(games.tolist(), which.tolist())]
    return turns, np.array(places, dtype=int)[which.numpy()]


def _drawn(
    tree: GameTree, strategies: FloatVector, players: IntegerVector, sets: IntegerVector, uniform: FloatVector
) -> IntegerVector:
    """The place, among the legal moves, of what these opponents play at these information sets."""
    places = np.zeros(len(players), dtype=int)
    for player in np.unique(players):
        mine = np.flatnonzero(players == player)
        odds = np.append(0, np.cumsum(strategies[player]))
        start, end = tree.starts[sets[mine]], tree.starts[sets[mine] + 1]
        goal = odds[start] + uniform[mine] * (odds[end] - odds[start])
        places[mine] = np.clip(np.searchsorted(odds, goal, side="right") - 1, start, end - 1) - start
    return places


def outcomes(game: TextGame, played: Played, price: float) -> FloatVector:
    """What each seat has won (games, 2), in units of the most that can be lost; who spoiled a game loses `price`."""
    result = np.zeros((len(played.ends), 2))
    for i, (state, seat) in enumerate(zip(played.ends, played.spoiled)):
        if seat >= 0:
            result[i, seat] = -price
        else:
            won = game.returns(state) / game.largest
            result[i] = won, -won
    return result
