"""A real language model plays Kuhn poker against itself: SmolLM2-135M-Instruct, in words (`game:kuhn-words`).

It is shown the rules and four hands with a card that the game does not have, in a chat, and answers with one word. All
it learns is in LoRA adapters, in float32 on a CPU. `real-kuhn` plays its latest self with the course's price on illegal
moves; `real-kuhn-shuffled`, the control of equal size, learns each game from the outcome of another one. Its exact
strategy is read from its next-token probabilities at the twelve information sets, among legal moves alone; what it
wins, in antes a game, the seats changing, is computed from that, against a player that draws any legal move and
against its base.

The criteria were written first. Then the learning rate was chosen by three runs of seed 100, of six or seven
iterations: with 2e-4, 4e-4 and 1e-3, with an entropy bonus and a higher price or without, illegal moves nearly vanished
at once, and so did bets. The results are of seeds 0 to 2.
"""

from dataclasses import replace
from functools import partial

import numpy as np

from ..loops.game_self_play import GameSelfPlayConfig, game_self_play
from ..stages.learn_games import MovesConfig
from ..tasks.games import GameTree, game_tree, load_game
from ..tasks.games.tree import FloatVector
from .base import Experiment, claim
from .games_self_play import ILLEGAL, NASH, strategy_curves
from .readings import base, final
from .sources import OURS
from .terms import Reading, RunRecords

REAL_GAME = "kuhn-words"
REAL_PLAY = GameSelfPlayConfig(
    iterations=8,
    deals=256,
    pool_every=10,
    learn=MovesConfig(minibatches=1, learning_rate=2e-4, rows_at_once=8192, shared_prompts=True),
)


def antes(run: str, against: str) -> Reading:
    """What the last strategy wins of the `base` or of one that draws any legal move (`random`), in antes a game."""
    return Reading(run, f"antes a game against {against}", "final {}", "final", partial(_antes, against))


def _antes(against: str, records: RunRecords) -> float:
    tree = game_tree(load_game(REAL_GAME))
    strategies = [record["strategy"] for record in records if "strategy" in record]
    if not strategies:
        raise LookupError("no strategy in the records")
    first, last = (summing_to_one(tree, strategies[i]) for i in (0, -1))
    return tree.margin(last, first if against == "base" else tree.uniform())


def summing_to_one(tree: GameTree, strategy: list[float]) -> FloatVector:
    """A strategy that was kept in few digits."""
    return np.array(strategy) / np.add.reduceat(strategy, tree.starts[:-1])[tree.owner]


def _on_words(config: GameSelfPlayConfig) -> Experiment:
    return Experiment(
        game_self_play, config, f"game:{REAL_GAME}", 6 * config.iterations, model="smollm2", profile="real"
    )


GAMES_REAL_EXPERIMENTS = {
    "real-kuhn": _on_words(REAL_PLAY),
    "real-kuhn-shuffled": _on_words(replace(REAL_PLAY, credit="shuffled")),
}
PLAYED_WELL = strategy_curves("nash_conv", "illegal", "entropy", "wins.random", "wins.base", "strategy")

GAMES_REAL_CLAIMS = (
    claim(
        "real-kuhn-legal",
        "SmolLM2-135M: against its latest self illegal moves become rarer by more than 10 points",
        OURS,
        base("real-kuhn", ILLEGAL) - final("real-kuhn", ILLEGAL) > 0.1,
        PLAYED_WELL,
        repeats="games-legal",
    ),
    claim(
        "real-kuhn-random",
        "SmolLM2-135M: its legal moves win from a player that draws any legal move",
        OURS,
        antes("real-kuhn", "random") > 0,
        PLAYED_WELL,
    ),
    claim(
        "real-kuhn-base",
        "SmolLM2-135M: its legal moves win from those of its base",
        OURS,
        antes("real-kuhn", "base") > 0,
        PLAYED_WELL,
    ),
    claim(
        "real-kuhn-nash",
        "SmolLM2-135M: its NashConv falls",
        OURS,
        base("real-kuhn", NASH) - final("real-kuhn", NASH) > 0,
        PLAYED_WELL,
    ),
    claim(
        "real-kuhn-control",
        "SmolLM2-135M: as many updates on shuffled outcomes leave more illegal moves",
        OURS,
        final("real-kuhn-shuffled", ILLEGAL) - final("real-kuhn", ILLEGAL) > 0,
        PLAYED_WELL,
    ),
)
