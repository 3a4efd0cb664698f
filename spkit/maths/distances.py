"""How far apart two next-token distributions are, exact over the vocabulary; estimates from samples are in
`estimators`.
"""

from torch import Tensor


def exact_kl(logits: Tensor, reference_logits: Tensor) -> Tensor:
    """KL(policy || reference) (...) in nats, of logits (..., vocabulary).

    A token that the policy never writes adds nothing; infinite where the policy writes what the reference never does.
    """
    scores, others = logits.log_softmax(-1), reference_logits.log_softmax(-1)
    chances = scores.exp()
    return (chances * (scores - others)).masked_fill(chances == 0, 0).sum(-1).clamp(min=0)


def total_variation(logits: Tensor, other_logits: Tensor) -> Tensor:
    """Half the sum of absolute differences of probabilities (...), of logits (..., vocabulary): from 0 to 1.

    The largest difference that the two distributions give to the chance of any set of tokens.
    """
    return (logits.softmax(-1) - other_logits.softmax(-1)).abs().sum(-1) / 2


def rank_of_top(logits: Tensor, other_logits: Tensor) -> Tensor:
    """The rank (...) under the other distribution of the token that is most likely here; 1 is the other's own top.

    Logits are (..., vocabulary). Tokens that the other likes as well as that one do not push it down.
    """
    top = logits.argmax(-1, keepdim=True)
    return 1 + (other_logits > other_logits.gather(-1, top)).sum(-1)
