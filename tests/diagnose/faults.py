"""Simulated runs by what is wrong with them: a fault that was planted, one too weak to be called so, or none."""

import random

from tests.diagnose.world import World

TEXT = {"words": 60.0, "proposer": False}  # a solver that writes a rationale, on problems that are given
FAULTS = {  # expected verdict: worlds that have earned it
    "healthy": [
        World(),
        World(truth=True),
        World(flip=0.002),
        World(proposer=False, ways=(12, 5)),
        World(padding=(10, 30), truth=True),
        World(skill=(3.0, 4.5), ways=(12, 3)),
        World(**TEXT, ends="finish", entropy=(0.9, 0.5), advantages=True, gold=True, skill=(3.0, 4.5)),
        World(**TEXT, cap=120.0, ends="tokens", graded=0.3, style=0.2, form=0.1, advantages=True, chat=True),
    ],
    "template": [
        World(**TEXT, runs=0.6, chat=False),
        World(**TEXT, before="<s><s>", chat=True),
        World(**TEXT, after="\nAssistant: <think>\n", form=0.0, symbols=0.0, truth=True, gold=True, reopens=0.8),
    ],
    "never ends": [
        World(**TEXT, runs=0.6, chat=True),
        World(**TEXT, runs=0.9, cap=80.0, ends="tokens", gold=True),
    ],
    "truncated": [
        World(**TEXT, cap=60.0, ends="finish"),
        World(**TEXT, cap=60.0, ends="tokens", gold=True),
        World(**TEXT, cap=30.0, ends="finish"),
        World(**TEXT, cap=30.0, ends="tokens"),
        World(**TEXT, cap=30.0),
        World(**TEXT, cap=55.0),
        World(words=(40.0, 70.0), proposer=False, cap=60.0, ends="finish", skill=(3.0, 5.0)),
        World(**TEXT, letters=40),
        World(proposer=False, sums=True, letters=14),
    ],
    "format": [
        World(**TEXT, unformed=0.8, gold=True),
        World(**TEXT, unformed=(0.4, 0.9), gold=True, skill=(3.0, 5.0), ends="finish"),
        World(**TEXT, silent=0.6, skill=5.0, depth=3.0),
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
    "stale rows": [
        World(**TEXT, advantages=True, shuffled=0.7),
        World(**TEXT, advantages=True, shuffled=(0.1, 0.9), graded=0.3),
    ],
    "drowned reward": [World(**TEXT, style=8.0), World(**TEXT, style=10.0, graded=0.2, advantages=True)],
    "divergence": [
        World(skill=(4.0, -4.0), depth=3.0, proposer=False),
        World(**TEXT, symbols=(0.0, 0.9), skill=4.0, depth=3.0),
        World(skill=(4.0, 2.0), depth=3.0, proposer=False, words=(20.0, 120.0)),
    ],
    "vote against accuracy": [World(**TEXT, truth=True, skill=(3.2, 1.8), depth=3.0, agreed=(0.0, 1.0))],
    "entropy rising": [
        World(**TEXT, entropy=(0.4, 1.2), skill=(3.0, 2.8), depth=3.0),
        World(**TEXT, entropy=(0.3, 0.9), skill=(3.3, 2.7), depth=3.0, graded=0.2),
    ],
    "between groups only": [
        World(**TEXT, fate=1.0, skill=3.0, depth=3.0),
        World(**TEXT, fate=0.99, graded=0.1, skill=3.0, depth=3.0, problems=32),
    ],
    "duplicate prompts": [World(**TEXT, doubled=0.4, skill=3.0, depth=3.0, problems=32)],
    "length drift": [
        World(proposer=False, words=(40.0, 120.0), skill=(3.0, 2.8), depth=3.0),
        World(proposer=False, words=(90.0, 25.0), skill=(3.0, 2.8), depth=3.0, ends="finish"),
    ],
}
NEAR = {  # the fault that is nearly there: worlds that are healthy
    "template": [
        World(**TEXT, runs=0.05, chat=False),
        World(**TEXT, after="\nAssistant: <think>\n", chat=True),
        World(**TEXT, before="<s>", chat=True),
    ],
    "never ends": [World(**TEXT, cap=75.0, ends="finish"), World(**TEXT, runs=0.08, chat=True)],
    "truncated": [
        World(**TEXT, cap=75.0, ends="tokens"),
        World(**TEXT, cap=75.0),
        World(**TEXT, cap=78.0, ends="finish"),
        World(proposer=False, sums=True, skill=2.0),
        World(proposer=False, label=True),
    ],
    "format": [World(**TEXT, unformed=0.15, gold=True), World(**TEXT, silent=0.2, gold=True, skill=(3.0, 4.5))],
    "saturation": [World(skill=5.0, depth=3.0)],
    "starvation": [World(skill=4.0, depth=5.0)],
    "proposer degeneration": [World(duplicates=(0.05, 0.4)), World(invalid=(0.05, 0.4))],
    "verifier noise": [World(flip=0.01), World(graded=0.3, shaky=0.02, proposer=False)],
    "collapse": [World(ways=(12, 2))],
    "reward hacking": [World(padded_pays=(0.0, 0.05), truth=True), World(**TEXT, padding=(5, 10), truth=True)],
    "stale rows": [World(**TEXT, advantages=True, shuffled=0.1)],
    "drowned reward": [World(**TEXT, style=0.5), World(**TEXT, style=1.0, form=0.1)],
    "divergence": [World(skill=(4.0, 2.8), depth=3.0, proposer=False), World(**TEXT, symbols=(0.0, 0.1))],
    "vote against accuracy": [World(**TEXT, truth=True, skill=3.0, depth=3.0, agreed=(0.0, 0.4))],
    "entropy rising": [
        World(**TEXT, entropy=(0.4, 0.5)),
        World(**TEXT, entropy=(0.3, 0.6), skill=(2.5, 4.5), depth=3.0),
    ],
    "between groups only": [World(**TEXT, fate=0.6, skill=3.0, depth=3.0)],
    "duplicate prompts": [World(**TEXT, doubled=0.05)],
    "length drift": [
        World(proposer=False, words=(60.0, 80.0), skill=3.0, depth=3.0),
        World(proposer=False, words=(40.0, 100.0), skill=(2.0, 4.5), depth=3.0),
    ],
}


def healthy_world(seed: int) -> World:
    """A healthy run of some shape: groups of 4 to 16, 8 to 64 groups a step, 8 to 60 steps, graded or binary rewards,
    solve rates between 0.2 and 0.8, that rise, rest, or fall a little.
    """
    draw = random.Random(f"healthy/{seed}")
    start, gain = draw.uniform(-1.0, 0.9), draw.choice((0.0, 0.0, draw.uniform(0.0, 0.6), -0.1))
    k, problems, steps = draw.choice((4, 6, 8, 12, 16)), draw.choice((8, 12, 16, 24, 32, 48, 64)), draw.randint(8, 60)
    while k * problems * steps > 16_000:  # a second of simulation
        k, problems, steps = max(4, k - 2), max(8, problems * 3 // 4), max(8, steps * 3 // 4)
    words = draw.choice((0.0, 15.0, 60.0, 120.0))
    return World(
        steps=steps,
        problems=problems,
        k=k,
        skill=(3.0 + start, 3.0 + start + gain),
        depth=3.0,
        spread=draw.uniform(0.5, 1.5),
        ways=draw.choice((12.0, 8.0, (12.0, 6.0))),
        proposer=draw.random() < 0.3,
        truth=draw.random() < 0.3,
        gold=draw.random() < 0.5,
        graded=draw.choice((0.0, 0.0, 0.2, 0.4)),
        words=words,
        cap=draw.choice((0.0, 1.6 * words)),
        ends=draw.choice(("", "tokens", "finish")),
        entropy=draw.choice((None, 0.5, (0.8, 0.4))),
        advantages=draw.random() < 0.5,
        style=draw.choice((0.0, 0.0, 0.3)),
        form=draw.choice((0.0, 0.1, 0.5)),
        chat=draw.choice((None, True, False)),
        silent=draw.choice((0.0, 0.05)),
        runs=draw.choice((0.0, 0.0, 0.02)),
    )
