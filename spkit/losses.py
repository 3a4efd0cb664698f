"""Losses on log-probabilities."""

from torch import Tensor


def sft_loss(token_logprobs: Tensor, mask: Tensor) -> Tensor:
    """Mean negative log-likelihood of the completion tokens of a batch (nats a token).

    `token_logprobs` and `mask` are (rows, tokens); tokens with mask 0 (prompt, padding) do not count. The mean is over tokens, not
    over rows: a long rationale weighs more than a short one, as in the language-model loss STaR fine-tunes with.
    """
    return -(token_logprobs * mask).sum() / mask.sum().clamp(min=1)


KINDS = ("logistic", "hinge", "exponential", "ipo", "chi2", "nce", "tspin")


def spin_loss(pr, pg, orl, og, *, beta, kind="logistic", tau=1.0, policy_initial=None):
    import torch.nn.functional as F
    r, g = beta * (pr - orl), beta * (pg - og)
    d = r - g
    if kind == "logistic":
        loss = -F.logsigmoid(d)
    elif kind == "hinge":
        loss = (1 - d).relu()
    elif kind == "exponential":
        loss = (-d).exp()
    elif kind == "ipo":
        loss = (d - tau) ** 2
    elif kind == "chi2":
        loss = (r - tau) ** 2 + (g + tau) ** 2
    elif kind == "nce":
        loss = -F.logsigmoid(r) - F.logsigmoid(-g)
    else:
        loss = -F.logsigmoid(beta * (pr - pg))
        if tau:
            loss = loss - tau * F.logsigmoid(beta * (pg - policy_initial))
    return loss.mean(), {
        "reward_real": r.mean().item(),
        "reward_generated": g.mean().item(),
        "margin": d.mean().item(),
        "accuracy": (d > 0).float().mean().item(),
        "max_abs_reward": max(r.abs().max().item(), g.abs().max().item()),
        "displacement_real": (pr - orl).mean().item(),
        "displacement_generated": (pg - og).mean().item(),
    }


def dpo_loss(a, b, c, d, *, beta):
    return spin_loss(a, b, c, d, beta=beta)
