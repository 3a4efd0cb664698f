"""`tests.killed_run` with TRL as what takes the optimizer steps (used by test_learning.py): same arguments."""

import sys
from dataclasses import replace

from spkit.engines.learn import TrlEngine
from spkit.policy import load_policy
from tests import killed_run

SPIN = replace(killed_run.LOOPS["spin"][2], kind="logistic")
killed_run.LOOPS["spin"] = (*killed_run.LOOPS["spin"][:2], SPIN)
killed_run.load_policy = lambda name: replace(load_policy(name), engine=TrlEngine())

if __name__ == "__main__":
    doomed = killed_run.Doomed(sys.argv[1], int(sys.argv[3]), sys.argv[4])
    killed_run.records(doomed, sys.argv[2])
