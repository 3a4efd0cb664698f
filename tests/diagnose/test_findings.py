"""A finding says what was seen, how sure that is, what to try, and where the course explains it; what makes the others
unsafe to read comes first.
"""

import json
import random
import re
from dataclasses import asdict, fields
from functools import cache
from pathlib import Path

import pytest

from spkit.diagnose.audit import read_audit
from spkit.diagnose.findings import moved, quarters
from spkit.diagnose.judge import Diagnosis, diagnose
from spkit.diagnose.steps import Evidence, Step
from spkit.diagnose.thresholds import DEFAULT
from spkit.diagnose.totals import Totals
from spkit.diagnose.truncation import common_cap
from tests.diagnose.faults import FAULTS
from tests.diagnose.world import World, diagnosis_of, rows

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
PLANTED = [name for name in FAULTS if name != "healthy"]


@cache
def planted(fault: str) -> Diagnosis:
    return diagnosis_of(rows(FAULTS[fault][0], 0))


def sections(number: str) -> list[str]:
    (path,) = NOTEBOOKS.glob(f"{number}_*.ipynb")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return re.findall(r"^## (\d+) ·", text, re.MULTILINE)


@pytest.mark.parametrize("fault", PLANTED)
def test_a_finding_is_complete(fault):
    finding = planted(fault).findings[0]
    assert finding.name == fault and len(finding.advice) >= 2
    number, section = re.fullmatch(r"notebooks/(\d\d), section (\d+)", finding.where).groups()
    assert section in sections(number), "the course explains it there"
    assert set(finding.shown) <= {item.name for item in fields(Step)} and finding.shown
    assert re.search(r"\d", finding.text), "the text has figures"
    json.dumps(asdict(finding), allow_nan=False)


@pytest.mark.parametrize("fault", PLANTED)
def test_a_finding_says_how_sure_it_is(fault):
    """An interval of a share holds the share; findings that compare two windows tell both."""
    found = [value for value in planted(fault).findings[0].figures.values() if value is not None]
    intervals = [value for value in found if isinstance(value, dict) and "interval" in value]
    nested = [rate for value in found if isinstance(value, dict) for rate in value.values() if isinstance(rate, dict)]
    pairs = [value for value in found if isinstance(value, tuple) and len(value) == 2]
    assert intervals or nested or pairs
    for one in intervals:
        low, high = one["interval"]
        assert 0 <= low <= one["rate"] <= high <= 1 and one["of"] > 0


def test_forty_steps_that_are_all_cut_are_no_starvation():
    world = World(steps=40, proposer=False, words=60.0, letters=90)
    diagnosis = diagnosis_of(rows(world, 0))
    assert diagnosis.verdict == "truncated"
    assert "starvation" in [finding.name for finding in diagnosis.findings[1:]]
    assert "end token" in diagnosis.findings[0].text


def test_what_is_cut_and_right_all_the_same_is_no_fault():
    made = rows(World(steps=8, proposer=False, ends="finish", words=30.0), 0)
    for row in made:
        row["finish"] = "length" if row["reward"] else row["finish"]
    assert "truncated" not in [finding.name for finding in diagnosis_of(made).findings]


def test_an_audit_shows_hacking_where_no_row_says_whether_it_is_right(tmp_path):
    made = rows(World(padded_pays=(0.0, 0.8), truth=True, proposer=False, problems=32, ways=50 // 5), 0)
    audited = random.Random(0).sample(made, 160)
    path = tmp_path / "audit.jsonl"
    path.write_text(
        "".join(json.dumps({key: row[key] for key in ("prompt", "completion", "correct")}) + "\n" for row in audited)
    )
    blind = [{key: value for key, value in row.items() if key != "correct"} for row in made]
    diagnosis = diagnosis_of(blind, Totals(read_audit(path)))
    assert diagnosis.verdict == "reward hacking" and "the audit's share" in diagnosis.findings[0].text
    assert len(diagnosis.evidence.audited) == 160
    assert diagnosis_of(blind).verdict != "reward hacking"


def test_a_reward_for_the_form_drowns_the_answer_if_it_is_large_and_not_if_it_is_small():
    diagnosis = diagnosis_of(rows(World(proposer=False, form=9.0), 0))
    assert "drowned reward" in [finding.name for finding in diagnosis.findings]
    small = diagnosis_of(rows(World(proposer=False, form=0.5), 0))
    assert "drowned reward" not in [finding.name for finding in small.findings]


@pytest.mark.parametrize("missing", [item.name for item in fields(Step) if item.name not in ("step", "groups")])
def test_a_number_that_a_log_does_not_say_stops_no_judge(missing):
    """Of one planted run of each kind, with a field taken away."""
    empty = Step(0)
    for fault in ("truncated", "format", "stale rows", "drowned reward", "collapse", "length drift"):
        evidence = planted(fault).evidence
        steps = tuple(
            Step(**{**asdict(step), missing: getattr(empty, missing)})
            for step in evidence.steps
        )  # fmt: skip
        whole = {item.name: getattr(evidence, item.name) for item in fields(Evidence)}
        diagnose(Evidence(**{**whole, "steps": steps}))


def test_quarters_and_noise():
    steps = [Step(index, groups=10, solve_rate=float(index >= 4)) for index in range(8)]
    assert quarters(steps, "solve_rate") == (0.0, 0.0, 1.0, 1.0)
    assert moved(Step(0, groups=100), Step(1, groups=100)) == pytest.approx(1.96 * (0.25 / 50) ** 0.5)
    assert DEFAULT.cut < DEFAULT.never_ends


def test_a_cap_is_a_longest_length_that_steps_share():
    import polars as pl

    assert common_cap(pl.Series([64, 64, 60, 64])) == 64 and common_cap(pl.Series([61, 64, 60, 59, 58])) is None
    assert common_cap(pl.Series([64])) == 64 and common_cap(pl.Series([None, None], dtype=pl.Int64)) is None
    assert common_cap(pl.Series([64, 64, 1, 2, 3]), characters=True) is None
