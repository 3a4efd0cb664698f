"""A diagnosis as plain data: `SCHEMA` names its version, and diagnosis.schema.json beside this file says what is in it.

A field is added under the same version; one that goes or changes its meaning makes a new one.
"""

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from ..judge import Diagnosis
from ..steps import Agreement, Checked, Step
from ..verifier_faults import flip_rates

SCHEMA = "spkit-diagnosis/1"
RENAMED = {"early": "start", "late": "end", "unknown": "not_judged"}  # fields that say in data what they say in text


def data(diagnosis: Diagnosis) -> dict[str, Any]:
    """The diagnosis and its evidence as one flat object of JSON: no NaN, no infinity, no tuple."""
    own = {item.name: getattr(diagnosis, item.name) for item in fields(diagnosis) if item.name != "evidence"}
    read = {item.name: getattr(diagnosis.evidence, item.name) for item in fields(diagnosis.evidence)}
    return {"schema": SCHEMA} | {RENAMED.get(name, name): plain(value) for name, value in {**own, **read}.items()}


def plain(value: Any) -> Any:
    """The value in the types of JSON; None for a number that is none. Of a step only what is known."""
    if isinstance(value, bool | str | None):
        return value
    if isinstance(value, Agreement):
        return _agreement(value)
    if isinstance(value, Checked):
        return plain(flip_rates(value)) if value.counts else None
    if is_dataclass(value):
        named = {item.name: plain(getattr(value, item.name)) for item in fields(value)}
        return {name: part for name, part in named.items() if part is not None} if isinstance(value, Step) else named
    if isinstance(value, Mapping):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, tuple | list | set | frozenset):
        return [plain(part) for part in value]
    return _number(value)


def _number(value: Any) -> Any:
    """A number of Python, or of NumPy, in Python's own type; a text for what is none of these."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, int) else str(value)


def _agreement(value: Agreement) -> dict[str, Any] | None:
    interval = value.interval()
    if interval is None:
        return None
    share, low, high = interval
    return {"clusters": value.clusters, "differ": plain(share), "interval": [plain(low), plain(high)]}
