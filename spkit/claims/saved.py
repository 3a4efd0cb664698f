"""Whole runs that are shipped (`data/results/real`, written by `spkit show RUN --save FILE`): curves with the spread of
their seeds, where they ended, and what they took.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from matplotlib.figure import Figure

from ..policy import data_folder
from ..run import plots
from ..run.transcripts import read_saved_run

SavedRun = Mapping[str, Any]
FORMAT_AND_SKILL = {  # label of a panel, key of a record
    "right, lenient (%)": "lenient_accuracy",
    "right, strict (%)": "accuracy",
    "ended by itself (%)": "finished",
}


def saved_runs(names: Iterable[str], folder: Path | None = None) -> dict[str, list[SavedRun]]:
    """The runs NAME-seedS.json of each name, in order of their seeds; a name without any is left out.

    `folder` is that of the shipped runs. Raises SpkitError for a file that is no saved run.
    """
    folder = folder or data_folder() / "results" / "real"
    files = {name: sorted(folder.glob(f"{name}-seed*.json")) for name in names}
    found = {name: list(map(read_saved_run, paths)) for name, paths in files.items()}
    return {name: sorted(runs, key=lambda run: run["config"]["seed"]) for name, runs in found.items() if runs}


def saved_curves(runs: Sequence[SavedRun], key: str) -> list[list[float]]:
    """`key` of every record that has it, one list a run, cut to the shortest of them."""
    curves = [[record[key] for record in run["records"] if record.get(key) is not None] for run in runs]
    shared = min(map(len, curves))
    return [curve[:shared] for curve in curves]


def format_and_skill(groups: Mapping[str, Sequence[SavedRun]], title: str) -> Figure:
    """Lenient accuracy, strict accuracy, and the share of answers that end by themselves, over iterations.

    `groups` maps a label to the runs of several seeds. The two accuracies have one scale.
    """
    percent = lambda curves: [[100 * value for value in curve] for curve in curves]
    panels = {
        label: {name: percent(saved_curves(runs, key)) for name, runs in groups.items()}
        for label, key in FORMAT_AND_SKILL.items()
    }
    seeds = sorted({len(runs) for runs in groups.values()})
    counted = _seeds(seeds[0]) if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]} seeds"
    figure = plots.lines_over_iterations(panels, f"{title} ({counted})")
    lenient, strict, _ = figure.axes
    limits = (*lenient.get_ylim(), *strict.get_ylim())
    for axes in (lenient, strict):
        axes.set_ylim(min(limits), max(limits))
    return figure


def headline(method: str, groups: Mapping[str, Sequence[SavedRun]]) -> str:
    """A figure's one sentence: mean lenient accuracy before, and after the last iteration of each."""
    curves = {label: saved_curves(runs, "lenient_accuracy") for label, runs in groups.items()}
    start = fmean(curve[0] for some in curves.values() for curve in some)
    ends = ", ".join(f"{fmean(curve[-1] for curve in some):.0%} with {label}" for label, some in curves.items())
    return f"{method}: right (lenient) {start:.0%} before, after it {ends}"


def end_lines(groups: Mapping[str, Sequence[SavedRun]]) -> list[str]:
    """For each label a line: seeds, and of each number the mean over seeds at the start and at the end with the lowest
    and the highest seed there.
    """
    width = max(map(len, groups), default=0)
    return [
        f"{label:{width}}  {_seeds(len(runs)):7s}  "
        + "   ".join(
            f"{name.partition(' (')[0]} {_ends(saved_curves(runs, key))}" for name, key in FORMAT_AND_SKILL.items()
        )
        for label, runs in groups.items()
    ]


def minutes_an_iteration(runs: Sequence[SavedRun]) -> float:
    """Mean minutes of an iteration after the base, all stages."""
    return fmean(sum(record["seconds"].values()) for run in runs for record in run["records"][1:]) / 60


def cost_lines(groups: Mapping[str, Sequence[SavedRun]]) -> list[str]:
    """For each label a line: minutes of an iteration, share of its stages, the most memory, threads and processor."""
    return [f"{label:18s} {_cost(runs)}" for label, runs in groups.items()]


def _seeds(count: int) -> str:
    return f"{count} seed{'s' if count > 1 else ''}"


def _cost(runs: Sequence[SavedRun]) -> str:
    stages: dict[str, float] = {}
    for record in (record for run in runs for record in run["records"][1:]):
        for stage, seconds in record["seconds"].items():
            stages[stage] = stages.get(stage, 0.0) + seconds
    total = sum(stages.values()) or 1.0
    shares = ", ".join(f"{stage} {value / total:.0%}" for stage, value in stages.items() if value >= 0.005 * total)
    machines = [machine for run in runs for machine in run.get("machines", [])]
    peaks = [machine["peak_memory_gb"] for machine in machines if machine.get("peak_memory_gb")]
    memory = f"{max(peaks):.1f} GB at most; " if peaks else ""
    where = ", ".join(sorted({f"{one['processor']}, threads: {one['threads']}" for one in machines}))
    return f"{minutes_an_iteration(runs):5.1f} minutes an iteration ({shares}); {memory}{where}"


def _ends(curves: Sequence[Sequence[float]]) -> str:
    last = [curve[-1] for curve in curves]
    start = fmean(curve[0] for curve in curves)
    return f"{start:.0%} -> {fmean(last):.0%} [{min(last):.0%}, {max(last):.0%}]"
