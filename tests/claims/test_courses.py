"""Courses: every iteration of a run and all of its looks come back where they were; those that are shipped agree with
the results of the claims where no rounding has parted them.
"""

import json
from pathlib import Path
from statistics import fmean

import pytest

from spkit.claims import course_curves, course_records, stored_curves
from spkit.claims.__main__ import main
from spkit.claims.courses import EVERY, IN_EVERY_ITERATION, write_course
from spkit.run.errors import SpkitError

SHIPPED = Path(__file__).parents[2] / "data" / "results" / "courses"
NAMES = sorted(path.stem for path in SHIPPED.glob("*.json"))
CLAIMED = {
    "az": "az-deep",
    "az-vote-off": "az-gate",
    "az-half": "az-shape",
}  # in whose result a run is; by default that of its own name


def record(t: int, looked: bool) -> dict:
    """One that says its iteration in every number; validity is None in iteration 2."""
    number = lambda key: {} if t == 0 else {key: None if (key, t) == ("valid", 2) else float(t)}
    every = {key: value for name in IN_EVERY_ITERATION if "." not in name for key, value in number(name).items()}
    levels = {how: {str(level): level * t / 10 for level in range(1, 6)} for how in ("greedy", "pass@1", "pass@8")}
    test = {"tests": {"deduction": levels}, "accuracy": t / 10, "pass_at_k": {"1": t / 20, "8": t / 5}}
    return {"iteration": t, **every, "learned": number("loss"), **(test if looked else {})}


def test_what_is_written_comes_back_at_its_iterations(tmp_path):
    records = [record(t, t in (0, 2, 5)) for t in range(6)]
    path = write_course("some", {0: records, 3: records[:1]}, tmp_path)
    assert path == tmp_path / "some.json" and list(json.loads(path.read_text())["seeds"]) == ["0", "3"]
    found, only_the_base = course_records("some", tmp_path)
    assert [one["iteration"] for one in found] == list(range(6)) and len(only_the_base) == 1
    assert [one["valid"] for one in found] == [None, 1, None, 3, 4, 5]
    assert {t: one["accuracy"] for t, one in enumerate(found) if "accuracy" in one} == {0: 0, 2: 0.2, 5: 0.5}
    assert found[5]["pass_at_k"] == {"1": 0.25, "8": 1} and found[4]["learned"] == {"loss": 4}
    assert course_curves("some", "at", folder=tmp_path) == [[0, 2, 5], [0]]
    assert course_curves("some", "deep", "greedy", folder=tmp_path)[0] == pytest.approx([0, 0.8, 2.0])  # levels 3 to 5


def test_a_course_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SpkitError, match="no course of 'nonsense' in .* \\(there are: none\\)"):
        course_records("nonsense", tmp_path)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["az", "nonsense"], "there is no run 'nonsense': choose among az, "),
        (["az", "--seeds", "0"], "seeds must be 1"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_runs(arguments, said, tmp_path, capsys):
    assert main([*arguments, "--work", str(tmp_path / "work"), "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.startswith(said) and not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_course_has_every_iteration_and_nine_looks_or_more(name):
    assert (SHIPPED / f"{name}.json").stat().st_size < 200_000
    for seed in course_records(name):
        last = seed[-1]["iteration"]
        assert [one["iteration"] for one in seed] == list(range(last + 1)) and last in (40, 60)
        assert [one["iteration"] for one in seed if "accuracy" in one] == list(range(0, last + 1, EVERY))
        assert all(one["solve_rate"] is not None and one["useful_groups"] is not None for one in seed[1:])
        losses = [one["learned"]["loss"] for one in seed[1:]]
        assert sum(loss is not None for loss in losses) > last / 2  # an iteration without a useful group has no step


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_course_begins_as_the_run_of_the_claims_and_ends_near_it(name):
    claim = CLAIMED.get(name, name)
    ours, theirs = course_curves(name, "accuracy"), stored_curves(claim, name, "accuracy")
    rates, tens = course_curves(name, "solve_rate"), stored_curves(claim, name, "solve_rate")
    assert len(ours) == len(theirs)
    for seed, curve in enumerate(ours):
        assert curve[0] == theirs[seed][0]
        assert fmean(rates[seed][1:11]) == pytest.approx(tens[seed][0], abs=2e-4)  # a mean of ten, each to four digits
    ends = [fmean(curve[-1] for curve in curves) for curves in (ours, theirs)]
    assert ends[0] == pytest.approx(ends[1], abs=0.05)
