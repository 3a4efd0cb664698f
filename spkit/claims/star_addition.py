"""What the STaR paper says of n-digit addition (section 4.3), measured on the shipped base (notebook 02).

All claims read the same five runs of a seed: STaR, without rationalization, with rationales selected at random, with
direct answers, and from a base that never saw more than 2 digits. The settings are the demo's.
"""

from dataclasses import replace
from typing import Any

from ..loops.star import StarConfig, star
from .base import Experiment, claim
from .readings import at, base, final, first_above, gain, passing
from .sources import OURS, STAR
from .stored import Curve, FirstAbove, Last
from .terms import Number

DEMO = StarConfig(iterations=6)
THREE_TO_FIVE = Number("accuracy_by_difficulty", "accuracy on 3, 4 and 5 digits", levels=("3", "4", "5"))
HALF = 0.5
KEPT_WRONG_STEPS = Number("kept_wrong_steps_rate", "share of kept rationales with a wrong step", missing=0.0)

STAR_EXPERIMENTS = {
    "star": Experiment(star, replace(DEMO, extrapolate=True), "addition", 75),
    "star-no-hint": Experiment(star, replace(DEMO, rationalize=False), "addition", 50),
    # as many rationales, drawn without looking
    "star-random": Experiment(star, replace(DEMO, select="random"), "addition", 75),
    # gold answers alone, with every step used so far
    "star-direct": Experiment(star, replace(DEMO, direct=True), "addition", 65),
    "star-below-chance": Experiment(star, DEMO, "addition", 45, model="addition-2digits"),
}


def summary(run: str) -> dict[str, Any]:
    """What is stored of a run."""
    return {
        "accuracy": Curve(run, "accuracy"),
        "final_by_difficulty": Last(run, "accuracy_by_difficulty"),
        "first_above_half": FirstAbove(run, "accuracy_by_difficulty", HALF),
        "extrapolation": Last(run, "extrapolation"),
        "rationalized": Curve(run, Number("rationalized", missing=0)),
        "kept_wrong_steps_rate": Curve(run, "kept_wrong_steps_rate", exact=True),
    }


STAR_CLAIMS = (
    claim(
        "star-grows",
        "STaR with rationalization teaches the shipped base 1- to 5-digit sums",
        f"{STAR}, sec. 4.3",
        final("star", "accuracy") > 0.85,
        {"base": base("star", "accuracy"), "star": summary("star")},
    ),
    claim(
        "star-rationalization",
        "Rationalization ends higher than STaR without it",
        f"{STAR}, sec. 4.3",
        final("star", "accuracy") - final("star-no-hint", "accuracy") > 0,
        {"star": summary("star"), "other": summary("star-no-hint")},
    ),
    claim(
        "star-earlier",
        "With rationalization long sums come earlier, several lengths at once",
        f"{STAR}, sec. 4.3",
        first_above("star-no-hint", THREE_TO_FIVE, HALF) - first_above("star", THREE_TO_FIVE, HALF) > 0,
        {
            "with": FirstAbove("star", "accuracy_by_difficulty", HALF),
            "without": FirstAbove("star-no-hint", "accuracy_by_difficulty", HALF),
        },
    ),
    claim(
        "star-stages",
        "Without rationalization growth is stage-wise: one length leads to the next",
        f"{STAR}, sec. 4.3",
        passing("star-no-hint", THREE_TO_FIVE, HALF) > 1,
        {"without": summary("star-no-hint")},
    ),
    claim(
        "star-direct",
        "Learning from rationales beats learning from the bare gold answers of the same problems",
        f"{STAR}, sec. 4.3",
        final("star", "accuracy") - final("star-direct", "accuracy") > 0,
        {"star": summary("star"), "other": summary("star-direct")},
    ),
    claim(
        "star-selection",
        "Selecting by the answer beats as many rationales drawn at random",
        OURS,
        final("star", "accuracy") - final("star-random", "accuracy") > 0,
        {"star": summary("star"), "other": summary("star-random")},
    ),
    claim(
        "star-base",
        "A base below chance on long sums stays there, within 2 points",
        f"{STAR}, sec. 6",
        gain("star-below-chance", THREE_TO_FIVE) < 0.02,
        {"below_chance": summary("star-below-chance")},
    ),
    claim(
        "star-wrong-steps",
        "Rationalization lets more wrong steps through in the first iteration",
        f"{STAR}, app. A.6",
        at("star", KEPT_WRONG_STEPS, iteration=1) - at("star-no-hint", KEPT_WRONG_STEPS, iteration=1) > 0,
        {
            "with": at("star", KEPT_WRONG_STEPS, iteration=1),
            "without": at("star-no-hint", KEPT_WRONG_STEPS, iteration=1),
        },
    ),
)
