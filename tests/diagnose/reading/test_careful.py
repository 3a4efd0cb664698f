"""What a chunk at once and row by row give is the same, and both read what trainers and accidents leave in a file."""

import gzip
import json
import os
import random
import subprocess
import sys
import tracemalloc

import pytest

from spkit.diagnose.reading import ColumnMap, Log, Tally, careful_rows, json_pieces, lines, plain_text
from spkit.run.errors import SpkitError

polars = pytest.importorskip("polars")
pytest.importorskip("pyarrow")
ROW = {"step": 1, "prompt": "a", "completion": "b", "reward": 1.0}


def read(path, columns=ColumnMap()):
    log = Log(path, columns)
    return log, polars.concat(list(log))


def varied(count, seed=0):
    """Rows of spkit's format in which every column is null, absent, a whole or a broken number here and there."""
    draw = random.Random(seed)
    for index in range(count):
        role = draw.choice(["solver", "solver", "proposer", None])
        row = {
            "step": index // 50 if index % 7 else float(index // 50),
            "prompt": draw.choice(["1+1=", "é ü", "2+2=", "tab\t"]),
            "completion": f"{index} \u2028 {draw.choice(['so', '#### 3', ''])}",
            "reward": draw.choice([0, 1, 0.5, None, float("nan")] if index % 3 else [1.0, 0]),
            "role": role,
            "fault": draw.choice([None, "duplicate"]),
            "gold": draw.choice(["3", "x", None]),
        }
        if draw.random() < 0.1:
            row["correct"] = draw.choice([True, False, None])
        if draw.random() < 0.1:
            row["entropy"] = draw.random()
        yield row


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_chunk_at_once_gives_what_row_by_row_gives(tmp_path, monkeypatch):
    path, fast = write(tmp_path / "a.jsonl", varied(6000)), []
    frame = json_pieces.Types.frame
    monkeypatch.setattr(json_pieces, "FIRST_BYTES", 20_000)
    monkeypatch.setattr(json_pieces, "CHUNK_BYTES", 30_000)
    monkeypatch.setattr(json_pieces.Types, "frame", lambda self, chunk: fast.append(frame(self, chunk)) or fast[-1])
    _, quick = read(path)
    assert sum(part is not None for part in fast) > 10, "most chunks are read at once"
    assert any(part is None for part in fast), "and some are not"
    monkeypatch.setattr(json_pieces.Types, "frame", lambda self, chunk: None)
    _, slow = read(path)
    assert len(quick) == 6000 and quick.equals(slow, null_equal=True)


@pytest.mark.parametrize(
    "prompt",
    [
        [{"role": "user", "content": "hi"}, {"role": "user", "content": None}],
        [{"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "text", "text": "you"}]}],
        [{"role": "user", "content": "hi", "tool_calls": [{"function": {"name": "f", "arguments": {"x": 1}}}]}],
    ],
    ids=["plain", "parts", "tool calls"],
)
def test_conversations_are_read_alike_at_once_and_row_by_row(tmp_path, monkeypatch, prompt):
    rows = [{**ROW, "prompt": prompt, "completion": [{"role": "assistant", "content": str(i)}]} for i in range(400)]
    monkeypatch.setattr(json_pieces, "FIRST_BYTES", 3_000)
    monkeypatch.setattr(json_pieces, "CHUNK_BYTES", 9_000)
    path = write(tmp_path / "a.jsonl", rows)
    _, quick = read(path)
    monkeypatch.setattr(json_pieces.Types, "frame", lambda self, chunk: None)
    _, slow = read(path)
    assert quick.equals(slow) and set(quick["prompt"]) == {plain_text(prompt)} and set(quick["chat"]) == {True}


def test_a_tool_call_that_comes_late_is_not_passed_over(tmp_path, monkeypatch):
    monkeypatch.setattr(json_pieces, "FIRST_BYTES", 3_000)
    monkeypatch.setattr(json_pieces, "CHUNK_BYTES", 9_000)
    plain = {"role": "assistant", "content": "x"}
    call = {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}
    rows = [{**ROW, "prompt": [{"role": "user", "content": "q"}], "completion": [plain]} for _ in range(200)]
    _, found = read(write(tmp_path / "a.jsonl", rows + [{**rows[0], "completion": [call]}] * 3 + rows))
    assert found["completion"].to_list()[200:203] == ["f({})"] * 3 and found["completion"][-1] == "x"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "x"),
        (None, ""),
        (3, "3"),
        (3.0, "3"),
        (0.5, "0.5"),
        (["a", "b"], "a\nb"),
        ([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "a\nb"),
        ([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}], "a\nb"),
        ([{"role": "user", "content": None}], ""),
        ({"role": "assistant", "content": "", "tool_calls": [{"name": "f", "arguments": '{"x":1}'}]}, '\nf({"x":1})'),
        ({"role": "assistant", "content": "a", "tool_calls": None}, "a"),
        ({"role": "assistant", "content": "a", "reasoning_content": "r"}, "r\na"),
    ],
)
def test_the_text_of_whatever_was_logged(value, text):
    assert plain_text(value) == text


def test_two_images_are_two_prompts():
    one, two = ({"type": "image_url", "image_url": {"url": url}} for url in ("a", "b"))
    texts = {plain_text([{"role": "user", "content": [{"type": "text", "text": "see"}, part]}]) for part in (one, two)}
    assert len(texts) == 2


@pytest.mark.parametrize("packed", ["", ".gz", ".zst"])
def test_what_accidents_leave_in_a_file(tmp_path, packed):
    import pyarrow

    body = b"\xef\xbb\xbf" + json.dumps({**ROW, "reward": None}).encode() + b"\r\n\r\n"
    body += b'{"step": 1, "prompt": "a\xff\xfe", "completion": "\\ud83d", "reward": NaN}\r\n'
    body += json.dumps(ROW).encode() + b'\n{"step": 2, "pro'
    path = tmp_path / f"a.jsonl{packed}"
    if packed == ".zst":
        with pyarrow.CompressedOutputStream(str(path), "zstd") as file:
            file.write(body)
    else:
        path.write_bytes(gzip.compress(body) if packed else body)
    log, found = read(path)
    assert found["prompt"].to_list() == ["a", "a\ufffd\ufffd", "a"] and found["reward"].to_list() == [None, None, 1.0]
    assert set(log.warnings) == {
        "3 characters are no UTF-8 and were replaced",
        "1 line at the end of a file is cut off and was left out",
        "1 number is NaN or infinite and was read as missing",
        "2 rows have no reward at all",
    }


def test_packed_files_that_end_too_early_are_read_to_there(tmp_path):
    whole = "".join(json.dumps({**ROW, "completion": random.Random(i).random()}) + "\n" for i in range(4000)).encode()
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(whole)[:-9000])
    log, found = read(path)
    assert 1000 < len(found) < 4000 and "ends too early" in log.warnings[0]
    path.write_bytes(b"no gzip")
    with pytest.raises(SpkitError, match="is damaged"):
        read(path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"not json", "line 3 is no JSON"),
        (b"[1, 2]", "line 3 is no JSON object but '\\[1, 2\\]'"),
        (b"3", "line 3 is no JSON object"),
        (b"{'step': 1}", "line 3 is no JSON"),
        (b"[" * 100_000, "line 3 is no JSON"),
        (b'{"step": 1, "prompt": "a", "completion": "b", "reward": 1.0} {"step": 1}', "line 3 is no JSON"),
        (b'{"step": "one", "prompt": "a", "completion": "b", "reward": 1.0}', "line 3 has step = 'one'"),
        (b'{"step": 1.5, "prompt": "a", "completion": "b", "reward": 1.0}', "line 3 has step = 1.5"),
        (b'{"step": null, "prompt": "a", "completion": "b", "reward": 1.0}', "line 3 has step = None"),
        (b'{"step": 1, "completion": "b", "reward": 1.0}', "line 3 has no prompt among its columns"),
        (b'{"step": 1, "input": "a", "output": "b", "score": 1.0}', "line 3 is a row of verl's"),
        (b'{"step": 1, "prompt": "a", "completion": "b", "reward": 1.0, "role": "judge"}', "has the role 'judge'"),
    ],
)
@pytest.mark.parametrize("quick", [False, True])
def test_a_hostile_line_is_one_sentence(tmp_path, monkeypatch, line, message, quick):
    if quick:
        monkeypatch.setattr(json_pieces, "FIRST_BYTES", 60)
    row = json.dumps({**ROW, "role": "solver"}).encode()
    (tmp_path / "a.jsonl").write_bytes(b"\n".join([row, row, line, row, row]))
    with pytest.raises(SpkitError, match=message) as error:
        read(tmp_path / "a.jsonl")
    assert "\n" not in str(error.value) and len(str(error.value)) < 400


def test_a_completion_of_ten_million_characters(tmp_path):
    long = "x" * 10_000_000
    rows = [{**ROW, "completion": f"begin{long}end {index}"} for index in range(2)]
    path = write(tmp_path / "a.jsonl", [ROW, *rows, ROW])
    _, found = read(path)
    assert found["characters"].to_list() == [1, 10_000_010, 10_000_010, 1]
    text = found["completion"][2]
    assert len(text) == 20_000 and text.startswith("begin") and text.endswith("end 1")


def test_a_line_that_is_no_row_for_its_length(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "LONGEST", 1 << 20)
    write(tmp_path / "a.jsonl", [ROW, {**ROW, "completion": "x" * (1 << 22)}])
    with pytest.raises(SpkitError, match="is longer than"):
        read(tmp_path / "a.jsonl")


def test_a_file_that_grows_is_read_to_where_it_was(tmp_path):
    path = write(tmp_path / "a.jsonl", [ROW] * 100)
    rows = careful_rows(path, Tally())
    first = next(rows)
    with open(path, "a") as file:
        file.write((json.dumps(ROW) + "\n") * 100)
    assert len([first, *rows]) == 100


def test_memory_does_not_grow_with_the_log(tmp_path):
    def peak(count):
        path = tmp_path / f"{count}.jsonl"
        with open(path, "w") as file:
            for index in range(count):
                file.write(
                    json.dumps({**ROW, "step": index // 64, "prompt": str(index // 8), "completion": "y" * 900}) + "\n"
                )
        tracemalloc.start()
        rows = sum(len(batch) for batch in Log(path))
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert rows == count
        return highest

    assert peak(60_000) < 1.5 * peak(20_000) + 1_000_000


def test_a_log_is_read_without_torch(tmp_path):
    """It would take 200 MB of the 400 that a diagnosis may have."""
    path = write(tmp_path / "a.jsonl", varied(100))
    code = f"import sys; from spkit.diagnose import Log; print(len(list(Log({str(path)!r}))), 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1 False\n"


def test_a_file_that_cannot_be_read(tmp_path):
    path = write(tmp_path / "a.jsonl", [ROW])
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(SpkitError, match="could not read"):
        read(path)
