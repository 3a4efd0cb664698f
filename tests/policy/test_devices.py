"""Devices by name; of a device that is not on the machine that tests, what is said."""

import subprocess
import sys

import pytest
import torch

from spkit.policy import load_policy
from spkit.policy.devices import device_named
from spkit.policy.profiles import Profile, profile
from spkit.run.errors import SpkitError


@pytest.fixture
def without_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.fixture
def with_one_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device=None: f"a card ({device})")


def test_the_cpu_is_always_there(without_gpus):
    assert device_named("cpu") == device_named(torch.device("cpu")) == torch.device("cpu")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gpu", "there is no device 'gpu': give cpu, cuda"),
        ("meta", "there is no device 'meta'"),
        ("", "there is no device ''"),
        ("cuda", "the device cuda needs an NVIDIA GPU, and torch finds none: take the device cpu"),
        ("mps", "the device mps needs a Mac with Apple silicon"),
    ],
)
def test_what_is_not_there_is_one_sentence(without_gpus, name, said):
    with pytest.raises(SpkitError, match=said):
        device_named(name)


def test_a_second_gpu_that_is_not_there(with_one_gpu):
    assert device_named("cuda:0").index == 0
    with pytest.raises(SpkitError, match="there is no device cuda:1: torch finds 1 GPUs, cuda:0 is the first"):
        device_named("cuda:1")


def test_a_policy_is_not_loaded_for_a_device_that_is_not_there(without_gpus):
    with pytest.raises(SpkitError, match="the device mps needs"):
        load_policy("addition", "mps")
    with pytest.raises(SpkitError, match="the device mps needs"):
        profile({"SPKIT_DEVICE": "mps"})


def test_four_bits_are_refused_on_mps_before_anything_is_read(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    with pytest.raises(SpkitError, match="4-bit weights need a CPU or an NVIDIA GPU"):
        load_policy("addition", "mps", four_bit=True)


def test_the_device_of_a_profile_is_said_where_it_is_not_the_usual_one(with_one_gpu):
    assert str(profile({"SPKIT_DEVICE": "cuda"})).endswith("float32, on cuda")
    assert ", on" not in str(profile({})) and ", on" not in str(profile({"SPKIT_DEVICE": "cpu"}))
    assert profile({"SPKIT_PROFILE": "real", "SPKIT_DEVICE": "cuda:0"}).device == "cuda:0"
    assert profile({"SPKIT_PROFILE": "gpu"}).device == "cuda"
    assert profile({"SPKIT_PROFILE": "gpu", "SPKIT_DEVICE": "cpu", "SPKIT_MODEL": "shipped"}).device == "cpu"


def test_conclusions_are_asserted_on_the_cpu_alone(capsys):
    Profile("cpu", "shipped", "mps", "").check(False, "sums get longer")
    assert "does NOT hold here: sums get longer" in capsys.readouterr().out


@pytest.mark.whole
def test_the_command_line_takes_a_device(tmp_path):
    code = "from spkit.cli.main import main; main()"
    asked = "run star --task addition --iterations 0 --test-per-difficulty 1 --json".split()
    go = lambda device: subprocess.run(
        [sys.executable, "-c", code, *asked, "--out", str(tmp_path / device), "--device", device],
        capture_output=True,
        text=True,
    )
    assert go("cpu").returncode == 0
    refused = go("tpu")
    assert refused.returncode == 2 and refused.stderr.startswith("spkit: there is no device 'tpu'")
    assert not (tmp_path / "tpu").exists()
