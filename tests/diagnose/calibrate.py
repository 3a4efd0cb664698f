"""How often each finding is named: on runs of the simulated world with the fault planted, with a fault too weak to be
called so, healthy, or with another fault; and on logs of real runs, ours and TRL's.

docs/diagnose.md is written anew (two minutes) by: python -m tests.diagnose.calibrate docs/diagnose.md
"""

import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from spkit.diagnose import diagnose, read_log
from spkit.diagnose.judge import Diagnosis
from spkit.diagnose.steps import wilson
from tests.diagnose.faults import FAULTS, NEAR, healthy_world
from tests.diagnose.reading.real_logs import section
from tests.diagnose.world import diagnosis_of, rows

DATA = Path(__file__).parents[1] / "data" / "diagnose"
SEEDS, HEALTHY_LOGS = range(5), range(80)
OURS = {  # what was done to a run of RLVR of ours: what is to be named
    "healthy": "healthy",
    "noisy": "verifier noise",
    "easy": "saturation",
    "hard": "starvation",
    "majority": "reward hacking",
    "diverged": "divergence",
}
TRL = {  # the same of TRL's GRPOTrainer
    "healthy": "healthy",
    "short": "truncated",
    "noisy": "verifier noise",
    "hot": "divergence",
    "endless": "truncated",
}
KINDS = ("planted", "nearly", "healthy", "other faults")
HEAD = """# What `spkit diagnose` finds, and how often it is wrong

Made by `python -m tests.diagnose.calibrate docs/diagnose.md`; `tests/diagnose/test_calibration.py` holds what is said
here. The limits are in `spkit/diagnose/thresholds.py`. They were chosen while looking at the simulated worlds below, so
that the first table shows that the findings do not get in each other's way, and not how often they are right on a run
of yours. TRL's runs were made afterwards. The first `short` and `endless` were called starvation, so the rule for
texts that were cut off was written anew; then 22 of the 25 runs were named rightly, and 24 since steps of few
completions are looked at together. Seeds 10 to 12 were made after that.

![A report: reward hacking, with curves of reward and accuracy, and what to try.](report-reward-hacking.png)

![Another on a phone, dark: different completions in a group fall from 88 to 12 %.](report-collapse-phone.png)

Two pages that `spkit diagnose LOG --html report.html` wrote of simulated runs
(`python -m tests.diagnose.report.pages OUT --pictures`).

## Simulated runs

A world without a language model (`tests/diagnose/world.py`, `tests/diagnose/faults.py`), {seeds} seeds of each.
*Planted*: verdict where the fault was put in. *Nearly*: where it was put in too weakly to be called so. *Healthy*:
{healthy} runs of all shapes (groups of 4 to 16, 8 to 64 a step, 8 to 60 steps, graded and binary rewards, solve rates
0.2 to 0.8). *Other faults*: where something else was planted; in brackets among the findings behind the verdict, most
of them consequences of it. Intervals are of 95 % (Wilson).

| finding | planted | nearly | healthy | other faults |
|---|---|---|---|---|
"""


def simulated() -> dict[str, dict[str, list[Diagnosis]]]:
    """Diagnoses by kind of run, and there by what was planted."""
    healthy = [diagnosis_of(rows(healthy_world(seed), seed)) for seed in HEALTHY_LOGS]
    return {
        "planted": _of_worlds({name: worlds for name, worlds in FAULTS.items() if name != "healthy"}),
        "nearly": _of_worlds(NEAR),
        "healthy": {"healthy": healthy + _of_worlds({"healthy": FAULTS["healthy"]})["healthy"]},
    }


def _of_worlds(worlds: Mapping[str, list]) -> dict[str, list[Diagnosis]]:
    return {
        name: [diagnosis_of(rows(world, seed)) for world in some for seed in SEEDS] for name, some in worlds.items()
    }


def real(folder: Path, names: Mapping[str, str], seeds: str = "[0-9]") -> dict[str, list[Diagnosis]]:
    """Diagnoses of the logs in a folder, by what was done to the run; `seeds` as in names of files."""
    found = defaultdict(list)
    for name in names:
        for path in sorted(folder.glob(f"{name}-{seeds}.jsonl.gz")):
            found[name].append(diagnose(read_log(path)))
    return dict(found)


def named(finding: str, runs: Iterable[Diagnosis]) -> tuple[int, int, int]:
    """(as the verdict, behind another verdict, of how many)."""
    runs = list(runs)
    first = sum(run.verdict == finding for run in runs)
    return first, sum(finding in [one.name for one in run.findings[1:]] for run in runs), len(runs)


def table(found: Mapping[str, Mapping[str, list[Diagnosis]]]) -> str:
    """The table of the simulated runs, a line a finding."""
    lines = []
    for finding in found["planted"]:
        others = [run for name, runs in found["planted"].items() if name != finding for run in runs]
        kinds = (found["planted"][finding], found["nearly"].get(finding, []), found["healthy"]["healthy"], others)
        cells = [_cell(*named(finding, runs)) for runs in kinds]
        lines.append(f"| {finding} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(first: int, behind: int, total: int) -> str:
    return f"{first} of {total}" + (f" (+{behind})" if behind else "") if total else "-"


def alarms(runs: Iterable[Diagnosis]) -> str:
    """How many healthy runs are called ill, with its interval."""
    runs = list(runs)
    ill = sum(run.verdict != "healthy" for run in runs)
    low, high = wilson(ill, len(runs))
    return f"{ill} of {len(runs)} [{low:.0%}, {high:.0%}]"


def verdicts(found: Mapping[str, list[Diagnosis]], names: Mapping[str, str]) -> str:
    """A table of real runs: what was done, what is to be said, what is said."""
    lines = ["| run | to be named | named | behind it |", "|---|---|---|---|"]
    for name, runs in found.items():
        behind = sorted({one.name for run in runs for one in run.findings[1:]})
        first, _, total = named(names[name], runs) if names[name] != "healthy" else _healthy(runs)
        lines.append(f"| {name} | {names[name]} | {first} of {total} | {', '.join(behind) or '-'} |")
    return "\n".join(lines)


def _healthy(runs: list[Diagnosis]) -> tuple[int, int, int]:
    return sum(run.verdict == "healthy" for run in runs), 0, len(runs)


def page() -> str:
    """docs/diagnose.md."""
    found = simulated()
    nearly = [run for runs in found["nearly"].values() for run in runs]
    head = HEAD.format(seeds=len(SEEDS), healthy=len(found["healthy"]["healthy"]))
    return (
        f"{head}{table(found)}\n\n"
        f"False alarms: {alarms(found['healthy']['healthy'])} of the healthy runs, {alarms(nearly)} of the runs with a "
        "fault that is too weak.\n\n"
        "## Real runs\n\nShort runs of our RLVR loop on shipped models (`tests/diagnose/make_logs.py`), 3 seeds.\n\n"
        f"{verdicts(real(DATA, OURS), OURS)}\n\n"
        "Short runs of TRL's GRPOTrainer on the shipped model of sums (`tests/diagnose/make_trl_logs.py`; TRL 1.16, 12 "
        "steps of 64\ncompletions), 5 seeds, read from what TRL logged: `short` may write 12 tokens, `noisy` has three "
        "verdicts in ten flipped,\n`hot` a learning rate of 0.01, `endless` stops at a token that the model never "
        "writes.\n\n"
        f"{verdicts(real(DATA / 'trl', TRL), TRL)}\n\n"
        "The same, seeds 10 to 12, for which nothing was changed:\n\n"
        f"{verdicts(real(DATA / 'trl', TRL, '1[0-9]'), TRL)}\n\n"
        f"{section()}"
    )


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
