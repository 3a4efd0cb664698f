"""Fixed sets of questions: read from JSON lines in a public format, or from the Hugging Face hub.

Asked in a seeded order.
"""

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from ..run.errors import SpkitError
from ..run.json_files import Raw, rows_of
from ..run.shipped import found
from .base import Problem, Split, item_rng, split_by_content

SPLITS: tuple[Split, ...] = ("train", "test")

AnyProblem = TypeVar("AnyProblem", bound=Problem)
Questions = dict[Split, tuple[AnyProblem, ...]]


@dataclass(frozen=True)
class Source:
    """Where a task's questions are: what its files are called, and its name, configuration,
    revision and splits on the hub.
    """

    task: str
    variable: str  # of the environment: a folder or a file
    files: dict[Split, tuple[str, ...]]
    hub: str
    config: str | None
    revision: str
    hub_splits: dict[Split, str]

    def place(self, given: str | None) -> str | None:
        """The folder or file to read: the given one, else what the environment variable says; None for the hub."""
        return given or os.environ.get(self.variable) or None


def load_questions(source: Source, place: str | None, read: Callable[[dict[str, Any]], AnyProblem]) -> Questions:
    """The problems of both splits, from a folder or a file, or from the hub if `place` is None; `data/...` may be a
    shipped one. A folder has a file a split; a single file is split by content. Copies count once, and a question of
    the test split is never in the train split. `read` makes a problem of a row. Raises SpkitError where nothing is
    found, and names the line that cannot be read.
    """
    if place is None:
        rows = {split: _from_hub(source, split) for split in SPLITS}
    elif found(place).is_dir():
        rows = {split: _from_file(_found(source, found(place), split)) for split in SPLITS}
    else:
        rows = _divided(source, found(place))
    problems = {split: {_content(p): p for p in _read_all(rows[split], read)} for split in SPLITS}
    train = tuple(problem for key, problem in problems["train"].items() if key not in problems["test"])
    if not train or not problems["test"]:
        raise SpkitError(
            f"{place or source.hub} has no question for the {'test' if train else 'train'} split that the "
            "other has not: give it more rows"
        )
    return {"train": train, "test": tuple(problems["test"].values())}


def _content(problem: Problem) -> str:
    """By which a question is known as a copy: its words, whatever their case and the spaces between them."""
    return " ".join(problem.prompt.casefold().split())


def _read_all(rows: Iterable[Raw], read: Callable[[dict[str, Any]], AnyProblem]) -> Iterable[AnyProblem]:
    for where, row in rows:
        try:
            yield read(row)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise SpkitError(
                f"{where} is not in the expected format ({type(error).__name__}: {error}): see the head of "
                "the task's module"
            ) from error


def _found(source: Source, folder: Path, split: Split) -> Path:
    for name in source.files[split]:
        if (folder / name).is_file():
            return folder / name
    raise SpkitError(
        f"{folder} has no {' or '.join(source.files[split])}: put the public {split} file of {source.task} there"
    )


def _from_file(path: Path) -> list[Raw]:
    return list(rows_of(path, "give a folder or a file of JSON lines, the public file as it is"))


def _divided(source: Source, path: Path) -> dict[Split, list[Raw]]:
    if not path.exists():
        raise SpkitError(
            f"there is no {path}: give {source.task}:FOLDER with {source.files['train'][0]} and "
            f"{source.files['test'][0]}, or a file"
        )
    rows: dict[Split, list[Raw]] = {"train": [], "test": []}
    for where, row in _from_file(path):
        text = " ".join(json.dumps(row, sort_keys=True).casefold().split())
        rows[split_by_content(text)].append((where, row))
    return rows


def _from_hub(source: Source, split: Split) -> list[Raw]:
    local = (
        f"give {source.task}:FOLDER, or set {source.variable} to a folder, with "
        f"{source.files['train'][0]} and {source.files['test'][0]}"
    )
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise SpkitError(
            f"the questions of {source.task} are not here: {local}; or pip install 'selfplay-kit[hub]' to download them"
        ) from error
    name = source.hub_splits[split]
    try:
        rows = load_dataset(source.hub, source.config, revision=source.revision, split=name)
    except Exception as error:  # the hub's client raises its own errors, those of requests or httpx, and OSError
        raise SpkitError(
            f"could not download {source.hub} ({type(error).__name__}): check the network, or {local}"
        ) from error
    return [(f"row {number} of {source.hub}, {name}", dict(row)) for number, row in enumerate(rows)]


def in_order(problems: tuple[AnyProblem, ...], *parts: int | str, index: int) -> AnyProblem:
    """Problem `index` of the shuffled set, shuffled again each time it is through.

    The order depends on `parts` and the set's size.
    """
    turn, place = divmod(index, len(problems))
    return problems[_order(len(problems), turn, *parts)[place]]


@lru_cache(maxsize=64)
def _order(count: int, *parts: int | str) -> tuple[int, ...]:
    return tuple(item_rng("order", count, *parts).sample(range(count), count))
