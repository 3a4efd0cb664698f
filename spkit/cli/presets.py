"""The settings of the papers, and ours for a real model on a CPU: data/presets.json, each value with its source."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..run.errors import SpkitError
from ..run.shipped import data_folder


class PresetRow(NamedTuple):
    """One setting of a preset; `note` says where the paper's value is of no use at the scale of the course."""

    method: str
    preset: str
    setting: str
    value: Any
    source: str
    note: str = ""


def preset_rows() -> list[PresetRow]:
    """All presets, a row a setting."""
    return [PresetRow(**row) for row in json.loads((data_folder() / "presets.json").read_text(encoding="utf-8"))]


def preset(method: str, name: str) -> dict[str, Any]:
    """The settings of a method's preset by their dotted names. Raises SpkitError if it has no such preset."""
    rows = [row for row in preset_rows() if row.method == method]
    if name not in (names := dict.fromkeys(row.preset for row in rows)):
        raise SpkitError(f"preset must be one of {', '.join(names)}, not {name!r}: spkit presets {method} shows them")
    return {row.setting: as_setting(row.value) for row in rows if row.preset == name}


def as_setting(value: Any) -> Any:
    """JSON has lists where settings have tuples."""
    return tuple(value) if isinstance(value, list) else value


def preset_lines(rows: Sequence[PresetRow]) -> list[str]:
    """A heading for each preset, and a line for each of its settings: option, value, source, note."""
    lines, heading = [], None
    for row in rows:
        if (row.method, row.preset) != heading:
            heading = (row.method, row.preset)
            lines += (
                ["", f"spkit run {row.method} --preset {row.preset}"]
                if lines
                else [f"spkit run {row.method} --preset {row.preset}"]
            )
        value = ",".join(map(str, row.value)) if isinstance(row.value, list) else str(row.value)
        option = "--" + row.setting.replace("_", "-")
        note = f" ({row.note})" if row.note else ""
        lines.append(f"  {option:26} {value:28} {row.source}{note}")
    return lines
