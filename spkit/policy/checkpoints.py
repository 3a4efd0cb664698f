"""The files of a model, from a checkpoint folder or the hub: weights, tokenizer and settings, or one clear sentence."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from transformers import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    AutoConfig,
    AutoModelForCausalLM,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging

from ..run.errors import SpkitError
from .tokenizing import load_tokenizer, with_end_token

Dtype = Literal["auto", "float32", "bfloat16"]

SETTINGS = "spkit.json"  # in a checkpoint folder: the prompting, and what an adapter belongs to
HUB_MODEL = "Qwen/Qwen2.5-1.5B-Instruct"
REVISIONS = {HUB_MODEL: "989aa7980e4cf806f80c7fef2b1adb7bc71aa306"}
ADAPTER_SETTINGS = {"base", "revision", "four_bit", "lora", "prompting"}
NO_NETWORK = (
    "no connection to the hub: connect, or give a folder with the model, or set SPKIT_PROFILE=cpu "
    "for the shipped models"
)


def is_ours(folder: Path) -> bool:
    """Whether we pretrained or saved the model in a folder: then it is read as it was written."""
    return (folder / "card.json").is_file() or (folder / SETTINGS).is_file()


def read_settings(folder: Path) -> dict[str, Any]:
    """What a run wrote beside a checkpoint, {} if nothing. Raises SpkitError if it is damaged."""
    if not (folder / SETTINGS).is_file():
        return {}
    try:
        settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    except ValueError as error:
        raise SpkitError(f"the checkpoint {folder} is incomplete or damaged ({SETTINGS} is no JSON)") from error
    needed = ADAPTER_SETTINGS if (folder / "adapter_config.json").is_file() else {"prompting"}
    if not isinstance(settings, dict) or needed - set(settings):
        raise SpkitError(f"the checkpoint {folder} is incomplete or damaged ({SETTINGS} is not what a run writes)")
    return settings


def read_model(
    where: str, revision: str | None, extra: dict[str, Any]
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The model and tokenizer of a folder or a hub id. Raises SpkitError if they are missing or damaged."""
    try:
        with no_bars():
            plain = {
                "revision": revision,
                "trust_remote_code": False,
            }  # without it a repository's own code is run if somebody says yes
            _check_kind(where, AutoConfig.from_pretrained(where, **plain))
            tokenizer = load_tokenizer(where, revision, is_ours(Path(where)))
            model, found = AutoModelForCausalLM.from_pretrained(where, output_loading_info=True, **plain, **extra)
            if found["missing_keys"]:
                raise ValueError(f"no weights for {min(found['missing_keys'])}, which would be random")
            return model, with_end_token(tokenizer, model, where)
    except SpkitError:
        raise
    except Exception as error:
        if isinstance(error, torch.OutOfMemoryError):
            advice = "" if "quantization_config" in extra else ", or load it with four_bit=True"
            raise SpkitError(f"{where} does not fit on the device: choose a smaller model{advice}") from error
        if Path(where).exists():
            raise SpkitError(f"the checkpoint {where} is incomplete or damaged ({_first_line(error)})") from error
        raise SpkitError(
            f"could not load {where!r} from the hub ({_first_line(error)}): {_hub_advice(where, error)}"
        ) from error


def _check_kind(where: str, config: PreTrainedConfig) -> None:
    if config.is_encoder_decoder:
        raise SpkitError(
            f"{where} is an encoder-decoder model ({config.model_type}): spkit plays with causal language "
            f"models, such as {HUB_MODEL}"
        )
    if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise SpkitError(
            f"{where} is a {config.model_type} model, which is no causal language model: take one, such as {HUB_MODEL}"
        )


def _hub_advice(where: str, error: Exception) -> str:
    """What to do when the hub says no."""
    said = f"{type(error.__cause__).__name__} {error}"
    if "gated" in said.lower():
        return (
            f"accept its terms at https://huggingface.co/{where}, then `hf auth login`; or choose a model "
            f"without terms, such as {HUB_MODEL}"
        )
    if any(
        part in said
        for part in ("OfflineMode", "LocalEntryNotFound", "ConnectError", "ConnectionError", "couldn't connect")
    ):
        return NO_NETWORK
    return "check the name and the network"


def default_device(model: PreTrainedModel) -> str:
    """CUDA if there is any and the model is not one of the tiny ones, else the CPU."""
    tiny = sum(parameter.numel() for parameter in model.parameters()) < 10_000_000
    return "cuda" if torch.cuda.is_available() and not tiny else "cpu"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


@contextmanager
def no_bars() -> Iterator[None]:
    """Keep the progress bars of transformers off the terminal."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def load_model(folder: str | Path, like: PreTrainedModel) -> PreTrainedModel:
    """The model that a policy saved in a folder, on the device of `like` and in its precision.

    Raises SpkitError if it is missing or damaged.
    """
    check_is_checkpoint(Path(folder))
    read_settings(Path(folder))
    model, _ = read_model(str(folder), None, {"dtype": "auto"})
    return model.to(like.device, like.dtype)


def placed(model: PreTrainedModel, device: torch.device, dtype: Dtype = "auto") -> PreTrainedModel:
    """The model on a device; `auto` is float32 on a CPU, whatever it was saved in, and on CUDA as it was saved."""
    chosen = chosen_dtype(dtype)
    return model.to(device, chosen or (torch.float32 if device.type == "cpu" else model.dtype))


def chosen_dtype(dtype: Dtype) -> torch.dtype | None:
    """The precision that was asked for, None for `auto`. Raises SpkitError for any other name."""
    if dtype not in get_args(Dtype):
        raise SpkitError(f"dtype must be one of {', '.join(get_args(Dtype))}, not {dtype!r}")
    return None if dtype == "auto" else getattr(torch, dtype)


def check_is_checkpoint(folder: Path) -> None:
    """Raise SpkitError if a folder holds no model."""
    if not (folder / "config.json").is_file():
        raise SpkitError(
            f"{folder} is not a checkpoint: it has no config.json; give the folder that a run or `spkit pretrain` wrote"
        )
