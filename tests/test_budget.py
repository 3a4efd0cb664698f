"""The table at the end of a run of the tests."""

import subprocess
import sys
import time
from collections import Counter

from tests.budget import MODULE, SECONDS, by_module, lines, spent_so_far


def test_the_phases_of_a_modules_tests_add_up():
    spent = by_module([("tests/a.py::test_x", 1.0), ("tests/a.py::test_x[b::c]", 2.0), ("tests/b.py::test_x", 0.5)])
    assert spent == {"tests/a.py": 3.0, "tests/b.py": 0.5}


def test_what_is_above_its_budget_is_said():
    spent = Counter({"tests/a.py": MODULE + 1.0, "tests/b.py": MODULE - 1.0, "tests/notebooks/test_notebooks.py": 50.0})
    first, *rest = lines(spent, whole=False)
    assert first.startswith(f"{2 * MODULE + 50} CPU s of tests") and f"budget of {SECONDS} s" in first
    assert [line for line in rest if "more than" in line] == [f"{MODULE + 1:6} s  tests/a.py, more than its {MODULE} s"]
    assert not [line for line in lines(spent, whole=True) if "more than" in line or "budget" in line]


def test_a_module_alone_is_told_nothing():
    assert lines(Counter({"tests/a.py": 20.0}), whole=False) == []


def test_what_a_child_computed_counts_and_waiting_does_not():
    begun = spent_so_far()
    time.sleep(0.3)
    slept = spent_so_far()
    code = "import time\nwhile time.process_time() < 0.4: pass"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert slept - begun < 0.1 and 0.3 <= spent_so_far() - slept < 5
