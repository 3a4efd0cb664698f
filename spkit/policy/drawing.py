"""Drawing one token a row from logits, with a given uniform number."""

import torch
from torch import Tensor
from torch.nn.functional import pad

LARGE_VOCABULARY = 8192  # tokens, from which on a draw reads the logits as few times as can be
BLOCK = 256  # tokens whose probabilities are added up first


def choose(logits: Tensor, uniform: Tensor, temperature: float) -> Tensor:
    """One token a row, by inverting the distribution function: logits (rows, vocabulary), uniform (rows,) in [0, 1)."""
    if temperature == 0:
        return logits.argmax(-1)
    cumulative = (logits / temperature).softmax(-1).cumsum(-1)
    picked = torch.searchsorted(cumulative, (uniform * cumulative[:, -1])[:, None], right=True).squeeze(1)
    return picked.clamp_(max=logits.shape[-1] - 1)


def drawn(logits: Tensor, uniform: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """One token a row, and its log-probability at temperature 1, both (rows,): what `choose` and `log_softmax` give.

    For a large vocabulary in fewer passes over it: the distribution function is inverted block by block, then within
    the block.
    """
    if logits.shape[-1] < LARGE_VOCABULARY:
        chosen = choose(logits, uniform, temperature)
        return chosen, logits.log_softmax(-1).gather(1, chosen[:, None]).squeeze(1)
    top = logits.amax(-1, keepdim=True)
    weights, total = _weights(logits, top, 1.0)
    scale = top.squeeze(1) + total.log()
    if temperature == 0:
        chosen = logits.argmax(-1)
    else:
        if temperature != 1:
            weights, _ = _weights(logits, top, temperature)
        chosen = _inverted(weights, uniform).clamp_(max=logits.shape[-1] - 1)
    return chosen, logits.gather(1, chosen[:, None]).squeeze(1) - scale


def _weights(logits: Tensor, top: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """exp((logits - top) / temperature) in blocks (rows, blocks, BLOCK), filled up with 0, and their sums (rows,)."""
    rows, vocabulary = logits.shape
    weights = logits.new_empty(rows, -(-vocabulary // BLOCK), BLOCK)
    flat = weights.view(rows, -1)
    flat[:, vocabulary:] = 0
    within = flat[:, :vocabulary]
    torch.sub(logits, top, out=within)
    if temperature != 1:
        within.div_(temperature)
    within.exp_()
    return weights, flat.sum(-1)


def _inverted(weights: Tensor, uniform: Tensor) -> Tensor:
    """The first index a row, up to which the weights (rows, blocks, BLOCK) sum to more than this share (rows,)."""
    sums = weights.sum(-1).cumsum(-1)
    goal = uniform * sums[:, -1]
    block = _first_above(sums, goal)
    before = pad(sums, (1, 0)).gather(1, block).squeeze(1)
    inside = weights.gather(1, block[:, :, None].expand(-1, -1, BLOCK)).squeeze(1).cumsum(-1)
    return (block * BLOCK + _first_above(inside, goal - before)).squeeze(1)


def _first_above(cumulative: Tensor, goal: Tensor) -> Tensor:
    """The first index (rows, 1) whose sum (rows, sums) is above the goal, or as good as the last sum if rounding has
    lifted the goal to that.
    """
    below = cumulative[:, -1].nextafter(torch.zeros_like(goal))
    index = torch.searchsorted(cumulative, goal.minimum(below)[:, None], right=True)
    return index.clamp_(max=cumulative.shape[-1] - 1)  # of NaN
