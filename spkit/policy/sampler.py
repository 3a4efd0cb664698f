"""Which decoder a policy samples with, and how many rows at once."""

from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from transformers import PreTrainedModel

from ..errors import SpkitError
from .memory import rows_that_fit
from .row_budget import RowBudget
from .sampling import Decoder, RoomyDecoder
from .static_cache import CudaGraphs, StaticDecoder, supports

ROWS_PER_BATCH = 1024
KINDS = ("auto", "roomy", "static")


@dataclass
class Sampler:
    """`roomy` has a cache that grows with the text; `static` takes steps of fixed shape, on a GPU as CUDA graphs; `auto` is static there alone.

    Raises SpkitError for another kind, and for `static` with a model that has sliding windows or flash attention.
    """

    kind: Literal["auto", "roomy", "static"] = "auto"
    _static: StaticDecoder | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise SpkitError(f"the sampler must be one of {', '.join(KINDS)}, not {self.kind!r}")

    def decoder(self, model: PreTrainedModel, budget: RowBudget) -> Decoder:
        """A decoder for one batch; the static one stays, with its graphs."""
        if not self._is_static(model):
            return RoomyDecoder(model)
        if self._static is None or self._static.model is not model:
            self._static = StaticDecoder(model, partial(CudaGraphs, model.device) if model.device.type == "cuda" else None)
            budget.caches.add(self._static)
        return self._static

    def rows_at_once(self, model: PreTrainedModel, prompt_tokens: int, new_tokens: int, budget: RowBudget) -> int:
        """Rows of one batch: what was found to fit, or what the free memory of a GPU should hold, and ROWS_PER_BATCH at most."""
        if budget.sampling is None and model.device.type == "cuda":
            kept = 0 if self._static is None else self._static.nbytes
            return min(ROWS_PER_BATCH, rows_that_fit(model, prompt_tokens, new_tokens, kept=kept))
        return budget.size("sampling", ROWS_PER_BATCH)

    def _is_static(self, model: PreTrainedModel) -> bool:
        if self.kind == "static" and not supports(model):
            raise SpkitError("the static sampler needs sdpa or eager attention without sliding windows: take sampler 'roomy'")
        wanted = self.kind == "static" or (self.kind == "auto" and model.device.type == "cuda")
        return wanted and supports(model)
