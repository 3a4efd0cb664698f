"""The command line: `spkit --help`."""

import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ..run.errors import SpkitError
from ..run.json_files import dumps
from ..run.locks import Hold, hold
from . import rl as cli_rl  # noqa: F401  adds its commands to runs_app
from .runs import Json, emitter, interruptible, runs_app

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Self-play for language models, to run and to take apart.",
)
app.add_typer(runs_app, name="run")


def main() -> None:
    """Entry point: bad input is one sentence and exit code 2."""
    try:
        app()
    except SpkitError as error:
        Console(stderr=True).print(f"spkit: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
        sys.exit(2)


@app.command()
def demo(out: Annotated[Path, typer.Option(help="Folder of the demo's runs and figure.")] = Path("runs/demo")) -> None:
    """A tiny language model teaches itself longer sums, beside a control that does not look at the
    answers (3 minutes on 2 cores).
    """
    from .demo import run_demo

    with interruptible(out):
        run_demo(out, Console(highlight=False))


@app.command()
def show(
    folder: Annotated[Path, typer.Argument(help="A run folder.")],
    plot: Annotated[
        Path | None, typer.Option(help="Where to write the figure. Default: accuracy.png in the folder.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Table and figure of a run."""
    from ..run.description import load_run
    from ..run.plots import compare_runs, save
    from ..tasks import load_task

    description, records = load_run(folder)
    if not records:
        raise SpkitError(f"{folder} has no finished iteration yet: start its command again to continue it")
    emit = emitter(load_task(description["task"]).unit, description["method"], as_json)
    for record in records:
        emit(record)
    if not as_json:
        title = f"{description['method']} on {description['task']}, seed {description['config']['seed']}"
        path = save(compare_runs({folder.name: [records]}, title), plot or folder / "accuracy.png")
        Console().print(f"Figure: {path}", highlight=False, soft_wrap=True)


@app.command()
def diagnose(
    path: Annotated[
        Path, typer.Argument(help="A run folder, or completions that a trainer logged: a file, or a folder of them.")
    ],
    audit: Annotated[
        Path | None,
        typer.Option(help="JSON lines of prompt, completion, correct: samples of the log that somebody checked."),
    ] = None,
    reward: Annotated[
        list[str] | None,
        typer.Option(help="Column of the reward; several are added up. Default: what the format says."),
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Where to write a figure.")] = None,
    as_json: Json = False,
) -> None:
    """Which role holds a run back: solver, proposer or verifier; reads runs of spkit and logs of TRL and verl."""
    from ..diagnose import diagnose as judge
    from ..diagnose import read_audit, read_log, read_run
    from ..diagnose.report import data, figure, text
    from ..run.plots import save

    checked = read_audit(audit) if audit else None
    if reward and (path / "metrics.jsonl").is_file():
        raise SpkitError("--reward chooses columns of a log, and a run of spkit knows its own: leave it out")
    if (path / "config.json").is_file() and (path / "metrics.jsonl").is_file():
        diagnosis = judge(read_run(path, checked))
    else:
        diagnosis = judge(read_log(path, tuple(reward or ()), checked))
    for warning in diagnosis.evidence.warnings:
        Console(stderr=True).print(f"warning: {warning}", highlight=False, markup=False, soft_wrap=True)
    print(dumps(data(diagnosis)) if as_json else text(diagnosis))
    if plot is not None:
        written = save(figure(diagnosis), plot)
        Console(stderr=True).print(f"Figure: {written}", highlight=False, markup=False, soft_wrap=True)


@app.command()
def pretrain(
    name: Annotated[
        str, typer.Argument(help="addition, addition-2digits, sums, replies, expressions, words or words-gpu.")
    ],
    out: Annotated[Path | None, typer.Option(help="Checkpoint folder. Default: runs/models/NAME.")] = None,
    seed: Annotated[int, typer.Option(help="Decides the weights at the start and the texts.")] = 0,
    device: Annotated[
        str, typer.Option(help="cpu or cuda. Default: the recipe's: cuda for words-gpu, cpu for the others.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Make one of the shipped base models again (at most 10 minutes on 2 cores.

    Words 20), or the larger words-gpu on one GPU.
    """
    from ..bases.words import make_base as make
    from ..bases.words import updates
    from ..run.progress import progress

    folder, bar = out or Path("runs/models") / name, progress()
    steps, held = updates(name), held_beside(folder)
    try:
        with interruptible(folder), bar.stage(f"pretrain {name}", steps, "steps") as tick:
            card = make(name, folder, seed, lambda *_: tick(1), device or None)
    finally:
        bar.close()
        held.release()
    print(dumps(card) if as_json else (folder / "README.md").read_text(encoding="utf-8"))


@app.command()
def env(as_json: Json = False) -> None:
    """Versions, device with the reason, and which `spkit` was imported."""
    import spkit

    from ..policy import shipped_models
    from ..policy.profiles import profile
    from ..tasks import task_names

    rows = {
        "spkit": f"{spkit.__version__} from {Path(spkit.__file__).parent}",
        "python": f"{platform.python_version()} on {platform.platform()}",
    }
    rows |= {
        name: _version(name)
        for name in ("torch", "transformers", "numpy", "matplotlib", "peft", "bitsandbytes", "pydantic-monty", "nbval")
    }
    rows |= {
        "device": _device(),
        "sandbox": _sandbox(),
        "profile": str(profile()).removeprefix("profile: "),
        "tasks": ", ".join(task_names()),
        "models": ", ".join(shipped_models()) or "none found",
    }
    other = _version("spkit")
    if other != "not installed":
        rows["warning"] = (
            f"another package called spkit ({other}) is installed too: run `pip uninstall spkit`, then "
            "install selfplay-kit again"
        )
    if as_json:
        print(dumps(rows))
        return
    table = Table(show_header=False, box=None)
    for name, value in rows.items():
        table.add_row(name, value)
    Console().print(table, highlight=False)


@app.command()
def reproduce(
    ids: Annotated[list[str] | None, typer.Argument(help="Claims to measure; all of them by default.")] = None,
    seeds: Annotated[int, typer.Option(help="How many seeds; an interval needs at least 2.")] = 3,
    first_seed: Annotated[int, typer.Option(help="The first of them.")] = 0,
    out: Annotated[Path, typer.Option(help="Where the results go, one JSON file a claim.")] = Path("data/results"),
    work: Annotated[Path, typer.Option(help="Where the runs are kept; what is there already is not run again.")] = Path(
        "runs/claims"
    ),
    as_json: Json = False,
) -> None:
    """Measure what the course says is true, over seeds.

    Says first how long it will take, and continues if it was stopped.
    """
    from ..claims import CLAIMS, EXPERIMENTS, Lab, markdown_table, write_result
    from ..claims import reproduce as measure
    from ..run.progress import progress

    known = {claim.id: claim for claim in CLAIMS}
    for name in ids or []:
        if name not in known:
            raise SpkitError(f"there is no claim {name!r}: choose among {', '.join(known)}")
    if seeds < 2:
        raise SpkitError("an interval needs at least 2 seeds: ask for --seeds 3")
    chosen, asked = [known[name] for name in ids] if ids else list(CLAIMS), range(first_seed, first_seed + seeds)
    bar, results = progress(), []
    lab = Lab(work, EXPERIMENTS, bar)
    minutes = lab.seconds_left(chosen, asked) / 60
    Console(stderr=True).print(
        (
            f"{len(chosen)} claims, {seeds} seeds: about {minutes:.0f} minutes on 2 cores for the runs that "
            f"are not in {work} yet"
        ),
        highlight=False,
    )
    with interruptible(work):
        try:
            for claim in chosen:
                results.append(measure(claim, asked, lab))
                if not write_result(results[-1], out):
                    text = (
                        f"{out}/{claim.id}.json has more than {seeds} seeds and is kept: choose another --out "
                        "to write this result"
                    )
                    Console(stderr=True).print(text, highlight=False, soft_wrap=True)
        finally:
            bar.close()
    print("\n".join(dumps(result) for result in results) if as_json else markdown_table(results))


@app.command()
def ledger(
    results: Annotated[
        Path,
        typer.Option(
            help="Where `spkit reproduce` put the results. If there is no data/results here, those that are shipped."
        ),
    ] = Path("data/results"),
    readme: Annotated[Path | None, typer.Option(help="A file with result markers, to put the table into.")] = None,
) -> None:
    """The table of what was measured; with --readme README.md it is written into the README."""
    from ..claims import CLAIMS, markdown_table, read_results, write_into
    from ..run.shipped import found

    measured = read_results(CLAIMS, found(results))
    if not measured:
        raise SpkitError(
            f"there is no result of a claim in {results}: measure some with spkit reproduce, or give the "
            "folder with --results"
        )
    table = markdown_table(measured)
    if readme is None:
        print(table)
    else:
        write_into(readme, table)


def held_beside(folder: Path) -> Hold:
    """Hold a checkpoint folder that is about to be made.

    Raises SpkitError if another process makes it, or it cannot be written to.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        return hold(folder, beside=True)
    except OSError as error:
        raise SpkitError(
            f"could not write to {folder.parent} ({error.strerror or error}): choose a folder you can write to"
        ) from error


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"


def _sandbox() -> str:
    from ..sandbox import open_sandbox

    try:
        sandbox = open_sandbox()
    except SpkitError as error:
        return f"none: {error}"
    return f"{sandbox.name}: {sandbox.reason}"


def _device() -> str:
    import torch

    if torch.cuda.is_available():
        return f"cuda ({torch.cuda.get_device_name()}); the tiny models still run on the CPU, where they are faster"
    return f"cpu, {torch.get_num_threads()} threads (no CUDA device was found)"
