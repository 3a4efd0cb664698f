"""Experiments of claims are runs like all others: killed and started again they repeat nothing that was done."""

from dataclasses import replace

import pytest

from spkit.claims import angles, observers, sweeps
from spkit.claims.angles import AngleConfig
from spkit.claims.observers import InformationConfig, SizesConfig
from spkit.claims.sweeps import TemperatureConfig
from spkit.loops import absolute_zero as loop
from spkit.loops.absolute_zero import AbsoluteZeroConfig
from spkit.measures.epiplexity import ObserverConfig
from spkit.policy import load_policy
from spkit.run.folder import Run, read_jsonl
from spkit.tasks import load_task
from tests.helpers import whole

PLAYED = AbsoluteZeroConfig(iterations=4, tasks=12, k=4, measure_every=9, test_per_difficulty=1, test_samples=1)
LOOKS = InformationConfig(
    loop=PLAYED,
    at=(2, 3, 4),
    window=2,
    observer=ObserverConfig(train_tokens=80, validation_tokens=20, passes=1),
)
OBSERVED = replace(SizesConfig().observer, train_tokens=80, validation_tokens=20, passes=1)
EXPERIMENTS = {  # the loop, small settings, the task, and what each record calls how often
    "temperatures": (sweeps.temperatures, TemperatureConfig(0, (0.4, 0.7, 1.3), 2, 2), "sums", (sweeps, "solve", 1)),
    "angles": (angles.angles, AngleConfig(references=16), "replies", (angles, "loss_gradient", 2)),
    "sizes": (observers.sizes, SizesConfig(0, (1, 2, 4), 60, OBSERVED), "expressions", (observers, "epiplexity", 2)),
    "information": (observers.information, LOOKS, "expressions", (observers, "epiplexity", 1)),
}


def without_seconds(records):
    return [{key: value for key, value in record.items() if key != "seconds"} for record in records]


def counted(monkeypatch, module, name, stop_at=None):
    calls, real = [], getattr(module, name)

    def spy(*args, **kwargs):
        if len(calls) + 1 == stop_at:
            raise KeyboardInterrupt
        calls.append(name)
        return real(*args, **kwargs)

    monkeypatch.setattr(module, name, spy)
    return calls


@pytest.mark.parametrize("name", ["sizes", *whole(*(name for name in EXPERIMENTS if name != "sizes"))])
def test_a_run_that_was_dropped_midway_goes_on_where_it_was(name, tmp_path, monkeypatch):
    play, config, task, (module, function, each) = EXPERIMENTS[name]
    if name == "sizes":
        pytest.importorskip("peft")
    run = lambda folder: play(load_policy(task), load_task(task), config, Run(folder))
    calls = counted(monkeypatch, module, function)
    whole = without_seconds(run(tmp_path / "whole"))
    assert len(calls) == 3 * each and [record["iteration"] for record in whole] == [0, 1, 2, 3]
    calls.clear()
    killed = run(tmp_path / "killed")
    begun = without_seconds(next(killed) for _ in range(2))
    del killed
    assert len(read_jsonl(tmp_path / "killed" / "metrics.jsonl")) == 2 and begun == whole[:2]
    assert without_seconds(run(tmp_path / "killed")) == whole and len(calls) == 3 * each
    assert without_seconds(run(tmp_path / "killed")) == whole and len(calls) == 3 * each, "read, and not done again"


@pytest.mark.whole
def test_what_a_run_of_self_play_had_played_when_it_was_killed_is_not_played_again(tmp_path, monkeypatch):
    run = lambda folder: observers.information(load_policy("expressions"), load_task("expressions"), LOOKS, Run(folder))
    whole = without_seconds(run(tmp_path / "whole"))
    with monkeypatch.context() as patch:
        before = counted(patch, loop, "solve", stop_at=3)
        with pytest.raises(KeyboardInterrupt):
            list(run(tmp_path / "killed"))
    assert len(read_jsonl(tmp_path / "killed" / "play" / "metrics.jsonl")) == 3, "the base and two iterations"
    after = counted(monkeypatch, loop, "solve")
    assert without_seconds(run(tmp_path / "killed")) == whole and len(before) == len(after) == 2
    assert without_seconds(run(None)) == whole, "in memory"
