"""Which model a notebook or command runs on: the shipped tiny ones or a small real one on the CPU, or a Hugging Face
model in 4 bits with LoRA on one GPU.

    SPKIT_PROFILE   `cpu` (the default), `real` or `gpu`
    SPKIT_MODEL     in place of the profile's own model a hub id, a folder, the name of a model (`spkit model` lists
                    them), or `shipped`: the shipped base of each task, which is the cpu profile's own; the real
                    profile's is smollm2, the gpu profile's Qwen2.5-1.5B-Instruct at a pinned commit
    SPKIT_DTYPE     the precision of the weights: float32 (of `cpu` and `real` by default), bfloat16, or nf4 (4 bits,
                    of `gpu` by default)
    SPKIT_DEVICE    in place of the profile's own device cpu, cuda or mps (see `devices`)

`real` trains LoRA adapters on the CPU, and `gpu` on a GPU. The default is the CPU where there is a GPU too: the
committed outputs are its outputs, and it downloads nothing.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import torch

from ..run.errors import SpkitError
from ..tasks import Task
from . import Policy, load_policy
from .devices import device_named
from .fetchable import FETCHABLE
from .loading import HUB_MODEL, is_ours, shipped_models
from .memory import estimate
from .prompting import prompting_for

PROFILES = ("cpu", "real", "gpu")
SHIPPED = "shipped"
REAL_MODEL = "smollm2"

Precision = Literal["auto", "float32", "bfloat16", "nf4"]


@dataclass(frozen=True)
class Profile:
    """A choice of model, device and precision.

    `model` is `shipped` for the shipped base of each task; `reason` says why it was chosen. `lora` trains adapters on a
    frozen model, as `real`, `gpu` and 4-bit weights always do. `precision` is of the weights; `auto` is nf4 (4 bits)
    for `gpu`, else float32.
    """

    name: Literal["cpu", "real", "gpu"]
    model: str
    device: str
    reason: str
    precision: Precision = "auto"
    lora: bool = False

    def __str__(self) -> str:
        model = "the shipped model of each task" if self.model == SHIPPED else self.model
        weights = " in 4 bits" if self._weights == "nf4" else f", {self._weights}"
        where = "" if self.device == "cpu" or self.name == "gpu" else f", on {self.device}"
        how = f"{weights}{' with LoRA' if self.adapters else ''}{where}"
        return f"profile: {self.name} ({self.reason}); model: {model}{how}"

    @property
    def adapters(self) -> bool:
        """Whether what is trained are LoRA adapters."""
        return self.lora or self.name != "cpu" or self._weights == "nf4"

    @property
    def _weights(self) -> str:
        usual = "nf4" if self.name == "gpu" else "float32"
        return usual if self.precision == "auto" else self.precision

    def load(self, task: Task) -> Policy:
        """The base policy for a task. A model that is not of our making is shown the task's prompts as a chat,
        or after solved examples.

        Raises SpkitError if no model is shipped for the task, there is no such device, and what `load_policy`
        does.
        """
        device_named(self.device)
        model, four_bit = _shipped_for(task) if self.model == SHIPPED else self.model, self._weights == "nf4"
        dtype = "auto" if four_bit else self._weights
        policy = load_policy(model, self.device, dtype=dtype, four_bit=four_bit, lora=self.adapters)
        return policy if _is_ours(model) else policy.prompted(prompting_for(task, policy.tokenizer))

    def check(self, holds: bool, conclusion: str) -> None:
        """Assert a notebook's conclusion on the shipped models, which it was drawn on.

        On another model, print whether it holds there too.
        """
        if (self.name, self.model, self.device, self._weights, self.lora) == ("cpu", SHIPPED, "cpu", "float32", False):
            assert holds, conclusion
        else:
            print(f"{'holds here too' if holds else 'does NOT hold here'}: {conclusion}")


def profile(environment: Mapping[str, str] = os.environ) -> Profile:
    """The profile that the environment asks for.

    Raises SpkitError if there is none of that name, no such precision or device, or it needs a GPU and there is none.
    """
    name, model = environment.get("SPKIT_PROFILE", ""), environment.get("SPKIT_MODEL", "")
    precision, device = environment.get("SPKIT_DTYPE", "") or "auto", environment.get("SPKIT_DEVICE", "")
    if name not in ("", *PROFILES):
        raise SpkitError(f"SPKIT_PROFILE is {name!r}: set it to {_either(PROFILES)}, or leave it out")
    if precision not in get_args(Precision):
        raise SpkitError(f"SPKIT_DTYPE is {precision!r}: set it to {_either(get_args(Precision)[1:])}, or leave it out")
    if device:
        device_named(device)
    if name == "real":
        return Profile("real", model or REAL_MODEL, device or "cpu", "SPKIT_PROFILE says so", precision)
    if name == "gpu":
        return _on_gpu(model, precision, device)
    offer = "; SPKIT_PROFILE=gpu uses the GPU" if torch.cuda.is_available() else ""
    reason = "SPKIT_PROFILE says so" if name else f"the default{offer}"
    return Profile("cpu", model or SHIPPED, device or "cpu", reason, precision)


def _on_gpu(model: str, precision: Precision, device: str) -> Profile:
    if torch.cuda.is_available() and device != "cpu":
        reason = f"SPKIT_PROFILE says so; on {torch.cuda.get_device_name(device or None)}"
        return Profile("gpu", model or HUB_MODEL, device or "cuda", reason, precision)
    if model not in (SHIPPED, *shipped_models(), *FETCHABLE) and not (model and Path(model).exists()):
        raise SpkitError(
            "SPKIT_PROFILE=gpu needs a CUDA device, and torch finds none: set SPKIT_PROFILE=cpu, or "
            "SPKIT_MODEL=shipped or a folder with a small model"
        )
    where = "the CPU" if device in ("", "cpu") else device
    reason = f"SPKIT_PROFILE says so; no CUDA device is used, so SPKIT_MODEL runs on {where}, slowly"
    return Profile("gpu", model, device or "cpu", reason, precision)


def _either(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


def memory_line(policy: Policy, task: Task, train_rows: int, rows: int = 64) -> str:
    """What sampling `rows` completions of the task at once and training on `train_rows` will take, beside
    what there is, in one line.

    Rows are made fewer by themselves where they do not fit, so more than there is means slower, not impossible.
    """
    characters = max(task.max_completion_chars(difficulty) for difficulty in task.difficulties)
    new = policy.tokens_for(characters, task.chars_per_token)
    prompt = max(len(policy.prompt_ids(task.problem(0, index).prompt)) for index in range(len(task.difficulties)))
    needed = estimate(policy.clone().model, rows, prompt, new, train_rows)
    return f"memory: {needed}" + ("" if needed.fits in (True, None) else "; fewer rows at once will be taken")


def _shipped_for(task: Task) -> str:
    name = task.base or task.name
    if name not in shipped_models():
        raise SpkitError(
            f"no model is shipped for the task {task.name}: name one with --model or SPKIT_MODEL, or set "
            "SPKIT_PROFILE=gpu"
        )
    return name


def _is_ours(model: str) -> bool:
    """Whether we pretrained or saved a model: then it knows the tasks' format, or its settings say
    how it is shown prompts.
    """
    return model not in FETCHABLE and is_ours(shipped_models().get(model, Path(model)))
