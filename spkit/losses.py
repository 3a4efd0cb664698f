"""Losses on log-probabilities."""

from torch import Tensor


def sft_loss(token_logprobs: Tensor, mask: Tensor) -> Tensor:
    """Mean negative log-likelihood of the completion tokens of a batch (nats a token).

    `token_logprobs` and `mask` are (rows, tokens); tokens with mask 0 (prompt, padding) do not count. The mean is over tokens, not
    over rows: a long rationale weighs more than a short one, as in the language-model loss STaR fine-tunes with.
    """
    return -(token_logprobs * mask).sum() / mask.sum().clamp(min=1)
