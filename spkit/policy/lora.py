"""Policies that share one frozen model and differ in a LoRA adapter (Hu et al. 2021, arXiv:2106.09685; in 4 bits
QLoRA, arXiv:2305.14314).

    base                 the frozen model, adapters off
    base.clone()         a fresh adapter: the same distribution until it is trained, and always the same start
    policy.clone()       a second adapter with the same numbers
    opponent             a policy that nobody trains any more, or its log-probabilities, taken before the update

A loop that restarts from the base, keeps its best weights or plays its last iterate needs no second copy of the model.
Each policy holds an `AdapterView`, which switches the shared model to its own adapter whenever it is called, so two
policies cannot be taken for each other; an adapter goes when its last view goes.

What goes wrong elsewhere, and is handled here:
- peft makes the adapters that are not active untrainable. If another policy is asked something between a loss and
  its `backward`, gradients are dropped without a word. All adapters stay trainable here, and an optimizer holds
  those of its own view alone.
- Gradient checkpointing computes layers again during `backward`, with whichever adapter is active then. Each
  checkpoint remembers its own.
- transformers checkpoints in training mode only. The model is put there for a forward pass with gradients;
  dropout is 0 everywhere.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers import PreTrainedModel

from .adapters import FRESH, AdapterView, Backbone, _cuda_devices, _remembered
from .linear import merge_layers
from .policy import Policy

STATE_MODELS = ("falcon_h1", "falcon_mamba", "mamba", "mamba2", "nemotron_h")  # in these a fused kernel reads
STATES_OUT = ["out_proj", "conv1d"]  # weights past their modules, so that peft refuses adapters on them


@dataclass(frozen=True)
class LoraSettings:
    """LoRA on all linear layers, without dropout; `seed` decides where a fresh adapter starts.

    `gradient_checkpointing` computes layers again during `backward`, which takes less memory and a third more time;
    None: on a GPU alone.
    """

    rank: int = 16
    alpha: int = 32
    gradient_checkpointing: bool | None = None
    seed: int = 0


class LoraPolicy(Policy):
    """A policy whose weights are an adapter on a model that it shares with others; its `model` is an `AdapterView`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.budget.caches.add(self.model.backbone)

    def clone(self) -> "LoraPolicy":
        """A policy with an adapter of its own: the same numbers, or a fresh one if this is the base."""
        return replace(self, model=self.model.copy())

    def fingerprint(self) -> str:
        """Eight hexadecimal digits that change when a weight, of the shared model or of the
        adapter, or the prompting does.
        """
        return self._stamped(self.model.checksum())

    def save(self, folder: str | Path) -> None:
        """Write the adapter, the tokenizer, and what it is an adapter of."""
        self.model.save(Path(folder))
        self._save_settings(
            Path(folder), {name: value for name, value in self.model.backbone.origin.items() if name != "checksum"}
        )

    def restored(self, folder: str | Path) -> "LoraPolicy":
        """What `save` wrote, on the same shared model."""
        return replace(self, model=self.model.restored(Path(folder)))

    def merged(self) -> Policy:
        """An ordinary policy with the adapter added to the weights.

        In 4 bits they are rounded again: measure with `merge_shift`.
        """
        return Policy(self.model.merged(), self.tokenizer, self.prompting)


def merge_shift(policy: LoraPolicy, prompts: Sequence[str], completions: Sequence[list[int]]) -> dict[str, float]:
    """What merging changes on these completions: `mean` and `max` of |log-ratio| of a token (nats), merged to unmerged.

    0 up to rounding in float32; in 4 bits the sum of weights and adapter is rounded to 16 values a block, and an
    adapter smaller than half a step is lost.
    """
    pairs = zip(policy.logprobs(prompts, completions), policy.merged().logprobs(prompts, completions), strict=True)
    shift = torch.cat([(after - before).abs() for before, after in pairs])
    return {"mean": shift.mean().item(), "max": shift.max().item()}


def with_adapters(model: PreTrainedModel, settings: LoraSettings, origin: dict[str, Any]) -> AdapterView:
    """The base policy's view of a model that is frozen from now on."""
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    _without_dropout(model)
    excluded = STATES_OUT if model.config.model_type in STATE_MODELS else None
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=0.0,
        target_modules="all-linear",
        exclude_modules=excluded,
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng(devices=_cuda_devices(model.device)), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # names that transformers 6 will change
        torch.manual_seed(settings.seed)
        adapted = get_peft_model(model, config, adapter_name=FRESH)
        backbone = Backbone(adapted, _checkpoints(settings, model), origin, layers=merge_layers(adapted))
        if backbone.checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": False, "context_fn": lambda: _remembered(backbone)})
    backbone.model.eval()
    backbone.activate(None)
    return AdapterView(backbone, None)


def _checkpoints(settings: LoraSettings, model: PreTrainedModel) -> bool:
    asked = settings.gradient_checkpointing
    return model.device.type != "cpu" if asked is None else asked


def _without_dropout(model: PreTrainedModel) -> None:
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if isinstance(getattr(module, "attention_dropout", None), float):
            module.attention_dropout = 0.0
