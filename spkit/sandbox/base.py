"""Running Python that a model wrote: `def f(x): ...` at given inputs, with a typed result, limits that are
always on, and two backends.

- `monty`, the default: an interpreter of its own (pydantic-monty, `pip install 'selfplay-kit[code]'`) in a worker
  process. Its Python has no files, no network, no processes and no modules but a few pure ones; nothing is mounted and
  no function of ours is lent to it. A worker that crashes or hangs is replaced.
- `subprocess`, the fallback on POSIX systems: CPython in a child process, see `sandbox_process` for
  what it does not contain.

Every input is run in a fresh state. What a program prints is thrown away. Nothing that a program could reach knows the
right answer: values come back as text, are read as literals, and compared here.
"""

import importlib.util
import os
import re
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Literal, Protocol

from ..run.errors import SpkitError
from .literals import MAX_CHARS, NotLiteral, canonical, literal_text, read_literal

Status = Literal[
    "ok",
    "wrong-syntax",  # of the program, or an input that is no literal
    "exception",  # `detail` is the name of its type
    "timeout",
    "memory",
    "recursion",
    "output-too-long",
    "forbidden",  # asked for files, other modules, clocks, chance, ...
    "unsupported",  # what the backend's Python lacks, or a value that is no literal
    "crashed",  # the process died
    "nondeterministic",  # `validated` only: two runs differ
]
ALLOWED = (  # modules a program may import; monty has not all of them
    *("math", "re", "json", "itertools", "collections", "functools", "copy", "bisect", "heapq", "string", "operator"),
    *("statistics", "fractions", "decimal", "typing", "dataclasses", "enum", "abc", "numbers"),
)
# Absolute Zero refuses a list of modules (arXiv:2505.03335): logging, random, multiprocessing, subprocess, threading,
# datetime, time, hashlib and others. Here the modules of ALLOWED are taken and no others, and of the rest of the
# language these are not.
_BANNED = re.compile(
    r"\b(?:id|hash)\b|\b(?:input|open|eval|exec|compile|globals|locals|vars|dir|object)\s*\(|__\w*", re.ASCII
)
_IMPORT = re.compile(r"^[ \t]*(?:import[ \t]+([^\n#;]*)|from[ \t]+([\w.]+)[ \t]+import)", re.MULTILINE)
_ADDRESS = re.compile(r" at 0x[0-9a-f]+>")
_WATCHDOG = 2.0  # seconds past the limit after which a worker that does not answer is killed
_GRACE = 0.5  # the same for one that runs on past its time

_CALL = """

__value = f(__input)
__text = f"{__value!r}"
[__text, None if __text[%d:] else __value] if not __text[%d:] else [None, None]
"""


@dataclass(frozen=True)
class Limits:
    """What a run may use at most."""

    seconds: float = 1.0  # of one call of `run`, all its inputs together
    memory_mb: int = 64  # beyond what the interpreter itself takes
    recursion: int = 200
    output_chars: int = 2_000  # of the text of a value
    program_chars: int = MAX_CHARS

    def __post_init__(self) -> None:
        for name in ("seconds", "memory_mb", "recursion", "output_chars", "program_chars"):
            if not getattr(self, name) > 0:
                raise SpkitError(f"{name} must be more than 0, not {getattr(self, name)}: a sandbox has every limit")
        if self.output_chars > MAX_CHARS:
            raise SpkitError(
                f"output_chars is at most {MAX_CHARS}, not {self.output_chars}: longer literals are not read"
            )


@dataclass(frozen=True)
class Result:
    """What came of one run: `value` is the literal that f gave if `status` is ok, else None.

    `detail` says more, in a word or a few.
    """

    status: Status
    value: str | None = None
    detail: str = ""

    @property
    def ok(self) -> bool:
        """Whether there is a value."""
        return self.status == "ok"


class Sandbox(Protocol):
    """A backend. `reason` says why it was chosen."""

    name: str
    reason: str
    limits: Limits

    def run(self, program: str, inputs: Sequence[str], world: int = 0) -> list[Result]:
        """The results of f at each input, a literal, in a fresh state each; after one that used a limit up, the
        others are not tried and get the same. `world` is 0 or 1: two in which what a program should not depend on
        is different (see `validated`).
        """

    def close(self) -> None:
        """End its processes; a later run starts them again."""


class MontySandbox:
    """The backend `monty`. One worker process, which starts with the first run and is used again; programs share
    nothing.

    Clocks, sleep, entropy and files are refused. Hashes, the order of sets and addresses are fixed: the same in every
    run, and not CPython's. So there is one world only.
    """

    name = "monty"

    def __init__(self, limits: Limits = Limits(), reason: str = "") -> None:
        if importlib.util.find_spec("pydantic_monty") is None:
            raise SpkitError("the sandbox monty needs pydantic-monty: pip install 'selfplay-kit[code]'")
        self.limits, self.reason, self._pool = limits, reason, None
        self._call = _CALL % (limits.output_chars, limits.output_chars)

    def run(self, program: str, inputs: Sequence[str], world: int = 0) -> list[Result]:
        """See `Sandbox`."""
        if len(program) > self.limits.program_chars:
            return [Result("unsupported", detail="program too long")] * len(inputs)
        source, left, results = program + self._call, self.limits.seconds, []
        for text in inputs:
            result, used = self._feed(source, text, left)
            left -= used
            results.append(result)
            if result.status in ("timeout", "memory", "crashed", "wrong-syntax") and result.detail != "input":
                break
            if left <= 0:
                results.append(Result("timeout"))
                break
        return (results + results[-1:] * len(inputs))[: len(inputs)]

    def _feed(self, source: str, text: str, seconds: float) -> tuple[Result, float]:
        """The result, and the seconds that it took."""
        from time import perf_counter

        import pydantic_monty as monty

        try:
            value = read_literal(text)
        except NotLiteral:
            return Result("wrong-syntax", detail="input"), 0.0
        begun = perf_counter()
        try:
            with self._checkout(seconds) as session:
                shown, crossed = session.feed_run(source, inputs={"__input": value}, print_callback=_ignore)
            result = _result(shown, crossed)
        except monty.MontyCrashedError as error:
            result = Result("timeout" if error.timed_out else "crashed")
        except monty.MontyError as error:
            result = _failure(
                type(error.exception()).__name__, str(error)[:200], isinstance(error, monty.MontySyntaxError)
            )
        except (
            ValueError,
            TypeError,
            OverflowError,
            RecursionError,
        ):  # a value that does not cross over to us, or an input to it
            result = Result("unsupported", detail="value")
        return result, perf_counter() - begun

    def _checkout(self, seconds: float) -> Any:
        from pydantic_monty import Monty

        if self._pool is None:
            pool = Monty(
                max_processes=1, request_timeout=self.limits.seconds + _WATCHDOG, feed_duration_limit_grace=_GRACE
            )
            try:
                self._pool = pool.__enter__()
            except RuntimeError as error:
                text = (
                    f"the sandbox monty does not start ({str(error)[:200]}): pip install --force-reinstall "
                    "pydantic-monty"
                )
                raise SpkitError(text) from None
            self._end = weakref.finalize(
                self, pool.__exit__, None, None, None
            )  # at the latest when nobody has the sandbox any more
        limits = {
            "max_feed_duration_secs": seconds,
            "max_memory": self.limits.memory_mb * 1_000_000,
            "max_recursion_depth": self.limits.recursion,
            "max_suspensions": 50,
            "max_total_sleep_secs": 0.0,
        }
        host = {"datetime": "call_host", "sleep": "call_host", "random_start": "call_host"}  # who is not there: refused
        return self._pool.checkout(limits=limits, os_policy=host, assert_message_annotations=False)

    def close(self) -> None:
        """See `Sandbox`."""
        if self._pool is not None:
            self._end()
            self._pool = None


def open_sandbox(backend: Literal["auto", "monty", "subprocess"] = "auto", limits: Limits = Limits()) -> Sandbox:
    """The sandbox of this machine: monty if it is installed, else the subprocess one; `reason` says which and why.

    Raises SpkitError if the backend is unknown or cannot be had here.
    """
    found = importlib.util.find_spec("pydantic_monty") is not None
    if backend not in ("auto", "monty", "subprocess"):
        raise SpkitError(f"unknown sandbox {backend!r}: choose auto, monty or subprocess")
    if backend == "monty" or (backend == "auto" and found):
        reason = (
            f"pydantic-monty {metadata.version('pydantic-monty')} is installed"
            if backend == "auto" and found
            else "asked for"
        )
        return MontySandbox(limits, reason)
    if os.name != "posix":
        raise SpkitError("there is no sandbox to run Python in on this system: pip install 'selfplay-kit[code]'")
    from .process import SubprocessSandbox

    missing = (
        "pydantic-monty is not installed (pip install 'selfplay-kit[code]'), and a child process is a weaker fence"
    )
    return SubprocessSandbox(limits, missing if backend == "auto" else "asked for")


def banned_word(program: str) -> str | None:
    """The first word of a program that a proposal may not contain, comments and strings included, None if
    there is none: modules that are not in ALLOWED, names that reach outside or give hashes or addresses,
    and two underscores in a row.
    """
    for match in _IMPORT.finditer(program):
        for part in (match[1] or match[2] or "").split(","):
            module = (part.split() or [""])[0].split(".")[0]
            if module not in ALLOWED:
                return module or "import"
    match = _BANNED.search(program)
    return match[0].rstrip("( \t\n") if match else None


def validated(sandbox: Sandbox, program: str, text: str) -> Result:
    """The result of a program at an input if the program is safe and deterministic, as far as can be seen.

    It has no banned word, no address in its value, and gives the same value in two worlds. In the subprocess
    sandbox these are two processes with different hash seeds, so that the order of a set of strings shows. In monty
    they are two fresh sessions, alike by construction: chance and clocks are refused, hashes and addresses fixed,
    and what uses them is found by its words. A program that depends on the order of a set passes there, with a
    value that CPython may not give.
    """
    word = banned_word(program)
    if word is not None:
        return Result("forbidden", detail=word)
    first = sandbox.run(program, [text], 0)[0]
    if not first.ok:
        return first
    second = sandbox.run(program, [text], 1)[0]
    if (
        second.ok
        and canonical(first.value or "") == canonical(second.value or "")
        and not _ADDRESS.search(first.value or "")
    ):
        return first
    return Result("nondeterministic", detail=second.status)


def _result(shown: Any, crossed: Any) -> Result:
    """The result of a program that ended: `shown` is the text of its value, which may lie, and `crossed` the value
    as it came over to us."""
    if shown is None:
        return Result("output-too-long")
    try:
        value = read_literal(shown)
        if literal_text(value, ordered=False) == literal_text(crossed, ordered=False):
            return Result("ok", literal_text(value))
    except NotLiteral:
        pass
    return Result("unsupported", detail="value")


def _failure(kind: str, message: str, syntax: bool) -> Result:
    """The result of a program that raised an error of that kind, or was stopped by one."""
    if syntax:
        return Result("wrong-syntax")
    if kind == "TimeoutError" and "limit exceeded" in message:
        return Result("timeout")
    if kind in ("MemoryError", "RecursionError"):
        return Result("memory" if kind == "MemoryError" else "recursion")
    if kind == "NotImplementedError" and "monty" in message:
        return Result("unsupported", detail="syntax")
    if kind == "ModuleNotFoundError":
        module = message.rpartition("named '")[2].split("'")[0].split(".")[0]
        return Result("unsupported" if module in ALLOWED else "forbidden", detail=module[:80])
    if kind == "PermissionError" or (
        kind == "RuntimeError" and ("not supported in this environment" in message or "suspension limit" in message)
    ):
        return Result("forbidden")
    return Result("exception", detail=kind)


def _ignore(stream: str, text: str) -> None:
    """What is printed goes nowhere."""
