"""Transcripts before and after, the machine of a run, and a run saved as one file."""

import json
from pathlib import Path

import pytest

from spkit.run.errors import SpkitError
from spkit.run.files import write_jsonl
from spkit.run.machine import forget_peak, machines_of, peak_memory, this_machine, write_machine
from spkit.run.transcripts import Transcript, read_saved_run, save_run, spread, transcript_table, transcripts


def sample(iteration, prompt, completion, correct, **rest):
    return {"iteration": iteration, "prompt": prompt, "completion": completion, "correct": correct, **rest}


@pytest.fixture
def folder(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.json").write_text(json.dumps({"method": "rest_em", "task": "stories", "config": {"seed": 0}}))
    write_jsonl(run / "metrics.jsonl", [{"iteration": t, "accuracy": 1 / 3, "seconds": {}} for t in range(3)])
    rows = [sample(0, "a", "no", False), sample(0, "b", "[bold]yes", True), sample(1, "a", "perhaps", False)]
    rows += [sample(2, "b", "still", True), sample(2, "a", "yes", True), sample(2, "new", "x", True)]
    rows += [sample(2, "a", "a rollout", False, role="solver")]
    write_jsonl(run / "samples.jsonl", rows)
    return run


def test_the_last_look_beside_the_base_in_its_order_and_without_rollouts(folder):
    assert transcripts(folder) == [
        Transcript("b", "[bold]yes", "still", True, True),
        Transcript("a", "no", "yes", False, True),
    ]


def test_a_few_are_spread_over_all():
    assert spread(list(range(21)), 3) == [0, 7, 14] and spread(list(range(21)), 6) == [0, 3, 7, 10, 14, 17]
    assert spread([1, 2], 5) == [1, 2] and spread([], 3) == [] and spread([1, 2], 0) == []


def test_nothing_to_compare_is_said(folder):
    write_jsonl(folder / "samples.jsonl", [sample(0, "a", "no", False)])
    with pytest.raises(SpkitError, match="no iteration after the base yet"):
        transcripts(folder)


def test_marks_of_the_model_are_shown_as_text(folder):
    from rich.console import Console

    console = Console(record=True, width=80, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(transcript_table(transcripts(folder)))
    shown = console.export_text()
    assert "[bold]yes" in shown and "✗ no" in shown and "✓ yes" in shown


def test_a_saved_run_is_read_back_with_rounded_numbers(folder, tmp_path):
    write_machine(folder)
    save_run(folder, tmp_path / "deep" / "run.json")
    found = read_saved_run(tmp_path / "deep" / "run.json")
    assert found["method"] == "rest_em" and found["records"][1]["accuracy"] == 0.3333
    assert found["transcripts"][1]["after"] == "yes" and found["machines"][0]["cores"] == this_machine()["cores"]
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(SpkitError, match="no saved run"):
        read_saved_run(tmp_path / "other.json")


def test_a_machine_is_kept_once_with_the_most_memory_and_another_one_beside_it(folder):
    write_machine(folder)
    write_machine(folder)
    (first,) = machines_of(folder)
    assert first["peak_memory_gb"] is None or 0.05 < first["peak_memory_gb"] < 100
    (folder / "machine.json").write_text(json.dumps({"machines": [{**first, "processor": "another"}]}))
    write_machine(folder)
    assert [one["processor"] for one in machines_of(folder)] == ["another", first["processor"]]


def test_the_peak_is_that_of_the_run_and_not_of_what_came_before():
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("only Linux can begin anew")
    held = bytearray(b"x" * 300_000_000)
    high = peak_memory()
    del held
    forget_peak()
    assert peak_memory() < high - 0.2
