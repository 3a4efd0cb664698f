"""Texts that begin alike as one row, in which every distinct beginning is computed once.

Twelve prompts of a game after the same rules and the same examples, each with a few completions, are mostly one text.
In the row each position attends to those that stand before it in its own text, and has its place there as its position:
the logits and their gradients are those of text by text, up to rounding. A row of n positions takes a mask of n x n, so
it is for hundreds of them, not for thousands.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from ..run.errors import SpkitError
from .architecture import bare, forward, takes


class Text(Protocol):
    """Token ids of a prompt and a completion."""

    prompt: list[int]
    completion: list[int]


@dataclass(frozen=True)
class TextTree:
    """Token ids and positions (nodes,), which nodes each attends to (nodes, nodes), and for every text the nodes of its
    tokens but the last.
    """

    ids: Tensor
    positions: Tensor
    seen: Tensor
    places: list[list[int]]

    def logits(self, model: PreTrainedModel, rows: Sequence[int], columns: Sequence[int]) -> Tensor:
        """What comes after token `columns[i]` of text `rows[i]` (places, vocabulary), float32 at least.

        Raises SpkitError for a model that takes no positions, such as one with a state in place of attention.
        """
        if not {"position_ids", "attention_mask"} <= takes(model):
            raise SpkitError("this model takes no positions, so texts cannot share a row: set shared_prompts to False")
        wanted = torch.tensor([self.places[row][column] for row, column in zip(rows, columns)])
        nodes, again = (one.to(model.device) for one in wanted.unique(return_inverse=True))
        bias = torch.zeros(1, 1, *self.seen.shape, dtype=bare(model).dtype)
        bias = bias.masked_fill(~self.seen, torch.finfo(bias.dtype).min).to(model.device)
        given = {"input_ids": self.ids[None].to(model.device), "position_ids": self.positions[None].to(model.device)}
        with read_at(bare(model).get_output_embeddings(), torch.zeros_like(nodes), nodes):
            logits = forward(model, **given, attention_mask=bias, use_cache=False).logits[0]
        return logits.to(torch.promote_types(logits.dtype, torch.float32))[again]


def text_tree(texts: Sequence[Text]) -> TextTree:
    """The row of these texts. A completion has at least one token, and a prompt too."""
    numbers: dict[tuple[int, int], int] = {}
    ids, parents, depths, places = [], [], [], []
    for text in texts:
        node, place = -1, []
        for depth, token in enumerate([*text.prompt, *text.completion[:-1]]):
            parent, node = node, numbers.setdefault((node, token), len(ids))
            if node == len(ids):
                ids.append(token)
                parents.append(parent)
                depths.append(depth)
            place.append(node)
        places.append(place)
    seen = torch.eye(len(ids), dtype=torch.bool)
    for node, parent in enumerate(parents):
        if parent >= 0:
            seen[node] |= seen[parent]
    return TextTree(torch.tensor(ids), torch.tensor(depths), seen, places)


@contextmanager
def read_at(head: nn.Module, rows: Tensor, columns: Tensor) -> Iterator[None]:
    """Let the output layer read these positions alone: (1, positions, ...) in place of (rows, tokens, ...)."""
    hook = head.register_forward_pre_hook(lambda _, given: (given[0][rows, columns][None], *given[1:]))
    try:
        yield
    finally:
        hook.remove()
