"""What thoughts are rewarded for, and how they learn from it (Quiet-STaR, arXiv:2403.09629, section 4.4)."""

from torch import Tensor


def thought_rewards(mixed: Tensor, there: Tensor) -> Tensor:
    """(texts, siblings, places): the log-likelihood of the next tokens after each thought, nats; `mixed`
    (texts, siblings, places, ahead) counts where `there` (places, ahead). Without gradient.
    """
    return mixed.detach().masked_fill(~there, 0.0).sum(-1)


def thought_advantages(rewards: Tensor, positive: bool = False) -> Tensor:
    """Rewards (texts, siblings, places) less the mean of all thoughts at the place, the thought's own included; with
    `positive` what is below it counts as 0, as in the paper, which biases the gradient towards what was better.
    """
    advantages = rewards - rewards.mean(1, keepdim=True)
    return advantages.clamp(min=0) if positive else advantages


def thought_loss(advantages: Tensor, logprobs: Tensor) -> Tensor:
    """REINFORCE, the mean over thoughts: `logprobs` (texts, siblings, places, tokens) of the thoughts' own tokens.

    With a baseline that includes the thought itself, the expected gradient is (siblings - 1) / siblings of that of the
    expected reward.
    """
    return -(advantages * logprobs.sum(-1)).mean()


def mixed_nll(mixed: Tensor, there: Tensor) -> Tensor:
    """Mean negative log-likelihood a token after the thoughts, nats: what `thought_rewards` adds up, over its count."""
    return -mixed.masked_fill(~there, 0.0).sum() / (there.sum() * mixed.shape[0] * mixed.shape[1])
