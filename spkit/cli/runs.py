"""The commands `spkit run LOOP`: their options, and what they share."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from ..run.errors import SpkitError
from ..run.json_files import dumps

runs_app = typer.Typer(
    no_args_is_help=True, help="Run a loop. Started again with the same settings and folder, it continues where it was."
)

Json = Annotated[bool, typer.Option("--json", help="Print plain JSON lines instead of a table.")]
TaskName = Annotated[str, typer.Option(help="What is asked; `spkit env` lists the tasks.")]
Model = Annotated[
    str,
    typer.Option(
        help=(
            "Base: a shipped model, a checkpoint folder or a hub id. Default: the profile's (SPKIT_PROFILE, "
            "SPKIT_MODEL)."
        )
    ),
]
Iterations = Annotated[int, typer.Option(help="Iterations after the base; a larger number extends a run.")]
Seed = Annotated[int, typer.Option(help="Decides the problems and every random draw.")]
Out = Annotated[Path | None, typer.Option(help="Run folder. Default: runs/LOOP-TASK-seedSEED.")]
Problems = Annotated[int, typer.Option(help="Training problems an iteration.")]
Samples = Annotated[int, typer.Option(help="Samples of each problem.")]
Temperature = Annotated[float, typer.Option(help="Temperature of the samples; 0 is greedy.")]
Who = Annotated[
    str,
    typer.Option(
        help="Who decides what is kept: gold, steps, noisy, majority, none, or random (the control of equal size)."
    ),
]
Flips = Annotated[float, typer.Option(help="How often the `noisy` verifier turns a verdict round.")]
Unique = Annotated[bool, typer.Option(help="Keep each reasoning path of a problem once.")]
Cap = Annotated[int, typer.Option(help="Most samples kept of one problem; 0: no limit.")]
Restart = Annotated[str, typer.Option(help="Train each iteration from the `base` or from the `last` policy.")]
Steps = Annotated[int, typer.Option(help="Optimizer steps of an update.")]
BatchSize = Annotated[int, typer.Option(help="Samples of an optimizer step.")]
LearningRate = Annotated[float, typer.Option(help="Peak learning rate.")]
Tests = Annotated[int, typer.Option(help="Test problems of each difficulty.")]
INTERRUPTED = 130  # the shell's exit code for Ctrl+C


@runs_app.command("star")
def run_star(
    task: TaskName = "addition",
    model: Model = "",
    iterations: Iterations = 8,
    seed: Seed = 0,
    out: Out = None,
    problems: Problems = 600,
    rationalize: Annotated[bool, typer.Option(help="Try failed problems again with the answer as a hint.")] = True,
    rationalizer: Annotated[
        str, typer.Option(help="Who reads the hints: the `base`, or the `last` policy (the paper).")
    ] = "base",
    restart: Annotated[
        str, typer.Option(help="Train each iteration from the `base` (the paper) or from the `last` policy.")
    ] = "base",
    select: Annotated[
        str, typer.Option(help="Keep `correct` answers, or as many at `random` (the control).")
    ] = "correct",
    direct: Annotated[
        bool, typer.Option("--direct", help="Baseline: train on gold answers without a scratchpad.")
    ] = False,
    temperature: Annotated[float, typer.Option(help="0 is greedy, as in the paper.")] = 0.0,
    schedule: Annotated[
        str, typer.Option(help="`exponential` (steps x growth) or `linear` (steps + increment) an iteration.")
    ] = "exponential",
    steps: Annotated[int, typer.Option(help="Optimizer steps of the first iteration.")] = 80,
    growth: Annotated[float, typer.Option(help="Factor of the exponential schedule.")] = 1.2,
    increment: Annotated[int, typer.Option(help="Steps added an iteration by the linear schedule.")] = 20,
    learning_rate: LearningRate = 5e-4,
    extrapolate: Annotated[
        bool, typer.Option("--extrapolate", help="Measure lengths beyond the training range too.")
    ] = False,
    test_per_difficulty: Tests = 100,
    as_json: Json = False,
) -> None:
    """STaR: sample rationales, keep those with right answers, learn from them, repeat."""
    from ..loops.star import StarConfig, star

    config = configured(StarConfig, locals(), problems_per_iteration=problems)
    run_loop("star", star, config, task, model, out, as_json)


@runs_app.command("rft")
def run_rft(
    task: TaskName = "sums",
    model: Model = "",
    seed: Seed = 0,
    out: Out = None,
    problems: Problems = 400,
    k: Samples = 16,
    temperature: Temperature = 0.7,
    verifier: Who = "steps",
    flip_rate: Flips = 0.0,
    unique: Unique = True,
    cap: Cap = 0,
    steps: Steps = 100,
    batch_size: BatchSize = 32,
    learning_rate: LearningRate = 3e-4,
    test_per_difficulty: Tests = 50,
    as_json: Json = False,
) -> None:
    """RFT: one round of samples, of which every distinct right path is learned from."""
    from ..loops.rft import RftConfig, rft

    config = configured(RftConfig, locals(), **_parts(locals()))
    run_loop("rft", rft, config, task, model, out, as_json)


@runs_app.command("rest")
def run_rest(
    task: TaskName = "sums",
    model: Model = "",
    iterations: Iterations = 2,
    seed: Seed = 0,
    out: Out = None,
    problems: Problems = 400,
    k: Samples = 8,
    temperature: Temperature = 1.0,
    thresholds: Annotated[
        str, typer.Option(help="What a reward must be above, rising, one an Improve step.")
    ] = "0,0.7,0.9",
    reward: Annotated[
        str, typer.Option(help="`graded` (share of right steps), or `correct` (0 or 1 for the final answer).")
    ] = "graded",
    real: Annotated[
        int, typer.Option(help="Right solutions of a careful writer, mixed into every Improve step.")
    ] = 100,
    steps: Steps = 60,
    batch_size: BatchSize = 32,
    learning_rate: LearningRate = 3e-4,
    decay: Annotated[float, typer.Option(help="Factor of the learning rate from one Improve step to the next.")] = 0.5,
    test_per_difficulty: Tests = 50,
    as_json: Json = False,
) -> None:
    """ReST: from the samples of each Grow step, Improve steps on what is above a rising threshold, with real data."""
    from ..loops.rest import RestConfig, rest

    config = configured(RestConfig, locals(), thresholds=_numbers("thresholds", thresholds), **_parts(locals()))
    run_loop("rest", rest, config, task, model, out, as_json)


@runs_app.command("rest-em")
def run_rest_em(
    task: TaskName = "sums",
    model: Model = "",
    iterations: Iterations = 3,
    seed: Seed = 0,
    out: Out = None,
    problems: Annotated[int, typer.Option(help="Training problems, the same in every iteration.")] = 400,
    k: Samples = 8,
    temperature: Temperature = 0.7,
    verifier: Who = "gold",
    flip_rate: Flips = 0.0,
    unique: Unique = True,
    cap: Cap = 4,
    restart: Restart = "base",
    accumulate: Annotated[
        bool, typer.Option("--accumulate", help="Train on the samples of all iterations so far.")
    ] = False,
    steps: Steps = 100,
    batch_size: BatchSize = 32,
    learning_rate: LearningRate = 3e-4,
    validate_every: Annotated[int, typer.Option(help="Steps between two looks at the validation problems.")] = 25,
    validation_problems: Annotated[
        int, typer.Option(help="Problems by which the best step is chosen; 0: the last step.")
    ] = 100,
    test_per_difficulty: Tests = 50,
    test_samples: Annotated[int, typer.Option(help="Samples of each test problem, for pass@k and maj@k; 0: none.")] = 0,
    extrapolate: Annotated[
        bool, typer.Option("--extrapolate", help="Measure harder problems and the format with a hint too.")
    ] = False,
    measure_train: Annotated[bool, typer.Option("--measure-train", help="Measure the training problems too.")] = False,
    as_json: Json = False,
) -> None:
    """ReST^EM: sample, keep what is right, fine-tune the base on it, repeat."""
    from ..loops.rest_em import RestEmConfig, rest_em

    config = configured(RestEmConfig, locals(), **_parts(locals()))
    run_loop("rest-em", rest_em, config, task, model, out, as_json)


@runs_app.command("collapse")
def run_collapse(
    task: TaskName = "sums",
    model: Model = "",
    iterations: Annotated[int, typer.Option(help="Generations after the base; a larger number extends a run.")] = 8,
    seed: Seed = 0,
    out: Out = None,
    regime: Annotated[
        str,
        typer.Option(
            help="Own text `replace`s the real text, is `accumulate`d beside it, or is `mix`ed with a share of it."
        ),
    ] = "replace",
    real_share: Annotated[float, typer.Option(help="Share of real text, for `mix`.")] = 0.1,
    problems: Problems = 300,
    temperature: Temperature = 1.0,
    verifier: Who = "none",
    flip_rate: Flips = 0.0,
    restart: Restart = "last",
    steps: Steps = 60,
    batch_size: BatchSize = 32,
    learning_rate: LearningRate = 3e-4,
    test_per_difficulty: Tests = 50,
    as_json: Json = False,
) -> None:
    """Model collapse: each generation learns from what the one before it wrote."""
    from ..loops.collapse import CollapseConfig, collapse

    config = configured(CollapseConfig, locals(), **_parts({**locals(), "unique": False, "cap": 0}))
    run_loop("collapse", collapse, config, task, model, out, as_json)


@runs_app.command("spin")
def run_spin(
    task: TaskName = "replies",
    model: Model = "",
    iterations: Iterations = 3,
    seed: Seed = 0,
    out: Out = None,
    references: Annotated[int, typer.Option(help="Reference replies, drawn from the task.")] = 1000,
    references_file: Annotated[
        Path | None, typer.Option(help='Your own instead: a file of one {"prompt": ..., "reply": ...} a line.')
    ] = None,
    wrong: Annotated[float, typer.Option(help="Share of the references that are wrong (task replies).")] = 0.0,
    kind: Annotated[
        str,
        typer.Option(help="Loss: logistic (SPIN), hinge, exponential, ipo, chi2, nce, tspin; or a control: sft, dpo."),
    ] = "logistic",
    beta: Annotated[str, typer.Option(help="Factor of the log-ratio, one an iteration (the paper's lambda).")] = "1.0",
    tau: Annotated[float, typer.Option(help="Target of chi2 and ipo; weight of T-SPIN's second term.")] = 1.0,
    learning_rate: Annotated[str, typer.Option(help="Peak learning rate, one an iteration.")] = "3e-4",
    epochs: Annotated[int, typer.Option(help="Passes over the pairs of an iteration.")] = 2,
    batch_size: Annotated[int, typer.Option(help="Pairs of an optimizer step.")] = 64,
    previous: Annotated[bool, typer.Option(help="Train on the last iteration's replies too.")] = True,
    temperature: Annotated[float, typer.Option(help="Of the opponent's replies; 0 is greedy (a control).")] = 1.0,
    cut: Annotated[float, typer.Option(help="Share of each of the opponent's replies that is kept (a control).")] = 1.0,
    cut_ends: Annotated[
        bool, typer.Option("--cut-ends", help="Give what is cut off an end token, as the official repository does.")
    ] = False,
    real: Annotated[
        str, typer.Option(help="`references`, or `self`: the opponent plays both sides (the swap control).")
    ] = "references",
    preference: Annotated[float, typer.Option(help="Preference pairs mixed in, as a share of the references.")] = 0.0,
    test_per_difficulty: Tests = 30,
    as_json: Json = False,
) -> None:
    """SPIN: tell reference replies from the opponent's, the policy of the last iteration, by the log-ratio to it."""
    from ..loops.spin import SpinConfig, spin
    from ..stages.references import read_references

    config = configured(
        SpinConfig, locals(), beta=_numbers("beta", beta), learning_rate=_numbers("learning-rate", learning_rate)
    )
    own = read_references(references_file) if references_file else None
    run_loop("spin", lambda *arguments: spin(*arguments, references=own), config, task, model, out, as_json)


@contextmanager
def interruptible(folder: Path) -> Iterator[None]:
    """On Ctrl+C, say where the finished part is and exit."""
    try:
        yield
    except KeyboardInterrupt:
        text = f"Stopped. What was finished is in {folder}; start the same command again to continue."
        Console(stderr=True).print(text, highlight=False, soft_wrap=True)
        raise typer.Exit(INTERRUPTED) from None


def emitter(unit: str, method: str, as_json: bool) -> Callable[[dict[str, Any]], Any]:
    """What prints a record: a JSON line, or a line of the method's table."""
    from ..run.tables import IterationTable

    return (lambda record: print(dumps(record), flush=True)) if as_json else IterationTable(unit, method).print


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
                    Console(stderr=True).print(said, highlight=False, markup=False, soft_wrap=True)
                    said = ""
                emit(record)
        finally:
            run.progress.close()
            run.close()
    if not as_json:
        Console().print(f"The run is in {folder}; `spkit show {folder}` draws it.", highlight=False, soft_wrap=True)


def load_base(task: Any, model: str, config: Any) -> tuple[Any, str]:
    """The policy a loop starts from, the profile's with `model` in its model's place if it is given; and
    the choice with its reason.

    What a model of the gpu profile will take is said at once, on stderr: the first record may be minutes away.
    """
    from ..policy.profiles import memory_line, profile

    chosen = profile({**os.environ, "SPKIT_MODEL": model} if model else os.environ)
    base = chosen.load(task)
    if chosen.name == "gpu":
        rows = getattr(config, "rows_at_once", None) or getattr(config, "batch_size", None) or config.sft.batch_size
        Console(stderr=True).print(memory_line(base, task, rows), highlight=False, markup=False, soft_wrap=True)
    return base, str(chosen)


def default_folder(loop: str, task: str, seed: int) -> Path:
    """runs/LOOP-TASK-seedSEED, in one level whatever the task's name: `gsm8k:FOLDER` has marks that a
    folder's name should not have.
    """
    return Path("runs") / f"{loop}-{re.sub('[^A-Za-z0-9._-]+', '-', task)}-seed{seed}"


def configured(kind: type, options: dict[str, Any], **values: Any) -> Any:
    """A loop's settings from the options of the same name, and from `values`."""
    values = {**options, **values}
    return kind(**{field.name: values[field.name] for field in fields(kind) if field.name in values})


def _parts(options: dict[str, Any]) -> dict[str, Any]:
    """The nested settings `filter` and `sft`, from the options that belong to them."""
    from ..policy import SftConfig
    from ..stages.verify import Filter

    parts = {"sft": configured(SftConfig, options)}
    if "verifier" in options:
        parts["filter"] = configured(Filter, options, cap=options["cap"] or None)
    return parts


def _numbers(name: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise SpkitError(f"{name} must be numbers with commas between them, like 0.1,0.7,0.9, not {text!r}") from None
