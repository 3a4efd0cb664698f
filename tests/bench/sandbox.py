"""Programs a second in the sandbox: small ones, each in a fresh state.

    taskset -c 0 python -m tests.bench.sandbox [--programs 3000] [--backend monty]

Two thirds are generated programs, one third raises. `wall` counts seconds on the clock,
`cpu` the processor time of this process and of its workers together: what one core could do if nobody else were on it.
"""

import argparse
import statistics
import time

from spkit.sandbox import open_sandbox
from spkit.tasks import load_task
from tests.bench.costs import processor_seconds

BROKEN = "def f(x):\n    return x.missing"


def programs(count: int) -> list[tuple[str, str]]:
    """So many programs, each with what it is given."""
    task = load_task("python_programs-induction")
    problems = [task.problem(0, index) for index in range(100)]
    task.sandbox.close()
    calls = [(problem.program, given) for problem in problems for given in problem.inputs[:2]] + [
        (BROKEN, str(number)) for number in range(100)
    ]
    return (calls * (1 + count // len(calls)))[:count]


def run(backend: str, calls: list[tuple[str, str]]) -> tuple[int, float]:
    """(programs that end well, seconds on the clock); afterwards the worker has ended, and its time counts."""
    sandbox, begun = open_sandbox(backend), time.perf_counter()
    results = [sandbox.run(program, [given])[0] for program, given in calls]
    wall = time.perf_counter() - begun
    sandbox.close()
    return sum(result.ok for result in results), wall


def main() -> None:
    """Print one line a turn, and the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=int, default=3000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--backend", default="monty", choices=["monty", "subprocess"])
    arguments = parser.parse_args()
    calls, rates = programs(arguments.programs), []
    for turn in range(arguments.repeats):
        spent = processor_seconds()
        ok, wall = run(arguments.backend, calls)
        rates.append((len(calls) / wall, len(calls) / (processor_seconds() - spent)))
        print(
            f"turn {turn}: {rates[-1][0]:7,.0f} programs/s (wall) {rates[-1][1]:7,.0f} (cpu)   {ok} of {len(calls)} ok"
        )
    print(
        f"{arguments.backend}: median {statistics.median(wall for wall, _ in rates):,.0f} programs/s "
        f"(wall), {statistics.median(cpu for _, cpu in rates):,.0f} (cpu)"
    )


if __name__ == "__main__":
    main()
