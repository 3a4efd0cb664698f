"""One completion of a log, and the formats of the trainers it may come from.

    spkit    prompt or prompt_id, completion, reward, step; optional role (solver, proposer), gold (the right answer),
             correct (whether it really is right), entropy (nats a token), and of a proposal depth, valid or fault (null
             if it has none); a proposal that was not rewarded has the reward null
    trl      step, prompt, completion, advantage and one column a reward function (`log_completions=True` of its GRPO
             and RLOO trainers)
    verl     input, output, score, step, and gts (the right answer) and acc in most versions
             (`trainer.rollout_data_dir`)

What several reward functions of TRL say is added up, each with weight 1; a function that had nothing to say (null or
NaN) counts 0, and a row about which none did is left out, as is one of verl without a score.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..run.errors import SpkitError
from .texts import gold_answer

Format = Literal["spkit", "trl", "verl"]
LoggedRole = Literal["solver", "proposer"]
ROLE_NAMES: dict[str, LoggedRole] = {
    "solver": "solver",
    "solve": "solver",
    "proposer": "proposer",
    "propose": "proposer",
}
LOG_COLUMNS = (
    "TRL's has step, prompt, completion, advantage and rewards; verl's input, output, score, step; "
    "spkit's prompt, completion, reward, step"
)
_KNOWN = {
    "step",
    "prompt",
    "prompt_id",
    "completion",
    "advantage",
    "role",
    "gold",
    "correct",
    "entropy",
    "depth",
    "valid",
    "fault",
    "kind",
}


@dataclass(frozen=True)
class Row:
    """One completion. `reward` is as logged, 0 for a proposal without one; `entropy` in nats a token.

    `correct` is what an exact check says, None if nobody looked.
    """

    step: int
    prompt: str
    completion: str
    reward: float
    role: LoggedRole = "solver"
    gold: str | None = None  # in the spelling of `texts.gold_answer`
    correct: bool | None = None
    entropy: float | None = None
    depth: float | None = None
    valid: bool | None = None
    fault: str | None = None


def format_of(place: str, raw: Mapping[str, Any]) -> Format:
    """Whose row this is, by its columns. Raises SpkitError naming the column that is missing."""
    if {"input", "output"} & raw.keys() and not {"prompt", "completion"} & raw.keys():
        return _complete(place, raw, "verl", ("input", "output", "score", "step"))
    if "advantage" in raw:
        return _complete(place, raw, "trl", ("step", "prompt", "completion"))
    if not {"prompt", "prompt_id"} & raw.keys():
        raise SpkitError(f"{place} has no prompt among its columns ({', '.join(raw) or 'none'}): {LOG_COLUMNS}")
    return _complete(place, raw, "spkit", ("completion", "reward", "step"))


def reward_columns(place: str, raw: Mapping[str, Any], form: Format, asked: Sequence[str] = ()) -> tuple[str, ...]:
    """The columns whose sum is the reward: those asked for, or what the format says.

    Raises SpkitError if there is none.
    """
    for name in asked:
        if name not in raw:
            raise SpkitError(f"{place} has no column {name!r} to take the reward from: choose among {', '.join(raw)}")
    if asked:
        return tuple(asked)
    if form == "verl":
        return ("score",)
    if "reward" in raw:
        return ("reward",)
    names = tuple(name for name, value in raw.items() if name not in _KNOWN and (value is None or _is_number(value)))
    if not names:
        raise SpkitError(f"{place} has no column of numbers to take the reward from ({', '.join(raw)}): {LOG_COLUMNS}")
    return names


def row_of(place: str, raw: Mapping[str, Any], form: Format, rewards: Sequence[str]) -> Row | None:
    """The row, or None for a completion of TRL or verl that nothing has judged.

    Raises SpkitError naming the place and what is wrong.
    """
    other = format_of(place, raw)
    if other != form:
        raise SpkitError(
            f"{place} is a row of {other}'s and the rows before it are {form}'s: give a file of one trainer at a time"
        )
    role = raw.get("role") or "solver"
    if role not in ROLE_NAMES:
        raise SpkitError(f"{place} has the role {role!r}: it must be solver or proposer")
    unpaid = form != "spkit" or ROLE_NAMES[role] == "proposer"
    values = [_reward(place, name, raw, unpaid) for name in rewards]
    if form != "spkit" and all(value is None for value in values):
        return None
    prompt, completion = (
        ("input", "output") if form == "verl" else ("prompt" if "prompt" in raw else "prompt_id", "completion")
    )
    gold = raw.get("gts") if form == "verl" else raw.get("gold")
    correct = raw.get("acc") if form == "verl" else raw.get("correct")
    fault = raw.get("fault")
    valid = _flag(place, "valid", raw.get("valid"))
    return Row(
        _step(place, raw["step"]),
        text_of(raw[prompt]),
        text_of(raw[completion]),
        math.fsum(value for value in values if value is not None),
        ROLE_NAMES[role],
        _gold(place, gold, needed=ROLE_NAMES[role] == "solver" and correct is None),
        _flag(place, "correct", correct),
        _optional(place, "entropy", raw.get("entropy")),
        _optional(place, "depth", raw.get("depth")),
        fault is None if valid is None and "fault" in raw else valid,
        None if fault is None else str(fault),
    )


def _gold(place: str, value: Any, needed: bool) -> str | None:
    gold = None if value is None else gold_answer(text_of(value))
    if gold == "" and needed:
        raise SpkitError(f"{place} has the gold answer {value!r}, which is none: correct it, or leave the column out")
    return gold or None


def text_of(value: Any) -> str:
    """A text as it is, a conversation as its messages' contents, anything else as text."""
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence):
        return "\n".join(text_of(part.get("content")) if isinstance(part, Mapping) else text_of(part) for part in value)
    return "" if value is None else str(value)


def _complete(place: str, raw: Mapping[str, Any], form: Format, needed: Sequence[str]) -> Format:
    missing = [name for name in needed if name not in raw]
    if missing:
        raise SpkitError(f"{place} has no {missing[0]} among its columns ({', '.join(raw)}): {LOG_COLUMNS}")
    return form


def _reward(place: str, name: str, raw: Mapping[str, Any], may_miss: bool) -> float | None:
    value = raw.get(name)
    if may_miss and (value is None or (isinstance(value, float) and math.isnan(value))):
        return None
    return _number(place, name, value)


def _number(place: str, name: str, value: Any) -> float:
    if not _is_number(value) or not math.isfinite(value):
        raise SpkitError(
            f"{place} has {name} = {value!r}: every {name} must be a finite number, so leave that row out or correct it"
        )
    return float(value)


def _optional(place: str, name: str, value: Any) -> float | None:
    return None if value is None else _number(place, name, value)


def _flag(place: str, name: str, value: Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    if _is_number(value) and value in (0, 1):
        return bool(value)
    raise SpkitError(f"{place} has {name} = {value!r}: it must be true or false")


def _step(place: str, value: Any) -> int:
    if not _is_number(value) or not math.isfinite(value) or value != int(value):
        raise SpkitError(f"{place} has step = {value!r}: it must be a whole number")
    return int(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
