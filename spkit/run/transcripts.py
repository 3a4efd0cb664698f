"""What a policy wrote before and after a run, the same prompts side by side; and a run as one file."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from .description import load_run
from .errors import SpkitError
from .files import read_jsonl, write_atomic
from .json_files import dumps, read_object, rounded
from .machine import machines_of


@dataclass(frozen=True)
class Transcript:
    """A test prompt with the greedy completions before and after, and whether each was right."""

    prompt: str
    before: str
    after: str
    right_before: bool
    right_after: bool


def transcripts(folder: Path) -> list[Transcript]:
    """The test completions that records show, of the base and of the last iteration that looked at the test set.

    Raises SpkitError if the folder is no run, or has no iteration to compare with the base yet.
    """
    load_run(folder)
    rows = [row for row in read_jsonl(folder / "samples.jsonl") if "role" not in row]
    before = {row["prompt"]: row for row in rows if row["iteration"] == 0}
    last = max((row["iteration"] for row in rows), default=0)
    if not last:
        raise SpkitError(f"{folder} has no iteration after the base yet: start its command again to continue it")
    return [
        Transcript(row["prompt"], start["completion"], row["completion"], start["correct"], row["correct"])
        for row in rows
        if row["iteration"] == last and (start := before.get(row["prompt"]))
    ]


def spread(rows: Sequence[Transcript], count: int) -> list[Transcript]:
    """At most `count` of the rows, evenly spread over them: records hold those of a difficulty next to each other."""
    count = min(count, len(rows))
    return [rows[i * len(rows) // count] for i in range(count)]


def transcript_table(rows: list[Transcript]) -> Table:
    """Prompt, before, after, in three columns; what is right has a tick."""
    table = Table("prompt", "before", "after", show_lines=True)
    signs = {True: "✓", False: "✗"}
    for row in rows:
        before, after = f"{signs[row.right_before]} {row.before}", f"{signs[row.right_after]} {row.after}"
        table.add_row(*map(Text, (row.prompt.strip(), before, after)))
    return table


def saved_run(folder: Path) -> dict[str, Any]:
    """A run as plain data: what it is, its machines, every record, and the transcripts."""
    description, records = load_run(folder)
    shown = [asdict(row) for row in transcripts(folder)]
    return {**description, "machines": machines_of(folder), "records": rounded(records), "transcripts": shown}


def save_run(folder: Path, path: Path) -> None:
    """Write `saved_run` as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, dumps(saved_run(folder), indent=1, ensure_ascii=False) + "\n")


def read_saved_run(path: Path) -> dict[str, Any]:
    """What `save_run` wrote. Raises SpkitError if the file is missing or something else."""
    found = read_object(path, "give a file that `spkit show RUN --save FILE` wrote")
    if not {"method", "config", "records", "transcripts"} <= found.keys():
        raise SpkitError(f"{path} is no saved run: give a file that `spkit show RUN --save FILE` wrote")
    return found
