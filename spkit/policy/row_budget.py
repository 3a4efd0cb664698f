"""Fewer rows at once when memory runs out, with a message, and never a lost iteration.

How many rows fit is found out by trying. Rows do not depend on one another, so completions and scores that are there
are kept and what is left goes on in halves (`run_in_chunks`). A gradient is another matter: memory can run out half-way
through `backward`, when some parameters have got their share and others have not, so a minibatch begins again, in
smaller parts whose gradients add up to its own (`retry_smaller`). What was found holds for the rest of the run: a
policy shares its budget with its clones.
"""

import gc
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import torch

from ..run.errors import SpkitError
from ..run.progress import tell

_T = TypeVar("T")
Purpose = Literal["sampling", "scoring", "training"]
MEMORY_SIGNS = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
)  # in words, where it has no class
MEMORY_ADVICE = {
    "sampling": "take a smaller model or load it with four_bit=True, ask for fewer new tokens or shorten the prompts",
    "scoring": "take a smaller model or load it with four_bit=True, or shorten prompts and completions",
    "training": (
        "load the model with four_bit=True and LoRA, turn gradient checkpointing on, or shorten prompts and completions"
    ),
}


@dataclass
class RowBudget:
    """The most rows that fit at once for each purpose, None until they did not.

    `caches` are given back before another try.
    """

    sampling: int | None = None
    scoring: int | None = None
    training: int | None = None
    caches: "weakref.WeakSet[Any]" = field(default_factory=weakref.WeakSet, repr=False, compare=False)

    def size(self, purpose: Purpose, wanted: int) -> int:
        """How many of `wanted` rows to compute at once, at least 1."""
        return max(1, min(wanted, getattr(self, purpose) or wanted))

    def run_in_chunks(
        self, purpose: Purpose, rows: Sequence[_T], compute: Callable[[Sequence[_T]], None], at_once: int | None = None
    ) -> None:
        """`compute` consecutive parts of the rows, at most `at_once` of them, and halves of what is left
        once a part does not fit.

        Raises SpkitError if one row does not.
        """
        start = 0
        while start < len(rows):
            part = rows[start : start + self.size(purpose, at_once or len(rows))]
            if self._fits(lambda: compute(part)):
                start += len(part)
            else:
                self._halve(purpose, len(part))

    def retry_smaller(self, count: int, compute: Callable[[int], _T]) -> _T:
        """`compute(size)`, from its beginning, for a size of training part at which it fits.

        Raises SpkitError if one row does not.
        """
        while True:
            size, result = self.size("training", count), []
            if self._fits(lambda: result.append(compute(size))):
                return result[0]
            self._halve("training", size)

    def _fits(self, compute: Callable[[], Any]) -> bool:
        try:
            compute()
            return True
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        for cache in list(self.caches):  # only here is the error gone, and with it what its traceback held
            cache.release()
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return False

    def _halve(self, purpose: Purpose, tried: int) -> None:
        if tried == 1:
            raise SpkitError(f"memory ran out while {purpose}, with a single row: {MEMORY_ADVICE[purpose]}")
        setattr(self, purpose, tried // 2)
        tell(
            f"spkit: memory ran out while {purpose} {tried} rows at once; going on with {tried // 2}, the "
            "results stay the same"
        )


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether the device, or the computer, had no memory left: says the error itself, or one that it followed from."""
    if error is None or isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return error is not None
    said = isinstance(error, RuntimeError) and any(sign in str(error) for sign in MEMORY_SIGNS)
    return said or is_out_of_memory(error.__cause__ or error.__context__)


def parts(rows: Sequence[_T], size: int) -> list[Sequence[_T]]:
    """The rows in consecutive parts of `size`, the last one shorter."""
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def by_length(lengths: Sequence[int], size: int) -> list[Sequence[int]]:
    """Row numbers grouped by length, so that little of a batch is padding; the order within a length is kept."""
    return parts(sorted(range(len(lengths)), key=lengths.__getitem__), size)
