"""What a policy says of single tokens: entropy, perplexity, means over tokens."""

import math
from collections.abc import Sequence

from torch import Tensor

from ..maths.estimators import entropy_of
from ..policy import Policy
from ..run.errors import SpkitError


def token_entropy(policy: Policy, prompts: Sequence[str], completions: Sequence[list[int]]) -> list[Tensor]:
    """Entropy (nats, float32) of the next-token distribution at every completion token, one 1-D tensor a row.

    Exact over the vocabulary and at temperature 1, whatever the completions (token ids) were sampled at: 0 is certain,
    the logarithm of the vocabulary's size is uniform. One number for a policy is `mean_over_tokens` of it.
    """
    return policy.per_token(lambda logits, ids: entropy_of(logits), prompts, completions)


def perplexity(policy: Policy, pairs: Sequence[tuple[str, list[int]]]) -> float:
    """exp of the mean negative log-probability of a completion token, over pairs (prompt, completion ids).

    At least 1, at most e^700. Raises SpkitError if there is no completion token.
    """
    scores = policy.logprobs([prompt for prompt, _ in pairs], [ids for _, ids in pairs])
    return math.exp(min(-mean_over_tokens(scores), 700.0))


def mean_over_tokens(rows: Sequence[Tensor]) -> float:
    """Mean of all numbers in 1-D tensors: over tokens, not over rows, so that a long completion weighs more.

    SpkitError if there are none.
    """
    values = [value for row in rows for value in row.tolist()]
    if not values:
        raise SpkitError("there is no completion token to average over: pass at least one completion that is not empty")
    return math.fsum(values) / len(values)
