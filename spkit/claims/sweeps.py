"""Measurements of a base under one setting after the other, with a record each, so that a kill costs one at most."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..measures.accuracy import wrong_steps_rate
from ..policy import Policy
from ..run.folder import Run
from ..run.streams import generator
from ..stages.solve import solve
from ..tasks import Task, test_set


def sweep(
    method: str,
    base: Policy,
    task: Task,
    config: Any,
    run: Run,
    measure: Callable[[Policy, int], dict[str, Any]],
) -> Iterator[dict[str, Any]]:
    """One record for each of `config.iterations` settings, after an empty one of the base.

    `measure` says what the base does under setting t = 1, 2, ...; a run with a folder continues where its records end.
    """
    base, _ = run.begin(method, task, base, config)
    yield from run.replay(config, partial(run.record, 0, base, []))
    for t in run.iterations(config):
        with run.stage("measure"):
            found = measure(base, t)
        yield run.record(t, base, [], **found)


@dataclass(frozen=True)
class TemperatureConfig:
    """`samples` of every test problem at each temperature."""

    seed: int = 0
    temperatures: tuple[float, ...] = (0.4, 0.7, 1.0, 1.3)
    samples: int = 16
    test_per_difficulty: int = 50

    @property
    def iterations(self) -> int:
        """A record for each temperature."""
        return len(self.temperatures)


def temperatures(
    base: Policy, task: Task, config: TemperatureConfig, run: Run | None = None
) -> Iterator[dict[str, Any]]:
    """The base's sampled accuracy and wrong-step rate, one record for each temperature."""
    tests = test_set(task, config.test_per_difficulty)

    def measure(base: Policy, t: int) -> dict[str, Any]:
        temperature = config.temperatures[t - 1]
        draw = generator(config.seed, 0, "temperature-", temperature)
        verdicts = solve(base, task, tests, config.samples, temperature=temperature, generator=draw).verdicts
        right = sum(verdict.correct for verdict in verdicts) / len(verdicts)
        return {"temperature": temperature, "accuracy": right, "wrong_steps_rate": wrong_steps_rate(verdicts)}

    yield from sweep("temperatures", base, task, config, run or Run(), measure)
