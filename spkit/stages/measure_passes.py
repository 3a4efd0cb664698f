"""pass@k at large k: many samples of held-out problems, of a base and of what was trained from it.

Where answers are few, as digits are, pass@k at large k is what guessing gives. So everything is there twice: of right
answers, and under `steps_right` of right answers without a wrong step, of the same samples.
"""

from collections.abc import Sequence
from typing import Any

import torch

from ..measures.pass_curves import compare_passes, temperature_curves
from ..policy import Policy
from ..run.streams import generator
from ..tasks import Problem, Task
from .solve import solve


def right_counts(
    policy: Policy, task: Task, problems: Sequence[Problem], n: int, temperature: float, draw: torch.Generator
) -> tuple[list[int], list[int]]:
    """How many of n samples of each problem are right, and how many of them have no wrong step.

    Raises SpkitError as `solve` does.
    """
    drawn = solve(policy, task, problems, n, temperature=temperature, generator=draw)
    rows = drawn.by_problem(drawn.verdicts)
    right = [[verdict for verdict in row if verdict.correct] for row in rows]
    return [len(row) for row in right], [sum(verdict.step_errors == 0 for verdict in row) for row in right]


def measure_passes(
    base: Policy, trained: Policy, task: Task, problems: Sequence[Problem], n: int, seed: int
) -> dict[str, Any]:
    """pass@k of both at temperature 1, up to k = n, and where they cross: see `measures.pass_curves.compare_passes`.

    Both draw with the same random numbers, sample by sample.
    """
    counts = [right_counts(one, task, problems, n, 1.0, generator(seed, 0, "passes")) for one in (base, trained)]
    right, whole = (compare_passes(theirs, ours, n, seed) for theirs, ours in zip(*counts))
    return {**right, "steps_right": whole}


def sweep_passes(
    policy: Policy, task: Task, problems: Sequence[Problem], n: int, temperatures: Sequence[float], seed: int
) -> dict[str, Any]:
    """pass@k at each temperature, up to k = n: see `measures.pass_curves.temperature_curves`.

    All temperatures draw with the same random numbers, those of `measure_passes`.
    """
    counts = {
        temperature: right_counts(policy, task, problems, n, temperature, generator(seed, 0, "passes"))
        for temperature in temperatures
    }
    right, whole = (
        temperature_curves(lambda temperature, kind=kind: counts[temperature][kind], n, temperatures, seed)
        for kind in (0, 1)
    )
    return {**right, "steps_right": whole}
