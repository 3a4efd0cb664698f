"""Which columns of a log are rewards: decided by name, type and range, never because a column holds numbers."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .values import as_number

STRONG = {"reward", "rewards", "score", "scores", "func", "fn"}  # words of a name that say: a reward
WEAK = set("accuracy acc correct correctness format formatting penalty bonus quality match judge".split())
STATISTIC = set(  # words of a name that say: about rewards, but none
    "std mean var variance min max median baseline weight weights count num id idx index threshold advantage "
    "advantages version model name time seconds logprob logprobs".split()
)
OTHER = STATISTIC | set(  # words of a name that say: something else
    "n length len size tokens token chars words turns calls epoch step steps seed iteration rank worker kl entropy "
    "logp logps lr rate loss grad norm temperature difficulty level depth clip ratio mask ids truncated finished "
    "timestamp cost ppl perplexity gpu memory value values return returns prob probability uid row sample".split()
)
RANGE = 100.0  # largest size of a value in a column whose name does not say that it is a reward
NAMED_RANGE = 10_000.0  # and in one whose name does


@dataclass(frozen=True)
class RewardChoice:
    """The columns chosen, those left out that hold numbers too, and why it is these."""

    chosen: tuple[str, ...]
    left: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()  # none was chosen, since any of these might be it


def words_of(name: str) -> set[str]:
    """The words of a column's name: `accuracy_reward_func`, `AccuracyReward`, `reward/accuracy` have two or three."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return set(re.findall(r"[a-z]+", spaced.lower()))


def chosen_rewards(columns: Sequence[tuple[str, Sequence[Any]]]) -> RewardChoice:
    """The rewards among columns with some of their values.

    A column named `reward` is the sum and stands alone. Else those with a word of STRONG in their name, else those
    with one of WEAK, else a column alone that is between the ends of RANGE; more than one of the latter is no choice.
    """
    numeric = [(name, found) for name, values in columns if (found := _numbers(name, values)) is not None]
    names = [name for name, _ in numeric]
    if "reward" in names:
        return RewardChoice(("reward",), tuple(name for name in names if name != "reward"))
    ranks = {
        "strong": [name for name, found in numeric if _is_strong(name) and _within(found, NAMED_RANGE)],
        "weak": [name for name, found in numeric if _is_weak(name) and _within(found, RANGE)],
        "other": [name for name, found in numeric if found and not words_of(name) & OTHER and _within(found, RANGE)],
    }
    for rank, chosen in ranks.items():
        if rank == "other" and len(chosen) > 1:
            return RewardChoice((), unsure=tuple(chosen))
        if chosen:
            return RewardChoice(tuple(chosen), tuple(name for name in names if name not in chosen))
    return RewardChoice((), tuple(names))


def _is_strong(name: str) -> bool:
    return bool(words_of(name) & STRONG) and not words_of(name) & STATISTIC


def _is_weak(name: str) -> bool:
    return bool(words_of(name) & WEAK) and not words_of(name) & OTHER


def _within(found: Sequence[float], size: float) -> bool:
    return all(abs(value) <= size for value in found)


def _numbers(name: str, values: Sequence[Any]) -> list[float] | None:
    """The finite numbers of a column; None if it holds anything else. Truth values are numbers only under a name that
    says reward, and nulls alone only under such a name, too.
    """
    found, named = [], _is_strong(name)
    for value in values:
        if value is None or (isinstance(value, float) and math.isnan(value)):
            continue
        if isinstance(value, bool) and not named:
            return None
        if isinstance(value, str) and value.strip().lower() in ("true", "false", "yes", "no"):
            return None
        number = as_number(value) if isinstance(value, (int, float, str)) else math.nan
        if number is not None and math.isnan(number):
            return None
        if number is not None and math.isfinite(number):
            found.append(number)
    return found if found or named else None
