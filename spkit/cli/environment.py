"""What `spkit env` says."""

import platform
from importlib import metadata
from pathlib import Path

import spkit

from ..policy import shipped_models
from ..policy.fetchable import FETCHABLE, model_folder, origin_of
from ..policy.profiles import profile
from ..run.errors import SpkitError
from ..tasks import task_names

PACKAGES = ("torch", "transformers", "numpy", "matplotlib", "peft", "bitsandbytes", "gguf", "pydantic-monty", "nbval")


def environment() -> dict[str, str]:
    """Versions, device, sandbox and profile with the reasons, tasks and models, by name."""
    rows = {
        "spkit": f"{spkit.__version__} from {Path(spkit.__file__).parent}",
        "python": f"{platform.python_version()} on {platform.platform()}",
        **{name: version(name) for name in PACKAGES},
        "device": device(),
        "sandbox": sandbox(),
        "profile": str(profile()).removeprefix("profile: "),
        "tasks": ", ".join(task_names()),
        "models": ", ".join([*shipped_models(), *(name for name in FETCHABLE if origin_of(model_folder(name)))])
        or "none found",
    }
    other = version("spkit")
    if other != "not installed":
        rows["warning"] = (
            f"another package called spkit ({other}) is installed too: run `pip uninstall spkit`, then "
            "install selfplay-kit again"
        )
    return rows


def version(distribution: str) -> str:
    """The version of an installed package."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"


def sandbox() -> str:
    """What runs model-written Python, and why."""
    from ..sandbox import open_sandbox

    try:
        chosen = open_sandbox()
    except SpkitError as error:
        return f"none: {error}"
    return f"{chosen.name}: {chosen.reason}"


def device() -> str:
    """Where models run, and why."""
    import torch

    threads = f"cpu, {torch.get_num_threads()} threads"
    if torch.backends.mps.is_available():
        return f"{threads}; mps (Apple silicon) by --device mps, not tried by us"
    if torch.cuda.is_available():
        return f"cuda ({torch.cuda.get_device_name()}); the tiny models still run on the CPU, where they are faster"
    return f"{threads} (no CUDA device was found)"
