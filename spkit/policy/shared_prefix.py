"""Sampling of prompts that begin alike (an instruction, solved examples): their beginning is read once a call of
`Policy.sample`, and its keys and values stay one copy for all lines.

Attention over a text in two parts is the mean of what the parts give, weighted by their sums of exponentials: exact up
to rounding (Hydragen, Juravsky et al. 2024, arXiv:2402.05099, section 3). So queries of all lines attend to the shared
part in one matrix product, (kv heads, lines x group x queries, head size) by (kv heads, prefix, head size), and to
their own part line by line; no key or value is repeated, neither for lines nor for the heads of a group.

It goes through transformers' `AttentionInterface`, whose functions are given what the model's call was given by name:
here, `shared_prefix`. A model that attends by code of its own is found out by trying, and samples without.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from transformers import AttentionInterface, DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer

from .architecture import bare, takes, text_config
from .rereading import agree
from .sampling import GrowingDecoder, GrowingLayer, plain_layers, prefill

ATTENTION = "spkit_shared_prefix"
SHARED_FROM = 16  # tokens; below, one attention over the whole is faster than two
READ_AT_ONCE = 1024  # tokens of prompts; with more, what is computed on the way leaves the processor's cache
NOT_COMPUTED = ("softcap", "s_aux", "position_bias", "sliding_window")  # of attention that `attend` does not compute
TRIED = ([3, 4, 5, 6, 7, 8, 9, 10], [3, 4, 5, 6, 11])


class Prefix:
    """The tokens that all prompts of a call begin with, and their keys and values, read when first asked for."""

    def __init__(self, ids: Sequence[int]) -> None:
        self.ids = list(ids)
        self._layers: list[tuple[Tensor, Tensor]] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def layers(self, model: PreTrainedModel) -> list[tuple[Tensor, Tensor]]:
        """Keys and values of every layer, (1, kv heads, prefix, head size) each."""
        if self._layers is None:
            cache, ids = DynamicCache(config=model.config), torch.tensor([self.ids], device=model.device)
            prefill(model, ids, torch.ones_like(ids), cache)
            self._layers = [(layer.keys.contiguous(), layer.values.contiguous()) for layer in cache.layers]
        return self._layers


def common_beginning(texts: Sequence[Sequence[int]]) -> list[int]:
    """The longest beginning of all texts that leaves each at least one token."""
    if not texts:
        return []
    low, high = min(texts), max(texts)  # what these share in order, all between share
    room = min(map(len, texts)) - 1
    return list(low[: next((i for i in range(room) if low[i] != high[i]), room)])


class Attended(NamedTuple):
    """What attention to one part of a text gives: outputs (..., queries, head size) and logarithms of the sum of
    exponentials (..., queries, 1).
    """

    output: Tensor
    weight: Tensor

    def joined(self, other: "Attended") -> Tensor:
        """Outputs of one attention over both parts."""
        share = (other.weight - self.weight).sigmoid().to(self.output.dtype)
        return torch.lerp(self.output, other.output, share)


def _attended(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, scale: float | None) -> Attended:
    output, weight = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        query, key, value, attn_mask=bias, scale=scale
    )
    return Attended(output, weight[..., None])


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    shared_prefix: list[tuple[Tensor, Tensor]] = (),
    **other,
) -> tuple[Tensor, None]:
    """An attention function of transformers: query (lines, heads, queries, head size), key and value (lines, kv heads,
    own, head size), an additive mask (lines, 1, queries, own) or None; all see the whole prefix.

    Raises TypeError for kinds of attention that it does not compute.
    """
    if any(other.get(name) is not None for name in NOT_COMPUTED):
        raise TypeError("attention of another kind")
    lines, heads, queries, size = query.shape
    kinds = key.shape[1]
    group = heads // kinds
    packed = query.reshape(lines, kinds, group * queries, size)
    bias = attention_mask if attention_mask is None or queries == 1 else attention_mask.repeat(1, 1, group, 1)
    own = _attended(packed, key, value, bias, scaling)
    together = packed.transpose(0, 1).reshape(1, kinds, lines * group * queries, size)
    shared = _attended(together, *shared_prefix[module.layer_idx], None, scaling)
    apart = Attended(*(part.view(kinds, lines, group * queries, -1).transpose(0, 1) for part in shared))
    output = own.joined(apart).reshape(lines, heads, queries, size)
    return output.transpose(1, 2).contiguous(), None


AttentionInterface.register(ATTENTION, attend)


@contextmanager
def _attending(model: PreTrainedModel) -> Iterator[None]:
    """The model attends by `attend`."""
    config = text_config(model.config)
    before = config._attn_implementation
    config._attn_implementation = ATTENTION
    try:
        yield
    finally:
        config._attn_implementation = before


class SharedPrefixDecoder(GrowingDecoder):
    """Steps over a cache of each line's own part, beside the shared one (see `sampling.Decoder`)."""

    def __init__(self, model: PreTrainedModel, prefix: Prefix) -> None:
        super().__init__(model)
        self.prefix = prefix

    def start(self, ids: Tensor, mask: Tensor, rows: Tensor, new_tokens: int) -> Tensor:
        """See `sampling.Decoder`."""
        shared = len(self.prefix)
        places = mask.cumsum(1)[:, shared:]
        ids, mask, positions = ids[:, shared:], places > shared, (places - 1).clamp(min=0)
        width, lengths = ids.shape[1], mask.sum(1).tolist()
        read = []
        for part in _parts(lengths, READ_AT_ONCE):  # prompts come in the order of their lengths
            own = (part, slice(width - max(lengths[part]), width))
            read.append(self._read(ids[own], mask[own], positions[own]))
        self.cache = DynamicCache(config=self.model.config)
        for index in range(len(self.cache.layers)):
            layers = [cache.layers[index] for _, cache in read]
            self.cache.layers[index] = _spread(layers, width, rows, width + new_tokens)
        self.positions, self.bias = positions[rows, -1], None
        if not mask.all():
            self.bias = self._hidden(pad(mask[rows], (0, new_tokens), value=True))[:, None, None]
        return torch.cat([logits for logits, _ in read])[rows]

    def _read(self, ids: Tensor, mask: Tensor, positions: Tensor) -> tuple[Tensor, DynamicCache]:
        causal = torch.ones(2 * ids.shape[1:], dtype=torch.bool, device=ids.device).tril()
        cache = DynamicCache(config=self.model.config)
        return self._forward(ids, positions, self._hidden(mask[:, None] & causal)[:, None], cache), cache

    def _hidden(self, seen: Tensor) -> Tensor:
        """The additive mask: what is not seen has the lowest finite number, as padding in front sees nothing of its
        own, and -inf alone would make it NaN.
        """
        dtype = bare(self.model).get_input_embeddings().weight.dtype
        return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(~seen, torch.finfo(dtype).min)

    def _forward(self, ids: Tensor, positions: Tensor, bias: Tensor | None, cache: DynamicCache) -> Tensor:
        given = {"input_ids": ids, "position_ids": positions, "attention_mask": bias, "past_key_values": cache}
        given |= {"logits_to_keep": 1} if "logits_to_keep" in takes(self.model) else {}
        layers = self.prefix.layers(self.model)
        with _attending(self.model):
            return self.model(**given, use_cache=True, shared_prefix=layers).logits[:, -1].float()

    def retires(self, left: int, lines: int) -> bool:
        """See `sampling.Decoder`: a line that leaves costs the copy of one other at most."""
        return left < lines

    def keep(self, lines: Tensor) -> None:
        """See `sampling.Decoder`."""
        places = (lines != torch.arange(len(lines), device=lines.device)).nonzero().squeeze(1)
        for layer in self.cache.layers:
            layer.move(lines[places], places, len(lines))
        for tensor in (self.positions, self.bias):
            if tensor is not None:
                tensor[places] = tensor[lines[places]]
        self.positions, self.bias = self.positions[: len(lines)], None if self.bias is None else self.bias[: len(lines)]

    def step(self, chosen: Tensor) -> Tensor:
        """See `sampling.Decoder`."""
        self.positions = self.positions + 1
        end = self.cache.layers[0].get_seq_length() + 1
        bias = None if self.bias is None else self.bias[..., :end]
        return self._forward(chosen[:, None], self.positions[:, None], bias, self.cache)


def _parts(lengths: Sequence[int], tokens: int) -> Iterator[slice]:
    """Consecutive texts of which each part has at most so many tokens, padding included, or is one text."""
    first = widest = 0
    for last, length in enumerate(lengths):
        widest = max(widest, length)
        if last > first and (last + 1 - first) * widest > tokens:
            yield slice(first, last)
            first, widest = last, length
    yield slice(first, len(lengths))


def _spread(layers: Sequence[DynamicLayer], width: int, rows: Tensor, capacity: int) -> GrowingLayer:
    """One layer of a cache, line r continuing the prompt `rows[r]` of all that the layers have read, each of them
    padded on the left to the same width.
    """
    pairs = [(layer.keys, layer.values) for layer in layers]
    result = GrowingLayer(capacity)
    whole = (torch.cat([pad(one, (0, 0, width - one.shape[2], 0)) for one in kind])[rows] for kind in zip(*pairs))
    result.update(*whole)
    for layer in layers:
        layer.keys = layer.values = None
    return result


def shares_prefix(model: PreTrainedModel) -> bool:
    """Whether steps beside a shared prefix give what steps over the whole text give: on a CPU, for models that keep all
    keys and values and attend through transformers' interface; tried out on two short texts.
    """
    config = text_config(model.config)
    if model.device.type != "cpu" or config._attn_implementation not in ("sdpa", "eager"):
        return False
    if not {"position_ids", "past_key_values"} <= takes(model) or not plain_layers(model.config, sliding=False):
        return False
    texts = [[index % config.vocab_size for index in text] for text in TRIED]
    beside = lambda model: SharedPrefixDecoder(model, Prefix(common_beginning(texts)))
    return agree(model, beside, GrowingDecoder, texts=texts)
