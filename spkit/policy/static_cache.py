"""Decoding steps of fixed shape, for a GPU: the step is captured once as a CUDA graph and replayed a token.

One token of a small model is some hundreds of small kernels, and on a GPU the time goes into starting them, not into
computing. A captured graph starts them all at once, but it is a recording: always the same kernels on the same
addresses and shapes. So

- keys and values stand in buffers of (lines, heads, capacity, head size) that stay where they are from batch to batch.
  Lines are prompts padded on the left, and all write into the same `column`;
- what a step reads (tokens, positions, column, an additive mask, 0 where there is text and -inf where there is not) and
  the logits it writes are buffers too. Everything that changes from step to step is written there before the step, and
  the step changes none of its own inputs, so that it can be warmed up and checked on the very data it is captured with;
- there is a graph a (number of lines, window of columns), both rounded up. All look at the corner [:lines, :, :window]
  of the same buffers: when rows end, the rest move to the front and a smaller graph goes on; when the text grows past
  the window, the next wider one.

Graphs read the weights where they are: an optimizer's updates are seen. Where weights have moved, or another LoRA
adapter is active, the graphs are captured again. Prompts are read eagerly, a limited number of tokens at a time.

What was run: everything but `CudaGraphs`, on a CPU, where tests replay a recording of the step's operations on
fixed tensors and compare the texts and log-probabilities with those of `GrowingDecoder` and of plain forward passes.
`CudaGraphs` follows PyTorch's documentation of `torch.cuda.graph` and has not been run on a GPU. Because of that,
and because 4-bit layers gave wrong numbers in a graph before bitsandbytes 0.44 (its issue 1308), a new graph's
logits are compared with those of the same step without it. If capture or comparison fails, sampling goes on without
graphs, and says so once.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import Cache, DynamicCache, PreTrainedModel
from transformers.cache_utils import CacheLayerMixin

from ..run.progress import tell
from .architecture import takes
from .row_budget import is_out_of_memory
from .sampling import plain_layers, prefill

WINDOW = 128  # columns of the cache by which a step's view of it grows
PREFILL_TOKENS = 8192  # of prompts read at once
WARM_UPS = 3  # runs on a side stream before the first capture, in which libraries set themselves up
# largest difference of a replayed step, as a share of the largest logit (kernels may add in another order)
SAME_LOGITS = 0.02

Capture = Callable[[Callable[[], None]], Callable[[], None]]


class WindowLayer(CacheLayerMixin):
    """One layer's corner of the buffers, (lines, heads, window, head size) each: writes into one column, whose
    number is a tensor (1,).
    """

    def __init__(self, keys: Tensor, values: Tensor, column: Tensor) -> None:
        super().__init__()
        self.keys, self.values, self.column, self.is_initialized = keys, values, column, True

    def update(self, key_states: Tensor, value_states: Tensor, *args, **kwargs) -> tuple[Tensor, Tensor]:
        """Write one position, and return the whole window."""
        self.keys.index_copy_(2, self.column, key_states)
        self.values.index_copy_(2, self.column, value_states)
        return self.keys, self.values

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Nothing to do: the buffers are there."""

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Length and offset of what is attended to."""
        return self.get_max_length(), 0

    def get_seq_length(self) -> int:
        """The window: what of it is text, the mask says."""
        return self.get_max_length()

    def get_max_length(self) -> int:
        """The window."""
        return self.keys.shape[2]


class StepBuffers(NamedTuple):
    """What graphs read and write: keys and values a layer, inputs of a step for every line, and its
    logits (lines, vocabulary).
    """

    layers: list[tuple[Tensor, Tensor]]
    tokens: Tensor  # (lines, 1)
    positions: Tensor  # (lines, 1)
    column: Tensor  # (1,)
    bias: Tensor  # (lines, 1, 1, capacity)
    logits: Tensor


class StaticDecoder:
    """Steps of fixed shape (see `sampling.Decoder`).

    `graphs()` gives what makes a replay of a step; None runs every step eagerly.
    """

    branches = False

    def __init__(self, model: PreTrainedModel, graphs: Callable[[], Capture] | None = None) -> None:
        self.model = model
        self.graphs = graphs
        self.release()

    def release(self) -> None:
        """Give buffers and graphs back; the next batch makes new ones."""
        self.buffers: StepBuffers | None = None
        self._forget(())

    def _forget(self, recorded: tuple) -> None:
        """Begin again with graphs, those to come being of weights and adapters as `recorded` says."""
        self.replays: dict[tuple[int, int], Callable[[], None]] = {}
        self.capture = None if self.graphs is None else self.graphs()
        self.recorded = recorded

    @property
    def nbytes(self) -> int:
        """What the buffers take."""
        if self.buffers is None:
            return 0
        layers, *rest = self.buffers
        return sum(tensor.nbytes for tensor in [*rest, *(tensor for pair in layers for tensor in pair)])

    def start(self, ids: Tensor, mask: Tensor, rows: Tensor, new_tokens: int) -> Tensor:
        """See `sampling.Decoder`."""
        count, self.end = len(rows), ids.shape[1]
        self.lines = line_bucket(count)
        rows = torch.cat([rows, rows[:1].expand(self.lines - count)])  # lines to spare are copies of the first
        at_once = max(1, PREFILL_TOKENS // self.end)
        for first in range(0, len(ids), at_once):
            own = slice(first, first + at_once)
            self._read(ids[own], mask[own], rows, first, self.end + new_tokens)
        self.buffers.bias[: self.lines, :, :, self.end :] = -torch.inf
        self._drop_stale_graphs()
        return self.buffers.logits[:count]

    def _read(self, ids: Tensor, mask: Tensor, rows: Tensor, first: int, capacity: int) -> None:
        cache = DynamicCache(config=self.model.config)
        logits, positions = prefill(self.model, ids, mask, cache)
        self._make_room(cache, len(rows), capacity, logits.shape[-1])
        here = ((rows >= first) & (rows < first + len(ids))).nonzero().squeeze(1)
        source, end = rows[here] - first, self.end
        for (keys, values), layer in zip(self.buffers.layers, cache.layers):
            keys[here, :, :end], values[here, :, :end] = layer.keys[source], layer.values[source]
        hidden = torch.zeros_like(mask, dtype=self.buffers.bias.dtype).masked_fill_(mask == 0, -torch.inf)
        self.buffers.bias[here, 0, 0, :end] = hidden[source]
        self.buffers.positions[here, 0] = positions[source]
        self.buffers.logits[here] = logits[source]

    def _make_room(self, cache: DynamicCache, lines: int, capacity: int, vocabulary: int) -> None:
        capacity = -(-capacity // WINDOW) * WINDOW
        if self.buffers is not None:
            lines, capacity = max(lines, len(self.buffers.logits)), max(capacity, self.buffers.bias.shape[-1])
            if (lines, capacity) == (len(self.buffers.logits), self.buffers.bias.shape[-1]):
                return
        self.release()
        zeros = partial(torch.zeros, device=cache.layers[0].keys.device)
        shape = lambda tensor: (lines, tensor.shape[1], capacity, tensor.shape[3])
        pairs = [(layer.keys, layer.values) for layer in cache.layers]
        self.buffers = StepBuffers(
            [tuple(zeros(shape(tensor), dtype=tensor.dtype) for tensor in pair) for pair in pairs],
            tokens=zeros(lines, 1, dtype=torch.long),
            positions=zeros(lines, 1, dtype=torch.long),
            column=zeros(1, dtype=torch.long),
            bias=zeros(lines, 1, 1, capacity, dtype=pairs[0][0].dtype),
            logits=zeros(lines, vocabulary),
        )

    def retires(self, left: int, lines: int) -> bool:
        """See `sampling.Decoder`: where fewer lines are left than the next smaller graph has."""
        return line_bucket(left) < self.lines

    def keep(self, lines: Tensor) -> None:
        """See `sampling.Decoder`."""
        for tensor in (tensor for pair in self.buffers.layers for tensor in pair):
            tensor[: len(lines), :, : self.end] = tensor[lines, :, : self.end]
        for tensor in (self.buffers.positions, self.buffers.bias):
            tensor[: len(lines)] = tensor[lines]
        self.lines = line_bucket(len(lines))

    def step(self, chosen: Tensor) -> Tensor:
        """See `sampling.Decoder`."""
        self.buffers.tokens[: len(chosen), 0] = chosen
        self.buffers.positions[: self.lines] += 1
        self.buffers.column.fill_(self.end)
        self.buffers.bias[: self.lines, :, :, self.end] = 0
        self.end += 1
        key = (self.lines, -(-self.end // WINDOW) * WINDOW)
        if key in self.replays:
            self.replays[key]()
        elif self.capture is None or not self._record(key):
            self._forward(*key)
        return self.buffers.logits[: len(chosen)]

    def _forward(self, lines: int, window: int) -> None:
        """The step that is captured: from the buffers into the buffers.

        Run twice on the same inputs, it writes the same again.
        """
        corner, column = (slice(lines), slice(None), slice(window)), self.buffers.column
        layers = [WindowLayer(keys[corner], values[corner], column) for keys, values in self.buffers.layers]
        output = self.model(
            input_ids=self.buffers.tokens[:lines],
            position_ids=self.buffers.positions[:lines],
            attention_mask=self.buffers.bias[:lines, :, :, :window],
            past_key_values=Cache(layers=layers),
            use_cache=True,
        )
        self.buffers.logits[:lines].copy_(output.logits[:, -1])

    def _record(self, key: tuple[int, int]) -> bool:
        """Capture the step and replay it, which is this step's computation.

        False if that cannot be done, from now on for every step.
        """
        forward, logits = partial(self._forward, *key), self.buffers.logits[: key[0]]
        try:
            forward()
            expected = logits.clone()
            replay = self.capture(forward)
            logits.zero_()
            replay()
            if not (logits - expected).abs().max() <= SAME_LOGITS * expected.abs().max():
                raise RuntimeError("a replayed step gives other logits than the step itself")
        except Exception as error:
            if is_out_of_memory(error):
                raise
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            tell(
                f"spkit: sampling goes on without CUDA graphs, which is slower, because capturing one failed ({reason})"
            )
            self.graphs = None
            self._forget(())
            return False
        self.replays[key] = replay
        return True

    def _drop_stale_graphs(self) -> None:
        recorded = (tuple(parameter.data_ptr() for parameter in self.model.parameters()), _adapters(self.model))
        if recorded != self.recorded:
            self._forget(recorded)


class CudaGraphs:
    """Captures steps as CUDA graphs, which share a pool of memory: a step leaves nothing there that another one reads.

    Not run: no GPU.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.pool = None

    def __call__(self, step: Callable[[], None]) -> Callable[[], None]:
        """The replay of a step that has run once.

        The first is warmed up on a side stream, as PyTorch's notes on CUDA graphs ask for.
        """
        with torch.cuda.device(self.device):
            if self.pool is None:
                self.pool = torch.cuda.graph_pool_handle()
                self._warm_up(step)
            graph = torch.cuda.CUDAGraph()
            with _no_garbage_collection(), torch.cuda.graph(graph, pool=self.pool):
                step()
        return graph.replay

    def _warm_up(self, step: Callable[[], None]) -> None:
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_UPS):
                step()
        torch.cuda.current_stream().wait_stream(side)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """What is collected in the middle of a capture, another graph say, can invalidate it."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def line_bucket(count: int) -> int:
    """`count` rounded up to a number of lines there is a graph of: 1, 2, 3, 4, 6, 8, 12, 16, 24, ..."""
    power = 1 << (count - 1).bit_length()
    return power * 3 // 4 if power >= 4 and count <= power * 3 // 4 else power


def supports(model: PreTrainedModel) -> bool:
    """Whether every layer keeps all keys and values and attends by an additive mask (no sliding windows, no
    flash attention, no ALiBi).
    """
    positioned = {"position_ids", "past_key_values"} <= takes(model) and not getattr(model.config, "alibi", False)
    return (
        positioned
        and plain_layers(model.config, sliding=False)
        and model.config._attn_implementation in ("sdpa", "eager")
    )


def _adapters(model: PreTrainedModel) -> tuple:
    """What a graph has built in of peft's layers, if there are any: which adapters are active, merged
    or off, and their scale.
    """
    layers = (module for module in model.modules() if hasattr(module, "merged_adapters"))
    return tuple(
        (*layer.active_adapters, *layer.merged_adapters, layer.disable_adapters, *getattr(layer, "scaling", {}).items())
        for layer in layers
    )
