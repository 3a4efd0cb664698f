"""Which role of a self-play run is the bottleneck, read off its records or off completions that a trainer logged."""

from .aggregate import read_log
from .audit import read_audit
from .findings import Finding
from .judge import Diagnosis, Thresholds, diagnose
from .records import read_run
from .steps import Evidence, Step

__all__ = ["Diagnosis", "Evidence", "Finding", "Step", "Thresholds", "diagnose", "read_audit", "read_log", "read_run"]
