"""`make portable`: what is compared strictly, and every assert, must hold on other processors too.

    python -m tests.portable [--jobs N] [--margins N] [--all]

Each setting tells NumPy, BLAS, PyTorch, oneDNN and MKL to use older instructions, or moves the roundings themselves
(`rounding.py`), with one or two threads. Under each run the strictly compared cells of all notebooks and, unless
roundings are moved, the numeric tests. A whole lax notebook, with all of its asserts, runs under one setting: all
under all would take half an hour. The longest run with `--all` alone, which adds a quarter of an hour. A table says
what ran; the exit code is 1 if a compared output changed, an assert failed or a test did.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from tests.notebooks.test_notebooks import COMPARED, STRICT
from tests.portable.cells import ROOT
from tests.portable.settings import Setting, settings

NUMERIC = (  # found wherever they lie under tests/
    *("test_advantages.py", "test_preference.py", "test_policy_gradient.py", "test_training.py", "test_sampling.py"),
    *("test_tokens.py", "test_solve.py", "test_measure.py", "test_imitation.py", "test_matrix.py", "test_kuhn.py"),
)
LONG = (  # minutes each
    "01_self_play_fundamentals.ipynb",
    "02_self_training_star_rest.ipynb",
    "03_spin_adversarial_imitation.ipynb",
    "04_quiet_star.ipynb",
    "05_what_training_changes.ipynb",
    "07_a_game_against_itself.ipynb",
    "solutions/02_self_training_star_rest.ipynb",
)


@dataclass(frozen=True)
class Job:
    setting: Setting
    what: str
    command: list[str]


@dataclass
class Done:
    job: Job
    seconds: float
    failures: list[str]
    margins: list[tuple[str, int, str, float, float]] = field(default_factory=list)


def jobs(every: bool) -> list[Job]:
    """The longest first: whole lax notebooks (`every`: the long ones too), then the strict cells, then the tests."""
    others = settings()[1:]  # `make test` has compared the cells and run the tests on the machine as it is
    lax = [name for name, how in COMPARED.items() if how != STRICT and (every or name not in LONG)]
    plain = [setting for setting in others if setting.shaken is None]
    found = [Job(plain[i % len(plain)], name, cells(name)) for i, name in enumerate(lax)]
    found += [Job(one, "strict cells", cells(*COMPARED, strict=True, shaken=one.shaken)) for one in others]
    tests = [str(path.relative_to(ROOT)) for name in NUMERIC for path in sorted((ROOT / "tests").rglob(name))]
    run = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--no-header", "--tb=short", *tests]
    return found + [Job(one, "numeric tests", run) for one in others if one.shaken is None]


def cells(*names: str, strict: bool = False, shaken: int | None = None) -> list[str]:
    options = [*(["--strict"] if strict else []), *([] if shaken is None else ["--shaken", str(shaken)])]
    return [sys.executable, "-m", "tests.portable.cells", *names, *options]


def do(job: Job) -> Done:
    start = time.monotonic()
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("SPKIT_")
    } | job.setting.variables
    environment |= {"PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg"}
    ended = subprocess.run(job.command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True)
    done = Done(job, time.monotonic() - start, [])
    if job.what == "numeric tests":
        done.failures = [] if ended.returncode == 0 else [ended.stdout[-4000:] + ended.stderr[-1000:]]
        return done
    reports = [json.loads(line) for line in ended.stdout.splitlines() if line.startswith('{"notebook"')]
    done.failures = [f"{r['notebook']}, cell {number}:\n{what}" for r in reports for number, what in r["changed"]]
    done.margins = [(r["notebook"], *margin) for r in reports for margin in r["margins"]]
    if ended.returncode and not done.failures:
        done.failures = [ended.stdout[-1000:] + ended.stderr[-3000:]]
    return done


def row(setting: str, what: str, seconds: str, result: str) -> str:
    return f"{setting:30s}{what:46s}{seconds:>8s}   {result}"


def share(left: float, right: float) -> float:
    """How far apart, as a share of the larger one; 1 if there is no end to it."""
    return abs(left - right) / max(abs(left), abs(right), 1e-300) if math.isfinite(left - right) else 1.0


def margin_lines(finished: list[Done], most: int) -> list[str]:
    """The asserts nearest to their bounds: how far, as a share of the larger side, then the two sides."""
    found = [
        (share(left, right), done.job.setting.name, *rest, left, right)
        for done in finished
        for *rest, left, right in done.margins
    ]
    lines = [
        f"{gap:7.1%}  {left:10.4g} against {right:<10.4g} {name} cell {cell}: {source[:70]}   ({where})"
        for gap, where, name, cell, source, left, right in sorted(found)
    ]
    return [f"The {min(most, len(lines))} asserts of {len(lines)} nearest to their bounds:", *lines[:most]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=min(4, os.cpu_count() or 1), help="how many at a time")
    parser.add_argument("--margins", type=int, default=15, help="how many of the narrowest margins to print")
    parser.add_argument("--all", action="store_true", help="the longest notebooks too")
    asked = parser.parse_args()
    start = time.monotonic()
    print(row("setting", "what ran", "seconds", "result"), flush=True)
    with ThreadPoolExecutor(asked.jobs) as pool:
        finished = []
        for done in pool.map(do, jobs(asked.all)):
            finished.append(done)
            print(
                row(done.job.setting.name, done.job.what, f"{done.seconds:.0f}", "FAILED" if done.failures else "same"),
                flush=True,
            )
    print("\n".join(margin_lines(finished, asked.margins)))
    failures = [f"\n{done.job.setting.name}: {failure}" for done in finished for failure in done.failures]
    print("\n".join([*failures, f"{len(failures)} failures, {time.monotonic() - start:.0f} s"]))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
