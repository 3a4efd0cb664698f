"""Which reward a proposer should have: all of `spkit.maths.proposer_rewards`, on expressions (notebook 05).

Every reward has a run of 40 iterations that differs from `az` (notebook 01) in it alone; `az-constant`, in which all
valid problems are alike, is the control of all.
"""

from typing import Any

from .base import Claim, claim
from .expressions_self_play import DEEP, DEPTH, course, expressions
from .readings import at, late, rise
from .sources import OURS, R_ZERO, UNDERSTANDING
from .stored import Curve, EachRun
from .terms import Number, largest, least

REWARD_RUNS = {  # by the name of the reward; those of notebook 01 too
    "1-r": "az",
    "1-2|r-1/2|": "az-half",
    "min(r,1-r)-dup": "az-duplicates",
    "0<r<1": "az-useful",
    "variance": "az-variance",
    "hardness": "az-hard",
    "constant": "az-constant",
}
REWARD_EXPERIMENTS = {
    run: expressions(40, 40, {"proposer.reward": reward})
    for reward, run in REWARD_RUNS.items()
    if run in ("az-duplicates", "az-useful", "az-variance", "az-hard")
}
DISTINCT = Number("distinct_programs", "share of distinct programs")


def reward_course(run: str) -> dict[str, Any]:
    """What is stored of a run with some proposer reward: `course`, and how many programs are distinct."""
    return {**course(run), "distinct": Curve(run, DISTINCT), "duplicates": Curve(run, "duplicates")}


REWARD_COURSES = EachRun(reward_course)
by_reward = lambda number: [at(run, number, iteration=40) for run in REWARD_RUNS.values()]


def of_reward(reward: str, run: str) -> tuple[Claim, Claim]:
    """Accuracy and proposed depth of a proposer reward against the constant one."""
    return (
        claim(
            f"reward-{run[3:]}",
            f"The proposer reward {reward} lifts the solver more than the same reward for every valid problem",
            OURS,
            at(run, DEEP["pass@1"], iteration=40) - at("az-constant", DEEP["pass@1"], iteration=40) > 0,
            REWARD_COURSES,
        ),
        claim(
            f"reward-{run[3:]}-depth",
            f"With the proposer reward {reward} proposals become deeper than with the constant one",
            OURS,
            rise(run, DEPTH, until=40) - rise("az-constant", DEPTH, until=40) > 0,
            REWARD_COURSES,
        ),
    )


REWARD_CLAIMS = (
    *(one for reward, run in REWARD_RUNS.items() if run not in ("az", "az-constant") for one in of_reward(reward, run)),
    claim(
        "reward-spread",
        "The best and the worst of seven proposer rewards are less than 5 points of pass@1 apart",
        UNDERSTANDING,
        largest(*by_reward(DEEP["pass@1"])) - least(*by_reward(DEEP["pass@1"])) < 0.05,
        REWARD_COURSES,
    ),
    claim(
        "reward-duplicates-distinct",
        "A penalty for duplicates makes proposals more diverse than the constant reward",
        R_ZERO,
        late("az-duplicates", DISTINCT) - late("az-constant", DISTINCT) > 0,
        REWARD_COURSES,
    ),
)
