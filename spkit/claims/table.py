"""The ledger as tables: in the terminal, in RESULTS.md by group, and its headlines in the README."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..run.errors import SpkitError
from ..run.files import write_atomic

Results = Sequence[Mapping[str, Any]]


def markdown_table(results: Results, measured: Results = ()) -> str:
    """One line a claim, with the verdict on the real model where one of the `measured` says what became of it there;
    by default these very results.
    """
    lines = ["| claim | measured: mean and 95 % interval over seeds | verdict |", "|---|---|---|"]
    for result in results:
        numbers = f"{result['criterion']}: {_mean(result)}"
        about = f"{result['statement']} ({result['source']})"
        lines.append(f"| {about} | {numbers} | {_verdict(result, measured or results)} |")
    return "\n".join(lines) + "\n"


def headline_table(results: Results, measured: Results) -> str:
    """The same in short, for those that a reader should see first."""
    lines = ["| claim | effect [95 % interval] | verdict |", "|---|---|---|"]
    lines += [f"| {one['statement']} | {_mean(one)} | {_verdict(one, measured)} |" for one in results]
    return "\n".join(lines) + "\n"


def _mean(result: Mapping[str, Any]) -> str:
    low, high = result["interval"]
    return f"{result['mean']:.2f} [{low:.2f}, {high:.2f}], {len(result['seeds'])} seeds"


def _verdict(result: Mapping[str, Any], measured: Results) -> str:
    on_real = [one["verdict"] for one in measured if one.get("repeats") and one["repeats"] == result.get("id")]
    return f"**{result['verdict']}**" + "".join(f"; on SmolLM2-135M: {verdict}" for verdict in on_real)


def write_into(page: Path, tables: Mapping[str, str]) -> None:
    """Put each table between its markers, if the page has them: `<!-- results NAME -->` and `<!-- /results NAME -->`,
    on lines of their own. Raises SpkitError if the page has none of them, or not once each, in order.
    """
    text, written = page.read_text(encoding="utf-8") if page.is_file() else "", False
    for name, table in tables.items():
        begin, end = f"<!-- results {name} -->\n", f"<!-- /results {name} -->"
        if begin not in text and end not in text:
            continue
        if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
            raise SpkitError(f"{page} needs the lines {begin.strip()} and {end} once each, in this order")
        before, rest = text.split(begin)
        text, written = before + begin + table + end + rest.split(end)[1], True
    if not written:
        names = ", ".join(tables)
        raise SpkitError(
            f"{page} has no place for a table: put the lines <!-- results NAME --> and <!-- /results NAME --> where it "
            f"should go, with NAME one of {names}"
        )
    write_atomic(page, text)
