"""What 4 bits and LoRA leave out is told, and planned with."""

import pytest
import torch

pytest.importorskip("bitsandbytes")

from spkit.policy import SftConfig, load_policy
from spkit.policy.architecture import bare
from spkit.policy.coverage import left_out_of_four_bits, left_out_of_lora
from spkit.policy.lora import LoraSettings
from spkit.policy.memory import planned_four_bit_bytes, weight_bytes
from spkit.run.errors import SpkitError
from tests.policy.test_architectures import PROMPTS, random_policy

NAMES = ["llama", "gpt2", "mixtral", "gpt_oss", "falcon", "jamba"]
FOUR_BITS_MISS = {"mixtral": 0.5, "gpt_oss": 0.5, "falcon": 0.5, "jamba": 0.3}  # at least this share
LORA_MISSES = {"gpt_oss": 0.5, "jamba": 0.3}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", NAMES)
def test_what_is_left_out_is_told_with_its_share_and_planned_with(name, tmp_path, monkeypatch, capsys):
    random_policy(name).save(tmp_path)
    plan = planned_four_bit_bytes(load_policy(tmp_path).model)
    monkeypatch.setattr("spkit.run.progress._compared", lambda: False)
    base = load_policy(tmp_path, four_bit=True, lora=LoraSettings(rank=2))
    said, model = " ".join(capsys.readouterr().err.split()), bare(base.model)
    adapters = sum(parameter.nbytes for part, parameter in model.named_parameters() if ".lora_" in part)
    assert weight_bytes(model) - adapters == plan
    four, lora = left_out_of_four_bits(model)[0], left_out_of_lora(base.model.backbone.model)[0]
    assert (FOUR_BITS_MISS[name] < four < 1) if name in FOUR_BITS_MISS else four < 0.1
    assert (f"{100 * four:.0f} % of the weights of {tmp_path} are not in 4 bits" in said) == (name in FOUR_BITS_MISS)
    assert (LORA_MISSES[name] < lora < 1) if name in LORA_MISSES else lora < 0.1
    assert (f"{100 * lora:.0f} % of the weights of {tmp_path} get no LoRA adapter" in said) == (name in LORA_MISSES)
    policy = base.clone()
    policy.fit([("1+2=", policy.completion_ids("3"))], SftConfig(1, 1, 1e-3), torch.Generator().manual_seed(0))
    rollouts = policy.sample(PROMPTS, temperature=0.0, max_new_tokens=4)
    again = policy.logprobs(rollouts.prompts, rollouts.token_ids)
    assert max((a - b).abs().max() for a, b in zip(again, rollouts.token_logprobs)) < 2e-3
    policy.save(tmp_path / "adapter")
    assert torch.equal(
        base.restored(tmp_path / "adapter").logprobs(["1+2="], [[5]])[0], policy.logprobs(["1+2="], [[5]])[0]
    )


def test_experts_count_by_their_weights():
    """A Mixtral's experts: two layers of four, each of three matrices of 64 by 64."""
    policy = random_policy("mixtral")
    model = policy.model
    share, largest = left_out_of_four_bits(model)
    tables = model.get_input_embeddings().weight.numel() + model.get_output_embeddings().weight.numel()
    flat = sum(parameter.numel() for parameter in model.parameters() if parameter.dim() == 1)
    total = sum(parameter.numel() for parameter in model.parameters())
    assert share == pytest.approx((total - tables - flat) / total) and largest.endswith("experts.gate_up_proj")


def test_a_mamba_takes_lora_but_not_four_bits(tmp_path, monkeypatch, capsys):
    """Its kernels read weights past the modules: packed ones make no sense there, and adapters on
    `out_proj` would be passed by.
    """
    random_policy("mamba").save(tmp_path)
    with pytest.raises(SpkitError, match=r"\(mamba\) does not compute with 4-bit weights: load it without four_bit"):
        load_policy(tmp_path, four_bit=True)
    monkeypatch.setattr("spkit.run.progress._compared", lambda: False)
    base = load_policy(tmp_path, lora=LoraSettings(rank=2))
    assert (
        "get no LoRA adapter and stay as they are (backbone.layers.0.mixer.out_proj.weight and the like)"
        in " ".join(capsys.readouterr().err.split())
    )
    policy, ids = base.clone(), [[5, 6, 7]]
    policy.fit([("1+2=", ids[0])], SftConfig(3, 1, 1e-2), torch.Generator().manual_seed(0))
    assert not torch.equal(policy.logprobs(["1+2="], ids)[0], base.logprobs(["1+2="], ids)[0])
    rollouts = policy.sample(PROMPTS, temperature=0.0, max_new_tokens=4)
    again = policy.logprobs(rollouts.prompts, rollouts.token_ids)
    assert max((a - b).abs().max() for a, b in zip(again, rollouts.token_logprobs)) < 2e-3
