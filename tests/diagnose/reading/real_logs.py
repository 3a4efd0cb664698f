"""The same three real runs in the format of every writer: what is read of them, and what is said."""

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from spkit.diagnose import Log, diagnose, read_log
from tests.diagnose.reading.formats import TABLE, Rows, tokenizer_of

DATA = Path(__file__).parents[2] / "data" / "diagnose"
RUNS = {"healthy-0": "healthy", "easy-0": "saturation", "hard-0": "starvation"}  # log: verdict
NO_STEP = "duplicate prompts"
HEAD = """## Formats

Three of our logs above (`healthy-0`, `easy-0`, `hard-0`), written as each writer writes its own
(`tests/diagnose/reading/formats.py`), then read and judged (`tests/diagnose/reading/real_logs.py`); a test holds every
line. Rows and groups are those of each of the three, in this order, and the last columns are their verdicts. What our
logs do not say, such as a reward for the form or why a text ended, is made up.

"""
FOOT = """

Two writers log no step, so that a file is one step and no change over time is seen. Of the 98 problems of `easy-0` 43
are drawn at several of its steps: as one step these are groups that hold a problem several times, and that is what is
said (`duplicate prompts`) and not saturation. Give a file for each step, or one with a step in its name.
"""


@dataclass(frozen=True)
class Reading:
    """What came of a log: rows and groups read, the rewards chosen with their weights, the verdict."""

    rows: int
    groups: int
    rewards: Mapping[str, float]
    verdict: str


@cache
def real_rows(run: str) -> Rows:
    """A log in tests/data/diagnose, which does not say what was cut off."""
    with gzip.open(DATA / f"{run}.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return Rows(tuple({**row, "right": row["reward"], "cut": False} for row in rows))


def expected(writer: str, run: str) -> Reading:
    """What is to come of it, by the rows that were written."""
    written, steps = real_rows(run), TABLE[writer].steps
    groups = {(row["step"] if steps else 0, row["prompt"]) for row in written}
    verdict = NO_STEP if run == "easy-0" and not steps else RUNS[run]
    return Reading(len(written), len(groups), TABLE[writer].rewards, verdict)


def reading(writer: str, run: str, folder: Path) -> Reading:
    """What comes of it, written into an empty folder."""
    path, tokenizer = TABLE[writer].make(folder, real_rows(run)), tokenizer_of(writer)
    log = Log(path, tokenizer=tokenizer)
    rows = sum(len(batch) for batch in log)
    found = diagnose(read_log(path, tokenizer=tokenizer))
    return Reading(rows, sum(step.groups for step in found.evidence.steps), dict(log.rewards), found.verdict)


def section() -> str:
    """The table of the formats, for docs/diagnose.md."""
    lines = [
        f"| writer | what is in the file | rows | groups | reward chosen | {' | '.join(RUNS.values())} |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for writer, made in TABLE.items():
        found = []
        for run in RUNS:
            with TemporaryDirectory() as folder:
                found.append(reading(writer, run, Path(folder)))
        lines.append(_line(writer, made.holds, found))
    return HEAD + "\n".join(lines) + FOOT


def _line(writer: str, holds: str, found: Sequence[Reading]) -> str:
    counts = [" / ".join(str(getattr(one, name)) for one in found) for name in ("rows", "groups")]
    chosen = " + ".join(name if weight == 1 else f"{weight:g} {name}" for name, weight in found[0].rewards.items())
    return f"| {' | '.join([writer, holds, *counts, chosen, *(one.verdict for one in found)])} |"
