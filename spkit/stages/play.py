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
from ..tasks.games import CHANCE, OVER, GameTree, State, TextGame
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
    luck = torch.rand((count, CHANCE_MOVES), generator=generator, dtype=torch.float64).numpy()
    players = np.full((count, 2), LEARNER)
    if len(chances):
        weights = torch.tensor(chances, dtype=torch.float64)
        drawn = torch.multinomial(weights, count, replacement=True, generator=generator).numpy()
        players[np.arange(count), 1 - np.arange(count) % 2] = drawn
    return Seating(luck.repeat(k, 0), players.repeat(k, 0))


def play_games(
    policy: Policy,
    tree: GameTree,
    seating: Seating,
    strategies: FloatVector,
    generator: torch.Generator,
    on_games: Callable[[int], None] = lambda count: None,
) -> Played:
    """Play all games side by side, the policy's moves of all of them at once; `strategies` (opponents, places)."""
    game, count = tree.game, len(seating.luck)
    longest = max(map(len, move_tokens(policy, game).values()))
    sets = {text: index for index, (text, _) in enumerate(tree.texts)}
    states, events = [game.start()] * count, np.zeros(count, dtype=int)
    spoiled, turns, over = np.full(count, -1), [], 0
    while True:
        for i in range(count):
            while game.turn(states[i]) == CHANCE:
                following = game.chances(states[i])
                states[i] = following[int(seating.luck[i, events[i]] * len(following))]
                events[i] += 1
        going = [i for i in range(count) if spoiled[i] < 0 and game.turn(states[i]) != OVER]
        on_games(count - len(going) - over)
        over = count - len(going)
        if not going:
            return Played(seating, turns, states, spoiled)
        sitting = [int(seating.players[i, game.turn(states[i])]) for i in going]
        ours = [i for i, player in zip(going, sitting) if player == LEARNER]
        for turn in _written(policy, game, ours, states, longest, generator):
            turns.append(turn)
            if turn.move is None:
                spoiled[turn.game] = turn.seat
            else:
                states[turn.game] = game.after(states[turn.game], turn.move)
        theirs = [(i, player) for i, player in zip(going, sitting) if player != LEARNER]
        draws = torch.rand(len(theirs), generator=generator, dtype=torch.float64).tolist()
        for (i, player), draw in zip(theirs, draws):
            index = sets[game.prompt(states[i])]
            odds = np.cumsum(strategies[player, tree.starts[index] : tree.starts[index + 1]])
            place = min(int((draw * odds[-1] >= odds).sum()), len(odds) - 1)
            states[i] = game.after(states[i], tree.texts[index][1][place])


def _written(
    policy: Policy,
    game: TextGame,
    games: Sequence[int],
    states: Sequence[State],
    longest: int,
    generator: torch.Generator,
) -> list[PlayedMove]:
    """One move of the policy in each of these games."""
    if not games:
        return []
    prompts = [game.prompt(states[i]) for i in games]
    rows = policy.sample(prompts, 1, temperature=1.0, max_new_tokens=longest, generator=generator)
    moves = [game.read(states[i], text) if end else None for i, text, end in zip(games, rows.texts, rows.finished)]
    seats = [game.turn(states[i]) for i in games]
    return [
        PlayedMove(*row) for row in zip(games, seats, prompts, rows.token_ids, rows.token_logprobs, rows.texts, moves)
    ]


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
