"""Which version of TRL was tried, and what the launcher of several processes has to have said."""

import importlib.util
import os
from collections.abc import Mapping
from importlib import metadata

from ..run.errors import SpkitError

TRIED_TRL = "1.16.0"
INSTALL = "pip install 'selfplay-kit[scale]'"
LAUNCHED = ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")  # what each process is told beside WORLD_SIZE


def check_trl() -> None:
    """Raise SpkitError if TRL or datasets is missing, or TRL is of a version that was not tried."""
    for name in ("trl", "datasets", "accelerate"):
        if importlib.util.find_spec(name) is None:
            raise SpkitError(f"the engine trl needs the package {name}: {INSTALL}")
    found = metadata.version("trl")
    if found != TRIED_TRL:
        raise SpkitError(f"the engine trl was tried with TRL {TRIED_TRL}, and {found} is installed: {INSTALL}")


def processes(environment: Mapping[str, str] = os.environ) -> int:
    """How many processes there are. Raises SpkitError if there are several and no launcher has told them apart."""
    word = environment.get("WORLD_SIZE", "1")
    if not word.isdecimal() or int(word) < 1:
        raise SpkitError(f"WORLD_SIZE is {word!r}: leave it out, or start with accelerate launch -m spkit run ...")
    missing = [name for name in LAUNCHED if name not in environment]
    if int(word) > 1 and missing:
        raise SpkitError(
            f"WORLD_SIZE asks for {word} processes and {missing[0]} is not set: start them with "
            f"accelerate launch --multi_gpu --num_processes {word} -m spkit run ..."
        )
    return int(word)


def join_processes() -> None:
    """Meet the other processes, if there are any. Raises SpkitError if the port is taken or they cannot be reached."""
    from accelerate import PartialState
    from torch.distributed import DistError

    several = processes() > 1
    try:
        PartialState(cpu=not _cuda(), **({"backend": "gloo"} if several and not _cuda() else {}))
    except (DistError, ConnectionError) as error:
        port = os.environ.get("MASTER_PORT", "?")
        reason = "is taken" if "EADDRINUSE" in str(error) or "in use" in str(error) else "cannot be reached"
        raise SpkitError(f"port {port} {reason}: choose another with accelerate launch --main_process_port") from error


def _cuda() -> bool:
    import torch

    return torch.cuda.is_available()
