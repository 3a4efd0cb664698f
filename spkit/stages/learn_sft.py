"""Grow, filter, improve: what RFT, ReST, ReST^EM and their breakages share.

Grow: the policy writes k completions of every problem. Filter: a verifier says which to keep, copies are dropped, a cap
bounds what one problem may contribute. Improve: supervised fine-tuning on what is left. The loops differ in the
settings and in where they start from.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch

from ..measures.accuracy import accuracy, mean_over_tokens, solve, token_entropy, wrong_steps_rate
from ..measures.pass_at_k import distinct_correct, maj_at_k, pass_at_k, per_problem
from ..policy import Policy, Rollouts, SftConfig
from ..run.errors import SpkitError
from ..run.folder import Run
from ..tasks import Problem, Task, Verdict, problems, test_set
from .finishing import finished_share
from .verify import VERIFIERS, accept

Pair = tuple[str, list[int]]

VALIDATION_STREAM = 1_000_003  # validation problems come from this stream; give no loop this seed


@dataclass(frozen=True)
class Sample:
    """One completion: its problem, its tokens (the end token only if it finished), its verdict, and its path,
    by which copies are known.
    """

    problem: Problem
    token_ids: list[int]
    text: str
    verdict: Verdict
    path: str

    @property
    def pair(self) -> Pair:
        """What is trained on: the problem's own prompt and the completion."""
        return self.problem.prompt, self.token_ids


def grow(
    policy: Policy, task: Task, batch: Sequence[Problem], k: int, temperature: float, draw: torch.Generator, run: Run
) -> list[Sample]:
    """k completions of every problem, those of a problem next to each other."""
    with run.stage("grow", len(batch) * k, "samples") as tick:
        rollouts, verdicts = solve(policy, task, batch, n=k, temperature=temperature, generator=draw, on_rows=tick)
    asked = [problem for problem in batch for _ in range(k)]
    rows = zip(asked, rollouts.token_ids, rollouts.texts, verdicts, strict=True)
    return [Sample(problem, ids, text, verdict, task.path(problem, text)) for problem, ids, text, verdict in rows]


@dataclass(frozen=True)
class Filter:
    """What is kept of the samples: a verifier's word, copies dropped (`unique`), at most `cap` a problem.

    `random` stands for the control of equal size: as many samples as the gold answer check would leave, drawn without
    looking from all that uniqueness and cap allow.
    """

    verifier: Literal["gold", "steps", "noisy", "majority", "none", "random"] = "gold"
    flip_rate: float = 0.0
    unique: bool = True
    cap: int | None = None

    def __post_init__(self) -> None:
        one_of(self, verifier=(*VERIFIERS, "random"))
        at_least(self, 1, "cap")
        if not 0 <= self.flip_rate <= 1:
            raise SpkitError(f"flip_rate must be between 0 and 1, not {self.flip_rate}")


def keep(samples: Sequence[Sample], k: int, rule: Filter, draw: torch.Generator) -> list[Sample]:
    """The samples to train on: verified, then without copies, then capped.

    `samples` holds k of every problem, next to each other.
    """
    verifier = "gold" if rule.verifier == "random" else rule.verifier
    flags = accept([sample.verdict for sample in samples], k, verifier, rule.flip_rate, draw)
    kept = _limited([sample for sample, flag in zip(samples, flags) if flag], rule)
    if rule.verifier != "random":
        return kept
    pool = _limited(samples, rule)
    return [pool[i] for i in sorted(torch.randperm(len(pool), generator=draw)[: len(kept)].tolist())]


def _limited(samples: Sequence[Sample], rule: Filter) -> list[Sample]:
    return capped(distinct(samples) if rule.unique else samples, rule.cap)


def distinct(samples: Iterable[Sample]) -> list[Sample]:
    """The first of every path of every problem."""
    first: dict[tuple[str, str], Sample] = {}
    for sample in samples:
        first.setdefault((sample.problem.prompt, sample.path), sample)
    return list(first.values())


def capped(samples: Iterable[Sample], cap: int | None) -> list[Sample]:
    """At most `cap` of every problem, the first ones.

    No limit for None. Call it after `distinct`, or copies use the places up.
    """
    counts: dict[str, int] = {}
    kept = []
    for sample in samples:
        counts[sample.problem.prompt] = counts.get(sample.problem.prompt, 0) + 1
        if cap is None or counts[sample.problem.prompt] <= cap:
            kept.append(sample)
    return kept


def validation_set(task: Task, count: int) -> list[Problem]:
    """Problems of the train split from a stream of their own, the same for every seed.

    Where a task has few problems of a difficulty, a loop may be asked some of these too: of order-free sums of two
    terms there are about 170.
    """
    return problems(task, VALIDATION_STREAM, 0, count)


def improve(
    start: Policy, pairs: Sequence[Pair], update: SftConfig, draw: torch.Generator, run: Run
) -> tuple[Policy, dict[str, Any]]:
    """Fine-tune a copy of `start`; nothing to train on leaves it as it is."""
    policy = start.clone()
    with run.stage("improve", update.steps, "steps") as tick:
        learned = policy.fit(pairs, update, draw, lambda *_: tick(1)) if pairs else {}
    return policy, learned


def improve_to_best(
    start: Policy,
    task: Task,
    pairs: Sequence[Pair],
    update: SftConfig,
    draw: torch.Generator,
    run: Run,
    every: int,
    validation: Sequence[Problem],
) -> tuple[Policy, dict[str, Any]]:
    """`improve`, and hand back the weights that did best on `validation`, looked at every `every`
    steps and after the last one.

    The earliest of equals wins. The learning rate does not know that it may be stopped: its schedule is that of all the
    steps. Without validation problems this is `improve`.
    """
    if not pairs or not validation:
        return improve(start, pairs, update, draw, run)
    policy, best, curve = start.clone(), start.clone(), {}

    def look(step: int, loss: float) -> None:
        nonlocal best
        tick(1)
        if step % every == 0 or step == update.steps:
            share = accuracy(validation, solve(policy, task, validation)[1])["accuracy"]
            if share > max(curve.values(), default=-1.0):
                best = policy.clone()
            curve[step] = share

    with run.stage("improve", update.steps, "steps") as tick:
        learned = policy.fit(pairs, update, draw, look)
    chosen = max(curve, key=lambda step: (curve[step], -step))
    return best, {**learned, "best_step": chosen, "validation": curve[chosen]}


def measure(
    policy: Policy,
    task: Task,
    per_difficulty: int,
    run: Run,
    *,
    train: Sequence[Problem] = (),
    extrapolate: bool = False,
) -> dict[str, Any]:
    """Greedy accuracy on the fixed test set, on `train` problems and on harder ones if asked for, and two
    completions each as `samples`.

    `finished` is the share of the test completions that ended by themselves; see `finished_share`.
    """
    tests = test_set(task, per_difficulty)
    harder = test_set(task, per_difficulty, task.extrapolation) if extrapolate else []
    with run.stage("measure", len(tests), "problems") as tick:
        rollouts, verdicts = solve(policy, task, tests, on_rows=tick)
        extra = {
            name: accuracy(asked, solve(policy, task, asked)[1])
            for name, asked in (("train", train), ("harder", harder))
            if asked
        }
    shown: dict[int, list[dict[str, Any]]] = {problem.difficulty: [] for problem in tests}
    for problem, text, verdict in zip(tests, rollouts.texts, verdicts):
        shown[problem.difficulty].append({"prompt": problem.prompt, "completion": text, **asdict(verdict)})
    result = {
        **accuracy(tests, verdicts),
        "finished": finished_share(policy, rollouts, run),
        "samples": [sample for group in shown.values() for sample in group[:2]],
    }
    if train:
        result["train_accuracy"] = extra["train"]["accuracy"]
    if harder:
        result["extrapolation"] = extra["harder"]["accuracy_by_difficulty"]
    return result


def profile(policy: Policy, task: Task, tests: Sequence[Problem], n: int, draw: torch.Generator) -> dict[str, Any]:
    """What n samples a problem at temperature 1 say, averaged over problems.

    `pass_at_k` and `maj_at_k` for k = 1, 2, 4, ... up to n, by k as text; `distinct_correct`, the right paths among the
    n; `entropy`, the mean next-token entropy (nats) on the samples.
    """
    rollouts, verdicts = solve(policy, task, tests, n=n, temperature=1.0, generator=draw)
    return profile_of(policy, task, tests, rollouts, verdicts)


def profile_of(
    policy: Policy, task: Task, tests: Sequence[Problem], rollouts: Rollouts, verdicts: Sequence[Verdict]
) -> dict[str, Any]:
    """What `profile` says, of samples at temperature 1 that are there already."""
    n = len(rollouts) // max(1, len(tests))
    rows = per_problem(verdicts, n)
    right = [[verdict.correct for verdict in row] for row in rows]
    texts = per_problem(rollouts.texts, n)
    paths = [[task.path(problem, text) for text in row] for problem, row in zip(tests, texts)]
    ks = [2**i for i in range(n.bit_length()) if 2**i <= n]
    votes, gold = [[verdict.parsed for verdict in row] for row in rows], [problem.answer for problem in tests]
    return {
        "pass_at_k": {str(k): pass_at_k([sum(row) for row in right], n, k) for k in ks},
        "maj_at_k": {str(k): maj_at_k(votes, gold, k) for k in ks},
        "distinct_correct": distinct_correct(paths, right),
        "entropy": mean_over_tokens(token_entropy(policy, rollouts.prompts, rollouts.token_ids)),
    }


def count(grown: Sequence[Sample], kept: Sequence[Sample]) -> dict[str, Any]:
    """What a record says of the samples: how many, how good, how many kept, on how many problems,
    how hard, how many paths.
    """
    asked = {sample.problem.prompt for sample in grown}
    right = [sample for sample in grown if sample.verdict.correct]
    shares: dict[str, float] = {}
    for sample in kept:
        key = str(sample.problem.difficulty)
        shares[key] = shares.get(key, 0.0) + 1 / len(kept)
    return {
        "problems": len(asked),
        "samples_drawn": len(grown),
        "sampled_accuracy": len(right) / max(1, len(grown)),
        "mean_reward": sum(sample.verdict.reward for sample in grown) / max(1, len(grown)),
        "distinct_right": len(distinct(right)) / max(1, len({sample.problem.prompt for sample in right})),
        "kept": len(kept),
        "used": len({sample.problem.prompt for sample in kept}) / max(1, len(asked)),
        "kept_wrong_rate": sum(not sample.verdict.correct for sample in kept) / max(1, len(kept)),
        "kept_wrong_steps_rate": wrong_steps_rate([sample.verdict for sample in kept]),
        "kept_by_difficulty": {key: round(shares[key], 4) for key in sorted(shares, key=int)},
    }


def at_least(config: Any, low: float, *names: str) -> None:
    """Raise SpkitError naming the first of these settings that is below `low`."""
    for name in names:
        value = getattr(config, name)
        if value is not None and not value >= low:
            raise SpkitError(f"{name} must be {low:g} or more, not {value}")


def one_of(config: Any, **choices: Sequence[str]) -> None:
    """Raise SpkitError naming the first setting that is not among its choices."""
    for name, allowed in choices.items():
        if getattr(config, name) not in allowed:
            raise SpkitError(f"{name} must be one of {', '.join(allowed)}, not {getattr(config, name)!r}")
