"""Stage 2, solve, where no task checks an answer: a policy's replies to the reference prompts."""

from collections.abc import Sequence

import torch

from ..policy import Policy
from ..policy.rollouts import Pair
from ..run.folder import Run
from .references import Referenced


def replies_to(
    policy: Policy,
    real: Sequence[Referenced],
    temperature: float,
    draw: torch.Generator,
    run: Run,
    share: float = 1.0,
    ends: bool = False,
) -> list[Pair]:
    """(prompt, completion ids): one reply of the policy to every reference prompt, at most as long as the longest
    reference.

    Of each reply the first `share` is kept; `ends` gives what is cut off an end token.
    """
    longest, prompts = max(len(one.token_ids) for one in real), [one.prompt for one in real]
    with run.stage("solve", len(prompts), "replies") as tick:
        rollouts = policy.sample(prompts, temperature=temperature, max_new_tokens=longest, generator=draw, on_rows=tick)
    run.spend(sampled_tokens=rollouts.tokens)
    end = policy.prompting.end_ids(policy.tokenizer) if ends and share < 1 else []
    return list(zip(prompts, [cut(ids, share) + end for ids in rollouts.token_ids], strict=True))


def cut(token_ids: list[int], share: float) -> list[int]:
    """The first `share` of a reply, without the end token that came after; all of it for 1."""
    return token_ids if share == 1 else token_ids[: max(1, int(share * len(token_ids)))]
