"""Stage 3, verify: what a verifier says of the attempts, and what is kept of them.

The exact check of the task gives a verdict on every attempt. A rule makes scores of the verdicts, between 0 and 1:

    gold        the final answer is right (what STaR, RFT and ReST^EM use)
    steps       the final answer is right and no step is wrong: a process check
    all_steps   the final answer and every step that leads to it are there and right
    graded      the share of steps that are right
    noisy       gold, each verdict flipped with probability `flip_rate`
    majority    the final answer is the one most of the problem's attempts gave (Huang et al. 2022, arXiv:2210.11610)
    vote_share  the share of the problem's attempts that give the same answer: no gold answer needed, as in `majority`
    lenient     any one of several answers in the end is right: a careless check, which can be gamed
    none        everything is accepted
    random      gold, shuffled within each problem: the control of equal size (random_all_steps: all_steps, shuffled)

The other control of equal size is `matched_at_random`: as many samples as a verifier keeps, drawn without looking.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

import torch
from torch import Tensor

from ..run.errors import SpkitError
from ..run.settings import at_least, one_of_its_choices, shares
from ..tasks import Proposable, Task, Verdict
from .solve import Attempts, Sample, repeated

_T = TypeVar("T")
VerifierName = Literal["gold", "steps", "all_steps", "noisy", "majority", "none"]
VERIFIERS: tuple[VerifierName, ...] = get_args(VerifierName)


def accept(
    verdicts: Sequence[Verdict], k: int, verifier: VerifierName, flip_rate: float, draw: torch.Generator
) -> list[bool]:
    """Which samples to keep, one flag a row; rows `i * k` to `i * k + k - 1` are the samples of problem i.

    Raises SpkitError for an unknown verifier, a flip rate outside [0, 1], or rows that are no multiple of k.
    """
    if k < 1 or len(verdicts) % k:
        raise SpkitError(f"{len(verdicts)} verdicts are no multiple of {k} samples a problem")
    if not 0 <= flip_rate <= 1:
        raise SpkitError(f"flip_rate must be between 0 and 1, not {flip_rate}")
    right = [verdict.correct for verdict in verdicts]
    if verifier == "gold":
        return right
    if verifier == "steps":
        return [verdict.correct and verdict.step_errors == 0 for verdict in verdicts]
    if verifier == "all_steps":
        return [verdict.reward == 1 for verdict in verdicts]
    if verifier == "noisy":
        return flipped(torch.tensor(right).float(), flip_rate, draw).bool().tolist()
    if verifier == "majority":
        votes = [vote([v.parsed for v in verdicts[start : start + k]]) for start in range(0, len(verdicts), k)]
        return [v.parsed is not None and v.parsed == votes[row // k] for row, v in enumerate(verdicts)]
    if verifier == "none":
        return [True] * len(right)
    raise SpkitError(f"unknown verifier {verifier!r}: choose one of {', '.join(VERIFIERS)}")


def scores_of(attempts: Attempts, task: Task, rule: str, flip_rate: float, draw: torch.Generator) -> Tensor:
    """Scores (problems, k) in [0, 1] by a rule, each flipped with probability `flip_rate`; those of a vote are not.

    Raises SpkitError for an unknown rule.
    """
    if rule == "vote_share":
        return vote_shares(attempts)
    if rule == "graded":
        return attempts.table([verdict.reward for verdict in attempts.verdicts])
    if rule == "random":
        return shuffled(attempts.correct, draw)
    if rule in ("all_steps", "random_all_steps"):
        right = attempts.table([verdict.reward == 1 for verdict in attempts.verdicts])
        right = shuffled(right, draw) if rule == "random_all_steps" else right
    elif rule == "lenient":
        right = attempts.table(_leniently_right(attempts, task))
    else:
        return attempts.table(accept(attempts.verdicts, attempts.k, rule, flip_rate, draw))
    return flipped(right, flip_rate, draw)


def flipped(scores: Tensor, flip_rate: float, draw: torch.Generator) -> Tensor:
    """Label noise: scores of 0 or 1, each turned into the other with probability `flip_rate`."""
    return torch.where(torch.rand(scores.shape, generator=draw) < flip_rate, 1 - scores, scores)


def shuffled(rewards: Tensor, draw: torch.Generator) -> Tensor:
    """The rewards (problems, k) of each problem in a random order among its own attempts: the control of equal size."""
    return rewards.gather(1, torch.rand(rewards.shape, generator=draw).argsort(1))


def matched_at_random(pool: Sequence[_T], count: int, draw: torch.Generator) -> list[_T]:
    """`count` of the pool, drawn without looking, in its order: the control of equal size of what a verifier keeps."""
    return [pool[i] for i in sorted(torch.randperm(len(pool), generator=draw)[:count].tolist())]


def _leniently_right(attempts: Attempts, task: Task) -> list[bool]:
    if not isinstance(task, Proposable):
        raise SpkitError(f"a lenient check knows expressions and python_programs, not {task.name}")
    rows = zip(repeated(attempts.problems, attempts.k), attempts.rollouts.texts, attempts.rollouts.finished)
    return [
        finished and any(task.verify(problem, one).correct for one in task.offered(problem.kind, text))
        for problem, text, finished in rows
    ]


def vote(answers: Sequence[str | None]) -> str | None:
    """The most frequent answer, the first of equals; what could not be read has no vote. None if nothing could be."""
    counts = Counter(answer for answer in answers if answer is not None)
    return max(counts, key=counts.__getitem__, default=None)


def vote_shares(attempts: Attempts) -> Tensor:
    """Share of a problem's k attempts with the same answer as this one, (problems, k); 0 for what cannot be read."""
    rows = attempts.by_problem([verdict.parsed for verdict in attempts.verdicts])
    counts = [Counter(answer for answer in row if answer is not None) for row in rows]
    return attempts.table([counts[i][answer] / attempts.k for i, row in enumerate(rows) for answer in row])


def majority_correct(attempts: Attempts) -> list[float]:
    """Of each problem the chance that the answer most of its k attempts agree on is right.

    Ties are shared; what cannot be read has no vote.
    """
    chances = []
    for row in attempts.by_problem(attempts.verdicts):
        right = {verdict.parsed: verdict.correct for verdict in row if verdict.parsed is not None}
        counts = Counter(verdict.parsed for verdict in row if verdict.parsed is not None)
        winners = [right[answer] for answer, count in counts.items() if count == max(counts.values())]
        chances.append(sum(winners) / len(winners) if winners else 0.0)
    return chances


@dataclass(frozen=True)
class Filter:
    """What is kept of the samples: what a verifier accepts, copies dropped (`unique`), at most `cap` a problem.

    `random` stands for the control of equal size: as many samples as the gold answer check would leave, drawn without
    looking from all that uniqueness and cap allow. `random_all_steps` is the same for the check of all steps.
    """

    # which verifier selects the samples; `random` and `random_all_steps` are controls of equal size
    verifier: Literal["gold", "steps", "all_steps", "noisy", "majority", "none", "random", "random_all_steps"] = "gold"
    flip_rate: float = 0.0  # how often the `noisy` verifier flips a verdict
    unique: bool = True  # keep each reasoning path of a problem once
    cap: int | None = None  # most samples kept of one problem; None: no limit [10 in ReST^EM]

    def __post_init__(self) -> None:
        one_of_its_choices(self)
        at_least(self, 1, "cap")
        shares(self, "flip_rate")


def keep(
    samples: Sequence[Sample], k: int, rule: Filter, draw: torch.Generator, accepted: Sequence[bool] | None = None
) -> list[Sample]:
    """The samples to train on: verified, then without copies, then capped.

    `samples` holds k of every problem, next to each other. `accepted`, one flag a sample, stands in for what the
    rule's verifier says (that of the control of equal size, too).
    """
    blind = {"random": "gold", "random_all_steps": "all_steps"}
    verifier = blind.get(rule.verifier, rule.verifier)
    verdicts = [sample.verdict for sample in samples]
    flags = accept(verdicts, k, verifier, rule.flip_rate, draw) if accepted is None else accepted
    kept = _limited([sample for sample, flag in zip(samples, flags) if flag], rule)
    return matched_at_random(_limited(samples, rule), len(kept), draw) if rule.verifier in blind else kept


def _limited(samples: Sequence[Sample], rule: Filter) -> list[Sample]:
    return capped(distinct(samples) if rule.unique else samples, rule.cap)


def distinct(samples: Iterable[Sample]) -> list[Sample]:
    """The first of every path of every problem."""
    first: dict[tuple[str, str], Sample] = {}
    for sample in samples:
        first.setdefault((sample.problem.prompt, sample.path), sample)
    return list(first.values())


def capped(samples: Iterable[Sample], cap: int | None) -> list[Sample]:
    """At most `cap` of every problem, the first ones; no limit for None.

    Call it after `distinct`, or copies use the places up.
    """
    counts: Counter[str] = Counter()
    kept = []
    for sample in samples:
        counts[sample.problem.prompt] += 1
        if cap is None or counts[sample.problem.prompt] <= cap:
            kept.append(sample)
    return kept
