"""Merged weights: what peft computes, always of the adapter as it is now, and given back when memory runs out."""

from dataclasses import replace
from unittest.mock import patch

import pytest
import torch

pytest.importorskip("peft")

from peft.tuners.lora.layer import Linear as PeftLinear

from spkit.policy import SftConfig, cpu_linear, load_policy
from spkit.policy.architecture import bare
from spkit.policy.cpu_linear import product
from spkit.policy.linear import AdaptedLinear, FrozenLinear
from spkit.policy.lora import LoraSettings
from spkit.policy.memory import estimate
from spkit.stages.learn_pg import PgUpdate, group_rollouts, learn_from_rewards, minibatches, new_optimizer
from tests.conftest import make_policy
from tests.helpers import apart

PROMPTS, ANSWER = ["1+2=", "33+41="], [5, 6, 7, 8, 1]


def draw(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def base(tmp_path):
    make_policy().save(tmp_path / "base")
    return load_policy(tmp_path / "base", lora=LoraSettings(rank=4, alpha=8))


def train(policy, steps=6, seed=0):
    policy.fit([(PROMPTS[0], ANSWER), (PROMPTS[1], [9, 9, 1])], SftConfig(steps, 2, 2e-2), draw(seed))
    return policy


def scores(policy):
    return torch.cat(policy.logprobs(PROMPTS, [ANSWER, ANSWER]))


def layers(policy):
    return policy.model.backbone.layers


def unmerged(policy):
    """`scores` through peft's own layers."""
    with patch.object(AdaptedLinear, "forward", PeftLinear.forward):
        return scores(policy)


@pytest.mark.parametrize("onednn", [True, False])
def test_a_product_is_the_product(onednn, monkeypatch):
    if not onednn:
        monkeypatch.setattr(cpu_linear, "has_onednn", lambda: False)
    for rows in (0, 1, 3, 70):
        x, weight, bias = torch.randn(2, rows, 240), torch.randn(240, 300).t(), torch.randn(300)
        exact = (x.double() @ weight.double().t() + bias.double()).float()
        assert product(x, weight, bias).shape == exact.shape
        assert not rows or apart(product(x, weight, bias), exact) < 2e-6
        assert product(x.double(), weight.double()).dtype == torch.float64


def test_merged_and_unmerged_agree_on_a_model_like_one_of_the_hub(hub_folder):
    policy = load_policy(hub_folder, lora=LoraSettings(rank=8)).clone()
    drawn = policy.sample(["12+34="] * 4, 4, max_new_tokens=24, generator=draw())
    policy.fit(list(zip(drawn.prompts, drawn.token_ids)), SftConfig(5, 8, 1e-2), draw())
    drawn = policy.sample(["12+34=", "7+8="], 8, max_new_tokens=24, generator=draw(1))
    merged = torch.cat(policy.logprobs(drawn.prompts, drawn.token_ids))
    with patch.object(AdaptedLinear, "forward", PeftLinear.forward):
        alone = torch.cat(policy.logprobs(drawn.prompts, drawn.token_ids))
    assert 0 < (merged - alone).abs().max() < 1e-4
    assert (torch.cat(drawn.token_logprobs) - alone).abs().max() < 1e-4


def test_weights_are_merged_again_whenever_the_adapter_has_changed(base):
    one, other = train(base.clone()), train(base.clone(), seed=3)
    changes = [
        lambda: train(one, steps=1, seed=1),
        lambda: scores(other),
        lambda: scores(base),
        lambda: torch.nn.utils.vector_to_parameters(torch.full((sizes(one),), 0.02), one.model.parameters()),
        lambda: [_scaled(parameter) for parameter in one.model.parameters()],
    ]
    for change in changes:
        change()
        assert apart(scores(one), unmerged(one)) < 1e-5
    assert apart(scores(base), scores(make_policy())) < 1e-5


def sizes(policy):
    return sum(parameter.numel() for parameter in policy.model.parameters())


def matrix_bytes(policy):
    """All linear layers but the head, in float32."""
    matrices = [p for name, p in bare(policy.model).named_parameters() if "base_layer" in name]
    return 4 * sum(matrix.numel() for matrix in matrices)


@torch.no_grad()
def _scaled(parameter):
    parameter.mul_(-1.5)


def test_an_optimizer_counts_as_a_change_whatever_its_kind(base):
    for options in ({"foreach": False}, {"foreach": True}, {"fused": True}):
        one = train(base.clone())
        optimizer = torch.optim.AdamW(list(one.model.parameters()), lr=0.1, **options)
        before = scores(one)
        for parameter in one.model.parameters():
            parameter.grad = torch.ones_like(parameter)
        optimizer.step()
        assert apart(scores(one), unmerged(one)) < 1e-5 and apart(scores(one), before) > 1e-2


def test_weights_are_merged_once_for_many_passes(base, monkeypatch):
    one, merges, merge = train(base.clone()), [], torch.addmm
    scores(one)
    monkeypatch.setattr(torch, "addmm", lambda *given, **named: merges.append(1) or merge(*given, **named))
    one.sample(PROMPTS, 4, max_new_tokens=8, generator=draw())
    scores(one)
    assert not merges
    train(one, steps=1)
    scores(one)
    assert len(merges) == len(layers(one)), "before the step they were there"


def test_merged_weights_are_given_back_when_memory_runs_out(base):
    one, kept = train(base.clone()), lambda: sum(layer._merged.weight.nbytes for layer in layers(base) if layer._merged)
    expected = scores(one)
    assert kept() == matrix_bytes(base) > 0
    for cache in one.budget.caches:
        cache.release()
    assert kept() == 0 and torch.equal(scores(one), expected) and kept() > 0
    del one
    assert kept() == 0, "and when the policy goes"


def test_the_estimate_counts_them(base):
    adapted, plain = (estimate(policy.model, 4, 8, 8, 4) for policy in (base.clone(), make_policy()))
    assert adapted.merged == matrix_bytes(base) and plain.merged == 0
    assert replace(adapted, merged=0).total == adapted.total - adapted.merged
    assert "merged" in str(adapted) and "merged" not in str(plain)


def test_four_bits_and_bfloat16_are_not_merged(hub_folder, tmp_path):
    four = load_policy(hub_folder, four_bit=True, lora=LoraSettings(rank=2)).clone()
    assert not layers(four)
    from spkit.policy.lora import with_adapters

    half = with_adapters(make_policy().model.bfloat16(), LoraSettings(rank=2), {})
    assert not half.backbone.layers
    assert {p.dtype for p in half.copy().parameters()} == {torch.float32}, "the adapter itself is not rounded"


def test_a_merged_model_is_an_ordinary_one(base):
    one = train(base.clone())
    twin = one.merged()
    assert apart(scores(twin), scores(one)) < 1e-5
    assert not any(isinstance(module, (AdaptedLinear, PeftLinear)) for module in twin.model.modules())


def test_the_head_gets_its_input_s_gradient_and_none_itself(base):
    head = bare(base.model).get_output_embeddings()
    assert isinstance(head, FrozenLinear)
    x = torch.randn(3, 64, requires_grad=True)
    head(x).square().sum().backward()
    other = x.detach().clone().requires_grad_()
    torch.nn.functional.linear(other, head.weight, head.bias).square().sum().backward()
    assert apart(x.grad, other.grad) < 1e-5 and head.weight.grad is None


def test_layers_are_computed_once_on_a_cpu_unless_said(tmp_path):
    make_policy().save(tmp_path)
    on = lambda **settings: load_policy(tmp_path, "cpu", lora=LoraSettings(rank=2, **settings)).model.backbone
    assert not on().checkpointing and on(gradient_checkpointing=True).checkpointing


def test_the_first_ratio_is_one_where_samples_come_from_merged_weights(base):
    one = train(base.clone(), steps=2)
    drawn = one.sample(PROMPTS, 8, max_new_tokens=12, generator=draw())
    rows = group_rollouts(one, drawn, torch.rand(2, 8, generator=draw()), "rloo")
    update = PgUpdate(batch_size=16, learning_rate=1e-2, epochs=2)
    batches = minibatches(one, rows, update, draw())
    found = learn_from_rewards(one, new_optimizer(one, update), batches, update, draw())
    assert found["ratio_first"] == pytest.approx(1, abs=1e-4) and found["ratio_max"] > 1.01
