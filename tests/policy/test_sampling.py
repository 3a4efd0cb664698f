"""Sampling against Hugging Face on the same weights, and against the softmax it claims to draw from."""

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, MistralConfig

from spkit.policy import Policy
from spkit.run.errors import SpkitError
from tests.conftest import make_policy
from tests.helpers import apart

PROMPTS = ["1+2=", "123+456=", "98765+43210=", "1+2=", "12+34#46="]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def hf_greedy(policy: Policy, prompt: str, limit: int) -> list[int]:
    ids = torch.tensor([policy.prompt_ids(prompt)])
    output = policy.model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=limit
    )
    return output[0, ids.shape[1] :].tolist()


def hf_logprobs(policy: Policy, prompt: str, completion: list[int]) -> torch.Tensor:
    ids = policy.prompt_ids(prompt)
    with torch.no_grad():
        logits = policy.model(torch.tensor([ids + completion])).logits[0].double()
    scores = logits.log_softmax(-1)
    return torch.stack([scores[len(ids) - 1 + i, token] for i, token in enumerate(completion)])


@pytest.mark.parametrize("seed", range(3))
def test_greedy_equals_hugging_face(seed):
    policy = make_policy(seed)
    rollouts = policy.sample(PROMPTS, temperature=0.0, max_new_tokens=40)
    for prompt, ids in zip(PROMPTS, rollouts.token_ids):
        assert ids == hf_greedy(policy, prompt, 40)


@pytest.mark.parametrize("temperature", [0.0, 0.7, 1.0])
def test_logprobs_equal_a_forward_pass_at_temperature_one(policy, temperature):
    rollouts = policy.sample(PROMPTS, 3, temperature=temperature, max_new_tokens=30, generator=generator())
    again = policy.logprobs(rollouts.prompts, rollouts.token_ids)
    for row, prompt in enumerate(rollouts.prompts):
        expected = hf_logprobs(policy, prompt, rollouts.token_ids[row])
        assert apart(rollouts.token_logprobs[row], expected) < 1e-5
        assert apart(again[row], expected) < 1e-5
        assert float(rollouts.logprobs[row]) == pytest.approx(float(expected.sum()), rel=1e-5)


def test_other_architectures_take_the_same_path():
    from spkit.bases.tiny import char_tokenizer

    tokenizer = char_tokenizer("0123456789+=#:;", 96)
    small = dict(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4
    )
    small |= dict(max_position_embeddings=96, pad_token_id=0, eos_token_id=1, bos_token_id=None)
    configs = [
        LlamaConfig(num_key_value_heads=1, **small),
        MistralConfig(num_key_value_heads=2, sliding_window=8, **small),
    ]
    for config in configs:
        torch.manual_seed(0)
        policy = Policy(AutoModelForCausalLM.from_config(config), tokenizer)
        with torch.no_grad():
            policy.model.model.embed_tokens.weight.mul_(12)
        rollouts = policy.sample(["1+2=", "123+456="], temperature=0.0, max_new_tokens=20)
        assert rollouts.token_ids == [hf_greedy(policy, "1+2=", 20), hf_greedy(policy, "123+456=", 20)]


def test_samples_of_one_prompt_differ_and_repeat_with_the_seed(policy):
    once = policy.sample(["12+34="], 16, max_new_tokens=20, generator=generator(1))
    assert len(set(once.texts)) > 4
    assert once.texts == policy.sample(["12+34="], 16, max_new_tokens=20, generator=generator(1)).texts
    assert once.texts != policy.sample(["12+34="], 16, max_new_tokens=20, generator=generator(2)).texts


def test_padding_order_and_batch_size_change_nothing(policy, monkeypatch):
    whole = policy.sample(PROMPTS, 8, max_new_tokens=30, generator=generator())
    monkeypatch.setattr("spkit.policy.decoder_choice.ROWS_PER_BATCH", 5)
    split = policy.sample(PROMPTS, 8, max_new_tokens=30, generator=generator())
    assert whole.texts == split.texts
    assert apart(whole.logprobs, split.logprobs) < 1e-5
    greedy = policy.sample(PROMPTS, temperature=0.0, max_new_tokens=30).texts
    assert policy.sample(PROMPTS[::-1], temperature=0.0, max_new_tokens=30).texts == greedy[::-1]
    assert [policy.sample([p], temperature=0.0, max_new_tokens=30).texts[0] for p in PROMPTS] == greedy


def test_retiring_rows_changes_nothing(policy, monkeypatch):
    kept = policy.sample(PROMPTS, 32, max_new_tokens=40, generator=generator())
    assert 0.1 < sum(kept.finished) / len(kept) < 1, "the test needs rows that end at different times"
    monkeypatch.setattr("spkit.policy.sampling.RETIRE_SHARE", -1.0)
    assert policy.sample(PROMPTS, 32, max_new_tokens=40, generator=generator()).texts == kept.texts


def chi_square(counts: torch.Tensor, probabilities: torch.Tensor) -> tuple[float, int]:
    expected = probabilities * counts.sum()
    common = expected >= 5
    observed = torch.cat([counts[common], counts[~common].sum()[None]])
    expected = torch.cat([expected[common], expected[~common].sum()[None].clamp(min=1e-9)])
    return float(((observed - expected) ** 2 / expected)[expected > 1].sum()), int((expected > 1).sum()) - 1


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_first_token_fits_the_softmax(policy, temperature):
    n = 20_000
    rollouts = policy.sample(["12+34="], n, temperature=temperature, max_new_tokens=1, generator=generator(3))
    counts = torch.bincount(
        torch.tensor([ids[0] for ids in rollouts.token_ids]), minlength=len(policy.tokenizer)
    ).double()
    with torch.no_grad():
        logits = policy.model(torch.tensor([policy.prompt_ids("12+34=")])).logits[0, -1].double()
    statistic, freedom = chi_square(counts, (logits / temperature).softmax(-1))
    assert freedom >= 3 and statistic < freedom + 5 * (2 * freedom) ** 0.5
    wrong, _ = chi_square(counts, (logits / (temperature * 1.3)).softmax(-1))
    assert wrong > 10 * freedom, "the test must notice a temperature that is 30 % off"


def test_finished_means_an_end_token(policy):
    rollouts = policy.sample(PROMPTS, 32, max_new_tokens=12, generator=generator())
    end = policy.tokenizer.eos_token_id
    for ids, text, finished in zip(rollouts.token_ids, rollouts.texts, rollouts.finished):
        assert finished == (ids[-1] == end) and end not in ids[:-1]
        assert len(ids) == 12 or finished
        assert "<eos>" not in text and len(text.replace("<pad>", "p").replace("<unk>", "u")) == len(ids) - finished
    assert 0 < sum(rollouts.finished) < len(rollouts)


def test_the_context_ends_a_completion(policy):
    prompt = "1" * (policy.context - 4)
    rollouts = policy.sample([prompt], 4, max_new_tokens=50, generator=generator())
    assert max(map(len, rollouts.token_ids)) <= 4


@pytest.mark.parametrize(
    ("prompts", "options", "message"),
    [
        (["1" * 200], {}, "has 200 tokens and the model reads 96 at most"),
        ([""], {}, "prompt is empty"),
        (["1+x="], {}, "does not know 'x'"),
        (["1+2="], {"temperature": -1.0}, "temperature >= 0"),
        (["1+2="], {"max_new_tokens": 0}, "max_new_tokens >= 1"),
        (["1+2="], {"n": 0}, "n >= 1"),
        (["1+2="], {"generator": None}, "needs a torch.Generator"),
    ],
)
def test_bad_input_is_one_sentence(policy, prompts, options, message):
    with pytest.raises(SpkitError, match=message):
        policy.sample(prompts, **{"max_new_tokens": 5, "generator": generator(), **options})


def test_no_prompt_gives_no_rollout(policy):
    assert len(policy.sample([], max_new_tokens=5, generator=generator())) == 0
