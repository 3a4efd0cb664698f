"""The commands `spkit run LOOP`: their options are the settings of the loop, and what loops share."""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, make_dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

import tyro

from ..run.settings import changed
from .output import emitter, interruptible, say
from .parse import Flag, chosen, parsed
from .presets import preset

C = TypeVar("C")
ABOUT = "Run a loop. Started again with the same settings and folder, it continues where it was."
LOOPS = {  # name: task of the course, and what is said of it
    "star": ("addition", "STaR: sample rationales, keep those with right answers, learn from them, repeat."),
    "rft": ("sums", "RFT: one round of samples, of which every distinct right path is learned from."),
    "rest": (
        "sums",
        "ReST: from the samples of each Grow step, Improve steps on what is above a rising threshold, with real data.",
    ),
    "rest-em": ("sums", "ReST^EM: sample, keep what is right, fine-tune the base on it, repeat."),
    "collapse": ("sums", "Model collapse: each generation learns from what the one before it wrote."),
    "spin": (
        "replies",
        "SPIN: tell reference replies from the opponent's, the policy of the last iteration, by the log-ratio to it.",
    ),
    "rlvr": (
        "sums",
        "RLVR: samples of fixed problems, a checker's reward, and the policy gradient (GRPO and its relatives).",
    ),
    "absolute-zero": (
        "expressions",
        "Absolute Zero: propose problems, solve them, and learn both roles from how often they are solved.",
    ),
}


class Loop(NamedTuple):
    """A loop and the class of its settings."""

    run: Callable[..., Iterator[dict[str, Any]]]
    config: type


@dataclass(frozen=True, kw_only=True)
class Preset:
    """The option that decides what the others are by default."""

    # the published settings of a paper, made for large models; other options override them; see `spkit presets LOOP`
    preset: str = ""


@dataclass(frozen=True)
class RunLoop(Preset, Generic[C]):
    """A run: the settings of its loop, and where it starts and ends."""

    config: Annotated[C, tyro.conf.arg(name="")]
    name: tyro.conf.Suppress[str]
    task: str  # what is asked; `spkit env` lists the tasks
    # base: a shipped model, a checkpoint folder or a hub id; default: the profile's (SPKIT_PROFILE, SPKIT_MODEL)
    model: str = ""
    out: Path | None = None  # run folder; default: runs/LOOP-TASK-seedSEED
    json: Flag = False  # print plain JSON lines instead of a table

    def run(self) -> None:
        """Run the loop in its folder, or continue it, and print every record as it comes."""
        run_loop(self.name, loop_of(self.name).run, self.config, self.task, self.model, self.out, self.json)


@dataclass(frozen=True)
class RunSpin(RunLoop[C]):
    """A run of SPIN, which can have other references than the task's."""

    references_file: Path | None = None  # your own references: a file of one {"prompt": ..., "reply": ...} a line

    def run(self) -> None:
        """As `RunLoop.run`, on the references of the file if there is one."""
        from ..stages.references import read_references

        own = read_references(self.references_file) if self.references_file else None
        loop = partial(loop_of(self.name).run, references=own)
        run_loop(self.name, loop, self.config, self.task, self.model, self.out, self.json)


def loop_of(name: str) -> Loop:
    """The loop of this name on the command line; imports it, and torch."""
    function = name.replace("-", "_")
    module = import_module(f"..loops.{function}", __package__)
    return Loop(getattr(module, function), getattr(module, name.title().replace("-", "") + "Config"))


def run_command(arguments: list[str]) -> RunLoop:
    """The run that the arguments ask for: settings not named are the preset's, or else the loop's own."""
    name = arguments[0] if arguments else "--help"
    if name not in LOOPS:
        names = {loop: make_dataclass(loop, [], namespace={"__doc__": about}) for loop, (_, about) in LOOPS.items()}
        return chosen(names, arguments, "spkit run", ABOUT)
    prog, about = f"spkit run {name}", LOOPS[name][1]
    asked, _ = parsed(Preset, arguments[1:], prog, add_help=False, return_unknown_args=True)
    start = run_by_default(name, asked.preset)
    return parsed(type(start)[type(start.config)], arguments[1:], prog, description=about, default=start)


def run_by_default(name: str, from_preset: str = "") -> RunLoop:
    """The run of a loop whose options are left out, but for those of the preset."""
    kind = loop_of(name).config
    config = changed(kind(), preset(name, from_preset)) if from_preset else kind()
    return (RunSpin if name == "spin" else RunLoop)(config, name, LOOPS[name][0])


def run_loop(
    name: str,
    loop: Callable[..., Iterator[dict[str, Any]]],
    config: Any,
    task: str,
    model: str,
    out: Path | None,
    as_json: bool,
) -> None:
    """Run the loop in its folder, or continue it, and print every record as it comes."""
    from ..run.folder import Run
    from ..run.progress import progress
    from ..tasks import load_task

    chosen_task = load_task(task)
    base, said = load_base(chosen_task, model, config)
    folder = out or default_folder(name, task, config.seed)
    with interruptible(folder):
        run = Run(folder, progress())
        try:
            emit = emitter(chosen_task.unit, name, as_json)
            for record in loop(base, chosen_task, config, run):
                if said:
                    say(said, error=True)
                    said = ""
                emit(record)
        finally:
            run.progress.close()
            run.close()
    if not as_json:
        say(f"The run is in {folder}; `spkit show {folder}` draws it.")


def load_base(task: Any, model: str, config: Any) -> tuple[Any, str]:
    """The policy a loop starts from, the profile's with `model` in its model's place if it is given; and
    the choice with its reason.

    What a model of the gpu profile will take is said at once, on stderr: the first record may be minutes away.
    """
    from ..policy.profiles import memory_line, profile

    chosen = profile({**os.environ, "SPKIT_MODEL": model} if model else os.environ)
    base = chosen.load(task)
    if chosen.name == "gpu":
        say(memory_line(base, task, rows_of(config)), error=True)
    return base, str(chosen)


def rows_of(config: Any) -> int:
    """Rows of one forward and backward pass of this loop."""
    parts = (config, getattr(config, "learn", None), getattr(config, "sft", None))
    sizes = (getattr(part, name, None) for name in ("rows_at_once", "batch_size") for part in parts)
    return next(size for size in sizes if size)


def default_folder(loop: str, task: str, seed: int) -> Path:
    """runs/LOOP-TASK-seedSEED, in one level whatever the task's name: `gsm8k:FOLDER` has marks that a
    folder's name should not have.
    """
    return Path("runs") / f"{loop}-{re.sub('[^A-Za-z0-9._-]+', '-', task)}-seed{seed}"
