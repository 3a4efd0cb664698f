"""The commands `spkit run LOOP`: their options are the settings of the loop, and what loops share."""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, make_dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar

import tyro

from ..loops import METHODS, load_method
from ..run.errors import SpkitError
from ..run.settings import changed
from .output import emitter, interruptible, say
from .parse import Flag, chosen, parse_options
from .presets import preset
from .tracking import check_tracker, tracked

_C = TypeVar("_C")
ABOUT_RUN = "Run a loop. Started again with the same settings and folder, it continues where it stopped."


@dataclass(frozen=True, kw_only=True)
class Preset:
    """The option that decides what the others are by default."""

    # the published settings of a paper, made for large models, or `smollm2`, ours for a real model on a CPU; other
    # options override them; see `spkit presets LOOP`
    preset: str = ""


@dataclass(frozen=True)
class RunLoop(Preset, Generic[_C]):
    """A run: the settings of its loop, and where it starts and ends."""

    config: Annotated[_C, tyro.conf.arg(name="")]
    name: tyro.conf.Suppress[str]
    task: str  # what is asked; `spkit env` lists the tasks
    # base: a name (`spkit model` lists them), a checkpoint folder or a hub id; default: the profile's (SPKIT_PROFILE)
    model: str = ""
    lora: Flag = False  # train LoRA adapters on a frozen model (the profiles real and gpu always do)
    # precision of the weights; nf4: 4 bits, with LoRA; auto: nf4 for the profile gpu, else float32
    dtype: Literal["auto", "float32", "bfloat16", "nf4"] = "auto"
    device: str = ""  # cpu, cuda, cuda:1 ... or mps (Apple silicon, not tried by us); default: the profile's
    out: Path | None = None  # run folder; default: runs/LOOP-TASK-seedSEED
    # what takes the optimizer steps: ours, in one process, or TRL's trainers, on several too (docs/scale.md)
    engine: Literal["spkit", "trl"] = "spkit"
    vllm: Literal["no", "colocate", "server"] = "no"  # with --engine trl: vLLM draws the samples
    track: Literal["none", "trackio", "tensorboard", "wandb"] = "none"  # send every record to a dashboard, too
    json: Flag = False  # print plain JSON lines instead of a table

    def run(self) -> None:
        """Run the loop in its folder, or continue it, and print every record as it comes."""
        run_loop(load_method(self.name)[0], self)


@dataclass(frozen=True)
class RunSpin(RunLoop[_C]):
    """A run of SPIN, which can have other references than the task's."""

    references_file: Path | None = None  # your own references: a file of one {"prompt": ..., "reply": ...} a line

    def run(self) -> None:
        """As `RunLoop.run`, on the references of the file if there is one."""
        from ..stages.references import read_references

        own = read_references(self.references_file) if self.references_file else None
        run_loop(partial(load_method(self.name)[0], references=own), self)


def run_command(arguments: list[str]) -> RunLoop:
    """The run that the arguments ask for: settings not named are the preset's, or else the loop's own."""
    name = arguments[0] if arguments else "--help"
    if name not in METHODS:
        names = {
            loop: make_dataclass(loop, [], namespace={"__doc__": method.about}) for loop, method in METHODS.items()
        }
        return chosen(names, arguments, "spkit run", ABOUT_RUN)
    prog, about = f"spkit run {name}", f"{METHODS[name].about} Values in [brackets] are those of the paper."
    asked, _ = parse_options(Preset, arguments[1:], prog, add_help=False, return_unknown_args=True)
    start = run_by_default(name, asked.preset)
    return parse_options(type(start)[type(start.config)], arguments[1:], prog, description=about, default=start)


def run_by_default(name: str, from_preset: str = "") -> RunLoop:
    """The run of a loop whose options are left out, but for those of the preset."""
    kind = load_method(name)[1]
    config = changed(kind(), preset(name, from_preset)) if from_preset else kind()
    return (RunSpin if name == "spin" else RunLoop)(config, name, METHODS[name].task)


def run_loop(loop: Callable[..., Iterator[dict[str, Any]]], asked: RunLoop) -> None:
    """Run the loop in its folder, or continue it, and print every record as it comes."""
    from ..engines.installed import processes
    from ..run.folder import Run
    from ..run.progress import progress
    from ..tasks import load_task

    check_tracker(asked.track)
    if asked.engine == "trl":
        from .engine_runs import check_engine, run_grpo_on_trl, trained_by_trl

        check_engine(asked)
        if asked.name == "rlvr":
            return run_grpo_on_trl(asked, default_folder(asked.name, asked.task, asked.config.seed), load_base)
    elif processes() > 1:
        raise SpkitError("our own engine runs in one process: add --engine trl, or start without accelerate launch")
    elif asked.vllm != "no":
        raise SpkitError("vLLM draws samples for the engine trl alone: add --engine trl, or leave --vllm out")
    task = load_task(asked.task)
    base, said = load_base(task, asked)
    if asked.engine == "trl":
        base, said = trained_by_trl(base, said)
    folder = asked.out or default_folder(asked.name, asked.task, asked.config.seed)
    with interruptible(folder):
        run = Run(folder, progress())
        try:
            show = emitter(task.unit, asked.name, asked.json)
            with tracked(show, asked.track, folder, asdict(asked.config)) as emit:
                for record in loop(base, task, asked.config, run):
                    if said:
                        say(said, error=True)
                        said = ""
                    emit(record)
        finally:
            run.progress.close()
            run.close()
    if not asked.json:
        say(f"The run is in {folder}; `spkit show {folder}` draws it.")


def load_base(task: Any, asked: RunLoop) -> tuple[Any, str]:
    """The policy a loop starts from, the profile's but for the model and precision asked for; and the choice
    with its reason.

    What a model with adapters will take is said at once, on stderr: the first record may be minutes away. Not of a
    game, whose few texts are computed once.
    """
    from ..policy.profiles import memory_line, profile
    from ..tasks.games import TextGame

    precision = "" if asked.dtype == "auto" else asked.dtype
    wanted = {"SPKIT_MODEL": asked.model, "SPKIT_DTYPE": precision, "SPKIT_DEVICE": asked.device}
    chosen = profile({**os.environ, **{name: value for name, value in wanted.items() if value}})
    chosen = replace(chosen, lora=asked.lora)
    base = chosen.load(task)
    if chosen.adapters and not isinstance(task, TextGame):
        say(memory_line(base, task, rows_of_a_pass(asked.config)), error=True)
    return base, str(chosen)


def rows_of_a_pass(config: Any) -> int:
    """Rows of one forward and backward pass of this loop."""
    parts = (config, getattr(config, "learn", None), getattr(config, "sft", None))
    sizes = (getattr(part, name, None) for name in ("rows_at_once", "batch_size") for part in parts)
    return next(size for size in sizes if size)


def default_folder(loop: str, task: str, seed: int) -> Path:
    """runs/LOOP-TASK-seedSEED, in one level whatever the task's name: `gsm8k:FOLDER` has marks that a
    folder's name should not have.
    """
    return Path("runs") / f"{loop}-{re.sub('[^A-Za-z0-9._-]+', '-', task)}-seed{seed}"
