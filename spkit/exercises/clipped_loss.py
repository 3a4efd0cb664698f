"""The check for the exercise of notebook 01 about the clipped policy-gradient loss."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from .checking import Answer, compare


def _tokens(seed: int, rows: int, tokens: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Log-probabilities (rows, tokens) under the policy now and then, advantages (rows,), the mask: prompt 0,
    completion 1, padding 0.
    """
    rng = np.random.default_rng(seed)
    prompt, place = rng.integers(2, 5, size=(rows, 1)), np.arange(tokens)
    length = rng.integers(2, tokens - 4, size=(rows, 1))
    mask = ((place >= prompt) & (place < prompt + length)).astype(float)
    old = -rng.exponential(1.2, size=(rows, tokens)) - 0.9
    new = np.minimum(old + rng.normal(0, 0.4, size=old.shape), 0)
    return tuple(torch.from_numpy(x) for x in (new, old, rng.permuted(np.linspace(-1.2, 1.5, rows)), mask))


def _clipped_loss_over_tokens(x: Tensor, mask: Tensor) -> Tensor:
    return (x * mask).sum() / mask.sum()


def _clipped_loss_held(ratio: Tensor, low: float, high: float) -> Tensor:
    return ratio.clamp(1 - low, 1 + high)


def _clipped_loss_pessimistic(ratio: Tensor, A: Tensor, low: float, high: float) -> Tensor:
    return torch.minimum(ratio * A, _clipped_loss_held(ratio, low, high) * A)


def _clipped_loss_loss(
    gain: Callable[..., Tensor] = _clipped_loss_pessimistic,
    reduce: Callable[[Tensor, Tensor], Tensor] = _clipped_loss_over_tokens,
    ratio: Callable[..., Tensor] = lambda new, old, mask: (new - old).exp(),
) -> Answer:
    return lambda new, old, A, mask, low, high: (
        -reduce(gain(ratio(new, old, mask), A[:, None].expand_as(new), low, high), mask)
    )


CLIPPED_LOSS_MISTAKES = {
    (
        "this clips without the min; where the ratio has gone the wrong way, the clip takes the gradient "
        "that would bring it back."
    ): _clipped_loss_loss(lambda ratio, A, low, high: _clipped_loss_held(ratio, low, high) * A),
    (
        "this takes the min of the two ratios and multiplies then; under a negative advantage the "
        "pessimistic side is the other one."
    ): _clipped_loss_loss(lambda ratio, A, low, high: torch.minimum(ratio, _clipped_loss_held(ratio, low, high)) * A),
    "this takes the max, the optimistic one of the two; the min is meant.": _clipped_loss_loss(
        lambda ratio, A, low, high: torch.maximum(ratio * A, _clipped_loss_held(ratio, low, high) * A)
    ),
    "nothing is clipped.": _clipped_loss_loss(lambda ratio, A, low, high: ratio * A),
    "the sign is missing: a loss is to be made small.": lambda *case: -_clipped_loss_loss()(*case),
    "the ratio is upside down: new over old, exp(logprobs - old_logprobs).": _clipped_loss_loss(
        ratio=lambda new, old, mask: (old - new).exp()
    ),
    "the ratio is upside down, and the sign is missing.": lambda *case: (
        -_clipped_loss_loss(ratio=lambda new, old, mask: (old - new).exp())(*case)
    ),
    "a difference of logarithms is not a ratio yet: take exp.": _clipped_loss_loss(
        ratio=lambda new, old, mask: new - old
    ),
    "a ratio of log-probabilities is no ratio of probabilities: exp of their difference.": _clipped_loss_loss(
        ratio=lambda new, old, mask: new / old
    ),
    "there is no ratio: this is REINFORCE, - A log p, which is right for one step only.": _clipped_loss_loss(
        lambda new, A, low, high: new * A, ratio=lambda new, old, mask: new
    ),
    "the ratio is that of whole completions; each token has its own.": _clipped_loss_loss(
        ratio=lambda new, old, mask: ((new - old) * mask).sum(1, keepdim=True).exp().expand_as(new)
    ),
    "prompt and padding are counted: the mask is not used.": _clipped_loss_loss(reduce=lambda x, mask: x.mean()),
    "prompt and padding are in the sum: multiply by the mask.": _clipped_loss_loss(
        reduce=lambda x, mask: x.sum() / mask.sum()
    ),
    "prompt and padding are in the denominator: divide by the completion tokens.": _clipped_loss_loss(
        reduce=lambda x, mask: (x * mask).mean()
    ),
    (
        "this is a mean over rows of means over tokens, in which a token of a long row counts less; one "
        "mean over all tokens."
    ): _clipped_loss_loss(reduce=lambda x, mask: ((x * mask).sum(1) / mask.sum(1)).mean()),
    "this is the sum over tokens; the mean does not depend on the batch size.": _clipped_loss_loss(
        reduce=lambda x, mask: (x * mask).sum()
    ),
    "this is the sum over tokens divided by the rows; divide by the tokens.": _clipped_loss_loss(
        reduce=lambda x, mask: (x * mask).sum() / len(x)
    ),
    "both bounds are made from `low`; above, the ratio is held at 1 + high.": _clipped_loss_loss(
        lambda r, A, low, high: _clipped_loss_pessimistic(r, A, low, low)
    ),
    "low and high have changed places.": _clipped_loss_loss(
        lambda r, A, low, high: _clipped_loss_pessimistic(r, A, high, low)
    ),
    (
        "low and high are distances from 1, not bounds: the ratio is held between 1 - low and 1 + high."
    ): _clipped_loss_loss(lambda ratio, A, low, high: torch.minimum(ratio * A, ratio.clamp(low, high) * A)),
}


def check_clipped_loss(answer: Answer) -> None:
    """`answer(logprobs, old_logprobs, advantages, mask, low, high)`: the clipped policy-gradient loss, mean
    over all completion tokens.

    Log-probabilities and mask (rows, tokens), the mask 1 on a completion; advantages (rows,); ratios held
    between 1 - low and 1 + high.
    """
    cases = [
        (*_tokens(seed, rows, 12), low, high)
        for seed, rows, low, high in ((0, 4, 0.2, 0.28), (1, 6, 0.2, 0.2), (2, 5, 0.3, 0.1))
    ]
    compare("clipped_loss", answer, _clipped_loss_loss(), CLIPPED_LOSS_MISTAKES, cases)
