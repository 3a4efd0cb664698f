"""The runs behind claims, several at a time: each in a process of its own with one thread, the longest first.

Runs do not depend on one another, and two threads on one tiny model are hardly faster than one; two runs at once are
twice as fast. Each goes on from its folder, so whatever stops this costs at most an iteration of each.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from multiprocessing import active_children, get_context

import torch

from ..run.errors import SpkitError
from ..run.progress import Silent
from .base import Claim, Lab


@dataclass(frozen=True)
class Job:
    """One run: an experiment of a lab, and a seed."""

    lab: Lab
    experiment: str
    seed: int

    @property
    def seconds(self) -> float:
        """How long it still takes, about, 0 if it is finished."""
        return self.lab.run_seconds_left(self.experiment, self.seed)

    def run(self) -> None:
        """Finish it: continue it if it was stopped."""
        self.lab.records(self.experiment, self.seed)


def jobs_of(claims: Sequence[Claim], seeds: Sequence[int], lab: Lab) -> list[Job]:
    """Every run that these claims need and that is not finished, each once, the longest first."""
    names = dict.fromkeys(name for claim in claims for name in claim.needs)
    return longest_first(Job(lab, name, seed) for name in names for seed in seeds)


def longest_first(jobs: Iterable[Job]) -> list[Job]:
    """Those of the runs that are not finished, in the order in which they are begun."""
    left = [(job, job.seconds) for job in jobs]
    return [job for job, seconds in sorted(left, key=lambda pair: -pair[1]) if seconds]


def run_jobs(jobs: Sequence[Job], processes: int, tick: Callable[[int], None] = lambda count: None) -> None:
    """Finish these runs, `processes` at a time; `tick(1)` after each.

    Raises what a run raised, once the others have been stopped, and SpkitError if a process was killed.
    """
    quiet = [replace(job, lab=replace(job.lab, progress=Silent())) for job in jobs]
    with ProcessPoolExecutor(processes, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        try:
            for done in as_completed([pool.submit(job.run) for job in quiet]):
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
