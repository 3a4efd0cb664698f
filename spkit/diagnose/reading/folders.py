"""Which files of a folder are the log, in which order, and which step a name says."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...run.errors import SpkitError
from .columns import ColumnMap, guessed
from .forms import Form, form_of_row, nearest
from .json_pieces import JsonPieces, Types
from .pieces import Piece
from .reward_choice import chosen_rewards
from .tables import csv_pieces, parquet_pieces, trackio_pieces, wandb_pieces
from .tallies import Tally

FILE_KINDS = {  # ending: kind of file
    ".table.json": "W&B",
    ".jsonl": "JSON",
    ".ndjson": "JSON",
    ".json": "JSON",
    ".parquet": "parquet",
    ".csv": "CSV",
    ".db": "trackio",
    ".sqlite": "trackio",
}
EVALUATION = {"eval", "evals", "evaluation", "val", "valid", "validation", "test"}  # words of a name
LOOK_BYTES = 1 << 12  # of a file to see whose it is; a longer line is read whole
_STEP = re.compile(r"(?:^|[^a-z])(?:global_?step|train_data_step|step|iteration|iter|checkpoint)[-_=]?(\d+)", re.I)


@dataclass(frozen=True)
class Found:
    """The files of a log in order, their format (None: only the column map knows them), and what was left out."""

    files: tuple[Path, ...]
    form: Form | None
    notes: tuple[str, ...] = ()


def kind_of_file(path: Path) -> str | None:
    """What kind of file it is by its name; None if it is no log."""
    name = path.name.removesuffix(".gz").removesuffix(".zst")
    return next((kind for ending, kind in FILE_KINDS.items() if name.endswith(ending)), None)


def pieces_of(
    path: Path, tally: Tally, notes: list[str], types: Types, last: bool = True, first: int | None = None
) -> Iterator[Piece]:
    """The pieces of a file, whatever its kind; of JSON lines `first` bytes are read first. Raises SpkitError as its
    reader does.
    """
    kind = kind_of_file(path)
    if kind == "parquet":
        return parquet_pieces(path, tally, last)
    if kind == "CSV":
        return csv_pieces(path, tally)
    if kind == "W&B":
        return wandb_pieces(path, tally)
    return trackio_pieces(path, tally, notes) if kind == "trackio" else iter(JsonPieces(path, tally, types, first))


def found_files(path: Path, columns: ColumnMap) -> Found:
    """The log: a file, or those of a folder that are one. Raises SpkitError if there is none, if nobody's columns and
    no map fit it, or if the folder holds two formats.
    """
    if path.is_file():
        if kind_of_file(path) is None:
            raise SpkitError(
                f"{path} is no log: its name must end in {', '.join(FILE_KINDS)}, or these with .gz or .zst"
            )
        return _of_one_form(path, [path], columns)
    if not path.is_dir():
        raise SpkitError(f"there is no file or folder {path}")
    own = path / "completions"  # TRL's, beside its checkpoints
    base = own if own.is_dir() and any(kind_of_file(file) for file in own.rglob("*")) else path
    files = [file for file in base.rglob("*") if kind_of_file(file) and file.is_file()]
    if not files:
        raise SpkitError(
            f"{path} is neither a run of spkit (no config.json with metrics.jsonl) nor a folder of logs (no file in it "
            f"ends in {', '.join(FILE_KINDS)})"
        )
    return _of_one_form(path, sorted(files, key=lambda file: _natural(file.relative_to(base))), columns)


def _natural(path: Path) -> list[list[tuple[int, int, str]]]:
    """A key by which step_10 comes after step_9."""
    split = [re.split(r"(\d+)", part) for part in path.parts]
    return [[(0, int(text), "") if text.isdigit() else (1, 0, text) for text in part if text] for part in split]


def _of_one_form(path: Path, files: Sequence[Path], columns: ColumnMap) -> Found:
    forms, damaged, strange = dict[Path, Form | None](), dict[Path, SpkitError](), dict[Path, Piece]()
    for file in files:
        try:
            pieces = pieces_of(file, Tally(), [], Types(), last=False, first=LOOK_BYTES)
            piece = next((part for part in pieces if len(part)), None)
        except SpkitError as error:
            damaged[file] = error
            continue
        if piece is None:
            continue
        row = piece.as_rows()[0] if piece.frame is None else piece.frame.head(1).to_dicts()[0]
        form = form_of_row(row)
        if _is_mapped(columns, row) or form is not None:
            forms[file] = None if (columns.prompt or columns.completion) and _is_mapped(columns, row) else form
        else:
            strange[file] = piece
    if not forms:
        _refuse(path, damaged, strange, columns)
    names = dict.fromkeys(form.name if form else "of the column map" for form in forms.values())
    kinds = dict.fromkeys(kind_of_file(file) for file in forms)
    for several, what in ((names, "formats"), (kinds, "kinds of file")):
        if len(several) > 1:
            text = f"{path} holds logs of {len(several)} {what} ({', '.join(map(str, several))})"
            raise SpkitError(f"{text}: give the file, or the folder, of one of them")
    chosen = [file for file in files if file in forms or (file in damaged and kind_of_file(file) in kinds)]
    training = [file for file in chosen if not _words(file.relative_to(path) if file != path else file) & EVALUATION]
    notes = []
    if strange:
        notes.append(f"{len(strange)} other files in the folder are no logs and were left out")
    if training and len(training) < len(chosen):
        notes.append(f"{len(chosen) - len(training)} files of evaluations were left out")
        chosen = training
    return Found(tuple(chosen), next(iter(forms.values())), tuple(notes))


def _is_mapped(columns: ColumnMap, row: Mapping[str, Any]) -> bool:
    """Whether the map says what this row is, `prompt` and `completion` being what is called so."""
    given = columns != ColumnMap()
    return given and (columns.prompt or "prompt") in row and (columns.completion or "completion") in row


def _words(path: Path) -> set[str]:
    return set(re.findall("[a-z]+", str(path).lower()))


def _refuse(path: Path, damaged: dict[Path, SpkitError], strange: dict[Path, Piece], columns: ColumnMap) -> None:
    if damaged:
        raise next(iter(damaged.values()))
    if not strange:
        raise SpkitError(f"{path} has no rows: give a log that a trainer wrote completions to")
    file, piece = next(iter(strange.items()))
    raise refusal(file, piece, columns)


def refusal(file: Path, piece: Piece, columns: ColumnMap) -> SpkitError:
    """What to say of a log that nobody knows: the columns found, and the options that would read it."""
    names = piece.names()
    if columns.prompt or columns.completion:
        lost = [name for name in (columns.prompt, columns.completion) if name and name not in names]
        if lost:
            return SpkitError(f"{file.name} has no column {lost[0]!r}: choose among {', '.join(names)}")
    near, choice = nearest(names), chosen_rewards([(name, list(piece.values(name))[:1000]) for name in names])
    options = guessed(names, choice.chosen or choice.unsure[:1], last_number_of(file) is not None)
    what = f"; of {near[0].name}'s only {near[1][0]} is missing" if near else ""
    return SpkitError(
        f"{file.name} has the columns {', '.join(names)}, which no known format has{what}: say which is which, such as "
        f"{options}"
    )


def last_number_of(path: Path) -> int | None:
    """The last number in the name of a file; None without one."""
    found = re.findall(r"\d+", path.name.split(".")[0])
    return int(found[-1]) if found and len(found[-1]) < 19 else None


def step_in(path: Path) -> int | None:
    """The step that a name says, `12.jsonl`, `step_12`, `checkpoint-12`: the file's, else the nearest folder's."""
    stem = path.name.split(".")[0]
    if re.fullmatch(r"\d{1,18}", stem, re.ASCII):
        return int(stem)
    for name in (path.name, *reversed(path.parent.parts[-4:])):
        found = _STEP.findall(name)
        if found and len(found[-1]) < 19:
            return int(found[-1])
    return None
