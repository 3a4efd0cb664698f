"""What `spkit reproduce` does: claims are chosen and measured, each result is written as soon as it is there."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..claims import (
    CLAIMS,
    EXPERIMENTS,
    ON_OTHER_BASES,
    REAL_CLAIMS,
    Claim,
    Lab,
    other_bases,
    reproduce,
    reproduce_on_bases,
    seconds_left_on_bases,
    write_base_result,
    write_result,
)
from ..run.errors import SpkitError
from ..run.progress import progress
from .output import interruptible, say


def measure_claims(ids: Sequence[str], seeds: range, out: Path, work: Path) -> list[dict[str, Any]]:
    """Measure claims by id, by default all of the shipped models, and write their results to `out`.

    Raises SpkitError for an unknown id, and for less than two seeds.
    """
    groups = {(): [one for one in CLAIMS if one not in REAL_CLAIMS], ("real",): list(REAL_CLAIMS)}
    chosen, bar = groups[tuple(ids)] if tuple(ids) in groups else _known(ids), progress()
    lab = Lab(work, EXPERIMENTS, bar)

    def measure(claim: Claim) -> dict[str, Any]:
        result = reproduce(claim, seeds, lab)
        if not write_result(result, out):
            kept = f"{out}/{claim.id}.json has more than {len(seeds)} seeds and is kept"
            say(f"{kept}: choose another --out to write this result", error=True)
        return result

    return _each(chosen, measure, seeds, lab.seconds_left(chosen, seeds), work, bar)


def measure_on_bases(ids: Sequence[str], seeds: range, out: Path, work: Path) -> list[dict[str, Any]]:
    """The same on other bases, by default the claims of ON_OTHER_BASES; the results go to `out`/bases.

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

    def measure(claim: Claim) -> dict[str, Any]:
        result = reproduce_on_bases(claim, seeds, work, EXPERIMENTS, bar)
        for base in write_base_result(result, out / "bases"):
            say(f"{out}/bases/{claim.id}.json has more than {len(seeds)} seeds on {base}, which are kept", error=True)
        return result

    return _each(chosen, measure, seeds, seconds_left_on_bases(chosen, seeds, work, EXPERIMENTS), work, bar)


def _known(ids: Sequence[str]) -> list[Claim]:
    known = {claim.id: claim for claim in CLAIMS}
    for name in ids:
        if name not in known:
            raise SpkitError(f"there is no claim {name!r}: choose among {', '.join(known)}")
    return [known[name] for name in ids]


def _each(
    claims: Sequence[Claim], measure: Callable[[Claim], dict[str, Any]], seeds: range, left: float, work: Path, bar: Any
) -> list[dict[str, Any]]:
    """The results of all claims; says first how long it will take."""
    if len(seeds) < 2:
        raise SpkitError("an interval needs at least 2 seeds: ask for --seeds 3")
    say(
        f"{len(claims)} claims, {len(seeds)} seeds: about {left / 60:.0f} minutes on 2 cores for the runs that "
        f"are not in {work} yet",
        error=True,
    )
    with interruptible(work):
        try:
            return [measure(claim) for claim in claims]
        finally:
            bar.close()
