"""A log that grows while it is watched: every verdict comes, none twice, and nothing that is torn is an error."""

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from spkit.cli import diagnosing
from spkit.cli.main import main
from spkit.diagnose import diagnose, read_log
from spkit.diagnose.report.watch import changes, is_news, look, verdict_line, waiting_line
from spkit.run.errors import SpkitError
from tests.diagnose.report.made import FINDINGS, diagnosis
from tests.diagnose.world import World, rows

ROOT = Path(__file__).parents[3]
SMALL = dict(steps=8, problems=8, proposer=False)


def lines_of(world: World) -> list[str]:
    return [json.dumps(row) + "\n" for row in rows(world, 0)]


def write_slowly(path: Path, text: str, pieces: int) -> None:
    """The text in pieces that end anywhere, mostly within a line."""
    size = len(text) // pieces + 1
    with open(path, "a") as file:
        for start in range(0, len(text), size):
            file.write(text[start : start + size])
            file.flush()
            time.sleep(0.01)


def patiently(seconds: float = 60) -> Callable[[float], None]:
    """Sleeps, up to so many seconds from now: what has not come by then does not come."""
    deadline = time.time() + seconds

    def sleep(pause: float) -> None:
        assert time.time() < deadline, "it did not come"
        time.sleep(pause)

    return sleep


def groups_of(found) -> int:
    return sum(step.groups for step in found.evidence.steps)


def test_a_log_is_read_while_it_is_written(tmp_path):
    log, seen = tmp_path / "log.jsonl", []
    text = "".join(lines_of(World(**SMALL)))
    writer = threading.Thread(target=write_slowly, args=(log, text, 40))
    for found in changes(tmp_path, lambda: diagnose(read_log(tmp_path)), 0.005, sleep=patiently()):
        seen.append(found)
        if len(seen) == 1:
            assert isinstance(found, SpkitError), "the folder is empty"
            writer.start()
        elif not isinstance(found, Exception) and groups_of(found) == 64:
            break
    writer.join()
    verdicts = [found for found in seen if not isinstance(found, Exception)]
    groups = [groups_of(found) for found in verdicts]
    assert groups == sorted(groups)
    assert verdicts[-1].verdict == diagnose(read_log(log)).verdict
    whole = [isinstance(found, Exception) for found in seen]
    assert whole == sorted(whole, reverse=True), "once there was a verdict, a torn last line took none away"


def test_every_piece_of_a_log_that_grows_is_seen(tmp_path):
    log, seen = tmp_path / "log.jsonl", []
    text = "".join(lines_of(World(**SMALL)))
    ends = [len(text) * piece // 8 for piece in range(1, 9)]
    for found in changes(log, lambda: diagnose(read_log(log)), 0.001, sleep=patiently()):
        seen.append(None if isinstance(found, Exception) else groups_of(found))
        if len(seen) > len(ends):
            break
        log.write_text(text[: ends[len(seen) - 1]])
    assert seen[0] is None, "there was no file"
    assert seen[-1] == 64 and all(a < b for a, b in itertools.pairwise(seen[1:]))


def test_nothing_is_read_twice_and_a_slow_reading_is_followed_by_as_long_a_rest(tmp_path):
    log, read, rests = tmp_path / "log.jsonl", [], []
    log.write_text("1")

    def reading():
        read.append(1)
        time.sleep(0.05)
        return diagnosis()

    def rest(seconds: float) -> None:
        rests.append(seconds)
        if len(rests) in (3, 6):
            log.write_text("1" * (len(rests) + 1))
        if len(rests) == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        for _ in changes(log, reading, 0.001, sleep=rest):
            pass
    assert len(read) == 3 and all(seconds >= 0.05 for seconds in rests)


def test_what_the_watch_itself_writes_is_no_change(tmp_path):
    page = tmp_path / "report.html"
    (tmp_path / "log.jsonl").write_text("1")
    before = look(tmp_path, [page])
    page.write_text("1")
    (tmp_path / ".partial-report.html").write_text("1")
    assert look(tmp_path, [page]) == before != look(tmp_path)
    assert look(tmp_path / "missing") == ()


def test_only_another_verdict_or_another_error_is_news():
    healthy, one, both = diagnosis(), diagnosis(FINDINGS[:1]), diagnosis(FINDINGS)
    torn, other = SpkitError("log.jsonl line 12 is no JSON"), OSError(2, "gone")
    assert is_news(healthy, None) and is_news(one, healthy) and is_news(both, one) and is_news(torn, one)
    assert not is_news(one, replace(one, late=healthy.late)) and is_news(other, torn)
    assert not is_news(SpkitError("log.jsonl line 99 is no JSON"), torn), "it grew, and is still torn"
    assert verdict_line(both) == "step 39: reward hacking (verifier); also truncated"
    assert verdict_line(healthy) == "step 39: healthy"
    assert waiting_line(SpkitError("no\x1b[31m\nfile")) == "waiting: no⟨U+001B⟩[31m file"


def watched(monkeypatch, capsys, found, **asked) -> tuple[list[str], list[str]]:
    """What is printed, and what is said on stderr, of these readings; then comes Ctrl+C."""

    def readings(*_):
        yield from found
        raise KeyboardInterrupt

    monkeypatch.setattr(diagnosing, "changes", readings)
    with pytest.raises(SystemExit) as left:
        diagnosing.watch_and_show(Path("log"), diagnosis, 1.0, diagnosing.Output(**asked))
    assert left.value.code == 130
    printed = capsys.readouterr()
    return printed.out.splitlines(), printed.err.splitlines()


def test_a_verdict_is_printed_when_it_changed_and_the_page_written_whenever_the_log_did(monkeypatch, capsys, tmp_path):
    torn, healthy, ill = SpkitError("log line 7 is no JSON"), diagnosis(), diagnosis(FINDINGS)
    found, page = [torn, healthy, torn, healthy, ill, torn, ill, healthy], tmp_path / "page.html"
    out, errors = watched(monkeypatch, capsys, found, html=page)
    assert [line.split("  ", 1)[1] for line in out] == [verdict_line(one) for one in (healthy, ill, healthy)]
    assert len(errors) == 2 and "waiting: log line 7 is no JSON" in errors[0] and errors[1] == "Stopped watching."
    assert '<h1 class="good">healthy</h1>' in page.read_text()
    out, _ = watched(monkeypatch, capsys, found, json=True)
    assert [json.loads(line)["verdict"] for line in out] == ["healthy", "reward hacking", "healthy"]
    out, _ = watched(monkeypatch, capsys, found, verbose=True)
    assert out.count("verdict: healthy") == 2


def until(happens, process, seconds: float = 60) -> None:
    deadline = time.time() + seconds
    while not happens():
        assert time.time() < deadline and process.poll() is None, "it did not come"
        time.sleep(0.05)


def test_the_command_waits_for_an_empty_folder_follows_it_and_ends_on_ctrl_c(tmp_path):
    folder, page, out, errors = (tmp_path / name for name in ("logs", "report.html", "out", "errors"))
    folder.mkdir()
    code = "from spkit.cli.main import main; main()"
    command = [sys.executable, "-c", code, "diagnose", str(folder), "--watch", "--every", "0.05", "--html", str(page)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    with open(out, "w") as said, open(errors, "w") as complained:
        process = subprocess.Popen(command, stdout=said, stderr=complained, env=environment)
    try:
        until(lambda: "waiting: " in errors.read_text(), process)
        healthy, hard = lines_of(World(**SMALL)), lines_of(World(**{**SMALL, "depth": 9.0, "skill": 3.0}))
        (folder / "log.jsonl").write_text("".join(healthy) + hard[0][:20])
        until(lambda: "step 7: " in out.read_text(), process)
        assert "healthy" in out.read_text() and "healthy" in page.read_text()
        later = [json.dumps({**json.loads(line), "step": json.loads(line)["step"] + 8}) + "\n" for line in hard]
        (folder / "log.jsonl").write_text("".join(healthy + later))
        until(lambda: "step 15: " in out.read_text(), process)
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(60)
    assert code == 130 and "Stopped watching." in errors.read_text() and "Traceback" not in errors.read_text()
    lines = out.read_text().splitlines()
    assert len(lines) == 2 and all(re.match(r"\d\d:\d\d:\d\d  step \d+: ", line) for line in lines)
    assert page.read_text().endswith("</html>") and "starvation" in page.read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["errors", "logs", "out", "report.html"]


@pytest.mark.parametrize("every", ["0", "-1", "nan"])
def test_no_time_between_two_looks_is_refused(tmp_path, every, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["spkit", "diagnose", str(tmp_path), "--watch", "--every", every])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2 and "--every" in capsys.readouterr().err
