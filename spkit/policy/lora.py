"""Policies that share one frozen model and differ in a LoRA adapter (Hu et al. 2021, arXiv:2106.09685; in 4 bits
QLoRA, arXiv:2305.14314).

    base                 the frozen model, adapters off
    base.clone()         a fresh adapter: the same distribution until it is trained, and always the same start
    policy.clone()       a second adapter with the same numbers
    opponent             a policy that nobody trains any more, or its log-probabilities, taken before the update

A loop that restarts from the base, keeps its best weights or plays its last iterate needs no second copy of the model.
Each policy holds an `AdapterView`, which switches the shared model to its own adapter whenever it is called, so two
policies cannot be taken for each other; an adapter goes when its last view goes.

What bites, and is dealt with here:
- peft makes the adapters that are not active untrainable. If another policy is asked something between a loss and
  its `backward`, gradients are dropped without a word. All adapters stay trainable here, and an optimizer holds
  those of its own view alone.
- Gradient checkpointing computes layers again during `backward`, with whichever adapter is active then. Each
  checkpoint remembers its own.
- transformers checkpoints in training mode only. The model is put there for a forward pass with gradients;
  dropout is 0 everywhere.
"""

import contextlib
import copy
import itertools
import json
import warnings
import weakref
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import GenerationConfig, PretrainedConfig, PreTrainedModel

from ..run.errors import SpkitError
from .policy import Policy, checksum

FRESH = "fresh"  # the adapter that is never trained: where every fresh one starts
WEIGHTS = "adapter_model.safetensors"
STATE_MODELS = ("falcon_h1", "falcon_mamba", "mamba", "mamba2", "nemotron_h")  # in these a fused kernel reads
STATES_OUT = ["out_proj", "conv1d"]  # weights past their modules, so that peft refuses adapters on them


@dataclass(frozen=True)
class LoraSettings:
    """LoRA on all linear layers, without dropout; `seed` decides where a fresh adapter starts."""

    rank: int = 16
    alpha: int = 32
    gradient_checkpointing: bool = True
    seed: int = 0


@dataclass
class Backbone:
    """The shared frozen model with its adapters. `origin` says in plain data how it was loaded."""

    model: PeftModel
    checkpointing: bool
    origin: dict[str, Any] = field(default_factory=dict)
    active: str | None = FRESH
    training: bool = False
    names: Iterator[str] = field(default_factory=lambda: (f"policy{number}" for number in itertools.count()))

    def activate(self, name: str | None) -> None:
        """Switch to an adapter, or all off for None."""
        if name == self.active:
            return
        if self.active is None:
            self.model.base_model.enable_adapter_layers()
        self.model.set_adapter(name or FRESH)
        if name is None:
            self.model.base_model.disable_adapter_layers()
        for part, parameter in self.model.named_parameters():
            if ".lora_" in part:
                parameter.requires_grad_(True)
        self.active = name

    def mode(self, training: bool) -> None:
        """Training mode, which gradient checkpointing needs, or evaluation mode."""
        if training != self.training:
            self.model.train(training)
            self.training = training

    def added(self, source: str) -> str:
        """The name of a new adapter with the numbers of `source`."""
        name = next(self.names)
        with torch.random.fork_rng(devices=_cuda_devices(self.model.device)):
            self.model.add_adapter(name, copy.deepcopy(self.model.peft_config[FRESH]))
        with torch.no_grad():
            for mine, theirs in zip(self.parameters(name), self.parameters(source), strict=True):
                mine.copy_(theirs)
        active, self.active = self.active, name
        self.activate(active)
        return name

    def parameters(self, name: str) -> list[nn.Parameter]:
        """An adapter's weights, in the model's order."""
        return [parameter for part, parameter in self.model.named_parameters() if f".{name}." in part]

    def drop(self, name: str) -> None:
        """Forget an adapter."""
        self.activate(FRESH if self.active == name else self.active)
        self.model.delete_adapter(name)

    @contextlib.contextmanager
    def using(self, name: str | None) -> Iterator[None]:
        """Switch to an adapter, and back at the end."""
        before = self.active
        self.activate(name)
        try:
            yield
        finally:
            self.activate(before)


class AdapterView(nn.Module):
    """The shared model as one policy sees it: with adapter `name`, or without any for None.

    Its `parameters` are the adapter's.
    """

    def __init__(self, backbone: Backbone, name: str | None) -> None:
        super().__init__()
        self.backbone, self.name = backbone, name
        if name is not None:
            weakref.finalize(self, backbone.drop, name).atexit = False

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The model's output, under this adapter."""
        self.backbone.activate(self.name)
        self.backbone.mode(torch.is_grad_enabled() and self.backbone.checkpointing)
        return self.backbone.model(*args, **kwargs)

    def generate(self, *args: Any, **kwargs: Any) -> Tensor:
        """The `generate` of transformers, under this adapter."""
        self.backbone.activate(self.name)
        self.backbone.mode(False)
        return self.backbone.model.generate(*args, **kwargs)

    def named_parameters(self, *args: Any, **kwargs: Any) -> Iterator[tuple[str, nn.Parameter]]:
        """The adapter's weights; none for the base, which is frozen: train a clone of it."""
        parts = self.backbone.model.named_parameters() if self.name is not None else ()
        return ((part, parameter) for part, parameter in parts if f".{self.name}." in part)

    def train(self, mode: bool = True) -> "AdapterView":
        """The mode follows from whether gradients are taken; nothing to set."""
        return self

    def copy(self) -> "AdapterView":
        """A view of a new adapter: with the same numbers, or a fresh one if this is the base."""
        return AdapterView(self.backbone, self.backbone.added(self.name or FRESH))

    def merged(self) -> PreTrainedModel:
        """An independent copy of the model with the adapter added to its weights; 4-bit weights are rounded again."""
        with self.backbone.using(self.name):
            twin = copy.deepcopy(self.backbone.model)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that 4-bit weights are rounded again
            return twin.merge_and_unload(adapter_names=[self.name]) if self.name else twin.unload()

    def save(self, folder: Path) -> None:
        """Write the adapter as peft does (`adapter_model.safetensors`, `adapter_config.json`)."""
        view = self if self.name is not None else self.copy()
        folder.mkdir(parents=True, exist_ok=True)
        state = get_peft_model_state_dict(self.backbone.model, adapter_name=view.name)
        save_file(
            {part: tensor.cpu().contiguous() for part, tensor in state.items()},
            folder / WEIGHTS,
            metadata={"format": "pt"},
        )
        config = copy.deepcopy(self.backbone.model.peft_config[view.name])
        config.inference_mode = True
        config.save_pretrained(str(folder))

    def restored(self, folder: Path) -> "AdapterView":
        """A view of a new adapter with what `save` wrote.

        Raises SpkitError if it is missing, damaged or of another shape.
        """
        view = AdapterView(self.backbone, self.backbone.added(FRESH))
        expected = get_peft_model_state_dict(self.backbone.model, adapter_name=view.name)
        try:
            state = load_file(folder / WEIGHTS)
        except (OSError, SafetensorError) as error:
            raise SpkitError(f"the checkpoint {folder} is incomplete or damaged ({WEIGHTS}: {error})") from error
        if {part: tensor.shape for part, tensor in state.items()} != {
            part: tensor.shape for part, tensor in expected.items()
        }:
            raise SpkitError(
                f"the adapter in {folder} is of another model or rank: give the folder of a run on this base"
            )
        set_peft_model_state_dict(self.backbone.model, state, adapter_name=view.name)
        return view

    def checksum(self) -> int:
        """A checksum of the shared weights, of what decides what adapters do (rank, alpha, seed), and
        of the adapter's weights.
        """
        origin = self.backbone.origin
        if "checksum" not in origin:
            settings = {
                name: value for name, value in origin.get("lora", {}).items() if name != "gradient_checkpointing"
            }
            origin["checksum"] = checksum(_frozen(self.backbone.model), zlib.crc32(json.dumps(settings).encode()))
        return checksum(self.parameters(), origin["checksum"])

    @property
    def config(self) -> PretrainedConfig:
        return self.backbone.model.config

    @property
    def generation_config(self) -> GenerationConfig:
        return self.backbone.model.generation_config

    @property
    def device(self) -> torch.device:
        return self.backbone.model.device

    @property
    def dtype(self) -> torch.dtype:
        return self.backbone.model.get_base_model().dtype

    @property
    def is_loaded_in_4bit(self) -> bool:
        return getattr(self.backbone.model.get_base_model(), "is_loaded_in_4bit", False)


class LoraPolicy(Policy):
    """A policy whose weights are an adapter on a model that it shares with others; its `model` is an `AdapterView`."""

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
        backbone = Backbone(get_peft_model(model, config, adapter_name=FRESH), settings.gradient_checkpointing, origin)
        if settings.gradient_checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": False, "context_fn": lambda: _remembered(backbone)})
    backbone.model.eval()
    backbone.activate(None)
    return AdapterView(backbone, None)


def _remembered(backbone: Backbone) -> tuple[Any, Any]:
    """The contexts of a checkpoint's forward pass and of computing it again, with the adapter of the forward pass."""
    return contextlib.nullcontext(), backbone.using(backbone.active)


def _frozen(model: PeftModel) -> Iterator[Tensor]:
    return (parameter for part, parameter in model.named_parameters() if ".lora_" not in part)


def _without_dropout(model: PreTrainedModel) -> None:
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if isinstance(getattr(module, "attention_dropout", None), float):
            module.attention_dropout = 0.0


def _cuda_devices(device: torch.device) -> list[torch.device]:
    return [device] if device.type == "cuda" else []
