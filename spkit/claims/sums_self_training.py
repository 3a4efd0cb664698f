"""What the papers say of self-training with a filter, measured on order-free sums (notebook 02).

The runs of a seed share their problems; each differs from `em` or from `gold` in one setting. `em-random` and `unseen`
are controls of equal size: as many samples as the answer check leaves, drawn without looking.
"""

from dataclasses import replace
from typing import Any

from ..loops.rest import RestConfig, rest
from ..loops.rest_em import RestEmConfig, rest_em
from ..loops.rft import RftConfig, rft
from ..stages.verify import Filter
from .base import Experiment, claim
from .readings import at, base, final, gain
from .sources import B_STAR, OURS, REST_EM, RFT, SELF_CONSISTENCY, SELF_IMPROVE, STAR
from .stored import Last, Rows, curves
from .sweeps import TemperatureConfig, temperatures
from .terms import Number

EM = RestEmConfig()
BLIND = replace(EM, validation_problems=0)  # no validation either, as it would need the gold answers
EM_LONG = replace(EM, iterations=6)
# without real data, as right solutions by careful writers would do the work of the filter
MANY_SAMPLES = RestConfig(iterations=3, real=0, sft=replace(RestConfig().sft, steps=30))
FEW_SAMPLES = replace(MANY_SAMPLES, problems=25, k=2)
ALWAYS_STRICT = {"thresholds": (0.9,) * 3, "threshold_rule": "fixed"}
ALWAYS_LENIENT = {"thresholds": (0.0,) * 3, "threshold_rule": "fixed"}
BETTER_HALF = {"thresholds": (0.5,) * 3, "threshold_rule": "quantile"}  # the better half of the samples

HINTED = Number("hinted_accuracy", "accuracy with a hint")
TRAIN = Number("train_accuracy", "accuracy on the training problems")
PATHS = Number("distinct_correct", "distinct correct paths among 16 samples")
KEPT_SHORT = Number(
    "kept_by_difficulty", "share of sums of 2 and 3 terms among the kept", levels=("2", "3"), total=True, missing=0.0
)
FIVE_AND_SIX = Number("accuracy_by_difficulty", "accuracy on 5 and 6 terms", levels=("5", "6"))
SHARE_WRONG_STEPS = Number("wrong_steps_rate", "share of wrong steps among the correct")
PASS = {k: Number(f"pass_at_k.{k}", f"pass@{k}") for k in ("1", "2", "4", "8", "16")}
ENTROPY = Number("entropy", "token entropy (nats)")
MAJORITY = Number("maj_at_k.16", "maj@16")


def sums(loop: Any, config: Any, seconds: int) -> Experiment:
    """An experiment on order-free sums."""
    return Experiment(loop, config, "sums", seconds)


SUMS_EXPERIMENTS = {
    "em": sums(rest_em, replace(EM, test_samples=16, extrapolate=True), 50),
    "em-random": sums(rest_em, replace(EM, filter=Filter("random", cap=4)), 28),
    "em-last": sums(rest_em, replace(EM, restart="last", extrapolate=True), 30),
    "em-once": sums(rest_em, replace(EM, iterations=1, k=EM.k * EM.iterations), 12),
    "em-all": sums(rest_em, replace(EM, filter=Filter(unique=False)), 25),
    "em-few": sums(rest_em, replace(BLIND, problems=50, k=16, measure_train=True), 25),
    "em-many": sums(rest_em, replace(BLIND, problems=800, k=1, measure_train=True, temperature=0.7), 25),
    "gold": sums(rest_em, BLIND, 25),
    "steps": sums(rest_em, replace(BLIND, filter=Filter("steps", cap=4)), 25),
    "noisy": sums(rest_em, replace(BLIND, filter=Filter("noisy", flip_rate=0.2, cap=4)), 25),
    "majority": sums(rest_em, replace(BLIND, filter=Filter("majority", cap=4)), 25),
    "none": sums(rest_em, replace(BLIND, filter=Filter("none", cap=4)), 25),
    "unseen": sums(rest_em, replace(BLIND, filter=Filter("random", cap=4)), 25),
    "rft": sums(rft, RftConfig(), 10),
    "rft-one-path": sums(rft, replace(RftConfig(), filter=Filter("steps", cap=1)), 10),
    "rft-one-sample": sums(rft, replace(RftConfig(), k=1), 6),
    "rft-tiny": sums(rft, RftConfig(problems=20, k=4, sft=replace(RftConfig().sft, steps=2)), 2),
    "rest-graded": sums(rest, RestConfig(), 30),
    "rest-correct": sums(rest, RestConfig(reward="correct"), 30),
    "em-long": sums(rest_em, EM_LONG, 50),
    "em-long-once": sums(rest_em, replace(EM_LONG, iterations=1, k=EM_LONG.k * EM_LONG.iterations), 20),
    "rest-rising": sums(rest, MANY_SAMPLES, 20),
    "rest-strict": sums(rest, replace(MANY_SAMPLES, **ALWAYS_STRICT), 20),
    "rest-lenient": sums(rest, replace(MANY_SAMPLES, **ALWAYS_LENIENT), 20),
    "rest-adaptive": sums(rest, replace(MANY_SAMPLES, **BETTER_HALF), 20),
    "rest-few-rising": sums(rest, FEW_SAMPLES, 10),
    "rest-few-strict": sums(rest, replace(FEW_SAMPLES, **ALWAYS_STRICT), 10),
    "rest-few-lenient": sums(rest, replace(FEW_SAMPLES, **ALWAYS_LENIENT), 10),
    "rest-few-adaptive": sums(rest, replace(FEW_SAMPLES, **BETTER_HALF), 10),
    "temperatures": sums(temperatures, TemperatureConfig(), 5),
}

SELECTION_CLAIMS = (
    claim(
        "em-selection",
        "ReST^EM: selecting by the answer beats as many samples drawn at random",
        OURS,
        final("em", "accuracy") - final("em-random", "accuracy") > 0,
        curves("accuracy"),
    ),
    claim(
        "verify-random",
        "The same without a validation set that stops training in time",
        OURS,
        final("gold", "accuracy") - final("unseen", "accuracy") > 0,
        curves("accuracy"),
    ),
    claim(
        "em-iterations",
        "ReST^EM: three iterations beat one with as many samples",
        f"{REST_EM}, sec. 5",
        final("em", "accuracy") - final("em-once", "accuracy") > 0,
        curves("accuracy"),
    ),
    claim(
        "em-restart",
        "ReST^EM: restarting from the base keeps a format that training does not touch better than going on from the "
        "last policy",
        f"{REST_EM}, fig. 7",
        final("em", HINTED) - final("em-last", HINTED) > 0,
        curves("hinted_accuracy"),
    ),
    claim(
        "em-gap",
        "ReST^EM: with few problems the policy memorizes them",
        f"{REST_EM}, fig. 4",
        (final("em-few", TRAIN) - final("em-few", "accuracy"))
        - (final("em-many", TRAIN) - final("em-many", "accuracy"))
        > 0,
        {"gaps": {run: final(run, TRAIN) - final(run, "accuracy") for run in ("em-few", "em-many")}},
        curves("accuracy", "train_accuracy"),
    ),
    claim(
        "em-pass",
        "ReST^EM raises pass@1 more than pass@16",
        f"{REST_EM}, sec. 5",
        gain("em", PASS["1"]) - gain("em", PASS["16"]) > 0,
        {"gains": {k: gain("em", number) for k, number in PASS.items()}},
        curves("pass_at_k"),
    ),
    claim(
        "em-paths",
        "ReST^EM: fewer distinct correct paths among 16 samples of a problem",
        B_STAR,
        base("em", PATHS) - final("em", PATHS) > 0,
        curves("distinct_correct"),
    ),
    claim(
        "em-entropy",
        "ReST^EM: the policy's token entropy falls",
        B_STAR,
        base("em", ENTROPY) - final("em", ENTROPY) > 0,
        curves("entropy"),
    ),
    claim(
        "em-cap-share",
        "Without cap and de-duplication short sums fill the training set of the first iteration",
        REST_EM,
        at("em-all", KEPT_SHORT, iteration=1) - at("em", KEPT_SHORT, iteration=1) > 0,
        {run: at(run, KEPT_SHORT, iteration=1) for run in ("em-all", "em")},
    ),
    claim(
        "em-cap-long",
        "Cap and de-duplication improve long sums",
        REST_EM,
        final("em", FIVE_AND_SIX) - final("em-all", FIVE_AND_SIX) > 0,
        {run: final(run, FIVE_AND_SIX) for run in ("em", "em-all")},
    ),
    claim(
        "rft-paths",
        "RFT: all distinct paths of a problem beat one of them",
        f"{RFT}, sec. 3.3",
        final("rft", "accuracy") - final("rft-one-path", "accuracy") > 0,
        curves("accuracy"),
    ),
    claim(
        "rft-samples",
        "RFT: 16 samples of a problem beat one",
        f"{RFT}, fig. 3",
        final("rft", "accuracy") - final("rft-one-sample", "accuracy") > 0,
        curves("accuracy"),
    ),
    claim(
        "rft-tiny",
        "20 problems and 2 updates give more than half of what 400 problems and 100 updates give: most of the gain is "
        "elicited, not learned",
        OURS,
        gain("rft-tiny", "accuracy") / gain("rft", "accuracy") > 0.5,
        {"kept": {run: Last(run, "kept") for run in ("rft-tiny", "rft")}},
        curves("accuracy"),
    ),
    claim(
        "rest-graded",
        "ReST: a graded reward with rising thresholds beats a 0/1 reward",
        OURS,
        final("rest-graded", "accuracy") - final("rest-correct", "accuracy") > 0,
        curves("accuracy"),
    ),
)

VERIFIER_CLAIMS = (
    claim(
        "steps-temperature",
        "Samples at a higher temperature reach correct answers through wrong steps more often",
        f"{STAR}, sec. 5",
        at("temperatures", SHARE_WRONG_STEPS, temperature=1.3) - at("temperatures", SHARE_WRONG_STEPS, temperature=0.4)
        > 0,
        {"rows": Rows("temperatures", {key: key for key in ("temperature", "accuracy", "wrong_steps_rate")})},
    ),
    claim(
        "verify-steps",
        "A check of every step beats a check of the answer",
        OURS,
        final("steps", "accuracy") - final("gold", "accuracy") > 0,
        curves("accuracy"),
    ),
    claim(
        "verify-noisy",
        "A verifier that is wrong one time in five costs accuracy",
        OURS,
        final("gold", "accuracy") - final("noisy", "accuracy") > 0,
        curves("accuracy"),
    ),
    claim(
        "verify-majority",
        "Majority-vote labels beat no filter",
        SELF_IMPROVE,
        final("majority", "accuracy") - final("none", "accuracy") > 0,
        curves("accuracy"),
    ),
    claim(
        "verify-gold",
        "Gold answers beat majority-vote labels",
        OURS,
        final("gold", "accuracy") - final("majority", "accuracy") > 0,
        curves("accuracy"),
    ),
    claim(
        "verify-none",
        "Without a filter, self-training loses accuracy",
        OURS,
        base("none", "accuracy") - final("none", "accuracy") > 0,
        curves("accuracy"),
    ),
    claim(
        "vote",
        "After ReST^EM a vote of 16 samples still beats greedy decoding",
        SELF_CONSISTENCY,
        final("em", MAJORITY) - final("em", "accuracy") > 0,
        curves("accuracy", "maj_at_k"),
    ),
)

MANY_RUNS = tuple(f"rest-{rule}" for rule in ("rising", "strict", "lenient", "adaptive"))
FEW_RUNS = tuple(f"rest-few-{rule}" for rule in ("rising", "strict", "lenient", "adaptive"))

THRESHOLD_CLAIMS = (
    claim(
        "rest-lenient",
        "ReST: a threshold that keeps all but the worst samples costs accuracy against a strict one",
        OURS,
        final("rest-strict", "accuracy") - final("rest-lenient", "accuracy") > 0,
        curves("accuracy", "kept", "kept_wrong_rate", also=MANY_RUNS),
    ),
    claim(
        "rest-rising",
        "ReST: thresholds that rise beat one that is strict from the start",
        "ReST, arXiv:2308.08998, sec. 3",
        final("rest-rising", "accuracy") - final("rest-strict", "accuracy") > 0,
        curves("accuracy"),
    ),
    claim(
        "rest-adaptive",
        "ReST: a threshold that follows the samples, the better half of them, beats one that is strict from the start",
        OURS,
        final("rest-adaptive", "accuracy") - final("rest-strict", "accuracy") > 0,
        curves("accuracy"),
    ),
    claim(
        "rest-starved",
        "ReST with 50 samples a Grow step: a strict threshold starves the loop, and a lenient one ends higher",
        OURS,
        final("rest-few-lenient", "accuracy") - final("rest-few-strict", "accuracy") > 0,
        curves("accuracy", "kept", "kept_wrong_rate", also=FEW_RUNS),
    ),
    claim(
        "rest-starved-adaptive",
        "ReST with 50 samples a Grow step: a threshold that follows the samples beats a strict one",
        OURS,
        final("rest-few-adaptive", "accuracy") - final("rest-few-strict", "accuracy") > 0,
        curves("accuracy"),
    ),
    claim(
        "rest-samples",
        "ReST with a strict threshold: 3,200 samples a Grow step beat 50",
        OURS,
        final("rest-strict", "accuracy") - final("rest-few-strict", "accuracy") > 0,
        curves("accuracy"),
    ),
)

LONGER_CLAIMS = (
    claim(
        "em-first",
        "ReST^EM: the first iteration gains more than the next five together",
        OURS,
        (at("em-long", "accuracy", iteration=1) - base("em-long", "accuracy"))
        - (final("em-long", "accuracy") - at("em-long", "accuracy", iteration=1))
        > 0,
        curves("accuracy"),
    ),
    claim(
        "em-late",
        "ReST^EM: iterations 4 to 6 together add less than 3 points",
        OURS,
        final("em-long", "accuracy") - at("em-long", "accuracy", iteration=3) < 0.03,
        curves("accuracy", "kept", "sampled_tokens"),
    ),
    claim(
        "em-long",
        "ReST^EM: six iterations beat one with as many samples",
        f"{REST_EM}, sec. 5",
        final("em-long", "accuracy") - final("em-long-once", "accuracy") > 0,
        curves("accuracy"),
    ),
)

SUMS_CLAIMS = SELECTION_CLAIMS + LONGER_CLAIMS + THRESHOLD_CLAIMS + VERIFIER_CLAIMS
