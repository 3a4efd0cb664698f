"""What a result keeps beside its effect: plain data read from the records, said by the claim as data too.

A claim names a tree: dictionaries whose leaves are terms (a number) or one of the classes here (a list, a table).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import Any

from ..run.json_files import DIGITS, rounded
from .readings import TEN, first_iteration_above, number_of
from .terms import Number, Runs, each_once


@dataclass(frozen=True)
class Leaf:
    """Read from one run."""

    run: str

    @property
    def runs(self) -> tuple[str, ...]:
        """The one run."""
        return (self.run,)


@dataclass(frozen=True)
class Curve(Leaf):
    """A number of every record, None where there is none; `only` leaves records without that key out."""

    number: str | Number
    only: str = ""
    exact: bool = False

    def of(self, runs: Runs) -> list[Any]:
        """One value a record."""
        number = number_of(self.number)
        values = [number.of(record) for record in runs[self.run] if not self.only or self.only in record]
        return values if self.exact else [rounded(value) for value in values]


@dataclass(frozen=True)
class Blocks(Leaf):
    """The mean of a number over each ten iterations, those without it left out."""

    number: str | Number

    def of(self, runs: Runs) -> list[float]:
        """One value for each ten iterations that have it at all."""
        values = [number_of(self.number).of(record) for record in runs[self.run][1:]]
        parts = [values[start : start + TEN] for start in range(0, len(values), TEN)]
        there = [[value for value in part if value is not None] for part in parts]
        return [round(fmean(some), DIGITS) for some in there if some]


@dataclass(frozen=True)
class Last(Leaf):
    """What the last record says at a key, or at a path of keys with dots between."""

    key: str

    def of(self, runs: Runs) -> Any:
        """Number or dictionary, None if it is not there."""
        return rounded(Number(self.key).of(runs[self.run][-1]))


@dataclass(frozen=True)
class FirstAbove(Leaf):
    """For each level of a number the first iteration with more than a threshold, None if there is none."""

    key: str
    threshold: float

    def of(self, runs: Runs) -> dict[str, int | None]:
        """By level."""
        records = runs[self.run]
        numbers = {level: Number(f"{self.key}.{level}") for level in records[0][self.key]}
        return {level: first_iteration_above(records, one, self.threshold) for level, one in numbers.items()}


@dataclass(frozen=True)
class Rows(Leaf):
    """A table with a row for every record after the base; `columns` maps the names to the keys of a record."""

    columns: Mapping[str, str]

    def of(self, runs: Runs) -> list[dict[str, Any]]:
        """One dictionary a record."""
        return [{name: record[key] for name, key in self.columns.items()} for record in runs[self.run][1:]]


@dataclass(frozen=True)
class EachRun:
    """The same for every run of the criterion, and for some more: `tree` says what, of a run's name."""

    tree: Callable[[str], Mapping[str, Any]]
    also: tuple[str, ...] = ()

    def tree_of(self, runs: tuple[str, ...]) -> dict[str, Any]:
        """What is kept, by run."""
        return {run: self.tree(run) for run in (*runs, *self.also)}


def curves(*keys: str, also: tuple[str, ...] = ()) -> EachRun:
    """Numbers of every record of every run."""
    return EachRun(partial(_curves, keys), also)


def _curves(keys: tuple[str, ...], run: str) -> dict[str, Curve]:
    return {key: Curve(run, key) for key in keys}


def tree_of(part: Mapping[str, Any] | EachRun, runs: tuple[str, ...]) -> Mapping[str, Any]:
    """What a part of a claim keeps, given the runs of its criterion."""
    return part.tree_of(runs) if isinstance(part, EachRun) else part


def runs_of(tree: Any) -> tuple[str, ...]:
    """The runs that the leaves of a tree read, each once."""
    return each_once(*_leaves(tree))


def data_of(tree: Any, runs: Runs) -> Any:
    """The tree with the records' values in place of its leaves."""
    return {key: data_of(part, runs) for key, part in tree.items()} if isinstance(tree, Mapping) else tree.of(runs)


def _leaves(tree: Any) -> list[Any]:
    return [leaf for part in tree.values() for leaf in _leaves(part)] if isinstance(tree, Mapping) else [tree]
