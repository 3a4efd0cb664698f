"""Evidence of a log that a trainer wrote."""

from pathlib import Path
from typing import Any

from .audit import Audit
from .leaks import TestPrompts
from .reading import ColumnMap, Log
from .steps import Evidence
from .totals import Totals


def read_log(
    path: Path,
    columns: ColumnMap = ColumnMap(),
    audit: Audit | None = None,
    tokenizer: Any = None,
    test: TestPrompts | None = None,
) -> Evidence:
    """Evidence of a log file, or of a folder of them. Raises SpkitError for what cannot be read."""
    log, totals = Log(path, columns, tokenizer), Totals(audit, test)
    for batch in log:
        totals.add(batch)
    return totals.evidence(str(path), log.notes, log.warnings, log.form or "", dict(log.rewards))
