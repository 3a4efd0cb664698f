"""What the tests cost, module by module, printed at the end beside a budget: seconds of the processor, which are much
the same however busy the machine is.
"""

import os
from collections import Counter
from collections.abc import Iterable

SECONDS = 540  # of all modules together: less than five minutes on two cores
MODULE = 40  # of a module; those of ABOVE are known to need more
ABOVE = {"tests/notebooks/test_notebooks.py": 120}
FROM = 60  # seconds, from which on the table is shown: who runs a module or two sees none


def spent_so_far() -> float:
    """Seconds that this process and those it has waited for have had of a processor."""
    now = os.times()
    return now.user + now.system + now.children_user + now.children_system


def by_module(durations: Iterable[tuple[str, float]]) -> Counter[str]:
    """Seconds of each module, from (test id, seconds) of every phase of every test."""
    spent: Counter[str] = Counter()
    for test, seconds in durations:
        spent[test.partition("::")[0]] += seconds
    return spent


def lines(spent: Counter[str], whole: bool) -> list[str]:
    """The table of the slowest modules. What `make test` leaves out (`whole`) has no budget."""
    total = sum(spent.values())
    if total < FROM:
        return []
    said = [f"{total:.0f} CPU s of tests in all processes" + ("" if whole else f", of a budget of {SECONDS} s")]
    for module, seconds in spent.most_common(8):
        budget = ABOVE.get(module, MODULE)
        above = "" if whole or seconds <= budget else f", more than its {budget} s"
        said.append(f"{seconds:6.0f} s  {module}{above}")
    return said
