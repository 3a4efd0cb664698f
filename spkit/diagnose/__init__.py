"""Which role of a self-play run is the bottleneck, read off its records or off completions that a trainer logged."""

from .audit import read_audit
from .findings import Finding
from .judge import Diagnosis, Thresholds, diagnose
from .leaks import read_test
from .logs import read_log
from .reading import ColumnMap, Log, parse_reward
from .records import read_run
from .steps import Evidence, Step

__all__ = [
    "ColumnMap",
    "Diagnosis",
    "Evidence",
    "Finding",
    "Log",
    "Step",
    "Thresholds",
    "diagnose",
    "parse_reward",
    "read_audit",
    "read_log",
    "read_run",
    "read_test",
]
