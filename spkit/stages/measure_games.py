"""Stage 5 of games, measure: how far the exact strategy is from equilibrium, whom it beats, what was played."""

from typing import Any

import numpy as np
import torch

from ..measures.accuracy import accuracy
from ..measures.game_moves import MoveChances
from ..policy import Policy
from ..run.folder import Run
from ..tasks import load_task, test_set
from ..tasks.games import SEATS
from ..tasks.games.tree import FloatVector
from .past_selves import PastSelves
from .play import LEARNER, Played
from .solve import solve

SHOWN_GAMES = 2  # whose moves are in samples.jsonl
SHOWN_PLACES = 64  # a strategy of at most so many numbers stands in the record


def measure_strategy(chances: MoveChances, past: PastSelves) -> dict[str, Any]:
    """Exact numbers of the policy as it is.

    Beside `MoveChances.summary`: `nash_conv_average` of the average of all strategies measured so far; `wins`, how
    often it wins (a draw is half) with the seats changing, against a player that draws any legal move (`random`), the
    base, the last past self, and a past self drawn at random (`pool`); and the `strategy` itself if it is short.
    """
    tree, strategy = chances.tree, chances.strategy
    rates = [tree.both_seats(strategy, other) for other in past.strategies]
    wins = {
        "random": tree.both_seats(strategy, tree.uniform()),
        "base": rates[0],
        "last": rates[-1],
        "pool": float(np.mean(rates)),
    }
    shown = {"strategy": strategy.tolist()} if len(strategy) <= SHOWN_PLACES else {}
    return {**chances.summary(), "nash_conv_average": tree.nash_conv(past.average()), "wins": wins, **shown}


def measure_other(policy: Policy, name: str, per_difficulty: int, run: Run) -> dict[str, Any]:
    """What playing does to a task that is not trained, as `other`: greedy `accuracy` on its fixed test set, also by
    difficulty, and `nll`, the mean surprise at a right solution (nats a token). Empty without a name.
    """
    if not name:
        return {}
    task = load_task(name)
    tests = test_set(task, per_difficulty)
    with run.stage("measure", len(tests), "problems") as tick:
        found = accuracy(tests, solve(policy, task, tests, on_rows=tick).verdicts)
        solutions = [policy.completion_ids(task.solution(problem)) for problem in tests]
        scores = torch.cat(policy.logprobs([problem.prompt for problem in tests], solutions))
    shown = {key: found[key] for key in ("accuracy", "accuracy_by_difficulty")}
    return {"other": {**shown, "nll": -scores.double().mean().item()}}


def played_record(played: Played, returns: FloatVector) -> dict[str, Any]:
    """Counts of an iteration: `games`; `moves` of the policy a game; `invalid`, the share of them that were no legal
    move; and `returns`, what the policy won on average in each seat, in units of the most that can be lost.
    """
    sits = played.seating.players == LEARNER
    won = {name: float(returns[sits[:, seat], seat].mean()) for seat, name in enumerate(SEATS) if sits[:, seat].any()}
    bad = sum(turn.move is None for turn in played.turns)
    return {
        "games": len(played.ends),
        "moves": len(played.turns) / len(played.ends),
        "invalid": bad / max(1, len(played.turns)),
        "returns": won,
    }


def game_samples(played: Played, returns: FloatVector) -> list[dict[str, Any]]:
    """The policy's moves of the first games as rows of samples.jsonl."""
    return [
        {
            "game": turn.game,
            "seat": SEATS[turn.seat],
            "prompt": turn.prompt,
            "completion": turn.text,
            "reward": returns[turn.game, turn.seat].item(),
            "legal": turn.move is not None,
        }
        for turn in played.turns
        if turn.game < SHOWN_GAMES
    ]
