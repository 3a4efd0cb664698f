"""Our own steps of a tiny Llama: the logits of transformers, lines that branch, and models that are left alone."""

from dataclasses import replace

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from spkit.policy import llama_decoder
from spkit.policy.llama_decoder import LlamaDecoder, computes
from spkit.policy.plain_llama import plain_llama
from spkit.policy.sampling import GrowingDecoder, branched, pad_left
from tests.conftest import make_policy
from tests.helpers import apart

PROMPTS = ["1+2=", "123+456=", "98765+43210=", "12+34#46="]


def llama(heads: int = 4, kinds: int = 2, **more) -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=23,
        hidden_size=32,
        intermediate_size=56,
        num_hidden_layers=3,
        num_attention_heads=heads,
        num_key_value_heads=kinds,
        max_position_embeddings=64,
        **more,
    )
    model = LlamaForCausalLM(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # scales of norms, too, and sharp attention
            parameter.add_(torch.randn_like(parameter), alpha=0.3)
    return model


def exact(model: LlamaForCausalLM) -> LlamaForCausalLM:
    """The same in double precision."""
    twin = LlamaForCausalLM(model.config).double().eval()
    twin.load_state_dict(model.state_dict())
    return twin


def last_logits(twin: LlamaForCausalLM, ids: list[int]) -> torch.Tensor:
    """The last logits of a text, read at once without padding."""
    return twin(torch.tensor([ids])).logits[0, -1].float()


@torch.inference_mode()
@pytest.mark.parametrize("kinds", [1, 2, 4])
@pytest.mark.parametrize("lengths", [(5, 5), (3, 9, 1), (20,)])
@pytest.mark.parametrize("at_once", [10, 4096])
def test_logits_are_those_of_the_whole_text_in_double_precision(kinds, lengths, at_once, monkeypatch):
    monkeypatch.setattr(llama_decoder, "PROMPT_TOKENS", at_once)
    model, numbers = llama(kinds=kinds, head_dim=12), torch.Generator().manual_seed(1)
    texts = [torch.randint(23, (length,), generator=numbers).tolist() for length in lengths]
    decoder, twin, lines = LlamaDecoder(model), exact(model), [*range(len(texts)), 0]
    logits = decoder.start(*pad_left(texts, 0, model.device), torch.tensor(lines), 12)
    texts = [texts[line] for line in lines]
    for most in (1, 3, 18, 40, 5, 2):
        known = {tuple(text): last_logits(twin, text) for text in texts}
        expected = torch.stack([known[tuple(text)] for text in texts])
        assert apart(logits, expected) < 2e-4 * expected.abs().max()
        lines = torch.randint(len(texts), (most,), generator=numbers)
        chosen = torch.randint(23, lines.shape, generator=numbers)
        texts = [[*texts[line], token] for line, token in zip(lines.tolist(), chosen.tolist())]
        decoder.keep(lines)
        logits = decoder.step(chosen)
        assert len(logits) == len(lines)


@torch.inference_mode()
def test_small_numbers_are_normed_as_in_the_model():
    """Where the epsilon of the norm counts."""
    model = llama()
    model.model.embed_tokens.weight.mul_(1e-4)
    logits = LlamaDecoder(model).start(*pad_left([[3, 4, 5]], 0, model.device), torch.tensor([0]), 2)
    assert apart(logits[0], last_logits(exact(model), [3, 4, 5])) < 1e-4 * logits.abs().max()


def test_an_update_is_seen():
    policy = make_policy(0)
    before = policy.sample(PROMPTS, max_new_tokens=20, temperature=0.0)
    with torch.no_grad():
        policy.model.model.layers[0].mlp.down_proj.weight.mul_(-3)
    after = policy.sample(PROMPTS, max_new_tokens=20, temperature=0.0)
    scored = policy.logprobs(after.prompts, after.token_ids)
    assert after.token_ids != before.token_ids
    assert max(apart(a, b) for a, b in zip(after.token_logprobs, scored)) < 1e-5


@pytest.mark.parametrize("temperature", [0.0, 0.3, 1.0])
def test_rows_write_what_each_writes_on_a_line_of_its_own(temperature, monkeypatch):
    policy, lines = make_policy(1), []
    with torch.no_grad():
        policy.model.lm_head.weight.mul_(3)  # rows stay together for a while
    assert isinstance(policy.decoder(), LlamaDecoder)
    given = dict(temperature=temperature, max_new_tokens=24)
    step = LlamaDecoder.step
    monkeypatch.setattr(LlamaDecoder, "step", lambda self, chosen: lines.append(len(chosen)) or step(self, chosen))
    found = policy.sample(PROMPTS, 40, generator=torch.Generator().manual_seed(3), **given)
    monkeypatch.setattr("spkit.policy.decoder_choice.plain_llama", lambda model: False)
    assert isinstance(policy.decoder(), GrowingDecoder)
    apart_ = policy.sample(PROMPTS, 40, generator=torch.Generator().manual_seed(3), **given)
    assert found.token_ids == apart_.token_ids and found.finished == apart_.finished
    assert max(apart(a, b) for a, b in zip(found.token_logprobs, apart_.token_logprobs)) < 1e-5
    for t, count in enumerate(lines, 1):
        going_on = [(p, *ids[:t]) for p, ids in zip(found.prompts, found.token_ids) if len(ids) > t]
        assert count == len(set(going_on)), "each text so far is one line, and those that have ended are none"
    if temperature == 1:
        assert max(lines) > 40, "the test needs lines that branch"
    if temperature == 0:
        assert max(lines) <= len(PROMPTS)


def test_lines_branch_and_stay_in_place():
    for seed in range(200):
        numbers = torch.Generator().manual_seed(seed)
        lines, rows, alone = 1 + seed % 7, 1 + seed % 13, seed % 3 == 0
        line = torch.randint(lines, (rows,), generator=numbers)
        if alone:
            line = torch.randperm(rows + 2, generator=numbers)[:rows]
        chosen = torch.randint(4, (rows,), generator=numbers)
        parents, tokens, own = branched(line, chosen, alone)
        assert list(zip(parents[own].tolist(), tokens[own].tolist())) == list(zip(line.tolist(), chosen.tolist()))
        pairs = list(zip(parents.tolist(), tokens.tolist()))
        assert len(set(pairs)) == len(pairs) and sorted(set(own.tolist())) == list(range(len(pairs)))
        for parent in set(line.tolist()):
            if parent < len(pairs):
                assert parents[parent] == parent, "what need not move does not"


@pytest.mark.parametrize(
    "other",
    [
        dict(attention_bias=True),
        dict(mlp_bias=True),
        dict(hidden_act="gelu"),
        dict(rope_parameters={"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}),
    ],
)
def test_what_it_does_not_compute_is_left_to_the_model(other):
    assert plain_llama(llama()) and computes(llama())
    assert not plain_llama(llama(**other))


def test_a_model_that_is_listened_to_or_changed_is_left_to_itself():
    policy, heard = make_policy(0), []
    assert isinstance(policy.decoder(), LlamaDecoder)
    handle = policy.model.model.layers[1].register_forward_hook(lambda *_: heard.append(1))
    assert isinstance(policy.decoder(), GrowingDecoder)
    policy.sample(PROMPTS, max_new_tokens=3, temperature=0.0)
    handle.remove()
    assert len(heard) == 3 and isinstance(policy.decoder(), LlamaDecoder)
    assert not plain_llama(llama().double()) and not plain_llama(llama().bfloat16())
    model = llama()
    model.model.layers[0].mlp.forward = lambda x: x
    assert not plain_llama(model)


def test_steps_that_are_wrong_are_not_taken(monkeypatch):
    read_on = LlamaDecoder._read_on
    monkeypatch.setattr(LlamaDecoder, "_read_on", lambda *given: read_on(*given) * 1.05)
    policy = replace(make_policy(0), growing=type(make_policy(0).growing)())
    assert not computes(policy.model) and isinstance(policy.decoder(), GrowingDecoder)
    monkeypatch.setattr(LlamaDecoder, "_read_on", lambda *given: 1 / 0)
    assert not computes(policy.model)
