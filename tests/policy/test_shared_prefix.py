"""Sampling beside a shared prefix against one attention over the whole text, in every precision and shape."""

import random
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from transformers import GPT2Config, LlamaConfig, MistralConfig, Qwen2Config

from spkit.policy import Policy
from spkit.policy.prompting import Prompting
from spkit.policy.sampling import GrowingDecoder, compacted, pad_left
from spkit.policy.shared_prefix import Prefix, SharedPrefixDecoder, attend, common_beginning, shares_prefix
from tests.helpers import apart
from tests.policy.test_static_cache import random_policy, small, with_lora

TEMPLATE = "{% for m in messages %}{{ m['content'] }}{% if m['role'] == 'assistant' %};{% endif %}{% endfor %}"
SHOWN = Prompting("chat", tuple((f"{n}{n}+{n}=", f"{n}{2 * n}") for n in range(1, 5)))
PROMPTS = ["1+2=", "123+456=", "98765+43210=", "1+2=", "12+34#46=", "7"]


def one_head() -> LlamaConfig:
    config = small(LlamaConfig)
    config.num_key_value_heads = 1
    return config


def gpt2() -> GPT2Config:
    sizes = {"vocab_size": small(LlamaConfig).vocab_size, "n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 96}
    return GPT2Config(**sizes, eos_token_id=1, bos_token_id=None)


MODELS = {
    "one head for all": lambda: random_policy(one_head()),
    "grouped heads": lambda: random_policy(small(LlamaConfig)),
    "biases": lambda: random_policy(small(Qwen2Config)),
    "eager attention": lambda: random_policy(small(Qwen2Config, attn_implementation="eager")),
    "learned positions": lambda: random_policy(gpt2()),
    "adapters": with_lora,
}


def chat(name: str) -> Policy:
    policy = MODELS[name]()
    policy.tokenizer.chat_template = TEMPLATE
    return replace(policy, prompting=SHOWN, sampler="growing")


def plainly(policy: Policy) -> Policy:
    """The same policy, which reads every prompt from its beginning."""
    return replace(policy, shares=False)


def draw(policy: Policy, n: int, temperature: float, limit: int = 30):
    noise = torch.Generator().manual_seed(0)
    return policy.sample(PROMPTS, n, temperature=temperature, max_new_tokens=limit, generator=noise)


@pytest.fixture
def in_parts(monkeypatch):
    """Prompts are read in several parts."""
    monkeypatch.setattr("spkit.policy.shared_prefix.READ_AT_ONCE", 16)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("n", "temperature"), [(1, 0.0), (7, 1.0)])
def test_the_same_texts_as_over_whole_prompts(name, n, temperature, in_parts):
    policy = chat(name)
    shared, whole = draw(policy, n, temperature), draw(plainly(policy), n, temperature)
    assert policy.shares, "the test needs a model that shares"
    assert shared.token_ids == whole.token_ids and shared.finished == whole.finished
    assert apart(shared.token_logprobs, whole.token_logprobs) < 1e-4
    assert apart(shared.token_logprobs, policy.logprobs(shared.prompts, shared.token_ids)) < 1e-4
    assert n == 1 or len({len(ids) for ids in shared.token_ids}) > 2, "the test needs rows that end at different times"


def test_adapters_on_one_model_share_too():
    lora = pytest.importorskip("spkit.policy.lora")
    plain = chat("biases")
    base = lora.with_adapters(plain.model, lora.LoraSettings(rank=4), {})
    policy = lora.LoraPolicy(base, plain.tokenizer, SHOWN).clone()
    with torch.no_grad():
        for parameter in policy.model.parameters():
            parameter.normal_(0, 0.3, generator=torch.Generator().manual_seed(0))
    shared, whole = draw(policy, 4, 1.0), draw(plainly(policy), 4, 1.0)
    assert policy.shares and shared.token_ids == whole.token_ids
    assert apart(shared.token_logprobs, whole.token_logprobs) < 1e-4


def logits_of(policy: Policy, decoder: GrowingDecoder, prompts: list[list[int]]) -> Tensor:
    """The model's own last logits, in its precision, of steps in which lines leave."""
    seen: list[Tensor] = []
    hook = policy.model.get_output_embeddings().register_forward_hook(lambda *call: seen.append(call[2][:, -1]))
    noise = random.Random(0)
    with torch.inference_mode():
        decoder.start(*pad_left(prompts, 0, torch.device("cpu")), torch.tensor([0, 2, 1, 1, 0, 2]), 12)
        seen.clear()
        for writing in ([1] * 6, [0, 1, 1, 1, 0, 1], [1, 0, 1, 1], [0, 0, 1]):
            lines = compacted(torch.tensor(writing) == 1)
            decoder.keep(lines)
            decoder.step(torch.tensor([noise.randrange(2, 15) for _ in lines]))
    hook.remove()
    return torch.cat(seen)


@pytest.mark.parametrize("name", ["one head for all", "grouped heads", "biases", "learned positions"])
def test_steps_are_exact_up_to_rounding(name, in_parts):
    policy = chat(name)
    policy.model.double()
    beginning = [3, 5, 4, 7, 2, 8, 9, 3, 3, 4, 10, 11]
    prompts = [beginning + end for end in ([5, 6, 7, 8, 9, 3, 2, 4], [6, 4, 3], [5, 3])]
    decoders = SharedPrefixDecoder(policy.model, Prefix(beginning)), GrowingDecoder(policy.model)
    found, expected = (logits_of(policy, decoder, prompts) for decoder in decoders)
    assert found.dtype == torch.float64 and found.shape == expected.shape
    assert apart(found, expected) < 1e-10 * float(expected.abs().max())


@pytest.mark.parametrize("queries", [1, 5])
@pytest.mark.parametrize("kinds", [1, 2, 6])
def test_two_parts_are_one_attention(queries, kinds):
    """Against the softmax over both, written out; a line that is padding alone sees the prefix."""
    draw = torch.Generator().manual_seed(0)
    lines, heads, size, prefix, own = 3, 6, 8, 11, 7
    normal = lambda *shape: 3 * torch.randn(*shape, generator=draw, dtype=torch.float64)
    query, pairs = (
        normal(lines, heads, queries, size),
        (normal(lines, kinds, own, size), normal(lines, kinds, own, size)),
    )
    shared = (normal(1, kinds, prefix, size), normal(1, kinds, prefix, size))
    seen = torch.rand(lines, 1, queries, own, generator=draw) < 0.6
    seen[1, :, 0] = False
    bias = torch.zeros(seen.shape, dtype=torch.float64).masked_fill_(~seen, torch.finfo(torch.float64).min)
    module = nn.Module()
    module.layer_idx = 0
    found, _ = attend(module, query, *pairs, bias, 0.3, shared_prefix=[shared])
    keys, values = (
        torch.cat([one.expand(lines, -1, -1, -1), two], 2).repeat_interleave(heads // kinds, 1)
        for one, two in zip(shared, pairs)
    )
    scores = 0.3 * query @ keys.transpose(2, 3)
    scores[..., prefix:].masked_fill_(~seen, -torch.inf)
    assert apart(found, (scores.softmax(-1) @ values).transpose(1, 2)) < 1e-12


def test_attention_of_another_kind_is_refused():
    none = torch.zeros(1, 1, 1, 8)
    with pytest.raises(TypeError, match="another kind"):
        attend(nn.Module(), none, none, none, None, softcap=30.0, shared_prefix=[])


def test_the_prefix_is_read_once_and_never_repeated(monkeypatch):
    policy = chat("grouped heads")
    shared = len(common_beginning([policy.prompt_ids(prompt) for prompt in PROMPTS]))
    expected = draw(policy, 3, 1.0)
    monkeypatch.setattr("spkit.policy.decoder_choice.ROWS_PER_BATCH", 4)
    read, caches = [], []
    start = SharedPrefixDecoder.start

    def watched(decoder, *given):
        logits = start(decoder, *given)
        caches.append(decoder.cache)
        return logits

    monkeypatch.setattr(SharedPrefixDecoder, "start", watched)
    hook = policy.model.register_forward_pre_hook(
        lambda module, _, given: read.append(tuple(given["input_ids"].shape)), with_kwargs=True
    )
    assert draw(policy, 3, 1.0).token_ids == expected.token_ids
    hook.remove()
    assert read.count((1, shared)) == 1 and shared > 30 and max(width for _, width in read if width != shared) < 15
    assert len(caches) == 5, "batches"
    assert all(layer.buffers[0].shape[:2] <= (4, 2) for cache in caches for layer in cache.layers)
    assert all(layer.buffers[0].shape[2] < 15 + 30 for cache in caches for layer in cache.layers)


def test_plain_prompts_single_rows_and_short_beginnings_share_nothing(monkeypatch):
    monkeypatch.setattr("spkit.policy.policy.SharedPrefixDecoder", None)
    policy = chat("grouped heads")
    sample = lambda policy, prompts: policy.sample(prompts, temperature=0.0, max_new_tokens=3)
    sample(replace(policy, prompting=Prompting()), ["1" * 30 + "+1=", "1" * 30 + "+2="])
    sample(policy, ["1+2="])
    sample(replace(policy, prompting=Prompting("chat", (("1+1=", "2"),))), ["1+2=", "2+2="])
    with pytest.raises(TypeError, match="NoneType"):
        sample(policy, ["1+2=", "2+2="])


def test_a_model_that_cannot_share_is_found_out(monkeypatch):
    assert shares_prefix(chat("grouped heads").model)
    assert not shares_prefix(random_policy(small(MistralConfig, sliding_window=8)).model)
    monkeypatch.setattr("spkit.policy.shared_prefix.Attended.joined", lambda own, other: own.output)
    assert not shares_prefix(chat("grouped heads").model), "other logits"
    monkeypatch.setattr("spkit.policy.shared_prefix._attended", lambda *_: 1 / 0)
    policy = chat("grouped heads")
    assert not shares_prefix(policy.model) and policy.model.config._attn_implementation == "sdpa"


def test_the_common_beginning_is_the_longest_that_leaves_a_token():
    draw = random.Random(0)
    for _ in range(500):
        texts = [[draw.randrange(2) for _ in range(draw.randint(1, 6))] for _ in range(draw.randint(1, 4))]
        beginnings = (texts[0][:n] for n in range(7) if all(len(t) > n and t[:n] == texts[0][:n] for t in texts))
        assert common_beginning(texts) == max(beginnings, key=len)
    assert common_beginning([]) == []


def test_lines_that_are_writing_stay_where_they_can():
    draw = random.Random(0)
    for _ in range(300):
        writing = torch.tensor([draw.random() < 0.5 for _ in range(draw.randint(1, 12))])
        lines = compacted(writing).tolist()
        assert sorted(lines) == writing.nonzero().squeeze(1).tolist()
        assert sum(line != place for place, line in enumerate(lines)) == int((~writing[: len(lines)]).sum())
