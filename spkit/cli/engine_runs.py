"""`spkit run LOOP --engine trl`: our settings and records, TRL's trainers."""

import importlib.util
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..run.errors import SpkitError
from .output import emitter, interruptible, say
from .tracking import tracked

ON_TRL = ("rlvr",)


def run_on_trl(asked: Any, usual: Path, load: Callable[[Any, Any], tuple[Any, str]]) -> None:
    """Run the loop in its folder, or continue it; process 0 alone writes and prints. `usual` is the
    folder where none is asked for, and `load` gives the base and what is said of it.

    Raises SpkitError for a loop or setting that TRL has no word for, a TRL that is missing or untried, or processes
    that cannot meet.
    """
    from ..engines.installed import check_trl, join_processes, processes
    from ..engines.translate import check_translatable, rows_of_a_process

    if asked.name not in ON_TRL:
        raise SpkitError(f"the engine trl runs {', '.join(ON_TRL)}, not {asked.name}: leave --engine out")
    check_trl()
    check_translatable(asked.config)
    rows_of_a_process(asked.config, processes())
    if asked.vllm != "no" and importlib.util.find_spec("vllm") is None:
        raise SpkitError("--vllm needs the package vllm, which needs a GPU: install it, or leave --vllm out")
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    join_processes()
    _run(asked, asked.out or usual, load)


def _run(asked: Any, folder: Path, load: Callable[[Any, Any], tuple[Any, str]]) -> None:
    from accelerate import PartialState

    from ..engines.grpo import run_grpo
    from ..engines.installed import TRIED_TRL
    from ..run.folder import Run
    from ..run.progress import Silent, progress
    from ..tasks import load_task

    main, task = PartialState().is_main_process, load_task(asked.task)
    base, said = load(task, asked)
    if main:
        say(f"{said}; engine: TRL {TRIED_TRL} on {PartialState().num_processes} process(es)", error=True)
    with interruptible(folder):
        run = Run(folder, progress()) if main else Run(None, Silent())
        try:
            emit = emitter(task.unit, asked.name, asked.json)
            emit = tracked(emit, asked.track, folder, asdict(asked.config))
            run_grpo(base, task, asked.config, run, emit, vllm=asked.vllm)
        finally:
            run.progress.close()
            run.close()
            if PartialState().num_processes > 1:
                PartialState().destroy_process_group()
    if main and not asked.json:
        say(f"The run is in {folder}; `spkit show {folder}` draws it.")
