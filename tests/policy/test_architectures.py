"""Every kind of model goes through one path: loaded, sampled as `generate` does, scored, trained, cloned, saved.

Tiny random models of the architectures in USUAL always run, those in MORE with `SPKIT_ALL_ARCHITECTURES=1` (some
compute their layers in slow Python loops). Between them are all kinds of cache that transformers 5.23 has for
language models: keys and values, windows, states, both in one layer, caches of a model's own, and none.
"""

import os

import pytest
import torch
from transformers import CONFIG_MAPPING, AutoModelForCausalLM

from spkit.bases.tiny import char_tokenizer
from spkit.policy import Policy, SftConfig, load_policy
from spkit.policy.memory import estimate, model_cache_bytes
from spkit.policy.sampling import GrowingDecoder, pad_left
from spkit.run.errors import SpkitError
from tests.conftest import ALPHABET

PROMPTS = ["1+2=", "98765+43210=", "7"]
VOCABULARY = len(char_tokenizer(ALPHABET, 96)) + 2  # as in many models, larger than the tokenizer's
SIZES = dict(
    hidden_size=64, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=16
)
SIZES |= dict(n_embd=64, d_model=64, n_layer=2, n_head=4, n_layers=2, n_heads=4, ffn_dim=64, word_embed_proj_dim=64)
SIZES |= dict(
    max_position_embeddings=96,
    n_positions=96,
    max_seq_len=96,
    num_local_experts=4,
    num_experts=4,
    num_experts_per_tok=2,
)
SIZES |= dict(n_routed_experts=4, moe_intermediate_size=32, shared_expert_intermediate_size=32, state_size=8)
HYBRID = dict(layer_types=["linear_attention", "full_attention"], linear_num_key_heads=2, linear_num_value_heads=4)
HYBRID |= dict(linear_key_head_dim=16, linear_value_head_dim=16)
HEADS = dict(mamba_n_heads=8, mamba_d_head=16, mamba_d_state=8)
LATENT = dict(
    head_dim=8,
    qk_rope_head_dim=8,
    qk_nope_head_dim=8,
    v_head_dim=16,
    kv_lora_rank=16,
    q_lora_rank=16,
    num_key_value_heads=4,
)
USUAL = {
    name: {}
    for name in "gpt2 opt gpt_neox bloom mpt llama qwen2 qwen3 phi cohere mixtral gpt_oss openai-gpt mamba rwkv".split()
} | {
    "mistral": dict(sliding_window=6),
    "gemma2": dict(sliding_window=6),
    "gemma3_text": dict(sliding_window=6, layer_types=["sliding_attention", "full_attention"]),
    "falcon": dict(head_dim=None),
    "deepseek_v3": LATENT | dict(n_group=1, topk_group=1),
    "mamba2": dict(num_heads=8, head_dim=16, n_groups=2),
    "lfm2": dict(layer_types=["conv", "full_attention"]),
    "qwen3_next": HYBRID,
    "jamba": dict(
        attn_layer_period=2,
        attn_layer_offset=1,
        expert_layer_period=2,
        expert_layer_offset=1,
        use_mamba_kernels=False,
        mamba_d_state=8,
    ),
    "granitemoehybrid": dict(layer_types=["mamba", "attention"]) | HEADS,
    "recurrent_gemma": dict(
        num_hidden_layers=3, block_types=["recurrent", "recurrent", "attention"], lru_width=64, attention_window_size=32
    ),
    "minimax": {},
}
MORE = {
    name: {}
    for name in (
        "trocr gpt_bigcode olmo3 exaone4 qwen2_moe qwen3_moe deepseek_v4 inkling2_text stablelm xglm falcon_h1"
    ).split()
} | {
    "gptj": dict(rotary_dim=8),
    "codegen": dict(rotary_dim=8),
    "gpt_neo": dict(attention_types=[[["global", "local"], 1]], num_layers=2, num_heads=4),
    "bamba": dict(attn_layer_indices=[1]) | HEADS,
    "deepseek_v32": LATENT,
    "falcon_mamba": {},
    "lfm3": dict(layer_types=["conv", "full_attention"]),
    "nemotron_h": {},
    "olmo_hybrid": {},
    "qwen3_5_text": HYBRID,
    "zamba2": dict(
        num_hidden_layers=3,
        layers_block_type=["mamba", "hybrid", "mamba"],
        mamba_d_state=8,
        n_mamba_heads=8,
        mamba_headdim=16,
    ),
}
KINDS = USUAL | (MORE if os.environ.get("SPKIT_ALL_ARCHITECTURES") else {})


def tiny(name: str, **other):
    """Settings of a tiny model of that kind; of SIZES it gets what it has."""
    kind = CONFIG_MAPPING[name]
    known, other = kind(), (USUAL | MORE).get(name, {}) | other
    sizes = {key: value for key, value in SIZES.items() if hasattr(known, key)} | {
        key: value for key, value in other.items() if value is not None
    }
    sizes = {key: value for key, value in sizes.items() if other.get(key, value) is not None}
    return kind(**sizes, vocab_size=VOCABULARY, pad_token_id=0, eos_token_id=1, bos_token_id=1)


def random_policy(name: str) -> Policy:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(tiny(name)).float()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(6 if parameter.dim() > 1 else 1)
    return Policy(model, char_tokenizer(ALPHABET, 96))


def generated(policy: Policy, prompt: str, limit: int) -> list[int]:
    ids = torch.tensor([policy.prompt_ids(prompt)])
    output = policy.model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=limit
    )
    return output[0, ids.shape[1] :].tolist()


@pytest.mark.parametrize("name", KINDS)
def test_one_path_for_every_kind_of_model(name, tmp_path):
    prompts = [
        prompt for prompt in PROMPTS if len(prompt) > 1 or name != "recurrent_gemma"
    ]  # whose generate takes one token for a step
    random_policy(name).save(tmp_path / "model")
    policy = load_policy(tmp_path / "model")
    greedy = policy.sample(prompts, temperature=0.0, max_new_tokens=12)
    assert greedy.token_ids == [generated(policy, prompt, 12) for prompt in prompts]
    assert any(len(ids) > 1 for ids in greedy.token_ids)
    drawn = policy.sample(prompts, 2, max_new_tokens=12, generator=torch.Generator().manual_seed(0))
    for rollouts in (greedy, drawn):
        again = policy.logprobs(rollouts.prompts, rollouts.token_ids)
        assert max((a - b).abs().max() for a, b in zip(again, rollouts.token_logprobs)) < 2e-3
    twin = policy.clone()
    learned = twin.fit(
        [("1+2=", twin.completion_ids("3")), ("7", twin.completion_ids("89"))],
        SftConfig(1, 2, 1e-3),
        torch.Generator().manual_seed(0),
    )
    assert 0 < learned["loss_first"] < 1000 and twin.fingerprint() != policy.fingerprint()
    twin.save(tmp_path / "twin")
    ids = twin.completion_ids("3")
    assert torch.allclose(
        load_policy(tmp_path / "twin").logprobs(["1+2="], [ids])[0], twin.logprobs(["1+2="], [ids])[0], atol=1e-5
    )
    assert policy.sample(prompts, temperature=0.0, max_new_tokens=12).token_ids == greedy.token_ids


@pytest.mark.parametrize("name", KINDS)
def test_memory_is_planned_for_every_kind_of_model(name):
    policy = random_policy(name)
    found = estimate(policy.model, 4, 10, 10, 2)
    assert found.weights > 0 and found.training > 0 and found.sampling > 0 and str(found)
    if policy.decoder().__class__ is GrowingDecoder and "sliding_window" not in USUAL.get(name, {}):
        decoder = policy.decoder()
        with torch.inference_mode():
            decoder.start(*pad_left([[3, 4, 5]] * 2, 0, policy.model.device), torch.tensor([0, 1]), 0)
        layers = decoder.cache.layers
        kept = [tensor for layer in layers for tensor in (getattr(layer, "keys", None), getattr(layer, "values", None))]
        kept += [
            tensor
            for layer in layers
            for kind in ("conv_states", "recurrent_states")
            for tensor in getattr(layer, kind, {}).values()
        ]
        assert sum(tensor.nbytes for tensor in kept if tensor is not None) == model_cache_bytes(policy.model, 2, 3)


def test_the_slow_way_is_told_once(monkeypatch, capsys):
    monkeypatch.setattr("spkit.run.progress._compared", lambda: False)
    policy = random_policy("openai-gpt")
    for _ in range(2):
        policy.sample(["1+2="], temperature=0.0, max_new_tokens=2)
        policy = policy.clone()
    assert (
        capsys.readouterr().err.count(
            "openai-gpt keeps no cache that spkit can use: sampling reads the whole text again"
        )
        == 1
    )


def saved(tmp_path, name: str, kind=AutoModelForCausalLM, **tokens):
    """A folder as somebody else saved it, without our settings file."""
    tokenizer = char_tokenizer(ALPHABET, 96)
    for key, value in tokens.items():
        setattr(tokenizer, key, value)
    kind.from_config(tiny(name)).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    return tmp_path


def test_what_is_no_causal_language_model_is_one_sentence(tmp_path):
    from transformers import AutoModelForMaskedLM, AutoModelForSeq2SeqLM

    kinds = {
        "t5": AutoModelForSeq2SeqLM,
        "bart": AutoModelForSeq2SeqLM,
        "bert": AutoModelForMaskedLM,
        "distilbert": AutoModelForMaskedLM,
    }
    said = {
        "t5": "is an encoder-decoder model",
        "bart": "is an encoder-decoder model",
        "bert": "reads in both directions",
    }
    for name, kind in kinds.items():
        folder = tmp_path / name
        config = tiny(name, **({"d_ff": 64} if name == "t5" else {}))
        kind.from_config(config).save_pretrained(folder)
        char_tokenizer(ALPHABET, 96).save_pretrained(folder)
        with pytest.raises(SpkitError, match=said.get(name, "is no causal language model")) as caught:
            load_policy(folder)
        assert "causal language model" in str(caught.value) and "\n" not in str(caught.value)


def test_the_end_token_may_be_named_in_the_settings_alone(tmp_path):
    folder = saved(tmp_path / "mamba", "mamba", eos_token=None, pad_token=None)
    policy = load_policy(folder)
    assert policy.tokenizer.eos_token == "<eos>" and policy.stop_ids == {1} and policy.completion_ids("3")[-1] == 1
    assert policy.sample(["1+2="], temperature=0.0, max_new_tokens=3).token_ids == [generated(policy, "1+2=", 3)]
    for name in ("config.json", "generation_config.json"):
        text = (folder / name).read_text()
        (folder / name).write_text(text.replace('"eos_token_id": 1', '"eos_token_id": null'))
    with pytest.raises(SpkitError, match="has no end token, so no completion would end: name one as eos_token"):
        load_policy(folder)


def test_a_model_may_know_more_tokens_than_its_tokenizer_and_not_fewer():
    policy = random_policy("llama")
    with torch.no_grad():
        policy.model.lm_head.weight.zero_()
        policy.model.lm_head.weight[VOCABULARY - 1] = 0.0
    drawn = policy.sample(["1+2="], 64, max_new_tokens=4, generator=torch.Generator().manual_seed(0))
    strange = [text for text, ids in zip(drawn.texts, drawn.token_ids) if ids[0] >= len(policy.tokenizer)]
    assert strange and all(isinstance(text, str) for text in strange)
    policy.tokenizer.add_tokens(["<a>", "<b>", "<c>"])
    with pytest.raises(SpkitError, match="the tokenizer has tokens that the model has not"):
        policy.prompt_ids("1+2=<c>")
