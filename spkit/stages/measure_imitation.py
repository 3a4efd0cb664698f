"""Stage 5, measure: how near a policy is to the references, and how well it tells them from an opponent's replies."""

from collections.abc import Sequence
from typing import Any

import torch

from ..measures.imitation import discriminator_auc, distance_to_references, sample_statistics
from ..policy import Policy
from ..run.folder import Run
from ..tasks import Problem, Replies, Task, test_set
from .measure import lenient_counts, measure
from .solve import solve


def held_out(
    opponent: Policy, task: Task, asked: Sequence[Problem], variant: int, draw: torch.Generator
) -> dict[str, Any]:
    """References (by writer `variant`) and replies of the opponent to the test prompts, with the opponent's
    log-probabilities: what the discriminator is shown.
    """
    real = [opponent.completion_ids(task.reference(problem, variant)) for problem in asked]
    rollouts = solve(opponent, task, asked, temperature=1.0, generator=draw).rollouts
    prompts = [problem.prompt for problem in asked]
    return {
        "prompts": prompts,
        "real": real,
        "generated": rollouts.token_ids,
        "before": [_sums(opponent, prompts, ids) for ids in (real, rollouts.token_ids)],
    }


def _sums(policy: Policy, prompts: Sequence[str], completions: Sequence[list[int]]) -> list[float]:
    return [float(row.double().sum()) for row in policy.logprobs(prompts, completions)]


def discriminate(policy: Policy, view: dict[str, Any], beta: float) -> dict[str, Any]:
    """What the trained policy, as a discriminator, says of replies it was not trained on.

    `auc` of telling real from generated; `rewards` of both (nats times beta); `held_out_displacement`, how much
    likelier (nats) each has become; `kl_opponent`, KL(opponent || policy) estimated on the opponent's replies.
    """
    after = [_sums(policy, view["prompts"], view[side]) for side in ("real", "generated")]
    shift = [[new - old for new, old in zip(now, before)] for now, before in zip(after, view["before"])]
    means = [sum(values) / len(values) for values in shift]
    return {
        "auc": discriminator_auc(*shift),
        "rewards": {
            side: [round(beta * value, 4) for value in values] for side, values in zip(("real", "generated"), shift)
        },
        "held_out_displacement": {"real": means[0], "generated": means[1]},
        "kl_opponent": -means[1],
    }


def measure_imitation(
    policy: Policy,
    base: Policy,
    task: Task,
    per_difficulty: int,
    exact_per_difficulty: int,
    run: Run,
    draw: torch.Generator,
) -> dict[str, Any]:
    """Greedy accuracy, fresh samples at temperature 1, and the exact distance to the references where it is known."""
    asked = test_set(task, per_difficulty)
    result = measure(policy, task, per_difficulty, run)
    with run.stage("measure", len(asked), "replies"):
        drawn = solve(policy, task, asked, temperature=1.0, generator=draw)
        rollouts, verdicts = drawn.rollouts, drawn.verdicts
        result |= sample_statistics(policy, rollouts.prompts, rollouts.token_ids, rollouts.finished)
        ours, theirs = rollouts.logprobs.double().sum().item(), sum(_sums(base, rollouts.prompts, rollouts.token_ids))
        result |= {
            "sampled_accuracy": sum(v.correct for v in verdicts) / len(verdicts),
            "kl_base": (ours - theirs) / len(asked),
            **lenient_counts(verdicts, rollouts.finished, rollouts.token_ids),
        }
        if isinstance(task, Replies):
            result |= distance_to_references(policy, task, test_set(task, exact_per_difficulty))
    return result
