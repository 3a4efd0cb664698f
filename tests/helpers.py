"""What several tests ask of the machine, and how they compare numbers that it rounds."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

Numbers = torch.Tensor | np.ndarray | float | list | tuple


def children() -> set[int]:
    """Process ids of this process's children, those of all its threads, zombies included (Linux)."""
    return {
        int(pid)
        for task in Path(f"/proc/{os.getpid()}/task").iterdir()
        for pid in (task / "children").read_text().split()
    }


def state(pid: int) -> str:
    """One letter: S is asleep, T stopped, Z a zombie (Linux)."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def running() -> set[int]:
    """The children that are not zombies."""
    return {pid for pid in children() if state(pid) != "Z"}


def resident_mb() -> float:
    """Memory that this process has in use (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def apart(ours: Numbers, theirs: Numbers) -> float:
    """The largest difference, as a share of the largest entry: a rounding is about 1e-7 in float32, 1e-16 in float64.

    Tensors, arrays, or lists of them (rows of any lengths). NaN if either holds one; AssertionError if sizes differ.
    """
    a, b = _flat(ours), _flat(theirs)
    assert a.shape == b.shape, f"{tuple(a.shape)} numbers against {tuple(b.shape)}"
    return ((a - b).abs().max() / torch.maximum(a.abs().max(), b.abs().max()).clamp(min=1e-300)).item()


def _flat(numbers: Numbers) -> torch.Tensor:
    rows = numbers if isinstance(numbers, list | tuple) else [numbers]
    return torch.cat([torch.as_tensor(row).detach().flatten().double().cpu() for row in rows])


def whole(*values: object) -> list:
    """Values of `parametrize` that are left to `make test-all`."""
    return [
        pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=pytest.mark.whole) for value in values
    ]
