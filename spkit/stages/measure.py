"""Stage 5, measure: what a record says of the policy and of what was kept."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any

import torch

from ..maths.estimators import kl_estimate
from ..measures.accuracy import accuracy, lenient_flags, wrong_steps_rate
from ..measures.pass_at_k import distinct_correct, maj_at_k, pass_at_k
from ..measures.tokens import mean_over_tokens, token_entropy
from ..policy import Policy
from ..run.errors import SpkitError
from ..run.folder import Run
from ..run.streams import generator
from ..tasks import Problem, Task, Verdict, test_set
from .finishing import finished_share
from .solve import Attempts, Sample, repeated, solve
from .verify import distinct


def measure(
    policy: Policy,
    task: Task,
    per_difficulty: int,
    run: Run,
    *,
    train: Sequence[Problem] = (),
    extrapolate: bool = False,
) -> dict[str, Any]:
    """Greedy accuracy on the fixed test set, on `train` problems and on harder ones if asked for; `samples`.

    The samples are the first completions of each difficulty; `finished` is the share of the test completions that ended
    by themselves (see `finished_share`). Where the task has a lenient check, the accuracies are there as it finds them,
    too, and `mean_tokens`, the mean length of the test completions.
    """
    tests = test_set(task, per_difficulty)
    harder = test_set(task, per_difficulty, task.extrapolation) if extrapolate else []
    with run.stage("measure", len(tests), "problems") as tick:
        greedy = solve(policy, task, tests, on_rows=tick)
        on_train, on_harder = (
            accuracy(asked, solve(policy, task, asked).verdicts) if asked else {} for asked in (train, harder)
        )
    result = {
        **accuracy(tests, greedy.verdicts),
        **(mean_tokens(greedy.rollouts.token_ids) if lenient_flags(greedy.verdicts) else {}),
        "finished": finished_share(policy, greedy.rollouts, run),
        "samples": first_samples(zip(tests, greedy.rollouts.texts, greedy.verdicts), task.samples_shown),
    }
    if train:
        result["train_accuracy"] = on_train["accuracy"]
        result |= {"lenient_train_accuracy": on_train["lenient_accuracy"]} if "lenient_accuracy" in on_train else {}
    if harder:
        result["extrapolation"] = on_harder["accuracy_by_difficulty"]
        by_lenient = on_harder.get("lenient_accuracy_by_difficulty")
        result |= {"lenient_extrapolation": by_lenient} if by_lenient else {}
    return result


def first_samples(rows: Iterable[tuple[Problem, str, Verdict]], count: int = 2) -> list[dict[str, Any]]:
    """The first `count` of each difficulty, of (problem, completion, verdict), as rows of samples.jsonl.

    A verdict without a lenient check is written without it.
    """
    shown: dict[int, list[dict[str, Any]]] = {}
    for problem, text, verdict in rows:
        shown.setdefault(problem.difficulty, []).append(
            {"prompt": problem.prompt, "completion": text, **verdict_row(verdict)}
        )
    return [sample for group in shown.values() for sample in group[:count]]


def verdict_row(verdict: Verdict) -> dict[str, Any]:
    """A verdict as plain data, without `lenient` where the task has no such check."""
    return {name: value for name, value in asdict(verdict).items() if name != "lenient" or value is not None}


def mean_tokens(token_ids: Sequence[Sequence[int]]) -> dict[str, float]:
    """`mean_tokens`, the mean length of completions in tokens, what ended them included."""
    return {"mean_tokens": fmean(map(len, token_ids))}


def lenient_counts(
    verdicts: Sequence[Verdict], finished: Sequence[bool], token_ids: Sequence[Sequence[int]]
) -> dict[str, float]:
    """`sampled_lenient_accuracy`, `sampled_finished` (share that ended by themselves) and `sampled_mean_tokens` of
    samples; empty where the task has no lenient check.
    """
    flags = lenient_flags(verdicts)
    if not flags:
        return {}
    return {
        "sampled_lenient_accuracy": fmean(flags),
        "sampled_finished": fmean(finished),
        "sampled_mean_tokens": mean_tokens(token_ids)["mean_tokens"],
    }


def sampled_profile(
    policy: Policy, task: Task, tests: Sequence[Problem], k: int, draw: torch.Generator
) -> dict[str, Any]:
    """What k samples a problem at temperature 1 say; see `profile_of`."""
    return profile_of(policy, task, solve(policy, task, tests, k, temperature=1.0, generator=draw))


def profile_of(policy: Policy, task: Task, drawn: Attempts) -> dict[str, Any]:
    """What samples at temperature 1 say, averaged over problems.

    `pass_at_k` and `maj_at_k` for k = 1, 2, 4, ... up to the number of samples, by k as text; `distinct_correct`, the
    right paths among them; `entropy`, the mean next-token entropy (nats) on the samples. `lenient_pass_at_k` is pass@k
    by the task's lenient check, where it has one.
    """
    right = [[verdict.correct for verdict in row] for row in drawn.by_problem(drawn.verdicts)]
    texts = drawn.by_problem(drawn.rollouts.texts)
    paths = [[task.path(problem, text) for text in row] for problem, row in zip(drawn.problems, texts)]
    ks = [2**i for i in range(drawn.k.bit_length()) if 2**i <= drawn.k]
    votes = [[verdict.parsed for verdict in row] for row in drawn.by_problem(drawn.verdicts)]
    gold = [problem.answer for problem in drawn.problems]
    of_counts = lambda counts: {str(k): pass_at_k(counts, drawn.k, k) for k in ks}
    lenient = [sum(row) for row in drawn.by_problem(lenient_flags(drawn.verdicts))]
    return {
        "pass_at_k": of_counts([sum(row) for row in right]),
        **({"lenient_pass_at_k": of_counts(lenient)} if lenient else {}),
        "maj_at_k": {str(k): maj_at_k(votes, gold, k) for k in ks},
        "distinct_correct": distinct_correct(paths, right),
        "entropy": mean_over_tokens(token_entropy(policy, drawn.rollouts.prompts, drawn.rollouts.token_ids)),
    }


def kept_counts(drawn: Sequence[Sample], kept: Sequence[Sample]) -> dict[str, Any]:
    """What a record says of the samples: how many, how good, how many kept, on how many problems,
    how hard, how many paths.
    """
    asked = {sample.problem.prompt for sample in drawn}
    right = [sample for sample in drawn if sample.verdict.correct]
    shares: dict[str, float] = {}
    for sample in kept:
        key = str(sample.problem.difficulty)
        shares[key] = shares.get(key, 0.0) + 1 / len(kept)
    return {
        "problems": len(asked),
        "samples_drawn": len(drawn),
        "sampled_accuracy": len(right) / max(1, len(drawn)),
        "mean_reward": sum(sample.verdict.reward for sample in drawn) / max(1, len(drawn)),
        "distinct_right": len(distinct(right)) / max(1, len({sample.problem.prompt for sample in right})),
        "kept": len(kept),
        "used": len({sample.problem.prompt for sample in kept}) / max(1, len(asked)),
        "kept_wrong_rate": sum(not sample.verdict.correct for sample in kept) / max(1, len(kept)),
        "kept_wrong_steps_rate": wrong_steps_rate([sample.verdict for sample in kept]),
        "kept_by_difficulty": {key: round(shares[key], 4) for key in sorted(shares, key=int)},
        **lenient_counts(*([getattr(one, name) for one in drawn] for name in ("verdict", "finished", "token_ids"))),
    }


def train_test_gap(policy: Policy, task: Task, train: Sequence[Problem], test: Sequence[Problem]) -> dict[str, float]:
    """Greedy accuracies `train` and `test`, weighted as in `accuracy`, and `gap`, how much higher `train` is.

    What was only memorised counts in `train` alone. Raises SpkitError unless both have the same difficulties, at
    least one: the gap would otherwise measure that one set is harder.
    """
    difficulties, others = ({problem.difficulty for problem in problems} for problems in (train, test))
    if difficulties != others or not difficulties:
        raise SpkitError(
            f"difficulties {sorted(difficulties)} in training and {sorted(others)} in test: compare the "
            "same ones, at least one"
        )
    seen, unseen = (
        accuracy(problems, solve(policy, task, problems).verdicts)["accuracy"] for problems in (train, test)
    )
    return {"train": seen, "test": unseen, "gap": seen - unseen}


def rationale_counts(asked: int, kept: list[Sample], hinted: list[Sample]) -> dict[str, Any]:
    """How many rationales are trained on, what share of the problems they cover, and how many have a wrong step."""
    return {
        "problems": asked,
        "kept": len(kept),
        "rationalized": len(hinted),
        "used": (len(kept) + len(hinted)) / asked,
        "kept_wrong_steps_rate": wrong_steps_rate([rationale.verdict for rationale in kept + hinted]),
    }


def attempt_counts(attempts: Attempts) -> dict[str, Any]:
    """How many samples of how many distinct problems, and how good the exact check finds them before the update."""
    verdicts = attempts.verdicts
    return {
        "problems": len({problem.prompt for problem in attempts.problems}),
        "samples_drawn": len(verdicts),
        "sampled_accuracy": sum(verdict.correct for verdict in verdicts) / len(verdicts),
        "mean_reward": sum(verdict.reward for verdict in verdicts) / len(verdicts),
        **lenient_counts(verdicts, attempts.rollouts.finished, attempts.rollouts.token_ids),
    }


def measure_sampled(
    policy: Policy, base: Policy, task: Task, per_difficulty: int, k: int, run: Run, draw: torch.Generator
) -> dict[str, Any]:
    """Greedy accuracy, and of samples at temperature 1: accuracy, pass@k, maj@k, entropy, KL(policy || base).

    The last is in nats a token.
    """
    result = measure(policy, task, per_difficulty, run)
    tests = test_set(task, per_difficulty)
    with run.stage("measure"):
        drawn = solve(policy, task, tests, k, temperature=1.0, generator=draw)
        sampled = accuracy(repeated(tests, k), drawn.verdicts)
        here, there = (one.logprobs(drawn.rollouts.prompts, drawn.rollouts.token_ids) for one in (policy, base))
        return result | {
            "test_sampled_accuracy": sampled["accuracy"],
            "test_sampled_accuracy_by_difficulty": sampled["accuracy_by_difficulty"],
            **lenient_on_tests(drawn, sampled),
            **profile_of(policy, task, drawn),
            "kl_to_base": mean_over_tokens([kl_estimate(ours, theirs) for ours, theirs in zip(here, there)]),
        }


def measure_when_due(policy: Policy, base: Policy, task: Task, config: Any, run: Run, t: int) -> dict[str, Any]:
    """`measure_sampled` after the base, every `measure_every` iterations and the last one; else only
    an empty list of samples.
    """
    if t % config.measure_every and t != config.iterations:
        return {"samples": []}
    draw = generator(config.seed, t, "profile")
    return measure_sampled(policy, base, task, config.test_per_difficulty, config.test_samples, run, draw)


def lenient_on_tests(drawn: Attempts, sampled: dict[str, Any]) -> dict[str, Any]:
    """What `lenient_counts` says of samples of the test set, under names with `test_`, and by difficulty.

    `sampled` is their `accuracy`.
    """
    rollouts = drawn.rollouts
    counts = lenient_counts(drawn.verdicts, rollouts.finished, rollouts.token_ids)
    by_lenient = {"test_sampled_lenient_accuracy_by_difficulty": sampled.get("lenient_accuracy_by_difficulty")}
    named = {f"test_{name}": value for name, value in counts.items()} | by_lenient
    return named | {"test_sampled_lenient_accuracy": sampled["lenient_accuracy"]} if counts else {}
