"""What a run is said to take, against what tensors take."""

import weakref
from collections.abc import Callable

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedModel, Qwen2Config

from spkit.maths.preference import sft_loss
from spkit.policy import Policy
from spkit.policy.memory import (
    cache_bytes,
    estimate,
    free_bytes,
    planned_four_bit_bytes,
    rows_that_fit,
    training_bytes,
    weight_bytes,
    window_of,
)
from spkit.policy.sampling import GrowingDecoder, pad_left
from spkit.policy.static_cache import StaticDecoder
from spkit.policy.training import Example, completion_logprobs
from tests.conftest import in_four_bits, make_policy

QWEN = dict(
    hidden_size=1536, intermediate_size=8960, num_hidden_layers=28, num_attention_heads=12, num_key_value_heads=2
)
QWEN |= dict(vocab_size=151936)
LOW, HIGH = 1 / 1.3, 1.7  # of an estimate of activations to what was measured


def on_meta() -> PreTrainedModel:
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(Qwen2Config(**QWEN, tie_word_embeddings=True), dtype=torch.bfloat16)


class Peak(TorchDispatchMode):
    """The most bytes that tensors made meanwhile took at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self.seen = weakref.WeakSet()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        given = {tensor.untyped_storage() for tensor in tree_leaves((args, kwargs)) if isinstance(tensor, torch.Tensor)}
        for tensor in tree_leaves(out):
            if (
                isinstance(tensor, torch.Tensor)
                and (storage := tensor.untyped_storage()) not in given
                and storage not in self.seen
            ):
                self.seen.add(storage)
                self._count(storage.nbytes())
                weakref.finalize(storage, self._count, -storage.nbytes())
        return out

    def _count(self, size: int) -> None:
        self.now += size
        self.most = max(self.most, self.now)


def test_weights_of_the_true_shape():
    """Qwen2.5-1.5B has 1,543,714,304 parameters (its card says 1.54B, and 1.31B without the embedding,
    which is also the head).
    """
    model = on_meta()
    rotary = sum(buffer.numel() * buffer.element_size() for buffer in model.buffers())
    assert weight_bytes(model) - rotary == 2 * 1_543_714_304
    linear = 28 * (1536 * (1536 + 256 + 256 + 1536) + 3 * 1536 * 8960)
    assert linear == 1_310_195_712
    plan = planned_four_bit_bytes(model)
    assert plan == pytest.approx(weight_bytes(model) - 2 * linear + linear * (0.5 + 1 / 64 + 4 / 64 / 256), rel=1e-3)


def test_weights_of_a_model_in_four_bits():
    sizes = dict(
        hidden_size=128, intermediate_size=192, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2
    )
    model = AutoModelForCausalLM.from_config(LlamaConfig(**sizes, vocab_size=50))
    plan = planned_four_bit_bytes(model)
    assert weight_bytes(in_four_bits(model)) == plan


@pytest.mark.parametrize("kind", ["growing", "static"])
def test_the_cache_to_the_byte(kind):
    torch.manual_seed(0)
    sizes = dict(
        hidden_size=48,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=6,
        num_key_value_heads=2,
        vocab_size=18,
    )
    model = AutoModelForCausalLM.from_config(Qwen2Config(**sizes))
    decoder = GrowingDecoder(model) if kind == "growing" else StaticDecoder(model)
    with torch.inference_mode():
        decoder.start(*pad_left([[3, 4, 5], [6, 7]], 0, model.device), torch.tensor([0, 1, 1, 0]), 130)
        decoder.step(torch.tensor([3, 3, 3, 3]))
    if kind == "growing":
        tensors, columns = [buffer for layer in decoder.cache.layers for buffer in layer.buffers], 133
    else:
        tensors, columns = [tensor for pair in decoder.buffers.layers for tensor in pair], window_of(133)
    assert sum(tensor.nbytes for tensor in tensors) == cache_bytes(model.config, 4, columns, 4)


def measured(model: PreTrainedModel, rows: int, tokens: int, predicted: int) -> int:
    """Peak of a forward and backward pass, without the gradients of the weights."""
    examples = [Example([3] * (tokens - predicted), [3 + i % 7 for i in range(predicted)]) for _ in range(rows)]
    with Peak() as peak:
        loss = sft_loss(*completion_logprobs(model, examples, 0))
        loss.backward()
    return peak.most - sum(p.numel() * p.element_size() for p in model.parameters() if p.requires_grad)


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("lora", [False, True])
@pytest.mark.parametrize(("vocabulary", "predicted"), [(64, 127), (4000, 127), (4000, 30)])
def test_activations_of_training_within_a_factor(checkpointing, lora, vocabulary, predicted):
    sizes = dict(
        hidden_size=64, intermediate_size=176, num_hidden_layers=6, num_attention_heads=4, num_key_value_heads=2
    )
    model: PreTrainedModel = AutoModelForCausalLM.from_config(
        LlamaConfig(**sizes, vocab_size=vocabulary, tie_word_embeddings=True)
    )
    if checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
        model.train()
    if lora:
        peft = pytest.importorskip("peft")
        model = peft.get_peft_model(model, peft.LoraConfig(r=4, target_modules="all-linear"))
    ratio = training_bytes(model, 8, 128, predicted) / measured(model, 8, 128, predicted)
    assert LOW < ratio < HIGH, ratio


def test_an_estimate_is_one_line_and_says_whether_it_fits():
    model = on_meta()
    found = estimate(model, 64, 300, 512, 4, four_bit=True)
    assert 1.0e9 < found.weights < 1.3e9 and found.available is None and found.fits is None
    assert found.cache == 2 * 28 * 64 * 2 * 128 * 896 * 2
    assert str(found).startswith("weights 1.1 GB, gradients and optimizer 0.0 MB, cache 1.6 GB, sampling")
    assert found.total == found.weights + found.cache + max(found.sampling, found.training)
    policy = make_policy()
    here = estimate(policy.model, 4, 10, 10, 4)
    count = sum(p.numel() for p in policy.model.parameters())
    assert here.trainable == 3 * 4 * count and here.weights >= 4 * count
    assert here.fits and " of " in str(here) and here.available > free_bytes(policy.model.device) / 2


def test_rows_that_fit_grow_with_the_memory_and_shrink_with_the_text():
    model = on_meta()
    fit: Callable[..., int] = lambda free, new=512, **more: rows_that_fit(model, 300, new, free=int(free), **more)
    found = fit(14e9)
    needed = estimate(model, found, 300, 512, 1, four_bit=True)
    assert 64 <= found <= 512 and needed.cache + needed.sampling < 14e9
    more = estimate(model, 2 * found, 300, 512, 1, four_bit=True)
    assert more.cache + more.sampling > 0.9 * 14e9
    assert fit(7e9) < found < fit(40e9) and fit(14e9, 4096) < found and fit(1e6) == 1
    assert fit(10e9, kept=int(4e9)) == found


def test_a_policy_s_adapters_are_what_is_trained():
    peft = pytest.importorskip("peft")
    policy = make_policy()
    before = weight_bytes(policy.model)
    model = peft.get_peft_model(policy.model, peft.LoraConfig(r=4, target_modules="all-linear"))
    adapters = sum(p.nbytes for p in model.parameters() if p.requires_grad)
    found = estimate(Policy(model, policy.tokenizer).model, 4, 10, 10, 4)
    assert found.weights == before + adapters and found.trainable == 3 * adapters
