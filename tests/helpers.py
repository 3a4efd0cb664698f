"""What several tests ask of the machine."""

import os
from pathlib import Path


def children() -> set[int]:
    """Process ids of this process's children, those of all its threads, zombies included (Linux)."""
    return {int(pid) for task in Path(f"/proc/{os.getpid()}/task").iterdir() for pid in (task / "children").read_text().split()}


def state(pid: int) -> str:
    """One letter: S is asleep, T stopped, Z a zombie (Linux)."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def running() -> set[int]:
    """The children that are not zombies."""
    return {pid for pid in children() if state(pid) != "Z"}


def resident_mb() -> float:
    """Memory that this process has in use (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
