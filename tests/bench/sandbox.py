"""Programs a second in the sandbox: small ones, each in a fresh state.

    taskset -c 0 python tests/bench/sandbox.py [--programs 3000] [--backend monty]

Two thirds are generated programs, one third raises. `wall` counts seconds on the clock,
`cpu` the processor time of this process and of its workers together: what one core could do if nobody else were on it.
"""

import argparse
import resource
import statistics
import time

from spkit.sandbox import open_sandbox
from spkit.tasks import load_task

BROKEN = "def f(x):\n    return x.missing"


def used() -> float:
    """Processor seconds of this process and of the children that have ended."""
    return sum(
        part.ru_utime + part.ru_stime
        for part in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def main() -> None:
    """Print one line a turn, and the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=int, default=3000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--backend", default="monty", choices=["monty", "subprocess"])
    arguments = parser.parse_args()
    task = load_task("python_programs-induction")
    problems = [task.problem(0, index) for index in range(100)]
    task.sandbox.close()
    calls = [(problem.program, given) for problem in problems for given in problem.inputs[:2]] + [
        (BROKEN, str(number)) for number in range(100)
    ]
    calls = (calls * (1 + arguments.programs // len(calls)))[: arguments.programs]
    rates = []
    for turn in range(arguments.repeats):
        sandbox, spent, begun = open_sandbox(arguments.backend), used(), time.perf_counter()
        results = [sandbox.run(program, [given])[0] for program, given in calls]
        wall = time.perf_counter() - begun
        sandbox.close()  # its worker has ended, and its time counts
        rates.append((len(calls) / wall, len(calls) / (used() - spent)))
        print(
            f"turn {turn}: {rates[-1][0]:7,.0f} programs/s (wall) {rates[-1][1]:7,.0f} (cpu)   "
            f"{sum(result.ok for result in results)} of {len(results)} ok"
        )
    print(
        f"{arguments.backend}: median {statistics.median(wall for wall, _ in rates):,.0f} programs/s "
        f"(wall), {statistics.median(cpu for _, cpu in rates):,.0f} (cpu)"
    )


if __name__ == "__main__":
    main()
