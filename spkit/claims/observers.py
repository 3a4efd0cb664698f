"""Learnable information (epiplexity, arXiv:2603.02218): what observers of other sizes say of a stream, and what is in
the stream that a run of Absolute Zero makes for itself.

An observer's size is the rank of its LoRA adapter on the base of expressions: the same knowledge to start from, more or
less room to learn. Its streams are those of notebook 01, solutions of programs 1 deep whose last value is noise, or
follows a rule that the base does not know.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ..loops.absolute_zero import AbsoluteZeroConfig, absolute_zero
from ..measures.epiplexity import ObserverConfig, Pair, epiplexity
from ..policy import Policy, load_policy
from ..run.folder import Run, read_jsonl
from ..tasks import Task
from .sweeps import sweep

OBSERVER_OF_STREAMS = ObserverConfig(train_tokens=6000, validation_tokens=1200, learning_rate=3e-3)
OBSERVER_OF_RUNS = ObserverConfig(train_tokens=4000, validation_tokens=1000)
UNMEASURED = AbsoluteZeroConfig(measure_every=1000, test_per_difficulty=1, test_samples=1)


@dataclass(frozen=True)
class SizesConfig:
    """Observers of these ranks, on both streams."""

    seed: int = 0
    ranks: tuple[int, ...] = (1, 8, 64)
    texts: int = 1400
    observer: ObserverConfig = OBSERVER_OF_STREAMS

    @property
    def iterations(self) -> int:
        """A record for each rank."""
        return len(self.ranks)


def sizes(base: Policy, task: Task, config: SizesConfig, run: Run | None = None) -> Iterator[dict[str, Any]]:
    """S (bits) of both streams, one record for each rank."""
    from ..policy.lora import LoraSettings

    settings = replace(config.observer, seed=config.seed)

    def measure(base: Policy, t: int) -> dict[str, Any]:
        rank = config.ranks[t - 1]
        observer = load_policy("expressions", lora=LoraSettings(rank, 2 * rank, gradient_checkpointing=False))
        streams = {name: noise_or_rule(observer, task, name, config) for name in ("noise", "rule")}
        found = {name: round(epiplexity(observer, some, settings).S, 1) for name, some in streams.items()}
        return {"rank": rank, **found}

    yield from sweep("observers", base, task, config, run or Run(), measure)


def noise_or_rule(policy: Policy, task: Task, name: str, config: SizesConfig) -> list[Pair]:
    """Solutions whose last value is a random digit (`noise`), or the right one plus 3 (`rule`)."""
    digits = torch.randint(10, (config.texts,), generator=torch.Generator().manual_seed(config.seed)).tolist()
    pairs = []
    for index, digit in enumerate(digits):
        problem = task.problem(config.seed, index, 1)
        last = digit if name == "noise" else (int(problem.answer) + 3) % 10
        pairs.append((problem.prompt, policy.completion_ids(task.solution(problem)[:-1] + str(last))))
    return pairs


@dataclass(frozen=True)
class InformationConfig:
    """What there is to learn in a run's own solutions: after each of the iterations `at`, over the last `window`."""

    seed: int = 0
    loop: AbsoluteZeroConfig = UNMEASURED
    at: tuple[int, ...] = (3, 20, 40, 60)
    window: int = 3
    observer: ObserverConfig = OBSERVER_OF_RUNS

    @property
    def iterations(self) -> int:
        """A record for each look."""
        return len(self.at)


def information(
    base: Policy, task: Task, config: InformationConfig, run: Run | None = None
) -> Iterator[dict[str, Any]]:
    """One record for each look: what there is to learn for the base in the right solutions of that time (S and H), and
    the mean depth of what was solved.

    The run that is looked at is kept in a folder of its own, `play`, and continued like any other.
    """
    run, settings = run or Run(), replace(config.observer, seed=config.seed)
    with _play_folder(run) as folder:
        played = Run(folder, run.progress)
        records = absolute_zero(base, task, replace(config.loop, seed=config.seed), played)

        def measure(base: Policy, t: int) -> dict[str, Any]:
            after = config.at[t - 1]
            depth = next(record["depth"] for record in records if record["iteration"] == after)
            found = epiplexity(base, right_solutions(base, folder, after, config.window), settings)
            return {"played_iteration": after, "S": found.S, "H": found.H, "depth": depth}

        try:
            yield from sweep("information", base, task, config, run, measure)
        finally:
            played.close()


@contextmanager
def _play_folder(run: Run) -> Iterator[Path]:
    if run.folder is not None:
        yield run.folder / "play"
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def right_solutions(policy: Policy, folder: Path, after: int, window: int) -> list[Pair]:
    """The right solutions of a run's last `window` iterations up to `after`, as (prompt, token ids), as often as they
    were written.
    """
    rows = [row for row in read_jsonl(folder / "samples.jsonl") if after - window < row.get("step", 0) <= after]
    right = [(row["prompt"], row["completion"]) for row in rows if row["role"] == "solver" and row["correct"]]
    return [(prompt, policy.completion_ids(completion)) for prompt, completion in right]
