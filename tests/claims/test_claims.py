"""The ledger's arithmetic: intervals, runs that are shared and resumed, results that are kept."""

import json
import math
import statistics

import pytest

from spkit.claims import (
    CLAIMS,
    EXPERIMENTS,
    ON_A_REAL_MODEL,
    Experiment,
    Lab,
    claim,
    interval,
    markdown_table,
    reproduce,
    stored_curves,
    stored_records,
    write_into,
    write_result,
)
from spkit.claims.readings import final
from spkit.claims.sweeps import TemperatureConfig, temperatures
from spkit.loops.rft import RftConfig, rft
from spkit.policy import SftConfig, load_policy
from spkit.run.errors import SpkitError
from spkit.run.folder import Run
from spkit.run.progress import Silent
from spkit.tasks import load_task


def test_interval_is_students():
    low, high = interval([1.0, 2.0, 3.0])
    half = 4.302653 * 1.0 / math.sqrt(3)
    assert (low, high) == pytest.approx((2 - half, 2 + half), abs=1e-3)
    many = [float(i % 2) for i in range(100)]
    assert interval(many)[1] == pytest.approx(0.5 + 1.96 * statistics.stdev(many) / 10)
    with pytest.raises(SpkitError, match="at least 2 seeds"):
        interval([1.0])


def test_every_claim_names_experiments_that_are_there_and_no_experiment_is_idle():
    assert {name for claim in CLAIMS for name in claim.needs} == set(EXPERIMENTS)
    assert len({claim.id for claim in CLAIMS}) == len(CLAIMS)


def test_runs_are_shared_resumed_and_their_time_is_told(tmp_path):
    played = []

    def counted(base, task, config, run):
        played.append(config.seed)
        yield from rft(base, task, config, run)

    small = RftConfig(problems=5, k=2, sft=SftConfig(steps=1, batch_size=4), test_per_difficulty=1)
    lab = Lab(tmp_path, {"tiny": Experiment(counted, small, "sums", 10)}, Silent())
    claims = [claim(name, name, "", final("tiny", "accuracy") > -1) for name in "ab"]
    assert lab.seconds_left(claims, range(2)) == 20
    first, second = (reproduce(claim, range(2), lab) for claim in claims)
    assert first["values"] == second["values"] and played == [0, 1, 0, 1]
    assert lab.seconds_left(claims, range(3)) == 10
    assert len(list(tmp_path.glob("tiny-seed*/metrics.jsonl"))) == 2


def test_the_time_that_is_left_counts_the_share_of_a_run_that_was_begun(tmp_path):
    config = TemperatureConfig(temperatures=(0.4, 0.7, 1.3), samples=2, test_per_difficulty=1)
    lab = Lab(tmp_path, {"sweep": Experiment(temperatures, config, "sums", 40)}, Silent())
    claims = [claim("a", "a", "", final("sweep", "accuracy") > 0)]
    begun = temperatures(load_policy("sums"), load_task("sums"), config, Run(tmp_path / "sweep-seed0"))
    for left in (30, 20, 10, 0):
        next(begun)
        assert lab.seconds_left(claims, [0]) == left


def test_runs_are_computed_on_the_device_of_the_lab(tmp_path):
    seen = []

    def where(base, task, config, run):
        seen.append(base.model.device.type)
        yield {"iteration": 0}

    experiments = {"where": Experiment(where, RftConfig(), "sums", 1)}
    Lab(tmp_path, experiments, Silent()).records("where", 0)
    assert seen == ["cpu"]
    with pytest.raises(SpkitError, match="there is no device 'no such device'"):
        Lab(tmp_path, experiments, Silent(), "no such device").records("where", 0)


def test_a_result_says_what_was_asked_and_what_was_found(tmp_path):
    def fixed(base, task, config, run):
        yield {"iteration": 0, "accuracy": 0.5 + config.seed / 10}

    lab = Lab(tmp_path, {"fixed": Experiment(fixed, RftConfig(), "sums", 1)}, Silent())
    result = reproduce(claim("a", "it is low", "ours", final("fixed", "accuracy") < 0.9), range(3), lab)
    assert (result["criterion"], result["threshold"]) == ("fixed: final accuracy < 0.9", 0.9)
    assert [value["effect"] for value in result["values"].values()] == [0.5, 0.6, 0.7] and result["mean"] == 0.6
    assert result["verdict"] == "holds" and result["interval"][1] < 0.9


def test_a_result_of_more_seeds_is_kept(tmp_path):
    assert write_result({"id": "a", "seeds": [0, 1, 2], "mean": 1}, tmp_path)
    assert not write_result({"id": "a", "seeds": [0, 1], "mean": 2}, tmp_path)
    assert json.loads((tmp_path / "a.json").read_text())["mean"] == 1
    assert write_result({"id": "a", "seeds": [3, 4, 5], "mean": 3}, tmp_path)
    assert json.loads((tmp_path / "a.json").read_text())["mean"] == 3


def test_the_tables_go_between_their_markers_and_nowhere_else(tmp_path):
    page = tmp_path / "README.md"
    page.write_text("before\n<!-- results a -->\nold\n<!-- /results a -->\nafter\n")
    write_into(page, {"a": "new\n", "b": "not here\n"})
    assert page.read_text() == "before\n<!-- results a -->\nnew\n<!-- /results a -->\nafter\n"
    for text, message in (
        ("nothing here", "has no place for a table"),
        ("<!-- results a -->\nold\n", "needs the lines <!-- results a --> and <!-- /results a --> once each"),
        ("<!-- /results a -->\n<!-- results a -->\n", "once each, in this order"),
    ):
        page.write_text(text)
        with pytest.raises(SpkitError, match=message):
            write_into(page, {"a": "new\n"})
        assert page.read_text() == text


def test_a_bar_in_a_statement_does_not_end_its_cell():
    result = {"id": "a", "statement": "1-2|r-1/2| is better", "source": "ours", "criterion": "x > 0", "seeds": [0, 1]}
    row = markdown_table([result | {"mean": 0.5, "interval": [0.4, 0.6], "verdict": "holds"}]).splitlines()[2]
    assert row == "| 1-2\\|r-1/2\\| is better (ours) | x > 0: 0.50 [0.40, 0.60], 2 seeds | **holds** |"


def test_a_claim_of_a_tiny_model_says_what_became_of_it_on_the_real_one():
    tiny = {"id": "a", "statement": "A", "source": "s", "criterion": "x > 0", "mean": 1, "interval": [0.5, 1.5]}
    tiny |= {"seeds": [0, 1, 2], "verdict": "holds"}
    real = tiny | {"id": "real-a", "repeats": "a", "verdict": "inconclusive"}
    first, second = markdown_table([tiny, real]).splitlines()[2:]
    assert first.endswith("| **holds**; on SmolLM2-135M: inconclusive |") and second.endswith("| **inconclusive** |")
    assert {one.repeats for one in ON_A_REAL_MODEL} - {""} <= {one.id for one in CLAIMS if one not in ON_A_REAL_MODEL}


def test_stored_records_stand_where_they_were_measured():
    first, *others = stored_records("em-pass", "em")
    assert len(others) == 5 and [record["iteration"] for record in first] == [0, 1, 2, 3]
    assert first[3]["pass_at_k"] == stored_curves("em-pass", "em", "pass_at_k")[0][3]
    played = {record["iteration"]: record for record in stored_records("az-deep", "az")[0]}
    looked, tens = (stored_curves("az-deep", "az", key)[0] for key in ("accuracy", "proposed_depth"))
    assert list(played) == [0, 5.5, 15.5, 20, 25.5, 35.5, 40, 45.5, 55.5, 60]
    assert [played[t]["accuracy"] for t in (0, 20, 40, 60)] == looked
    assert played[5.5]["proposed_depth"] == tens[0] and "accuracy" not in played[5.5] and "at" not in played[0]
    thought = stored_records("quiet-accuracy", "quiet")[0][1]
    assert thought["weight"] == {"answer": stored_curves("quiet-accuracy", "quiet", "weight.answer")[0][1]}


def test_stored_curves_are_read_by_seed():
    curves = stored_curves("em-selection", "em", "accuracy")
    assert len(curves) >= 3 and all(len(curve) == 4 and 0 < curve[0] < 1 for curve in curves)
    with pytest.raises(SpkitError, match="no result of 'nonsense'"):
        stored_curves("nonsense", "em", "accuracy")
