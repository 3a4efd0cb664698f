"""The precision null is AdamW and nothing else: against the formula, and against the normal distribution."""

import math

import pytest
import torch

from spkit.measures.precision_null import NullConfig, null_policy, precision_null
from spkit.measures.updates import changed_share, update_summary, weights_of
from spkit.policy import SftConfig, load_policy
from spkit.policy.lora import LoraSettings
from spkit.policy.training import learning_rate_factor
from spkit.run.errors import NotFinite, SpkitError

SHAPES = {"a.weight": (3, 4), "b.weight": (5,)}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def some_weights():
    draw = seeded(9)
    return {name: 0.05 * torch.randn(shape, generator=draw) for name, shape in SHAPES.items()}


def drawn(generator):
    return [torch.randn(shape, generator=generator) for shape in SHAPES.values()]


def adamw_by_hand(before, gradients, rates, decay=0.0):
    """Loshchilov and Hutter's algorithm 2 in float64, for one parameter."""
    w, m, v = before.double(), 0.0, 0.0
    for t, (g, rate) in enumerate(zip(gradients, rates), start=1):
        g = g.double()
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        w = w - rate * decay * w - rate * (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
    return w


def test_the_first_step_is_the_learning_rate_in_a_random_direction():
    before = {name: torch.zeros(shape) for name, shape in SHAPES.items()}
    after = precision_null(before, NullConfig(1, 1e-3), seeded())
    draws = seeded()
    drawn(draws)  # the fixed direction, which no step takes here
    for tensor, gradient in zip(after.values(), drawn(draws)):
        assert torch.allclose(tensor, -1e-3 * gradient / (gradient.abs() + 1e-8), rtol=1e-5)
        assert tensor.abs().flatten().tolist() == pytest.approx([1e-3] * tensor.numel(), rel=1e-4)


@pytest.mark.parametrize(
    ("coherent", "fixed"), [(0.0, set()), (1.0, set(range(20))), (0.1, {9, 19}), (0.25, {3, 7, 11, 15, 19})]
)
def test_the_walk_is_adamw_with_independent_gradients_and_a_share_of_coherent_ones(coherent, fixed):
    before, draws = some_weights(), seeded()
    direction = drawn(draws)
    gradients = [direction if step in fixed else drawn(draws) for step in range(20)]
    config = NullConfig(20, 1e-3, coherent=coherent, weight_decay=0.1)
    factor = lambda step: 1 / (step + 1)
    after = precision_null(before, config, seeded(), factor=factor)
    rates = [1e-3 * factor(step) for step in range(20)]
    for place, name in enumerate(SHAPES):
        expected = adamw_by_hand(before[name], [row[place] for row in gradients], rates, 0.1)
        assert torch.allclose(after[name].double(), expected, atol=1e-7, rtol=0)


def test_what_walks_is_a_copy_and_the_seed_decides():
    before = some_weights()
    kept = {name: tensor.clone() for name, tensor in before.items()}
    walk = lambda seed, **given: precision_null(before, NullConfig(3, 1e-3), seeded(seed), **given)
    one, again, other = walk(0), walk(0), walk(1)
    assert all(torch.equal(before[name], kept[name]) and torch.equal(one[name], again[name]) for name in before)
    assert changed_share(one, other, 0.0) == 1
    assert all(tensor.dtype == torch.float32 and not tensor.requires_grad for tensor in one.values())
    assert changed_share(before, precision_null(before, NullConfig(0, 1e-3), seeded()), 0.0) == 0


def wide_weights(size=100_000):
    return {"w": 0.02 * torch.randn(size, generator=seeded(3))}


@pytest.mark.parametrize(("rate", "steps"), [(1e-6, 500), (1e-5, 200)])
def test_independent_steps_spread_as_a_normal_distribution_does(rate, steps):
    """The walk's standard deviation is learning rate x sqrt(steps), less the momentum that has not been spent:
    sum over the steps left of (1 - 0.9^left)^2.
    """
    before = wide_weights()
    after = precision_null(before, NullConfig(steps, rate), seeded())
    spread = rate * math.sqrt(sum((1 - 0.9**left) ** 2 for left in range(1, steps + 1)))
    assert spread == pytest.approx(rate * math.sqrt(steps), rel=0.04)
    expected = math.erfc(1e-5 / spread / math.sqrt(2))
    assert changed_share(before, after, 1e-5) == pytest.approx(expected, abs=0.02)
    simulated = {"w": before["w"] + spread * torch.randn(before["w"].shape, generator=seeded(4))}
    expected = changed_share(before, simulated, 1e-5, "bfloat16")
    assert changed_share(before, after, 1e-5, "bfloat16") == pytest.approx(expected, abs=0.02)
    assert 0.1 < expected < 0.9  # neither nothing nor all: this is where the precision decides


def test_a_coherent_share_moves_more_weights():
    before = wide_weights(20_000)
    share = lambda coherent: changed_share(
        before, precision_null(before, NullConfig(500, 1e-6, coherent), seeded()), 1e-5, "bfloat16"
    )
    assert share(0.0) + 0.1 < share(0.1) < share(0.5) < share(1.0)


def test_without_masters_a_step_below_half_a_unit_is_lost_and_a_larger_one_is_not():
    """Between 0.25 and 0.5 bfloat16 numbers are 2^-9 apart: steps of 2^-11 come to nothing, however many there are."""
    before = {"w": torch.full((1000,), 0.375)}
    walk = lambda rate, **given: precision_null(before, NullConfig(100, rate, coherent=1.0), seeded(), **given)
    lost = walk(2.0**-11, precision="bfloat16")
    assert changed_share(before, lost, 0.0) == 0 and lost["w"].dtype == torch.float32
    assert changed_share(before, walk(2.0**-11), 0.0, "bfloat16") == 1
    assert changed_share(before, walk(2.0**-9, precision="bfloat16"), 0.0) == 1
    assert torch.equal(lost["w"], lost["w"].bfloat16().float())


def test_a_policy_walks_where_it_would_train():
    config, factor = NullConfig(5, 1e-3), lambda step: learning_rate_factor(step, SftConfig(steps=5))
    policy = load_policy("expressions")
    before = weights_of(policy)
    after = weights_of(null_policy(policy, config, seeded(), factor))
    assert changed_share(before, weights_of(policy), 0.0) == 0
    expected = precision_null(before, config, seeded(), factor=factor)
    assert all(torch.equal(after[name], expected[name]) for name in before)
    found = update_summary(before, after)
    assert found["changed"]["float32"] > 0.99 and found["rank_share"]["float32"] == 1


def test_an_adapter_walks_alone():
    base = load_policy("expressions", lora=LoraSettings(rank=2))
    found = update_summary(weights_of(base), weights_of(null_policy(base, NullConfig(30, 1e-2), seeded())))
    assert found["by_kind"]["norm"]["changed"]["float32"] == found["by_kind"]["embedding"]["changed"]["float32"] == 0
    assert found["by_kind"]["mlp"]["changed"]["float32"] > 0.9
    assert found["by_kind"]["mlp"]["rank_share"]["float32"] == pytest.approx(2 / 96)


def test_what_cannot_walk_is_refused():
    with pytest.raises(SpkitError, match="steps must be 0 or more"):
        NullConfig(-1, 1e-3)
    with pytest.raises(SpkitError, match="coherent must be between 0 and 1"):
        NullConfig(1, 1e-3, coherent=1.5)
    with pytest.raises(SpkitError, match="precision must be float32 or bfloat16"):
        precision_null(some_weights(), NullConfig(1, 1e-3), seeded(), "float16")
    with pytest.raises(NotFinite, match="'w' holds NaN"):
        precision_null({"w": torch.tensor([math.nan])}, NullConfig(1, 1e-3), seeded())
    with pytest.raises(SpkitError, match="without quantisation"):
        precision_null({"w": torch.ones(2, dtype=torch.uint8)}, NullConfig(1, 1e-3), seeded())


def test_where_the_walk_starts_decides_too():
    """From weights that bfloat16 holds, half a unit is needed; others may be next to a tie. Of normal weights of 0.02
    three in four stay, and two in three.
    """
    before = wide_weights(50_000)
    held = {"w": before["w"].bfloat16().float()}
    stay = lambda start: (
        1 - changed_share(start, precision_null(start, NullConfig(500, 1e-6), seeded()), 0.0, "bfloat16")
    )
    assert stay(held) == pytest.approx(0.75, abs=0.02) and stay(before) == pytest.approx(0.66, abs=0.02)
