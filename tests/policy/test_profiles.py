"""Which model a notebook or command runs on, and why."""

from typing import get_type_hints

import pytest
import torch

from spkit.cli.runs import RunLoop, run_command
from spkit.policy import checkpoints, loading, profiles
from spkit.policy.profiles import Profile, memory_line, profile
from spkit.run.errors import SpkitError
from spkit.tasks import Task, load_task
from tests.cli.test_cli import spkit
from tests.conftest import make_policy


@pytest.fixture
def no_cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def test_the_default_is_the_cpu_with_the_shipped_models(no_cuda):
    chosen = profile({})
    assert (chosen.name, chosen.model, chosen.device) == ("cpu", "shipped", "cpu")
    assert str(chosen) == "profile: cpu (the default); model: the shipped model of each task, float32"
    assert chosen.load(load_task("addition")).fingerprint() == loading.load_policy("addition").fingerprint()


def test_a_gpu_that_is_there_is_offered_and_not_taken(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device=None: "Card 9000")
    assert str(profile({})).startswith("profile: cpu (the default; SPKIT_PROFILE=gpu uses the GPU)")
    chosen = profile({"SPKIT_PROFILE": "gpu"})
    assert (chosen.model, chosen.device) == ("Qwen/Qwen2.5-1.5B-Instruct", "cuda")
    assert (
        str(chosen)
        == "profile: gpu (SPKIT_PROFILE says so; on Card 9000); model: Qwen/Qwen2.5-1.5B-Instruct in 4 bits with LoRA"
    )
    assert profile({"SPKIT_PROFILE": "gpu", "SPKIT_MODEL": "own/model"}).model == "own/model"
    assert profile({"SPKIT_PROFILE": "cpu"}).name == "cpu"


def test_without_cuda_the_gpu_profile_says_what_to_do(no_cuda, tmp_path):
    for model in ({}, {"SPKIT_MODEL": "Qwen/Qwen2.5-1.5B-Instruct"}):
        with pytest.raises(
            SpkitError,
            match=(
                "needs a CUDA device, and torch finds none: set SPKIT_PROFILE=cpu, or SPKIT_MODEL=shipped or a folder"
            ),
        ):
            profile({"SPKIT_PROFILE": "gpu", **model})
    with pytest.raises(SpkitError, match="SPKIT_PROFILE is 'tpu'"):
        profile({"SPKIT_PROFILE": "tpu"})
    for model in (str(tmp_path), "shipped", "addition"):
        assert profile({"SPKIT_PROFILE": "gpu", "SPKIT_MODEL": model}).device == "cpu"


def test_the_shipped_models_run_in_four_bits_too(no_cuda):
    chosen = profile({"SPKIT_PROFILE": "gpu", "SPKIT_MODEL": "shipped"})
    assert str(chosen).endswith("model: the shipped model of each task in 4 bits with LoRA")
    for name in ("addition", "sums"):
        policy = chosen.load(load_task(name))
        assert policy.model.is_loaded_in_4bit and policy.prompting.kind == "plain"
        assert policy.tokenizer.get_vocab() == loading.load_policy(name).tokenizer.get_vocab()


def test_the_real_profile_is_a_small_model_with_adapters_on_the_cpu(hub_folder, tmp_path, monkeypatch):
    said = "profile: real (SPKIT_PROFILE says so); model: smollm2, float32 with LoRA"
    assert str(profile({"SPKIT_PROFILE": "real"})) == said
    assert str(profile({"SPKIT_PROFILE": "real", "SPKIT_DTYPE": "nf4"})).endswith("smollm2 in 4 bits with LoRA")
    with pytest.raises(SpkitError, match="SPKIT_DTYPE is 'half': set it to float32, bfloat16 or nf4, or leave it out"):
        profile({"SPKIT_PROFILE": "real", "SPKIT_DTYPE": "half"})
    monkeypatch.setenv("SPKIT_CACHE", str(tmp_path))
    with pytest.raises(SpkitError, match="smollm2 is not on this machine yet: fetch it with `spkit model smollm2`"):
        profile({"SPKIT_PROFILE": "real"}).load(load_task("addition"))
    chosen = profile({"SPKIT_PROFILE": "real", "SPKIT_MODEL": str(hub_folder), "SPKIT_DTYPE": "bfloat16"})
    policy = chosen.load(load_task("addition"))
    assert policy.model.backbone.model.dtype == torch.bfloat16 and policy.model.device.type == "cpu"
    assert policy.prompting.kind == "few_shot" and not list(policy.model.parameters()), "the base is frozen"


def test_precision_and_adapters_are_options_of_every_run():
    assert get_type_hints(RunLoop)["dtype"] == profiles.Precision
    assert run_command(["star", "--lora", "--dtype", "bfloat16"]).lora
    assert str(Profile("cpu", "smollm2", "cpu", "a test", "bfloat16", True)).endswith("smollm2, bfloat16 with LoRA")
    assert str(Profile("cpu", "addition", "cpu", "a test", "nf4")).endswith("addition in 4 bits with LoRA")


def test_the_default_model_of_the_hub_is_pinned():
    assert len(loading.REVISIONS[loading.HUB_MODEL]) == 40


def test_a_foreign_model_is_shown_examples_and_our_own_is_not(hub_folder, tmp_path, no_cuda):
    task = load_task("addition")
    foreign = Profile("gpu", str(hub_folder), "cpu", "a test").load(task)
    assert foreign.prompting.kind == "few_shot" and foreign.model.is_loaded_in_4bit
    make_policy().save(tmp_path)
    said = memory_line(foreign, task, 8)
    assert said.startswith("memory: weights ") and "gradients and optimizer" in said and " of " in said
    assert Profile("cpu", str(tmp_path), "cpu", "a test").load(task).prompting.kind == "plain"
    assert Profile("cpu", "addition", "cpu", "a test").load(task).prompting.kind == "plain"


def test_a_task_without_a_shipped_model_says_so(monkeypatch):
    class Other(Task):
        name = "other"

    with pytest.raises(
        SpkitError, match="no model is shipped for the task other: name one with --model or SPKIT_MODEL"
    ):
        Profile("cpu", "shipped", "cpu", "").load(Other())
    Other.base = "addition"
    assert Profile("cpu", "shipped", "cpu", "").load(Other()).context == loading.load_policy("addition").context


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (
            OSError("You are trying to access a gated repo.\nMake sure to have access"),
            "accept its terms at https://huggingface.co/own/model",
        ),
        (
            OSError("We couldn't connect to 'https://huggingface.co' to load the files"),
            "no connection to the hub: connect, or give a folder",
        ),
        (
            OSError("own/model is not a local folder and is not a valid model identifier"),
            "check the name and the network",
        ),
    ],
)
def test_what_the_hub_refuses_is_one_sentence(monkeypatch, error, advice):
    def refuse(*_, **__):
        raise error

    monkeypatch.setattr(checkpoints.AutoConfig, "from_pretrained", refuse)
    with pytest.raises(SpkitError, match=advice) as caught:
        loading.load_policy("own/model")
    assert "\n" not in str(caught.value)


def test_out_of_memory_while_loading_is_one_sentence(monkeypatch):
    def refuse(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(checkpoints.AutoConfig, "from_pretrained", refuse)
    with pytest.raises(SpkitError, match="does not fit on the device: choose a smaller model"):
        loading.load_policy("own/model")


@pytest.mark.whole
def test_commands_say_which_profile_they_run_in(tmp_path, monkeypatch):
    make_policy().save(tmp_path / "base")
    arguments = [
        "run",
        "star",
        "--model",
        str(tmp_path / "base"),
        "--iterations",
        "0",
        "--out",
        str(tmp_path / "run"),
        "--json",
    ]
    done = spkit(*arguments)
    assert done.returncode == 0 and "profile: cpu (the default" in done.stderr
    monkeypatch.setenv("SPKIT_PROFILE", "fast")
    done = spkit(*arguments)
    assert (
        done.returncode == 2
        and done.stderr.strip() == "spkit: SPKIT_PROFILE is 'fast': set it to cpu, real or gpu, or leave it out"
    )
    assert profiles.PROFILES == ("cpu", "real", "gpu")


def test_a_gpu_that_is_not_there_is_said_before_anything_is_loaded(no_cuda):
    with pytest.raises(SpkitError, match="the device cuda needs an NVIDIA GPU, and torch finds none"):
        Profile("real", "smollm2", "cuda", "a test").load(load_task("stories"))


def test_conclusions_are_asserted_on_the_shipped_models_and_reported_on_others(capsys):
    with pytest.raises(AssertionError, match="sums get longer"):
        Profile("cpu", "shipped", "cpu", "").check(False, "sums get longer")
    Profile("cpu", "shipped", "cpu", "").check(True, "sums get longer")
    assert capsys.readouterr().out == ""
    Profile("real", "smollm2", "cpu", "").check(False, "sums get longer")
    assert capsys.readouterr().out == "does NOT hold here: sums get longer\n"
    for holds, word in ((True, "holds here too"), (False, "does NOT hold here")):
        for model in ("own/model", "shipped"):
            Profile("gpu", model, "cuda", "").check(holds, "sums get longer")
            assert capsys.readouterr().out == f"{word}: sums get longer\n"
