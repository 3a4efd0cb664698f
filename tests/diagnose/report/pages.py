"""Sample pages: `python -m tests.diagnose.report.pages OUT` writes them to a folder, `--pictures` with PNGs of them.

Two runs with a planted fault and one without, in the world that is known exactly; and the diagnoses made by hand.
"""

import json
import sys
from pathlib import Path

from spkit.diagnose import diagnose, read_log
from spkit.diagnose.judge import Diagnosis
from spkit.diagnose.report import html
from spkit.run.files import write_atomic
from tests.diagnose.report.browser import take_pictures
from tests.diagnose.report.made import MADE
from tests.diagnose.world import World, rows

PLANTED = {
    "planted-reward-hacking": World(padding=(2, 40), padded_pays=(0.0, 0.9), truth=True),
    "planted-collapse": World(ways=(12, -6), proposer=False, truth=True),
    "planted-nothing": World(truth=True),
}


def planted(world: World, folder: Path, name: str) -> Diagnosis:
    """The diagnosis of the log of a world, which is written to the folder."""
    log = folder / f"{name}.jsonl"
    log.write_text("".join(json.dumps(row) + "\n" for row in rows(world, 0)), encoding="utf-8")
    return diagnose(read_log(log))


def write_pages(folder: Path) -> None:
    """A page a world, with its log beside it, and one a diagnosis made by hand."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, world in PLANTED.items():
        write_atomic(folder / f"{name}.html", html(planted(world, folder, name)))
    for name, make in MADE.items():
        write_atomic(folder / f"{name}.html", html(make()))


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
    if "--pictures" in sys.argv[2:]:
        take_pictures(Path(sys.argv[1]))
