"""The fallback sandbox: CPython in a child process of its own, with resource limits. POSIX only.

Each call of `run` starts a child (`python -s -S`, what `-I` does but for hash seeds, which it would ignore): an empty
environment, an empty temporary working directory, a process group of its own that is killed at the end, nothing of ours
open in it but the pipe of the results. In it are limited: address space, processor and wall-clock time, number of
processes, size and number of files, depth of recursion. An audit hook (PEP 578) ends it when a program opens a file or
socket, starts a process or thread, sends a signal, loads ctypes, or imports what is not allowed; calls of `os` and
`signal` that no audit event tells of do the same. What it sends is cut at a bound while it is read.

What this does NOT contain: there is no filter of system calls and no other user id. A program that gets past the hook,
by a memory error of CPython say, acts with the rights of the user, and the limit on processes does not bind root. macOS
does not keep the limit on memory. Against text that means harm use monty; this stops what models write by accident. A
start takes about 25 ms, a hundred times what monty needs.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from ..run.errors import SpkitError
from .base import ALLOWED, Limits, Result
from .literals import NotLiteral, literal_text, read_literal

_START = 5.0  # seconds a child may take to start and to end
_STOPPED = {signal.SIGALRM: "timeout", signal.SIGXCPU: "timeout", signal.SIGKILL: "crashed"}


class SubprocessSandbox:
    """The backend `subprocess`. Inputs of one program share a process, each with a fresh namespace; programs share
    nothing.

    Worlds differ in the hash seed, and in the addresses of objects.
    """

    name = "subprocess"

    def __init__(self, limits: Limits = Limits(), reason: str = "") -> None:
        if os.name != "posix":
            raise SpkitError("the subprocess sandbox needs a POSIX system: pip install 'selfplay-kit[code]'")
        self.limits, self.reason = limits, reason

    def run(self, program: str, inputs: Sequence[str], world: int = 0) -> list[Result]:
        """See `Sandbox`."""
        if len(program) > self.limits.program_chars:
            return [Result("unsupported", detail="program too long")] * len(inputs)
        texts = [_checked(text) for text in inputs]
        asked = [text for text in texts if text is not None]
        results = iter(self._child(program, asked, world) if asked else [])
        return [Result("wrong-syntax", detail="input") if text is None else next(results) for text in texts]

    def _child(self, program: str, inputs: Sequence[str], world: int) -> list[Result]:
        task = {
            "program": program,
            "inputs": inputs,
            "world": world,
            "allowed": ALLOWED,
            "seconds": self.limits.seconds,
            "memory": self.limits.memory_mb * 1_000_000,
            "recursion": self.limits.recursion,
            "output": self.limits.output_chars,
        }
        with _folder() as folder:
            child = subprocess.Popen(
                [sys.executable, "-s", "-S", "-W", "ignore", "-c", _runner()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={"PYTHONHASHSEED": str(world)},
                cwd=folder,
                start_new_session=True,
            )
            bound = len(inputs) * (6 * self.limits.output_chars + 200)  # a character is up to 6 in JSON
            sent, why = _talk(child, json.dumps(task).encode(), bound, self.limits.seconds + _START)
        return _read(sent, why, len(inputs))

    def close(self) -> None:
        """Nothing is kept open."""


def _folder() -> tempfile.TemporaryDirectory:
    try:
        return tempfile.TemporaryDirectory(prefix="spkit-")
    except OSError as error:
        raise SpkitError(
            f"the sandbox has no folder for temporary files ({error.strerror}): set TMPDIR to one that can be written"
        ) from error


def _talk(child: subprocess.Popen, question: bytes, bound: int, seconds: float) -> tuple[bytes, str]:
    """What a child answers, up to `bound` bytes, and why there is no more of it.

    The child and its group are gone afterwards.
    """
    deadline, sent, why = time.monotonic() + seconds, b"", ""
    try:
        try:
            child.stdin.write(question)
            child.stdin.close()
        except BrokenPipeError:
            pass
        while not why:
            ready = select.select([child.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]
            chunk = os.read(child.stdout.fileno(), 65536) if ready else b""
            sent += chunk
            why = "timeout" if not ready else "ended" if not chunk else "output-too-long" if len(sent) > bound else ""
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.stdout.close()
        code = child.wait()
    return sent[:bound], why if why != "ended" else _STOPPED.get(-code, "crashed")


def _read(sent: bytes, why: str, count: int) -> list[Result]:
    """The results that a child sent, and for those that are missing, why."""
    results: list[Result] = []
    for line in sent.split(b"\n")[:-1][:count]:
        results.append(_result(line))
    last = results[-1] if results and results[-1].status in ("memory", "forbidden", "wrong-syntax") else Result(why)
    return results + [last] * (count - len(results))


def _result(line: bytes) -> Result:
    """The result that a line stands for; a program may have written it, and nothing is taken on trust."""
    try:
        status, text = json.loads(line)
        if status == "ok":
            return Result("ok", literal_text(read_literal(text)))
        return Result(status, detail=text) if status in _TOLD and isinstance(text, str) else Result("crashed")
    except NotLiteral:
        return Result("unsupported", detail="value")
    except (ValueError, TypeError, RecursionError):
        return Result("crashed")


_TOLD = ("wrong-syntax", "exception", "memory", "recursion", "output-too-long", "forbidden", "unsupported")


def _checked(text: str) -> str | None:
    try:
        return literal_text(read_literal(text))
    except NotLiteral:
        return None


@cache
def _runner() -> str:
    return Path(__file__).with_name("runner.py").read_text(encoding="utf-8")
