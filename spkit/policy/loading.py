"""Where policies come from: the shipped tiny models, a checkpoint folder, or the Hugging Face hub."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer

from ..errors import SpkitError
from .policy import Policy, no_bars


def data_folder() -> Path:
    """The folder of shipped models and results: beside the package in a checkout, `spkit_data` in an installed wheel."""
    root = Path(__file__).resolve().parents[2]
    return root / "data" if (root / "data").is_dir() else root / "spkit_data"


def shipped_models() -> dict[str, Path]:
    """Name and folder of every shipped model."""
    return {config.parent.name: config.parent for config in sorted((data_folder() / "models").glob("*/config.json"))}


def load_policy(source: str | Path, device: str | torch.device | None = None) -> Policy:
    """A policy by the name of a shipped model (`addition`), a checkpoint folder, or a hub id (`owner/model`).

    Without `device`, CUDA is used if there is any and the model is not one of the tiny ones, else the CPU. Raises SpkitError if the
    source is unknown, is no checkpoint, or is damaged.
    """
    shipped = shipped_models()
    path = shipped.get(str(source), Path(source))
    if not path.exists() and "/" not in str(source):
        raise SpkitError(f"unknown model {str(source)!r}: give one of {', '.join(shipped)}, a checkpoint folder, or a hub id like owner/model")
    if path.exists() and not (path / "config.json").is_file():
        raise SpkitError(f"{path} is not a checkpoint: it has no config.json; give the folder that a run or `spkit pretrain` wrote")
    where = str(path) if path.exists() else str(source)
    policy = Policy(*_load(where))
    return Policy(policy.model.to(device or _default_device(policy)), policy.tokenizer)


def _load(where: str):
    try:
        with no_bars():
            return AutoModelForCausalLM.from_pretrained(where, dtype="auto"), AutoTokenizer.from_pretrained(where)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        if Path(where).exists():
            raise SpkitError(f"the checkpoint {where} is incomplete or damaged ({_first_line(error)})") from error
        raise SpkitError(f"could not load {where!r} from the hub ({_first_line(error)}): check the name and the network") from error


def _default_device(policy: Policy) -> str:
    tiny = sum(parameter.numel() for parameter in policy.model.parameters()) < 10_000_000
    return "cuda" if torch.cuda.is_available() and not tiny else "cpu"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
