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
    made = formats.TABLE[writer]
    log, found = read(made.make(tmp_path), tokenizer=formats.tokenizer_of(writer))
    assert (log.form, dict(log.rewards)) == (made.form, made.rewards)
    assert found.schema == polars.Schema(batch_schema(tuple(made.rewards)))
    assert len(found) == formats.ROWS and found.select("step", "prompt").n_unique() == formats.GROUPS
    found = found.sort("step", maintain_order=True)
    for row, want in zip(found.iter_rows(named=True), formats.FEW):
        assert row["completion"] == want["completion"] and want["prompt"] in row["prompt"]
        assert row["characters"] == len(want["completion"])
        if made.steps:
            assert row["step"] == want["step"]
        if made.golds:
            assert gold_answer(row["gold"]) == want["gold"]
        parts = sum(row[f"reward:{name}"] * weight for name, weight in made.rewards.items())
        assert row["reward"] == pytest.approx(parts)
    right = found["reward"].to_list()
    assert [value == max(right) for value in right] == [want["right"] == 1 for want in formats.FEW]
    assert log.notes[0].startswith(f"{made.form} rows; reward = ") and len(log.warnings) <= 1, log.warnings


def test_what_a_format_says_beside_the_texts(tmp_path):
    for writer in ("verl", "verifiers", "traces", "NeMo-RL", "open-instruct"):
        (tmp_path / writer).mkdir()
    found = {
        writer: read(formats.TABLE[writer].make(tmp_path / writer), tokenizer=formats.Letters())[1]
        for writer in ("verl", "verifiers", "traces", "NeMo-RL", "open-instruct")
    }
    right = [want["right"] == 1 for want in formats.FEW]
    assert found["verl"]["correct"].to_list() == right, "acc is text there"
    assert found["verifiers"]["finish"].to_list() == ["stop" if r else "length" for r in right]
    assert set(found["verifiers"]["tokens"]) == {11} and set(found["verifiers"]["chat"]) == {True}
    assert set(found["traces"]["tokens"]) == {7} and set(found["traces"]["finish"]) == {"stop"}
    assert found["NeMo-RL"]["advantage"].to_list() == [0.5 if r else -0.5 for r in right]
    assert found["NeMo-RL"]["tokens"].to_list() == found["NeMo-RL"]["characters"].to_list(), "one a letter there"
    assert found["open-instruct"]["finish"].to_list() == ["stop" if r else "length" for r in right]


def test_what_a_format_cannot_say_is_said(tmp_path):
    log, _ = read(formats.trl(tmp_path))
    said = " ".join(log.notes)
    assert "logging_steps" in said and "an evaluation" in said and "weights of the reward functions" in said
    assert "tokens are read from completion_length" in said
    assert "not read as rewards, by their names or range: difficulty" in said
    log, _ = read(formats.lm_eval(tmp_path))
    assert sum("judged by its final answer" in note for note in log.notes) == 1
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


def sample(responses, target="5", **more):
    row = {"doc_id": 1, "doc": {}, "target": target, "arguments": [["q", {}]], "resps": [responses], "filter": "none"}
    return {**row, "filtered_resps": responses[:1], "metrics": ["exact_match"], "exact_match": 1.0, **more}


def test_one_response_of_the_harness_keeps_its_metric(tmp_path):
    rows = [sample(["It is 4."], exact_match=1.0), sample(["It is 5."], exact_match=0.0)]
    log, found = read(formats.lines(tmp_path / "samples_sums.jsonl", rows))
    assert log.rewards == (("exact_match", 1.0),) and not any("final answer" in note for note in log.notes)
    assert found["reward"].to_list() == [1.0, 0.0] == found["reward:exact_match"].to_list()
    assert found["correct"].to_list() == [True, False]


@pytest.mark.parametrize(
    ("target", "responses", "rewards"),
    [
        ("5", ["2+3 is 5", "2+3 is 6", "I cannot say", "\\boxed{5}"], [1.0, 0.0, 0.0, 1.0]),
        ("2+3=5\n#### 5", ["#### 5", "5 or 6"], [1.0, 0.0]),
        (5, ["so 5", "so 6"], [1.0, 0.0]),
        (["5", "five"], ["five", "5", "6"], [1.0, 1.0, 0.0]),
        ("B", ["The answer is B", "The answer is C", "It has 2 parts"], [1.0, 0.0, None]),
        ("Paris", ["Paris", "Paris, of 2 million", "\\boxed{Rome}", "It is Paris"], [1.0, None, 0.0, None]),
    ],
)
def test_several_responses_of_the_harness_are_judged_one_by_one(tmp_path, target, responses, rewards):
    log, found = read(formats.lines(tmp_path / "samples_sums.jsonl", [sample(responses, target)]))
    assert log.rewards == (("answer", 1.0),) and found["reward"].to_list() == rewards
    assert set(found["correct"]) == {None}


def test_responses_that_cannot_be_judged_are_no_log(tmp_path):
    path = formats.lines(tmp_path / "samples_code.jsonl", [sample(["def f(): ...", "def f(): 0"], "assert f() == []")])
    with pytest.raises(SpkitError, match="no rows with a reward: .* no target is a number"):
        read(path)


def test_a_table_that_grows_counts_once(tmp_path):
    log, found = read(formats.wandb(tmp_path))
    assert len(found) == formats.ROWS and log.warnings[0].startswith("16 rows were logged again")


@pytest.mark.parametrize("writer", ["W&B", "trackio"])
def test_a_table_that_grows_counts_once_though_its_answers_are_all_the_same(tmp_path, writer, monkeypatch):
    rows = [{**row, "completion": "1", "prompt": "p"} for row in formats.trl_rows()]
    monkeypatch.setattr(formats, "trl_rows", lambda given: rows)
    assert len(read(formats.TABLE[writer].make(tmp_path))[1]) == formats.ROWS


@pytest.mark.parametrize("left", ["eval", "val", "validation"])
def test_evaluations_beside_training_are_left_out(tmp_path, left):
    formats.verl(tmp_path / "train")
    formats.verl(tmp_path / left)
    log, found = read(tmp_path)
    assert len(found) == formats.ROWS and "2 files of evaluations were left out" in log.notes
    assert len(read(tmp_path / left)[1]) == formats.ROWS, "asked for, they are read"
