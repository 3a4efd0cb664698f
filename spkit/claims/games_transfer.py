"""Does playing help reasoning? A model that plays and adds is measured at addition before and after it has played.

The base is `games-addition`, which has read legal moves and sums. `transfer-play` plays Kuhn poker against itself with
the settings of `kuhn-anchor`, for an eighth of the iterations. `transfer-shuffled`, the control of equal size, plays as
many games and takes as many updates, but learns each game from the outcome of another one. `transfer-held` is held by
the penalty to its base, which stays, in place of an anchor that follows.

Accuracy at addition is greedy, on 500 test problems of 1 to 5 digits (fewer of 1 digit, of which there are not so
many). All criteria were written before any of these runs was made.
"""

from dataclasses import replace

from ..loops.game_self_play import GameSelfPlayConfig, game_self_play
from .base import Experiment, claim
from .games_self_play import ANCHOR, NASH
from .readings import base, final, gain
from .sources import OURS, RAZOR, SPIRAL
from .stored import Curve, EachRun
from .terms import Number

ADDING = Number("other.accuracy", "accuracy at addition")
ADDING_NLL = Number("other.nll", "NLL of right sums (nats a token)")

PLAYING = replace(
    ANCHOR,
    iterations=100,
    other_task="addition",
    other_every=50,
    learn=replace(ANCHOR.learn, anneal_over=125),
)


def _both(config: GameSelfPlayConfig) -> Experiment:
    return Experiment(game_self_play, config, "game:kuhn", round(config.iterations * 0.4), model="games-addition")


GAMES_TRANSFER_EXPERIMENTS = {
    "transfer-play": _both(PLAYING),
    "transfer-shuffled": _both(replace(PLAYING, credit="shuffled")),
    "transfer-held": _both(replace(PLAYING, anchor_every=0)),
}
ADDED_BY_DIGITS = tuple(f"other.accuracy_by_difficulty.{digits}" for digits in range(1, 6))
ADDED_LOOKS = EachRun(
    lambda run: {
        "at": Curve(run, "iteration", only="other"),
        **{
            key: Curve(run, key, only="other")
            for key in (*ADDED_BY_DIGITS, "other.accuracy", "other.nll", "nash_conv", "illegal")
        },
    }
)

GAMES_TRANSFER_CLAIMS = (
    claim(
        "transfer-plays",
        "A model that also adds learns to play Kuhn poker: its NashConv falls",
        OURS,
        base("transfer-play", NASH) - final("transfer-play", NASH) > 0,
        ADDED_LOOKS,
    ),
    claim(
        "transfer-gain",
        "Playing Kuhn poker against itself makes a model more accurate at addition",
        SPIRAL,
        gain("transfer-play", ADDING) > 0,
        ADDED_LOOKS,
    ),
    claim(
        "transfer-control",
        "After games it is more accurate at addition than after as many updates on shuffled outcomes",
        OURS,
        final("transfer-play", ADDING) - final("transfer-shuffled", ADDING) > 0,
        ADDED_LOOKS,
    ),
    claim(
        "transfer-forgets",
        "Playing makes it forget: right sums become less likely, by more than 0.01 nats a token",
        OURS,
        gain("transfer-play", ADDING_NLL) > 0.01,
        ADDED_LOOKS,
    ),
    claim(
        "transfer-held",
        "A penalty on the distance to the base, on what it reads in games, keeps right sums likelier than an anchor "
        "that follows",
        RAZOR,
        final("transfer-play", ADDING_NLL) - final("transfer-held", ADDING_NLL) > 0,
        ADDED_LOOKS,
    ),
    claim(
        "transfer-held-cost",
        "Held so, its NashConv ends higher",
        OURS,
        final("transfer-held", NASH) - final("transfer-play", NASH) > 0,
        ADDED_LOOKS,
    ),
)
