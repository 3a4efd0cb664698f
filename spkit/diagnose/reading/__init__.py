"""Logs of trainers, whatever their format, as batches in one schema."""

from .columns import ColumnMap, parse_reward
from .lines import careful_rows
from .log import Log
from .values import plain_text

__all__ = ["ColumnMap", "Log", "careful_rows", "parse_reward", "plain_text"]
