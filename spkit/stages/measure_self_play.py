"""What a record of Absolute Zero says: of the proposals, of the attempts, of the test set; and the rollouts
as rows of samples.jsonl.

Entropies are minus the mean log-probability of a role's own tokens, in nats: its expectation is the mean
entropy of the next token.
"""

from collections import Counter
from collections.abc import Sequence
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from ..maths.advantages import useful_groups
from ..measures.accuracy import by_difficulty, lenient_accuracy
from ..measures.pass_at_k import pass_at_k
from ..measures.tokens import mean_over_tokens
from ..policy import Policy
from ..run.folder import Run
from ..run.streams import generator
from ..tasks import Kind, Proposable, test_set
from .finishing import finished_share
from .measure import first_samples, lenient_counts
from .propose import Proposed
from .solve import Attempts, repeated, solve
from .verify import majority_correct, vote_shares


def proposal_record(proposals: Sequence[Proposed], rewards: Sequence[float | None]) -> dict[str, Any]:
    """Of all proposals: shares `valid`, `duplicates` and `held_out`, `faults` (share of each); of the valid ones
    `distinct_programs` (share) and, of deduction and abduction, `proposed_depth` (mean); `proposer_entropy`,
    `proposer_length` (tokens) and `proposer_reward`, overall and by kind. Empty without proposals.
    """
    if not proposals:
        return {}
    total = len(proposals)
    faults = Counter(made.fault for made in proposals if made.fault)
    depths = [made.problem.difficulty for made in proposals if made.valid and made.kind != "induction"]
    earned = [(made.kind, reward) for made, reward in zip(proposals, rewards) if reward is not None]
    programs = [(made.kind, made.problem.program) for made in proposals if made.valid]
    result: dict[str, Any] = {
        "distinct_programs": len(set(programs)) / len(programs) if programs else None,
        "valid": sum(made.valid for made in proposals) / total,
        "faults": {fault: count / total for fault, count in sorted(faults.items())},
        "duplicates": faults["duplicate"] / total,
        "held_out": faults["held out"] / total,
        "proposed_depth": mean(depths),
        "proposer_reward": mean([reward for _, reward in earned]),
        "proposer_reward_by_kind": _by_kind([kind for kind, _ in earned], [reward for _, reward in earned]),
        "valid_by_kind": _by_kind([made.kind for made in proposals], [made.valid for made in proposals]),
    }
    written = [made for made in proposals if made.token_ids]
    if written:
        tokens = sum(len(made.token_ids) for made in written)
        result["proposer_entropy"] = -sum(made.logprobs.sum().item() for made in written) / tokens
        result["proposer_length"] = tokens / len(written)
    return result


def attempt_record(
    attempts: Attempts, scores: Tensor, rewards: Tensor, origins: Sequence[int | None]
) -> dict[str, Any]:
    """Of the problems that were solved: `filled` (share from a buffer), `depth`; `solve_rate`, the mean score r;
    `learnability`, the mean of r(1-r); `useful_groups`; `sampled_accuracy` by the exact check, `vote_share` and their
    difference `vote_gap`; `vote_right`, the share of problems whose commonest answer is right, overall and by depth;
    the solver's entropy, length (tokens), finished share and reward.
    """
    rates, kinds = scores.mean(1), [problem.kind for problem in attempts.problems]
    accuracy, votes = attempts.correct.mean().item(), vote_shares(attempts).mean().item()
    rollouts, majority = attempts.rollouts, majority_correct(attempts)
    return {
        "filled": sum(origin is None for origin in origins) / len(origins),
        "depth": fmean(problem.difficulty for problem in attempts.problems),
        "solve_rate": rates.mean().item(),
        "solve_rate_by_kind": _by_kind(kinds, rates.tolist()),
        "solve_rate_by_depth": by_difficulty(attempts.problems, rates.tolist()),
        "learnability": (rates * (1 - rates)).mean().item(),
        "useful_groups": useful_groups(scores),
        "sampled_accuracy": accuracy,
        "vote_share": votes,
        "vote_gap": votes - accuracy,
        "vote_right": fmean(majority),
        "vote_right_by_depth": by_difficulty(attempts.problems, majority),
        "solver_entropy": -mean_over_tokens(rollouts.token_logprobs),
        "solver_length": fmean(map(len, rollouts.token_ids)),
        "solver_finished": fmean(rollouts.finished),
        "solver_reward": rewards.mean().item(),
        "solver_reward_by_kind": _by_kind(kinds, rewards.mean(1).tolist()),
        **lenient_counts(attempts.verdicts, rollouts.finished, rollouts.token_ids),
    }


def measure_kinds(
    policy: Policy, task: Proposable, kinds: Sequence[Kind], per_difficulty: int, samples: int, draw: torch.Generator
) -> tuple[dict[str, Any], Attempts]:
    """On the fixed test problems of each kind, by depth: `greedy` accuracy, and pass@1, pass@2, pass@4, ... of
    `samples` samples at temperature 1. And the greedy attempts themselves.
    """
    tests = [problem for kind in kinds for problem in test_set(task.of_kind[kind], per_difficulty)]
    greedy = solve(policy, task, tests)
    sampled = solve(policy, task, tests, samples, temperature=1.0, generator=draw)
    right = [int(count) for count in sampled.correct.sum(1).tolist()]
    values = {"greedy": greedy.correct.flatten().tolist()}
    for k in (2**i for i in range(samples.bit_length())):
        values[f"pass@{k}"] = [pass_at_k([count], samples, k) for count in right]
    result: dict[str, Any] = {}
    for kind in kinds:
        own = [i for i, problem in enumerate(tests) if problem.kind == kind]
        result[kind] = {
            name: by_difficulty([tests[i] for i in own], [some[i] for i in own]) for name, some in values.items()
        }
    return result, greedy


def measure_self_play(policy: Policy, task: Proposable, config: Any, run: Run, t: int) -> dict[str, Any]:
    """On the fixed test set: `tests`, what `measure_kinds` says; of the task's own kind greedy and sampled accuracy,
    `finished` (see `finished_share`), `pass_at_k`; and the first greedy completions of each depth as `samples`.
    """
    kinds = [task.kind, *(kind for kind in config.kinds if kind != task.kind)]
    draw = generator(config.seed, t, "profile")
    with run.stage("measure"):
        tests, greedy = measure_kinds(policy, task, kinds, config.test_per_difficulty, config.test_samples, draw)
    own = tests[task.kind]
    rows = zip(greedy.problems, greedy.rollouts.texts, greedy.verdicts)
    rows = [row for row in rows if row[0].kind == task.kind]
    return {
        "accuracy": fmean(own["greedy"].values()),
        "accuracy_by_difficulty": own["greedy"],
        **lenient_accuracy([problem for problem, *_ in rows], [verdict for *_, verdict in rows]),
        "finished": finished_share(policy, greedy.rollouts, run),
        "test_sampled_accuracy": fmean(own["pass@1"].values()),
        "test_sampled_accuracy_by_difficulty": own["pass@1"],
        "pass_at_k": {name[5:]: fmean(values.values()) for name, values in own.items() if name.startswith("pass@")},
        "tests": tests,
        "samples": first_samples(rows, task.samples_shown),
    }


def samples_of(
    t: int, attempts: Attempts, rewards: Tensor, proposals: Sequence[Proposed], earned: Sequence[float | None]
) -> list[dict[str, Any]]:
    """All rollouts as rows of samples.jsonl; `gold` of a proposal is the answer of its problem."""
    rows = []
    for made, reward in zip(proposals, earned):
        rest = {"reward": reward, "gold": made.problem.answer if made.valid else None, "fault": made.fault}
        rows.append(
            {"step": t, "role": "proposer", "kind": made.kind, "prompt": made.prompt, "completion": made.text, **rest}
        )
    asked, texts = repeated(attempts.problems, attempts.k), attempts.rollouts.texts
    for problem, text, verdict, reward in zip(asked, texts, attempts.verdicts, rewards.flatten().tolist()):
        rest = {"reward": reward, "gold": problem.answer or None, "correct": verdict.correct}
        rest |= {} if verdict.lenient is None else {"lenient": verdict.lenient}
        rows.append(
            {"step": t, "role": "solver", "kind": problem.kind, "prompt": problem.prompt, "completion": text, **rest}
        )
    return rows


def mean(values: Sequence[float]) -> float | None:
    """The mean, None of nothing."""
    return fmean(values) if values else None


def _by_kind(kinds: Sequence[str], values: Sequence[float]) -> dict[str, float]:
    return {
        kind: fmean(float(value) for own, value in zip(kinds, values) if own == kind) for kind in dict.fromkeys(kinds)
    }
