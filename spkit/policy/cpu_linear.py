"""Linear layers by oneDNN on a CPU.

PyTorch multiplies float32 matrices on a CPU by MKL, which takes 256-bit instructions on processors of AMD; oneDNN,
which comes with PyTorch, too, takes 512-bit ones wherever there are. On one core of an AMD EPYC (Zen 5), 64 rows by a
layer of 576 x 1536, that is 220 against 106 GFLOP/s, and 256 rows by one of 128 x 344 of a tiny model 218 against 108.
It reads the weights where they are: nothing is copied, and an update is seen.

Sums are added up in another order, so results differ by rounding. Products of few rows by a small layer stay with MKL:
there the call is what takes time.
"""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ..run.machine import trim_heap
from .architecture import bare

LARGE_LAYER = 1 << 16  # weights of a layer; the tiny models have at most 44,032
FEW_ROWS = 4  # rows; below, reading the weights is what takes time
LARGE_PRODUCT = 1 << 20  # multiplications, from which on a small layer is faster, too
VECTORS = ("AVX512", "AVX2")


@lru_cache(maxsize=1)
def has_onednn() -> bool:
    """Whether this computer is one of those where oneDNN is as fast or faster."""
    known = platform.machine().lower() in ("x86_64", "amd64") and torch.backends.cpu.get_cpu_capability() in VECTORS
    return known and torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


@contextmanager
def by_onednn(model: nn.Module) -> Iterator[None]:
    """Within, the model's float32 linear layers on the CPU compute by oneDNN, gradients too.

    Afterwards the memory that it worked in is the system's again, where layers are large.
    """
    layers = [layer for layer in bare(model).modules() if _fits(layer)] if has_onednn() else []
    for layer in layers:
        layer.forward = partial(_forward, layer)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward
        if any(layer.weight.numel() >= LARGE_LAYER for layer in layers):
            trim_heap()


def _fits(layer: nn.Module) -> bool:
    if type(layer) is not nn.Linear or "forward" in vars(layer):
        return False
    return layer.weight.dtype == torch.float32 and layer.weight.device.type == "cpu"


def _forward(layer: nn.Linear, inputs: Tensor) -> Tensor:
    return linear(inputs, layer.weight, layer.bias)


def linear(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`product`, with a gradient wherever one is recorded; what autocast computes in is autocast's choice."""
    if torch.is_autocast_enabled("cpu"):
        return nn.functional.linear(inputs, weight, bias)
    if torch.is_grad_enabled() and (inputs.requires_grad or weight.requires_grad):
        return _Linear.apply(inputs, weight, bias)
    return product(inputs, weight, bias)


def product(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`inputs` (..., n) times the transpose of `weight` (m, n), plus `bias` (m,); for where no gradient is recorded."""
    float32 = inputs.dtype == weight.dtype == torch.float32 and inputs.device.type == "cpu"
    rows, weights = inputs.numel() // max(1, inputs.shape[-1]), weight.numel()
    large = rows * weights >= LARGE_PRODUCT or (weights >= LARGE_LAYER and rows >= FEW_ROWS)
    if float32 and large and has_onednn():
        return torch.ops.mkldnn._linear_pointwise(inputs, weight, bias, "none", [], "")
    return nn.functional.linear(inputs, weight, bias)


def weight_gradient(inputs: Tensor, gradient: Tensor) -> Tensor:
    """The gradient (m, n) of a layer's weight, from that of its outputs (rows, m) and its inputs (rows, n)."""
    if gradient.shape[1] > inputs.shape[1]:  # the wide one is read as weights
        return product(inputs.t(), gradient.t()).t()
    return product(gradient.t(), inputs.t())


class _Linear(torch.autograd.Function):
    """`product` and the gradients of its input, its weight and its bias."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(inputs, weight)
        return product(inputs, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weight = ctx.saved_tensors
        of_inputs, of_weight, of_bias = ctx.needs_input_grad
        flat = gradient.reshape(-1, gradient.shape[-1])
        return (
            product(gradient, weight.t()) if of_inputs else None,
            weight_gradient(inputs.reshape(-1, inputs.shape[-1]), flat) if of_weight else None,
            flat.sum(0) if of_bias else None,
        )
