"""Claims about SPIN where it stalls or goes wrong: references like the opponent's own replies, too small a step,
wrong references, too small a beta, too few references; and what rescues it (notebook 03).
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ..loops.spin import SpinConfig, spin
from ..policy import Policy
from ..run.folder import Run
from ..run.streams import generator
from ..stages.references import Reference, draw_preferences, draw_references
from ..stages.solve import solve
from ..tasks import Replies, problems
from .base import claim
from .readings import at
from .sources import ALPHA_SPIN, DERIVED, OURS, SPIN
from .spin_replies import (
    AUC,
    COLD,
    IMITATION_CLAIMS,
    IMITATION_EXPERIMENTS,
    KL,
    SCARCE,
    SHARE_CORRECT,
    TENTH,
    WARM,
    replies,
)
from .stored import curves

COLD_LONG, TENTH_LONG, SCARCE_LONG = (replace(config, iterations=3) for config in (COLD, TENTH, SCARCE))
OWN_REPLIES = replace(COLD, references=500)  # prompts to which the base writes the references itself
WRONG = replace(WARM, wrong=0.2)  # a fifth of the references by careless writers
REPLIES_EACH = 4  # replies of the base to each prompt


def own_references(base: Policy, task: Replies, config: SpinConfig, correct: bool) -> list[Reference]:
    """(prompt, reply) of the base itself: to each prompt that it answers correctly at least once in four tries the
    first correct reply, or, as the control, the first reply of all.
    """
    asked = problems(task, config.seed, 0, config.references)
    drawn = solve(base, task, asked, REPLIES_EACH, temperature=1.0, generator=generator(config.seed, 0, "solve"))
    texts, chosen = drawn.rollouts.texts, []
    for i, problem in enumerate(asked):
        right = [k for k in range(REPLIES_EACH * i, REPLIES_EACH * (i + 1)) if drawn.verdicts[k].correct]
        chosen += [(problem.prompt, texts[right[0] if correct else REPLIES_EACH * i])] if right else []
    return chosen


def imitate_own(base: Policy, task: Replies, config: SpinConfig, run: Run | None = None) -> Iterator[dict[str, Any]]:
    """SPIN on references that are the base's own replies, unselected."""
    return spin(base, task, config, run, own_references(base, task, config, correct=False))


def imitate_correct(
    base: Policy, task: Replies, config: SpinConfig, run: Run | None = None
) -> Iterator[dict[str, Any]]:
    """SPIN on as many of the base's own replies, which a verifier has selected."""
    return spin(base, task, config, run, own_references(base, task, config, correct=True))


def imitate_chosen(base: Policy, task: Replies, config: SpinConfig, run: Run | None = None) -> Iterator[dict[str, Any]]:
    """SPIN with the correct halves of a tenth of preference pairs as more references."""
    written = draw_references(replace(task, wrong=config.wrong), config.seed, config.references)
    pairs = draw_preferences(task, config.seed, config.references, config.references // 10)
    return spin(base, task, config, run, written + [(prompt, chosen) for prompt, chosen, _ in pairs])


SPIN_EXPERIMENTS = IMITATION_EXPERIMENTS | {
    "spin-own": replies(imitate_own, OWN_REPLIES, 25),
    "spin-own-correct": replies(imitate_correct, OWN_REPLIES, 25),
    "spin-timid": replies(spin, replace(COLD, learning_rate=(3e-6,)), 35),
    "spin-wrong-preference": replies(spin, replace(WRONG, preference=0.1), 45),
    "spin-wrong-chosen": replies(imitate_chosen, WRONG, 45),
    "spin-cold-long": replies(spin, COLD_LONG, 50),
    "spin-tenth-long": replies(spin, TENTH_LONG, 50),
    "spin-tenth-pool": replies(spin, replace(TENTH_LONG, opponents="pool"), 50),
    "spin-tenth-kl": replies(spin, replace(TENTH_LONG, kl=0.9), 50),
    "spin-scarce-long": replies(spin, SCARCE_LONG, 35),
    "spin-scarce-pool": replies(spin, replace(SCARCE_LONG, opponents="pool"), 35),
    "spin-scarce-kl": replies(spin, replace(SCARCE_LONG, kl=1.0), 35),
    "spin-scarce-beta": replies(spin, replace(SCARCE_LONG, beta=(2.0,)), 35),
}

SEEN_AT_A_STALL = curves("kl", "auc", "right", "learned.accuracy", "learned.margin", "learned.loss_last")
SEEN_WITH_A_GUARD = curves("kl", "rare", "valid")

STALL_CLAIMS = (
    claim(
        "spin-timid",
        "SPIN at a hundredth of its learning rate stands still, yet its discriminator tells new replies apart",
        OURS,
        at("spin-timid", AUC, iteration=2) > 0.6,
        curves("kl", "auc", "right", "learned.margin", "learned.loss_last"),
    ),
    claim(
        "spin-timid-rate",
        "SPIN that stalls at a hundredth of its learning rate is rescued by the rate, at equal steps",
        OURS,
        at("spin-timid", KL, iteration=2) - at("spin-cold-long", KL, iteration=2) > 0,
        curves("kl", "right", "learned.margin", "learned.loss_last"),
    ),
    claim(
        "spin-own",
        "SPIN on references that are the base's own replies does not learn to tell replies of the writers from its own",
        OURS,
        at("spin-own", AUC, iteration=1) < 0.6,
        SEEN_AT_A_STALL,
    ),
    claim(
        "spin-own-correct",
        "SPIN on its own replies is rescued by a verifier: correct ones as references beat as many unselected ones",
        OURS,
        at("spin-own-correct", SHARE_CORRECT, iteration=2) - at("spin-own", SHARE_CORRECT, iteration=2) > 0,
        SEEN_AT_A_STALL,
    ),
)

PREFERENCE_CLAIMS = (
    claim(
        "spin-wrong-preference",
        "Of SPIN's references 20 % are wrong: a tenth of preference pairs mixed in raises the share of correct totals",
        f"{SPIN}, table 5",
        at("spin-wrong-preference", SHARE_CORRECT, iteration=2) - at("spin-wrong", SHARE_CORRECT, iteration=2) > 0,
        curves("right", "kl", "rare"),
    ),
    claim(
        "spin-wrong-chosen",
        "Of SPIN's references 20 % are wrong: a tenth of preference pairs helps more than their correct replies alone",
        OURS,
        at("spin-wrong-preference", SHARE_CORRECT, iteration=2) - at("spin-wrong-chosen", SHARE_CORRECT, iteration=2)
        > 0,
        curves("right", "kl", "rare"),
    ),
)

GUARD_CLAIMS = (
    claim(
        "spin-tenth-pool",
        "Where SPIN overshoots (beta 0.1, three iterations), a pool of old opponents keeps it nearer the data",
        ALPHA_SPIN,
        at("spin-tenth-long", KL, iteration=3) - at("spin-tenth-pool", KL, iteration=3) > 0,
        SEEN_WITH_A_GUARD,
    ),
    claim(
        "spin-tenth-kl",
        "Where SPIN overshoots (beta 0.1, three iterations), a KL penalty of 0.9 to the base keeps it nearer the data",
        ALPHA_SPIN,
        at("spin-tenth-long", KL, iteration=3) - at("spin-tenth-kl", KL, iteration=3) > 0,
        SEEN_WITH_A_GUARD,
    ),
    claim(
        "spin-tenth-beta",
        "Where SPIN overshoots at beta 0.1, a KL penalty of 0.9 to the base beats raising beta by as much",
        DERIVED,
        at("spin-cold-long", KL, iteration=3) - at("spin-tenth-kl", KL, iteration=3) > 0,
        SEEN_WITH_A_GUARD,
    ),
    claim(
        "spin-scarce-pool",
        "Where SPIN's 300 references are memorized, a pool of old opponents keeps it nearer the data",
        ALPHA_SPIN,
        at("spin-scarce-long", KL, iteration=3) - at("spin-scarce-pool", KL, iteration=3) > 0,
        SEEN_WITH_A_GUARD,
    ),
    claim(
        "spin-scarce-kl",
        "Where SPIN's 300 references are memorized, a KL penalty of 1 to the policy after SFT keeps it nearer the data",
        ALPHA_SPIN,
        at("spin-scarce-long", KL, iteration=3) - at("spin-scarce-kl", KL, iteration=3) > 0,
        SEEN_WITH_A_GUARD,
    ),
    claim(
        "spin-scarce-beta",
        "Where SPIN's 300 references are memorized, a KL penalty of 1 to the policy after SFT beats raising beta by 1",
        DERIVED,
        at("spin-scarce-beta", KL, iteration=3) - at("spin-scarce-kl", KL, iteration=3) > 0,
        SEEN_WITH_A_GUARD,
    ),
)

SPIN_CLAIMS = IMITATION_CLAIMS + PREFERENCE_CLAIMS + STALL_CLAIMS + GUARD_CLAIMS
