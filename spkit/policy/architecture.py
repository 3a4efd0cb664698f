"""What sets models apart: the longest text they read, what their forward pass takes, whether they read forward only.

Most causal language models take positions and a key-value cache. Some know no longest text (Bloom, Mamba), some keep
a state in place of keys and values (Mamba, LFM2, Qwen3-Next), some name the cache otherwise or have none (RWKV), and
some predict a token from what follows it, too (BERT).
"""

import inspect
import sys
from functools import lru_cache
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

LENGTHS = ("max_position_embeddings", "max_seq_len", "max_sequence_length", "n_positions")
LARGE_FROM = 20_000_000  # parameters; the shipped models have about one million
SAME = {torch.float32: 1e-3}  # of the range of the logits, by what is computed in
SAME_HALF = 0.05


def bare(model: nn.Module) -> nn.Module:
    """The model of transformers, where a policy sees an adapter of it."""
    if isinstance(model, PreTrainedModel):
        return model
    model = getattr(getattr(model, "backbone", None), "model", model)
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def large(model: nn.Module) -> bool:
    """Whether a model is large enough for what saves time and memory to be worth another rounding."""
    return sum(parameter.numel() for parameter in bare(model).parameters()) >= LARGE_FROM


def text_config(config: PreTrainedConfig) -> PreTrainedConfig:
    """The settings of the part that writes text; a model that sees, too, has them one level down."""
    return config.get_text_config(decoder=True)


def longest_text(config: PreTrainedConfig, tokenizer: PreTrainedTokenizerBase) -> int:
    """The most tokens the model reads: what its settings name, or else the tokenizer's.

    `sys.maxsize` where neither has a limit.
    """
    named = (getattr(text_config(config), name, None) for name in LENGTHS)
    return next(
        (length for length in named if isinstance(length, int) and length > 0),
        min(tokenizer.model_max_length, sys.maxsize),
    )


def takes(model: nn.Module) -> frozenset[str]:
    """The names of what the forward pass takes."""
    return _named(type(bare(model)))


@lru_cache(maxsize=64)
def _named(kind: type[nn.Module]) -> frozenset[str]:
    """The parameters of `forward`, and those of the classes above as long as the rest is passed on to them."""
    names: set[str] = set()
    for one in kind.__mro__:
        if "forward" in vars(one):
            parameters = inspect.signature(one.forward).parameters.values()
            names |= {parameter.name for parameter in parameters}
            if not any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters):
                break
    return frozenset(names)


def forward(model: nn.Module, **given: Any) -> Any:
    """The model's output for those of the arguments that it takes."""
    known = takes(model)
    return model(**{name: value for name, value in given.items() if name in known})


def same_logits(model: nn.Module, found: torch.Tensor, expected: torch.Tensor) -> bool:
    """Whether logits (rows, vocabulary) differ by rounding alone."""
    room = SAME.get(next(bare(model).parameters()).dtype, SAME_HALF) * (expected.max() - expected.min())
    return bool((found - expected).abs().max() <= room)


@torch.inference_mode()
def looks_ahead(model: nn.Module) -> bool:
    """Whether what the model predicts after a token changes with the tokens that follow, as it does in an encoder
    (BERT).
    """
    ids = torch.arange(3, 7, device=model.device) % text_config(model.config).vocab_size
    texts = torch.stack([ids, ids.index_fill(0, torch.tensor([3], device=ids.device), 0)])
    logits = forward(model, input_ids=texts, use_cache=False).logits.float()
    return not same_logits(model, logits[0, :3], logits[1, :3])
