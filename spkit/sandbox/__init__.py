"""Running Python that a model wrote: `open_sandbox` chooses the backend."""

import importlib.util
import os
from importlib import metadata
from typing import Literal

from ..run.errors import SpkitError
from .base import Limits, Sandbox
from .monty import MontySandbox


def open_sandbox(backend: Literal["auto", "monty", "subprocess"] = "auto", limits: Limits = Limits()) -> Sandbox:
    """The sandbox of this machine: monty if it is installed, else the subprocess one; `reason` says which and why.

    Raises SpkitError if the backend is unknown or cannot be had here.
    """
    found = importlib.util.find_spec("pydantic_monty") is not None
    if backend not in ("auto", "monty", "subprocess"):
        raise SpkitError(f"unknown sandbox {backend!r}: choose auto, monty or subprocess")
    if backend == "monty" or (backend == "auto" and found):
        reason = (
            f"pydantic-monty {metadata.version('pydantic-monty')} is installed"
            if backend == "auto" and found
            else "asked for"
        )
        return MontySandbox(limits, reason)
    if os.name != "posix":
        raise SpkitError("there is no sandbox to run Python in on this system: pip install 'selfplay-kit[code]'")
    from .process import SubprocessSandbox

    missing = (
        "pydantic-monty is not installed (pip install 'selfplay-kit[code]'), and a child process is a weaker fence"
    )
    return SubprocessSandbox(limits, missing if backend == "auto" else "asked for")
