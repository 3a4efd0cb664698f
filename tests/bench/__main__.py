"""Speed beside what a reader would use in its place, in one process and one run: `make bench`.

    python -m tests.bench [--threads 1] [--rounds 5] [--megabytes 100] [--only LINE ...] [--out data/results/bench.json]

Each line names what is done, how many units a second spkit does and the peer does, and how many times as fast spkit
is: the median over rounds, with the least and the most. The two take turns within a round, and the ratio is taken
within it, because machines are noisy; a first round is not counted where it warms up. The last column is the same
ratio of seconds of the processor, which other programs on the machine disturb less. TRL is compared with where it is
installed (the `peers` extra). Then how a cost grows with rows, length and parameters. All of it goes to one JSON file,
with the machine.
"""

import argparse
import os
import tempfile
import warnings
from importlib import metadata
from pathlib import Path

import torch
import transformers

from spkit.policy.checkpoints import no_bars
from spkit.run.files import write_atomic
from spkit.run.json_files import dumps
from spkit.run.machine import this_machine
from tests.bench.comparisons import growths, makers
from tests.bench.costs import compared, rounds

PEERS = ("transformers", "trl", "pydantic-monty", "polars")
WIDTHS = (44, 22, 30, 10, 22, 22)
HEAD = ("what", "spkit, a second", "peer", "a second", "times as fast", "by processor time")


def line(cells: tuple[str, ...]) -> str:
    """Cells in columns."""
    return "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, WIDTHS)).rstrip()


def number(value: float) -> str:
    """Three digits that count."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def within(part: dict[str, float]) -> str:
    """A median and its spread."""
    return f"{part['median']:.2f} ({part['least']:.2f} to {part['most']:.2f})"


def shown(row: dict) -> str:
    """A line of the table."""
    cells = (row["name"], f"{number(row['ours_per_second']['median'])} {row['unit']}", row["peer"])
    if not row["installed"]:
        return line((*cells, "", "not installed", ""))
    theirs = number(row["theirs_per_second"]["median"])
    return line((*cells, theirs, within(row["ratio"]), within(row["ratio_processor"])))


def grown(row: dict) -> str:
    """A line on how a cost grows."""
    points = ", ".join(f"{size:,}: {seconds:.3f} s" for size, seconds in zip(row["sizes"], row["seconds"]))
    return f"{row['what']}, by {row['by']}: {points}; exponent {row['exponent']:.2f}"


def versions() -> dict[str, str | None]:
    """Of the peers; None where one is not installed."""
    there: dict[str, str | None] = dict.fromkeys(PEERS)
    for name in PEERS:
        try:
            there[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return there


def measure(arguments: argparse.Namespace) -> dict:
    """All rows, printed as they come."""
    found = {"machine": this_machine(), "peers": versions(), "rounds": arguments.rounds, "load": [os.getloadavg()[0]]}
    print(line(HEAD), flush=True)
    found["rows"], found["growth"] = [], []
    with tempfile.TemporaryDirectory() as folder:
        there = makers(Path(folder), arguments.megabytes)
        for name in arguments.only or there:
            one = there[name]()
            found["rows"].append(compared(one, rounds(one, arguments.rounds)))
            print(shown(found["rows"][-1]), flush=True)
    for row in growths(arguments.rounds) if not arguments.only else ():
        found["growth"].append(row)
        print(grown(row), flush=True)
    found["load"].append(os.getloadavg()[0])
    return found


def main() -> None:
    """Print the table, and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--only", nargs="*", metavar="LINE", help="these lines, such as sft or start; writes nothing")
    parser.add_argument("--out", type=Path, default=Path("data/results/bench.json"))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    transformers.logging.set_verbosity_error()
    warnings.simplefilter("ignore")
    with no_bars():
        found = measure(arguments)
    if not arguments.only:
        write_atomic(arguments.out, dumps(found, indent=1) + "\n")
        print(f"written to {arguments.out}")


if __name__ == "__main__":
    main()
