"""What the course says is true, each statement with the expression that decides it.

Notebook 01 has the claims of SELF_PLAY_CLAIMS and INFORMATION_CLAIMS, 02 of STAR_CLAIMS, SUMS_CLAIMS,
LEARNED_CLAIMS and COLLAPSE_CLAIMS, 03 of SPIN_CLAIMS, 04 of QUIET_CLAIMS, 05 of DYNAMICS_CLAIMS, 06 of REAL_CLAIMS,
07 of GAMES_CLAIMS, GAMES_TRANSFER_CLAIMS and GAMES_REAL_CLAIMS.
CLAIMS and EXPERIMENTS are all of them, GROUPS the claims by what they are about; those of HEADLINES are in the README,
and those of ON_OTHER_BASES are tried on more than the shipped base.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from .base import (
    Claim,
    Experiment,
    Lab,
    claim,
    interval,
    read_results,
    reproduce,
    stored_curves,
    stored_records,
    write_result,
)
from .bases import jobs_on_bases, other_bases, read_base_results, reproduce_on_bases, write_base_result
from .courses import course_curves, course_records
from .dynamics import DYNAMICS_CLAIMS
from .dynamics_runs import DYNAMICS_EXPERIMENTS
from .expressions_self_play import SELF_PLAY_CLAIMS, SELF_PLAY_EXPERIMENTS
from .games_real import GAMES_REAL_CLAIMS, GAMES_REAL_EXPERIMENTS
from .games_self_play import GAMES_CLAIMS, GAMES_EXPERIMENTS
from .games_transfer import GAMES_TRANSFER_CLAIMS, GAMES_TRANSFER_EXPERIMENTS
from .jobs import Job, jobs_of, run_jobs
from .learnable_information import INFORMATION_CLAIMS, INFORMATION_EXPERIMENTS
from .learned_verifier import LEARNED_CLAIMS, LEARNED_EXPERIMENTS
from .nim_self_play import NIM_CLAIMS, NIM_EXPERIMENTS
from .quiet_star import QUIET_CLAIMS, QUIET_EXPERIMENTS
from .real_model import REAL_CLAIMS, REAL_EXPERIMENTS
from .reward_table import REWARD_EXPERIMENTS
from .spin_guards import SPIN_CLAIMS, SPIN_EXPERIMENTS
from .star_addition import STAR_CLAIMS, STAR_EXPERIMENTS
from .sums_collapse import COLLAPSE_CLAIMS, COLLAPSE_EXPERIMENTS
from .sums_self_training import SUMS_CLAIMS, SUMS_EXPERIMENTS
from .table import base_table, headline_table, markdown_table, write_into

GROUPS = {
    "self-play": SELF_PLAY_CLAIMS,
    "information": INFORMATION_CLAIMS,
    "star": STAR_CLAIMS,
    "sums": SUMS_CLAIMS,
    "learned-verifier": LEARNED_CLAIMS,
    "collapse": COLLAPSE_CLAIMS,
    "spin": SPIN_CLAIMS,
    "quiet-star": QUIET_CLAIMS,
    "dynamics": DYNAMICS_CLAIMS,
    "games": GAMES_CLAIMS + NIM_CLAIMS,
    "games-transfer": GAMES_TRANSFER_CLAIMS,
    "games-real": GAMES_REAL_CLAIMS,
    "real": REAL_CLAIMS,
}
CLAIMS = tuple(one for group in GROUPS.values() for one in group)
HEADLINES = (
    "star-rationalization",
    "em-selection",
    "rft-tiny",
    "verify-gold",
    "az-deep",
    "az-frozen",
    "az-hardness",
    "spin-last",
    "quiet-accuracy",
    "quiet-shuffled",
)
ON_OTHER_BASES = (*HEADLINES, "verify-steps", "az-random", "az-reach")  # those of them that have other bases
ON_A_REAL_MODEL = (*REAL_CLAIMS, *GAMES_REAL_CLAIMS)  # which take hours, and a model to be fetched first
EXPERIMENTS = (
    STAR_EXPERIMENTS
    | SELF_PLAY_EXPERIMENTS
    | INFORMATION_EXPERIMENTS
    | SUMS_EXPERIMENTS
    | LEARNED_EXPERIMENTS
    | COLLAPSE_EXPERIMENTS
    | SPIN_EXPERIMENTS
    | QUIET_EXPERIMENTS
    | DYNAMICS_EXPERIMENTS
    | REWARD_EXPERIMENTS
    | GAMES_EXPERIMENTS
    | NIM_EXPERIMENTS
    | GAMES_TRANSFER_EXPERIMENTS
    | GAMES_REAL_EXPERIMENTS
    | REAL_EXPERIMENTS
)


def ledger_tables(measured: Sequence[dict[str, Any]], others: Mapping[str, dict[str, Any]]) -> dict[str, str]:
    """The table of each group of claims, and that of the headlines, by name; `others` are the results on other bases,
    by the claim's id.
    """
    by_id = {result["id"]: result for result in measured}
    chosen = lambda names: [by_id[name] for name in names if name in by_id]
    groups = {name: chosen([one.id for one in group]) for name, group in GROUPS.items()}
    tables = {name: markdown_table(group, measured, others) for name, group in groups.items()}
    return tables | {"headlines": headline_table(chosen(HEADLINES), measured, others)}


__all__ = [
    "CLAIMS",
    "COLLAPSE_CLAIMS",
    "DYNAMICS_CLAIMS",
    "EXPERIMENTS",
    "GAMES_CLAIMS",
    "GAMES_REAL_CLAIMS",
    "GAMES_TRANSFER_CLAIMS",
    "GROUPS",
    "HEADLINES",
    "INFORMATION_CLAIMS",
    "LEARNED_CLAIMS",
    "NIM_CLAIMS",
    "ON_A_REAL_MODEL",
    "ON_OTHER_BASES",
    "QUIET_CLAIMS",
    "REAL_CLAIMS",
    "SELF_PLAY_CLAIMS",
    "SPIN_CLAIMS",
    "STAR_CLAIMS",
    "SUMS_CLAIMS",
    "Claim",
    "Experiment",
    "Job",
    "Lab",
    "base_table",
    "claim",
    "course_curves",
    "course_records",
    "headline_table",
    "interval",
    "jobs_of",
    "jobs_on_bases",
    "ledger_tables",
    "markdown_table",
    "other_bases",
    "read_base_results",
    "read_results",
    "reproduce",
    "reproduce_on_bases",
    "run_jobs",
    "stored_curves",
    "stored_records",
    "write_base_result",
    "write_into",
    "write_result",
]
