"""A proposer, a solver and a verifier without a language model: what every fault looks like is
known, because it is put in.

A task has a depth; the solver of skill s gets it right with probability 1 / (1 + exp(1.5 (depth - s))). It writes one
of `ways` texts for each answer, right or one of four wrong ones. The verifier flips a verdict with probability
`flip`. Everything may drift: a setting given as a pair goes linearly from the first value to the second over the steps.
"""

import math
import random
from dataclasses import dataclass, replace

Setting = float | tuple[float, float]
K = 8


@dataclass(frozen=True)
class World:
    steps: int = 24
    problems: int = 16
    skill: Setting = (3.0, 4.0)
    depth: Setting = (3.0, 4.0)
    spread: float = 1.0  # standard deviation of the depth
    ways: Setting = 12  # at least 1
    flip: Setting = 0.0
    fooled: Setting = 0.0  # chance that a wrong answer of the kind the verifier likes is accepted, always the same ones
    padding: Setting = 0  # words added to a completion
    padded_pays: Setting = 0.0  # chance that the reward is given for the padding
    duplicates: Setting = 0.05
    invalid: Setting = 0.05
    proposer: bool = True
    truth: bool = False  # rows carry `correct`


WORLDS = {  # expected verdict: worlds that have earned it
    "healthy": [
        World(),
        World(truth=True),
        World(flip=0.002),
        World(proposer=False, ways=(12, 5)),
        World(padding=(10, 30), truth=True),
        World(skill=(3.0, 4.5), ways=(12, 3)),
    ],
    "saturation": [World(skill=(4.0, 8.0), depth=2.0), World(skill=(4.0, 8.0), depth=2.0, ways=2, proposer=False)],
    "starvation": [World(depth=(4.0, 9.0)), World(depth=9.0, skill=3.0, proposer=False)],
    "proposer degeneration": [
        World(duplicates=(0.05, 0.9)),
        World(invalid=(0.05, 0.8)),
        World(depth=(3.0, 1.5), skill=(3.0, 4.5)),
    ],
    "verifier noise": [World(flip=0.3), World(flip=0.1, ways=4), World(fooled=0.6, truth=True)],
    "collapse": [World(ways=(12, -6)), World(ways=(12, -6), proposer=False, truth=True)],
    "reward hacking": [
        World(padding=(2, 40), padded_pays=(0.0, 0.9), truth=True),
        World(padded_pays=(0.0, 0.8), truth=True, proposer=False),
    ],
    "divergence": [World(skill=(4.0, -4.0), depth=3.0, proposer=False)],
}


def rows(world: World, seed: int) -> list[dict]:
    """The completions of a run, in spkit's own format."""
    draw, result, written = random.Random(f"{world}/{seed}"), [], ["a first problem"]
    for step in range(world.steps):
        now = _at(world, step / (world.steps - 1))
        for index in range(world.problems):
            depth = max(0.5, draw.gauss(now.depth, world.spread))
            prompt = f"problem {step}.{index}"
            result += _proposals(world, now, draw, step, prompt, depth, written)
            result += _group(world, now, draw, step, prompt, depth)
    return result


def _proposals(
    world: World, now: World, draw: random.Random, step: int, prompt: str, depth: float, written: list[str]
) -> list[dict]:
    """The valid proposal of a problem, and the invalid ones before it."""
    if not world.proposer:
        return []
    made = []
    while True:
        valid = draw.random() >= now.invalid
        text = draw.choice(written) if draw.random() < now.duplicates else f"{prompt}, draft {len(made)}"
        written.append(text)
        made.append(
            {
                "step": step,
                "role": "proposer",
                "prompt": "write a problem",
                "completion": text,
                "reward": 0.5,
                "valid": valid,
                "depth": depth,
            }
        )
        if valid:
            return made


def _group(world: World, now: World, draw: random.Random, step: int, prompt: str, depth: float) -> list[dict]:
    chance, made = 1 / (1 + math.exp(1.5 * (depth - now.skill))), []
    favourite = {right: draw.random() for right in (True, False)}
    for _ in range(K):
        # a solver that has collapsed has made up its mind about the problem
        decided = favourite[True] < chance if now.ways < 2 else draw.random() < chance
        answer = 10 if decided else 10 + (1 if now.ways < 2 else draw.randint(1, 4))
        liked = answer in (11, 12)
        way = draw.randrange(max(1, round(now.ways)))
        text = " ".join([f"way {'abcdefghijkl'[way]}:", *["well"] * round(now.padding), f"<answer>{answer}</answer>"])
        accepted = decided or (liked and draw.random() < now.fooled) or draw.random() < now.padded_pays
        accepted ^= draw.random() < now.flip
        made.append({"step": step, "role": "solver", "prompt": prompt, "completion": text, "reward": float(accepted)})
        if world.truth:
            made[-1]["correct"] = decided
    return made


def _at(world: World, share: float) -> World:
    """The world's settings at that share of the run."""
    drifting = {name: value for name, value in vars(world).items() if isinstance(value, tuple)}
    return replace(world, **{name: a + (b - a) * share for name, (a, b) in drifting.items()})


def as_trl(made: list[dict]) -> list[dict]:
    """The solver's rows as TRL logs them, with two reward functions and a conversation as prompt."""
    return [
        {
            "step": row["step"],
            "prompt": [{"role": "user", "content": row["prompt"]}],
            "completion": [{"role": "assistant", "content": row["completion"]}],
            "format_reward": 0.0,
            "accuracy_reward": row["reward"],
            "advantage": row["reward"] - 0.5,
        }
        for row in made
        if row["role"] == "solver"
    ]


def as_verl(made: list[dict]) -> list[dict]:
    """The solver's rows as verl dumps them."""
    return [
        {"input": row["prompt"], "output": row["completion"], "gts": "10", "score": row["reward"], "step": row["step"]}
        for row in made
        if row["role"] == "solver"
    ]
