"""A log in, the same rows out, whoever wrote it."""

import pytest

from spkit.diagnose.batches import batch_schema
from spkit.diagnose.reading import ColumnMap, Log
from spkit.diagnose.texts import gold_answer
from spkit.run.errors import SpkitError
from tests.diagnose.reading import formats
from tests.diagnose.reading.formats import Letters

polars = pytest.importorskip("polars")
pytest.importorskip("pyarrow")


def read(path, columns=ColumnMap(), tokenizer=None):
    log = Log(path, columns, tokenizer)
    return log, polars.concat(list(log))


@pytest.mark.parametrize("writer", formats.TABLE)
def test_a_format_is_known_and_read(tmp_path, writer):
    make, form, rewards, golds = formats.TABLE[writer]
    log, found = read(make(tmp_path), tokenizer=formats.Letters() if writer == "open-instruct" else None)
    assert (log.form, dict(log.rewards)) == (form, rewards)
    assert found.schema == polars.Schema(batch_schema(tuple(rewards)))
    assert len(found) == formats.ROWS and found.select("step", "prompt").n_unique() == formats.GROUPS
    wanted = list(formats.samples())
    for row, want in zip(found.sort("step", maintain_order=True).iter_rows(named=True), wanted):
        assert row["completion"] == want["completion"] and want["prompt"] in row["prompt"]
        assert row["characters"] == len(want["completion"])
        if writer not in formats.ONE_STEP:
            assert row["step"] == want["step"]
        if golds:
            assert gold_answer(row["gold"]) == want["gold"]
        parts = sum(row[f"reward:{name}"] * weight for name, weight in rewards.items())
        assert row["reward"] == pytest.approx(parts)
    if writer != "lm-evaluation-harness":
        right = found.sort("step", maintain_order=True)["reward"].to_list()
        assert [value == max(right) for value in right] == [want["right"] == 1 for want in wanted]
    assert log.notes[0].startswith(f"{form} rows; reward = ") and len(log.warnings) <= 1, log.warnings


def test_what_a_format_says_beside_the_texts(tmp_path):
    for writer in ("verl", "verifiers", "traces", "NeMo-RL", "open-instruct"):
        (tmp_path / writer).mkdir()
    found = {
        writer: read(formats.TABLE[writer][0](tmp_path / writer), tokenizer=formats.Letters())[1]
        for writer in ("verl", "verifiers", "traces", "NeMo-RL", "open-instruct")
    }
    right = [want["right"] == 1 for want in formats.samples()]
    assert found["verl"]["correct"].to_list() == right, "acc is text there"
    assert found["verifiers"]["finish"].to_list() == ["stop" if r else "length" for r in right]
    assert set(found["verifiers"]["tokens"]) == {11} and set(found["verifiers"]["chat"]) == {True}
    assert set(found["traces"]["tokens"]) == {7} and set(found["traces"]["finish"]) == {"stop"}
    assert set(found["NeMo-RL"]["advantage"]) == {0.25} and set(found["NeMo-RL"]["tokens"]) == {3}
    assert found["open-instruct"]["finish"].to_list() == ["stop" if r else "length" for r in right]


def test_what_a_format_cannot_say_is_said(tmp_path):
    log, _ = read(formats.trl(tmp_path))
    said = " ".join(log.notes)
    assert "logging_steps" in said and "an evaluation" in said and "weights of the reward functions" in said
    assert "tokens are read from completion_length" in said
    assert "not read as rewards, by their names or range: difficulty" in said
    log, _ = read(formats.lm_eval(tmp_path))
    assert "strict-match" in " ".join(log.notes) and "one step" in " ".join(log.notes)


def test_token_ids_ask_for_a_tokenizer(tmp_path):
    with pytest.raises(SpkitError, match="token ids, not texts: name the tokenizer"):
        read(formats.open_instruct(tmp_path))
    with pytest.raises(SpkitError, match="could not load the tokenizer"):
        read(tmp_path, tokenizer=str(tmp_path / "nothing"))


def test_one_text_for_prompt_and_completion_asks_for_a_tokenizer(tmp_path):
    rows = [
        {
            "content": ["1+1=2"],
            "rewards": [1.0],
            "token_ids": [Letters().encode("1+1=2\0\0")],
            "token_loss_mask": [[0, 0, 0, 0, 1, 0, 0]],
            "idx": index,
        }
        for index in range(4)
    ]
    path = formats.lines(tmp_path / "train_data_step3.jsonl", rows)
    with pytest.raises(SpkitError, match="--tokenizer takes apart"):
        read(path)
    _, found = read(path, tokenizer=Letters())
    assert set(found.select("step", "prompt", "completion", "tokens").iter_rows()) == {(3, "1+1=", "2", 1)}


def test_choices_that_were_scored_are_no_completions(tmp_path):
    row = {"doc_id": 1, "doc": {}, "target": 0, "arguments": [["q", "a"]], "resps": [[[-1.5, False]]], "acc": 1.0}
    path = formats.lines(tmp_path / "samples_arc.jsonl", [{**row, "filtered_resps": [[-1.5, False]], "filter": "none"}])
    with pytest.raises(SpkitError, match="choices were scored"):
        read(path)


def test_a_table_that_grows_counts_once(tmp_path):
    log, found = read(formats.wandb(tmp_path))
    assert len(found) == formats.ROWS and log.warnings[0].startswith("16 rows were logged again")


@pytest.mark.parametrize("left", ["eval", "val", "validation"])
def test_evaluations_beside_training_are_left_out(tmp_path, left):
    formats.verl(tmp_path / "train")
    formats.verl(tmp_path / left)
    log, found = read(tmp_path)
    assert len(found) == formats.ROWS and "2 files of evaluations were left out" in log.notes
    assert len(read(tmp_path / left)[1]) == formats.ROWS, "asked for, they are read"
