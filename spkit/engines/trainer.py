"""What all of TRL's trainers are given here: the model, and settings that keep them quiet and exact."""

from typing import Any

import torch
from trl.trainer.utils import disable_dropout_in_model

from ..policy import Policy


def trainable(policy: Policy) -> Any:
    """The model that a trainer is given: with LoRA the shared one, this policy's adapter switched on alone.

    Trainers put it in training mode, so its dropout is taken out.
    """
    backbone = getattr(policy.model, "backbone", None)
    if backbone is None:
        disable_dropout_in_model(policy.model)
        return policy.model
    backbone.activate(policy.model.name)
    for part, parameter in backbone.model.named_parameters():
        parameter.requires_grad_(".lora_" in part and f".{policy.model.name}." in part)
    return backbone.model


def common_settings() -> dict[str, Any]:
    """Arguments of every trainer: no output of its own, the numbers of every step, no lower precision."""
    return {
        "logging_steps": 1,
        "report_to": [],
        "disable_tqdm": True,
        "use_cpu": not torch.cuda.is_available(),
        "bf16": False,
        "gradient_checkpointing": False,
    }
