"""The device that a model runs on, by name: `cpu`, `cuda` or `cuda:1`, `mps` (Apple silicon).

All three run the same code. The CPU is what the course was made and measured on; the parts that CUDA has of its own
have been tested on a CPU alone (docs/gpu.md), and `mps` has not been tried by us.
"""

import torch

from ..run.errors import SpkitError

DEVICES = ("cpu", "cuda", "mps")


def device_named(asked: str | torch.device) -> torch.device:
    """The device of that name. Raises SpkitError if it is none of DEVICES, or if torch finds no such device here."""
    try:
        device = torch.device(asked)
    except RuntimeError:
        device = None
    if device is None or device.type not in DEVICES:
        raise SpkitError(f"there is no device {str(asked)!r}: give cpu, cuda, cuda:1 for a second GPU, or mps")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise SpkitError("the device cuda needs an NVIDIA GPU, and torch finds none: take the device cpu")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise SpkitError(
            f"there is no device {asked}: torch finds {torch.cuda.device_count()} GPUs, cuda:0 is the first"
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise SpkitError(
            "the device mps needs a Mac with Apple silicon and a torch made for it, and torch finds none: take the "
            "device cpu"
        )
    return device
