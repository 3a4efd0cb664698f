"""The guard bites: what hangs on a last bit is seen, and what does not is left alone."""

import builtins
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from tests.portable.cells import ROOT, Cell, needed, run
from tests.portable.rounding import NUDGE, nudge
from tests.portable.settings import settings

CHAOS = """
import numpy as np
x = np.exp(-np.linspace(0.1, 1, 5))
for _ in range(150):
    x = 3.9 * x * (1 - x)
print(x.round(2))
"""
SOUND = "import numpy as np\nprint(f'{np.exp(-0.7):.4f} {np.exp(0):.1f} {2.0**0.5:.6f}')"


def printed(source: str) -> str:
    done = subprocess.run([sys.executable, "-c", source], check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture
def other_roundings(monkeypatch):
    monkeypatch.setattr(builtins, NUDGE, lambda value: nudge(value, 1), raising=False)


def test_a_strict_cell_that_hangs_on_a_last_bit_is_red(other_roundings):
    cell = Cell(3, CHAOS, printed(CHAOS), compared=True)
    assert not run("a", [cell], shaken=False).changed
    ((number, what),) = run("a", [cell], shaken=True).changed
    assert number == 3 and what.startswith("--- committed\n+++ here\n-[0.") and "\n+[0." in what


def test_one_that_rounds_far_from_an_edge_is_not(other_roundings):
    assert not run("a", [Cell(0, SOUND, printed(SOUND), compared=True)], shaken=True).changed


def test_what_is_not_compared_may_differ_and_what_fails_is_told():
    cells = [Cell(0, "print(1)", "2\n", False), Cell(1, "print(1)", "2\n", True), Cell(2, "assert 1 > 2", "", False)]
    assert [number for number, _ in run("a", cells, shaken=False).changed] == [1, 2]


def test_the_margin_of_an_assert_is_its_least():
    cell = Cell(0, "points = [0.25, 0.1]\nassert all(0 <= y < 0.3 for y in points) and 'a' < 'b'", "", False)
    assert run("a", [cell], shaken=False).margins == [(0, "0 <= y < 0.3", 0.25, 0.3)]


def test_comparisons_mean_what_they_did():
    source = (
        "assert 1 < 2 <= 2.0 and not 2 < 1 < 3 and (np.arange(3) >= 0).all() and torch.tensor(2.0) > 1 and [1] < [2]"
    )
    assert not run("a", [Cell(0, "import numpy as np, torch\n" + source, "", False)], shaken=False).changed


def test_only_what_the_compared_cells_read_is_run():
    sources = [
        "import numpy as np\np = 1",
        "model = p",
        "q = [p for p in range(3)]",
        "for p in (1, 2):\n    x = p",
        "print(q, p)",
        "p = 5",
    ]
    cells = [Cell(i, source, "", source.startswith("print")) for i, source in enumerate(sources)]
    assert [cell.number for cell in needed(cells)] == [2, 3, 4]


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_value_moves_by_one_last_place_at_most_and_an_exact_one_stays(kind):
    values = np.random.default_rng(0).normal(size=1000).astype(kind)
    steps = (nudge(values, 1) - values) / np.spacing(np.abs(values))
    assert (
        set(steps) == {-1, 0, 1}
        and (nudge(values, 2) != nudge(values, 1)).any()
        and (nudge(values, 1) == nudge(values, 1)).all()
    )
    exact = np.array([0, 1, -0.375, 40, np.inf], dtype=kind)
    assert (nudge(exact, 1) == exact).all() and nudge(0.5, 1) == 0.5 and nudge("a", 1) == "a" and nudge(7, 1) == 7


def test_a_gradient_passes_through():
    values = torch.linspace(0.1, 1, 9, requires_grad=True)
    moved = nudge(values.log(), 1)
    moved.sum().backward()
    assert not torch.equal(moved, values.log()) and torch.equal(values.grad, 1 / values.detach())


def test_spkit_is_imported_with_other_roundings():
    played = "print([s.policy.tolist() for s in kuhn.policy_gradient(kuhn.LearnerConfig(), [0], 60)])"
    source = "{}\nfrom spkit.games import kuhn\n" + played
    plain, shaken = (
        eval(printed(source.format(first))) for first in ("", "from tests.portable.rounding import shake; shake(1)")
    )  # our own text
    assert plain != shaken and np.allclose(plain, shaken, rtol=1e-12)


@pytest.mark.parametrize("setting", settings(), ids=lambda setting: setting.name)
def test_every_name_is_one_that_this_machine_knows(setting):
    source = "import numpy as np; print(np.show_config(mode='dicts')['SIMD Extensions'].get('found', []))"
    environment = os.environ | setting.variables
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", source],
        check=False,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert not any(
        repr(name) in done.stdout for name in setting.variables.get("NPY_DISABLE_CPU_FEATURES", "").split(",") if name
    )
