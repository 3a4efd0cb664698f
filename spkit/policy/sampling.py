"""Sampling with our own key-value-cache loop, for any Hugging Face causal language model.

`model.generate` computes finished rows until the last one ends, prefills the same prompt once a sample, and its cache
copies every key and value at every token (`torch.cat`), which on a tiny model on a CPU is most of the time. Here each
distinct prompt is prefilled once, the cache keeps room ahead, and finished rows leave the batch. One loop writes; what
computes its steps is a decoder: `GrowingDecoder` here; `shared_prefix.SharedPrefixDecoder` where prompts have a long
beginning in common; or on a GPU `static_cache.StaticDecoder`, whose steps have fixed shapes and replay as a graph.

Randomness: one uniform number a (row, token) is drawn before the loop, so a row's text depends on its own numbers only,
not on the batch it ran in or on when other rows finished.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedConfig, PreTrainedModel
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from .architecture import forward, takes
from .drawing import drawn
from .stopping import Repetition, StopText

RETIRE_SHARE = 0.75  # the batch is compacted when at most this share of its rows is still writing


@dataclass(frozen=True)
class SamplingPlan:
    """What one batch needs: `temperature` 0 is greedy.

    `stop` and `pad` are token ids; `stop_text` ends rows, too, if there is one, and `repetition` cuts them.
    """

    temperature: float
    max_new_tokens: int
    stop: frozenset[int]
    pad: int
    stop_text: StopText | None = None
    repetition: Repetition | None = None


class GrowingLayer(DynamicLayer):
    """A DynamicLayer that writes into a buffer with room ahead instead of concatenating at every token.

    Buffers have shape (rows, heads, capacity, head size) and grow by doubling past `capacity`; `keys` and `values` are
    views of the filled part.
    """

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self.capacity = capacity

    def update(self, key_states: Tensor, value_states: Tensor, *args, **kwargs) -> tuple[Tensor, Tensor]:
        """Append one or more positions, and return all keys and values so far."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start = self.get_seq_length()
        end = start + key_states.shape[-2]
        if start == 0 or end > self.buffers[0].shape[-2]:
            self.capacity = max(self.capacity, 2 * end if start else end)
            self.buffers = tuple(
                self._grown(old, new) for old, new in zip((self.keys, self.values), (key_states, value_states))
            )
        for buffer, new in zip(self.buffers, (key_states, value_states)):
            buffer[:, :, start:end] = new
        self.keys, self.values = (buffer[:, :, :end] for buffer in self.buffers)
        return self.keys, self.values

    def _grown(self, old: Tensor, new: Tensor) -> Tensor:
        buffer = new.new_empty(*new.shape[:2], self.capacity, new.shape[-1])
        if old.numel():
            buffer[:, :, : old.shape[-2]] = old
        return buffer

    def move(self, lines: Tensor, places: Tensor, count: int) -> None:
        """Put these rows in the places of others, and keep the first `count`."""
        end = self.get_seq_length()
        for buffer in self.buffers:
            buffer[places, :, :end] = buffer[lines, :, :end]
        self.buffers = tuple(buffer[:count] for buffer in self.buffers)
        self.keys, self.values = (buffer[:, :, :end] for buffer in self.buffers)

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Keep (or repeat) these rows."""
        end = self.get_seq_length()
        self.buffers = tuple(buffer[beam_idx] for buffer in self.buffers)
        self.keys, self.values = (buffer[:, :, :end] for buffer in self.buffers)


def growing_cache(model: PreTrainedModel, capacity: int) -> DynamicCache:
    """The model's own cache, its plain layers replaced by GrowingLayer (sliding-window and other
    layers stay as they are).
    """
    cache = DynamicCache(config=model.config)
    cache.layers = [GrowingLayer(capacity) if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


def plain_layers(config: PreTrainedConfig, sliding: bool) -> bool:
    """Whether every layer's cache holds its keys and values and nothing else, all of them or, with
    `sliding`, those of a window.
    """
    kinds = {DynamicLayer, DynamicSlidingWindowLayer} if sliding else {DynamicLayer}
    return {type(layer) for layer in DynamicCache(config=config).layers} <= kinds


def pad_left(sequences: list[list[int]], pad: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Token ids and attention mask, both (rows, longest), prompts ending in the last column."""
    width = max(map(len, sequences))
    ids = torch.tensor([[pad] * (width - len(s)) + s for s in sequences], device=device)
    mask = torch.tensor([[0] * (width - len(s)) + [1] * len(s) for s in sequences], device=device)
    return ids, mask


def compacted(writing: Tensor) -> Tensor:
    """The lines that are writing, those at the end in the places of those that are not: as few move as can be."""
    left = int(writing.sum())
    lines = torch.arange(left, device=writing.device)
    lines[~writing[:left]] = writing[left:].nonzero().squeeze(1) + left
    return lines


def branched(line: Tensor, chosen: Tensor, alone: bool) -> tuple[Tensor, Tensor, Tensor]:
    """The lines to go on with after rows have continued the lines `line` (rows,) with the tokens `chosen` (rows,).

    Rows that write the same go on as one, unless each is `alone` on its line. Returns which line each of the new ones
    continues, its token, and which of them each row is then on (rows,). A line stays in its place if it can.
    """
    parents, tokens, own = line, chosen, torch.arange(len(line))
    first = torch.ones_like(line, dtype=torch.bool)
    if not alone:
        base = int(chosen.max()) + 1
        keys, own = (line * base + chosen).unique(return_inverse=True)
        parents, tokens = keys // base, keys % base
        first = torch.ones_like(parents, dtype=torch.bool)
        first[1:] = parents[1:] != parents[:-1]
    stays = first & (parents < len(parents))
    place, free = parents.clone(), torch.ones_like(first)
    free[parents[stays]] = False
    place[~stays] = free.nonzero().squeeze(1)
    order = place.argsort()
    return parents[order], tokens[order], place[own]


class Decoder(Protocol):
    """Computes a batch of lines step by step.

    A line is a row that may still be writing, or with `branches` all rows that have written the same after a prompt:
    `keep` takes such a line more than once, and lines that are new go on from it. Logits are (lines, vocabulary),
    float32.
    """

    model: PreTrainedModel
    branches: bool

    def start(self, ids: Tensor, mask: Tensor, rows: Tensor, new_tokens: int) -> Tensor:
        """Read the prompts (ids and mask as `pad_left` gives them), line r continuing prompt `rows[r]`.

        Returns the first logits.
        """

    def retires(self, left: int, lines: int) -> bool:
        """Whether it is faster to let the lines that are done leave, when only `left` are writing."""

    def keep(self, lines: Tensor) -> None:
        """Go on with these lines alone, in this order."""

    def step(self, chosen: Tensor) -> Tensor:
        """The logits after writing one token a line (lines,). They are good until the next step."""


class GrowingDecoder:
    """Steps over a cache of GrowingLayers, which grow with the text."""

    branches = False

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model

    def start(self, ids: Tensor, mask: Tensor, rows: Tensor, new_tokens: int) -> Tensor:
        """See `Decoder`."""
        self.cache = growing_cache(self.model, ids.shape[1] + new_tokens)
        logits, positions = prefill(self.model, ids, mask, self.cache)
        self.cache.reorder_cache(rows)
        unmasked = mask.all() or not any(
            isinstance(layer, DynamicLayer) for layer in self.cache.layers
        )  # a state holds no padding
        self.positions, self.mask = positions[rows], None if unmasked else mask[rows]
        return logits[rows]

    def retires(self, left: int, lines: int) -> bool:
        """See `Decoder`."""
        return left <= RETIRE_SHARE * lines

    def keep(self, lines: Tensor) -> None:
        """See `Decoder`."""
        self.cache.reorder_cache(lines)
        self.positions, self.mask = self.positions[lines], None if self.mask is None else self.mask[lines]

    def step(self, chosen: Tensor) -> Tensor:
        """See `Decoder`."""
        self.positions = self.positions + 1
        extra = {}
        if self.mask is not None:
            self.mask = torch.cat([self.mask, self.mask.new_ones(len(self.mask), 1)], 1)
            extra = {"attention_mask": self.mask}
        ids, positions = chosen[:, None], self.positions[:, None]
        output = forward(
            self.model, input_ids=ids, position_ids=positions, use_cache=True, **extra, **_named(self.model, self.cache)
        )
        return output.logits[:, -1].float()


@torch.inference_mode()
def generate(
    decoder: Decoder,
    prompts: list[list[int]],
    rows: Tensor,
    uniform: Tensor,
    plan: SamplingPlan,
    on_rows: Callable[[int], None] = lambda count: None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Continue `prompts[rows[r]]` for every row r.

    `prompts` are distinct token id lists, `rows` (R,) int64, `uniform` (R, max_new_tokens) in [0, 1). Returns token ids
    (R, max_new_tokens) padded with `plan.pad`, their log-probabilities at temperature 1 (same shape, float32
    whatever the model computes in, 0 where padded), and lengths (R,), what ended the row included. `on_rows` hears
    how many rows each step finished.
    """
    device = decoder.model.device
    stop = torch.tensor(sorted(plan.stop), dtype=torch.long, device=device)
    count = len(rows)
    tokens = torch.full((count, plan.max_new_tokens), plan.pad, device=device)
    logprobs = torch.zeros(count, plan.max_new_tokens, device=device)
    lengths = torch.zeros(count, dtype=torch.long, device=device)
    active = torch.arange(count, device=device)  # which row each line of the batch is writing
    writing = torch.ones(count, dtype=torch.bool, device=device)
    repeated = None if plan.repetition is None else plan.repetition.counts()

    line = rows.to(device)  # of the decoder, which each of these rows is on
    first = torch.arange(len(prompts), device=device) if decoder.branches else line
    logits = decoder.start(*pad_left(prompts, plan.pad, device), first, plan.max_new_tokens)
    for step in range(plan.max_new_tokens):
        chosen, scores = drawn(logits[line] if decoder.branches else logits, uniform[active, step], plan.temperature)
        live = active[writing]
        tokens[live, step] = chosen[writing]
        logprobs[live, step] = scores[writing]
        lengths[live] = step + 1
        writing &= ~torch.isin(chosen, stop)
        if plan.stop_text is not None:
            writing &= ~plan.stop_text.ended(tokens[:, : step + 1], active, writing)
        if repeated is not None:
            writing &= ~repeated.ended(chosen, active, writing)
        left = int(writing.sum())
        on_rows(len(live) - left)
        if left == 0 or step + 1 == plan.max_new_tokens:
            break
        if decoder.branches:
            alone = len(logits) == len(active)
            active, line, chosen, writing = (one[writing] for one in (active, line, chosen, writing))
            parents, chosen, line = branched(line, chosen, alone)
            decoder.keep(parents)
        elif decoder.retires(left, len(active)):
            kept = compacted(writing)
            decoder.keep(kept)
            active, writing, chosen = active[kept], writing[kept], chosen[kept]
        logits = decoder.step(chosen)
    on_rows(left)
    return tokens, logprobs, lengths


def prefill(model: PreTrainedModel, ids: Tensor, mask: Tensor, cache: DynamicCache) -> tuple[Tensor, Tensor]:
    """Read prompts into an empty cache: last logits (prompts, vocabulary) in float32 and last positions (prompts,)."""
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    extra = {} if mask.all() else {"attention_mask": mask}
    extra |= _named(model, cache)
    output = forward(model, input_ids=ids, position_ids=positions, use_cache=True, logits_to_keep=1, **extra)
    return output.logits[:, -1].float(), positions[:, -1]


def _named(model: PreTrainedModel, cache: DynamicCache) -> dict[str, DynamicCache]:
    """The cache by the name that the model has for it. Raises TypeError if it takes none."""
    name = next((name for name in ("past_key_values", "cache_params") if name in takes(model)), None)
    if name is None:
        raise TypeError(f"{type(model).__name__} takes no cache")
    return {name: cache}
