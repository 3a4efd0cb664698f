"""oneDNN's products are MKL's up to rounding, for large layers and without a gradient alone."""

import pytest
import torch
from torch import nn

from spkit.policy import cpu_linear
from spkit.policy.cpu_linear import by_onednn, has_onednn


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
    assert calls == [300, 400] * 2, "the small layer, and what is outside, compute as ever"


def test_layers_are_given_back_and_gradients_are_as_ever():
    model, inputs = layers(), torch.randn(6, 300)
    model(inputs).sum().backward()
    expected = model[0].weight.grad.clone()
    model.zero_grad()
    with pytest.raises(ZeroDivisionError), by_onednn(model):
        with by_onednn(model):  # once more changes nothing
            model(inputs).sum().backward()
        1 / 0
    assert torch.equal(model[0].weight.grad, expected)
    assert not any("forward" in vars(layer) for layer in model)
