"""The same real runs in every format: what is read of them, and what is said."""

import gzip
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from spkit.diagnose import Log, diagnose, read_log
from spkit.diagnose.judge import Diagnosis
from tests.diagnose.reading.formats import TABLE, Rows, tokenizer_of

DATA = Path(__file__).parents[2] / "data" / "diagnose"
EXPECTED = {"healthy-0": "healthy", "easy-0": "saturation", "hard-0": "starvation"}  # log: verdict


@cache
def real_rows(name: str) -> Rows:
    """A log in tests/data/diagnose, which does not say what was cut off."""
    with gzip.open(DATA / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return Rows(tuple({**row, "right": row["reward"], "cut": False} for row in rows))


@dataclass(frozen=True)
class Reading:
    """What came of a log in a writer's format."""

    rows: int
    groups: int
    rewards: dict[str, float]
    diagnosis: Diagnosis


def reading(writer: str, name: str, folder: Path) -> Reading:
    """The log `name` written in a writer's format into an empty folder, read and diagnosed."""
    path, tokenizer = TABLE[writer].make(folder, real_rows(name)), tokenizer_of(writer)
    log = Log(path, tokenizer=tokenizer)
    rows = sum(len(batch) for batch in log)
    diagnosis = diagnose(read_log(path, tokenizer=tokenizer))
    groups = sum(step.groups for step in diagnosis.evidence.steps)
    return Reading(rows, groups, dict(log.rewards), diagnosis)
