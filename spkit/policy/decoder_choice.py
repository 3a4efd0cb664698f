"""Which decoder a policy samples with, and how many rows at once.

`growing` has a cache that grows with the text (`sampling`); `static` takes steps of fixed shape, on a GPU as CUDA
graphs (`static_cache`); `auto` is static on a GPU where the model allows it, and growing elsewhere. Behind an
instruction or solved examples, growing on a CPU is beside a shared prefix (`shared_prefix`); a tiny Llama on a CPU
is computed by our own code (`llama_decoder`). A model whose cache is of its own kind has none (`rereading`).
"""

from collections.abc import Callable
from functools import partial
from typing import Literal

from transformers import PreTrainedModel

from ..run.errors import SpkitError
from ..run.progress import tell
from .architecture import large
from .llama_decoder import LlamaDecoder, computes
from .memory import model_cache_bytes, rows_that_fit
from .plain_llama import plain_llama
from .rereading import RereadingDecoder, cache_is_right
from .row_budget import RowBudget
from .sampling import Decoder, GrowingDecoder
from .static_cache import CudaGraphs, StaticDecoder, supports

ROWS_PER_BATCH = 1024
CPU_CACHE = 1 << 30  # bytes of keys and values of one batch on a CPU; half of that beside the weights of a large model
SAMPLERS = ("auto", "growing", "static")
Sampler = Literal["auto", "growing", "static"]


def takes_static(model: PreTrainedModel, kind: Sampler) -> bool:
    """Whether a sampler of this kind takes static steps.

    Raises SpkitError for another kind, or for `static` if the model forbids it.
    """
    if kind not in SAMPLERS:
        raise SpkitError(f"the sampler must be one of {', '.join(SAMPLERS)}, not {kind!r}")
    if kind == "static" and not supports(model):
        raise SpkitError(
            "the static sampler needs sdpa or eager attention without sliding windows: take sampler 'growing'"
        )
    return kind == "static" or (kind == "auto" and model.device.type == "cuda" and supports(model))


class Growing:
    """Which decoder takes growing steps; what is tried out is tried once, for clones too."""

    def __init__(self) -> None:
        self.rereads: bool | None = None
        self.plain: bool | None = None

    def decoder(self, model: PreTrainedModel) -> Decoder:
        """Our own steps for a tiny Llama, a cache elsewhere; without one, which is told, for a model that has none."""
        if plain_llama(model):
            self.plain = computes(model) if self.plain is None else self.plain
            if self.plain:
                return LlamaDecoder(model)
        if self.rereads is None:
            self.rereads = not cache_is_right(model)
            if self.rereads:
                tell(
                    f"spkit: {model.config.model_type} keeps no cache that spkit can use: sampling reads the whole "
                    "text again for each token, which is slow"
                )
        return RereadingDecoder(model) if self.rereads else GrowingDecoder(model)


def static_decoder(model: PreTrainedModel, budget: RowBudget) -> StaticDecoder:
    """A decoder that gives its cache back when memory runs out anywhere in the run."""
    decoder = StaticDecoder(model, partial(CudaGraphs, model.device) if model.device.type == "cuda" else None)
    budget.caches.add(decoder)
    return decoder


def rows_at_once(model: PreTrainedModel, prompt_tokens: int, new_tokens: int, budget: RowBudget, kept: int) -> int:
    """Rows of one batch, at most ROWS_PER_BATCH: what was found to fit, or on a GPU what its free memory and a
    cache of `kept` bytes hold, on a CPU what CPU_CACHE, or half of it, holds. `prompt_tokens` are those of each row's
    own.
    """
    if budget.sampling is None and model.device.type == "cuda":
        return min(ROWS_PER_BATCH, rows_that_fit(model, prompt_tokens, new_tokens, kept=kept))
    row = model_cache_bytes(model, 1, prompt_tokens + new_tokens) if model.device.type == "cpu" else 0
    room = CPU_CACHE // 2 if large(model) else CPU_CACHE
    return budget.size("sampling", min(ROWS_PER_BATCH, max(1, room // max(1, row))))


class Told:
    """Passes on how many rows are finished, each once, also when a batch is tried again."""

    def __init__(self, on_rows: Callable[[int], None]) -> None:
        self.on_rows, self.finished, self.told = on_rows, 0, 0

    def begin(self, finished: int) -> None:
        """A batch begins when so many rows are there."""
        self.finished = finished

    def __call__(self, count: int) -> None:
        self.finished += count
        if self.finished > self.told:
            self.on_rows(self.finished - self.told)
            self.told = self.finished
