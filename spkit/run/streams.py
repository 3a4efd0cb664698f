"""Every random stream by its name: random state is a function of what it is for.

So a run that was killed draws on resume what an uninterrupted one would have drawn, and no two purposes share draws.

Problems come from `task.problem(stream, index)`: a loop's own stream is its seed, 0 or more and small; the streams
below belong to nobody's seed. Draws within a loop come from `generator(seed, iteration, purpose)`.
"""

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

PRETRAINING = -1  # the base of seed s reads problems of stream PRETRAINING - s
VALIDATION = 1_000_003  # the problems by which ReST^EM chooses a step
REAL = 1_000_033  # the solved problems that ReST mixes in
DEMONSTRATIONS = 1_000_037  # the solved problems that a prompt shows
PROBLEM_STREAMS = {
    "pretraining": PRETRAINING,
    "validation": VALIDATION,
    "real": REAL,
    "demonstrations": DEMONSTRATIONS,
}

PURPOSES = frozenset(
    {
        "propose", "seed ", "fill", "seats",  # propose: Absolute Zero's proposals, first buffers, old problems; deals
        "solve", "rationalize", "grow", "reply", "own-",  # solve: STaR, its hints, ReST's Grow, SPIN's two players
        "move-",  # solve: the moves of a model that plays a person
        "pool",  # verify: which old opponents SPIN meets
        "think",  # solve and learn: Quiet-STaR
        # verify: label noise, filters, random controls ("deal": its random rewards), what trains a learned verifier
        "verify", "reward", "keep", "deal", "scorer",
        "learn", "improve", "improve-", "batches", "sft", "pretrain",  # learn: the order of rows
        "profile", "compare", "held-out", "distance", "card", "temperature-",  # measure: samples of test problems
        "portrait-", "null",  # measure: a finished run beside its base; steps with nothing to learn
        "passes", "swap", "bootstrap",  # measure: pass@k at large k, cross-sampling, intervals over problems
    }
)  # fmt: skip


def generator(seed: int, iteration: int, purpose: str, part: object = "") -> "torch.Generator":
    """A CPU generator for one purpose of one iteration of one run; `part` tells apart draws for the same purpose.

    The purposes of this package are in PURPOSES, each once.
    """
    import torch  # 200 MB that who reads a log or a task does without

    digest = hashlib.sha256(f"{seed}/{iteration}/{purpose}{part}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
