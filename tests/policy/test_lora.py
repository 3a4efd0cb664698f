"""Policies that share one frozen model: nobody gets another's adapter, and no gradient is lost or wrong."""

import gc

import pytest
import torch

pytest.importorskip("peft")

from spkit.policy import Example, SftConfig, load_policy
from spkit.policy.lora import LoraSettings, merge_shift, with_adapters
from spkit.policy.training import completion_logprobs
from spkit.run.errors import SpkitError
from spkit.run.streams import generator
from tests.conftest import make_policy
from tests.helpers import apart

PROMPTS, ANSWER = ["1+2=", "33+41="], [5, 6, 7, 8, 1]
ROWS = [Example([4, 13, 5, 14], [6, 1]), Example([4, 4, 13, 5, 14], ANSWER)]


@pytest.fixture
def base(tmp_path):
    make_policy().save(tmp_path / "base")
    return load_policy(tmp_path / "base", lora=LoraSettings(rank=4, alpha=8))


def train(policy, steps=12, seed=0):
    policy.fit([(PROMPTS[0], ANSWER), (PROMPTS[1], [9, 9, 1])], SftConfig(steps, 2, 2e-2), generator(seed, 0, "train"))
    return policy


def scores(policy):
    return torch.cat(policy.logprobs(PROMPTS, [ANSWER, ANSWER]))


def gradient(policy, rows=ROWS):
    for parameter in policy.model.parameters():
        parameter.grad = None
    logprobs, mask = completion_logprobs(policy.model, rows, policy.pad_id)
    (logprobs * mask).sum().backward()
    return torch.cat([parameter.grad.flatten() for parameter in policy.model.parameters()])


def test_a_fresh_adapter_is_the_model_and_always_starts_the_same(base):
    plain = make_policy()
    one, two = base.clone(), base.clone()
    for policy in (base, one, two):
        assert apart(scores(policy), scores(plain)) < 1e-5
    assert one.fingerprint() == two.fingerprint()
    assert train(one).fingerprint() == train(two).fingerprint() != base.fingerprint()


def test_making_an_adapter_leaves_the_global_random_state_alone(base):
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    base.clone()
    assert torch.equal(torch.rand(2), expected)


def test_policies_do_not_see_each_other(base):
    before = scores(base)
    one = train(base.clone())
    learned = scores(one)
    two = one.clone()
    assert torch.equal(scores(two), learned) and apart(learned, before) > 1e-2
    train(two, seed=1)
    assert torch.equal(scores(one), learned)
    assert torch.equal(scores(base), before)
    assert (
        one.sample(PROMPTS, temperature=0.0, max_new_tokens=9).texts
        == one.clone().sample(PROMPTS, temperature=0.0, max_new_tokens=9).texts
    )


def test_it_is_the_lora_of_peft(base):
    """The same adapter on an ordinary copy of the model, through peft alone."""
    peft = pytest.importorskip("peft")
    one = train(base.clone())
    model = peft.get_peft_model(make_policy().model, peft.LoraConfig(r=4, lora_alpha=8, target_modules="all-linear"))
    theirs = [parameter for name, parameter in model.named_parameters() if ".lora_" in name]
    with torch.no_grad():
        for mine, other in zip(one.model.parameters(), theirs, strict=True):
            other.copy_(mine)
    logprobs, mask = completion_logprobs(model, ROWS, one.pad_id)
    expected = logprobs[mask]
    (logprobs * mask).sum().backward()
    got, own_mask = completion_logprobs(one.model, ROWS, one.pad_id)
    assert apart(got[own_mask], expected) < 1e-5
    assert apart(gradient(one), [parameter.grad for parameter in theirs]) < 1e-5


@pytest.mark.parametrize("checkpointing", [True, False])
def test_asking_another_policy_between_loss_and_backward_changes_no_gradient(tmp_path, checkpointing):
    make_policy().save(tmp_path)
    base = load_policy(tmp_path, lora=LoraSettings(rank=4, gradient_checkpointing=checkpointing))
    one, other = train(base.clone()), train(base.clone(), seed=5)
    alone = gradient(one)
    for asked in (base, other):
        for parameter in one.model.parameters():
            parameter.grad = None
        logprobs, mask = completion_logprobs(one.model, ROWS, one.pad_id)
        scores(asked)
        asked.sample(PROMPTS, temperature=0.0, max_new_tokens=3)
        (logprobs * mask).sum().backward()
        assert torch.equal(torch.cat([parameter.grad.flatten() for parameter in one.model.parameters()]), alone)


def test_checkpointing_computes_layers_again_and_gives_the_same_gradient(tmp_path):
    make_policy().save(tmp_path)
    grads, calls = {}, {}
    for checkpointing in (True, False):
        policy = train(load_policy(tmp_path, lora=LoraSettings(rank=4, gradient_checkpointing=checkpointing)).clone())
        layer = policy.model.backbone.model.get_base_model().model.layers[0].mlp
        count = []
        handle = layer.register_forward_pre_hook(lambda *_: count.append(1))
        grads[checkpointing] = gradient(policy)
        handle.remove()
        calls[checkpointing] = len(count)
    assert calls == {True: 2, False: 1}
    assert apart(grads[True], grads[False]) < 1e-5


def test_only_the_adapter_is_trainable_and_the_base_is_not(base):
    assert list(base.model.parameters()) == []
    one = base.clone()
    names = [name for name, parameter in one.model.named_parameters() if parameter.requires_grad]
    assert names and all(".lora_" in name for name in names)
    frozen = base.model.checksum()
    train(one)
    base.model.backbone.origin.pop("checksum")
    assert base.model.checksum() == frozen


def test_an_adapter_goes_when_its_policy_goes(base):
    adapters = base.model.backbone.model.peft_config
    one = base.clone()
    kept = train(one.clone())
    expected = scores(kept)
    assert len(adapters) == 3
    del one
    gc.collect()
    assert len(adapters) == 2 and torch.equal(scores(kept), expected)


def test_other_adapter_settings_are_another_start(tmp_path):
    make_policy().save(tmp_path / "base")
    load = lambda **settings: load_policy(tmp_path / "base", lora=LoraSettings(rank=4, **settings)).fingerprint()
    assert load() == load(gradient_checkpointing=False)  # the same function, with less memory
    assert len({load(), load(alpha=64), load(seed=1)}) == 3


def test_the_frozen_weights_are_read_once_for_the_checksum(base, monkeypatch):
    first, read = base.fingerprint(), []
    monkeypatch.setattr("spkit.policy.adapters._frozen", lambda model: read.append(model) or [])
    assert base.fingerprint() == first and base.clone().fingerprint() != first and not read


def test_saved_adapters_come_back_on_the_same_model_and_from_the_folder_alone(base, tmp_path):
    from peft import PeftModel

    one = train(base.clone())
    one.save(tmp_path / "saved")
    for again in (base.restored(tmp_path / "saved"), load_policy(tmp_path / "saved")):
        assert again.fingerprint() == one.fingerprint()
        assert apart(scores(again), scores(one)) < 1e-5
    theirs = PeftModel.from_pretrained(make_policy().model, str(tmp_path / "saved"))
    logprobs, mask = completion_logprobs(theirs, ROWS, one.pad_id)
    assert apart(logprobs[mask], completion_logprobs(one.model, ROWS, one.pad_id)[0][mask]) < 1e-5
    base.save(tmp_path / "untrained")
    assert apart(scores(base.restored(tmp_path / "untrained")), scores(base)) < 1e-5


def test_damaged_and_foreign_adapters_are_one_sentence(base, tmp_path):
    one = train(base.clone())
    one.save(tmp_path / "cut")
    path = tmp_path / "cut" / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(SpkitError, match="incomplete or damaged"):
        base.restored(tmp_path / "cut")
    make_policy(seed=1, width=32).save(tmp_path / "narrow")
    narrow = load_policy(tmp_path / "narrow", lora=LoraSettings(rank=4))
    one.save(tmp_path / "whole")
    with pytest.raises(SpkitError, match="of another model or rank"):
        narrow.restored(tmp_path / "whole")
    (tmp_path / "whole" / "spkit.json").unlink()
    with pytest.raises(SpkitError, match="its base is unknown"):
        load_policy(tmp_path / "whole")


def test_merging_in_full_precision_changes_nothing(base):
    one = train(base.clone())
    before = scores(one)
    assert merge_shift(one, PROMPTS, [ANSWER, ANSWER])["max"] < 1e-5 * before.abs().max()
    assert torch.equal(scores(one), before)


def test_dropout_is_off_even_in_training_mode():
    policy = make_policy()
    policy.model.config.attention_dropout = 0.5
    for layer in policy.model.model.layers:
        layer.self_attn.attention_dropout = 0.5
    view = with_adapters(policy.model, LoraSettings(rank=2), {}).copy()
    logits = [completion_logprobs(view, ROWS, 0)[0] for _ in range(2)]
    assert torch.equal(*logits)
