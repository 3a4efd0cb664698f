"""What one piece of work costs, two sides in turn, their ratio and its spread, and how a cost grows."""

import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log
from typing import NamedTuple

PLAIN_TRAINER = {  # what the trainers of transformers and TRL are told here: float32 on the CPU, and nothing but steps
    "max_grad_norm": 1.0,
    "use_cpu": True,
    "bf16": False,
    "report_to": [],
    "save_strategy": "no",
    "logging_strategy": "no",
    "disable_tqdm": True,
}


class Cost(NamedTuple):
    """Seconds by the clock, and of the processor (children that have ended included), for so many units of work."""

    units: float
    clock: float
    processor: float


Side = Callable[[int], Cost]  # does the work of round i


@dataclass(frozen=True)
class Comparison:
    """One line of the table. `theirs` is None where the peer is not installed."""

    name: str
    unit: str
    peer: str
    ours: Side
    theirs: Side | None
    warm: bool = True  # whether a first round, which is not counted, is worth its time


def processor_seconds() -> float:
    """Of this process and of its children that have ended."""
    return sum(os.times()[:4])


def timed(act: Callable[[], float]) -> Cost:
    """The cost of an act that returns how many units it did."""
    clock, processor = time.perf_counter(), processor_seconds()
    units = act()
    return Cost(units, time.perf_counter() - clock, processor_seconds() - processor)


def rounds(one: Comparison, count: int) -> dict[str, list[Cost]]:
    """The costs of both sides, who take turns at being first."""
    sides = {"ours": one.ours} | ({"theirs": one.theirs} if one.theirs else {})
    costs: dict[str, list[Cost]] = {name: [] for name in sides}
    for number in range(-1 if one.warm else 0, count):
        for name in sorted(sides, reverse=number % 2 == 0):
            cost = sides[name](max(0, number))
            if number >= 0:
                costs[name].append(cost)
    return costs


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, least and most."""
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def compared(one: Comparison, costs: dict[str, list[Cost]]) -> dict:
    """A row of the results: units a second of each side, and within each round how many times as fast ours is."""
    row = {"name": one.name, "unit": one.unit, "peer": one.peer, "installed": one.theirs is not None}
    row |= {f"{side}_per_second": spread([c.units / c.clock for c in found]) for side, found in costs.items()}
    if one.theirs is not None:
        pairs = list(zip(costs["ours"], costs["theirs"]))
        row["ratio"] = spread([(b.clock / b.units) / (a.clock / a.units) for a, b in pairs])
        row["ratio_processor"] = spread([(b.processor / b.units) / (a.processor / a.units) for a, b in pairs])
    return row


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """The slope of log seconds over log size, by least squares: 1 if twice the size takes twice as long."""
    return statistics.linear_regression([log(size) for size in sizes], [log(second) for second in seconds]).slope
