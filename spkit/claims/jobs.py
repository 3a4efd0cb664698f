"""The runs behind claims, several at a time: each in a process of its own with one thread, the longest first.

Runs do not depend on one another, and two threads on one tiny model are hardly faster than one; two runs at once are
twice as fast. Each goes on from its folder, so whatever stops this costs at most an iteration of each.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import active_children, get_context

import torch

from ..run.errors import SpkitError
from ..run.progress import Silent
from .base import Claim, Lab

Job = tuple[str, int]


def jobs_of(claims: Sequence[Claim], seeds: Sequence[int], lab: Lab) -> list[Job]:
    """(experiment, seed) of every run that these claims need and that is not finished, the longest first."""
    names = dict.fromkeys(name for claim in claims for name in claim.needs)
    left = {(name, seed): lab.run_seconds_left(name, seed) for name in names for seed in seeds}
    return sorted((job for job, seconds in left.items() if seconds), key=left.__getitem__, reverse=True)


def run_jobs(lab: Lab, jobs: Sequence[Job], processes: int, tick: Callable[[int], None] = lambda count: None) -> None:
    """Finish these runs, `processes` at a time; `tick(1)` after each.

    Raises what a run raised, once the others have been stopped, and SpkitError if a process was killed.
    """
    quiet = replace(lab, progress=Silent())
    with ProcessPoolExecutor(processes, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        try:
            for done in as_completed([pool.submit(_run, quiet, *job) for job in jobs]):
                done.result()
                tick(1)
        except BaseException as error:
            pool.shutdown(wait=False, cancel_futures=True)
            for child in active_children():
                child.terminate()
                child.join()
            if isinstance(error, BrokenProcessPool):
                raise SpkitError(
                    "one of the processes was killed, most likely because memory ran out: start the same command again "
                    "with fewer --jobs, it continues"
                ) from error
            raise


def _run(lab: Lab, name: str, seed: int) -> None:
    lab.records(name, seed)
