"""One frozen model with several LoRA adapters, and a view of it for each of them."""

import contextlib
import copy
import itertools
import json
import warnings
import weakref
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import GenerationConfig, PretrainedConfig, PreTrainedModel

from ..run.errors import SpkitError
from .linear import AdaptedLinear
from .policy import checksum

FRESH = "fresh"  # the adapter that is never trained: where every fresh one starts


WEIGHTS = "adapter_model.safetensors"


@dataclass(eq=False)
class Backbone:
    """The shared frozen model with its adapters. `origin` says in plain data how it was loaded; `layers` are those
    that keep merged weights of the adapter that was used last.
    """

    model: PeftModel
    checkpointing: bool
    origin: dict[str, Any] = field(default_factory=dict)
    active: str | None = FRESH
    training: bool = False
    layers: list[AdaptedLinear] = field(default_factory=list)
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
        self.release()
        self.model.delete_adapter(name)

    def release(self) -> None:
        """Give the merged weights back; the next pass computes them again."""
        for layer in self.layers:
            layer.forget()

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
        self.backbone.release()
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


def _remembered(backbone: Backbone) -> tuple[Any, Any]:
    """The contexts of a checkpoint's forward pass and of computing it again, with the adapter of the forward pass."""
    return contextlib.nullcontext(), backbone.using(backbone.active)


def _frozen(model: PeftModel) -> Iterator[Tensor]:
    return (parameter for part, parameter in model.named_parameters() if ".lora_" not in part)


def _cuda_devices(device: torch.device) -> list[torch.device]:
    return [device] if device.type == "cuda" else []
