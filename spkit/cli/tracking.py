"""`spkit run --track NAME`: every record to a dashboard, through accelerate's tracker classes.

RUN/tracked.json says which iteration was sent last, so a run that is started again sends the later ones alone, and what
the dashboard knows the run by, since two folders may have one name.
"""

import importlib.util
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from ..run.errors import SpkitError
from ..run.files import read_jsonl, write_atomic
from ..run.json_files import dumps, read_object

Send = Callable[[dict[str, Any]], Any]


def check_tracker(name: str) -> None:
    """Raise SpkitError if the tracker, or accelerate, is not installed."""
    for package in ("accelerate", name) if name != "none" else ():
        if importlib.util.find_spec(package) is None:
            raise SpkitError(f"--track {name} needs the package {package}: pip install {package}, or leave --track out")


def numbers_by_path(value: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Every number of a record by its path, as `learned/loss`; flags, texts and lists are left out."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from numbers_by_path(part, f"{name}/{key}" if name else str(key))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield name, float(value)


@contextmanager
def tracked(emit: Send, tracker: str, folder: Path, settings: Mapping[str, Any]) -> Iterator[Send]:
    """`emit`, and with a tracker also what sends it each record that it has not had, and the record's samples.

    At the end the tracker is told that nothing follows. What it prints goes to stderr.
    """
    if tracker == "none":
        yield emit
        return
    note = folder / "tracked.json"
    sent = read_object(note, "delete it, and all records are sent again") if note.is_file() else {}
    opened: list[Any] = []

    def send(record: dict[str, Any]) -> None:
        emit(record)
        t = record["iteration"]
        if t <= sent.get(tracker, -1):
            return
        if not opened:
            sent.setdefault("id", secrets.token_hex(4))
            write_atomic(note, dumps(sent) + "\n")
            opened.append(_opened(tracker, folder, f"{folder.resolve().name}-{sent['id']}", settings, t))
        opened[0].log(dict(numbers_by_path(record)), step=t)
        _send_samples(opened[0], [row for row in read_jsonl(folder / "samples.jsonl") if row["iteration"] == t], t)
        sent[tracker] = t
        write_atomic(note, dumps(sent) + "\n")

    try:
        yield send
    finally:
        with redirect_stdout(sys.stderr):
            for one in opened:
                one.finish()


def _opened(name: str, folder: Path, run: str, settings: Mapping[str, Any], first: int) -> Any:
    """The tracker, started; TensorBoard is told to forget what a process that was killed sent from `first` on."""
    import torch
    from accelerate import PartialState
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS

    PartialState(cpu=not torch.cuda.is_available())
    options = {
        "tensorboard": {"logging_dir": folder, "purge_step": first},
        "trackio": {"name": run, "resume": "allow"},
        "wandb": {"id": run, "name": run, "resume": "allow", "dir": str(folder)},
    }[name]
    tracker = LOGGER_TYPE_TO_CLASS[name]("tensorboard" if name == "tensorboard" else "spkit", **options)
    with redirect_stdout(sys.stderr):
        tracker.start()
    if first == 0 and name != "tensorboard":
        tracker.store_init_configuration(dict(settings))
    return tracker


def _send_samples(tracker: Any, rows: list[dict[str, Any]], t: int) -> None:
    if not rows:
        return
    columns = list(rows[0])
    data = [[row.get(key) for key in columns] for row in rows]
    if hasattr(tracker, "log_table"):
        tracker.log_table("samples", columns=columns, data=data, step=t)
    elif tracker.name == "trackio":
        from trackio import Table

        tracker.log({"samples": Table(columns=columns, data=data)}, step=t)
    elif tracker.name == "tensorboard":
        tracker.log({"samples": "\n\n".join(f"{row['prompt']}{row['completion']}" for row in rows)}, step=t)
