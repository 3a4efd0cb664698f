"""The policies that a run keeps: written whole, the last two iterations alone."""

import os
import shutil
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors.torch import save_file
from torch import Tensor

KEPT_CHECKPOINTS = 2


class Savable(Protocol):
    """What a run needs of a policy."""

    def fingerprint(self) -> str:
        """A text that differs for other weights."""

    def save(self, folder: Path) -> None:
        """Write a checkpoint."""

    def restored(self, folder: Path) -> Any:
        """The policy that a checkpoint holds."""


def finite_weights(policy: Savable) -> bool:
    """Whether every weight is a finite number; those in 4 bits, which no update changes, are not looked at."""
    weights = [weight for weight in policy.model.parameters() if weight.is_floating_point()]
    finite = [weight.detach().isfinite().all() for weight in weights]
    return not finite or bool(torch.stack(finite).all())


def save_checkpoint(final: Path, policy: Savable, state: dict[str, Tensor] | None) -> None:
    """Write a policy, and the `state` beside it, under the name `final`, whole or not at all."""
    partial = final.with_name(f".partial-{final.name}")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        policy.save(partial)
        if state is not None:
            save_file(state, partial / "state.safetensors")
        shutil.rmtree(final, ignore_errors=True)
        os.replace(partial, final)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def remove_old_checkpoints(folder: Path, iteration: int) -> None:
    """Keep the checkpoints of the last iterations alone, `iteration` being the newest."""
    for path in (folder / "checkpoints").glob("iteration-*"):
        if int(path.name.split("-")[1]) <= iteration - KEPT_CHECKPOINTS:
            shutil.rmtree(path, ignore_errors=True)
