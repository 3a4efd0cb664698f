"""What was decided about a log, once, on its first rows: which column is what; and its pieces as batches."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...run.errors import SpkitError
from ..batches import PREFIX, batch_schema, the_polars
from .columns import ColumnMap
from .forms import SPKIT, TRL, WEIGHTS_NOTE, Form, form_of_row
from .nested import ROLES
from .pieces import Piece
from .reward_choice import chosen_rewards
from .tallies import NO_REWARD, NOT_GENERATED, Tally
from .values import (
    chat_column,
    count_column,
    finish_column,
    flag_column,
    number_column,
    shortened_column,
    text_column,
)

HEAD = 4096  # rows on which it is decided
ALSO = {  # what a batch has beside, and the columns it may stand in
    "entropy": ("entropy",),
    "advantage": ("advantage", "advantages"),
    "tokens": ("tokens", "completion_length", "completion_tokens", "response_length", "output_tokens", "token_usage"),
    "finish": ("finish", "finish_reason", "is_truncated", "truncated"),
}
OF_PROPOSERS = ("role", "depth", "valid", "fault")
SURE_GOLDS = ("gold", "ground_truth", "gts", "solution")  # of a log that a column map reads
SAME_FOR_A_PROMPT = ("answer", "target", "label")  # right answers only if they are: they may be what was answered


@dataclass(frozen=True)
class Plan:
    """`fields`: a batch's column to the log's. `rewards`: (name, column, weight); `total` is the column of their sum
    where the log has it. `needed`: the columns of the log that are read.
    """

    form: Form | None
    fields: Mapping[str, str]
    rewards: tuple[tuple[str, str, float], ...]
    total: str | None = None
    needed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Of the format."""
        return "column map" if self.form is None else self.form.name


class Unfit(Exception):
    """A frame holds a null where a row must have a value: its rows are read one by one."""


def plan_of(piece: Piece, form: Form | None, columns: ColumnMap) -> Plan:
    """The plan for a log that begins with this piece. Raises SpkitError if there is no reward among its columns, or a
    column that was asked for is not there.
    """
    names = piece.names()
    head = {name: list(piece.values(name)[:HEAD]) for name in names}
    for name in columns.named().values():
        if name not in names:
            raise SpkitError(f"{piece.place(0)} has no column {name!r}: choose among {', '.join(names)}")
    fields = _fields(names, head, form, columns)
    if columns.step_from or all(value is None for value in head.get(fields.get("step", ""), ())):
        fields.pop("step", None)
    used = set(fields.values())
    offered = [(name, head[name]) for name in names if name not in used and (not form or name not in form.not_rewards)]
    rewards, total, notes = _rewards(piece, form, columns, offered, head)
    notes = (form.notes if form is not None else ()) + notes
    needed = () if form is not None and form.rows_of else (*fields.values(), *(column for _, column, _ in rewards))
    return Plan(form, fields, rewards, total, tuple(dict.fromkeys(needed)), notes)


def _fields(names: Sequence[str], head: Mapping[str, list], form: Form | None, columns: ColumnMap) -> dict[str, str]:
    base = columns if form is None else replace(form.columns, rewards=())
    known = {"prompt": "prompt", "completion": "completion"} | base.named() | columns.named()
    if known["prompt"] not in names and "prompt_id" in names:
        known["prompt"] = "prompt_id"
    known.setdefault("step", "step")
    for what, places in ALSO.items():
        known[what] = next((name for name in places if name in names), "")
    late = (*OF_PROPOSERS, "entropy") if form is not None and form.name == SPKIT else ()  # in rows of proposers alone
    if form is None or form.rows_of:
        known |= {name: name for name in OF_PROPOSERS}
    golds = form.golds if form is not None else SURE_GOLDS
    if form is not None and form.rows_of:
        golds, known["correct"] = ("gold",), known.get("correct", "correct")
    if "gold" not in known:
        known["gold"] = next((name for name in golds if name in names and _may_be_gold(name, head, known, form)), "")
    return {what: name for what, name in known.items() if name in names} | {name: name for name in late}


def _may_be_gold(name: str, head: Mapping[str, list], known: Mapping[str, str], form: Form | None) -> bool:
    """Whether a column can be the right answer: it is the same for all completions of a prompt."""
    if name not in SAME_FOR_A_PROMPT or form is None or form.name not in (SPKIT, TRL):
        return True
    answers = defaultdict(set)
    for prompt, value in zip(head.get(known["prompt"], ()), head[name]):
        answers[str(prompt)].add(str(value))
    return all(len(found) == 1 for found in answers.values())


def _rewards(
    piece: Piece, form: Form | None, columns: ColumnMap, offered: Sequence[tuple[str, list]], head: Mapping[str, list]
) -> tuple[tuple[tuple[str, str, float], ...], str | None, tuple[str, ...]]:
    """(the rewards, the column of their sum, what is to be said of the choice)."""
    if form is not None and form.rows_of:
        return _own_rewards(piece, columns, head)
    if columns.rewards:
        for name, _ in columns.rewards:
            if name not in head:
                text = f"{piece.place(0)} has no column {name!r} to take the reward from"
                raise SpkitError(f"{text}: choose among {', '.join(head)}")
        return tuple((name, name, weight) for name, weight in columns.rewards), None, ()
    if form is not None and form.columns.rewards:
        return tuple((name, name, weight) for name, weight in form.columns.rewards), None, ()
    choice = chosen_rewards(offered)
    if not choice.chosen:
        names = [name for name, _ in offered]
        why = "more than one that may be it" if choice.unsure else "no column that is a reward by name, type and range"
        text = f"{piece.place(0)} has {why} ({', '.join(choice.unsure or names) or 'no other column'})"
        raise SpkitError(f"{text}: name it with --reward, several with their weights, as in --reward a --reward b:0.5")
    notes = (WEIGHTS_NOTE,) if len(choice.chosen) > 1 else ()
    if choice.left:
        notes += (f"numbers that were not read as rewards, by their names or range: {', '.join(choice.left)}",)
    return tuple((name, name, 1.0) for name in choice.chosen), None, notes


def _own_rewards(piece: Piece, columns: ColumnMap, head: Mapping[str, list]) -> tuple:
    """The rewards of a format whose rows say what they are, and weigh them."""
    names = [name.removeprefix(PREFIX) for name in head if name.startswith(PREFIX)]
    weights: dict[str, float] = {}
    for found in head.get("weights", ()):
        weights = (found or {}) | weights
    for name, _ in columns.rewards:
        if name not in names:
            text = f"{piece.place(0)} has no reward {name!r}"
            raise SpkitError(f"{text}: choose among {', '.join(names) or 'none, since nothing was rewarded'}")
    if columns.rewards:
        return tuple((name, PREFIX + name, weight) for name, weight in columns.rewards), None, ()
    return tuple((name, PREFIX + name, weights.get(name, 1.0)) for name in names), "reward", ()


def batch_of(piece: Piece, plan: Plan, step: int | None, tally: Tally) -> Any:
    """A piece as a batch; `step` is that of its file, for a log that has none in its rows.

    Raises SpkitError naming the row that is another trainer's, misses a column or has no step, Unfit for a frame of
    which the rows have to be read one by one.
    """
    pl, fields = the_polars(), plan.fields
    if piece.frame is None:
        _check_rows(piece, plan)

    names = set(piece.names())

    def values(what: str) -> Any:
        return piece.values(fields[what]) if fields.get(what) in names else None

    completion = text_column(values("completion"), tally, empty=None)
    generated = completion.is_not_null()
    if piece.again is not None and not (generated.all() and _whole(piece, fields["prompt"])):
        raise Unfit
    shown, characters = shortened_column(completion.fill_null(""))
    parts = {PREFIX + name: number_column(piece.values(column), tally) for name, column, _ in plan.rewards}
    made = {
        "step": _steps(piece, values("step"), step, tally),
        "prompt": text_column(values("prompt"), tally),
        "completion": shown,
        "characters": characters,
        "reward": _sum(piece, plan, parts, tally),
        "chat": chat_column(values("prompt")),
        **_proposers(piece, values, tally),
        **parts,
    }
    reading = {
        "gold": lambda found: text_column(found, tally, empty=None),
        "correct": lambda found: flag_column(found, tally),
        "entropy": lambda found: number_column(found, tally),
        "advantage": lambda found: number_column(_first_numbers(found), tally),
        "tokens": lambda found: count_column(_usage(found), tally),
        "finish": finish_column,
    }
    made |= {what: read(found) for what, read in reading.items() if (found := values(what)) is not None}
    schema = batch_schema([name for name, _, _ in plan.rewards])
    batch = pl.DataFrame(
        [made[n].alias(n).cast(t) if n in made else _nulls(n, t, len(piece)) for n, t in schema.items()]
    )
    tally.count(NO_REWARD, batch["reward"].filter(generated & (batch["role"] == "solver")).null_count())
    tally.count(NOT_GENERATED, len(piece) - generated.sum())
    return batch.filter(generated)


def _nulls(name: str, kind: Any, count: int) -> Any:
    return the_polars().Series(name, [None], dtype=kind).new_from_index(0, count)


def _whole(piece: Piece, name: str) -> bool:
    return not piece.values(name).null_count()


def _check_rows(piece: Piece, plan: Plan) -> None:
    wanted = [plan.fields[what] for what in ("prompt", "completion") if what in plan.fields]
    for index, row in enumerate(piece.rows):
        for name in wanted:
            if name not in row:
                other = form_of_row(row)
                if other is not None and other.name != plan.name:
                    text = f"{piece.place(index)} is a row of {other.name}'s and the rows before it are {plan.name}'s"
                    raise SpkitError(f"{text}: give a file of one trainer at a time")
                raise SpkitError(f"{piece.place(index)} has no {name} among its columns ({', '.join(row)})")


def _steps(piece: Piece, values: Any, step: int | None, tally: Tally) -> Any:
    pl = the_polars()
    if values is None:
        return pl.Series([step or 0], dtype=pl.Int64).new_from_index(0, len(piece))
    numbers = number_column(values, Tally())
    bad = numbers.is_null() | (numbers != numbers.round()) | (numbers.abs() >= 2**63)
    if bad.any():
        if piece.again is not None:
            raise Unfit
        index = bad.arg_true()[0]
        raise SpkitError(f"{piece.place(index)} has step = {values[index]!r}: it must be a whole number")
    return numbers.cast(pl.Int64)


def _sum(piece: Piece, plan: Plan, parts: Mapping[str, Any], tally: Tally) -> Any:
    pl = the_polars()
    if plan.total is not None:
        known = {column for _, column, _ in plan.rewards}
        for name in piece.names():
            if name.startswith(PREFIX) and name not in known:
                tally.say(f"the reward {name.removeprefix(PREFIX)} comes later in the log and is only in the sum")
        return number_column(piece.values(plan.total), Tally())
    columns = [parts[PREFIX + name] * weight for name, _, weight in plan.rewards]
    frame = pl.DataFrame({str(index): column for index, column in enumerate(columns)})
    known = pl.any_horizontal(pl.all().is_not_null())
    return frame.select(pl.when(known).then(pl.sum_horizontal(pl.all(), ignore_nulls=True)).alias("reward"))["reward"]


def _proposers(piece: Piece, values: Any, tally: Tally) -> dict[str, Any]:
    """Role, depth, valid and fault; a proposal is valid if it has no fault, where the log says no more."""
    pl = the_polars()
    found = {name: given for name in OF_PROPOSERS if (given := values(name)) is not None}
    if "role" not in found:
        return {"role": pl.Series(["solver"], dtype=pl.String).new_from_index(0, len(piece))}
    roles = text_column(found["role"], tally, empty="solver").replace("", "solver")
    strange = ~roles.is_in(list(ROLES))
    if strange.any():
        index = strange.arg_true()[0]
        raise SpkitError(f"{piece.place(index)} has the role {roles[index]!r}: it must be solver or proposer")
    made = {"role": roles.replace(ROLES)}
    if "depth" in found:
        made["depth"] = number_column(found["depth"], tally)
    if "fault" in found:
        made["fault"] = text_column(found["fault"], tally, empty=None)
    if "valid" in found:
        made["valid"] = flag_column(found["valid"], tally)
    if "fault" in made:
        unknown = pl.Series([None], dtype=pl.Boolean).new_from_index(0, len(piece))
        without = made["fault"].is_null().zip_with(made["role"] == "proposer", unknown)
        made["valid"] = without if "valid" not in made else made["valid"].zip_with(made["valid"].is_not_null(), without)
    return made


def _first_numbers(values: Any) -> Any:
    """One number for what is logged a token: the first that is not 0."""
    pl = the_polars()
    if isinstance(values, pl.Series) and not values.dtype.is_nested():
        return values
    values = values.to_list() if isinstance(values, pl.Series) else values
    return [next((x for x in v if x), 0.0) if isinstance(v, list) and v else v for v in values]


def _usage(values: Any) -> Any:
    """The tokens of a completion where they stand in an object with those of the prompt."""
    pl = the_polars()
    if isinstance(values, pl.Series) and not values.dtype.is_nested():
        return values
    values = values.to_list() if isinstance(values, pl.Series) else values
    return [v.get("final_output_tokens", v.get("output_tokens")) if isinstance(v, Mapping) else v for v in values]
