"""Checks for the exercises of notebook 05 about what training changed in the weights: the share of changed parameters
(arXiv:2505.11711), and the precision null, AdamW steps with nothing to learn.

The reference arithmetic is carried here, so that a fault of the package's own cannot hide in its exercise.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from .checking import Answer, compare

Layers = Mapping[str, Tensor]


def _share_rule(
    far: Callable[[Tensor, Tensor, float], Tensor] = lambda a, b, tolerance: (b - a).abs() > tolerance,
    before: Callable[[Tensor], Tensor] = Tensor.bfloat16,
    after: Callable[[Tensor], Tensor] = Tensor.bfloat16,
    when: Callable[[bool], bool] = bool,
    end: Callable[[list[Tensor]], Tensor] = lambda found: torch.cat(found).double().mean(),
) -> Answer:
    """The share by rules: what counts as far, what is rounded and when, and how the parameters are put together."""

    def share(start: Layers, trained: Layers, tolerance: float, rounded: bool) -> Tensor:
        rounds = when(rounded)
        pairs = (
            (before(start[name]).float(), after(trained[name]).float()) if rounds else (start[name], trained[name])
            for name in start
        )
        return end([far(*pair, tolerance).flatten() for pair in pairs])

    return share


CHANGED_SHARE_MISTAKES = {
    "this is the share that did *not* change, the sparsity; the share that changed is asked for.": _share_rule(
        end=lambda found: 1 - torch.cat(found).double().mean()
    ),
    "this rounds the weights after training alone; then rounding itself looks like a change.": _share_rule(
        before=lambda x: x
    ),
    "this is a mean over matrices of their shares, in which a norm of 8 counts as much as a matrix of 384.": (
        _share_rule(end=lambda found: torch.stack([part.double().mean() for part in found]).mean())
    ),
    ("`isclose(after, before)` also allows a relative difference, rtol; compare the difference with 0."): _share_rule(
        lambda a, b, tolerance: ~torch.isclose(b, a, atol=tolerance)
    ),
    "the tolerance is multiplied by the weight's size here; it is an absolute one.": _share_rule(
        lambda a, b, tolerance: (b - a).abs() > tolerance * a.abs()
    ),
    "a difference of exactly the tolerance is no change: with a tolerance of 0 this counts everything.": _share_rule(
        lambda a, b, tolerance: (b - a).abs() >= tolerance
    ),
    "this counts what grew alone; take the absolute difference.": _share_rule(
        lambda a, b, tolerance: b - a > tolerance
    ),
    (
        "this does not round the weights, or rounds their difference. bfloat16 keeps tiny numbers, near 0; what is "
        "lost is a tiny change of a large number: with `rounded`, round both weights first."
    ): _share_rule(when=lambda rounded: False),
    "this always rounds; without `rounded` the weights are compared as they are.": _share_rule(
        when=lambda rounded: True
    ),
    "this rounds to float16, which has 10 bits behind the point; bfloat16 has 7.": _share_rule(
        before=Tensor.half, after=Tensor.half
    ),
    "this is a number of parameters; divide by how many there are.": _share_rule(
        end=lambda found: torch.cat(found).double().sum()
    ),
    "this is in percent; a share goes from 0 to 1.": _share_rule(
        end=lambda found: 100 * torch.cat(found).double().mean()
    ),
}


def _trained_layers(seed: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """A matrix of small weights and a norm of large ones, before and after small steps; some have not moved at all."""
    draw = torch.Generator().manual_seed(seed)
    before = {
        "layers.0.q_proj": 0.02 * torch.randn(16, 24, generator=draw),
        "norm": 4 + 20 * torch.rand(8, generator=draw),
    }
    steps = {name: torch.randn(x.shape, generator=draw) * (3e-5 if x.dim() > 1 else 1e-4) for name, x in before.items()}
    after = {name: x + steps[name] * (torch.rand(x.shape, generator=draw) < 0.8) for name, x in before.items()}
    return before, after


def check_changed_share(answer: Answer) -> None:
    """`answer(before, after, tolerance, rounded)`: the share of all parameters with |after - before| > tolerance, of
    weights by name (float32 tensors); with `rounded`, of both weights rounded to bfloat16.
    """
    cases = [
        (*_trained_layers(seed), tolerance, rounded)
        for seed, tolerance, rounded in ((0, 1e-5, False), (1, 1e-5, True), (2, 0.0, False), (3, 0.0, True))
    ]
    compare("changed_share", answer, _share_rule(), CHANGED_SHARE_MISTAKES, cases)


def _walk_rule(
    step: Callable[..., Tensor] = lambda g, m, v: m / (v.sqrt() + 1e-8),
    unbiased: bool = True,
    decay: float = 0.0,
    stored: Callable[[Tensor], Tensor] = lambda x: x,
    end: Callable[[Tensor, Tensor], Tensor] = lambda before, x: x,
) -> Answer:
    """AdamW's walk by rules: the direction of a step, the correction of the moments, and how weights are stored."""

    def walk(before: Tensor, gradients: Tensor, learning_rate: float) -> Tensor:
        weights, m, v = before.double(), torch.zeros_like(before), torch.zeros_like(before)
        for t, gradient in enumerate(gradients, start=1):
            m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
            moments = (m / (1 - 0.9**t), v / (1 - 0.999**t)) if unbiased else (m, v)
            weights = stored(weights - learning_rate * (step(gradient, *moments) + decay * weights))
        return end(before, weights)

    return walk


def _bfloat16(weights: Tensor) -> Tensor:
    return weights.bfloat16().double()


RANDOM_WALK_MISTAKES = {
    "AdamW of torch has a weight decay of 0.01 unless you say weight_decay=0.": _walk_rule(decay=0.01),
    "the moments start at 0, and the correction for that is missing; the first steps come out three times as large.": (
        _walk_rule(unbiased=False)
    ),
    (
        "every step is the sign of its gradient, which is AdamW's first step. Make one optimizer before the loop, or "
        "its moments are forgotten every time."
    ): _walk_rule(lambda g, m, v: g / (g.abs() + 1e-8)),
    "this is gradient descent, a step as large as the gradient; AdamW divides by its usual size.": _walk_rule(
        lambda g, m, v: g
    ),
    "this goes up the gradient; a step goes against it.": _walk_rule(lambda g, m, v: -m / (v.sqrt() + 1e-8)),
    "the second moment is missing: this is gradient descent with momentum.": _walk_rule(lambda g, m, v: m),
    "the first moment is missing: the gradient itself is divided here.": _walk_rule(
        lambda g, m, v: g / (v.sqrt() + 1e-8)
    ),
    "the root is missing: a step is the first moment over the *root* of the second.": _walk_rule(
        lambda g, m, v: m / (v + 1e-8)
    ),
    (
        "the weights are rounded to bfloat16 after every step, so a small step is lost at once; mixed precision keeps "
        "masters in float32, and so do we here."
    ): _walk_rule(stored=_bfloat16),
    "the result is rounded; return the masters, and round where the share is read.": _walk_rule(
        end=lambda before, x: _bfloat16(x)
    ),
    "this is the update; return the weights after it.": _walk_rule(end=lambda before, x: x - before),
    "this is one step on the mean gradient; take one step for each.": lambda before, gradients, learning_rate: (
        _walk_rule()(before, gradients.mean(0)[None], learning_rate)
    ),
}


def check_random_walk(answer: Answer) -> None:
    """`answer(before, gradients, learning_rate)`: weights (n,) after an AdamW step (no weight decay) on each of the
    gradients (steps, n), all float64 tensors.
    """
    draw = torch.Generator().manual_seed(5)
    normal = lambda *shape: torch.randn(shape, generator=draw, dtype=torch.float64)
    cases = [
        ((0.5 + normal(12).abs()) * normal(12).sign(), scale * normal(steps, 12), rate)
        for steps, rate, scale in ((12, 1e-2, 1.0), (6, 3e-3, 0.1))
    ]
    plain = lambda *case: (lambda found: found.detach() if isinstance(found, Tensor) else found)(answer(*case))
    compare("random_walk", plain, _walk_rule(), RANDOM_WALK_MISTAKES, cases)
