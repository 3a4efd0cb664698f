"""`spkit` in which a process kills itself with SIGKILL as it verifies (used by test_trl.py).

python -m tests.engines.killed_rank RANK ITERATION ARGUMENTS OF spkit
"""

import os
import signal
import sys

from spkit.cli.main import main
from spkit.engines import grpo


def dying(judged_functions, rank: int, iteration: int):
    """`reward_functions` whose first one dies in its call number `iteration`."""

    def made(*given):
        functions, weights = judged_functions(*given)
        first, calls = functions[0], [0]

        def strict(**columns):
            calls[0] += 1
            if os.environ.get("RANK", "0") == str(rank) and calls[0] == iteration:
                os.kill(os.getpid(), signal.SIGKILL)
            return first(**columns)

        return [strict, *functions[1:]], weights

    return made


if __name__ == "__main__":
    who, when, *arguments = sys.argv[1:]
    grpo.reward_functions = dying(grpo.reward_functions, int(who), int(when))
    sys.argv = ["spkit", *arguments]
    main()
