"""Which model a notebook or command runs on: the shipped tiny ones on the CPU, or a Hugging Face model in 4
bits with LoRA on one GPU.

    SPKIT_PROFILE   `cpu` (the default) or `gpu`
    SPKIT_MODEL     in place of the profile's own model a hub id, a folder, the name of a shipped model, or `shipped`:
                    the shipped base of each task, which is the cpu profile's own; the gpu profile's is
                    Qwen2.5-1.5B-Instruct at a pinned commit

The default is the CPU where there is a GPU too: the committed outputs are its outputs, and it downloads nothing.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from ..run.errors import SpkitError
from ..tasks import Task
from . import Policy, load_policy
from .loading import HUB_MODEL, is_ours, shipped_models
from .memory import estimate
from .prompting import prompting_for

PROFILES = ("cpu", "gpu")
SHIPPED = "shipped"


@dataclass(frozen=True)
class Profile:
    """A choice of model and device.

    `model` is `shipped` for the shipped base of each task; `reason` says why it was chosen.
    """

    name: Literal["cpu", "gpu"]
    model: str
    device: str
    reason: str

    def __str__(self) -> str:
        model = "the shipped model of each task" if self.model == SHIPPED else self.model
        precision = " in 4 bits with LoRA" if self.name == "gpu" else ", float32" if self.model == SHIPPED else ""
        return f"profile: {self.name} ({self.reason}); model: {model}{precision}"

    def load(self, task: Task) -> Policy:
        """The base policy for a task. A model that is not of our making is shown the task's prompts as a chat,
        or after solved examples.

        Raises SpkitError if no model is shipped for the task, and what `load_policy` does.
        """
        model = _shipped_for(task) if self.model == SHIPPED else self.model
        policy = load_policy(model, self.device, four_bit=self.name == "gpu")
        return policy if _is_ours(model) else policy.prompted(prompting_for(task, policy.tokenizer))

    def check(self, holds: bool, conclusion: str) -> None:
        """Assert a notebook's conclusion on the shipped models, which it was drawn on.

        On another model, print whether it holds there too.
        """
        if (self.name, self.model) == ("cpu", SHIPPED):
            assert holds, conclusion
        else:
            print(f"{'holds here too' if holds else 'does NOT hold here'}: {conclusion}")


def profile(environment: Mapping[str, str] = os.environ) -> Profile:
    """The profile that the environment asks for.

    Raises SpkitError if there is none of that name, or it needs a GPU and there is none.
    """
    name, model = environment.get("SPKIT_PROFILE", ""), environment.get("SPKIT_MODEL", "")
    if name not in ("", *PROFILES):
        raise SpkitError(f"SPKIT_PROFILE is {name!r}: set it to cpu or gpu, or leave it out")
    if name != "gpu":
        reason = (
            "SPKIT_PROFILE says so"
            if name
            else "the default" + ("; SPKIT_PROFILE=gpu uses the GPU" if torch.cuda.is_available() else "")
        )
        return Profile("cpu", model or SHIPPED, "cpu", reason)
    if torch.cuda.is_available():
        return Profile("gpu", model or HUB_MODEL, "cuda", f"SPKIT_PROFILE says so; on {torch.cuda.get_device_name()}")
    if model not in (SHIPPED, *shipped_models()) and not (model and Path(model).exists()):
        raise SpkitError(
            "SPKIT_PROFILE=gpu needs a CUDA device, and torch finds none: set SPKIT_PROFILE=cpu, or "
            "SPKIT_MODEL=shipped or a folder with a small model"
        )
    return Profile(
        "gpu", model, "cpu", "SPKIT_PROFILE says so; no CUDA device was found, so SPKIT_MODEL runs on the CPU, slowly"
    )


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
    return is_ours(shipped_models().get(model, Path(model)))
