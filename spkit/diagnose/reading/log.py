"""A log as batches: the entry to this package."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...run.errors import SpkitError
from ...run.json_files import Raw
from .columns import ColumnMap
from .folders import found_files, kind_of_file, last_number_of, pieces_of, step_in
from .json_pieces import Types
from .nested import SEVERAL, Decode
from .pieces import Piece
from .plans import Plan, Unfit, batch_of, plan_of
from .repeats import Repeats
from .tallies import NOT_GENERATED, Tally

NO_STEP = "the log has no step in its rows: "


class Log:
    """The rows of a log, a file or a folder of them, to be read once, as batches (`spkit.diagnose.batches`).

    `form` (whose format it is), `rewards` (names and weights), `notes` (what was decided, and what the format cannot
    say) and `warnings` (counted, a line a kind) are known while it is read and afterwards. `tokenizer` makes texts of
    logs that hold token ids: anything with `decode`, or a name or folder that transformers loads.
    """

    def __init__(self, path: Path, columns: ColumnMap = ColumnMap(), tokenizer: Any = None) -> None:
        """Raises SpkitError if there is no log there, if its format is unknown and `columns` do not say it, or if the
        folder holds two.
        """
        self.path, self.columns, self.tokenizer = Path(path), columns, tokenizer
        found = found_files(self.path, columns)
        self.files, self._form = found.files, found.form
        self._notes, self.tally, self.plan = list(found.notes), Tally(), None
        self._decode: Decode | None = None
        self._filter: str | None = None

    def __iter__(self) -> Iterator[Any]:
        """Raises SpkitError for a row that is damaged, misses a column or is another trainer's, and for no row with a
        reward.
        """
        kind = kind_of_file(self.files[0])
        types, repeats, rewarded = Types(), Repeats(self.tally, whole=kind in ("W&B", "trackio")), 0
        for number, file in enumerate(self.files):
            last = number == len(self.files) - 1
            for index, piece in enumerate(pieces_of(file, self.tally, self._notes, types, last)):
                for batch in self._batches(piece, types, number):
                    rewarded += batch["reward"].count()
                    yield from repeats.passed(batch, index if kind == "trackio" else number)
        yield from repeats.rest()
        if not rewarded and self.tally.counts[NOT_GENERATED]:
            text = (
                "has no row with a text that was generated: choices were scored, or its prompts and completions are one"
            )
            raise SpkitError(f"{self.path} {text} text, which --tokenizer takes apart where there are token ids")
        if not rewarded:
            raise SpkitError(f"{self.path} has no rows with a reward: {self._why_none()}")

    def _why_none(self) -> str:
        if SEVERAL in self._notes:
            return f"{SEVERAL}, and no target is a number, a letter, or what a response says as its answer"
        return "give a log that a trainer wrote completions to"

    def _batches(self, piece: Piece, types: Types, number: int) -> Iterator[Any]:
        if not len(piece):
            return
        flat = self._flat(piece)
        if self.plan is None:
            self.plan = plan_of(flat, self._form, self.columns)
            types.needed = self.plan.needed
        step = self._step(piece.file, number)
        try:
            yield batch_of(flat, self.plan, step, self.tally)
        except Unfit:
            yield batch_of(self._flat(piece.again()), self.plan, step, self.tally)

    def _flat(self, piece: Piece) -> Piece:
        """The piece with plain rows, if its format has others."""
        if self._form is None or self._form.rows_of is None:
            return piece
        if self._decode is None and (self._form.name == "open-instruct" or self.tokenizer is not None):
            self._decode = decoder(self.tokenizer, self.path)
        rows, places = [], []
        for index, row in enumerate(piece.as_rows()):
            for plain in self._form.rows_of(row, self._decode):
                rows.append(plain)
                places.append(piece.place(index))
        said = dict.fromkeys(row["note"] for row in rows if row.get("note"))
        self._notes += [note for note in said if note not in self._notes]
        kept = [index for index, row in enumerate(rows) if self._is_counted(row)]
        return Piece(piece.file, [rows[index] for index in kept], [places[index] for index in kept])

    def _is_counted(self, row: dict[str, Any]) -> bool:
        """Whether a row is of the filter of lm-evaluation-harness that came first: it writes a sample once a filter."""
        name = row.get("filter")
        if self._filter is None and name is not None:
            self._filter = name
            self._notes.append(f"of the answer filters of the harness, the first one was read: {name}")
        return name == self._filter

    def _step(self, file: Path, number: int) -> int | None:
        if self.columns.step_from:
            step = last_number_of(file)
            if step is None:
                raise SpkitError(f"{file.name} has no number in its name to take the step from")
            return step
        step = step_in(file)
        return number if step is None and len(self.files) > 1 else step

    @property
    def form(self) -> str | None:
        """Whose format it is; None before the first rows are read."""
        return None if self.plan is None else self.plan.name

    @property
    def rewards(self) -> tuple[tuple[str, float], ...]:
        """The reward functions and their weights."""
        return () if self.plan is None else tuple((name, weight) for name, _, weight in self.plan.rewards)

    @property
    def notes(self) -> list[str]:
        """What was decided, and what this format cannot say."""
        if self.plan is None:
            return list(self._notes)
        return [*_decided(self.plan, self.files, self.columns), *self._notes, *self.plan.notes]

    @property
    def warnings(self) -> list[str]:
        """What is wrong with the log, a line a kind."""
        return self.tally.lines()


def careful_rows(path: Path, tally: Tally) -> Iterator[Raw]:
    """(place, columns) of every row of a file of any kind, one piece in memory at a time; `tally` collects what is
    wrong with it. Raises SpkitError for what is damaged or no row.
    """
    for piece in pieces_of(path, tally, [], Types()):
        for index, row in enumerate(piece.as_rows()):
            yield piece.place(index), dict(row)


def _decided(plan: Plan, files: tuple[Path, ...], columns: ColumnMap) -> Iterator[str]:
    summed = " + ".join(name if weight == 1 else f"{weight:g} {name}" for name, _, weight in plan.rewards)
    yield f"{plan.name} rows; reward = {summed}"
    if "gold" in plan.fields:
        yield f"the right answers are read from {plan.fields['gold']}"
    if plan.fields.get("tokens", "tokens") != "tokens":
        yield f"lengths in tokens are read from {plan.fields['tokens']}"
    if "step" not in plan.fields:
        yield NO_STEP + _step_said(files, columns)


def _step_said(files: tuple[Path, ...], columns: ColumnMap) -> str:
    if columns.step_from:
        return "it is the last number in the name of the file"
    named = [file for file in files if step_in(file) is not None]
    if len(named) == len(files):
        return "it is read from the names of the files and folders"
    if len(files) > 1:
        return "each file is read as a step, in the order of their names"
    return "all of it is read as one step; --step or --step-from filename says otherwise"


def decoder(tokenizer: Any, path: Path) -> Decode:
    """What makes a text of token ids. Raises SpkitError without a tokenizer, or if it cannot be loaded."""
    if tokenizer is None:
        raise SpkitError(
            f"{path} holds token ids, not texts: name the tokenizer that made them, --tokenizer NAME or FOLDER"
        )
    if isinstance(tokenizer, (str, Path)):
        from transformers import AutoTokenizer

        try:
            tokenizer = AutoTokenizer.from_pretrained(str(tokenizer))
        except (OSError, ValueError) as error:
            raise SpkitError(f"could not load the tokenizer {tokenizer}: {str(error).splitlines()[0]}") from error
    return lambda ids: tokenizer.decode(list(ids))
