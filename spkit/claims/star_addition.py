"""What the STaR paper says of n-digit addition (arXiv:2203.14465, section 4.3), measured on the shipped base.

All claims read the same five runs of a seed: with rationalization, without, with rationales selected at random, with direct answers,
and from a base that never saw more than 2 digits. The settings are the demo's.
"""

from dataclasses import replace
from typing import Any

from ..loops.star import StarConfig
from .base import Claim, Lab

FULL = StarConfig(iterations=6)
PAPER = "STaR, sec. 4.3"
LONG = ("3", "4", "5")


def with_rationalization(seed: int, lab: Lab) -> list[dict[str, Any]]:
    """The run all others are compared with."""
    return lab.star("with", replace(FULL, seed=seed, extrapolate=True))


def without_rationalization(seed: int, lab: Lab) -> list[dict[str, Any]]:
    """The same, without hints."""
    return lab.star("without", replace(FULL, seed=seed, rationalize=False))


def random_selection(seed: int, lab: Lab) -> list[dict[str, Any]]:
    """The same amount of training data, drawn without looking at the answers."""
    return lab.star("random", replace(FULL, seed=seed, select="random"))


def direct_answers(seed: int, lab: Lab) -> list[dict[str, Any]]:
    """Gold answers without a scratchpad: every problem seen so far, every step used so far."""
    return lab.star("direct", replace(FULL, seed=seed, direct=True))


def below_chance(seed: int, lab: Lab) -> list[dict[str, Any]]:
    """From the base that never saw a sum of more than 2 digits."""
    return lab.star("below-chance", replace(FULL, seed=seed), model="addition-2digits")


def first_above_half(records: list[dict[str, Any]]) -> dict[str, int | None]:
    """For each length, the first iteration with a test accuracy above 50 %, None if there is none."""
    lengths = records[0]["accuracy_by_difficulty"]
    return {n: next((r["iteration"] for r in records if r["accuracy_by_difficulty"][n] > 0.5), None) for n in lengths}


def summary(records: list[dict[str, Any]]) -> dict[str, Any]:
    """What every claim stores of a run."""
    return {
        "accuracy": [round(record["accuracy"], 4) for record in records],
        "final_by_difficulty": {n: round(share, 4) for n, share in records[-1]["accuracy_by_difficulty"].items()},
        "first_above_half": first_above_half(records),
        "extrapolation": records[-1].get("extrapolation"),
        "rationalized": [record.get("rationalized", 0) for record in records],
        "kept_wrong_steps_rate": [record.get("kept_wrong_steps_rate") for record in records],
    }


def final(records: list[dict[str, Any]]) -> float:
    """Overall accuracy after the last iteration."""
    return records[-1]["accuracy"]


def compare(seed: int, lab: Lab, other) -> dict[str, Any]:
    """Final accuracy with rationalization minus that of another run of the same seed."""
    ours, theirs = with_rationalization(seed, lab), other(seed, lab)
    return {"effect": final(ours) - final(theirs), "star": summary(ours), "other": summary(theirs)}


def grows(seed: int, lab: Lab) -> dict[str, Any]:
    """Final accuracy with rationalization."""
    records = with_rationalization(seed, lab)
    return {"effect": final(records), "base": records[0]["accuracy"], "star": summary(records)}


def earlier(seed: int, lab: Lab) -> dict[str, Any]:
    """Mean over 3, 4 and 5 digits of how many iterations earlier a length passes 50 % with rationalization; never counts as one past the end."""
    never = FULL.iterations + 1
    firsts = [first_above_half(runs(seed, lab)) for runs in (with_rationalization, without_rationalization)]
    gains = [(without[n] or never) - (hinted[n] or never) for hinted, without in [firsts] for n in LONG]
    return {"effect": sum(gains) / len(gains), "with": firsts[0], "without": firsts[1]}


def stages(seed: int, lab: Lab) -> dict[str, Any]:
    """How many of the lengths 3, 4 and 5 pass 50 % without rationalization, minus 1: above 0 means that one length led to the next."""
    records = without_rationalization(seed, lab)
    first = first_above_half(records)
    return {"effect": sum(first[n] is not None and first[n] > 0 for n in LONG) - 1.0, "without": summary(records)}


def flat(seed: int, lab: Lab) -> dict[str, Any]:
    """0.02 minus the gain of the below-chance base on 3 to 5 digits: above 0 means that it stayed within 2 points."""
    records = below_chance(seed, lab)
    gains = [records[-1]["accuracy_by_difficulty"][n] - records[0]["accuracy_by_difficulty"][n] for n in LONG]
    return {"effect": 0.02 - sum(gains) / len(gains), "below_chance": summary(records)}


def wrong_steps(seed: int, lab: Lab) -> dict[str, Any]:
    """Share of kept rationales with a wrong step in the first iteration, with rationalization minus without."""
    rates = [runs(seed, lab)[1]["kept_wrong_steps_rate"] or 0.0 for runs in (with_rationalization, without_rationalization)]
    return {"effect": rates[0] - rates[1], "with": rates[0], "without": rates[1]}


CLAIMS = (
    Claim("star-grows", "STaR with rationalization teaches the shipped base 1- to 5-digit sums", PAPER, "final accuracy > 0.85", 0.85, grows),
    Claim(
        "star-rationalization", "Rationalization ends higher than STaR without it", PAPER, "final accuracy, with minus without > 0", 0.0,
        lambda seed, lab: compare(seed, lab, without_rationalization),
    ),
    Claim("star-earlier", "With rationalization long sums come earlier, several lengths at once", PAPER, "iterations earlier, 3 to 5 digits > 0", 0.0, earlier),
    Claim("star-stages", "Without rationalization growth is stage-wise: one length leads to the next", PAPER, "lengths learned, minus 1 > 0", 0.0, stages),
    Claim(
        "star-direct", "Learning from rationales beats learning from the bare gold answers of the same problems", PAPER,
        "final accuracy, STaR minus direct > 0", 0.0, lambda seed, lab: compare(seed, lab, direct_answers),
    ),
    Claim(
        "star-selection", "Selecting by the answer beats as many rationales drawn at random", "our control",
        "final accuracy, selected minus random > 0", 0.0, lambda seed, lab: compare(seed, lab, random_selection),
    ),
    Claim("star-base", "A base below chance on long sums stays there", "STaR, sec. 6", "0.02 minus the gain on 3 to 5 digits > 0", 0.0, flat),
    Claim("star-wrong-steps", "Rationalization lets more wrong steps through", "STaR, app. A.6", "share of kept, with minus without > 0", 0.0, wrong_steps),
)  # fmt: skip
