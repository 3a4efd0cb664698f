"""oneDNN's products are MKL's up to rounding, and so are their gradients."""

import pytest
import torch
from torch import nn

from spkit.policy import cpu_linear
from spkit.policy.cpu_linear import by_onednn, has_onednn, linear, product


def layers() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(300, 400), nn.Linear(400, 300, bias=False), nn.Linear(300, 8))


@pytest.mark.skipif(not has_onednn(), reason="oneDNN is not faster here")
@pytest.mark.parametrize("shape", [(6, 300), (2, 5, 300), (1, 300), (0, 300)])
def test_the_same_numbers_up_to_rounding(shape, monkeypatch):
    model, inputs = layers(), torch.randn(*shape)
    calls = []
    forward = cpu_linear._forward
    monkeypatch.setattr(cpu_linear, "_forward", lambda layer, x: calls.append(layer.in_features) or forward(layer, x))
    with torch.no_grad():
        expected = model(inputs)
        with by_onednn(model):
            found = model(inputs)
            model[1].weight.mul_(2)
            twice = model(inputs)
        assert torch.allclose(twice, model(inputs), atol=1e-5), "an update is seen"
    assert torch.allclose(found, expected, atol=1e-5) and found.shape == expected.shape
    assert calls == [300, 400, 300] * 2, "what is outside computes as ever"


@pytest.mark.parametrize(("rows", "weights", "by"), [(3, 1 << 16, "mkl"), (4, 1 << 16, "onednn"), (64, 1 << 10, "mkl")])
def test_few_rows_by_few_weights_stay_with_mkl(rows, weights, by, monkeypatch):
    monkeypatch.setattr(cpu_linear, "has_onednn", lambda: True)
    monkeypatch.setattr(nn.functional, "linear", lambda *_: "mkl")
    monkeypatch.setattr(torch.ops.mkldnn, "_linear_pointwise", lambda *_: "onednn", raising=False)
    assert product(torch.ones(rows, 32), torch.ones(weights // 32, 32)) == by


@pytest.mark.parametrize("outputs", [24, 96])
@pytest.mark.parametrize("bias", [True, False])
def test_gradients_are_those_of_pytorch(outputs, bias, monkeypatch):
    monkeypatch.setattr(cpu_linear, "LARGE_PRODUCT", 0)
    torch.manual_seed(0)
    given = [torch.randn(3, 5, 48), torch.randn(outputs, 48), *([torch.randn(outputs)] if bias else [])]
    found, expected = (
        [one.double().requires_grad_() if exact else one.clone().requires_grad_() for one in given]
        for exact in (False, True)
    )
    toward = torch.randn(3, 5, outputs)
    (linear(*found) * toward).sum().backward()
    (nn.functional.linear(*expected) * toward.double()).sum().backward()
    for one, other in zip(found, expected):
        assert torch.allclose(one.grad.double(), other.grad, atol=1e-4)
    with torch.no_grad():
        assert not linear(*found).requires_grad


def test_layers_are_given_back_and_gradients_are_the_same_up_to_rounding():
    model, inputs = layers(), torch.randn(6, 300)
    model(inputs).sum().backward()
    expected = [parameter.grad.clone() for parameter in model.parameters()]
    model.zero_grad()
    with pytest.raises(ZeroDivisionError), by_onednn(model):
        with by_onednn(model):  # once more changes nothing
            model(inputs).sum().backward()
        1 / 0
    for parameter, before in zip(model.parameters(), expected):
        assert torch.allclose(parameter.grad, before, atol=1e-4)
    assert not any("forward" in vars(layer) for layer in model)


def test_a_frozen_layer_gets_no_gradient_and_passes_one_on():
    model, inputs = layers(), torch.randn(64, 300, requires_grad=True)
    model[0].weight.requires_grad_(False)
    with by_onednn(model):
        model(inputs).sum().backward()
    assert model[0].weight.grad is None and model[1].weight.grad is not None and inputs.grad.abs().sum() > 0
