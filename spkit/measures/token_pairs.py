"""Two policies that read the same tokens: what is computed of both distributions at every completion token."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..policy import Example, Policy
from ..policy.cpu_linear import by_onednn
from ..policy.training import completion_values, pieces, tokens_at_once
from ..run.errors import SpkitError

PairMeasure = Callable[[Tensor, Tensor], Tensor]
PAIRS_AT_ONCE = 128  # of a pass: the logits of one policy are kept until the other has read them


@torch.no_grad()
def pair_values(
    one: Policy, other: Policy, prompts: Sequence[str], completions: Sequence[list[int]], *measures: PairMeasure
) -> list[list[Tensor]]:
    """Each of `measures` at every completion token: a list a measure of one 1-D float32 tensor a row.

    A measure maps the float32 logits of `one` and of `other` (..., vocabulary), those a token was predicted from, to
    one number a token. Each policy reads every text once. Raises SpkitError if the policies do not read the same
    tokens.
    """
    check_same_tokens(one, other)
    examples = [Example(one.prompt_ids(prompt), list(ids)) for prompt, ids in zip(prompts, completions, strict=True)]
    found: list[list] = [[None] * len(examples) for _ in measures]

    def score(batch: Sequence[int]) -> None:
        read, kept = [examples[r] for r in batch], []
        keep = lambda logits, ids: (kept.append(logits), ids)[1]
        completion_values(one.model, read, one.pad_id, keep)
        within = [lambda logits, ids, f=f: f(kept[0], logits).float() for f in measures]
        values, mask = completion_values(other.model, read, one.pad_id, *within)
        for rows, of_measure in zip(found, values):
            for r, row, counted in zip(batch, of_measure.cpu(), mask.cpu()):
                rows[r] = row[counted]

    lengths = [len(example.prompt) + len(example.completion) for example in examples]
    order = sorted(range(len(examples)), key=lengths.__getitem__)
    for piece in pieces([lengths[r] for r in order], PAIRS_AT_ONCE, tokens_at_once(one.model)):
        with by_onednn(one.model), by_onednn(other.model):
            one.budget.run_in_chunks("scoring", [order[place] for place in piece], score)
    return found


def check_same_tokens(one: Policy, other: Policy) -> None:
    """Raises SpkitError unless both policies have the same tokens and are shown prompts in the same form."""
    if one.tokenizer.get_vocab() != other.tokenizer.get_vocab():
        raise SpkitError("the two policies have different tokens: compare a policy with the base it was trained from")
    if one.prompting != other.prompting:
        raise SpkitError("the two policies are shown prompts in different forms: give both the same prompting")
