"""The sandbox `monty`: an interpreter of its own (pydantic-monty) in a worker process."""

import importlib.util
import weakref
from collections.abc import Sequence
from typing import Any

from ..run.errors import SpkitError
from .base import ALLOWED, Limits, Result
from .literals import NotLiteral, literal_text, read_literal

_WATCHDOG = 2.0  # seconds past the limit after which a worker that does not answer is killed


_GRACE = 0.5  # the same for one that runs on past its time


_CALL = """

__value = f(__input)
__text = f"{__value!r}"
[__text, None if __text[%d:] else __value] if not __text[%d:] else [None, None]
"""


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
