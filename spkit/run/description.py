"""What a run is: the description in its config.json, read, compared, and kept readable."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import SpkitError
from .files import read_jsonl
from .json_files import read_object

MAY_CHANGE = {"iterations"}  # asking for more iterations extends a run


def load_run(folder: str | Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """(description, records) of a run folder. Raises SpkitError if it is none."""
    folder = Path(folder)
    if not (folder / "config.json").is_file():
        raise SpkitError(
            f"{folder} is not a run: it has no config.json; give the folder that `spkit run ... --out` wrote"
        )
    description = read_description(folder / "config.json")
    if not {"method", "task", "config"} <= description.keys() or not isinstance(description["config"], dict):
        raise SpkitError(
            f"{folder} is not a run: its config.json has no method, task and config; give the folder that "
            "`spkit run ... --out` wrote"
        )
    return description, read_jsonl(folder / "metrics.jsonl")


def check_same_run(folder: Path, found: dict[str, Any], asked: dict[str, Any]) -> None:
    """Raise SpkitError naming the first setting in which a folder's description differs from the one asked for."""
    if "prompting" not in found:  # from before it was kept; `base` differs where the examples do
        if "date" in asked["prompting"]:
            lost = "did not keep the date its chat template printed, so its prompts are lost"
            raise SpkitError(f"{folder} holds a run that {lost}: choose another --out")
        found = {"prompting": asked["prompting"], **found}
    for key, old, new in _differences(found, asked):
        raise SpkitError(
            f"{folder} holds a run with {key} = {old!r}, not {new!r}: choose another --out, or ask for the "
            "same settings"
        )


def _differences(found: dict[str, Any], asked: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    for key in [*found, *(key for key in asked if key not in found)]:
        old, new = found.get(key), asked.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _differences(old, new, f"{prefix}{key}.")
        elif old != new and key not in MAY_CHANGE:
            yield prefix + key, old, new


def read_description(path: Path) -> dict[str, Any]:
    """What a run is; an infinite setting is a word there, and a bare Infinity in folders of before."""
    return read_object(path, "delete the folder, or choose another one", lambda constant: with_words(float(constant)))


def with_words(value: Any) -> Any:
    """Plain data with "inf" for an infinite number, which JSON does not have.

    A setting may be infinite (no clipping).
    """
    if isinstance(value, dict):
        return {key: with_words(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [with_words(part) for part in value]
    return str(value) if isinstance(value, float) and math.isinf(value) else value
