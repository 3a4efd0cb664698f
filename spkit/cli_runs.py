"""`spkit run`: one command a loop."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

runs_app = typer.Typer(no_args_is_help=True, help="Run a loop. Started again with the same settings and folder, it continues where it was.")

INTERRUPTED = 130  # the shell's exit code for Ctrl+C

Json = Annotated[bool, typer.Option("--json", help="Print plain JSON lines instead of a table.")]
TaskName = Annotated[str, typer.Option("--task", help="What is asked; `spkit env` lists the tasks.")]
Model = Annotated[str, typer.Option(help="Base: a shipped model, a checkpoint folder or a hub id. Default: the task's own base.")]
Iterations = Annotated[int, typer.Option(help="Iterations after the base; a larger number extends a run.")]
Seed = Annotated[int, typer.Option(help="Decides the problems and every random draw.")]
Out = Annotated[Path | None, typer.Option(help="Run folder. Default: runs/LOOP-TASK-seedSEED.")]
Problems = Annotated[int, typer.Option(help="Training problems an iteration.")]
Samples = Annotated[int, typer.Option(help="Samples of each problem.")]
Temperature = Annotated[float, typer.Option(help="Of the samples; 0 is greedy.")]
Restart = Annotated[str, typer.Option(help="Train each iteration from the `base` or from the `last` policy.")]
Steps = Annotated[int, typer.Option(help="Optimizer steps of one update.")]
LearningRate = Annotated[float, typer.Option(help="Peak learning rate.")]
VerifierName = Annotated[str, typer.Option(help="What is kept: gold, steps, noisy, majority, none, or random (the control of equal size).")]
FlipRate = Annotated[float, typer.Option(help="Share of verdicts that the noisy verifier turns round.")]
Unique = Annotated[bool, typer.Option(help="Drop copies of the same path.")]
Cap = Annotated[int, typer.Option(help="At most this many samples a problem; 0 for no limit.")]


@runs_app.command("star")
def run_star(
    task: TaskName = "addition",
    model: Model = "",
    iterations: Iterations = 8,
    seed: Seed = 0,
    out: Out = None,
    problems: Problems = 600,
    rationalize: Annotated[bool, typer.Option(help="Try failed problems again with the answer as a hint.")] = True,
    rationalizer: Annotated[str, typer.Option(help="Who reads the hints: the `base`, or the `last` policy (the paper).")] = "base",
    restart: Restart = "base",
    select: Annotated[str, typer.Option(help="Keep `correct` answers, or as many at `random` (the control).")] = "correct",
    direct: Annotated[bool, typer.Option("--direct", help="Baseline: train on gold answers without a scratchpad.")] = False,
    temperature: Annotated[float, typer.Option(help="0 is greedy, as in the paper.")] = 0.0,
    schedule: Annotated[str, typer.Option(help="`exponential` (steps x growth) or `linear` (steps + increment) an iteration.")] = "exponential",
    steps: Annotated[int, typer.Option(help="Optimizer steps of the first iteration.")] = 80,
    growth: Annotated[float, typer.Option(help="Factor of the exponential schedule.")] = 1.2,
    increment: Annotated[int, typer.Option(help="Steps added an iteration by the linear schedule.")] = 20,
    learning_rate: LearningRate = 5e-4,
    extrapolate: Annotated[bool, typer.Option("--extrapolate", help="Measure lengths beyond the training range too.")] = False,
    as_json: Json = False,
) -> None:
    """STaR: sample rationales, keep those with right answers, learn from them, repeat."""
    from .loops.star import StarConfig, star

    values = {**locals(), "problems_per_iteration": problems}
    config = StarConfig(**{field.name: values[field.name] for field in fields(StarConfig) if field.name in values})
    _run("star", star, config, task, model, out, as_json)


@runs_app.command("rft")
def run_rft(
    task: TaskName = "sums",
    model: Model = "",
    seed: Seed = 0,
    out: Out = None,
    problems: Problems = 400,
    k: Samples = 16,
    temperature: Temperature = 0.7,
    verifier: VerifierName = "steps",
    flip_rate: FlipRate = 0.0,
    unique: Unique = True,
    cap: Cap = 0,
    steps: Steps = 100,
    learning_rate: LearningRate = 3e-4,
    as_json: Json = False,
) -> None:
    """RFT: one round of k samples a problem, distinct right paths kept."""
    from .loops.rft import RftConfig, rft
    from .loops.self_training import Filter

    kept = Filter(verifier, flip_rate, unique, cap or None)
    config = RftConfig(seed, problems, k, temperature, kept, _update(RftConfig().sft, steps, learning_rate))
    _run("rft", rft, config, task, model, out, as_json)


@runs_app.command("rest-em")
def run_rest_em(
    task: TaskName = "sums",
    model: Model = "",
    iterations: Iterations = 3,
    seed: Seed = 0,
    out: Out = None,
    problems: Problems = 400,
    k: Samples = 8,
    temperature: Temperature = 0.7,
    verifier: VerifierName = "gold",
    flip_rate: FlipRate = 0.0,
    unique: Unique = True,
    cap: Cap = 4,
    restart: Restart = "base",
    accumulate: Annotated[bool, typer.Option("--accumulate", help="Train on the samples of all iterations so far.")] = False,
    validation_problems: Annotated[int, typer.Option(help="Problems that choose the best step of an update; 0 for the last step.")] = 100,
    steps: Steps = 100,
    learning_rate: LearningRate = 3e-4,
    as_json: Json = False,
) -> None:
    """ReST^EM: sample, keep what has reward 1, train the base on it, repeat."""
    from .loops.rest_em import RestEmConfig, rest_em
    from .loops.self_training import Filter

    kept = Filter(verifier, flip_rate, unique, cap or None)
    config = RestEmConfig(
        iterations, seed, problems, k, temperature, kept, restart, accumulate, _update(RestEmConfig().sft, steps, learning_rate),
        validation_problems=validation_problems,
    )  # fmt: skip
    _run("rest-em", rest_em, config, task, model, out, as_json)


@runs_app.command("rest")
def run_rest(
    task: TaskName = "sums",
    model: Model = "",
    iterations: Annotated[int, typer.Option(help="Grow steps; a larger number extends a run.")] = 2,
    seed: Seed = 0,
    out: Out = None,
    problems: Problems = 400,
    k: Samples = 8,
    temperature: Temperature = 1.0,
    thresholds: Annotated[str, typer.Option(help="One an Improve step, rising.")] = "0,0.7,0.9",
    reward: Annotated[str, typer.Option(help="`graded` (share of right steps), or `correct`: 0 or 1.")] = "graded",
    real: Annotated[int, typer.Option(help="Right solutions of a careful writer that are mixed into every update.")] = 100,
    steps: Steps = 60,
    learning_rate: LearningRate = 3e-4,
    as_json: Json = False,
) -> None:
    """ReST: sample, train on what scores above a rising threshold, going on from the last policy."""
    from .loops.rest import RestConfig, rest

    config = RestConfig(
        iterations, seed, problems, k, temperature, _numbers(thresholds), reward, _update(RestConfig().sft, steps, learning_rate), real=real
    )
    _run("rest", rest, config, task, model, out, as_json)


@runs_app.command("collapse")
def run_collapse(
    task: TaskName = "sums",
    model: Model = "",
    iterations: Annotated[int, typer.Option(help="Generations; a larger number extends a run.")] = 8,
    seed: Seed = 0,
    out: Out = None,
    regime: Annotated[str, typer.Option(help="`replace` all text, `accumulate` it beside the real one, or `mix` in a share of real text.")] = "replace",
    real_share: Annotated[float, typer.Option(help="Share of real text for `mix`.")] = 0.1,
    problems: Problems = 300,
    temperature: Temperature = 1.0,
    verifier: VerifierName = "none",
    restart: Restart = "last",
    steps: Steps = 60,
    learning_rate: LearningRate = 3e-4,
    as_json: Json = False,
) -> None:
    """Collapse: train on what the last generation wrote, unfiltered, generation after generation."""
    from .loops.collapse import CollapseConfig, collapse
    from .loops.self_training import Filter

    kept, update = Filter(verifier, unique=False), _update(CollapseConfig().sft, steps, learning_rate)
    config = CollapseConfig(iterations, seed, regime, real_share, problems, temperature, kept, restart, update)
    _run("collapse", collapse, config, task, model, out, as_json)


def _run(name: str, loop: Callable, config: Any, task: str, model: str, out: Path | None, as_json: bool) -> None:
    from .policy import load_policy
    from .progress import progress
    from .runs import Run
    from .tasks import load_task

    chosen_task, base = load_task(task), load_policy(model or task)
    folder = out or Path(f"runs/{name}-{task}-seed{config.seed}")
    with interruptible(folder):
        run = Run(folder, progress())
        try:
            emit = emitter(chosen_task.unit, as_json)
            for record in loop(base, chosen_task, config, run):
                emit(record)
        finally:
            run.progress.close()
    if not as_json:
        Console().print(f"The run is in {folder}; `spkit show {folder}` draws it.", highlight=False, soft_wrap=True)


def _update(default: Any, steps: int, learning_rate: float) -> Any:
    from .errors import SpkitError

    if steps < 1 or learning_rate <= 0:
        raise SpkitError(f"steps must be 1 or more and learning_rate above 0, not {steps} and {learning_rate}")
    return replace(default, steps=steps, learning_rate=learning_rate)


def _numbers(text: str) -> tuple[float, ...]:
    from .errors import SpkitError

    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise SpkitError(f"thresholds must be numbers with commas between them, like 0,0.7,0.9, not {text!r}") from error


@contextmanager
def interruptible(folder: Path) -> Iterator[None]:
    """Ctrl+C ends with a sentence that says where the work is, and the shell's exit code."""
    try:
        yield
    except KeyboardInterrupt:
        text = f"Stopped. What was finished is in {folder}; start the same command again to continue."
        Console(stderr=True).print(text, highlight=False, soft_wrap=True)
        raise typer.Exit(INTERRUPTED) from None


def emitter(unit: str, as_json: bool) -> Callable[[dict[str, Any]], Any]:
    """What prints a record: a JSON line, or a line of the table."""
    from .tables import IterationTable

    return (lambda record: print(json.dumps(record), flush=True)) if as_json else IterationTable(unit).print
