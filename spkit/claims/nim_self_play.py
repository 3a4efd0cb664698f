"""What self-play makes of a language model in Nim, where one seat always wins.

In Nim with heaps of 1, 2 and 3 the second player wins, and nothing is hidden: a strategy whose likeliest moves have
NashConv 0 never loses a game that can be won, whoever it meets. `nim-pool` plays against past selves; `nim-shared`
changes one part of it. How its settings were found: by two runs of seed 100, one against the latest self (200
iterations: it beat a player of random moves in 85 % of games after 40, in 64 % after 100), and this one (from iteration
140 on its likeliest moves were perfect). The results are of seeds 0 to 2, of which no run had been looked at: none of
them came to perfect play. Afterwards a penalty on the distance to the base was tried in place of the bonus, against the
latest self (seed 100): its likeliest moves were not perfect after 100 iterations either.

Tic-tac-toe has no claim. It was not solved: six ways were tried, with seeds 0 and 100, for 10 to 100 seconds of a core
each: against the latest self (three of them with a baseline for each position, one of these in games that begin after
random moves), and two against a pool. The pool was the best: from 53 % the model came to win 75 % of games against
random moves after 20 iterations of 512 games, and 72 % after 100, and in both seats its likeliest moves still lost to a
perfect player. With a weight of 0.2 for the entropy bonus it wrote hardly a legal move any more. The game is slow to
learn for this model in any way: shown perfect moves alone (1,205 steps of 128 texts, 41 seconds of a core), its
likeliest move was a perfect one in 75 % of positions, where a random one is in 58 %.
"""

from dataclasses import replace

from ..loops.game_self_play import GameSelfPlayConfig, game_self_play
from ..stages.learn_games import MovesConfig
from .base import Experiment, claim
from .games_self_play import strategy_curves
from .readings import final
from .sources import OURS, SPIRAL
from .terms import Number

LIKELIEST = Number("nash_conv_greedy", "NashConv of the likeliest moves")
AGAINST_RANDOM = Number("wins.random", "win rate against random moves")
NIM = GameSelfPlayConfig(
    iterations=240,
    deals=256,
    opponent="pool",
    pool_every=10,
    measure_every=10,
    learn=MovesConfig(minibatches=2, learning_rate=1e-3, entropy_coef=0.1, anneal_over=300, rows_at_once=512),
)
NIM_EXPERIMENTS = {
    "nim-pool": Experiment(game_self_play, NIM, "game:nim-small", 40),
    "nim-shared": Experiment(
        game_self_play, replace(NIM, learn=replace(NIM.learn, advantage="shared")), "game:nim-small", 40
    ),
}
NIM_KEPT = ("nash_conv", "nash_conv_greedy", "entropy", "illegal", "wins.random", "wins.base")
SEATS_WIN = ("returns.first", "returns.second")

NIM_CLAIMS = (
    claim(
        "games-nim",
        "Against a pool of past selves a language model comes to play Nim so that its likeliest moves never lose a "
        "game that can be won",
        OURS,
        final("nim-pool", LIKELIEST) < 0.5,
        strategy_curves(*NIM_KEPT),
    ),
    claim(
        "games-nim-shared",
        "In Nim, where the second seat always wins, a baseline that both seats share ends with fewer games won against "
        "random moves than one a seat",
        SPIRAL,
        final("nim-pool", AGAINST_RANDOM) - final("nim-shared", AGAINST_RANDOM) > 0,
        strategy_curves(*NIM_KEPT, *SEATS_WIN),
    ),
    claim(
        "games-nim-shared-greedy",
        "So do its likeliest moves have a higher NashConv",
        SPIRAL,
        final("nim-shared", LIKELIEST) - final("nim-pool", LIKELIEST) > 0,
    ),
)
