"""Texts to read, of equal length in tokens, and what each token of them is."""

from collections.abc import Sequence
from itertools import count

import torch
from torch import Tensor

from ..policy import Policy
from ..run.errors import SpkitError
from ..tasks import Chains, Task
from ..tasks.base import Split
from ..tasks.chains import chains_text, kinds_of_characters


def texts_of(
    policy: Policy, task: Task, seed: int, start: int, number: int, length: int, split: Split = "train"
) -> Tensor:
    """Token ids (number, length) of texts `start`, `start + 1`, ... of the stream `seed`: of chains as in
    `spkit.tasks.chains`, of other tasks problems with their solutions, one behind the other.

    Raises SpkitError for a length that is not below the policy's context.
    """
    if not 2 <= length < policy.context:
        raise SpkitError(
            f"texts must have 2 to {policy.context - 1} tokens, not {length}: that is what the model reads"
        )
    if isinstance(task, Chains):
        rows = [policy.tokenizer(chains_text(task, seed, start + i, length, split))["input_ids"] for i in range(number)]
    else:
        rows = [_joined(policy, task, seed, start + i, length, split) for i in range(number)]
    return torch.tensor(rows)


def _joined(policy: Policy, task: Task, seed: int, index: int, length: int, split: Split) -> list[int]:
    ids: list[int] = []
    for number in count(index * length):
        problem = task.problem(seed, number, split=split)
        ids += policy.tokenizer(f"{problem.prompt} {task.solution(problem)}\n", add_special_tokens=False)["input_ids"]
        if len(ids) >= length:
            return ids[:length]
    raise AssertionError("unreachable")


def kinds_of_tokens(policy: Policy, task: Task, ids: Sequence[int]) -> list[str]:
    """What each token of a text is: of chains as `kinds_of_characters` says; of other texts `number` or `other`."""
    if isinstance(task, Chains):
        return list(kinds_of_characters("".join(policy.tokenizer.convert_ids_to_tokens(list(ids)))))
    pieces = [policy.tokenizer.decode([one]) for one in ids]
    return ["number" if piece.strip().isdecimal() else "other" for piece in pieces]
