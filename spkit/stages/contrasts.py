"""Stage 3, verify, in SPIN: which completion is real is known from where it comes; the pairs that are told apart."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..policy import Policy
from ..run.folder import Run
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
    for i in config.trained_on(t):
        generated = [ids for _, ids in run.stored(i)] or references
        contrasts += contrasts_of(policy, prompts, shown.get(i, references), generated, initial)
    count = len(real) if config.kind == "dpo" else round(config.preference * len(real))
    pairs = draw_preferences(task, config.seed, config.references, count) if count else []
    return contrasts + preference_contrasts(policy, pairs)


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
