"""The verdict in a terminal is short, says what counts, and obeys no text of the log."""

import json
import sys
import unicodedata

import pytest

from spkit.cli.main import main
from spkit.diagnose import diagnose, read_log
from spkit.diagnose.report import text, whole_text
from spkit.diagnose.report.shown import number_text, one_line, visible
from spkit.diagnose.report.told import figure_rows
from tests.diagnose.report.made import FINDINGS, MADE, diagnosis
from tests.diagnose.world import World, rows


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("width", [None, 60, 100])
def test_fifteen_lines_hold_every_verdict(name, width):
    lines = text(MADE[name](), width).split("\n")
    assert len(lines) <= 15 and lines[0].startswith("verdict: ")
    assert all(len(line) <= (width or 10_000_000) for line in lines)
    assert not [letter for line in lines for letter in line if unicodedata.category(letter) in ("Cc", "Cf", "Cs")]


def test_a_finding_is_what_was_seen_and_what_to_try_first_and_where():
    lines = text(diagnosis(FINDINGS)).splitlines()
    assert lines[0] == "verdict: reward hacking (bottleneck: the verifier)"
    assert lines[3].startswith("truncated (solver): 30% [26%, 34%] of the completions")
    assert lines[4] == "  try: allow longer completions, or ask for shorter ones; explained in notebooks/06, section 4"
    assert lines[5] == "read: TRL rows; reward = accuracy_reward + 0.5 format_reward; 40 steps, 640 groups, 5,120 rows"
    assert "not judged: bias of the verifier: no audited sample (--audit)" in lines
    assert "--verbose" not in text(diagnosis(FINDINGS)), "nothing was left out"
    assert "--verbose" in text(diagnosis(FINDINGS), 60) and "--verbose" in text(MADE["many-faults"]())


def test_long_lines_go_on_while_there_are_lines_left_and_are_cut_then():
    assert text(diagnosis(FINDINGS[:1]), 80).split() == text(diagnosis(FINDINGS[:1])).split(), "nothing is cut"
    lines = text(MADE["many-faults"](), 80).splitlines()
    assert len(lines) == 15 and lines[-1].startswith("all of it:") and lines[1].endswith("…")


@pytest.mark.parametrize("width", [None, 60, 90, 200])
def test_fifteen_lines_hold_any_number_of_findings_and_notes(width):
    for count in range(10):
        for notes in range(8):
            made = diagnosis((FINDINGS * 5)[:count], notes=("a note that is as long as most notes are",) * notes)
            lines = text(made, width).splitlines()
            assert len(lines) <= 15 and any(line.startswith("not judged: ") for line in lines)
            assert (lines[-1] == "all of it: --verbose, --html report.html or --json") or (count <= 4 and notes <= 4)


def test_too_many_findings_are_named():
    said = text(MADE["many-faults"]())
    assert all(f"fault {number}" in said for number in range(6))


def test_all_of_it_has_all_advice_and_the_table():
    made = diagnosis(FINDINGS)
    said = whole_text(made)
    assert all(advice in said for finding in FINDINGS for advice in finding.advice)
    for label, name in (("solve rate", "solve_rate"), ("truncated completions", "truncated")):
        (row,) = (line for line in said.splitlines() if line.startswith(label))
        assert row.split()[-2:] == [f"{100 * getattr(step, name):.0f}%" for step in (made.early, made.late)]


def test_hidden_characters_are_named_and_long_texts_cut():
    assert visible("a\u202eb\x00\r\nc\td") == "a⟨U+202E⟩b⟨U+0000⟩\nc\td"
    assert visible("a" * 30, 10) == "a" * 10 + " … (20 more characters)"
    assert visible("नमस्ते \u200d👩\u200d🚀") == "नमस्ते \u200d👩\u200d🚀", "joiners are part of how this is written"
    assert one_line("one two\nthree", 9) == "one two…" and one_line("x" * 50, 10) == "x" * 9 + "…"
    assert visible("".join(map(chr, range(0x110000)))) and not one_line("")


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0.5, "share", "50%"), (0.012, "share", "1.2%"), (0.0, "share", "0%"), (1.0, "share", "100%"), (None, "", "–"),
        (float("nan"), "", "–"), (float("inf"), "share", "–"), (12345.6, "", "12,346"), (0.6667, "", "0.667"),
        (3.0, "", "3"), (1e-9, "", "1.0e-09"), (-2.5e9, "", "-2.5e+09"), (0, "", "0"),
    ],
)  # fmt: skip
def test_numbers_are_short(value, unit, said):
    assert number_text(value, unit) == said


def test_figures_are_told_with_their_intervals_however_deep():
    rate = {"rate": 0.25, "interval": (0.2, 0.31), "of": 1200}
    assert figure_rows(
        {"useful": (0.5, None), "audit": {"wrong_accepted": rate, "signal": 0.7}, "length": (3.0, 4.5)}
    ) == [
        ("useful groups", "50% → –"),
        ("audit: wrong accepted", "25% [20%, 31%] of 1,200"),
        ("audit: signal", "0.7"),
        ("mean length", "3 → 4.5"),
    ]
    assert figure_rows({"drift": {"value": 120.0, "interval": (80, 160)}}) == [("drift", "120 [80, 160]")]


def run(monkeypatch, *arguments) -> int:
    monkeypatch.setattr(sys, "argv", ["spkit", "diagnose", *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        main()
    return left.value.code


def test_the_command_prints_it_and_writes_the_page(tmp_path, monkeypatch, capsys):
    log, page = tmp_path / "log.jsonl", tmp_path / "report.html"
    log.write_text("".join(json.dumps(row) + "\n" for row in rows(World(flip=0.3), 0)))
    assert run(monkeypatch, log, "--html", page) == 0
    printed = capsys.readouterr()
    assert printed.out == text(diagnose(read_log(log))) + "\n" and str(page) in printed.err
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert (
        run(monkeypatch, log, "--verbose") == 0
        and capsys.readouterr().out == whole_text(diagnose(read_log(log))) + "\n"
    )
    assert run(monkeypatch, log, "--json") == 0
    assert json.loads(capsys.readouterr().out)["schema"] == "spkit-diagnosis/1"


def test_a_page_that_cannot_be_written_is_one_sentence(tmp_path, monkeypatch, capsys):
    log = tmp_path / "log.jsonl"
    log.write_text("".join(json.dumps(row) + "\n" for row in rows(World(steps=4), 0)))
    assert run(monkeypatch, log, "--html", tmp_path / "missing" / "report.html") == 2
    said = capsys.readouterr().err
    assert "choose another place with --html" in said and "Traceback" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["log.jsonl"]
