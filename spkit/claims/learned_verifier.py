"""A learned verifier of steps against exact ones, at equal iterations and at equal compute (notebook 02).

The runs of a seed share their problems. `prm` labels the first samples by the exact check of steps; `prm-own` by the
problem's own vote, and is retrained in every iteration on its own verdicts; `prm-once` differs from it in not being
retrained, `prm-long` from `prm` in training the verifier five times as long. `prm-random` is the control of equal size.
Those with a cheap verifier (`prm-answer`, `prm-vote`) go on for more iterations, so that their compute reaches that of
the learned one.

The checker labels the samples of all 100 problems, so in the first iteration `prm` judges what it was trained on.

Before these criteria were written, larger runs of one seed (0; 400 problems, samples of 100 or all of them labelled)
had been looked at, the learned and the bootstrapped verifier among them, with several lengths of training: they showed
the directions of `prm-own` and `prm-own-auc`, and a longer training that ended higher.
"""

from dataclasses import replace

from ..loops.rest_em import RestEmConfig, rest_em
from ..stages.verify import Filter
from ..stages.verify_learned import ScorerConfig
from .base import claim
from .readings import at, at_shared
from .sources import OURS
from .stored import curves
from .sums_self_training import sums
from .terms import Number, Term

BRIEF = RestEmConfig(iterations=3, problems=100, validation_problems=0)
BRIEF = replace(BRIEF, sft=replace(BRIEF.sft, steps=30))
SCORER = ScorerConfig("checker")
SCORER = replace(SCORER, sft=replace(SCORER.sft, steps=40))
RETRAINED = replace(SCORER, labels="majority", retrain="own")
AGREEMENT = Number("scorer.auc_within", "AUC of the learned verifier within a difficulty")
PRECISION = Number("scorer.precision", "precision of what the learned verifier accepts")
THREE = BRIEF.iterations

LEARNED_EXPERIMENTS = {
    "prm": sums(rest_em, replace(BRIEF, scorer=SCORER), 30),
    "prm-random": sums(rest_em, replace(BRIEF, scorer=SCORER, filter=Filter("random", cap=4)), 30),
    "prm-own": sums(rest_em, replace(BRIEF, scorer=RETRAINED), 40),
    "prm-once": sums(rest_em, replace(BRIEF, scorer=replace(RETRAINED, retrain="never")), 30),
    "prm-long": sums(rest_em, replace(BRIEF, scorer=replace(SCORER, sft=replace(SCORER.sft, steps=200))), 45),
    "prm-steps": sums(rest_em, replace(BRIEF, filter=Filter("all_steps", cap=4)), 20),
    "prm-answer": sums(rest_em, replace(BRIEF, iterations=5), 32),
    "prm-vote": sums(rest_em, replace(BRIEF, iterations=5, filter=Filter("majority", cap=4)), 32),
}

COMPUTE = "compute_tokens"


def _after_three(run: str) -> Term:
    """Accuracy after as many iterations as the shortest run has."""
    return at(run, "accuracy", iteration=THREE)


def _more_at_equal_compute(run: str, other: str) -> Term:
    """How much more accurate a run is than another at the compute that both have had."""
    ours, theirs = (at_shared(one, "accuracy", COMPUTE, (run, other)) for one in (run, other))
    return ours - theirs


LEARNED_CLAIMS = (
    claim(
        "prm-selection",
        "ReST^EM: selecting by a learned verifier of steps beats as many samples drawn at random",
        OURS,
        _after_three("prm") - _after_three("prm-random") > 0,
        curves("accuracy", COMPUTE),
    ),
    claim(
        "prm-exact",
        "ReST^EM: the exact check of every step beats a verifier of steps learned from it, at equal iterations",
        OURS,
        _after_three("prm-steps") - _after_three("prm") > 0,
        curves("accuracy", COMPUTE),
    ),
    claim(
        "prm-longer",
        "At equal compute a verifier of steps learned from the exact check beats a longer loop with the vote",
        OURS,
        _more_at_equal_compute("prm", "prm-vote") > 0,
        curves("accuracy", COMPUTE),
    ),
    claim(
        "prm-longer-answer",
        "At equal compute a longer loop with the check of the answer beats a learned verifier of steps",
        OURS,
        _more_at_equal_compute("prm-answer", "prm") > 0,
        curves("accuracy", COMPUTE),
    ),
    claim(
        "prm-own-auc",
        "A verifier retrained on its own verdicts agrees less with the exact check from iteration to iteration",
        OURS,
        at("prm-own", AGREEMENT, iteration=1) - at("prm-own", AGREEMENT, iteration=THREE) > 0,
        {"precision": {str(t): at("prm-own", PRECISION, iteration=t) for t in range(1, THREE + 1)}},
        {"auc": {str(t): at("prm-own", AGREEMENT, iteration=t) for t in range(1, THREE + 1)}},
        {"fixed_precision": {str(t): at("prm", PRECISION, iteration=t) for t in range(1, THREE + 1)}},
        {"fixed": {str(t): at("prm", AGREEMENT, iteration=t) for t in range(1, THREE + 1)}},
    ),
    claim(
        "prm-own",
        "A verifier of steps learned from the exact check beats one that starts from the vote and is retrained on its "
        "own verdicts",
        OURS,
        _after_three("prm") - _after_three("prm-own") > 0,
        curves("accuracy", COMPUTE),
    ),
    claim(
        "prm-retrained",
        "A verifier that starts from the vote ends lower if it is retrained on its own verdicts than if it is not",
        OURS,
        _after_three("prm-once") - _after_three("prm-own") > 0,
        {
            "precision": {
                run: {str(t): at(run, PRECISION, iteration=t) for t in range(1, THREE + 1)}
                for run in ("prm-once", "prm-own")
            }
        },
        curves("accuracy", COMPUTE),
    ),
    claim(
        "prm-training",
        "A learned verifier of steps that is trained five times as long beats one that is not, at equal iterations",
        OURS,
        _after_three("prm-long") - _after_three("prm") > 0,
        {"precision": {str(t): at("prm-long", PRECISION, iteration=t) for t in range(1, THREE + 1)}},
        {"auc": {str(t): at("prm-long", AGREEMENT, iteration=t) for t in range(1, THREE + 1)}},
        curves("accuracy", COMPUTE),
    ),
)
