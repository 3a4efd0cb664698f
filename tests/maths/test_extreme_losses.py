"""Extreme but finite inputs have finite losses and gradients.

In the ordinary range every loss and gradient is that of the plain formula.
"""

import itertools

import pytest
import torch

from spkit.maths.estimators import KL_ESTIMATES, entropy_of, kl_estimate
from spkit.maths.policy_gradient import PgLoss, pg_loss
from spkit.maths.preference import LOSSES, STEEPEST, sft_loss, spin_loss, tangent_exp
from spkit.measures.epiplexity import ObserverConfig, epiplexity
from spkit.measures.tokens import perplexity
from tests.conftest import make_policy

MAGNITUDES = (1e-3, 1.0, 19.0, 21.0, 100.0, 1e3, 1e4)
DTYPES = (torch.float32, torch.bfloat16)


def drawn(size: float, dtype: torch.dtype, seed: int, rows: int = 16) -> torch.Tensor:
    """Log-probabilities of either extreme and of all between, (rows, 6)."""
    values = torch.rand(rows, 6, generator=torch.Generator().manual_seed(seed)) * -size
    values[: rows // 4], values[rows // 4 : rows // 2] = 0.0, -size
    return values[torch.randperm(rows, generator=torch.Generator().manual_seed(seed + 1))].to(dtype)


def finite(loss: torch.Tensor, *inputs: torch.Tensor) -> bool:
    loss.sum().backward()
    return bool(loss.isfinite().all()) and all(bool(one.grad.isfinite().all()) for one in inputs)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", MAGNITUDES)
@pytest.mark.parametrize("kl", KL_ESTIMATES)
@pytest.mark.parametrize("clip", [(0.2, 0.2), (float("inf"), float("inf"))])
def test_policy_gradients_are_finite(dtype, size, kl, clip):
    for aggregation, seed in itertools.product(("sequence", "token", "constant"), range(3)):
        new, old, there = (drawn(size, dtype, 10 * seed + i) for i in range(3))
        new.requires_grad_()
        advantages = torch.linspace(-size, size, len(new)).to(dtype)
        settings = PgLoss(*clip, aggregation=aggregation, kl=kl, kl_coef=0.1)
        loss, numbers = pg_loss(new, old, advantages, torch.ones_like(new), settings, reference_logprobs=there)
        assert finite(loss, new) and all(value == value and abs(value) < float("inf") for value in numbers.values())


def test_a_ratio_of_e_to_the_100_is_clipped_with_gradient_0_and_pulled_back_where_it_is_not():
    new = torch.tensor([[100.0]], requires_grad=True)
    old, mask = torch.zeros(1, 1), torch.ones(1, 1)
    assert finite(pg_loss(new, old, torch.tensor([1.0]), mask, PgLoss())[0], new) and new.grad.item() == 0
    new.grad = None
    assert finite(pg_loss(new, old, torch.tensor([-1.0]), mask, PgLoss())[0], new)
    assert new.grad.item() == pytest.approx(torch.tensor(STEEPEST).exp().item()), "the sign is kept: less likely"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", MAGNITUDES)
@pytest.mark.parametrize("kind", LOSSES)
def test_preference_losses_are_finite(dtype, size, kind):
    for beta in (0.1, 1.0, 20.0):
        parts = [drawn(size, dtype, seed)[:, 0].clone().requires_grad_(seed < 3) for seed in range(5)]
        real, generated, initial, *opponent = parts
        loss, numbers = spin_loss(real, generated, *opponent, beta=beta, kind=kind, policy_initial=initial)
        assert finite(loss, *([real, generated, initial] if kind == "tspin" else [real, generated]))
        assert all(value == value and abs(value) < float("inf") for value in numbers.values())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", MAGNITUDES)
def test_likelihoods_entropies_and_distances_are_finite(dtype, size):
    scores = drawn(size, dtype, 0).requires_grad_()
    assert finite(sft_loss(scores, torch.ones_like(scores)), scores)
    logits = (drawn(2 * size, dtype, 3) + size).requires_grad_()
    assert finite(entropy_of(logits), logits)
    for kind in KL_ESTIMATES:
        here = drawn(size, dtype, 5).requires_grad_()
        assert finite(kl_estimate(here, drawn(size, dtype, 6), kind), here)


def test_what_stands_at_tokens_that_do_not_count_is_never_read():
    scores = torch.tensor([[-1.0, -torch.inf], [torch.nan, -2.0]], requires_grad=True)
    mask = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    loss = sft_loss(scores, mask)
    loss.backward()
    assert loss.item() == 1.5 and scores.grad.tolist() == [[-0.5, 0.0], [0.0, -0.5]]


def same(ours, theirs, *shape: int, dtype: torch.dtype, low: float = -20.0, high: float = 20.0) -> None:
    """Value and gradient of both, bit for bit, on numbers from `low` to `high`."""
    for seed in range(20):
        numbers = torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * (high - low) + low
        one, other = (numbers.to(dtype).requires_grad_() for _ in range(2))
        weights = torch.rand(shape, generator=torch.Generator().manual_seed(seed + 99)).to(dtype)
        for function, given in ((ours, one), (theirs, other)):
            (
                function(given) * weights[..., : function(given).shape[-1]]
                if function(given).shape == weights.shape
                else function(given)
            ).sum().backward()
        assert torch.equal(ours(one), theirs(other)) and torch.equal(one.grad, other.grad)


@pytest.mark.parametrize("dtype", [torch.float64, *DTYPES])
def test_in_the_ordinary_range_nothing_has_changed_by_a_bit(dtype):
    same(tangent_exp, torch.exp, 200, dtype=dtype, low=-200.0)
    same(lambda d: kl_estimate(d, torch.zeros_like(d)), lambda d: torch.expm1(-d) + d, 200, dtype=dtype)
    same(entropy_of, lambda logits: torch.special.entr(logits.softmax(-1)).sum(-1), 30, 50, dtype=dtype)
    zero = torch.zeros(200, dtype=dtype)
    same(
        lambda real: spin_loss(real, zero, zero, zero, beta=1.0, kind="exponential")[0],
        lambda real: (-real).exp().mean(),
        200,
        dtype=dtype,
    )
    advantages, mask = torch.linspace(-2, 2, 40).to(dtype), torch.ones(40, 5)

    def plain(new):
        ratio = new.exp()
        return (-torch.minimum(ratio * advantages[:, None], ratio.clamp(0.8, 1.2) * advantages[:, None])).sum() / 200

    same(lambda new: pg_loss(new, torch.zeros_like(new), advantages, mask, PgLoss())[0], plain, 40, 5, dtype=dtype)
    ones = torch.ones(40, 5, dtype=dtype)
    same(lambda scores: sft_loss(scores, ones), lambda scores: -(scores * ones).sum() / ones.sum(), 40, 5, dtype=dtype)


def test_a_line_goes_on_from_e_to_the_20_with_its_slope():
    x = torch.tensor([20.0, 21.0, 1e4], dtype=torch.float64, requires_grad=True)
    y, top = tangent_exp(x), torch.tensor(20.0, dtype=torch.float64).exp()
    y.sum().backward()
    assert torch.allclose(y, top * (x.detach() - 19), rtol=1e-14) and torch.equal(x.grad, top.expand(3))


def test_what_is_measured_of_a_policy_with_extreme_logits_is_finite():
    policy = make_policy()
    with torch.no_grad():
        policy.model.model.norm.weight.mul_(1e4)
    pairs = [(f"{i}+2=", policy.completion_ids(f"{i + 2}#{i}")) for i in range(30)]
    assert 1 <= perplexity(policy, pairs) < float("inf")
    found = epiplexity(policy, pairs, ObserverConfig(40, 10, passes=1, learning_rate=1e-6))
    assert all(abs(value) < float("inf") for value in (found.S, found.H, found.MDL))
