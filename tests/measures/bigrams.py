"""Policies whose every logit is set by hand: the next token depends on the last one alone."""

import math

import torch

from spkit.bases.tiny import char_tokenizer, tiny_llama
from spkit.policy import Policy

END = "."  # how a table writes the end token
WIDTH, SCALE = 64, 100.0


def bigram_policy(table: dict[str, dict[str, float]], alphabet: str, context: int = 64) -> Policy:
    """A policy that writes `token` after `last` with the chance `table[last][token]`; what is not named has none.

    Embeddings are one-hot and the layers add nothing, so that the logits are the logarithms of the table.
    """
    tokenizer = char_tokenizer(alphabet, context)
    policy = Policy(tiny_llama(tokenizer, context, 0, width=WIDTH, layers=1), tokenizer)
    vocabulary = len(tokenizer)
    index = {**tokenizer.get_vocab(), END: tokenizer.eos_token_id}
    policy.model.lm_head.weight = torch.nn.Parameter(torch.zeros(vocabulary, WIDTH))
    with torch.no_grad():
        for parameter in policy.model.model.layers.parameters():
            parameter.zero_()
        policy.model.model.norm.weight.fill_(1)
        policy.model.model.embed_tokens.weight.zero_()
        policy.model.model.embed_tokens.weight[:, :vocabulary] = SCALE * torch.eye(vocabulary)
        head = policy.model.lm_head.weight
        for last, chances in table.items():
            assert math.isclose(sum(chances.values()), 1)
            head[:, index[last]] = -1e5
            for token, chance in chances.items():
                head[index[token], index[last]] = math.log(chance)
        head.div_(WIDTH**0.5)
    return policy
