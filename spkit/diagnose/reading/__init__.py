"""Logs of trainers, whatever their format, as batches in one schema."""

from .columns import ColumnMap, parse_reward
from .log import Log, careful_rows
from .tallies import Tally
from .values import plain_text

__all__ = ["ColumnMap", "Log", "Tally", "careful_rows", "parse_reward", "plain_text"]
