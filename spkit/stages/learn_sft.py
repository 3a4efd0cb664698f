"""Stage 4, learn: supervised fine-tuning of a copy, on what a verifier kept."""

from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any

import torch

from ..measures.accuracy import accuracy
from ..policy import Policy, SftConfig
from ..policy.rollouts import Pair
from ..policy.training import Example, one_pass, sft_step
from ..run.folder import Run
from ..run.settings import at_least
from ..run.streams import VALIDATION
from ..tasks import Problem, Task, problems
from .solve import solve


def check_sft(update: SftConfig) -> None:
    """Raise SpkitError for settings of an update that are out of range."""
    at_least(update, 1, "steps", "batch_size")
    at_least(update, 0, "learning_rate")


def fine_tune(
    start: Policy, pairs: Sequence[Pair], update: SftConfig, draw: torch.Generator, run: Run
) -> tuple[Policy, dict[str, Any]]:
    """Fine-tune a copy of `start`; nothing to train on leaves it as it is."""
    policy = start.clone()
    with run.stage("learn", update.steps, "steps") as tick:
        learned = policy.fit(pairs, update, draw, lambda *_: tick(1)) if pairs else {}
    run.spend(optimizer_steps=learned.get("steps", 0))
    return policy, learned


def learn_from_solutions(
    policy: Policy,
    optimizer: torch.optim.Optimizer,
    pairs: Sequence[Pair],
    batch_size: int,
    clip: float,
    draw: torch.Generator,
    on_step: Callable[[int], None] = lambda steps: None,
) -> dict[str, float]:
    """Train the policy in place: one pass over (prompt, completion ids), with an optimizer that goes on.

    Returns `steps` and the mean `loss` (nats a token). Raises NotFinite if training diverges.
    """
    examples, losses = [Example(policy.prompt_ids(prompt), ids) for prompt, ids in pairs], []
    lengths = [len(example.prompt) + len(example.completion) for example in examples]
    for number, chosen in enumerate(one_pass(lengths, batch_size, draw), 1):
        batch = [examples[i] for i in chosen]
        losses.append(sft_step(policy.model, optimizer, batch, policy.pad_id, policy.budget, clip, number))
        on_step(1)
    return {"steps": len(losses), "loss": fmean(losses)}


def fine_tune_to_best(
    start: Policy,
    task: Task,
    pairs: Sequence[Pair],
    update: SftConfig,
    draw: torch.Generator,
    run: Run,
    every: int,
    validation: Sequence[Problem],
) -> tuple[Policy, dict[str, Any]]:
    """`fine_tune`, and hand back the weights that did best on `validation`.

    It is looked at every `every` steps and after the last one; the earliest of equals wins. The learning rate does not
    know that it may be stopped: its schedule is that of all the steps. Without validation problems this is `fine_tune`.
    """
    if not pairs or not validation:
        return fine_tune(start, pairs, update, draw, run)
    policy, best, curve = start.clone(), start.clone(), {}

    def look(step: int, loss: float) -> None:
        nonlocal best
        tick(1)
        if step % every == 0 or step == update.steps:
            attempts = solve(policy, task, validation)
            run.spend(sampled_tokens=attempts.rollouts.tokens)
            share = accuracy(validation, attempts.verdicts)["accuracy"]
            if share > max(curve.values(), default=-1.0):
                best = policy.clone()
            curve[step] = share

    with run.stage("learn", update.steps, "steps") as tick:
        learned = policy.fit(pairs, update, draw, look)
    run.spend(optimizer_steps=learned["steps"])
    chosen = max(curve, key=lambda step: (curve[step], -step))
    return best, {**learned, "best_step": chosen, "validation": curve[chosen]}


def validation_set(task: Task, count: int) -> list[Problem]:
    """Problems of the train split from a stream of their own, the same for every seed.

    Where a task has few problems of a difficulty, a loop may be asked some of these too: of order-free sums of two
    terms there are about 170.
    """
    return problems(task, VALIDATION, 0, count)
