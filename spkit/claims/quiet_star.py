"""Claims about Quiet-STaR on chains, one character in ten of which needs three steps of working out (notebook 04).

All runs take 200 steps of 8 texts of 31 characters, so controls see the same texts. A step that thinks computes as many
tokens as 18 steps that do not, at most, and `none-tokens` takes those. Two bases of the same recipe (`quiet`,
`quiet-seed1`), and one that never read a worked-out chain (`quiet-unskilled`).
"""

from dataclasses import replace

from ..loops.quiet_star import QuietStarConfig, quiet_star
from .base import Experiment, claim
from .readings import final, gain
from .sources import OURS, PAUSE, QUIET_STAR
from .stored import curves
from .terms import Number

THINKS = QuietStarConfig(iterations=4, steps=50, test_texts=100)
CONTROLS = {
    "none": replace(THINKS, thoughts="none"),
    "none-tokens": replace(THINKS, thoughts="none", steps=18 * THINKS.steps),
    "pause": replace(THINKS, thoughts="pause"),
    "shuffled": replace(THINKS, thoughts="shuffled"),
    "base": replace(THINKS, thoughts="base"),
    "head": replace(THINKS, learn="head"),
    "likelihood": replace(THINKS, policy_weight=0.0),
    "clamp": replace(THINKS, positive=True),
}

ANSWER_NLL = Number("nll_sampled.answer", "NLL of answers after a sampled thought (nats)")
ANSWER_NLL_ALONE = Number("nll.answer", "NLL of answers without a thought (nats)")
ANSWERED = Number("right_greedy.answer", "accuracy of answers after a greedy thought")
ANSWERED_ALONE = Number("right.answer", "accuracy of answers without a thought")
SIGN_NLL = Number("nll_sampled.sign", "NLL of signs after a sampled thought (nats)")
SIGN_NLL_ALONE = Number("nll.sign", "NLL of signs without a thought (nats)")
RIGHT_STEPS = Number("steps_sampled", "share of sampled thoughts before answers that are the right steps")
ANSWER_WEIGHT = Number("weight.answer", "weight of the thought at answers")
SIGN_WEIGHT = Number("weight.sign", "weight of the thought at signs")


def on_chains(config: QuietStarConfig, model: str = "quiet") -> Experiment:
    """An experiment on one of the bases."""
    return Experiment(quiet_star, config, "chains", 60, model=model)


QUIET_EXPERIMENTS = {
    "quiet": on_chains(THINKS),
    **{f"quiet-{name}": on_chains(config) for name, config in CONTROLS.items()},
    "quiet-second": on_chains(THINKS, "quiet-seed1"),
    "quiet-second-none": on_chains(CONTROLS["none"], "quiet-seed1"),
    "quiet-second-shuffled": on_chains(CONTROLS["shuffled"], "quiet-seed1"),
    "quiet-unskilled": on_chains(THINKS, "quiet-unskilled"),
}
CHAIN_CURVES = curves("accuracy", "nll_sampled.answer", "nll.answer", "steps_sampled", "weight.answer")


def lower(control: str, words: str, source: str, alone: bool = False, run: str = "quiet") -> tuple:
    """The claim that answers are likelier than in a control, by more than a nat."""
    number = ANSWER_NLL_ALONE if alone else ANSWER_NLL
    statement = f"Thoughts make answers likelier than {words}, by more than a nat"
    return claim(control, statement, source, final(control, number) - final(run, ANSWER_NLL) > 1, CHAIN_CURVES)


QUIET_CLAIMS = (
    claim(
        "quiet-accuracy",
        "Quiet-STaR lifts the accuracy of direct answers over as many steps on the same texts without thoughts by more "
        "than 50 points",
        QUIET_STAR,
        final("quiet", ANSWERED) - final("quiet-none", ANSWERED_ALONE) > 0.5,
        CHAIN_CURVES,
    ),
    lower("quiet-none", "as many steps on the same texts without thoughts", QUIET_STAR, alone=True),
    lower("quiet-none-tokens", "as many tokens of text without thoughts (18 times the steps)", QUIET_STAR, alone=True),
    lower("quiet-pause", "learned pause tokens", PAUSE),
    lower("quiet-shuffled", "thoughts shuffled between places", OURS),
    lower("quiet-head", "training the mixing head alone", OURS),
    lower("quiet-base", "thoughts of the frozen base", OURS),
    lower("quiet-likelihood", "training without REINFORCE", OURS),
    claim(
        "quiet-clamp",
        "Thoughts teach more when those worse than their siblings count too than with the paper's clamp: answers are "
        "likelier",
        OURS,
        final("quiet-clamp", ANSWER_NLL) - final("quiet", ANSWER_NLL) > 0,
        CHAIN_CURVES,
    ),
    claim(
        "quiet-steps",
        "The share of thoughts before answers that are the right steps rises by more than 50 points, and nothing says "
        "what a step is",
        OURS,
        gain("quiet", RIGHT_STEPS) > 0.5,
        CHAIN_CURVES,
    ),
    claim(
        "quiet-weight",
        "The mixing head weighs thoughts more at answers than at signs, which no thought can predict, by more than 0.2",
        QUIET_STAR,
        final("quiet", ANSWER_WEIGHT) - final("quiet", SIGN_WEIGHT) > 0.2,
        CHAIN_CURVES,
    ),
    claim(
        "quiet-easy",
        "Tokens that need no thought stay as likely, within 0.03 nats",
        QUIET_STAR,
        final("quiet", SIGN_NLL) - final("quiet-none", SIGN_NLL_ALONE) < 0.03,
        CHAIN_CURVES,
    ),
    claim(
        "quiet-hidden",
        "The trained model without its thoughts stays near chance (10 %): it has learned to write the steps and no "
        "shortcut past them",
        OURS,
        final("quiet", ANSWERED_ALONE) < 0.2,
        CHAIN_CURVES,
    ),
    claim(
        "quiet-unskilled",
        "A base that never read a worked-out chain learns nothing: its accuracy stays below 20 %",
        OURS,
        final("quiet-unskilled", ANSWERED) < 0.2,
        CHAIN_CURVES,
    ),
    claim(
        "quiet-second",
        "On a second base too, thoughts lift the accuracy of direct answers by more than 50 points",
        OURS,
        final("quiet-second", ANSWERED) - final("quiet-second-none", ANSWERED_ALONE) > 0.5,
        CHAIN_CURVES,
    ),
    lower("quiet-second-shuffled", "thoughts shuffled between places, on a second base", OURS, run="quiet-second"),
)
