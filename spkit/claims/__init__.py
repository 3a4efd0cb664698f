"""What the course says is true, each statement with the expression that decides it.

Notebook 01 has the claims of SELF_PLAY_CLAIMS and INFORMATION_CLAIMS, 02 of STAR_CLAIMS, SUMS_CLAIMS and
COLLAPSE_CLAIMS, 03 of SPIN_CLAIMS, 04 of QUIET_CLAIMS, 06 of REAL_CLAIMS. CLAIMS and EXPERIMENTS are all of them.
"""

from .base import Claim, Experiment, Lab, claim, interval, read_results, reproduce, stored_curves, write_result
from .expressions_self_play import SELF_PLAY_CLAIMS, SELF_PLAY_EXPERIMENTS
from .learnable_information import INFORMATION_CLAIMS, INFORMATION_EXPERIMENTS
from .quiet_star import QUIET_CLAIMS, QUIET_EXPERIMENTS
from .real_model import REAL_CLAIMS, REAL_EXPERIMENTS
from .spin_replies import SPIN_CLAIMS, SPIN_EXPERIMENTS
from .star_addition import STAR_CLAIMS, STAR_EXPERIMENTS
from .sums_collapse import COLLAPSE_CLAIMS, COLLAPSE_EXPERIMENTS
from .sums_self_training import SUMS_CLAIMS, SUMS_EXPERIMENTS
from .table import markdown_table, write_into

CLAIMS = (
    STAR_CLAIMS
    + SELF_PLAY_CLAIMS
    + INFORMATION_CLAIMS
    + SUMS_CLAIMS
    + COLLAPSE_CLAIMS
    + SPIN_CLAIMS
    + QUIET_CLAIMS
    + REAL_CLAIMS
)
EXPERIMENTS = (
    STAR_EXPERIMENTS
    | SELF_PLAY_EXPERIMENTS
    | INFORMATION_EXPERIMENTS
    | SUMS_EXPERIMENTS
    | COLLAPSE_EXPERIMENTS
    | SPIN_EXPERIMENTS
    | QUIET_EXPERIMENTS
    | REAL_EXPERIMENTS
)

__all__ = [
    "CLAIMS",
    "COLLAPSE_CLAIMS",
    "EXPERIMENTS",
    "INFORMATION_CLAIMS",
    "QUIET_CLAIMS",
    "REAL_CLAIMS",
    "SELF_PLAY_CLAIMS",
    "SPIN_CLAIMS",
    "STAR_CLAIMS",
    "SUMS_CLAIMS",
    "Claim",
    "Experiment",
    "Lab",
    "claim",
    "interval",
    "markdown_table",
    "read_results",
    "reproduce",
    "stored_curves",
    "write_into",
    "write_result",
]
