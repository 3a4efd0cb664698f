"""Linear layers by oneDNN on a CPU, for whatever needs no gradient.

PyTorch multiplies float32 matrices on a CPU by MKL, which takes 256-bit instructions on processors of AMD; oneDNN,
which comes with PyTorch, too, takes 512-bit ones wherever there are. On one core of an AMD EPYC (Zen 5), 64 rows by a
layer of 576 x 1536, that is 220 against 106 GFLOP/s. It reads the weights where they are: nothing is copied, and an
update is seen.

Sums are added up in another order, so results differ by rounding. Layers of the tiny models, below LARGE_LAYER, stay
with MKL: there the call is what takes time, and their texts stay bit for bit what they were.
"""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache, partial

import torch
from torch import Tensor, nn

from ..run.machine import trim_heap
from .architecture import bare

LARGE_LAYER = 1 << 16  # weights of a layer; the tiny models have at most 44,032
FEW_ROWS = 4  # rows; below, reading the weights is what takes time
VECTORS = ("AVX512", "AVX2")


@lru_cache(maxsize=1)
def has_onednn() -> bool:
    """Whether this computer is one of those where oneDNN is as fast or faster."""
    known = platform.machine().lower() in ("x86_64", "amd64") and torch.backends.cpu.get_cpu_capability() in VECTORS
    return known and torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


@contextmanager
def by_onednn(model: nn.Module) -> Iterator[None]:
    """Within, the model's large float32 linear layers on the CPU compute by oneDNN where no gradient is recorded.

    Afterwards the memory that it worked in is the system's again.
    """
    layers = [layer for layer in bare(model).modules() if _fits(layer)] if has_onednn() else []
    for layer in layers:
        layer.forward = partial(_forward, layer)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward
        if layers:
            trim_heap()


def _fits(layer: nn.Module) -> bool:
    if type(layer) is not nn.Linear or "forward" in vars(layer):
        return False
    weight = layer.weight
    return weight.dtype == torch.float32 and weight.device.type == "cpu" and weight.numel() >= LARGE_LAYER


def _forward(layer: nn.Linear, inputs: Tensor) -> Tensor:
    compute = nn.functional.linear if torch.is_grad_enabled() else product
    return compute(inputs, layer.weight, layer.bias)


def product(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`inputs` (..., n) times the transpose of `weight` (m, n), plus `bias` (m,); for where no gradient is recorded."""
    float32 = inputs.dtype == weight.dtype == torch.float32 and inputs.device.type == "cpu"
    large = weight.numel() >= LARGE_LAYER and inputs.numel() >= FEW_ROWS * inputs.shape[-1]
    if float32 and large and has_onednn():
        return torch.ops.mkldnn._linear_pointwise(inputs, weight, bias, "none", [], "")
    return nn.functional.linear(inputs, weight, bias)
