"""Checks that the settings of every loop share: each raises one sentence that names the setting."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from .errors import SpkitError

_C = TypeVar("_C")


def at_least(config: Any, low: float, *names: str) -> None:
    """Raise SpkitError naming the first of these settings that is below `low`."""
    for name in names:
        value = getattr(config, name)
        if value is not None and not value >= low:
            raise SpkitError(f"{name} must be {low:g} or more, not {value}")


def one_of_its_choices(config: Any) -> None:
    """Raise SpkitError naming the first setting whose type is a Literal, or several, and whose value is not in it."""
    for name, hint in get_type_hints(type(config)).items():
        parts = [hint] if get_origin(hint) is Literal else get_args(hint)
        if parts and all(get_origin(part) is Literal for part in parts):
            choices = [choice for part in parts for choice in get_args(part)]
            if getattr(config, name) not in choices:
                raise SpkitError(f"{name} must be one of {', '.join(choices)}, not {getattr(config, name)!r}")


def shares(config: Any, *names: str) -> None:
    """Raise SpkitError naming the first of these settings that is not between 0 and 1."""
    for name in names:
        if not 0 <= getattr(config, name) <= 1:
            raise SpkitError(f"{name} must be between 0 and 1, not {getattr(config, name)}")


def changed(config: _C, changes: Mapping[str, Any]) -> _C:
    """The settings (a dataclass) with some of them changed, those of a part by their dotted name: `proposer.reward`.
    Raises SpkitError for a setting that does not exist, and what the settings themselves raise.
    """
    parts: dict[str, dict[str, Any]] = {}
    values: dict[str, Any] = {}
    for name, value in changes.items():
        head, dot, rest = name.partition(".")
        if head not in {field.name for field in fields(config)}:
            raise SpkitError(f"{type(config).__name__} has no setting {head!r}")
        if dot:
            parts.setdefault(head, {})[rest] = value
        else:
            values[head] = value
    for head, rest in parts.items():
        part = values.get(head, getattr(config, head))
        if not is_dataclass(part):
            raise SpkitError(f"{head} is one value and has no setting {next(iter(rest))!r}")
        values[head] = changed(part, rest)
    return replace(config, **values)
