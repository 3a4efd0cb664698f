"""What models of known shapes would take, computed without their weights: memory exactly where it is counted, else an
estimate (see `memory`).

The shapes are those of the published configurations (`config.json` of each model on the Hugging Face hub).
"""

from dataclasses import replace

import torch
from torch import nn
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedConfig, PreTrainedModel, Qwen2Config

from ..run.errors import SpkitError
from .memory import MemoryEstimate, estimate, planned_four_bit_bytes, weight_bytes
from .training import PASS_TOKENS

SHAPES: dict[str, PreTrainedConfig] = {
    "SmolLM2-135M": LlamaConfig(
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        vocab_size=49152,
        tie_word_embeddings=True,
    ),
    "SmolLM2-360M": LlamaConfig(
        hidden_size=960,
        intermediate_size=2560,
        num_hidden_layers=32,
        num_attention_heads=15,
        num_key_value_heads=5,
        vocab_size=49152,
        tie_word_embeddings=True,
    ),
    "Qwen2.5-1.5B": Qwen2Config(
        hidden_size=1536,
        intermediate_size=8960,
        num_hidden_layers=28,
        num_attention_heads=12,
        num_key_value_heads=2,
        vocab_size=151936,
        tie_word_embeddings=True,
    ),
}


def weights_of_shape(name: str) -> int:
    """How many weights a model of that shape has, adapters not counted. Raises SpkitError for an unknown name."""
    return sum(parameter.numel() for parameter in _on_paper(name).parameters())


def planned(name: str, prompt_tokens: int, new_tokens: int, rows: int = 64, four_bit: bool = False) -> MemoryEstimate:
    """What LoRA training of a model of that shape takes on a CPU in float32, or with its linear layers in NF4: `rows`
    completions of `new_tokens` sampled at once, and passes of PASS_TOKENS tokens.

    Python and its libraries come on top, about 0.5 GB. Raises SpkitError for an unknown name.
    """
    from .lora import LoraSettings, with_adapters

    model = _on_paper(name)
    head = model.get_output_embeddings()
    linear = [layer for layer in model.modules() if type(layer) is nn.Linear and layer is not head]
    frozen, merged = weight_bytes(model), sum(layer.weight.nbytes for layer in linear)
    small = planned_four_bit_bytes(model)
    with torch.device("meta"):
        adapted = with_adapters(model, LoraSettings(gradient_checkpointing=False), {}).copy()
    train_rows = max(1, PASS_TOKENS // (prompt_tokens + new_tokens))
    found = estimate(adapted, rows, prompt_tokens, new_tokens, train_rows)
    if four_bit:
        return replace(found, weights=found.weights - frozen + small)
    return replace(found, merged=merged)


def _on_paper(name: str) -> PreTrainedModel:
    if name not in SHAPES:
        raise SpkitError(f"unknown shape {name!r}: choose one of {', '.join(SHAPES)}")
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(SHAPES[name], dtype=torch.float32)
