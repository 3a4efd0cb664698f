"""What a proposer earns for a valid problem, by name; r is the mean score of the k attempts at it:

1-r             Absolute Zero (arXiv:2505.03335, eq. 4): 1 - r, and 0 where r is 0 or 1
1-2|r-1/2|      R-Zero (arXiv:2508.05004)
min(r,1-r)-dup  R-Zero as published code has it, less the share of the batch that is the same program
0<r<1           Self-Questioning (arXiv:2508.03682): 1 if the attempts do not all agree
variance        SPICE (arXiv:2510.24684): exp(-(r(1-r) - 1/4)^2 / 0.02)
hardness        1 - r everywhere: the more a problem fails the better, unsolvable ones best
constant        1: a control, every valid problem is as good as any other
"""

import math
from collections.abc import Callable
from typing import Literal

ProposerReward = Literal["1-r", "1-2|r-1/2|", "min(r,1-r)-dup", "0<r<1", "variance", "hardness", "constant"]
PROPOSER_REWARDS: dict[str, Callable[[float, float], float]] = {  # of r and the share of duplicates
    "1-r": lambda r, dup: float(0 < r < 1) * (1 - r),
    "1-2|r-1/2|": lambda r, dup: 1 - 2 * abs(r - 0.5),
    "min(r,1-r)-dup": lambda r, dup: min(r, 1 - r) - dup,
    "0<r<1": lambda r, dup: float(0 < r < 1),
    "variance": lambda r, dup: math.exp(-((r * (1 - r) - 0.25) ** 2) / 0.02),
    "hardness": lambda r, dup: 1 - r,
    "constant": lambda r, dup: 1.0,
}
UNCONDITIONAL = ("hardness", "constant")  # those that do not look at whether r is 0 or 1
AT_EXTREMES = -0.5  # the reward in Absolute Zero's published code where r is 0 or 1; its paper says 0


def proposer_reward(
    name: ProposerReward, r: float, duplicates: float = 0.0, extremes: Literal["paper", "code"] = "paper"
) -> float:
    """The reward of a valid proposal.

    `extremes="code"` gives AT_EXTREMES where r is 0 or 1, whatever the rule but the unconditional ones says.
    """
    if extremes == "code" and r in (0.0, 1.0) and name not in UNCONDITIONAL:
        return AT_EXTREMES
    return PROPOSER_REWARDS[name](r, duplicates)
