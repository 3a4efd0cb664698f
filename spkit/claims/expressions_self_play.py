"""Claims about proposer, solver and verifier in one language model, on expressions (notebook 01).

All runs are on deduction, 48 problems of 8 attempts an iteration, with the same number of optimizer steps; each
differs from `az` in one thing. `az-random` is the control of equal size: the rewards of a problem are dealt out
anew among its own attempts.

What differs from Absolute Zero in all of them: right means that every step is right too, because one digit in ten is
right by luck (`az-answer` is the paper's check); and attempts are compared with those at the same problem (the paper's
TRR++ is `advantage="trr_pp"`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from ..loops.absolute_zero import AbsoluteZeroConfig, absolute_zero
from ..measures.epiplexity import ObserverConfig, epiplexity
from ..policy.rollouts import Pair
from ..policy import Policy
from ..run.folder import Run
from ..run.settings import changed
from ..tasks import Task
from .base import Claim, Experiment, Records

AZ = AbsoluteZeroConfig(measure_every=20, test_per_difficulty=60)
BROKEN = replace(AZ, iterations=40)
DEEP = ("3", "4", "5")  # the depths that the base mostly fails
FLIPS = 0.3
NUMBERS = (
    "proposed_depth",
    "valid",
    "solve_rate",
    "useful_groups",
    "vote_gap",
    "learnability",
    "solver_entropy",
    "proposer_entropy",
)


@dataclass(frozen=True)
class InformationConfig:
    """The gauge on what a run makes for itself: at each of these iterations, over the last `window` of them."""

    seed: int = 0
    loop: AbsoluteZeroConfig = replace(AZ, measure_every=1000, test_per_difficulty=1, test_samples=1)
    at: tuple[int, ...] = (3, 20, 40, 60)
    window: int = 3
    observer: ObserverConfig = ObserverConfig(train_tokens=4000, validation_tokens=1000)


class Kept(Run):
    """A run in memory that keeps the samples of its last iterations."""

    def __init__(self, iterations: int) -> None:
        super().__init__()
        self.iterations, self.samples = iterations, []

    def record(self, iteration: int, policy: Policy, samples: list[dict[str, Any]], **values: Any) -> dict[str, Any]:
        """As in `Run`."""
        self.samples = [row for row in self.samples if row["step"] > iteration - self.iterations] + [
            row for row in samples if "step" in row
        ]
        return super().record(iteration, policy, samples, **values)


def information(base: Policy, task: Task, config: InformationConfig, run: Run) -> Iterator[dict[str, Any]]:
    """One record: at each of the iterations, what there is to learn for the base in the right solutions of that time."""
    kept, rows = Kept(config.window), []
    for record in absolute_zero(base, task, replace(config.loop, seed=config.seed), kept):
        if record["iteration"] in config.at:
            found = epiplexity(base, stream(base, kept.samples), replace(config.observer, seed=config.seed))
            rows.append({"iteration": record["iteration"], "S": found.S, "H": found.H, "depth": record["depth"]})
    yield {"rows": rows}


def stream(policy: Policy, samples: list[dict[str, Any]]) -> list[Pair]:
    """The right solutions among samples, as (prompt, token ids), as often as they were written."""
    right = [(row["prompt"], row["completion"]) for row in samples if row["role"] == "solver" and row["correct"]]
    return [(prompt, policy.completion_ids(completion)) for prompt, completion in right]


def play(config: Any, seconds: int, loop: Any = absolute_zero) -> Experiment:
    """An experiment on expressions."""
    return Experiment(loop, config, "expressions", seconds)


EXPERIMENTS = {
    "az": play(AZ, 60),
    "az-frozen": play(changed(AZ, {"proposer.kind": "frozen"}), 40),
    "az-static": play(changed(AZ, {"proposer.kind": "static"}), 30),
    "az-uniform": play(changed(AZ, {"proposer.kind": "uniform"}), 50),
    "az-random": play(changed(AZ, {"verifier.reward": "random"}), 60),
    "az-answer": play(changed(BROKEN, {"verifier.check": "answer"}), 40),
    "az-flipped": play(changed(BROKEN, {"verifier.flip_rate": FLIPS}), 50),
    "az-vote": play(changed(BROKEN, {"verifier.reward": "vote_share"}), 50),
    "az-vote-off": play(changed(BROKEN, {"verifier.reward": "vote_share", "verifier.gate": "off"}), 60),
    "az-off": play(changed(BROKEN, {"verifier.gate": "off"}), 45),
    "az-hardness": play(changed(BROKEN, {"proposer.reward": "hardness", "verifier.gate": "off"}), 50),
    "az-half": play(changed(BROKEN, {"proposer.reward": "1-2|r-1/2|"}), 40),
    "az-constant": play(changed(BROKEN, {"proposer.reward": "constant"}), 40),
    "az-cells": play(changed(BROKEN, {"learn.advantage": "trr_pp"}), 50),
    "az-global": play(changed(BROKEN, {"learn.advantage": "global"}), 50),
    "az-information": play(InformationConfig(), 60, information),
}


def looked(records: Records) -> Records:
    """The records of iterations that looked at the test set."""
    return [record for record in records if "tests" in record]


def deep(record: Mapping[str, Any], how: str = "greedy") -> float:
    """Accuracy on the programs that the base mostly fails: `greedy`, or `pass@k` of samples."""
    return fmean(record["tests"]["deduction"][how][level] for level in DEEP)


def gain(records: Records, how: str = "greedy") -> float:
    """What was gained on them from the base to the last iteration."""
    return deep(records[-1], how) - deep(records[0], how)


def at(records: Records, iteration: int) -> Mapping[str, Any]:
    """The record of that iteration."""
    return next(record for record in records if record["iteration"] == iteration)


def late(records: Records, key: str, until: int | None = None) -> float:
    """The mean of a number over the last ten iterations, up to `until`."""
    rows = [record[key] for record in records[1 : until + 1 if until else None] if record.get(key) is not None]
    return fmean(rows[-10:])


def early(records: Records, key: str) -> float:
    """Over the first ten."""
    return fmean([record[key] for record in records[1:] if record.get(key) is not None][:10])


def rise(records: Records, key: str) -> float:
    """From the first ten iterations to the last ten."""
    return late(records, key) - early(records, key)


def blocks(records: Records, key: str, length: int = 10) -> list[float]:
    """The mean of a number over each ten iterations, those without it left out."""
    parts = [records[start : start + length] for start in range(1, len(records), length)]
    values = [[record[key] for record in part if record.get(key) is not None] for part in parts]
    return [round(fmean(some), 4) for some in values if some]


def told(runs: Mapping[str, Records]) -> dict[str, Any]:
    """What is stored of every run beside the effect: means over each ten iterations, and every look at the test set."""
    kept: dict[str, Any] = {}
    for name, records in runs.items():
        looks = looked(records)
        kept[name] = {key: blocks(records, key) for key in NUMBERS} | {
            "at": [record["iteration"] for record in looks],
            "accuracy": [round(record["accuracy"], 4) for record in looks],
            "deep": {how: [round(deep(record, how), 4) for record in looks] for how in ("greedy", "pass@1", "pass@8")},
        }
    return kept


def claim(id: str, statement: str, source: str, criterion: str, needs: tuple[str, ...], effect: Any) -> Claim:
    """A claim that keeps its runs' numbers beside the effect."""
    return Claim(id, statement, source, criterion, 0.0, needs, lambda runs: {"effect": effect(runs), **told(runs)})


def over(id: str, statement: str, source: str, other: str) -> Claim:
    """`az` ends higher on deep programs than another run of equal size."""
    criterion = f"final greedy accuracy on depths 3 to 5, az minus {other} > 0"
    return claim(
        id, statement, source, criterion, ("az", other), lambda runs: deep(runs["az"][-1]) - deep(runs[other][-1])
    )


def beats(id: str, statement: str, source: str, more: str, less: str) -> Claim:
    """One run has a higher overall accuracy than another after 40 iterations."""
    effect = lambda runs: at(runs[more], 40)["accuracy"] - at(runs[less], 40)["accuracy"]  # noqa: E731
    return claim(
        id, statement, source, f"greedy accuracy after 40 iterations, {more} minus {less} > 0", (more, less), effect
    )


def spread(runs: Mapping[str, Records]) -> float:
    """What the gate is worth under a vote, minus the difference between two shapes of pay."""
    first, second = (at(runs[name], 40)["accuracy"] for name in ("az", "az-half"))
    return at(runs["az-vote"], 40)["accuracy"] - at(runs["az-vote-off"], 40)["accuracy"] - abs(first - second)


def grown(runs: Mapping[str, Records], name: str) -> dict[str, Any]:
    """S at the last look minus S at the first, thousands of bits."""
    rows = runs[name][0]["rows"]
    return {"effect": (rows[-1]["S"] - rows[0]["S"]) / 1000, "rows": rows}


def labels(records: Records) -> dict[str, Any]:
    """How often the commonest answer was right, over each ten iterations: on all problems, and on those of depth 3."""
    rows = [{"all": record["vote_right"], "depth 3": record["vote_right_by_depth"].get("3")} for record in records[1:]]
    return {name: blocks([{}, *rows], name) for name in ("all", "depth 3")}


def labelled(id: str, statement: str, source: str, criterion: str, which: str, sign: int) -> Claim:
    """How often the commonest answer was right in the last ten iterations minus in the first ten, or the other way
    round.
    """

    def measure(runs: Mapping[str, Records]) -> dict[str, Any]:
        found = labels(runs["az-vote"])
        return {"effect": sign * (found[which][-1] - found[which][0]), "labels": found}

    return Claim(id, statement, source, criterion, 0.0, ("az-vote",), measure)


US, ZERO, COLLAPSE = "our control", "Absolute Zero", "Survive or Collapse"
CLAIMS = (
    claim("az-deep", "Self-play lifts greedy accuracy on programs deeper than the base solves", f"{ZERO}, table 1", "accuracy on depths 3 to 5, last minus base > 0",
          ("az",), lambda runs: gain(runs["az"])),
    claim("az-reach", "It raises pass@1 there more than pass@8: more is elicited than is new", "Yue et al. 2025", "gain of pass@1 minus gain of pass@8 > 0",
          ("az",), lambda runs: gain(runs["az"], "pass@1") - gain(runs["az"], "pass@8")),
    over("az-random", "Rewards that are dealt out at random do not", US, "az-random"),
    over("az-frozen", "A proposer that learns beats one that is frozen", f"{ZERO}, table 2", "az-frozen"),
    over("az-static", "It beats a fixed set that the base proposed at the start", US, "az-static"),
    over("az-uniform", "It beats random programs of depth 1 to 5, drawn uniformly", US, "az-uniform"),
    claim("az-depth", "The proposer goes to deeper programs", "Chae et al. 2025", "proposed depth, last ten iterations minus first ten > 0",
          ("az",), lambda runs: rise(runs["az"], "proposed_depth")),
    claim("az-depth-paid", "It does so because it is paid by 1 - r, and not when every valid problem earns the same", US, "rise of depth over 40 iterations, az minus az-constant > 0",
          ("az", "az-constant"), lambda runs: late(runs["az"], "proposed_depth", 40) - early(runs["az"], "proposed_depth") - rise(runs["az-constant"], "proposed_depth")),
    beats("az-constant", "Pay by learnability beats pay for any valid problem", US, "az", "az-constant"),
    claim("az-shape", "The shape of the pay (Absolute Zero's or R-Zero's) matters less than the gate", "Chae et al. 2025", "what the gate is worth under a vote minus the difference between shapes > 0",
          ("az", "az-half", "az-vote", "az-vote-off"), spread),
    beats("az-answer", "Checking every step beats checking the answer, of which one in ten is right by luck", US, "az", "az-answer"),
    beats("az-flipped", "A verifier that is wrong three times in ten costs accuracy", US, "az", "az-flipped"),
    beats("az-vote", "A vote in place of the verifier costs accuracy, even with the gate", US, "az", "az-vote"),
    beats("az-gate", "Under a vote the gate keeps accuracy up: without it, invalid text is let in and pays", COLLAPSE, "az-vote", "az-vote-off"),
    claim("az-gap", "Without the gate agreement parts from truth", COLLAPSE, "vote share minus accuracy, last ten iterations, az-vote-off minus az-vote > 0",
          ("az-vote-off", "az-vote"), lambda runs: late(runs["az-vote-off"], "vote_gap") - late(runs["az-vote"], "vote_gap")),
    claim("az-grounded", "A grounded solver tolerates an open gate, within 5 points", COLLAPSE, "0.05 minus accuracy lost after 40 iterations > 0",
          ("az", "az-off"), lambda runs: 0.05 - at(runs["az"], 40)["accuracy"] + at(runs["az-off"], 40)["accuracy"]),
    claim("az-hardness", "Paid for hardness without a gate, the proposer drifts to invalid text", "derived", "valid share, first ten iterations minus last ten > 0",
          ("az-hardness",), lambda runs: -rise(runs["az-hardness"], "valid")),
    claim("az-entropy", "The solver's entropy falls", "Chae et al. 2025", "first ten iterations minus last ten > 0 (nats a token)",
          ("az",), lambda runs: -rise(runs["az"], "solver_entropy")),
    claim("az-entropy-roles", "The proposer's entropy stays above the solver's", "Chae et al. 2025", "proposer minus solver, last ten iterations > 0 (nats a token)",
          ("az",), lambda runs: late(runs["az"], "proposer_entropy") - late(runs["az"], "solver_entropy")),
    claim("az-cells", "A baseline for each role (TRR++) beats one for both", f"{ZERO}, eq. 8", "greedy accuracy on depths 3 to 5 after 40 iterations, az-cells minus az-global > 0",
          ("az-cells", "az-global"), lambda runs: deep(runs["az-cells"][-1]) - deep(runs["az-global"][-1])),
    claim("az-cells-valid", "With it more proposals are valid", f"{ZERO}, eq. 8", "valid share, last ten iterations, az-cells minus az-global > 0",
          ("az-cells", "az-global"), lambda runs: late(runs["az-cells"], "valid") - late(runs["az-global"], "valid")),
    claim("az-cells-depth", "With it the proposer goes deeper", US, "proposed depth, last ten iterations, az-cells minus az-global > 0",
          ("az-cells", "az-global"), lambda runs: late(runs["az-cells"], "proposed_depth") - late(runs["az-global"], "proposed_depth")),
    labelled("az-labels", "Under a vote behind the gate the commonest answer comes to be right less often", "R-Zero", "right labels, first ten iterations minus last ten > 0", "all", -1),
    labelled("az-labels-depth", "At one depth it comes to be right more often", US, "right labels on depth 3, last ten iterations minus first ten > 0", "depth 3", 1),
    Claim("az-information", "What self-play makes holds more and more that its base could learn", "2603.02218, sec. 2", "S at the end minus at the start > 0 (1,000 bits)", 0.0,
          ("az-information",), lambda runs: grown(runs, "az-information")),
)  # fmt: skip
