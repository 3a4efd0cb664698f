"""The sampler of fixed shapes against the one that grows, against plain forward passes, and under a recording
that replays like a graph.
"""

from collections.abc import Callable
from copy import copy
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    LlamaConfig,
    MistralConfig,
    MptConfig,
    PreTrainedConfig,
    Qwen2Config,
)

from spkit.bases.tiny import char_tokenizer
from spkit.policy import Policy
from spkit.policy.decoder_choice import takes_static
from spkit.policy.static_cache import StaticDecoder, line_bucket
from spkit.run.errors import SpkitError
from tests.conftest import ALPHABET, in_four_bits, make_policy
from tests.helpers import apart

PROMPTS = ["1+2=", "123+456=", "98765+43210=", "1+2=", "12+34#46=", "7"]
CONTEXT = 96
REFUSED = (
    "_local_scalar_dense",
    "nonzero",
    "lift_fresh",
    "masked_select",
)  # a graph captures no wait for the GPU, no number from outside


class Recording(TorchDispatchMode):
    """Stands in for a CUDA graph: the operations of a step with the tensors they ran on, run again on those very
    tensors.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Callable, tuple, dict, object]] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        assert func.overloadpacket.__name__ not in REFUSED, f"a CUDA graph cannot capture {func}"
        out = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, out))
        return out

    def replay(self) -> None:
        for func, args, kwargs, out in self.calls:
            again = func(*args, **kwargs)
            for old, new in zip(*((x if isinstance(x, (tuple, list)) else [x]) for x in (out, again))):
                if isinstance(old, Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


def record(step: Callable[[], None]) -> Callable[[], None]:
    recording = Recording()
    with recording:
        step()
    return recording.replay


def sharpened(model) -> None:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(6 if parameter.dim() > 1 else 1)


def random_policy(config: PreTrainedConfig) -> Policy:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config)
    sharpened(model)
    return Policy(model, char_tokenizer(ALPHABET, CONTEXT))


def small(kind: type[PreTrainedConfig], **other) -> PreTrainedConfig:
    sizes = dict(
        vocab_size=len(char_tokenizer(ALPHABET, CONTEXT)), hidden_size=64, intermediate_size=64, num_hidden_layers=2
    )
    sizes |= dict(num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=CONTEXT)
    return kind(**sizes, pad_token_id=0, eos_token_id=1, bos_token_id=None, **other)


def with_lora(four_bits: bool = False) -> Policy:
    peft = pytest.importorskip("peft")
    policy = random_policy(small(Qwen2Config))
    if four_bits:
        in_four_bits(policy.model)
    torch.manual_seed(1)
    model = peft.get_peft_model(
        policy.model, peft.LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False)
    )
    return Policy(model, policy.tokenizer)


POLICIES = {
    "llama": make_policy,
    "llama, grouped heads": lambda: random_policy(small(LlamaConfig)),
    "qwen2": lambda: random_policy(small(Qwen2Config)),
    "qwen2, eager attention": lambda: random_policy(small(Qwen2Config, attn_implementation="eager")),
    "qwen2 with LoRA": with_lora,
    "qwen2 in 4 bits with LoRA": lambda: with_lora(four_bits=True),
}


def sampled(policy: Policy, kind: str, temperature: float, n: int = 8, graphs=None, limit: int = 60):
    policy = Policy(policy.model, policy.tokenizer, sampler=kind)
    if graphs is not None:
        policy._static = StaticDecoder(policy.model, graphs)
    draw = torch.Generator().manual_seed(0)
    return policy.sample(PROMPTS, n, temperature=temperature, max_new_tokens=limit, generator=draw), policy._static


@pytest.fixture
def narrow(monkeypatch):
    """Windows and prefills so small that a test crosses several."""
    monkeypatch.setattr("spkit.policy.static_cache.WINDOW", 16)
    monkeypatch.setattr("spkit.policy.static_cache.PREFILL_TOKENS", 30)


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_fixed_shapes_change_nothing(name, temperature, narrow):
    """Ragged prompts, rows that end at different times, several windows; eagerly and replayed."""
    policy = POLICIES[name]()
    grown, none = sampled(policy, "growing", temperature)
    assert none is None and (temperature == 0 or len({len(ids) for ids in grown.token_ids}) > 2), (
        "the test needs rows of several lengths"
    )
    for graphs in (None, lambda: record):
        fixed, decoder = sampled(policy, "static", temperature, graphs=graphs)
        assert fixed.token_ids == grown.token_ids and fixed.finished == grown.finished
        assert apart(fixed.token_logprobs, grown.token_logprobs) < 1e-5
        assert bool(decoder.replays) == (graphs is not None)
    again = policy.logprobs(fixed.prompts, fixed.token_ids)
    assert apart(fixed.token_logprobs, again) < 1e-5
    assert all(scores.dtype == torch.float32 for scores in fixed.token_logprobs)


def test_smaller_and_wider_graphs_are_taken_and_used_again(narrow):
    policy = make_policy()
    policy.sampler = "static"
    decoder = policy._static = StaticDecoder(policy.model, lambda: record)
    sample = lambda seed: policy.sample(PROMPTS, 8, max_new_tokens=60, generator=torch.Generator().manual_seed(seed))
    first = sample(0)
    lines, windows = ({key[i] for key in decoder.replays} for i in (0, 1))
    assert max(lines) == 48 and len(lines) >= 3 and len(windows) >= 3
    kept, layers = dict(decoder.replays), decoder.buffers.layers
    assert sample(0).token_ids == first.token_ids != sample(1).token_ids
    assert decoder.buffers.layers is layers and kept.items() <= decoder.replays.items()


def test_a_graph_sees_an_update_of_the_weights_and_is_dropped_when_they_move(narrow):
    policy = make_policy()
    policy.sampler = "static"
    decoder = policy._static = StaticDecoder(policy.model, lambda: record)
    greedy = lambda: policy.sample(PROMPTS, temperature=0.0, max_new_tokens=30).token_ids
    before, kept = greedy(), dict(decoder.replays)
    layer = policy.model.model.layers[0].mlp.down_proj
    with torch.no_grad():
        layer.weight.mul_(-1)
    after = greedy()
    assert (
        after
        == Policy(policy.model, policy.tokenizer).sample(PROMPTS, temperature=0.0, max_new_tokens=30).token_ids
        != before
    )
    assert kept.items() <= decoder.replays.items()
    layer.weight = torch.nn.Parameter(-layer.weight.detach())
    assert greedy() == before and not kept.items() & decoder.replays.items()


def test_another_adapter_drops_the_graphs(narrow):
    policy = with_lora()
    reference = lambda: (
        Policy(policy.model, policy.tokenizer).sample(PROMPTS, temperature=0.0, max_new_tokens=20).token_ids
    )
    policy.sampler = "static"
    decoder = policy._static = StaticDecoder(policy.model, lambda: record)
    greedy = lambda: policy.sample(PROMPTS, temperature=0.0, max_new_tokens=20).token_ids
    adapted = greedy()
    kept = dict(decoder.replays)
    with policy.model.disable_adapter():
        assert greedy() == reference() != adapted
        assert not kept.items() & decoder.replays.items()
    assert greedy() == reference() == adapted


def test_policies_that_share_one_model_keep_their_own_graphs(narrow):
    """The base and two adapters take turns on the model; each replays its own steps, and none is captured twice."""
    lora = pytest.importorskip("spkit.policy.lora")
    plain = random_policy(small(Qwen2Config))
    base = lora.LoraPolicy(lora.with_adapters(plain.model, lora.LoraSettings(rank=4), {}), plain.tokenizer)
    policies = [base, base.clone(), base.clone()]
    for seed, policy in enumerate(policies[1:]):
        with torch.no_grad():
            for parameter in policy.model.parameters():
                parameter.normal_(0, 0.3, generator=torch.Generator().manual_seed(seed))
    greedy = lambda policy: policy.sample(PROMPTS, temperature=0.0, max_new_tokens=20).token_ids
    expected = [greedy(policy) for policy in policies]
    assert expected[0] != expected[1] != expected[2]
    for policy in policies:
        policy.sampler, policy._static = "static", StaticDecoder(policy.model, lambda: record)
    assert [greedy(policy) for policy in policies] == expected
    kept = [dict(policy._static.replays) for policy in policies]
    assert [greedy(policy) for policy in policies] == expected and [
        policy._static.replays for policy in policies
    ] == kept


@pytest.mark.parametrize("failure", ["capture", "replay"])
def test_sampling_goes_on_when_a_graph_cannot_be_had(failure, narrow, monkeypatch, capsys):
    monkeypatch.setattr("spkit.run.progress._compared", lambda: False)

    def capture(step):
        if failure == "capture":
            raise RuntimeError("CUDA error: operation not permitted when stream is capturing\nmore")
        return lambda: None  # a replay that computes nothing

    policy = make_policy()
    expected, _ = sampled(policy, "growing", 1.0)
    found, decoder = sampled(policy, "static", 1.0, graphs=lambda: capture)
    assert found.token_ids == expected.token_ids and decoder.capture is None and not decoder.replays
    said = capsys.readouterr().err
    assert said.count("without CUDA graphs") == 1
    assert ("operation not permitted" if failure == "capture" else "gives other logits") in said and "more" not in said


def test_the_context_ends_a_completion(policy):
    policy.sampler = "static"
    rollouts = policy.sample(
        ["1" * (policy.context - 4)], 4, max_new_tokens=50, generator=torch.Generator().manual_seed(0)
    )
    assert max(map(len, rollouts.token_ids)) == 4


def test_half_precision_gives_log_probabilities_in_float32(policy):
    policy.model.bfloat16()
    for kind in ("growing", "static"):
        rollouts = sampled(policy, kind, 1.0, n=4)[0]
        assert all(scores.dtype == torch.float32 for scores in rollouts.token_logprobs)
        again = policy.logprobs(rollouts.prompts, rollouts.token_ids)
        assert apart(rollouts.token_logprobs, again) < 0.05
        numbers = torch.cat(rollouts.token_logprobs)
        assert (numbers != numbers.bfloat16().float()).float().mean() > 0.5, (
            "a softmax in bfloat16 would give bfloat16 numbers"
        )


def on_gpu(model):
    """A twin that says it is on a GPU."""
    twin = copy(model)
    twin.__class__ = type("OnGpu", (type(model),), {"device": torch.device("cuda")})
    return twin


def test_the_sampler_is_static_on_a_gpu_alone_and_where_it_can(policy):
    assert not isinstance(policy.decoder(), StaticDecoder)
    sliding = replace(random_policy(small(MistralConfig, sliding_window=8)), sampler="static")
    with pytest.raises(SpkitError, match="take sampler 'growing'"):
        sliding.sample(PROMPTS, temperature=0.0, max_new_tokens=3)
    with pytest.raises(SpkitError, match="must be one of auto, growing, static, not 'fast'"):
        replace(policy, sampler="fast").sample(PROMPTS, temperature=0.0, max_new_tokens=3)
    assert takes_static(on_gpu(policy.model), "auto") and not takes_static(on_gpu(policy.model), "growing")
    assert not takes_static(on_gpu(sliding.model), "auto")
    sizes = dict(vocab_size=18, hidden_size=64, d_model=64, n_layer=2, n_layers=2, n_head=4, n_heads=4)
    alibi = [random_policy(kind(**sizes)) for kind in (BloomConfig, MptConfig)]
    assert not any(takes_static(on_gpu(policy.model), "auto") for policy in alibi), (
        "their distances are no additive mask of ours"
    )
    policy.sampler = "static"
    twin = policy.clone()
    assert isinstance(policy.decoder(), StaticDecoder) and policy.decoder() is policy.decoder()
    assert twin.sampler == "static" and twin.decoder().model is twin.model and twin.budget is policy.budget


def test_lines_are_rounded_up_by_a_half_at_most():
    assert [line_bucket(n) for n in (1, 2, 3, 4, 5, 6, 7, 9, 13, 17, 48, 49, 1000)] == [
        1,
        2,
        3,
        4,
        6,
        6,
        8,
        12,
        16,
        24,
        48,
        64,
        1024,
    ]
    assert all(n <= line_bucket(n) <= 1.5 * n for n in range(2, 3000))
