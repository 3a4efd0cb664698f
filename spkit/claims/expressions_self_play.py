"""Claims about proposer, solver and verifier in one language model, on expressions (notebook 01).

All runs are on deduction, 48 problems of 8 attempts an iteration, with the same number of optimizer steps; each
differs from `az` in one thing. `az-random` is the control of equal size: the rewards of a problem are shuffled within
the group of its attempts.

What differs from Absolute Zero in all of them: an attempt is correct if every step is correct too, because one digit in
ten is correct by luck (`az-answer` is the paper's check); and attempts are compared with those at the same problem (the
paper's TRR++ is `learn.advantage="trr_pp"`).
"""

from collections.abc import Mapping
from typing import Any

from ..loops.absolute_zero import AbsoluteZeroConfig, absolute_zero
from ..run.settings import changed
from .base import Experiment, claim
from .readings import at, early, final, gain, late, rise
from .sources import ABSOLUTE_ZERO, DERIVED, OURS, PASS_AT_K, R_ZERO, SURVIVE, UNDERSTANDING
from .stored import Blocks, Curve, EachRun
from .terms import Number

AZ = AbsoluteZeroConfig(measure_every=20, test_per_difficulty=60)

# on the programs that the base mostly fails
DEEP = {
    how: Number(f"tests.deduction.{how}", f"{words} on depths 3 to 5", levels=("3", "4", "5"))
    for how, words in (("greedy", "greedy accuracy"), ("pass@1", "pass@1"), ("pass@8", "pass@8"))
}
GREEDY = Number("accuracy", "greedy accuracy")
DEPTH = Number("proposed_depth", "proposed depth")
VALID = Number("valid", "valid share of proposals")
GAP = Number("vote_gap", "vote share minus accuracy")
SOLVER_ENTROPY = Number("solver_entropy", "solver's token entropy (nats)")
PROPOSER_ENTROPY = Number("proposer_entropy", "proposer's token entropy (nats)")
MAJORITY_CORRECT = Number("vote_right", "majority correct")
MAJORITY_CORRECT_3 = Number("vote_right_by_depth.3", "majority correct on depth 3")


def expressions(iterations: int, seconds: int, changes: Mapping[str, Any] | None = None) -> Experiment:
    """`az` for so many iterations with some settings changed, those of a part by their dotted name."""
    config = changed(AZ, {"iterations": iterations, **(changes or {})})
    return Experiment(absolute_zero, config, "expressions", seconds)


SELF_PLAY_EXPERIMENTS = {
    "az": expressions(60, 60),
    "az-frozen": expressions(60, 40, {"proposer.kind": "frozen"}),
    "az-static": expressions(60, 30, {"proposer.kind": "static"}),
    "az-uniform": expressions(60, 50, {"proposer.kind": "uniform"}),
    "az-random": expressions(60, 60, {"verifier.reward": "random"}),
    "az-answer": expressions(40, 40, {"verifier.check": "answer"}),
    "az-flipped": expressions(40, 50, {"verifier.flip_rate": 0.3}),
    "az-vote": expressions(40, 50, {"verifier.reward": "vote_share"}),
    "az-vote-off": expressions(40, 60, {"verifier.reward": "vote_share", "verifier.gate": "off"}),
    "az-off": expressions(40, 45, {"verifier.gate": "off"}),
    "az-hardness": expressions(40, 50, {"proposer.reward": "hardness", "verifier.gate": "off"}),
    "az-half": expressions(40, 40, {"proposer.reward": "1-2|r-1/2|"}),
    "az-constant": expressions(40, 40, {"proposer.reward": "constant"}),
    "az-cells": expressions(40, 50, {"learn.advantage": "trr_pp"}),
    "az-global": expressions(40, 50, {"learn.advantage": "global"}),
}


def course(run: str) -> dict[str, Any]:
    """What is stored of a run: means over each ten iterations, and every look at the test set."""
    numbers = ("proposed_depth", "valid", "solve_rate", "useful_groups", "vote_gap", "learnability")
    return {
        **{number: Blocks(run, number) for number in (*numbers, "solver_entropy", "proposer_entropy")},
        "at": Curve(run, "iteration", only="tests"),
        "accuracy": Curve(run, "accuracy", only="tests"),
        "deep": {how: Curve(run, number, only="tests") for how, number in DEEP.items()},
    }


COURSES = EachRun(course)
MAJORITY_LABELS = {
    "labels": {"all": Blocks("az-vote", MAJORITY_CORRECT), "depth 3": Blocks("az-vote", MAJORITY_CORRECT_3)}
}

SELF_PLAY_CLAIMS = (
    claim(
        "az-deep",
        "Self-play lifts greedy accuracy on programs deeper than the base solves",
        f"{ABSOLUTE_ZERO}, table 1",
        gain("az", DEEP["greedy"]) > 0,
        COURSES,
    ),
    claim(
        "az-reach",
        "It raises pass@1 there more than pass@8: more is elicited than is new",
        PASS_AT_K,
        gain("az", DEEP["pass@1"]) - gain("az", DEEP["pass@8"]) > 0,
        COURSES,
    ),
    claim(
        "az-random",
        "Self-play ends higher there than with random rewards, shuffled within the group",
        OURS,
        final("az", DEEP["greedy"]) - final("az-random", DEEP["greedy"]) > 0,
        COURSES,
    ),
    claim(
        "az-frozen",
        "A proposer that learns beats one that is frozen",
        f"{ABSOLUTE_ZERO}, table 2",
        final("az", DEEP["greedy"]) - final("az-frozen", DEEP["greedy"]) > 0,
        COURSES,
    ),
    claim(
        "az-static",
        "It beats a fixed set that the base proposed at the start",
        OURS,
        final("az", DEEP["greedy"]) - final("az-static", DEEP["greedy"]) > 0,
        COURSES,
    ),
    claim(
        "az-uniform",
        "It beats random programs of depth 1 to 5, drawn uniformly",
        OURS,
        final("az", DEEP["greedy"]) - final("az-uniform", DEEP["greedy"]) > 0,
        COURSES,
    ),
    claim("az-depth", "The proposer goes to deeper programs", UNDERSTANDING, rise("az", DEPTH) > 0, COURSES),
    claim(
        "az-depth-paid",
        "It goes deeper with the proposer reward 1 - r than with the same reward for every valid problem",
        OURS,
        rise("az", DEPTH, until=40) - rise("az-constant", DEPTH, until=40) > 0,
        COURSES,
    ),
    claim(
        "az-constant",
        "A proposer reward for learnability beats the same reward for every valid problem",
        OURS,
        at("az", GREEDY, iteration=40) - at("az-constant", GREEDY, iteration=40) > 0,
        COURSES,
    ),
    claim(
        "az-shape",
        "The shape of the proposer reward (Absolute Zero's or R-Zero's) changes accuracy less than the gate does under "
        "a vote",
        UNDERSTANDING,
        (at("az-vote", GREEDY, iteration=40) - at("az-vote-off", GREEDY, iteration=40))
        - abs(at("az", GREEDY, iteration=40) - at("az-half", GREEDY, iteration=40))
        > 0,
        COURSES,
    ),
    claim(
        "az-answer",
        "Checking every step beats checking the answer, of which one in ten is correct by luck",
        OURS,
        at("az", GREEDY, iteration=40) - at("az-answer", GREEDY, iteration=40) > 0,
        COURSES,
    ),
    claim(
        "az-flipped",
        "A verifier that is wrong three times in ten costs accuracy",
        OURS,
        at("az", GREEDY, iteration=40) - at("az-flipped", GREEDY, iteration=40) > 0,
        COURSES,
    ),
    claim(
        "az-vote",
        "A vote in place of the verifier costs accuracy, even with the gate",
        OURS,
        at("az", GREEDY, iteration=40) - at("az-vote", GREEDY, iteration=40) > 0,
        COURSES,
    ),
    claim(
        "az-gate",
        "Under a vote the gate keeps accuracy up: without it, invalid text reaches the solver and is rewarded",
        SURVIVE,
        at("az-vote", GREEDY, iteration=40) - at("az-vote-off", GREEDY, iteration=40) > 0,
        COURSES,
    ),
    claim(
        "az-gap",
        "Under a vote without the gate, vote share and accuracy come apart",
        SURVIVE,
        late("az-vote-off", GAP) - late("az-vote", GAP) > 0,
        COURSES,
    ),
    claim(
        "az-grounded",
        "With the exact verifier an open gate costs less than 5 points of accuracy",
        SURVIVE,
        at("az", GREEDY, iteration=40) - at("az-off", GREEDY, iteration=40) < 0.05,
        COURSES,
    ),
    claim(
        "az-hardness",
        "With a proposer reward for hardness and no gate, the proposer drifts to invalid text",
        DERIVED,
        early("az-hardness", VALID) - late("az-hardness", VALID) > 0,
        COURSES,
    ),
    claim(
        "az-entropy",
        "The solver's token entropy falls",
        UNDERSTANDING,
        early("az", SOLVER_ENTROPY) - late("az", SOLVER_ENTROPY) > 0,
        COURSES,
    ),
    claim(
        "az-entropy-roles",
        "The proposer's token entropy stays above the solver's",
        UNDERSTANDING,
        late("az", PROPOSER_ENTROPY) - late("az", SOLVER_ENTROPY) > 0,
        COURSES,
    ),
    claim(
        "az-cells",
        "A baseline for each role (TRR++) beats one for both",
        f"{ABSOLUTE_ZERO}, eq. 8",
        final("az-cells", DEEP["greedy"]) - final("az-global", DEEP["greedy"]) > 0,
        COURSES,
    ),
    claim(
        "az-cells-valid",
        "With it more proposals are valid",
        f"{ABSOLUTE_ZERO}, eq. 8",
        late("az-cells", VALID) - late("az-global", VALID) > 0,
        COURSES,
    ),
    claim(
        "az-cells-depth",
        "With it the proposer goes deeper",
        OURS,
        late("az-cells", DEPTH) - late("az-global", DEPTH) > 0,
        COURSES,
    ),
    claim(
        "az-labels",
        "Under a vote behind the gate the majority comes to be correct less often",
        R_ZERO,
        early("az-vote", MAJORITY_CORRECT) - late("az-vote", MAJORITY_CORRECT) > 0,
        MAJORITY_LABELS,
    ),
    claim(
        "az-labels-depth",
        "At one depth the majority comes to be correct more often",
        OURS,
        rise("az-vote", MAJORITY_CORRECT_3) > 0,
        MAJORITY_LABELS,
    ),
)
