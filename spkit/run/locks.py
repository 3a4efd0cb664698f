"""One process at a time writes to a folder.

The lock is one of the operating system (`filelock`: flock on Unix, msvcrt on Windows) on an empty file, and beside it
stands who holds it. The kernel lets go when a process ends, however it ends. So a lock of a dead process is taken over
at once, after a kill, a reboot, or when its number belongs to another process by now, and nobody has to guess whether a
process is alive. What the kernel cannot know is a process of another computer on a shared disk: if the last owner was
on another host and did not let go, the folder is refused, with what to do.

Within one process the newest holder wins: a notebook cell that is run again must not wait for the generator that was
interrupted. The older one notices when it writes next.
"""

import os
import platform
import sys
import time
import uuid
import weakref
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from .errors import SpkitError
from .json_files import dumps, read_object

WAIT = 0.5  # seconds; another process may only be looking whether a run is finished


@dataclass(frozen=True)
class Owner:
    """Who holds a folder: process and host, when the process was started (None where that is not known),
    and since when it holds it.
    """

    token: str
    pid: int
    host: str
    started: str | None
    since: str


class Hold:
    """A folder that is held by this process until `release`, or until the hold is forgotten or the process ends."""

    def __init__(self, name: Path, lock: FileLock, note: Path) -> None:
        self.name, self.lock, self.note = name, lock, note
        self.owner = Owner(uuid.uuid4().hex, os.getpid(), platform.node(), _started(), _stamp(time.time()))
        self._write()
        self.release = weakref.finalize(self, _release, lock, note, self.owner)

    def check(self) -> None:
        """Raises SpkitError if the folder was taken over since."""
        found = _owner(self.note)
        if found is None and self.lock.is_locked:
            self._write()
        elif found is None or found.token != self.owner.token:
            raise SpkitError(
                f"{self.name} was started again since, so this older run of it writes no more: go on with the newer one"
            )

    def _write(self) -> None:
        self.note.write_text(dumps(asdict(self.owner)) + "\n", encoding="utf-8")


def hold(folder: Path, beside: bool = False) -> Hold:
    """Hold a folder that exists; `beside`: the folder may come and go, and the lock stands beside it.

    Raises SpkitError if another process holds it, and OSError if the lock cannot be written.
    """
    place, ending = (folder.parent, f"-{folder.name}") if beside else (folder, "")
    note = place / f".owner{ending}.json"
    lock = FileLock(place / f".lock{ending}", timeout=WAIT, thread_local=False, is_singleton=True)
    if not lock.is_locked:
        try:
            lock.acquire()
        except Timeout:
            raise SpkitError(_in_use(folder, _owner(note), note)) from None
    last = _owner(note)
    if last is not None and last.host != platform.node():
        lock.release(force=True)
        raise SpkitError(_in_use(folder, last, note))
    return Hold(folder, lock, note)


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


def _release(lock: FileLock, note: Path, owner: Owner) -> None:
    found = _owner(note)
    if os.getpid() == owner.pid and (found is None or found.token == owner.token):
        note.unlink(missing_ok=True)
        lock.release(force=True)


def _owner(note: Path) -> Owner | None:
    """Who holds the folder, as far as the note can be read."""
    try:
        return Owner(**read_object(note, ""))
    except (SpkitError, TypeError):
        return None


def _in_use(folder: Path, owner: Owner | None, note: Path) -> str:
    if owner is None:
        return f"{folder} is in use by another process: wait until it ends, stop it, or choose another folder"
    text = f"{folder} is in use by process {owner.pid} on {owner.host} since {owner.since}"
    if owner.host == platform.node():
        return f"{text}: wait until it ends, stop it, or choose another folder"
    return f"{text}: wait until it ends, or, if you know that it has ended, delete {note} and start again"


def _stamp(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _started() -> str | None:
    """When this process was started (Linux)."""
    if sys.platform != "linux":
        return None
    try:
        ticks = int(Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19])
        boot = next(
            line for line in Path("/proc/stat").read_text(encoding="utf-8").splitlines() if line.startswith("btime")
        )
        return _stamp(int(boot.split()[1]) + ticks / os.sysconf("SC_CLK_TCK"))
    except (OSError, ValueError, IndexError, StopIteration):
        return None
