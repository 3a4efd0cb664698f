"""What a log comes to, whoever wrote it: batches of rows in one schema, as polars frames.

A row is one completion. A batch has the columns of `COLUMNS` and one `reward:NAME` (Float64) for every reward function,
in the order chosen; a null is what the log does not say. Rows come in the order of the log.
"""

from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ..run.errors import SpkitError

if TYPE_CHECKING:
    import polars

ROWS = 1 << 16  # rows of a batch, at most
TEXT_BYTES = 1 << 26  # bytes of text in a batch, about; one row may be larger
PREFIX = "reward:"  # of the column of one reward function
COLUMNS = {
    "step": "Int64",
    "prompt": "String",  # a conversation is its messages' contents, a line each
    "completion": "String",  # the two ends of one that is very long
    "characters": "Int64",  # of the whole completion
    "reward": "Float64",  # sum of the reward functions, each times its weight; null: nobody judged it
    "role": "String",  # solver or proposer
    "gold": "String",  # the right answer as it was logged
    "correct": "Boolean",  # null: nobody looked
    "entropy": "Float64",  # nats a token
    "depth": "Float64",  # of a proposal
    "valid": "Boolean",  # of a proposal
    "fault": "String",  # of a proposal
    "tokens": "Int64",  # of the completion
    "finish": "String",  # stop or length
    "advantage": "Float64",
    "chat": "Boolean",  # whether the prompt was logged as messages
}


def the_polars() -> Any:
    """The module polars. Raises SpkitError saying what to install where there is none."""
    try:
        import polars
    except ImportError:
        raise SpkitError(
            "logs are read with polars, which is not installed: pip install 'selfplay-kit[logs]'"
        ) from None
    return polars


def has_polars() -> bool:
    """Whether logs can be read here."""
    return find_spec("polars") is not None


def batch_schema(rewards: Sequence[str] = ()) -> dict[str, Any]:
    """The type of every column of a batch with these reward functions."""
    pl = the_polars()
    kinds = COLUMNS | {PREFIX + name: "Float64" for name in rewards}
    return {name: getattr(pl, kind) for name, kind in kinds.items()}


def empty(rewards: Sequence[str] = ()) -> "polars.DataFrame":
    """A batch without rows."""
    return the_polars().DataFrame(schema=batch_schema(rewards))


def from_rows(rows: Iterable[Mapping[str, Any]], rewards: Sequence[str] = ()) -> "polars.DataFrame":
    """A batch of these rows, by names of columns; what a row leaves out is null, but its role is solver and its
    `characters` are its completion's.

    Raises SpkitError for a name that is no column, or a value of the wrong type.
    """
    pl = the_polars()
    schema, rows = batch_schema(rewards), list(rows)
    unknown = {name for row in rows for name in row} - schema.keys()
    if unknown:
        raise SpkitError(f"{min(unknown)!r} is no column of a batch: choose among {', '.join(schema)}")
    full = [{"role": "solver", "characters": len(row.get("completion") or "")} | dict(row) for row in rows]
    columns = {name: [row.get(name) for row in full] for name in schema}
    try:
        return pl.DataFrame(columns, schema=schema)
    except (TypeError, pl.exceptions.PolarsError) as error:
        raise SpkitError(f"a row of the batch has a value of the wrong type: {str(error).splitlines()[0]}") from error


def reward_names(batch: "polars.DataFrame") -> tuple[str, ...]:
    """The reward functions of a batch, in the order chosen."""
    return tuple(name.removeprefix(PREFIX) for name in batch.columns if name.startswith(PREFIX))
