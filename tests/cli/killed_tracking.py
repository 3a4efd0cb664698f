"""`spkit` that is killed with SIGKILL while it learns in the iteration it was told (used by test_tracking.py).

python -m tests.cli.killed_tracking ITERATION ARGUMENTS OF spkit
"""

import os
import signal
import sys
import time
from contextlib import contextmanager

from spkit.cli.main import main
from spkit.run.folder import Run

FLUSHED = 3.0  # seconds: trackio writes what it was sent from a thread, twice a second


def dying(stage, iteration: int):
    """`Run.stage` that dies in the stage "learn" of an iteration."""

    @contextmanager
    def entered(run: Run, name: str, *rest):
        if name == "learn" and len(run.records) == iteration:
            time.sleep(FLUSHED)
            os.kill(os.getpid(), signal.SIGKILL)
        with stage(run, name, *rest) as tick:
            yield tick

    return entered


if __name__ == "__main__":
    Run.stage = dying(Run.stage, int(sys.argv[1]))
    sys.argv = ["spkit", *sys.argv[2:]]
    main()
