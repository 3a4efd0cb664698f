"""Word problems: generated grade-school stories."""

from .task import WordProblems

__all__ = ["WordProblems"]
