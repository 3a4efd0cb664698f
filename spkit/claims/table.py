"""The ledger as a table, in the terminal and in the README."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..run.errors import SpkitError
from ..run.files import write_atomic

BEGIN, END = "<!-- results -->\n", "<!-- /results -->"


def markdown_table(results: Sequence[dict[str, Any]]) -> str:
    """One line a claim, with the verdict on the real model where that was tried, too."""
    real = {result["repeats"]: result["verdict"] for result in results if "repeats" in result}
    lines = ["| claim | measured: mean and 95 % interval over seeds | verdict |", "|---|---|---|"]
    for result in results:
        low, high = result["interval"]
        measured = f"{result['criterion']}: {result['mean']:.2f} [{low:.2f}, {high:.2f}], {len(result['seeds'])} seeds"
        verdict = f"**{result['verdict']}**"
        if result.get("id") in real:
            verdict += f"; on SmolLM2-135M: {real[result['id']]}"
        lines.append(f"| {result['statement']} ({result['source']}) | {measured} | {verdict} |")
    return "\n".join(lines) + "\n"


def write_into(readme: Path, table: str) -> None:
    """Put the table between the markers of a file. Raises SpkitError if they are not there once each, in order."""
    text = readme.read_text(encoding="utf-8") if readme.is_file() else ""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise SpkitError(
            f"{readme} has no place for the table: put the lines {BEGIN.strip()} and {END} where it should go"
        )
    before, rest = text.split(BEGIN)
    write_atomic(readme, before + BEGIN + table + END + rest.split(END)[1])
