"""A run is a folder that survives a kill.

    config.json     what the run is: method, task, base, how it is shown prompts, settings
    metrics.jsonl   one row an iteration, iteration 0 being the base; a row here is what makes an iteration done
    samples.jsonl   a few completions of every iteration
    machine.json    the machines it was computed on, and the most memory it took there
    data/           iteration-0003.jsonl, ...: what a loop that accumulates its data trained on, prompt and token ids
    checkpoints/    iteration-0003, ...: the policies of the last two iterations, each with `state.safetensors` if the
                    loop carries more than weights from one iteration to the next (an optimizer's moments)

Every write goes to a temporary name and is renamed, so each name holds a whole file or the one before it. Within an
iteration the checkpoint comes first and the metrics row last. The random state of iteration t is a function of (seed,
t), so a run that was killed anywhere redoes the iteration it was in, and its records equal those of a run that was not.
A chat template that prints today's date prints the day the run began, for as long as it lasts. While a run is under way
its folder is held (`spkit.run.locks`), so that no second process writes to it; reading needs no hold.
"""

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from .checkpoints import Savable, finite_weights, remove_old_checkpoints, save_checkpoint
from .description import check_same_run, read_description, with_words
from .errors import NotFinite, SpkitError
from .files import disk_errors, finish_before_interrupt, read_jsonl, write_atomic, write_jsonl
from .json_files import dumps
from .locks import Hold, hold
from .machine import forget_peak, trim_heap, write_machine
from .progress import Silent, Tick, tell

LOWER = "take a lower learning rate (and another --out), or whatever else makes the steps smaller"
FREE_SPACE = "free some space and start the same command again; finished iterations are safe"
SPENT = ("sampled_tokens", "optimizer_steps")  # every record has the totals so far, see `Run.spend`
STAGES = ("propose", "solve", "verify", "learn", "measure")  # every record has the seconds of each


P = TypeVar("P", bound=Savable)


class Run:
    """The records of one run, on disk if it has a folder and in memory alone if not."""

    def __init__(self, folder: str | Path | None = None, progress: Silent | None = None) -> None:
        self.folder = Path(folder) if folder is not None else None
        self.progress = progress or Silent()
        self.records: list[dict[str, Any]] = []
        self._seconds: dict[str, float] = {}
        self._spent: dict[str, int] = {}
        self._data: dict[int, list[tuple[str, list[int]]]] = {}
        self._said: set[str] = set()
        self._hold: Hold | None = None
        self._last: int | None = None

    def pinned(self, base: P) -> P:
        """The base with the date that its chat template prints, if it prints any: the day of the run's first start.

        Begin every loop with it.
        """
        if not base.prompting.dated(base.tokenizer):
            return base
        config = {} if self.folder is None or not self._config.exists() else read_description(self._config)
        day = base.prompting.date or config.get("prompting", {}).get("date") or date.today().isoformat()
        self.say(
            "date",
            (
                f"the chat template prints the date: all prompts of this run show {day}, on other days and "
                "after a restart too"
            ),
        )
        return base.prompted(replace(base.prompting, date=day))

    def say(self, subject: str, message: str) -> None:
        """One line on stderr, once a run and subject."""
        if subject not in self._said:
            self._said.add(subject)
            tell(f"spkit: {message}")

    @property
    def _config(self) -> Path:
        return self.folder / "config.json"

    def begin(self, method: str, task: Any, base: P, config: Any, **identity: Any) -> tuple[P, P]:
        """Begin a run of a loop, or continue it: the base and the policy of the last finished
        iteration, at first the base.

        The base is as given, with the date pinned that its chat template prints (`pinned`). `identity` is what else,
        besides the config (a dataclass), the task's name and the base, makes it this run. Raises what `start` does.
        """
        base = self.pinned(base)
        origin = {"origin": base.origin} if getattr(base, "origin", "") else {}
        identity |= {"engine": base.engine.name} if getattr(base, "engine", None) else {}
        about = {"method": method, "task": task.name, "base": base.fingerprint(), **origin, **identity}
        about["config"] = asdict(config)
        return base, self.start(about, base)

    def replay(self, config: Any, first: Callable[[], dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """The records up to `config.iterations`; in a new run `first()`, which records iteration 0, the base."""
        yield from self.records[: config.iterations + 1]
        if not self.records:
            yield first()

    def iterations(self, config: Any) -> Iterator[int]:
        """The iterations that are left, 1 being the first; after the last one the folder is free."""
        for t in range(len(self.records), config.iterations + 1):
            self.progress.iteration(t - 1, config.iterations)
            yield t
        self.close()

    def start(self, description: dict[str, Any], base: P) -> P:
        """Begin, or continue where the folder's records end; returns the policy of the last finished iteration.
        `description` is plain data that says what the run is; how the base is shown prompts is added to it. The folder
        is held until the run is finished (by the description's `config.iterations`), closed or forgotten. Raises
        SpkitError if the folder cannot be written, is held by another process, holds a run of another description
        (naming the first field that differs), or its last checkpoint is damaged.
        """
        if self.folder is None:
            return base
        forget_peak()
        shown = base.prompting.identity(base.tokenizer)
        description = json.loads(dumps(with_words({"prompting": shown, **description})))
        self._last = description.get("config", {}).get("iterations")
        try:
            self._open(description)
            return base if len(self.records) < 2 else self._load(base, len(self.records) - 1)
        except BaseException:
            self.close()
            raise
        finally:
            self._close_if_finished()

    def _open(self, description: dict[str, Any]) -> None:
        config, metrics = self._config, self.folder / "metrics.jsonl"
        with disk_errors(self.folder, "choose a folder you can write to, with free space, and start again"):
            (self.folder / "checkpoints").mkdir(parents=True, exist_ok=True)
            self._hold = hold(self.folder)
            if config.exists():
                check_same_run(self.folder, read_description(config), description)
            elif metrics.exists():
                raise SpkitError(
                    f"{self.folder} has metrics but no config.json, so it is no run of spkit: choose another folder"
                )
            write_atomic(config, dumps(description, indent=2) + "\n")
            self.records = self._finished(read_jsonl(metrics))
            samples = read_jsonl(self.folder / "samples.jsonl")
            write_jsonl(self.folder / "samples.jsonl", [row for row in samples if row["iteration"] < len(self.records)])

    def close(self) -> None:
        """Let go of the folder; for a run that is left before its last iteration."""
        if self._hold is not None:
            self._hold.release()
        self._hold = None

    def _close_if_finished(self) -> None:
        if self._last is not None and len(self.records) > self._last:
            self.close()

    def _check_hold(self) -> None:
        if self._hold is not None:
            self._hold.check()

    def _finished(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The rows up to the last one whose policy is still there: what somebody removed is done again."""
        while len(rows) > 1 and not self._checkpoint(len(rows) - 1).is_dir():
            rows = rows[:-1]
        return rows

    def _load(self, base: P, iteration: int) -> P:
        path = self._checkpoint(iteration)
        try:
            return base.restored(path)
        except SpkitError as error:
            raise SpkitError(
                f"{error}. To redo that iteration, delete the folder {path} and start the same command again"
            ) from error

    def _checkpoint(self, iteration: int) -> Path:
        return self.folder / "checkpoints" / f"iteration-{iteration:04d}"

    def store(self, iteration: int, pairs: Sequence[tuple[str, list[int]]]) -> None:
        """Keep (prompt, completion ids) of an iteration under way.

        It may be stored again, with the same content, after a kill.
        """
        self._data[iteration] = list(pairs)
        if self.folder is not None:
            with disk_errors(self.folder, FREE_SPACE):
                self._check_hold()
                (self.folder / "data").mkdir(exist_ok=True)
                write_jsonl(self._data_file(iteration), [{"prompt": prompt, "token_ids": ids} for prompt, ids in pairs])

    def stored(self, iteration: int) -> list[tuple[str, list[int]]]:
        """What `store` was given in that iteration, by this process or by one that was killed.

        Raises SpkitError if it is gone.
        """
        if iteration not in self._data:
            if self.folder is None or not self._data_file(iteration).exists():
                raise SpkitError(
                    f"the training data of iteration {iteration} is gone from {self.folder}: delete the "
                    "folder and start the run again"
                )
            self._data[iteration] = [
                (row["prompt"], row["token_ids"])
                for row in read_jsonl(self._data_file(iteration), ("prompt", "token_ids"))
            ]
        return self._data[iteration]

    def _data_file(self, iteration: int) -> Path:
        return self.folder / "data" / f"iteration-{iteration:04d}.jsonl"

    @contextlib.contextmanager
    def stage(self, name: str, total: int = 1, unit: str = "") -> Iterator[Tick]:
        """Time one stage of the iteration under way and show its progress; yields a callable that takes units done.

        NotFinite that is raised inside is given the iteration and the stage.
        """
        begun, others = time.perf_counter(), sum(self._seconds.values())
        try:
            with self.progress.stage(name, total, unit) as tick:
                yield tick
        except NotFinite as error:
            raise self._diverged(len(self.records), f"{name}: {error}") from error
        trim_heap()
        within = sum(self._seconds.values()) - others
        self._seconds[name] = self._seconds.get(name, 0.0) + time.perf_counter() - begun - within

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Time what belongs to another stage than the one under way, where the two take turns."""
        begun = time.perf_counter()
        yield
        self._seconds[name] = self._seconds.get(name, 0.0) + time.perf_counter() - begun

    def spend(self, **counts: int) -> None:
        """Count what the iteration under way takes, measuring apart: decoded tokens, optimizer steps, and what else."""
        for name, count in counts.items():
            self._spent[name] = self._spent.get(name, 0) + count

    def _totals(self) -> dict[str, int]:
        """What the run has taken so far; nothing for one that was begun before this was counted."""
        before = self.records[-1] if self.records else dict.fromkeys(SPENT, 0)
        if not set(SPENT) <= set(before):
            return {}
        return {name: before.get(name, 0) + self._spent.get(name, 0) for name in dict.fromkeys([*SPENT, *self._spent])}

    def record(
        self,
        iteration: int,
        policy: Savable,
        samples: list[dict[str, Any]],
        state: dict[str, Tensor] | None = None,
        **values: Any,
    ) -> dict[str, Any]:
        """Close an iteration: write its checkpoint, samples and metrics row, and return the row.

        `state` is what the loop needs besides the weights to go on as if it had not been stopped; `state_of` hands it
        back. The first Ctrl+C waits until the row is written; a second one stops at once, and the iteration is redone
        on resume. Raises NotFinite, and writes nothing, if a weight or a value is NaN or infinite.
        """
        seconds = {name: round(value, 3) for name, value in {**dict.fromkeys(STAGES, 0.0), **self._seconds}.items()}
        values = {"iteration": iteration, **values, **self._totals(), "seconds": seconds}
        row = self._row(iteration, policy, values, samples)
        self._seconds, self._spent = {}, {}
        rows = [*self.records, row]
        if self.folder is not None:
            with finish_before_interrupt(), disk_errors(self.folder, FREE_SPACE):
                self._check_hold()
                if iteration > 0:
                    save_checkpoint(self._checkpoint(iteration), policy, state)
                earlier = read_jsonl(self.folder / "samples.jsonl")
                write_jsonl(
                    self.folder / "samples.jsonl", earlier + [{"iteration": iteration, **sample} for sample in samples]
                )
                write_jsonl(self.folder / "metrics.jsonl", rows)
                write_machine(self.folder)
                remove_old_checkpoints(self.folder, iteration)
        self.records = rows
        self._close_if_finished()
        return row

    def _row(
        self, iteration: int, policy: Savable, row: dict[str, Any], samples: list[dict[str, Any]]
    ) -> dict[str, Any]:
        """The row as it is read back."""
        try:
            if not finite_weights(policy):
                raise NotFinite("a weight of the policy is NaN or infinite after the last step")
            dumps(samples)
            return json.loads(dumps(row))
        except NotFinite as error:
            raise self._diverged(iteration, f"{error}: {LOWER}") from error

    def _diverged(self, iteration: int, what: str) -> NotFinite:
        kept = f"; what was finished before is in {self.folder}" if self.folder is not None and self.records else ""
        return NotFinite(f"iteration {iteration}, {what}{kept}")

    def last_policy(self, base: P) -> P:
        """The policy of the last finished iteration. Raises SpkitError without a folder, or if it is damaged."""
        if self.folder is None:
            raise SpkitError("a run without a folder keeps no policies: give it a folder")
        return base if len(self.records) < 2 else self._load(base, len(self.records) - 1)

    def state_of(self, iteration: int) -> dict[str, Tensor]:
        """The `state` that the record of that iteration was given. Raises SpkitError if it is gone or damaged."""
        path = self._checkpoint(iteration) / "state.safetensors"
        try:
            return load_file(path)
        except (OSError, SafetensorError) as error:
            raise SpkitError(
                f"{path} is gone or damaged: delete the folder {path.parent} and start the same command again"
            ) from error
