"""`spkit run LOOP --engine trl`: our settings and records, TRL's trainers."""

import importlib.util
import logging
import os
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ..run.errors import SpkitError
from .output import emitter, interruptible, say
from .tracking import tracked

ONE_PROCESS = ("star", "rft", "rest", "rest-em", "spin")  # loops of ours whose optimizer steps TRL takes


def check_engine(asked: Any) -> None:
    """Raise SpkitError for a loop or setting that TRL has no word for, a TRL that is missing or untried, or processes
    that were not launched as this loop needs.
    """
    from ..engines.installed import check_trl, processes
    from ..engines.translate import check_pairs, check_translatable, rows_of_a_process

    count = processes()
    if asked.name not in ("rlvr", *ONE_PROCESS):
        known = ", ".join(("rlvr", *ONE_PROCESS))
        raise SpkitError(f"the engine trl runs {known}, not {asked.name}: leave --engine out")
    check_trl()
    if asked.name == "rlvr":
        check_translatable(asked.config)
        rows_of_a_process(asked.config, count)
        _check_vllm(asked)
        return
    if asked.name == "spin":
        check_pairs(asked.config)
    if count > 1:
        raise SpkitError(f"{asked.name} runs in one process, with TRL too: start it without accelerate launch")
    if asked.vllm != "no":
        raise SpkitError(f"with {asked.name} our own code draws the samples: leave --vllm out")


def _check_vllm(asked: Any) -> None:
    if asked.vllm != "no" and importlib.util.find_spec("vllm") is None:
        raise SpkitError("--vllm needs the package vllm, which needs a GPU: install it, or leave --vllm out")


def trained_by_trl(base: Any, said: str) -> tuple[Any, str]:
    """The base whose optimizer steps TRL takes, those of its clones too, and what is said of it.

    Raises SpkitError for 4-bit weights.
    """
    if getattr(base.model, "is_loaded_in_4bit", False):
        raise SpkitError(
            "TRL rounds adapters on 4-bit weights to bfloat16, and our loops compare and store them unrounded: take "
            "--dtype float32 or bfloat16, or leave --engine out"
        )
    _begin()
    from ..engines.installed import TRIED_TRL
    from ..engines.learn import TrlEngine

    return replace(base, engine=TrlEngine()), f"{said}; engine: TRL {TRIED_TRL}"


def run_grpo_on_trl(asked: Any, usual: Path, load: Callable[[Any, Any], tuple[Any, str]]) -> None:
    """Run RLVR in its folder, or continue it; process 0 alone writes and prints. `usual` is the folder where none is
    asked for, and `load` gives the base and what is said of it. Raises SpkitError if the processes cannot meet.
    """
    _begin()
    _run(asked, asked.out or usual, load)


def _begin() -> None:
    from ..engines.installed import join_processes

    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)  # warns of a kernel it can do without
    join_processes()


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
            show = emitter(task.unit, asked.name, asked.json)
            with tracked(show, asked.track, folder, asdict(asked.config)) as emit:
                run_grpo(base, task, asked.config, run, emit, vllm=asked.vllm)
        finally:
            run.progress.close()
            run.close()
            if PartialState().num_processes > 1:
                PartialState().destroy_process_group()
    if main and not asked.json:
        say(f"The run is in {folder}; `spkit show {folder}` draws it.")
