"""The ledger's arithmetic, and that the README says what the result files say."""

import json
import math
import statistics
from pathlib import Path

import pytest

from spkit.claims import CLAIMS, interval, markdown_table, verdict
from spkit.claims.star_addition import first_above_half
from spkit.errors import SpkitError

ROOT = Path(__file__).parents[1]


def test_interval_is_students():
    low, high = interval([1.0, 2.0, 3.0])
    half = 4.302653 * 1.0 / math.sqrt(3)
    assert (low, high) == pytest.approx((2 - half, 2 + half), abs=1e-3)
    many = [float(i % 2) for i in range(100)]
    assert interval(many)[1] == pytest.approx(0.5 + 1.96 * statistics.stdev(many) / 10)
    with pytest.raises(SpkitError, match="at least 2 seeds"):
        interval([1.0])


def test_verdicts():
    assert verdict(0.01, 0.5, 0.0) == "holds"
    assert verdict(-0.5, -0.1, 0.0) == verdict(-0.5, 0.0, 0.0) == "does not hold"
    assert verdict(-0.1, 0.5, 0.0) == "inconclusive"


def test_first_above_half():
    records = [{"iteration": i, "accuracy_by_difficulty": {"1": 0.9, "2": x, "3": 0.5}} for i, x in enumerate([0.1, 0.5, 0.6])]
    assert first_above_half(records) == {"1": 0, "2": 2, "3": None}


def results() -> list[dict]:
    return [json.loads((ROOT / "data" / "results" / f"{claim.id}.json").read_text(encoding="utf-8")) for claim in CLAIMS]


def test_every_claim_has_a_result_of_three_seeds_whose_verdict_follows_from_its_values():
    for claim, result in zip(CLAIMS, results()):
        assert (result["id"], result["statement"], result["source"]) == (claim.id, claim.statement, claim.source)
        assert (result["criterion"], result["threshold"]) == (claim.criterion, claim.threshold)
        effects = [value["effect"] for value in result["values"].values()]
        assert len(effects) == len(result["seeds"]) >= 3
        low, high = interval(effects)
        assert result["mean"] == pytest.approx(statistics.fmean(effects), abs=1e-4)
        assert result["interval"] == pytest.approx([low, high], abs=1e-4)
        assert result["verdict"] == verdict(low, high, claim.threshold)


def test_the_readme_shows_the_results_as_they_are():
    assert markdown_table(results()) in (ROOT / "README.md").read_text(encoding="utf-8")
