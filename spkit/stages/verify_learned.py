"""Stage 3 with a verifier that is learned: a process reward model decides what is kept, in place of the exact check.

It is trained on the samples of the first iteration, whose steps are labelled by

    checker    the task's exact check of every step, on the samples of a few problems (arXiv:2305.20050)
    noisy      a check of the answer that errs, see below
    majority   the vote of the problem's own samples, see below

A verdict on the answer becomes labels of steps as in Math-Shepherd (arXiv:2312.08935, soft estimation): the share of
accepted samples among those that begin like this. There rollouts are drawn from each step for it; here the samples that
are there have to do. Later it stays as it is, or (`retrain="own"`) a new one is trained in every iteration on what the
last one says of the policy's new samples.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Any, Literal

import torch

from ..measures.imitation import discriminator_auc
from ..policy import Policy, SftConfig
from ..policy.step_scorer import StepExample, StepScorer, step_ends
from ..run.folder import Run
from ..run.settings import at_least, one_of_its_choices, shares
from ..tasks import Task
from .solve import Sample
from .verify import accept


@dataclass(frozen=True)
class ScorerConfig:
    """A learned verifier, which stands in for that of the filter; with `off` there is none.

    A filter that is `random` keeps as many samples as the learned verifier would leave, drawn without looking.
    """

    labels: Literal["off", "checker", "noisy", "majority"] = "off"  # who labels the steps that it is trained on first
    problems: int = 100  # how many of the problems have their samples labelled
    retrain: Literal["never", "own"] = "never"  # later: as it is, or trained anew on its own verdicts
    threshold: float = 0.5  # the probability that every step of what is accepted is above
    flip_rate: float = 0.2  # how often the `noisy` labels of samples are flipped
    sft: SftConfig = field(default_factory=lambda: SftConfig(steps=100, batch_size=32, learning_rate=1e-3))

    def __post_init__(self) -> None:
        one_of_its_choices(self)
        at_least(self, 1, "problems")
        at_least(self.sft, 1, "steps", "batch_size")
        shares(self, "flip_rate", "threshold")


def last_scorer(base: Policy, config: ScorerConfig, run: Run) -> StepScorer | None:
    """The learned verifier of the last finished iteration of a run, None before the first and where there is none."""
    last = len(run.records) - 1
    return StepScorer(base).restore(run.state_of(last)) if config.labels != "off" and last > 0 else None


def judge(
    scorer: StepScorer | None,
    base: Policy,
    task: Task,
    samples: Sequence[Sample],
    k: int,
    config: ScorerConfig,
    draw: torch.Generator,
    run: Run,
) -> tuple[StepScorer | None, list[bool] | None, dict[str, Any]]:
    """The learned verifier, trained first if it is due; which samples it accepts; `scorer` of a record (`quality`).

    None, None and nothing if it is off. `samples` holds k of every problem, next to each other. The run is told of the
    tokens that went through it as `compute_tokens`.
    """
    if config.labels == "off":
        return None, None, {}
    examples = [to_score(base, task, sample) for sample in samples]
    with run.stage("verify", config.sft.steps, "steps") as tick:
        labels = None
        if scorer is None:
            labels = first_labels(task, samples[: config.problems * k], k, config, draw)
        elif config.retrain == "own":
            labels = [[float(p > config.threshold) for p in row] for row in scorer.step_chances(examples)]
            run.spend(compute_tokens=scorer.taken())
        report: dict[str, Any] = {}
        if labels is not None:
            scorer = StepScorer(base)
            known = [replace(example, labels=row) for example, row in zip(examples, labels)]
            report = {"labelled": len(known), "loss": scorer.fit(known, config.sft, draw, tick)}
            run.spend(optimizer_steps=config.sft.steps)
        scores = [min(row) for row in scorer.step_chances(examples)]
        run.spend(compute_tokens=scorer.taken())
    accepted = [score > config.threshold for score in scores]
    return scorer, accepted, {"scorer": report | quality(samples, scores, accepted)}


def to_score(policy: Policy, task: Task, sample: Sample) -> StepExample:
    """A sample as the scorer reads it, without labels."""
    ends = step_ends(policy.tokenizer, sample.token_ids, task.step_end)
    return StepExample(policy.prompt_ids(sample.problem.prompt), sample.token_ids, ends, [])


def first_labels(
    task: Task, samples: Sequence[Sample], k: int, config: ScorerConfig, draw: torch.Generator
) -> list[list[float]]:
    """A label for every step of every sample, as `config.labels` says.

    Raises SpkitError where a task marks no steps.
    """
    checked = [task.step_verdicts(sample.problem, sample.text) for sample in samples]
    if config.labels == "checker":
        return [[float(right) for right in row] for row in checked]
    verdicts = [sample.verdict for sample in samples]
    return shares_by_beginning(task, samples, accept(verdicts, k, config.labels, config.flip_rate, draw))


def shares_by_beginning(task: Task, samples: Sequence[Sample], flags: Sequence[bool]) -> list[list[float]]:
    """For every step the share of accepted ones among the samples of the problem that begin with the same steps."""
    steps = [sample.text.split(task.step_end) for sample in samples]
    begun: dict[tuple, list[bool]] = defaultdict(list)
    places = [
        [(sample.problem.prompt, count == len(own), *own[:count]) for count in range(1, len(own) + 1)]
        for sample, own in zip(samples, steps)
    ]
    for row, flag in zip(places, flags):
        for place in row:
            begun[place].append(flag)
    return [[fmean(begun[place]) for place in row] for row in places]


def quality(samples: Sequence[Sample], scores: Sequence[float], accepted: Sequence[bool]) -> dict[str, Any]:
    """How well scores tell samples that are right in every step, by the exact check, from others: a measurement alone.

    `auc` over all samples, and `auc_within`, the mean over difficulties, which knowing the difficulty does not help;
    `precision` and `recall` of what is accepted; `accepted`, its share. None where a class is missing.
    """
    right = [sample.verdict.reward == 1 for sample in samples]
    both = sum(one and good for one, good in zip(accepted, right))
    by_level: dict[int, list[int]] = defaultdict(list)
    for row, sample in enumerate(samples):
        by_level[sample.problem.difficulty].append(row)
    within = {level: _auc([scores[r] for r in rows], [right[r] for r in rows]) for level, rows in by_level.items()}
    known = [value for value in within.values() if value is not None]
    return {
        "auc": _auc(scores, right),
        "auc_within": fmean(known) if known else None,
        "auc_by_difficulty": {str(level): within[level] for level in sorted(within)},
        "accepted": sum(accepted) / len(accepted),
        "precision": both / sum(accepted) if any(accepted) else None,
        "recall": both / sum(right) if any(right) else None,
    }


def _auc(scores: Sequence[float], right: Sequence[bool]) -> float | None:
    sides = [[score for score, good in zip(scores, right) if good == side] for side in (True, False)]
    return discriminator_auc(*sides) if all(sides) else None
