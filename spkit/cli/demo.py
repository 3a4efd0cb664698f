"""The main job, in a minute: STaR beside a control that differs in one thing, both at the same time."""

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import torch
from rich.console import Console

from ..loops.star import StarConfig, star
from ..policy import load_policy
from ..run.errors import SpkitError
from ..run.folder import Run
from ..run.plots import compare_runs, save
from ..run.progress import progress
from ..run.tables import IterationTable
from ..tasks import load_task

CONFIG = StarConfig(iterations=6)


def run_demo(out: Path, console: Console) -> None:
    """Run both (or show them, if `out` holds them finished), print a table of each, and draw them side by side."""
    task, base = load_task("addition"), load_policy("addition")
    example = task.problem(0, 2, 3)
    millions = sum(parameter.numel() for parameter in base.model.parameters()) / 1e6
    console.print(
        f"A language model of {millions:.1f} M parameters knows short sums. It now writes out longer ones, "
        "keeps those with the right answer, learns from them, and starts again from the base (STaR). The "
        "loop gives it answers, and never a worked-out sum."
    )
    console.print(f"A problem: {example.prompt}    What it should write: {task.solution(example)}", markup=False)
    console.print("(Column by column from the right: digit + digit + carry: new carry, digit. The answer is last.)")
    console.print("kept: right at once; hinted: right after the answer was shown as a hint\n")
    panels, both = {}, variants()
    shown, control = both
    for name, config in both.items():
        console.print(f"[bold]{name}[/bold]")
        with beside(both[control], out / slug(control)) if name == shown else contextlib.nullcontext():
            run, table = Run(out / slug(name), progress()), IterationTable(task.unit, "star")
            try:
                panels[name] = [[table.print(record) for record in star(base, task, config, run)]]
            finally:
                run.progress.close()
                run.close()
        console.print()
    path = save(compare_runs(panels, title(panels), task.unit), out / "accuracy.png")
    console.print(f"The figure is in {path}. Remove {out} to run it all again.", soft_wrap=True)


@contextlib.contextmanager
def beside(config: StarConfig, folder: Path) -> Iterator[None]:
    """Another process finishes a variant in its folder, each with half of the threads, where there are two cores.

    At the end it is waited for, or stopped where this process was. What it could not do is left to be continued.
    """
    if (os.cpu_count() or 1) < 2:
        yield
        return
    threads = max(1, torch.get_num_threads() // 2)
    torch.set_num_threads(threads)
    other = get_context("spawn").Process(target=finish, args=(config, folder, threads), daemon=True)
    other.start()
    try:
        yield
        other.join()
    finally:
        other.terminate()
        other.join()


def finish(config: StarConfig, folder: Path, threads: int) -> None:
    """Run a variant to its end, and say nothing: whoever continues it meets the same error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is the other process's, which then stops this one
    torch.set_num_threads(threads)
    with contextlib.suppress(SpkitError):
        run = Run(folder)
        for _ in star(load_policy("addition"), load_task("addition"), config, run):
            pass
        run.close()


def variants() -> dict[str, StarConfig]:
    """The run and its control, by the name on the figure."""
    return {"STaR": CONFIG, "control: no rationalization": replace(CONFIG, rationalize=False)}


def slug(name: str) -> str:
    """A folder name."""
    return "-".join("".join(c if c.isalnum() else " " for c in name.lower()).split())


def title(panels: dict) -> str:
    """The figure's one sentence, from the numbers."""
    runs, controls = panels.values()
    before, after, beside = (100 * rows["accuracy"] for rows in (runs[0][0], runs[0][-1], controls[0][-1]))
    return (
        f"Accuracy on sums of 1 to 5 digits goes from {before:.0f} % to {after:.0f} %; the control ends "
        f"at {beside:.0f} %"
    )
