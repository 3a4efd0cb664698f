"""The numbers behind a finding, as lines to read."""

from collections.abc import Mapping
from typing import Any

from .names import QUANTITIES, quantity
from .shown import known_number, number_text

RATE = {"rate", "share", "value", "interval", "of", "low", "high"}  # what a number with its interval is told by


def figure_rows(figures: Mapping[str, Any], within: str = "") -> list[tuple[str, str]]:
    """(name, what is known of it) of the figures of a finding, whatever they are made of.

    A tuple is a number over time, mostly at the start and at the end; a mapping with an interval a number with it.
    """
    rows = []
    for name, value in figures.items():
        label = f"{within}{quantity(str(name)).label}"
        if isinstance(value, Mapping) and not set(value) <= RATE:
            rows += figure_rows(value, f"{label}: ")
        else:
            rows.append((label, figure_text(value, QUANTITIES[name].unit if name in QUANTITIES else "")))
    return rows


def figure_text(value: Any, unit: str = "") -> str:
    """One figure in words."""
    if isinstance(value, Mapping):
        return with_interval(value)
    if isinstance(value, tuple | list):
        parts = [figure_text(part, unit) for part in value]
        return (" → " if isinstance(value, tuple) else ", ").join(parts)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "–" if value is None else str(value)
    return number_text(value, unit)


def with_interval(value: Mapping[str, Any]) -> str:
    """A number, its 95 % interval in brackets, and what it is a share of."""
    middle = next((value[name] for name in ("rate", "share", "value") if name in value), None)
    ends = value.get("interval") or (value.get("low"), value.get("high"))
    known = [known_number(end) for end in (middle, *ends)]
    unit = "share" if all(end is None or 0 <= end <= 1 for end in known) and "value" not in value else ""
    text = number_text(middle, unit)
    if None not in known[1:]:
        text += f" [{number_text(known[1], unit)}, {number_text(known[2], unit)}]"
    return f"{text} of {value['of']:,}" if isinstance(value.get("of"), int) else text
