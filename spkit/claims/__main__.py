"""`python -m spkit.claims NAME ...`: measure whole courses of runs of notebook 01 (see `spkit.claims.courses`)."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ..run.errors import SpkitError
from ..run.settings import at_least
from .courses import check_name, measured_often, write_course


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write courses. Exit code 0, or 2 with one sentence on stderr."""
    parser = argparse.ArgumentParser(prog="python -m spkit.claims", description="Measure whole courses of runs.")
    parser.add_argument("names", nargs="+", help="runs of notebook 01: az, az-random, ...")
    parser.add_argument("--seeds", type=int, default=5, help="how many seeds, from 0 (default 5)")
    parser.add_argument("--work", type=Path, default=Path("runs/courses"), help="where the runs live")
    parser.add_argument("--out", type=Path, default=Path("data/results/courses"), help="where the courses go")
    asked = parser.parse_args(arguments)
    try:
        at_least(asked, 1, "seeds")
        for name in asked.names:
            check_name(name)
        for name in asked.names:
            runs = {seed: measured_often(name, seed, asked.work) for seed in range(asked.seeds)}
            print(f"wrote {write_course(name, runs, asked.out)}")
    except SpkitError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
