"""The ledger's arithmetic, and that the README says what the result files say."""

import json
import math
import statistics
from dataclasses import replace
from pathlib import Path

import pytest

from spkit.claims import (
    CLAIMS,
    EXPERIMENTS,
    Claim,
    Experiment,
    Lab,
    interval,
    markdown_table,
    read_results,
    reproduce,
    star_addition,
    stored_curves,
    sums_self_training,
    verdict,
    write_into,
    write_result,
)
from spkit.claims.star_addition import first_above_half
from spkit.claims.sums_self_training import pass_gain, share_of_gain, short_share, temperatures
from spkit.loops.rft import RftConfig, rft
from spkit.policy import SftConfig, load_policy
from spkit.run.errors import SpkitError
from spkit.run.folder import Run
from spkit.run.progress import Silent
from spkit.tasks import load_task

ROOT = Path(__file__).parents[2]


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
    records = [
        {"iteration": i, "accuracy_by_difficulty": {"1": 0.9, "2": x, "3": 0.5}} for i, x in enumerate([0.1, 0.5, 0.6])
    ]
    assert first_above_half(records) == {"1": 0, "2": 2, "3": None}


def record(accuracy: float, **more) -> dict:
    return {"accuracy": accuracy, "kept": 0, **more}


def test_effects_are_what_their_criteria_say():
    by_id = {claim.id: claim for claim in CLAIMS}
    two = {
        "em": [record(0.4), record(0.7)],
        "em-random": [record(0.4), record(0.3)],
        "none": [record(0.5), record(0.2)],
    }
    assert by_id["em-selection"].measure(two)["effect"] == pytest.approx(0.4)
    assert by_id["verify-none"].measure({"none": two["none"]})["effect"] == pytest.approx(0.3)
    passes = [record(0, pass_at_k={"1": a, "16": b}) for a, b in ((0.2, 0.8), (0.5, 0.9))]
    assert pass_gain({"em": passes})["effect"] == pytest.approx(0.3 - 0.1)
    assert short_share([record(0), record(0, kept_by_difficulty={"2": 0.25, "3": 0.5, "6": 0.25})]) == 0.75
    shares = {"rft-tiny": [record(0.5), record(0.6)], "rft": [record(0.5), record(0.9)]}
    assert share_of_gain(shares)["effect"] == pytest.approx(0.25 - 0.5)


def test_every_claim_names_experiments_that_are_there_and_no_experiment_is_idle():
    assert {name for claim in CLAIMS for name in claim.needs} == set(EXPERIMENTS)
    assert len({claim.id for claim in CLAIMS}) == len(CLAIMS)
    assert not set(star_addition.EXPERIMENTS) & set(sums_self_training.EXPERIMENTS)


def test_runs_are_shared_resumed_and_their_time_is_told(tmp_path):
    played = []

    def counted(base, task, config, run):
        played.append(config.seed)
        yield from rft(base, task, config, run)

    small = RftConfig(problems=5, k=2, sft=SftConfig(steps=1, batch_size=4), test_per_difficulty=1)
    lab = Lab(tmp_path, {"tiny": Experiment(counted, small, "sums", 10)}, Silent())
    claims = [
        Claim(name, name, "", "", -1.0, ("tiny",), lambda runs: {"effect": runs["tiny"][-1]["accuracy"]})
        for name in "ab"
    ]
    assert lab.seconds_left(claims, range(2)) == 20
    first, second = (reproduce(claim, range(2), lab) for claim in claims)
    assert first["values"] == second["values"] and played == [0, 1, 0, 1]
    assert lab.seconds_left(claims, range(3)) == 10
    assert len(list(tmp_path.glob("tiny-seed*/metrics.jsonl"))) == 2


def test_a_result_of_more_seeds_is_kept(tmp_path):
    assert write_result({"id": "a", "seeds": [0, 1, 2], "mean": 1}, tmp_path)
    assert not write_result({"id": "a", "seeds": [0, 1], "mean": 2}, tmp_path)
    assert json.loads((tmp_path / "a.json").read_text())["mean"] == 1
    assert write_result({"id": "a", "seeds": [3, 4, 5], "mean": 3}, tmp_path)
    assert json.loads((tmp_path / "a.json").read_text())["mean"] == 3


def test_the_table_goes_between_its_markers_and_nowhere_else(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- results -->\nold\n<!-- /results -->\nafter\n")
    write_into(readme, "new\n")
    assert readme.read_text() == "before\n<!-- results -->\nnew\n<!-- /results -->\nafter\n"
    readme.write_text("nothing here")
    with pytest.raises(SpkitError, match="has no place for the table"):
        write_into(readme, "new\n")
    assert readme.read_text() == "nothing here"


def test_stored_curves_are_read_by_seed():
    curves = stored_curves("em-selection", "em", "accuracy")
    assert len(curves) >= 3 and all(len(curve) == 4 and 0 < curve[0] < 1 for curve in curves)
    with pytest.raises(SpkitError, match="no result of 'nonsense'"):
        stored_curves("nonsense", "em", "accuracy")


def test_the_temperature_sweep_gets_worse_with_heat():
    small = replace(EXPERIMENTS["temperatures"].config, samples=4, test_per_difficulty=10)
    (row,) = temperatures(load_policy("sums"), load_task("sums"), small, Run())
    shares = [one["accuracy"] for one in row["rows"]]
    assert [one["temperature"] for one in row["rows"]] == [0.4, 0.7, 1.0, 1.3] and shares[0] > shares[-1]


def results() -> list[dict]:
    return [
        json.loads((ROOT / "data" / "results" / f"{claim.id}.json").read_text(encoding="utf-8")) for claim in CLAIMS
    ]


def test_every_claim_has_a_result_of_three_seeds_whose_verdict_follows_from_its_values():
    assert read_results(CLAIMS, ROOT / "data" / "results") == results()
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
