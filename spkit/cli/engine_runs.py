"""`spkit run LOOP --engine trl`: our settings and records, TRL's trainers."""

import importlib.util
import os
from typing import Any

from ..run.errors import SpkitError
from .output import emitter, interruptible, say

ON_TRL = ("rlvr",)


def run_on_trl(asked: Any) -> None:
    """Run the loop in its folder, or continue it; process 0 alone writes and prints.

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
    _run(asked)


def _run(asked: Any) -> None:
    from accelerate import PartialState

    from ..engines.grpo import grpo
    from ..engines.installed import TRIED
    from ..run.folder import Run
    from ..run.progress import Silent, progress
    from ..tasks import load_task
    from .runs import default_folder, load_base

    main, task = PartialState().is_main_process, load_task(asked.task)
    base, said = load_base(task, asked)
    folder = asked.out or default_folder(asked.name, asked.task, asked.config.seed)
    if main:
        say(f"{said}; engine: TRL {TRIED} on {PartialState().num_processes} process(es)", error=True)
    with interruptible(folder):
        run = Run(folder, progress()) if main else Run(None, Silent())
        try:
            grpo(base, task, asked.config, run, emitter(task.unit, asked.name, asked.json), vllm=asked.vllm)
        finally:
            run.progress.close()
            run.close()
            if PartialState().num_processes > 1:
                PartialState().destroy_process_group()
    if main and not asked.json:
        say(f"The run is in {folder}; `spkit show {folder}` draws it.")
