"""What `spkit diagnose` prints and writes, once or for as long as a run goes on."""

import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..diagnose import ColumnMap, Diagnosis, diagnose, read_audit, read_log, read_run, read_test
from ..diagnose.audit import Audit
from ..diagnose.leaks import TestPrompts
from ..diagnose.report import data, figure, html, text, whole_text
from ..diagnose.report.shown import one_line
from ..diagnose.report.watch import Watched, changes, is_news, verdict_line, waiting_line
from ..run.errors import SpkitError
from ..run.files import disk_errors, write_atomic
from ..run.json_files import dumps
from .output import INTERRUPTED, say

NARROWEST = 60  # columns; a line of fewer says too little


@dataclass(frozen=True)
class Output:
    """What was asked for: files to write, and how much to print."""

    html: Path | None = None
    plot: Path | None = None
    json: bool = False
    verbose: bool = False

    @property
    def files(self) -> list[Path]:
        """Those to write."""
        return [path for path in (self.html, self.plot) if path is not None]


def reader(
    path: Path, columns: ColumnMap, audit: Path | None, tokenizer: str | None, test: Path | None
) -> Callable[[], Diagnosis]:
    """What reads the log, or the run folder, as it is now.

    Raises SpkitError for an audit, or test prompts, that cannot be read.
    """

    def beside() -> tuple[Audit | None, TestPrompts | None]:
        """What is compared with the log, anew each time, for it is used up."""
        return read_audit(audit) if audit else None, read_test(test) if test else None

    def read() -> Diagnosis:
        checked, prompts = beside()
        ours = (path / "metrics.jsonl").is_file()
        if ours and (columns != ColumnMap() or test):
            raise SpkitError(
                "--reward, --test and their like are for logs, and a run of spkit knows its own: leave them out"
            )
        if ours and (path / "config.json").is_file():
            return diagnose(read_run(path, checked))
        return diagnose(read_log(path, columns, checked, tokenizer, prompts))

    beside()
    return read


def show_diagnosis(diagnosis: Diagnosis, output: Output) -> None:
    """Print the verdict, its warnings on stderr, and write the files."""
    for warning in diagnosis.evidence.warnings:
        say(f"warning: {one_line(warning)}", error=True)
    if output.json:
        print(dumps(data(diagnosis)))
    else:
        put(whole_text(diagnosis) if output.verbose else text(diagnosis, terminal_width()))
    write(diagnosis, output)
    for path in output.files:
        say(f"{'Report' if path is output.html else 'Figure'}: {path}", error=True)


def watch_and_show(path: Path, read: Callable[[], Diagnosis], every: float, output: Output) -> None:
    """Print a line when the verdict changes, and write the files again when the log does, until Ctrl+C: exit code 130.

    What cannot be read yet is waited for. Raises SpkitError if `every` is no time, or a file cannot be written.
    """
    if not every > 0:
        raise SpkitError(f"--every is {every:g}, and must be above 0: how many seconds to wait between two looks")
    before: dict[bool, Watched] = {}  # the last verdict, and the last error
    try:
        for found in changes(path, read, every, output.files):
            failed = isinstance(found, Exception)
            news = is_news(found, before.get(failed))
            before[failed] = found
            if not failed:
                write(found, output)
            if news:
                tell_change(found, output)
    except KeyboardInterrupt:
        say("Stopped watching.", error=True)
        raise SystemExit(INTERRUPTED) from None


def tell_change(found: Watched, output: Output) -> None:
    """A line with time, step and verdict, or one of JSON, or all of it; on stderr why there is no verdict yet."""
    now = time.strftime("%H:%M:%S")
    if isinstance(found, Exception):
        say(f"{now}  {waiting_line(found)}", error=True)
    elif output.json:
        print(dumps(data(found)), flush=True)
    else:
        put(f"{now}  {verdict_line(found)}" + (f"\n{whole_text(found)}\n" if output.verbose else ""))


def write(diagnosis: Diagnosis, output: Output) -> None:
    """The files that were asked for, the page whole or not at all. Raises SpkitError if the disk refuses."""
    if output.html is not None:
        with disk_errors(output.html, "choose another place with --html"):
            write_atomic(output.html, html(diagnosis, time.strftime("%Y-%m-%d %H:%M:%S")))
    if output.plot is not None:
        from ..run.plots import save

        save(figure(diagnosis), output.plot)


def put(lines: str) -> None:
    """Print, with escapes for what the terminal's encoding does not have."""
    encoding = sys.stdout.encoding or "utf-8"
    print(lines.encode(encoding, "backslashreplace").decode(encoding), flush=True)


def terminal_width() -> int | None:
    """How wide a line may be: as the terminal is; any, where it is none."""
    return max(NARROWEST, shutil.get_terminal_size().columns) if sys.stdout.isatty() else None
