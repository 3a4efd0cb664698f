"""RLVR by our code and by GRPOTrainer on the same seeds: both learn, and their rewards are not told apart."""

from dataclasses import replace
from statistics import fmean, stdev

import pytest

pytest.importorskip("trl", reason="needs the scale extra: make scale")

from spkit.engines.grpo import run_grpo
from spkit.loops.rlvr import RlvrConfig, rlvr
from spkit.policy import load_policy
from spkit.run.folder import Run
from spkit.tasks import load_task

CONFIG = RlvrConfig(8, pool=32, problems=32, k=8, batch_size=64, measure_every=8, test_per_difficulty=1, test_samples=1)
SEEDS = (0, 1, 2)
STUDENT = 4.303  # two-sided 95 % of Student's t with 2 degrees of freedom


def interval(values: list[float]) -> tuple[float, float]:
    """Mean of three seeds, and 95 % of what it may be."""
    half = STUDENT * stdev(values) / len(values) ** 0.5
    return fmean(values) - half, fmean(values) + half


def curves(engine: str, folder) -> list[list[dict]]:
    """The records after the base's, one list a seed."""
    base, task, found = load_policy("sums"), load_task("sums"), []
    for seed in SEEDS:
        config, run, rows = replace(CONFIG, seed=seed), Run(folder / f"{engine}-{seed}"), []
        if engine == "trl":
            run_grpo(base, task, config, run, rows.append)
        else:
            rows = list(rlvr(base, task, config, run))
        found.append(rows[1:])
    return found


def test_the_intervals_of_both_engines_overlap_and_both_have_learned(tmp_path):
    ends, seconds = {}, {}
    for engine in ("spkit", "trl"):
        rows = curves(engine, tmp_path)
        rises = [run[-1]["reward"] - run[0]["reward"] for run in rows]
        assert interval(rises)[0] > 0, f"{engine} has learned: {rises}"
        ends[engine] = [run[-1]["reward"] for run in rows]
        seconds[engine] = fmean(row["seconds"]["learn"] / row["learned"]["steps"] for run in rows for row in run)
    (low, high), (other_low, other_high) = interval(ends["spkit"]), interval(ends["trl"])
    assert max(low, other_low) < min(high, other_high), ends
    assert abs(fmean(ends["spkit"]) - fmean(ends["trl"])) < 0.1, ends
    assert seconds["trl"] < 20 * seconds["spkit"], "what a step takes, TRL's checkpoint of an iteration included"
