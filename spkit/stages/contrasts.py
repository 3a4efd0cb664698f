"""Stage 3, verify, in SPIN: which completion is real is known from where it comes; the pairs that are told apart."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ..policy import Policy
from ..run.folder import Run
from ..run.streams import generator
from ..tasks import Task
from .learn_preference import Contrast
from .references import Referenced, draw_preferences


def contrast(
    policy: Policy,
    task: Task,
    real: Sequence[Referenced],
    shown: Mapping[int, list[list[int]]],
    run: Run,
    t: int,
    config: Any,
) -> list[Contrast]:
    """What iteration t trains on: each reference against the reply of this iteration's opponent and of the last one's.

    `config` is a `SpinConfig`. SFT reads the references alone, DPO preference pairs alone. `shown` stands in for the
    references where the opponent plays both sides.
    """
    prompts, references, contrasts = [one.prompt for one in real], [one.token_ids for one in real], []
    initial = [ids for _, ids in run.stored(0)] if config.kind == "tspin" and t > 1 else [None] * len(real)
    for i, generated in zip(config.trained_on(t), played(run, t, config)):
        contrasts += contrasts_of(policy, prompts, shown.get(i, references), generated or references, initial)
    count = len(real) if config.kind == "dpo" else round(config.preference * len(real))
    pairs = draw_preferences(task, config.seed, config.references, count) if count else []
    return contrasts + preference_contrasts(policy, pairs)


def played(run: Run, t: int, config: Any) -> list[list[list[int]]]:
    """The opponents' replies of iteration t, as token ids: one list for each of `config.trained_on(t)`.

    From a pool, each prompt gets the replies of as many different iterations up to t, all equally likely: the last one
    has no priority.
    """
    latest = config.trained_on(t)
    if config.opponents == "latest" or not latest:
        return [[ids for _, ids in run.stored(i)] for i in latest]
    past, draw = [run.stored(i) for i in range(1, t + 1)], generator(config.seed, t, "pool")
    orders = [torch.randperm(t, generator=draw).tolist() for _ in past[0]]
    return [[past[order[place]][row][1] for row, order in enumerate(orders)] for place in range(len(latest))]


def contrasts_of(
    policy: Policy,
    prompts: Sequence[str],
    real: Sequence[list[int]],
    generated: Sequence[list[int]],
    initial: Sequence[list[int] | None],
) -> list[Contrast]:
    """One contrast a prompt, of completions as token ids."""
    rows = zip(prompts, real, generated, initial, strict=True)
    return [Contrast(policy.prompt_ids(prompt), *completions) for prompt, *completions in rows]


def preference_contrasts(policy: Policy, rows: Sequence[tuple[str, str, str]]) -> list[Contrast]:
    """Contrasts of (prompt, chosen, rejected)."""
    ids = policy.completion_ids
    return [Contrast(policy.prompt_ids(prompt), ids(good), ids(bad), preference=True) for prompt, good, bad in rows]
