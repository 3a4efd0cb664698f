"""What the course says is true, each statement with the code that measures it."""

from . import expressions_self_play, spin_replies, star_addition, streams, sums_self_training
from .base import Claim, Experiment, Lab, interval, read_results, reproduce, stored_curves, verdict, write_result
from .table import markdown_table, write_into

CLAIMS = (
    star_addition.CLAIMS
    + expressions_self_play.CLAIMS
    + streams.CLAIMS
    + sums_self_training.CLAIMS
    + spin_replies.CLAIMS
)
EXPERIMENTS = (
    star_addition.EXPERIMENTS
    | expressions_self_play.EXPERIMENTS
    | streams.EXPERIMENTS
    | sums_self_training.EXPERIMENTS
    | spin_replies.EXPERIMENTS
)

__all__ = [
    "CLAIMS",
    "EXPERIMENTS",
    "Claim",
    "Experiment",
    "Lab",
    "interval",
    "markdown_table",
    "read_results",
    "reproduce",
    "stored_curves",
    "verdict",
    "write_into",
    "write_result",
]
