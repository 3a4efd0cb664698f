"""Python programs: their inputs and their outputs, run in a sandbox."""

from .problem import PythonProblem
from .task import PythonPrograms

__all__ = ["PythonProblem", "PythonPrograms"]
