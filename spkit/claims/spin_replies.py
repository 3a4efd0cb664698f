"""Claims about SPIN on replies whose true distribution is known (notebook 03)."""

from dataclasses import replace
from typing import Any

from ..loops.rest_em import RestEmConfig, rest_em
from ..loops.spin import SpinConfig, spin
from .angles import REPLIES, AngleConfig, angles
from .base import Experiment, claim
from .readings import at, base
from .sources import DERIVED, OURS, SPIN, SPIN_CODE
from .stored import curves
from .terms import Number

COLD = SpinConfig(iterations=2)  # from the base
WARM = replace(COLD, sft_epochs=6)  # after SFT on the same references, as in the paper
TENTH = replace(COLD, beta=(0.1,))  # the paper's beta
SCARCE = replace(COLD, references=300, sft_epochs=20)  # SFT has learned what there is to learn

KL = Number("kl", "KL to the data")
RARE = Number("rare", "mass on rare replies")
AUC = Number("auc", "AUC on new replies")
TRAINING_ACCURACY = Number("learned.accuracy", "accuracy on its training pairs")
SHARE_CORRECT = Number("right", "share of correct totals")
SAMPLED = Number("sampled_accuracy", "sampled accuracy")
HELD_OUT = Number("held_out_displacement.real", "change in log-likelihood of held-out real replies (nats)")
COSINE = Number("cosine", "cosine to the gradient of SFT")


def replies(loop: Any, config: Any, seconds: int) -> Experiment:
    """An experiment on replies."""
    return Experiment(loop, config, "replies", seconds)


IMITATION_EXPERIMENTS = {
    "spin": replies(spin, replace(WARM, iterations=4), 75),
    "spin-sft": replies(spin, replace(WARM, iterations=4, kind="sft"), 60),
    "spin-chi2": replies(spin, replace(WARM, kind="chi2"), 40),
    "spin-swap": replies(spin, replace(WARM, real="self"), 45),
    "spin-greedy": replies(spin, replace(WARM, temperature=0.0), 40),
    "spin-cut": replies(spin, replace(WARM, cut=0.5), 40),
    "spin-ended": replies(spin, replace(WARM, cut=0.5, cut_ends=True), 40),
    "spin-preference": replies(spin, replace(WARM, preference=0.1), 45),
    "spin-dpo": replies(spin, replace(WARM, kind="dpo", iterations=1), 25),
    "spin-wrong": replies(spin, replace(WARM, wrong=0.2), 40),
    "spin-half": replies(spin, replace(WARM, references=500, sft_epochs=12, epochs=4), 40),
    "spin-cold": replies(spin, COLD, 30),
    "spin-cold-sft": replies(spin, replace(COLD, kind="sft"), 25),
    "spin-tenth": replies(spin, TENTH, 30),
    "spin-tenth-gentle": replies(spin, replace(TENTH, learning_rate=(3e-5,)), 30),
    "spin-tenth-chi2": replies(spin, replace(TENTH, kind="chi2", tau=0.25), 30),
    "spin-scarce": replies(spin, SCARCE, 30),
    "spin-scarce-sft": replies(spin, replace(SCARCE, kind="sft"), 25),
    "spin-verified": replies(rest_em, RestEmConfig(iterations=1, test_samples=4, test_per_difficulty=30), 20),
    "spin-angles": replies(angles, AngleConfig(), 10),
}

SFT_CLAIMS = (
    claim(
        "spin-kl",
        "SPIN after SFT comes closer to the data in its first iteration",
        f"{SPIN}, sec. 5",
        base("spin", KL) - at("spin", KL, iteration=1) > 0,
        curves("kl", "valid", "rare", "auc", "entropy", "right", "rewards"),
    ),
    claim(
        "spin-fade",
        "Its gains shrink: the first iteration gains more than the last",
        f"{SPIN}, table 3",
        (base("spin", KL) - at("spin", KL, iteration=1)) - (at("spin", KL, iteration=3) - at("spin", KL, iteration=4))
        > 0,
    ),
    claim(
        "spin-first",
        "One iteration of SPIN beats as many steps of SFT, both after SFT",
        f"{SPIN}, fig. 3",
        at("spin-sft", KL, iteration=1) - at("spin", KL, iteration=1) > 0,
        curves("kl", "rare", "valid"),
    ),
    claim(
        "spin-last",
        "Four iterations of SPIN beat as many steps of SFT",
        f"{SPIN}, table 3",
        at("spin-sft", KL, iteration=4) - at("spin", KL, iteration=4) > 0,
    ),
    claim(
        "spin-rare",
        "It covers rare replies better than as many steps of SFT",
        OURS,
        at("spin", RARE, iteration=4) - at("spin-sft", RARE, iteration=4) > 0,
        curves("rare"),
    ),
    claim(
        "spin-auc",
        "Its discriminator has an ever harder task",
        f"{SPIN}, sec. 4",
        at("spin", AUC, iteration=1) - at("spin", AUC, iteration=4) > 0,
        curves("auc"),
    ),
    claim(
        "spin-cold",
        "From the base, without SFT first, SPIN beats as many steps of SFT",
        OURS,
        at("spin-cold-sft", KL, iteration=2) - at("spin-cold", KL, iteration=2) > 0,
        curves("kl", "rare"),
    ),
    claim(
        "spin-scarce",
        "Where SFT has nothing left to learn (300 references), SPIN still gains",
        f"{SPIN}, fig. 3",
        base("spin-scarce", KL) - at("spin-scarce", KL, iteration=2) > 0,
        curves("kl", "rare", also=("spin-scarce-sft",)),
    ),
    claim(
        "spin-memory",
        "There the discriminator has memorized its references: it does worse on new ones",
        OURS,
        at("spin-scarce", TRAINING_ACCURACY, iteration=1) - at("spin-scarce", AUC, iteration=1) > 0,
        curves("kl", "auc"),
    ),
)

LOSS_CLAIMS = (
    claim(
        "spin-tenth",
        "At beta 0.1, as in the paper, the same learning rate overshoots",
        f"{DERIVED}, sec. 5 of notebook 03",
        at("spin-tenth", KL, iteration=2) - at("spin-cold", KL, iteration=2) > 0,
        curves("kl"),
    ),
    claim(
        "spin-gentle",
        "At beta 0.1 a tenth of the learning rate rescues it",
        f"{DERIVED}, sec. 5 of notebook 03",
        at("spin-tenth", KL, iteration=2) - at("spin-tenth-gentle", KL, iteration=2) > 0,
        curves("kl"),
    ),
    claim(
        "spin-bounded",
        "At beta 0.1 a chi-square loss with the same first gradient does not overshoot so far",
        f"{DERIVED}, sec. 5 of notebook 03",
        at("spin-tenth", KL, iteration=2) - at("spin-tenth-chi2", KL, iteration=2) > 0,
        curves("kl"),
    ),
    claim(
        "spin-chi2",
        "At beta 1 the chi-square loss beats the logistic one",
        OURS,
        at("spin", KL, iteration=2) - at("spin-chi2", KL, iteration=2) > 0,
        curves("kl", "rare"),
    ),
    claim(
        "spin-displacement",
        "Likelihood displacement: at beta 0.1 new real replies become less likely while the margin grows",
        f"{SPIN_CODE}, issue 13",
        at("spin-tenth", HELD_OUT, iteration=2) < 0,
        curves("held_out_displacement"),
    ),
)

BREAKAGE_CLAIMS = (
    claim(
        "spin-swap",
        "The opponent's own replies in place of the references take the policy away from the data",
        OURS,
        at("spin-swap", KL, iteration=2) - base("spin-swap", KL) > 0,
        curves("kl", also=("spin",)),
    ),
    claim(
        "spin-greedy",
        "Greedy replies of the opponent do worse than sampled ones",
        f"{DERIVED}, sec. 7 of notebook 03",
        at("spin-greedy", KL, iteration=2) - at("spin", KL, iteration=2) > 0,
        curves("kl", "entropy"),
    ),
    claim(
        "spin-angle",
        "With greedy replies the first gradient is further from that of SFT",
        f"{DERIVED}, sec. 7 of notebook 03",
        at("spin-angles", COSINE, replies="sampled") - at("spin-angles", COSINE, replies="greedy") > 0,
        {"cosines": {kind: at("spin-angles", COSINE, replies=kind) for kind in REPLIES}},
    ),
    claim(
        "spin-shortcut",
        "Against cut-off replies that got an end token the discriminator wins by that token",
        f"{SPIN_CODE}, data generation",
        at("spin-ended", TRAINING_ACCURACY, iteration=2) > 0.9,
        curves("kl", "length"),
    ),
    claim(
        "spin-ended",
        "And the policy learns less than against whole replies",
        OURS,
        at("spin-ended", KL, iteration=2) - at("spin", KL, iteration=2) > 0,
        curves("kl", "auc", also=("spin-cut",)),
    ),
    claim(
        "spin-cut",
        "Cutting without an end token does less harm",
        OURS,
        at("spin-ended", KL, iteration=2) - at("spin-cut", KL, iteration=2) > 0,
        curves("kl"),
    ),
)

DATA_CLAIMS = (
    claim(
        "spin-quality",
        "Quality over quantity: 500 correct references beat 1,000 of which 20 % are wrong, at equal steps",
        "popular accounts of SPIN (no source)",
        at("spin-half", SHARE_CORRECT, iteration=2) - at("spin-wrong", SHARE_CORRECT, iteration=2) > 0,
        curves("right", "kl"),
    ),
    claim(
        "spin-ceiling",
        "A verifier is not bound to its references: ReST^EM beats SPIN on references of which 20 % are wrong",
        OURS,
        at("spin-verified", Number("pass_at_k.1", "sampled accuracy"), iteration=1)
        - at("spin-wrong", SAMPLED, iteration=2)
        > 0,
        curves("sampled_accuracy"),
    ),
    claim(
        "spin-preference",
        "A tenth of preference pairs (correct against wrong) helps",
        f"{SPIN}, table 5",
        at("spin-preference", SHARE_CORRECT, iteration=2) - at("spin", SHARE_CORRECT, iteration=2) > 0,
        curves("right", "kl"),
    ),
    claim(
        "spin-dpo",
        "SPIN comes closer to the data than one pass of DPO on as many preference pairs",
        f"{SPIN}, table 3",
        at("spin-dpo", KL, iteration=1) - at("spin", KL, iteration=1) > 0,
        curves("kl", "right"),
    ),
)

IMITATION_CLAIMS = SFT_CLAIMS + LOSS_CLAIMS + BREAKAGE_CLAIMS + DATA_CLAIMS
