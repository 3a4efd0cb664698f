"""One reader for all JSON lines: what other systems write is read, what is damaged is one sentence with the line, NaN
is neither read nor written.
"""

import json
import shutil

import pytest

from spkit.claims.base import read_results, write_result
from spkit.diagnose import read_audit, read_log, read_run
from spkit.loops.star import StarConfig, star
from spkit.run.description import load_run
from spkit.run.errors import NotFinite, SpkitError
from spkit.run.files import read_jsonl, write_jsonl
from spkit.run.folder import Run
from spkit.run.json_files import dumps, read_object, rows_of
from spkit.stages.references import read_references
from spkit.tasks import load_task
from spkit.tasks.commonsense_qa import CommonsenseQa
from spkit.tasks.gsm8k import Gsm8k
from tests.conftest import make_policy

MARK = b"\xef\xbb\xbf"
QUESTIONS = [{"question": f"How much is {n} and 1?", "answer": f"<<{n}+1={n + 1}>>\n#### {n + 1}"} for n in range(40)]
CHOICES = [
    {"question": f"q {n}", "choices": {"label": list("ABCDE"), "text": list("vwxyz")}, "answerKey": "B"}
    for n in range(40)
]
LOG = [
    {"step": step, "prompt": str(p), "completion": f"{i} #{i % 3}", "reward": float(i % 2)}
    for step in range(3)
    for p in range(4)
    for i in range(4)
]
AUDIT = [{"prompt": str(i), "completion": "x", "correct": True} for i in range(12)]
REPLIES = [{"prompt": f"p{i}", "reply": f"r{i}\u2028\x85"} for i in range(4)]
RECORDS = [{"iteration": i, "accuracy": 0.5} for i in range(3)]


def log_rows(path):
    return [(step.step, step.groups, step.solve_rate) for step in read_log(path).steps]


READERS = {  # what reads a file of JSON lines, and a file that it reads
    "records": (read_jsonl, RECORDS),
    "references": (read_references, REPLIES),
    "questions": (lambda path: [Gsm8k(str(path)).problem(0, i).prompt for i in range(9)], QUESTIONS),
    "choices": (lambda path: [CommonsenseQa(str(path)).problem(0, i).prompt for i in range(9)], CHOICES),
    "log": (log_rows, LOG),
    "audit": (lambda path: sorted(read_audit(path).items), AUDIT),
}
STRICT = ("records", "references", "questions", "choices")


def lines(rows) -> list[bytes]:
    return [json.dumps(row, ensure_ascii=False).encode() for row in rows]


@pytest.mark.parametrize("name", READERS)
def test_marks_line_ends_and_blank_lines_of_other_systems_are_read(name, tmp_path):
    read, rows = READERS[name]
    (tmp_path / "plain.jsonl").write_bytes(b"\n".join(lines(rows)) + b"\n")
    (tmp_path / "odd.jsonl").write_bytes(MARK + b"\r\n\r\n \r\n".join(lines(rows)))
    assert read(tmp_path / "odd.jsonl") == read(tmp_path / "plain.jsonl")


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (b'{"a": "\xff\xfe"}', "no text in UTF-8"),
        (b"7", "no JSON object but '7'"),
        (b"[1]", r"no JSON object but '\[1\]'"),
        (b'{"a": 1', "no JSON"),
        (b"\0\0\0", "no JSON"),
        (b'"' + b"[" * 99, "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b'{"a": 1}{"a": 2}', "no JSON"),
        (b"9" * 5000, "no JSON"),
    ],
)
def test_a_damaged_line_in_the_middle_is_named(name, damage, said, tmp_path):
    read, rows = READERS[name]
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join([*lines(rows)[:2], damage, *lines(rows)[2:]]) + b"\n")
    replaced = name == "log" and "UTF-8" in said  # in a log such bytes are replaced, and this row has no prompt then
    message = r"a\.jsonl line 3 has no prompt" if replaced else rf"a\.jsonl line 3 is {said}.*: \w+"
    with pytest.raises(SpkitError, match=message):
        read(path)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_one_sentence(name, encoding, tmp_path):
    read, rows = READERS[name]
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(lines(rows)).decode().encode(encoding))
    with pytest.raises(
        SpkitError,
        match=r"a\.jsonl is no text in UTF-8 but in UTF-16, as > of Windows PowerShell writes it: write it in UTF-8",
    ):
        read(tmp_path / "a.jsonl")


@pytest.mark.parametrize("name", STRICT)
@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_json_does_not_have_are_refused(name, constant, tmp_path):
    read, rows = READERS[name]
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join([*lines(rows), f'{{"iteration": {constant}}}'.encode()]))
    with pytest.raises(SpkitError, match=rf"a\.jsonl line {len(rows) + 1} is no JSON \({constant} is no number\): "):
        read(path)


def test_in_logs_of_other_trainers_they_are_missing_and_counted(tmp_path):
    path, made = (
        tmp_path / "a.jsonl",
        [{**row, "advantage": float("nan"), "score_reward": row["reward"]} for row in LOG],
    )
    for row in made:
        del row["reward"]
    made[0]["score_reward"] = float("inf")
    path.write_text("".join(json.dumps(row) + "\n" for row in made))
    assert read_log(path).warnings[:2] == (
        f"{len(made) + 1} numbers are NaN or infinite and were read as missing",
        "1 row has no reward at all",
    )
    verl = [
        {
            "input": row["prompt"],
            "output": row["completion"],
            "score": float("nan") if i == 5 else row["reward"],
            "step": row["step"],
        }
        for i, row in enumerate(LOG)
    ]
    path.write_text(json.dumps(verl))
    assert read_log(path).warnings[:2] == (
        "1 number is NaN or infinite and was read as missing",
        "1 row has no reward at all",
    )
    (tmp_path / "b.json").write_bytes(MARK + path.read_bytes())
    assert log_rows(tmp_path / "b.json") == log_rows(path)


def test_nan_is_not_written_and_named(tmp_path):
    for value, name in (
        ({"a": [1, {"b": float("nan")}]}, r"a\.1\.b is nan"),
        (float("inf"), "the value is inf"),
        ({1: -float("inf")}, "1 is -inf"),
    ):
        with pytest.raises(NotFinite, match=name):
            dumps(value)
    with pytest.raises(NotFinite, match="x is nan"):
        write_jsonl(tmp_path / "a.jsonl", [{"x": float("nan")}])
    assert not list(tmp_path.iterdir()) and dumps({"x": None}) == '{"x": null}'


def test_a_run_refuses_damaged_records_and_says_where(tmp_path, capsys):
    list(
        star(
            make_policy(),
            load_task("addition"),
            StarConfig(1, problems_per_iteration=4, steps=1, batch_size=4, test_per_difficulty=1),
            Run(tmp_path / "r"),
        )
    )
    for name, content, said in (
        (
            "metrics.jsonl",
            b'{"iteration": 0, "accuracy": NaN}\n',
            r"metrics\.jsonl line 1 is no JSON \(NaN is no number\)",
        ),
        ("metrics.jsonl", b"3\n", r"metrics\.jsonl line 1 is no JSON object"),
        ("metrics.jsonl", b'{"accuracy": 1}\n', r"metrics\.jsonl line 1 has no iteration"),
        ("config.json", b"\xff", r"config\.json is no text in UTF-8"),
        ("config.json", b"[]", r"config\.json is no JSON object"),
        ("config.json", b"{}", "has no method, task and config"),
    ):
        shutil.rmtree(tmp_path / "d", ignore_errors=True)
        shutil.copytree(tmp_path / "r", tmp_path / "d")
        (tmp_path / "d" / name).write_bytes(content)
        for read in (load_run, read_run):
            with pytest.raises(SpkitError, match=said):
                read(tmp_path / "d")
    (tmp_path / "r" / "samples.jsonl").write_bytes(b"{}\n")
    with pytest.raises(SpkitError, match=r"samples\.jsonl line 1 has no iteration: delete that line"):
        Run(tmp_path / "r").start(json.loads((tmp_path / "r" / "config.json").read_text()), make_policy())


def test_an_infinite_setting_is_a_word_and_a_folder_of_before_is_continued(tmp_path):
    about = {"method": "rlvr", "task": "sums", "config": {"clip_high": float("inf"), "iterations": 1}}
    for _ in range(2):
        Run(tmp_path).start(about, make_policy())
        assert (
            load_run(tmp_path)[0]["config"]["clip_high"] == "inf"
            and "Infinity" not in (tmp_path / "config.json").read_text()
        )
        (tmp_path / "config.json").write_text(json.dumps(about))  # as it was written before


def test_damaged_results_of_claims_are_named(tmp_path):
    from spkit.claims import CLAIMS

    path = tmp_path / f"{CLAIMS[0].id}.json"
    for content, said in (
        ("", "no JSON"),
        ("[1]", "no JSON object"),
        ('{"mean": NaN}', "NaN is no number"),
        ('{"mean": 1}', "is no result of a claim, it has no statement"),
    ):
        path.write_text(content)
        with pytest.raises(SpkitError, match=rf"{path.name}.*{said}.*measure the claim again"):
            read_results(CLAIMS, tmp_path)
    with pytest.raises(NotFinite, match="mean is nan"):
        write_result({"id": "x", "seeds": [], "mean": float("nan")}, tmp_path)


def test_what_cannot_be_opened_is_one_sentence(tmp_path):
    for read in (lambda path: list(rows_of(path, "do that")), lambda path: read_object(path, "do that")):
        with pytest.raises(SpkitError, match=r"could not read .* \(Is a directory\): do that"):
            read(tmp_path)
