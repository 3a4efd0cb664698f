"""The command line in this process, and what a run has recorded."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from spkit.cli.main import main


def run_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, *arguments: str) -> tuple[int, str]:
    """Exit code and everything that is printed."""
    monkeypatch.setattr(sys, "argv", ["spkit", *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    found = capsys.readouterr()
    return left.value.code, found.out + found.err


def recorded(folder: Path) -> list[dict[str, Any]]:
    """The rows of metrics.jsonl."""
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
