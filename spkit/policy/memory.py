"""How much memory a run will take, before it runs.

Weights and cache are counted to the byte. What a step computes on the way is a count of the tensors that live at its
fullest moment in a decoder of the Llama kind (gated feed-forward, normalisation in float32, attention that keeps no
scores), and comes out within a few tenths.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import DynamicCache, PreTrainedConfig, PreTrainedModel
from transformers.pytorch_utils import Conv1D

from .architecture import text_config
from .row_budget import is_out_of_memory
from .sampling import plain_layers, prefill
from .static_cache import PREFILL_TOKENS, WINDOW, line_bucket

MARGIN = 0.9  # share of the free memory that is planned with: fragments, other libraries
ADAMW_MOMENTS = 2
STATES = ("conv_states", "recurrent_states")  # of linear attention, by their names in transformers


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes. `cache` stays while training; `sampling` and `training` are what is computed on the way
    and never lives at once.

    `available` counts what is free and the weights that are there already; None where it is not known.
    """

    weights: int
    trainable: int  # gradients and optimizer moments
    cache: int
    sampling: int
    training: int
    available: int | None = None
    merged: int = 0  # second copy of the matrices that LoRA adapts, where a layer computes with merged weights

    @property
    def total(self) -> int:
        """The most that is taken at once."""
        return self.weights + self.merged + self.trainable + self.cache + max(self.sampling, self.training)

    @property
    def fits(self) -> bool | None:
        """Whether the total is within the available memory; None if that is not known."""
        return None if self.available is None else self.total <= self.available

    def __str__(self) -> str:
        named = {
            "weights": self.weights,
            **({"merged weights": self.merged} if self.merged else {}),
            "gradients and optimizer": self.trainable,
            "cache": self.cache,
            "sampling": self.sampling,
            "training": self.training,
        }
        there = "" if self.available is None else f" of {readable(self.available)}"
        return (
            ", ".join(f"{name} {readable(size)}" for name, size in named.items())
            + f"; total {readable(self.total)}{there}"
        )


def estimate(
    model: PreTrainedModel, rows: int, prompt_tokens: int, new_tokens: int, train_rows: int, four_bit: bool = False
) -> MemoryEstimate:
    """What it takes to sample `rows` completions of `new_tokens` at once, and to train on `train_rows` such completions
    at once. `model` is as it will run: with its adapters, on its device; whatever of it is trainable is trained, with
    AdamW. On the meta device it takes no memory and shows what a model would take, with `four_bit` once its linear
    layers are in NF4 (double quantisation).
    """
    config, itemsize = model.config, _compute_dtype(model).itemsize
    weights = planned_four_bit_bytes(model) if four_bit else weight_bytes(model)
    trainable = sum(p.numel() * p.element_size() * (1 + ADAMW_MOMENTS) for p in model.parameters() if p.requires_grad)
    free = free_bytes(model.device)
    return MemoryEstimate(
        weights=weights,
        trainable=0 if four_bit else trainable,
        cache=model_cache_bytes(model, line_bucket(rows), window_of(prompt_tokens + new_tokens)),
        sampling=sampling_bytes(config, rows, prompt_tokens, itemsize),
        training=training_bytes(model, train_rows, prompt_tokens + new_tokens, new_tokens),
        available=None if free is None else free + weights,
        merged=sum(getattr(module, "merged_bytes", 0) for module in _whole(model).modules()),
    )


def rows_that_fit(
    model: PreTrainedModel, prompt_tokens: int, new_tokens: int, free: int | None = None, kept: int = 0
) -> int:
    """The most completions to sample at once in `free` bytes (default: what is free on the model's device), at least 1.

    `kept` is the size of a cache that is there already and makes room for this one.
    """
    free = free_bytes(model.device) if free is None else free
    if free is None:
        return 1
    config, itemsize = model.config, _compute_dtype(model).itemsize
    row = model_cache_bytes(model, 1, window_of(prompt_tokens + new_tokens))

    def needed(rows: int) -> int:
        return line_bucket(rows) * row + sampling_bytes(config, rows, prompt_tokens, itemsize)

    room, rows = MARGIN * (free + kept), 1
    while needed(2 * rows) <= room:
        rows *= 2
    return rows * 3 // 2 if rows > 1 and needed(rows * 3 // 2) <= room else rows


def weight_bytes(model: nn.Module) -> int:
    """Bytes of all parameters and buffers, as they are, each once; with a 4-bit layer's scales."""
    tensors = {id(tensor): tensor for tensor in _tensors(model)}
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


def planned_four_bit_bytes(model: PreTrainedModel, block: int = 64, outer: int = 256) -> int:
    """Bytes once every linear layer but the head is in NF4 with double quantisation (QLoRA, arXiv:2305.14314, sec. 3);
    the rest, such as experts that are held in one tensor, as it is.

    Half a byte a weight, one a block of 64 weights for its scale, and for every 256 scales a float32; 16 and 256
    float32 of code tables and one offset a layer.
    """
    head = model.get_output_embeddings()
    linear = [
        layer
        for layer in model.modules()
        if (type(layer) is nn.Linear or isinstance(layer, Conv1D)) and layer is not head
    ]
    before = sum(layer.weight.numel() * layer.weight.element_size() for layer in linear)
    after = 0
    for layer in linear:
        blocks = math.ceil(layer.weight.numel() / block)
        after += math.ceil(layer.weight.numel() / 2) + blocks + 4 * (math.ceil(blocks / outer) + 16 + 256 + 1)
    return weight_bytes(model) - before + after


def cache_bytes(config: PreTrainedConfig, rows: int, columns: int, itemsize: int) -> int:
    """Keys and values of every layer and position; grouped-query attention keeps `num_key_value_heads` of them."""
    config = text_config(config)
    return 2 * config.num_hidden_layers * rows * _kv_heads(config) * _head_size(config) * columns * itemsize


def model_cache_bytes(model: PreTrainedModel, rows: int, columns: int) -> int:
    """Cache of `rows` texts of `columns` tokens.

    Where layers keep a state, or less than keys and values, as one token shows.
    """
    config = text_config(model.config)
    if (
        plain_layers(model.config, sliding=True)
        and hasattr(config, "num_attention_heads")
        and not hasattr(config, "kv_lora_rank")
    ):
        return cache_bytes(model.config, rows, columns, _compute_dtype(model).itemsize)
    fixed, growing = _bytes_of_a_token(model)
    return rows * (fixed + columns * growing)


@torch.inference_mode()
def _bytes_of_a_token(model: PreTrainedModel) -> tuple[int, int]:
    """Bytes of a row's states, and of its keys and values for one token.

    0 where a model keeps no cache that sampling can use.
    """
    cache, ids = DynamicCache(config=model.config), torch.zeros(1, 1, dtype=torch.long, device=model.device)
    try:
        prefill(model, ids, torch.ones_like(ids), cache)
    except Exception as error:
        if is_out_of_memory(error):
            raise
        return 0, 0
    states = (state for layer in cache.layers for kind in STATES for state in getattr(layer, kind, {}).values())
    pairs = (pair for layer in cache.layers for pair in (getattr(layer, "keys", None), getattr(layer, "values", None)))
    fixed, growing = (sum(tensor.nbytes for tensor in found if isinstance(tensor, Tensor)) for found in (states, pairs))
    return fixed, growing


def sampling_bytes(config: PreTrainedConfig, rows: int, prompt_tokens: int, itemsize: int) -> int:
    """Logits (as computed, in float32, and three float32 tables in `choose`), or the prompts that are read at
    once, whichever is more.
    """
    config = text_config(config)
    choosing = rows * config.vocab_size * (itemsize + 4 * 4)
    tokens = min(rows * prompt_tokens, max(PREFILL_TOKENS, prompt_tokens))
    reading = tokens * (itemsize * (3 * _wide(config) + 4 * config.hidden_size) + 8 * config.hidden_size)
    return max(choosing, reading)


def training_bytes(model: PreTrainedModel, rows: int, tokens: int, predicted: int) -> int:
    """What one forward and backward pass of `rows` texts of `tokens` keeps at its fullest: the layers' inputs, and
    `predicted` logits a row.

    Measured on small models it is at most 1.3 times too low and 1.7 times too high, the latter where logits are few.

    With gradient checkpointing a layer keeps its input alone, and one layer at a time the rest.
    """
    config, itemsize = text_config(model.config), _compute_dtype(model).itemsize
    layer = _layer_bytes(model, itemsize)
    if _checkpointing(model):
        layers = config.num_hidden_layers * itemsize * config.hidden_size + layer
    else:
        layers = config.num_hidden_layers * layer
    narrow = itemsize if itemsize != 4 else 0
    logits = config.vocab_size * (
        narrow + 3 * 4
    )  # as computed; in float32 the log-softmax, its gradient and that of the logits
    return rows * (tokens * layers + predicted * logits)


def _layer_bytes(model: PreTrainedModel, itemsize: int) -> int:
    """A token's share of what a layer keeps for its backward pass."""
    config = text_config(model.config)
    hidden, wide = config.hidden_size, _wide(config)
    heads, kv = _heads(config) * _head_size(config), _kv_heads(config) * _head_size(config)
    normalised = 2 * (
        4 * hidden * 2 + itemsize * hidden
    )  # in float32 before and after the division, and in the compute type
    attention = itemsize * (2 * heads + 2 * kv)  # query, keys, values, and what comes out
    feed_forward = itemsize * 4 * wide  # gate, its activation, up, and their product
    trained = {parameter.dtype.itemsize for parameter in model.parameters() if parameter.requires_grad}
    # LoRA in another type
    copies = max(trained, default=itemsize) * (5 * hidden + heads + wide) if trained - {itemsize} else 0
    return normalised + attention + feed_forward + copies


def window_of(columns: int) -> int:
    """Columns of the static cache for a text of so many tokens."""
    return -(-columns // WINDOW) * WINDOW


def free_bytes(device: torch.device) -> int | None:
    """Free memory of the device: on a GPU with what PyTorch keeps in reserve, on a CPU what the system calls
    available, None if unknown.
    """
    if device.type == "cuda":
        reserve = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + reserve
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024 if device.type == "cpu" else None
    except (OSError, KeyError, ValueError):
        return None


def readable(size: int) -> str:
    """Bytes as text."""
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def _whole(model: nn.Module) -> nn.Module:
    """The model with its frozen weights, where a policy sees its own adapter of a shared model only."""
    return getattr(getattr(model, "backbone", None), "model", model)


def _tensors(model: nn.Module) -> Iterator[Tensor]:
    whole = _whole(model)
    for parameter in whole.parameters():
        yield parameter
        yield from _scales(getattr(parameter, "quant_state", None))
    yield from whole.buffers()


def _scales(state: object) -> Iterator[Tensor]:
    """The tensors of a bitsandbytes QuantState, and of the one it is nested in."""
    if state is not None:
        yield from (value for value in vars(state).values() if isinstance(value, Tensor))
        yield from _scales(getattr(state, "state2", None))


def _checkpointing(model: nn.Module) -> bool:
    return any(getattr(module, "gradient_checkpointing", False) for module in _whole(model).modules())


def _compute_dtype(model: nn.Module) -> torch.dtype:
    """What activations are computed in: as the normalisations' weights say, which no quantisation touches."""
    return next((p.dtype for name, p in _whole(model).named_parameters() if "norm" in name), model.dtype)


def _wide(config: PreTrainedConfig) -> int:
    """Width of the feed-forward layers.

    Four times that of the model where the settings are silent (Bloom, MPT, GPT-2).
    """
    named = (getattr(config, name, None) for name in ("intermediate_size", "ffn_hidden_size", "ffn_dim", "n_inner"))
    return next((width for width in named if isinstance(width, int)), 4 * config.hidden_size)


def _heads(config: PreTrainedConfig) -> int:
    return getattr(config, "num_attention_heads", None) or 1  # a model without attention: one as wide as the model


def _kv_heads(config: PreTrainedConfig) -> int:
    if getattr(config, "multi_query", False) and not getattr(config, "new_decoder_architecture", False):
        return 1
    return getattr(config, "num_key_value_heads", None) or getattr(config, "num_kv_heads", None) or _heads(config)


def _head_size(config: PreTrainedConfig) -> int:
    return getattr(config, "head_dim", None) or config.hidden_size // _heads(config)
