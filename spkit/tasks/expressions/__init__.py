"""Expressions: small programs over two digits, their inputs and their outputs."""

from .problem import ExpressionProblem
from .task import Expressions

__all__ = ["ExpressionProblem", "Expressions"]
