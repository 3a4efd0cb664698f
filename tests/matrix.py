"""`make matrix`: the tests under every Python that pyproject.toml allows, and with the lowest versions it allows.

    python -m tests.matrix [--rows 3.10 3.13 lowest] [pytest's arguments ...]

Each row gets an environment of its own in build/matrix, made by uv, which fetches a Python that is not there. `lowest`
is the oldest Python with the lowest version of everything that pyproject.toml names; the others have those of
constraints.txt. A table says what was tried; a Python that cannot be had is said and is no failure. The exit code is 1
if a test failed or an installation did, and 2 if there was no Python at all.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
LOWEST = "lowest"
LATEST = ("-c", "constraints.txt")
DEFAULT = (
    "-n",
    "auto",
    "--maxprocesses",
    "4",
    "--dist",
    "loadscope",
    "-m",
    "not whole",
)  # the arguments of `make test`
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def uv(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "uv", *arguments], cwd=ROOT, capture_output=True, text=True)


def last_line(done: subprocess.CompletedProcess) -> str:
    lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return lines[-1].strip() if lines else f"exit code {done.returncode}"


def try_row(row: str, tests: list[str]) -> tuple[str, str]:
    """What became of a row, `passed`, `failed` or `not there`, and the line that says so."""
    folder = ROOT / "build" / "matrix" / row
    made = uv("venv", "--quiet", "--clear", "--python", PYTHONS[0] if row == LOWEST else row, str(folder))
    if made.returncode:
        return "not there", last_line(made)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    versions = ("--resolution", "lowest-direct") if row == LOWEST else LATEST
    put = uv("pip", "install", "--quiet", "--python", str(python), *versions, "-e", ".[notebooks,test]")
    if put.returncode:
        return "failed", f"installation: {last_line(put)}"
    command = [str(python), "-m", "pytest", *(tests or DEFAULT)]
    run = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True)
    if run.returncode:
        print(run.stdout[-4000:])
    return ("failed" if run.returncode else "passed"), last_line(run) if run.stderr else run.stdout.splitlines()[-1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", default=[*PYTHONS, LOWEST], choices=[*PYTHONS, LOWEST])
    asked, tests = parser.parse_known_args()
    found = []
    for row in asked.rows:
        begun = time.monotonic()
        outcome, said = try_row(row, tests)
        found.append(outcome)
        print(f"{row:7s} {outcome:10s} {time.monotonic() - begun:6.0f} s   {said}", flush=True)
    return 1 if "failed" in found else 0 if "passed" in found else 2


if __name__ == "__main__":
    sys.exit(main())
