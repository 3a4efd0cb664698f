"""Models on paper: their weights against the published counts, their memory against models that are there."""

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from spkit.policy import shapes
from spkit.policy.fetchable import FETCHABLE
from spkit.policy.memory import estimate
from spkit.policy.shapes import SHAPES, planned, weights_of_shape
from spkit.run.errors import SpkitError
from tests.conftest import in_four_bits

SMALL = LlamaConfig(
    hidden_size=128,
    intermediate_size=192,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    vocab_size=500,
    tie_word_embeddings=True,
)


def test_weights_are_as_many_as_the_models_publish():
    counts = {name: weights_of_shape(name) for name in SHAPES}
    assert counts == {
        "SmolLM2-135M": FETCHABLE["smollm2"].parameters,
        "SmolLM2-360M": FETCHABLE["smollm2-360m"].parameters,
        "Qwen2.5-1.5B": 1_543_714_304,
    }


@pytest.mark.parametrize("four_bit", [False, True])
def test_what_is_planned_is_what_a_model_that_is_there_takes(monkeypatch, four_bit):
    pytest.importorskip("peft")
    from spkit.policy.lora import LoraSettings, with_adapters

    monkeypatch.setitem(shapes.SHAPES, "small", SMALL)
    model = AutoModelForCausalLM.from_config(SMALL, dtype=torch.float32)
    there = with_adapters(in_four_bits(model) if four_bit else model, LoraSettings(), {}).copy()
    plan, found = planned("small", 100, 28, rows=8, four_bit=four_bit), estimate(there, 8, 100, 28, 512 // 128)
    assert (plan.weights, plan.trainable) == (found.weights, found.trainable)
    assert (plan.merged, plan.cache, plan.sampling, plan.training) == (
        found.merged,
        found.cache,
        found.sampling,
        found.training,
    )
    assert four_bit == (plan.merged == 0) and plan.available is None


def test_an_unknown_shape_is_refused():
    with pytest.raises(SpkitError, match="unknown shape 'GPT-5': choose one of SmolLM2-135M"):
        planned("GPT-5", 10, 10)
