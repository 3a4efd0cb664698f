"""What `spkit reproduce` does: claims are chosen and measured, each result is written as soon as it is there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..claims import (
    CLAIMS,
    EXPERIMENTS,
    ON_A_REAL_MODEL,
    ON_OTHER_BASES,
    Claim,
    Job,
    Lab,
    jobs_of,
    jobs_on_bases,
    other_bases,
    reproduce,
    reproduce_on_bases,
    run_jobs,
    write_base_result,
    write_result,
)
from ..run.errors import SpkitError
from ..run.progress import Silent, progress
from ..run.settings import at_least
from .output import interruptible, say


@dataclass(frozen=True)
class Asked:
    """Over which seeds, where the results and the runs go, and what the runs are computed on, how many at a time."""

    seeds: range
    out: Path
    work: Path
    device: str = "cpu"
    jobs: int = 1

    def lab(self, bar: Silent) -> Lab:
        """Where the runs live."""
        return Lab(self.work, EXPERIMENTS, bar, self.device)


def measure_claims(ids: Sequence[str], asked: Asked) -> list[dict[str, Any]]:
    """Measure claims by id, by default all of the shipped models, and write their results.

    Raises SpkitError for an unknown id, for less than two seeds, and for less than one job.
    """
    groups = {(): [one for one in CLAIMS if one not in ON_A_REAL_MODEL], ("real",): list(ON_A_REAL_MODEL)}
    chosen, bar = groups[tuple(ids)] if tuple(ids) in groups else _known(ids), progress()
    lab = asked.lab(bar)

    def measure(claim: Claim) -> dict[str, Any]:
        result = reproduce(claim, asked.seeds, lab)
        if not write_result(result, asked.out):
            kept = f"{asked.out}/{claim.id}.json has more than {len(asked.seeds)} seeds and is kept"
            say(f"{kept}: choose another --out to write this result", error=True)
        return result

    return _each(chosen, measure, jobs_of(chosen, asked.seeds, lab), asked, bar)


def measure_on_bases(ids: Sequence[str], asked: Asked) -> list[dict[str, Any]]:
    """The same on other bases, by default the claims of ON_OTHER_BASES; the results go to the folder `bases` of `out`.

    Raises SpkitError for a claim that has no other bases, too.
    """
    having = [claim for claim in CLAIMS if other_bases(claim, EXPERIMENTS)]
    for claim in _known(ids):
        if claim not in having:
            raise SpkitError(
                f"{claim.id} has no other bases, only claims on sums and expressions have: leave --other-bases out, or "
                f"choose among {', '.join(one.id for one in having)}"
            )
    chosen, bar = [claim for claim in having if claim.id in (ids or ON_OTHER_BASES)], progress()
    lab, folder = asked.lab(bar), asked.out / "bases"

    def measure(claim: Claim) -> dict[str, Any]:
        result = reproduce_on_bases(claim, asked.seeds, lab)
        for base in write_base_result(result, folder):
            say(
                f"{folder}/{claim.id}.json has more than {len(asked.seeds)} seeds on {base}, which are kept", error=True
            )
        return result

    return _each(chosen, measure, jobs_on_bases(chosen, asked.seeds, lab), asked, bar)


def _known(ids: Sequence[str]) -> list[Claim]:
    known = {claim.id: claim for claim in CLAIMS}
    for name in ids:
        if name not in known:
            raise SpkitError(f"there is no claim {name!r}: choose among {', '.join(known)}")
    return [known[name] for name in ids]


def _each(
    claims: Sequence[Claim], measure: Callable[[Claim], dict[str, Any]], left: Sequence[Job], asked: Asked, bar: Silent
) -> list[dict[str, Any]]:
    """The results of all claims; says first how long it will take."""
    if len(asked.seeds) < 2:
        raise SpkitError("an interval needs at least 2 seeds: ask for --seeds 3")
    at_least(asked, 1, "jobs")
    minutes = sum(job.seconds for job in left) / 60 / asked.jobs
    say(
        f"{len(claims)} claims, {len(asked.seeds)} seeds: about {minutes:.0f} minutes for the {len(left)} runs that "
        f"are not in {asked.work} yet, {asked.jobs} at a time",
        error=True,
    )
    with interruptible(asked.work):
        try:
            if asked.jobs > 1:
                with bar.stage("runs", len(left), "runs") as tick:
                    run_jobs(left, asked.jobs, tick)
            return [measure(claim) for claim in claims]
        finally:
            bar.close()
