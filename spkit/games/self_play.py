"""The loop of `columns`: propose, solve, verify, learn; for many seeds at once, with exact records.

The random numbers of iteration t are a function of (seed, t) alone, so a game stopped and continued gives the same
records as one that was not, and two runs of a seed that differ in one knob meet the same draws.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from spkit.games.columns import CELLS, OUTCOMES, ColumnReward, Proposer, Solver, Verifier, check_count
from spkit.games.learnability import exact_accuracy, learnability
from spkit.run.errors import SpkitError


@dataclass(frozen=True)
class Config:
    """The knobs of a run; each role checks its own."""

    proposer: str = "adaptive"
    proposer_reward: ColumnReward = "1-r if r>0"
    flip_rate: float = 0.0
    shuffled: bool = False  # control: the solver learns from the same advantages, handed to another problem
    group: int = 8  # attempts at each problem
    problems: int = 32  # in each iteration
    max_length: int = 8
    solver_rate: float = 300.0
    proposer_rate: float = 5.0
    explore: float = 0.05
    lean: float = 2.0  # the untrained proposer's chance of length n falls as exp(-lean n)


@dataclass(frozen=True)
class Game:
    """The three roles after some iterations. To swap a role, replace it: `replace(game, verifier=Verifier(0.0))`."""

    proposer: Proposer
    solver: Solver
    verifier: Verifier
    config: Config
    seeds: tuple[int, ...]
    iteration: int = 0


def start(config: Config, seeds: Sequence[int]) -> Game:
    """A solver that guesses, a proposer that leans to short problems, a verifier.

    SpkitError for a knob that makes no sense.
    """
    if not len(seeds) or min(seeds) < 0:
        raise SpkitError("Pass at least one seed, each a whole number of at least 0.")
    check_count("group", config.group, 2)
    check_count("problems", config.problems, 2)
    if not 0 <= config.lean < np.inf:
        raise SpkitError(f"lean is {config.lean}: choose a finite number of at least 0.")
    logits = np.tile(-config.lean * np.arange(check_count("max_length", config.max_length)), (len(seeds), 1))
    return Game(
        Proposer(logits, config.proposer, config.proposer_reward, config.proposer_rate, config.explore),
        Solver(np.zeros((len(seeds), CELLS, OUTCOMES)), config.solver_rate),
        Verifier(config.flip_rate),
        config,
        tuple(seeds),
    )


@dataclass(frozen=True)
class Draws:
    """The uniform numbers and the digits that one iteration uses."""

    lengths: np.ndarray  # (seeds, problems)
    a: np.ndarray  # (seeds, problems, columns), lowest digit first
    b: np.ndarray
    columns: np.ndarray  # (columns, seeds, problems, group)
    flips: np.ndarray  # (seeds, problems, group)


def draw(game: Game) -> Draws:
    """The numbers of this iteration, a function of each seed and the iteration."""
    p, g, n = game.config.problems, game.config.group, game.config.max_length
    sizes = np.cumsum([p, p * n, p * n, p * g * n, p * g])
    rows = np.stack([np.random.default_rng([seed, game.iteration]).random(sizes[-1]) for seed in game.seeds])
    lengths, a, b, columns, flips = np.split(rows, sizes[:-1], axis=1)
    a, b = [(10 * x).astype(int).reshape(-1, p, n) for x in (a, b)]
    return Draws(lengths, a, b, np.moveaxis(columns.reshape(-1, n, p, g), 1, 0), flips.reshape(-1, p, g))


def one_round(game: Game) -> tuple[Game, np.ndarray]:
    """One iteration: the game after it, and each problem's solve rate (seeds, problems) as the verifier saw it."""
    draws = draw(game)
    # 1 propose
    lengths = game.proposer.propose(draws.lengths)
    # 2 solve
    attempts = game.solver.solve(draws.a, draws.b, lengths, draws.columns)
    # 3 verify
    rewards = game.verifier.judge(draws.a, draws.b, lengths, attempts, draws.flips)
    # 4 learn: an attempt is compared with the others at the same problem
    solve_rates = rewards.mean(-1)
    advantages = rewards - solve_rates[..., None]
    if game.config.shuffled:
        advantages = np.roll(advantages, 1, axis=1)
    solver = game.solver.learn(attempts, advantages)
    proposer = game.proposer.learn(lengths, solve_rates)
    return replace(game, proposer=proposer, solver=solver, iteration=game.iteration + 1), solve_rates


@dataclass(frozen=True)
class Record:
    """The state before an iteration's round, with exact values (seeds, lengths), entry j for length j + 1."""

    iteration: int
    accuracy: np.ndarray
    learnability: np.ndarray  # true, whatever the verifier's noise
    proposals: np.ndarray  # the proposer's probabilities
    game: Game


def play(game: Game, iterations: int, every: int = 10) -> Iterator[Record]:
    """Play rounds, yielding a record first, then every `every` iterations, the last included when
    `every` divides `iterations`.
    """
    check_count("every", every)
    for t in range(check_count("iterations", iterations) + 1):
        if t % every == 0:
            logits, n = game.solver.logits, game.config.max_length
            kept = replace(
                game, solver=replace(game.solver)
            )  # a copy without the cached probabilities: half the memory
            yield Record(
                game.iteration, exact_accuracy(logits, n), learnability(logits, n), game.proposer.probabilities, kept
            )
        if t < iterations:
            game, _ = one_round(game)
