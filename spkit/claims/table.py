"""The ledger as tables: in the terminal, in RESULTS.md by group, and its headlines in the README."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..run.errors import SpkitError
from ..run.files import write_atomic

Results = Sequence[Mapping[str, Any]]
OnOthers = Mapping[str, Mapping[str, Any]]  # what a claim came to on other bases, by its id


def markdown_table(results: Results, measured: Results = (), others: OnOthers = MappingProxyType({})) -> str:
    """One line a claim, with the verdict on the real model where one of the `measured` says what became of it there;
    by default these very results. `others` are the results on other bases by the claim's id; where a claim has one, the
    table has a column for them.
    """
    heads = ["claim", "measured: mean and 95 % interval over seeds", "verdict"]
    about = lambda one: [f"{one['statement']} ({one['source']})", f"{one['criterion']}: {_mean(one)}"]
    return _lines(heads, [[*about(one), _verdict(one, measured or results)] for one in results], results, others)


def headline_table(results: Results, measured: Results, others: OnOthers = MappingProxyType({})) -> str:
    """The same in short, for those that a reader should see first."""
    heads = ["claim", "effect [95 % interval]", "verdict"]
    rows = [[one["statement"], _mean(one), _verdict(one, measured)] for one in results]
    return _lines(heads, rows, results, others)


def base_table(results: Results) -> str:
    """One line a claim and other base it was tried on."""
    rows = [
        [result["statement"], base, f"{result['criterion']}: {_mean(one)}", f"**{one['verdict']}**"]
        for result in results
        for base, one in result["bases"].items()
    ]
    return _lines(["claim", "base", "measured: mean and 95 % interval over seeds", "verdict"], rows, (), {})


def base_verdicts(result: Mapping[str, Any]) -> str:
    """What became of a claim on its other bases, in short: `holds on 2 of 3; clean: inconclusive`."""
    verdicts = {base.rpartition("-")[2]: one["verdict"] for base, one in result["bases"].items()}
    different, count = set(verdicts.values()), len(verdicts)
    if len(different) == 1:
        return f"{different.pop()} on {count} of {count}"
    held = [base for base, verdict in verdicts.items() if verdict == "holds"]
    rest = ", ".join(f"{base}: {verdict}" for base, verdict in verdicts.items() if base not in held)
    return f"holds on {len(held)} of {count}; {rest}"


def _lines(heads: list[str], rows: Sequence[Sequence[str]], results: Results, others: OnOthers) -> str:
    """A table; with a last column of what the claims of the `results` came to on `others`, if one of them has any."""
    if any(one.get("id") in others for one in results):
        heads = [*heads, "other bases"]
        found = [base_verdicts(others[one["id"]]) if one["id"] in others else "" for one in results]
        rows = [[*row, cell] for row, cell in zip(rows, found)]
    whole = lambda cell: cell.replace("|", "\\|")  # a bar within a cell would end it
    head, *body = [f"| {' | '.join(map(whole, row))} |" for row in (heads, *rows)]
    return "\n".join([head, "|---" * len(heads) + "|", *body]) + "\n"


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
