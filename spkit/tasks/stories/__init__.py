"""Stories of things that come and go, made for a small instruction model; see `task`."""

from .task import Stories

__all__ = ["Stories"]
