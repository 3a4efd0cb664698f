"""Running Python that a model wrote: `def f(x): ...` at given inputs, with a typed result, limits that are
always on, and two backends.

- `monty`, the default: an interpreter of its own (pydantic-monty, `pip install 'selfplay-kit[code]'`) in a worker
  process. Its Python has no files, no network, no processes and no modules but a few pure ones; nothing is mounted and
  no function of ours is lent to it. A worker that crashes or hangs is replaced.
- `subprocess`, the fallback on POSIX systems: CPython in a child process, see `spkit.sandbox.process` for
  what it does not contain.

Every input is run in a fresh state. What a program prints is thrown away. Nothing that a program could reach knows the
right answer: values come back as text, are read as literals, and compared here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from ..run.errors import SpkitError
from .literals import MAX_CHARS, canonical

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
