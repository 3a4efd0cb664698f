"""Linear layers of a model with LoRA adapters, in float32 on a CPU.

peft computes `x W' + s (x A') B'`: two narrow products, a scaling and a sum beside each product, and as much again for
the gradient. Here a layer keeps `W + s B A` for the adapter that was used last, computed from the three whenever one of
them has changed, so nothing adds up and nothing is subtracted. A pass takes one product a layer, and so does the
gradient of its input; those of A and B follow from the layer's input and the gradient of its output. Sampling, scoring
and training take the same weights. The price is a second copy of the adapted matrices.

In 4 bits the sum would be rounded to 16 values a block (peft issue 2501), in bfloat16 to 8 bits, and small changes
would be lost: there, and on a GPU, peft's own layers stay.

Products go through oneDNN where it is faster (`cpu_linear`).
"""

from typing import Any, NamedTuple

import torch
from peft.tuners.lora.layer import Linear as PeftLinear
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from .cpu_linear import product


class FrozenLinear(nn.Linear):
    """A linear layer whose weight gets no gradient."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., inputs) to (..., outputs)."""
        return _product(x, self.weight, self.bias)


class Merged(NamedTuple):
    """Merged weights (inputs, outputs), and what they were computed from."""

    key: tuple
    a: Tensor
    b: Tensor
    weight: Tensor


class AdaptedLinear(PeftLinear):
    """peft's linear layer, which computes with merged weights."""

    _merged: Merged | None = None

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """(..., inputs) to (..., outputs), under the active adapter."""
        base, active = self.base_layer, self.active_adapters
        if args or kwargs or len(active) != 1 or not x.dtype == base.weight.dtype == torch.float32:
            return super().forward(x, *args, **kwargs)
        if self.disable_adapters:
            return _product(x, base.weight, base.bias)
        a, b, scale = self.lora_A[active[0]].weight, self.lora_B[active[0]].weight, self.scaling[active[0]]
        merged = self._merged_with(a, b, scale, alone=x.dim() > 2 and x.shape[-2] == 1).t()
        if torch.is_grad_enabled():
            return _Adapted.apply(x, merged, base.bias, a, b, scale)
        return product(x, merged, base.bias)

    def _merged_with(self, a: Tensor, b: Tensor, scale: float, alone: bool) -> Tensor:
        """Merged weights (inputs, outputs), from before if nothing has changed.

        What is written past autograd (`.data`, a fused optimizer) counts no version, so the numbers are compared, but
        not at every token that continues a text. Never in place: a graph that waits for its backward pass keeps the
        weights that it was computed with.
        """
        weight = self.base_layer.weight
        key = (scale, *((id(tensor), tensor._version) for tensor in (a, b, weight)))
        before = self._merged
        same = before is not None and before.key == key
        if same and (alone or (torch.equal(before.a, a) and torch.equal(before.b, b))):
            return before.weight
        before = self._merged = None
        with torch.inference_mode(False), torch.no_grad():
            merged = torch.addmm(weight.t(), a.t(), b.t(), alpha=scale)
            self._merged = Merged(key, a.detach().clone(), b.detach().clone(), merged)
        return merged

    @property
    def merged_bytes(self) -> int:
        """Size of the merged weights, whether they are there or not."""
        return self.base_layer.weight.nbytes

    def forget(self) -> None:
        """Give the merged weights back; the next pass computes them again."""
        self._merged = None


def merge_layers(model: nn.Module) -> list[AdaptedLinear]:
    """Let a model of peft compute with merged weights where that is exact: plain layers in float32 on a CPU.

    Its head gets no gradient. Returns the layers that merge.
    """
    layers = [module for module in model.modules() if type(module) is PeftLinear and _plain(module.base_layer)]
    for layer in layers:
        layer.__class__ = AdaptedLinear
    head = model.get_base_model().get_output_embeddings()
    if head is not None and _plain(head) and not head.weight.requires_grad:
        head.__class__ = FrozenLinear
    return layers


def _plain(layer: nn.Module) -> bool:
    return type(layer) is nn.Linear and layer.weight.dtype == torch.float32 and layer.weight.device.type == "cpu"


def _product(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    if torch.is_grad_enabled() and x.requires_grad:
        return _Frozen.apply(x, weight, bias)
    return product(x, weight, bias)


class _Frozen(torch.autograd.Function):
    """`product` with the gradient of its input alone."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(weight)
        return product(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return product(gradient, ctx.saved_tensors[0].t()), None, None


class _Adapted(torch.autograd.Function):
    """`product` with merged weights W + s B A, and the gradients of its input, of A and of B."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, merged: Tensor, bias: Tensor | None, a: Tensor, b: Tensor, scale: float) -> Tensor:
        ctx.save_for_backward(x, merged, a, b)
        ctx.scale = scale
        return product(x, merged, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, merged, a, b = ctx.saved_tensors
        of_x = product(gradient, merged.t()) if ctx.needs_input_grad[0] else None
        inputs, outputs = x.reshape(-1, x.shape[-1]), gradient.reshape(-1, gradient.shape[-1])
        of_a = product(product(outputs, b.t()).t(), inputs.t()) * ctx.scale
        of_b = product(product(inputs, a).t(), outputs.t()).t() * ctx.scale
        return of_x, None, None, of_a, of_b, None
