"""What was logged twice counts once; honest answers that are equal stay; steps that jump are said."""

import json
import random

import pytest

from spkit.diagnose.reading import Log
from spkit.diagnose.reading.repeats import missing_steps

polars = pytest.importorskip("polars")
pytest.importorskip("pyarrow")


def buffer(step, logged, prompts=4, k=4, answers=10**6):
    """The rows of one generation batch, as TRL writes them at a step."""
    draw = random.Random(step)
    return [
        {
            "step": logged,
            "prompt": f"{step if answers > 100 else ''} {index}",
            "completion": f"#### {draw.randrange(answers)}",
            "accuracy_reward": float(draw.random() < 0.5),
            "advantage": 0.0 if answers < 100 else draw.random(),
        }
        for index in range(prompts)
        for _ in range(k)
    ]


def read(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    log = Log(path)
    return log, polars.concat(list(log))


@pytest.mark.parametrize("times", [2, 4])
def test_a_buffer_that_is_logged_at_several_steps_counts_once(tmp_path, times):
    rows = [row for step in range(12) for row in buffer(step, step - step % times)]
    whole = [row for step in range(12) for row in buffer(step - step % times, step)]
    log, found = read(tmp_path / "a.jsonl", whole)
    assert len(rows) == len(whole) and len(found) == len(whole) / times
    assert found["step"].unique(maintain_order=True).to_list() == list(range(0, 12, times))
    assert len(log.warnings) == 1
    assert log.warnings[0].startswith(f"{len(whole) - len(found)} rows were logged again (the same completions")


@pytest.mark.parametrize("answers", [1, 2, 3])
@pytest.mark.parametrize("prompts", [1, 2])
def test_honest_short_answers_are_not_merged(tmp_path, answers, prompts):
    """The same prompts at every step, and one of a few short answers each time."""
    rows = [row for step in range(60) for row in buffer(step, step, prompts, answers=answers)]
    for row in rows:
        row["accuracy_reward"] = float(row["completion"] == "#### 0")
    log, found = read(tmp_path / "a.jsonl", rows)
    assert len(found) == len(rows) and not log.warnings


def test_the_same_row_twice_in_a_step_is_two_samples(tmp_path):
    rows = buffer(1, 1) + buffer(1, 1)
    assert len(read(tmp_path / "a.jsonl", rows)[1]) == len(rows), "two groups of a prompt, drawn at the same step"


def test_repeats_are_found_across_chunks(tmp_path, monkeypatch):
    from spkit.diagnose.reading import json_pieces, repeats

    monkeypatch.setattr(json_pieces, "FIRST_BYTES", 500)
    monkeypatch.setattr(json_pieces, "CHUNK_BYTES", 900)
    monkeypatch.setattr(repeats, "WAITING_ROWS", 7)
    whole = [row for step in range(12) for row in buffer(step - step % 3, step)]
    assert len(read(tmp_path / "a.jsonl", whole)[1]) == len(whole) / 3


def test_a_run_that_was_started_again_is_said(tmp_path):
    rows = [row for step in (1, 2, 3, 4, 5, 3, 4, 5, 6) for row in buffer(step, step)]
    for index, row in enumerate(rows[5 * 16 :]):
        row["completion"] += f" {index}"
    log, found = read(tmp_path / "a.jsonl", rows)
    assert (
        len(found) == len(rows)
        and "go back 1 times to one that was there before: the run was started again" in log.warnings[0]
    )


def test_steps_out_of_order_and_missing_are_said(tmp_path):
    log, _ = read(tmp_path / "a.jsonl", [row for step in (1, 2, 5, 4, 3, 6) for row in buffer(step, step)])
    assert log.warnings == ["the steps are out of order: 2 times a lower step follows a higher one"]
    log, _ = read(tmp_path / "b.jsonl", [row for step in (1, 2, 3, 4, 5, 9, 10, 11) for row in buffer(step, step)])
    assert log.warnings == ["steps are missing between 5 to 9: what happened there is not in the log"]
    log, _ = read(tmp_path / "c.jsonl", [row for step in range(0, 100, 10) for row in buffer(step, step)])
    assert not log.warnings, "every tenth step is logged"


@pytest.mark.parametrize(
    ("steps", "gaps"),
    [([], []), ([1], []), ([1, 2], []), ([1, 2, 3, 4, 6], [(4, 6)]), ([1, 5, 9, 20], []), ([1, 3, 4, 9, 11, 12], [])],
)
def test_missing_steps(steps, gaps):
    assert missing_steps(steps) == gaps
