"""The loops through NF4 weights and LoRA, on a model that is saved and loaded as one of the hub is.

And what 4 bits get wrong by themselves.
"""

from dataclasses import replace

import pytest
import torch

pytest.importorskip("bitsandbytes")

from spkit.loops.rlvr import RlvrConfig, rlvr
from spkit.loops.spin import SpinConfig, spin
from spkit.loops.star import StarConfig, star
from spkit.measures.accuracy import accuracy
from spkit.policy import Example, load_policy, loading
from spkit.policy.lora import LoraPolicy, LoraSettings, merge_shift
from spkit.policy.prompting import prompting_for
from spkit.policy.training import adamw, completion_logprobs
from spkit.run.errors import SpkitError
from spkit.run.folder import Run
from spkit.stages.solve import solve
from spkit.tasks import Addition, test_set

TASK = Addition(difficulties=(1, 2))


@pytest.fixture(scope="module")
def base(hub_folder):
    return load_policy(hub_folder, four_bit=True, lora=LoraSettings(rank=8))


def test_the_linear_layers_are_nf4_with_double_quantisation(base):
    from bitsandbytes.nn import Linear4bit

    layers = [module for module in base.model.backbone.model.modules() if isinstance(module, Linear4bit)]
    assert isinstance(base, LoraPolicy) and len(layers) == 2 * 7
    for layer in layers:
        assert layer.weight.quant_state.quant_type == "nf4" and layer.weight.quant_state.nested
        assert not layer.support_avx512bf16_for_cpu
    adapted = {name.split(".lora_")[0] for name, _ in base.clone().model.named_parameters()}
    assert len(adapted) == len(layers)


def test_four_bits_cost_little_of_what_the_model_knows(base, hub_folder):
    asked = test_set(TASK, 40)
    whole, quarter = (
        accuracy(asked, solve(one, TASK, asked).verdicts)["accuracy"] for one in (load_policy(hub_folder), base)
    )
    assert whole > 0.25 and quarter > whole - 0.2


def adapter_gradient(policy):
    for parameter in policy.model.parameters():
        parameter.grad = None
    rows = [
        Example(policy.prompt_ids("1+2="), policy.completion_ids("1+2+0:03;3")),
        Example(policy.prompt_ids("7+5="), policy.completion_ids("7+5+0:12;12")),
    ]
    logprobs, mask = completion_logprobs(policy.model, rows, policy.pad_id)
    (logprobs * mask).sum().backward()
    return torch.cat([parameter.grad.flatten() for parameter in policy.model.parameters()])


def before_and_after_a_generation(hub_folder):
    policy = load_policy(hub_folder, four_bit=True, lora=LoraSettings(rank=4, gradient_checkpointing=False)).clone()
    with torch.no_grad():
        for name, parameter in policy.model.named_parameters():
            if ".lora_B." in name:
                parameter.copy_(0.05 * torch.arange(parameter.numel()).sin().view_as(parameter))
    before = adapter_gradient(policy)
    policy.sample(["1+2="], temperature=0.0, max_new_tokens=4)
    return before, adapter_gradient(policy)


def test_generating_does_not_change_the_gradients(hub_folder, monkeypatch):
    """bitsandbytes 0.50.2 on a CPU with AVX512-BF16 repacks the weights for a kernel without backward.

    Here every CPU is taken for such a one.
    """
    import bitsandbytes.nn.modules as modules

    monkeypatch.setattr(modules, "has_avx512bf16", lambda: True)
    before, after = before_and_after_a_generation(hub_folder)
    assert torch.equal(before, after)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_trap_is_there_without_the_guard(hub_folder, monkeypatch):
    import bitsandbytes.nn.modules as modules

    monkeypatch.setattr(modules, "has_avx512bf16", lambda: True)
    monkeypatch.setattr(loading, "keep_backward", lambda model: model)
    try:
        before, after = before_and_after_a_generation(hub_folder)
    except RuntimeError:
        return  # no such kernel on this CPU
    if torch.equal(before, after):
        pytest.skip("this version of bitsandbytes keeps the backward pass: keep_backward can go")
    assert (before - after).abs().max() > 1e-3


def test_merging_rounds_and_the_shift_is_measured(base):
    policy = base.clone()
    with torch.no_grad():
        for name, parameter in policy.model.named_parameters():
            if ".lora_B." in name:
                parameter.copy_(0.02 * torch.arange(parameter.numel()).sin().view_as(parameter))
    shift = merge_shift(policy, ["1+2="], [policy.completion_ids("1+2+0:03;3")])
    assert 1e-5 < shift["mean"] <= shift["max"] < 1.0


SETTINGS = {
    "star": (
        star,
        StarConfig(
            iterations=1, problems_per_iteration=24, steps=6, batch_size=8, learning_rate=2e-3, test_per_difficulty=20
        ),
    ),
    "spin": (
        spin,
        SpinConfig(iterations=1, references=24, batch_size=8, learning_rate=(1e-3,), test_per_difficulty=20),
    ),
    "rlvr": (
        rlvr,
        RlvrConfig(
            iterations=1, problems=8, k=4, batch_size=16, learning_rate=1e-3, test_per_difficulty=20, test_samples=2
        ),
    ),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_one_iteration(base, name, tmp_path):
    loop, config = SETTINGS[name]
    frozen, start = base.fingerprint(), base.logprobs(["1+2="], [[5]])[0]
    records = list(loop(base, TASK, config, Run(tmp_path / "run")))
    assert [record["iteration"] for record in records] == [0, 1]
    assert records[0]["accuracy"] > 0.15
    if name == "spin":
        assert records[1]["learned"]["start_log_ratio"] == 0.0
        assert abs(records[1]["learned"]["displacement_real"]) > 1e-3
    if name == "rlvr":
        assert records[1]["learned"]["ratio_first"] == pytest.approx(1.0, abs=1e-3)
        assert records[1]["learned"]["steps"] > 0 and records[1]["kl_to_base"] > 0
    if name == "star":
        assert records[1]["kept"] > 0 and records[1]["loss_last"] < 1.0
    assert base.fingerprint() == frozen and torch.equal(base.logprobs(["1+2="], [[5]])[0], start)
    saved = load_policy(tmp_path / "run" / "checkpoints" / "iteration-0001")
    assert saved.fingerprint() != base.clone().fingerprint()
    assert (
        sum(path.stat().st_size for path in (tmp_path / "run" / "checkpoints").rglob("adapter_model.safetensors"))
        < 200_000
    )


@pytest.mark.whole
def test_a_run_that_goes_on_equals_one_that_was_not_stopped(base, tmp_path):
    config = SETTINGS["rlvr"][1]
    longer = replace(config, iterations=2)
    list(rlvr(base, TASK, config, Run(tmp_path / "stopped")))
    resumed = list(rlvr(base, TASK, longer, Run(tmp_path / "stopped")))
    whole = list(rlvr(base, TASK, longer, Run(tmp_path / "whole")))
    drop = lambda record: {name: value for name, value in record.items() if name != "seconds"}
    assert [drop(record) for record in resumed] == [drop(record) for record in whole]


def test_a_model_that_never_saw_the_task_is_shown_examples(base):
    few = base.prompted(prompting_for(TASK, base.tokenizer, shown=2, hinted=0))
    rollouts = few.sample(["1+2="], temperature=0.0, max_new_tokens=20)
    assert (
        "\n\n" not in rollouts.texts[0]
        and few.prompt_ids("1+2=")[: len(few.prompt_ids("1+3=")) - 4] == few.prompt_ids("1+3=")[:-4]
    )
    assert few.fingerprint() != base.fingerprint() and few.clone().prompting == few.prompting


def test_the_optimizer_of_four_bit_policies_is_paged_and_in_eight_bits_on_cuda_only(base, monkeypatch):
    assert type(adamw(base.clone().model, 1e-3)) is torch.optim.AdamW
    made = []
    import bitsandbytes.optim as optim

    monkeypatch.setattr(
        optim, "PagedAdamW8bit", lambda parameters, **settings: made.append((len(parameters), settings))
    )

    class OnCuda:
        device, is_loaded_in_4bit = torch.device("cuda"), True

        def parameters(self):
            return iter([torch.nn.Parameter(torch.zeros(2))])

    adamw(OnCuda(), 1e-3, weight_decay=0.1)
    assert made == [(1, {"lr": 1e-3, "weight_decay": 0.1})]


def test_what_is_missing_is_one_sentence(hub_folder, monkeypatch):
    import builtins

    real = builtins.__import__

    def without(name, *rest):
        if name == "bitsandbytes":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SpkitError, match="4-bit weights need the packages bitsandbytes and accelerate"):
        load_policy(hub_folder, four_bit=True)
