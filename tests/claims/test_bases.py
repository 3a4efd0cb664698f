"""Claims on other bases: which ones, the runs they need, what is written, and what the ledger says."""

import json
import statistics
from dataclasses import replace
from pathlib import Path

import pytest

from spkit.claims import (
    CLAIMS,
    EXPERIMENTS,
    ON_OTHER_BASES,
    Experiment,
    Lab,
    base_table,
    claim,
    headline_table,
    interval,
    jobs_on_bases,
    markdown_table,
    other_bases,
    read_base_results,
    reproduce_on_bases,
    write_base_result,
)
from spkit.claims.bases import OTHER_BASES
from spkit.claims.readings import final
from spkit.loops.rft import RftConfig, rft
from spkit.policy import SftConfig, load_policy, shipped_models
from spkit.run.errors import SpkitError
from spkit.run.folder import Run, read_jsonl
from spkit.run.progress import Silent
from spkit.tasks import load_task

RESULTS = Path(__file__).parents[2] / "data" / "results" / "bases"
BY_ID = {one.id: one for one in CLAIMS}
TINY = RftConfig(problems=5, k=2, sft=SftConfig(steps=1, batch_size=4), test_per_difficulty=1)
FIXED = claim("a", "it is low", "ours", final("fixed", "accuracy") - final("other", "accuracy") < 0.9)


def fixed(base, task, config, run):
    yield {"iteration": 0, "accuracy": 0.5 + config.seed / 10}


def on_sums(loop, **changes) -> Experiment:
    return Experiment(loop, replace(TINY, **changes), "sums", 10)


def test_the_claims_that_are_tried_stand_on_sums_and_expressions():
    tried = {id: other_bases(BY_ID[id], EXPERIMENTS) for id in ON_OTHER_BASES}
    assert {id for id, bases in tried.items() if bases == OTHER_BASES["sums"]} == {
        "em-selection", "rft-tiny", "verify-gold", "verify-steps",
    }  # fmt: skip
    assert {id for id, bases in tried.items() if bases == OTHER_BASES["expressions"]} == {
        "az-deep", "az-reach", "az-random", "az-frozen", "az-hardness",
    }  # fmt: skip
    assert {id for id, bases in tried.items() if not bases} == {
        "star-rationalization", "spin-last", "quiet-accuracy", "quiet-shuffled",
    }  # fmt: skip
    assert {base for bases in OTHER_BASES.values() for base in bases} <= set(shipped_models())


def test_what_starts_from_a_base_of_its_own_or_from_two_tasks_has_no_other():
    experiments = {"fixed": on_sums(fixed), "other": on_sums(fixed)}
    assert other_bases(FIXED, experiments) == OTHER_BASES["sums"]
    for changes in ({"model": "sums-clean"}, {"task": "expressions"}, {"profile": "real"}, {"task": "addition"}):
        assert other_bases(FIXED, experiments | {"other": replace(experiments["other"], **changes)}) == ()


def lab_of(folder, experiments) -> Lab:
    return Lab(folder, experiments, Silent())


def test_every_run_is_listed_once_the_longest_first(tmp_path):
    claims = [BY_ID[id] for id in ("az-deep", "az-random", "rft-tiny")]
    jobs = jobs_on_bases(claims, range(2), lab_of(tmp_path, EXPERIMENTS))
    assert len(jobs) == len({(job.lab.folder, job.experiment, job.seed) for job in jobs}) == 4 * 3 * 2
    assert {job.experiment for job in jobs} == {"az", "az-random", "rft-tiny", "rft"}
    assert [job.seconds for job in jobs] == sorted((job.seconds for job in jobs), reverse=True)
    assert {(job.lab.folder.name, job.seed) for job in jobs if job.experiment == "rft"} == {
        (base, seed) for base in OTHER_BASES["sums"] for seed in range(2)
    }


@pytest.mark.whole
def test_runs_start_from_the_base_and_go_on_where_they_were_killed(tmp_path, monkeypatch):
    monkeypatch.setattr("spkit.claims.bases.OTHER_BASES", {"sums": ("sums-seed1", "sums")})
    starts = set()

    def spy(base, task, config, run):
        starts.add(base.fingerprint())
        yield from rft(base, task, config, run)

    one, lab = claim("a", "a", "ours", final("tiny", "accuracy") > -1), lab_of(tmp_path, {"tiny": on_sums(spy)})
    left = lambda: sum(job.seconds for job in jobs_on_bases([one], range(2), lab))
    assert left() == 40
    done, killed, *_ = jobs_on_bases([one], range(2), lab)
    folders = [job.lab.folder / f"tiny-seed{job.seed}" for job in (done, killed)]
    done.run()
    records = read_jsonl(folders[0] / "metrics.jsonl")
    assert left() == 30 and len(records) == 2
    begun = rft(
        load_policy(killed.lab.folder.name), load_task("sums"), replace(TINY, seed=killed.seed), Run(folders[1])
    )
    first = next(begun)
    del begun
    assert left() == 25, "one of two records is there"
    result = reproduce_on_bases(one, range(2), lab)
    assert left() == 0 and list(result["bases"]) == ["sums-seed1", "sums"]
    assert read_jsonl(folders[0] / "metrics.jsonl") == records, "read, and not done again"
    assert read_jsonl(folders[1] / "metrics.jsonl")[0] == first
    assert starts == {load_policy(name).fingerprint() for name in ("sums-seed1", "sums")}
    assert reproduce_on_bases(one, range(2), lab) == result


def measured(tmp_path, seeds: int, claim=FIXED) -> dict:
    experiments = {"fixed": on_sums(fixed), "other": on_sums(lambda *_: iter([{"iteration": 0, "accuracy": 0.1}]))}
    return reproduce_on_bases(claim, range(seeds), lab_of(tmp_path / "runs", experiments))


def test_a_result_has_for_each_base_what_a_claim_has(tmp_path):
    result = measured(tmp_path, 3)
    assert list(result) == ["id", "statement", "source", "criterion", "threshold", "bases"]
    assert (result["criterion"], result["threshold"]) == ("final accuracy, fixed minus other < 0.9", 0.9)
    assert list(result["bases"]) == list(OTHER_BASES["sums"])
    for one in result["bases"].values():
        assert [value["effect"] for value in one["values"].values()] == pytest.approx([0.4, 0.5, 0.6])
        assert (one["seeds"], one["mean"], one["verdict"]) == ([0, 1, 2], 0.5, "holds")
    assert write_base_result(result, tmp_path / "bases") == []
    assert read_base_results([FIXED], tmp_path / "bases") == {"a": result}


def test_what_is_there_of_a_base_over_more_seeds_is_kept(tmp_path):
    long, short = measured(tmp_path, 4), measured(tmp_path, 2)
    first, _, third = OTHER_BASES["sums"]
    write_base_result(long | {"bases": {first: long["bases"][first]}}, tmp_path)
    assert write_base_result(
        short | {"bases": {first: short["bases"][first], third: short["bases"][third]}}, tmp_path
    ) == [first]
    there = read_base_results([FIXED], tmp_path)["a"]["bases"]
    assert there == {first: long["bases"][first], third: short["bases"][third]}
    assert write_base_result(measured(tmp_path, 5), tmp_path) == []
    assert {len(one["seeds"]) for one in read_base_results([FIXED], tmp_path)["a"]["bases"].values()} == {5}


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"bases": []}', '{"bases": {"sums-clean": {"seeds": [0]}}}'])
def test_a_file_that_is_no_such_result_is_one_sentence(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(SpkitError, match=r"a.json .*: delete it, and measure the claim again"):
        read_base_results([FIXED], tmp_path)


def tried(*verdicts: str, mean: float = 0.5) -> dict:
    one = {"seeds": [0, 1, 2], "values": {}, "mean": mean, "interval": [0.25, 0.75]}
    return {"bases": {base: one | {"verdict": verdict} for base, verdict in zip(OTHER_BASES["sums"], verdicts)}}


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        (("holds", "holds", "holds"), "holds on 3 of 3"),
        (("does not hold", "does not hold", "does not hold"), "does not hold on 3 of 3"),
        (("holds", "holds", "inconclusive"), "holds on 2 of 3; clean: inconclusive"),
        (("inconclusive", "holds", "does not hold"), "holds on 1 of 3; seed1: inconclusive, clean: does not hold"),
        (("inconclusive", "inconclusive", "does not hold"),
         "holds on 0 of 3; seed1: inconclusive, seed2: inconclusive, clean: does not hold"),
        (("holds",), "holds on 1 of 1"),
    ],
)  # fmt: skip
def test_the_ledger_has_a_column_where_a_claim_has_other_bases(verdicts, said):
    row = {"statement": "A", "source": "s", "criterion": "x > 0", "mean": 1, "interval": [0.5, 1.5], "seeds": [0, 1, 2]}
    rows, others = [row | {"id": id, "verdict": "holds"} for id in "ab"], {"b": tried(*verdicts)}
    for table in (markdown_table(rows, others=others), headline_table(rows, rows, others)):
        head, rule, first, second = table.splitlines()
        assert head.endswith("| verdict | other bases |") and rule == "|---|---|---|---|"
        assert first.endswith("| **holds** |  |") and second.endswith(f"| **holds** | {said} |")
        assert {line.count("|") for line in table.splitlines()} == {5}
    assert markdown_table(rows[:1], rows, others) == markdown_table(rows[:1], rows)
    assert "other bases" not in markdown_table(rows[:1], rows, others)


def test_the_table_of_a_result_has_a_line_a_base():
    result = {"statement": "A", "criterion": "x > 0"} | tried("holds", "inconclusive")
    _, _, *lines = base_table([result]).splitlines()
    assert lines == [
        "| A | sums-seed1 | x > 0: 0.50 [0.25, 0.75], 3 seeds | **holds** |",
        "| A | sums-seed2 | x > 0: 0.50 [0.25, 0.75], 3 seeds | **inconclusive** |",
    ]


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.json")), ids=lambda path: path.stem)
def test_a_shipped_result_says_what_the_claim_says_and_its_verdicts_follow(path):
    result, one = json.loads(path.read_text(encoding="utf-8")), BY_ID[path.stem]
    assert (result["id"], result["statement"], result["source"]) == (one.id, one.statement, one.source)
    assert (result["criterion"], result["threshold"]) == (str(one.criterion), one.criterion.threshold)
    assert set(result["bases"]) <= set(other_bases(one, EXPERIMENTS)) and result["bases"]
    for found in result["bases"].values():
        effects = [value["effect"] for value in found["values"].values()]
        low, high = interval(effects)
        assert len(effects) == len(found["seeds"]) >= 2
        assert found["mean"] == pytest.approx(statistics.fmean(effects), abs=1e-4)
        assert found["interval"] == pytest.approx([low, high], abs=1e-4)
        assert found["verdict"] == one.criterion.verdict(low, high)
