"""Which files are the log, which columns are what, and one sentence where that cannot be known."""

import json
import shlex
import sys

import pytest

from spkit.cli.main import main
from spkit.diagnose.reading import ColumnMap, Log
from spkit.diagnose.reading.folders import last_number_of, step_in
from spkit.run.errors import SpkitError
from tests.diagnose.reading import formats

polars = pytest.importorskip("polars")
pyarrow = pytest.importorskip("pyarrow")
ROW = {"step": 1, "prompt": "a", "completion": "b", "reward": 1.0}
OWN = [  # of a trainer of somebody's own
    {
        "global_step": step,
        "question": f"{step}+1=",
        "response": f"{sample}",
        "acc": float(sample % 2),
        "fmt": 0.5,
        "label": "3",
    }
    for step in (1, 2)
    for sample in range(4)
]


def read(path, columns=ColumnMap()):
    log = Log(path, columns)
    return log, polars.concat(list(log))


def test_a_column_map_reads_the_rest(tmp_path):
    path = formats.lines(tmp_path / "a.jsonl", OWN)
    given = ColumnMap("question", "response", "global_step", "label", rewards=(("acc", 1.0), ("fmt", 0.5)))
    log, found = read(path, given)
    assert log.form == "column map" and log.notes[0] == "column map rows; reward = acc + 0.5 fmt"
    assert found["step"].to_list() == [1] * 4 + [2] * 4 and found["gold"].unique().to_list() == ["3"]
    assert found["reward"].to_list() == [0.25, 1.25] * 4


def test_the_step_may_be_in_the_name(tmp_path):
    for step in (2, 10):
        rows = [{k: v for k, v in row.items() if k != "global_step"} for row in OWN[:4]]
        formats.lines(tmp_path / f"rollout-{step}.jsonl", rows)
    given = ColumnMap("question", "response", rewards=(("acc", 1.0),), step_from="filename")
    assert read(tmp_path, given)[1]["step"].to_list() == [2] * 4 + [10] * 4
    formats.lines(tmp_path / "rest.jsonl", OWN)
    with pytest.raises(SpkitError, match="rest.jsonl has no number in its name"):
        read(tmp_path, given)
    with pytest.raises(SpkitError, match="the filename"):
        ColumnMap(step="a", step_from="filename")


def test_the_refusal_shows_the_columns_and_the_map_that_fits(tmp_path, monkeypatch, capsys):
    path = formats.lines(tmp_path / "a.jsonl", OWN)
    with pytest.raises(SpkitError, match="has the columns global_step, question, response, acc, fmt, label") as error:
        Log(path)
    options = str(error.value).partition("such as ")[2]
    assert options == "--prompt question --completion response --step global_step --gold label --reward acc"
    monkeypatch.setattr(sys, "argv", ["spkit", "diagnose", str(path), *shlex.split(options), "--json"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 0 and len(json.loads(capsys.readouterr().out)["steps"]) == 2
    monkeypatch.setattr(sys, "argv", ["spkit", "diagnose", str(path)])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2 and capsys.readouterr().err.count("\n") == 1


def test_only_a_reward_has_to_be_named(tmp_path):
    rows = [{k: v for k, v in ROW.items() if k != "reward"} | {"points": 3} for _ in range(4)]
    path = formats.lines(tmp_path / "a.jsonl", rows)
    with pytest.raises(SpkitError, match="--reward points"):
        read(path)
    assert read(path, ColumnMap(rewards=(("points", 1.0),)))[1]["reward"].to_list() == [3.0] * 4


@pytest.mark.parametrize(
    ("rows", "columns", "message"),
    [
        ([], ColumnMap(), "has no rows"),
        ([{"step": 1}], ColumnMap(), "has the columns step, which no known format has"),
        ([{"prompt": "a", "completion": "b", "step": 1}], ColumnMap(), "has the columns prompt, completion, step"),
        ([{"input": "a", "output": "b", "step": 1}], ColumnMap(), "of verl's only score is missing"),
        ([ROW], ColumnMap(prompt="question"), "has no column 'question'"),
        ([ROW], ColumnMap(gold="question"), "has no column 'question'"),
        ([{**ROW, "reward": None}] * 4, ColumnMap(), "no rows with a reward"),
        ([{**ROW, "reward": float("nan")}] * 4, ColumnMap(), "no rows with a reward"),
        ([{**ROW, "reward": "good"}] * 4, ColumnMap(), "no rows with a reward"),
    ],
)
def test_what_is_no_log(tmp_path, rows, columns, message):
    with pytest.raises(SpkitError, match=message) as error:
        read(formats.lines(tmp_path / "a.jsonl", rows), columns)
    assert "\n" not in str(error.value)


def test_folders_that_are_none(tmp_path):
    with pytest.raises(SpkitError, match="there is no file or folder"):
        Log(tmp_path / "nowhere")
    with pytest.raises(SpkitError, match="neither a run of spkit .* nor a folder of logs"):
        Log(tmp_path)
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(SpkitError, match="is no log: its name must end in"):
        Log(tmp_path / "a.txt")


def test_a_folder_with_two_formats(tmp_path):
    formats.verl(tmp_path / "one")
    formats.trl(tmp_path / "two")
    with pytest.raises(SpkitError, match="logs of 2 formats \\(verl, TRL\\): give the file, or the folder, of one"):
        Log(tmp_path)
    formats.trl_parquet(tmp_path / "two")
    with pytest.raises(SpkitError, match="logs of 2 kinds of file \\(parquet, JSON\\)|logs of 2 kinds of file"):
        (tmp_path / "two" / "completions.jsonl").rename(tmp_path / "two" / "completions" / "a.jsonl")
        Log(tmp_path / "two")


def test_other_files_of_a_run_are_no_logs(tmp_path):
    formats.verl(tmp_path)
    (tmp_path / "config.json").write_text('{"lr": 1}')
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "loss": 0.5}\n')
    log, found = read(tmp_path)
    assert len(found) == formats.ROWS and "2 other files in the folder are no logs and were left out" in log.notes


def test_files_in_nested_folders_come_in_the_order_of_their_numbers(tmp_path):
    for step in (10, 9, 1):
        formats.lines(tmp_path / "run" / f"step_{step}" / "rollouts.jsonl", [{**ROW, "step": step}] * 2)
    assert read(tmp_path)[1]["step"].to_list() == [1, 1, 9, 9, 10, 10]


@pytest.mark.parametrize(
    ("path", "step", "last"),
    [
        ("12.jsonl", 12, 12),
        ("train_data_step7.jsonl", 7, 7),
        ("rollouts/step_3/train_rollouts.jsonl", 3, None),
        ("global_step_40/x.jsonl", 40, None),
        ("checkpoint-5/samples_gsm8k_2026-01-01.jsonl", 5, 1),
        ("results.jsonl", None, None),
        ("footsteps9.jsonl", None, 9),
    ],
)
def test_the_step_in_a_name(tmp_path, path, step, last):
    assert (step_in(tmp_path / path), last_number_of(tmp_path / path)) == (step, last)


def test_a_broken_footer(tmp_path):
    folder = formats.trl_parquet(tmp_path) / "completions"
    last = sorted(folder.iterdir())[-1]
    last.write_bytes(last.read_bytes()[:-20])
    log, found = read(tmp_path)
    assert found["step"].unique().to_list() == [1] and "the last file, is cut off and was left out" in log.warnings[0]
    first = sorted(folder.iterdir())[0]
    last.rename(folder / "completions_00000.parquet")
    with pytest.raises(SpkitError, match="completions_00000.parquet is damaged or cut off"):
        read(tmp_path)
    first.unlink()
    with pytest.raises(SpkitError, match="is damaged or cut off"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "a.csv",
            "step,prompt,completion,reward\n1,a,b,1\n1,a,b,1,2\n",
            "line 3 has 5 values, and there are 4 columns",
        ),
        ("a.table.json", '{"columns": ["a"]}', "no table of W&B"),
        ("a.table.json", '{"columns": ["a"], "data": [', "no JSON, or is cut off"),
        ("a.db", "nothing", "no file of trackio's"),
        ("a.parquet", "PAR1", "damaged or cut off"),
        ("a.json", '{"a": 1', "is no JSON|has no rows"),
        ("a.jsonl.zst", "nothing", "it is not packed as .zst says"),
    ],
)
def test_damaged_tables(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(SpkitError, match=message) as error:
        read(tmp_path / name)
    assert "\n" not in str(error.value)


def test_csv_as_spreadsheets_write_it(tmp_path):
    text = '\ufeffstep,prompt,completion,reward\r\n1,"a, b","two\r\nlines ""x""",1.0\r\n1,a,c,\r\n1,a,d,0,'
    (tmp_path / "a.csv").write_bytes(text.encode()[:-1])
    _, found = read(tmp_path / "a.csv")
    assert found["prompt"].to_list() == ["a, b", "a", "a"] and found["completion"][0].split() == ["two", "lines", '"x"']
    assert found["reward"].to_list() == [1.0, None, 0.0]


def test_numpy_in_parquet(tmp_path):
    """What pandas writes of columns with arrays, nulls first, and the index it adds."""
    from pyarrow import parquet

    table = pyarrow.table(
        {
            "step": pyarrow.array([1, 1, 1], pyarrow.int32()),
            "prompt": pyarrow.array([[{"role": "user", "content": "q"}]] * 3),
            "completion": pyarrow.array([[{"role": "assistant", "content": c}] for c in "abc"]),
            "accuracy_reward": pyarrow.array([None, 1.0, float("nan")], pyarrow.float32()),
            "advantage": pyarrow.array([0.5, 0.5, -1.0], pyarrow.float16()),
            "__index_level_0__": pyarrow.array([0, 1, 2]),
        }
    )
    parquet.write_table(table, tmp_path / "a.parquet")
    log, found = read(tmp_path / "a.parquet")
    assert found["completion"].to_list() == ["a", "b", "c"] and found["reward"].to_list() == [None, 1.0, None]
    assert set(found["prompt"]) == {"q"} and set(found["chat"]) == {True} and log.form == "TRL"


def test_an_answer_that_differs_within_a_prompt_is_what_was_answered(tmp_path):
    rows = [{**ROW, "answer": "3", "prompt": "p"} for _ in range(4)]
    assert read(formats.lines(tmp_path / "a.jsonl", rows))[1]["gold"].to_list() == ["3"] * 4
    rows[2]["answer"] = "4"
    assert read(formats.lines(tmp_path / "b.jsonl", rows))[1]["gold"].to_list() == [None] * 4
