"""What a policy says of single tokens: entropy and perplexity."""

import math

import pytest
import torch

from spkit.measures.tokens import mean_over_tokens, perplexity, token_entropy
from spkit.run.errors import SpkitError
from tests.conftest import make_policy
from tests.helpers import apart

PROMPTS = ["1+2=", "123+456=", "98765+43210=", "1+2="]
COMPLETIONS = ["3", "3+6+0:09;2+5+0:07;1+4+0:05;579", "141975", ""]


def uniform_policy():
    policy = make_policy()
    with torch.no_grad():
        policy.model.model.norm.weight.zero_()
    return policy


def direct_entropy(policy, prompt, ids):
    """Entropy before each token from a forward pass of its prefix alone, in float64."""
    read, entropies = policy.prompt_ids(prompt), []
    model = policy.clone().model.double()
    for i in range(len(ids)):
        with torch.no_grad():
            scores = model(torch.tensor([read + ids[:i]])).logits[0, -1].log_softmax(-1)
        entropies.append(float(-(scores.exp() * scores).sum()))
    return entropies


def test_token_entropy_is_that_of_each_prefix_alone(policy):
    completions = [policy.completion_ids(text) for text in COMPLETIONS]
    rows = token_entropy(policy, PROMPTS, completions)
    for prompt, ids, row in zip(PROMPTS, completions, rows, strict=True):
        assert row.dtype == torch.float32 and apart(row, direct_entropy(policy, prompt, ids)) < 1e-5
    alone = [token_entropy(policy, [prompt], [ids])[0] for prompt, ids in zip(PROMPTS, completions)]
    assert apart(rows, alone) < 1e-5, "padding and batches change nothing"
    values = torch.cat(rows)
    assert 0 <= values.min() < 0.5 < values.max() <= math.log(len(policy.tokenizer)), (
        "the test needs sure and unsure tokens"
    )


def test_entropy_and_perplexity_of_uniform_logits():
    policy = uniform_policy()
    pairs = [(prompt, policy.completion_ids(text)) for prompt, text in zip(PROMPTS, COMPLETIONS)]
    entropies = token_entropy(policy, *zip(*pairs))
    assert mean_over_tokens(entropies) == pytest.approx(math.log(len(policy.tokenizer)), rel=1e-6)
    assert perplexity(policy, pairs) == pytest.approx(len(policy.tokenizer), rel=1e-6)


def test_a_token_that_cannot_follow_leaves_the_entropy_finite(policy):
    policy.model.lm_head.register_forward_hook(
        lambda module, args, logits: logits.index_fill(-1, torch.tensor([0]), -math.inf)
    )
    entropy = token_entropy(policy, ["1+2="], [policy.completion_ids("3")])[0]
    assert entropy.isfinite().all()


def test_entropy_is_the_mean_surprise_of_sampled_tokens(policy):
    drawn = policy.sample(["1+2="], 4_000, max_new_tokens=1, generator=torch.Generator().manual_seed(0))
    entropy = token_entropy(policy, ["1+2="], [drawn.token_ids[0]])[0].item()
    assert abs(entropy + drawn.logprobs.mean().item()) < 4 * drawn.logprobs.std().item() / 4_000**0.5


def test_perplexity_is_the_exponential_of_hugging_faces_loss(policy):
    pairs = [(prompt, policy.completion_ids(text)) for prompt, text in zip(PROMPTS, COMPLETIONS)]
    total = count = 0
    for prompt, ids in pairs:
        read = policy.prompt_ids(prompt)
        with torch.no_grad():
            loss = policy.model(torch.tensor([read + ids]), labels=torch.tensor([[-100] * len(read) + ids])).loss
        total, count = total + loss.item() * len(ids), count + len(ids)
    assert perplexity(policy, pairs) == pytest.approx(math.exp(total / count), rel=1e-4)


def test_the_mean_is_over_tokens():
    assert mean_over_tokens([torch.tensor([1.0]), torch.tensor([2.0, 3.0, 6.0]), torch.tensor([])]) == 3
    for nothing in ([], [torch.tensor([])]):
        with pytest.raises(SpkitError, match="no completion token"):
            mean_over_tokens(nothing)
