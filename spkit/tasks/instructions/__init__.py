"""Verifiable instructions: a request with constraints that a program checks (IFEval, arXiv:2311.07911)."""

from .checks import Constraint, holds, loosely
from .gaming import gamed, says_something, substance
from .task import Instructions

__all__ = ["Constraint", "Instructions", "gamed", "holds", "loosely", "says_something", "substance"]
