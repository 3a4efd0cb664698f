"""What a run was computed on, and how much memory it took: `machine.json` in its folder."""

import contextlib
import ctypes
import gc
import os
import platform
import sys
from pathlib import Path
from typing import Any

import torch

from .files import write_atomic
from .json_files import dumps, read_object

MACHINE = "machine.json"


def this_machine() -> dict[str, Any]:
    """Processor, cores, threads that torch computes with, GPU (None without), versions, system."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def forget_peak() -> None:
    """Let `peak_memory` begin anew, where the system can (Linux)."""
    gc.collect()
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def trim_heap() -> None:
    """Give the system back what the C library keeps of freed memory, where it can (glibc).

    Tensors of a few megabytes that come and go leave holes: after ten batches of a 135 M-parameter model the process
    held 1.0 GB that nothing used.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def peak_memory() -> float | None:
    """The most memory that this process has held since `forget_peak`, in GB; elsewhere than on Linux, ever; None where
    the system does not say (Windows).
    """
    with contextlib.suppress(OSError):
        rows = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return round(next(int(row.split()[1]) for row in rows if row.startswith("VmHWM")) * 1024 / 1e9, 2)
    try:
        import resource
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9, 2)


def write_machine(folder: Path) -> None:
    """Add this machine to those of a run, with the most memory that was held there."""
    here = this_machine()
    others = [one for one in machines_of(folder) if {**one, **here} != one]
    machines = [*others, {**here, "peak_memory_gb": peak_memory()}]
    write_atomic(folder / MACHINE, dumps({"machines": machines}, indent=1) + "\n")


def machines_of(folder: Path) -> list[dict[str, Any]]:
    """The machines a run was on, the last one at the end; none in folders of before."""
    path = folder / MACHINE
    return read_object(path, "delete it")["machines"] if path.is_file() else []


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
