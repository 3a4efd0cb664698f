"""What the course says is true, each claim with the code that measures it."""

from .base import Claim, Lab, interval, markdown_table, reproduce, verdict, write_result
from .star_addition import CLAIMS

__all__ = ["CLAIMS", "Claim", "Lab", "interval", "markdown_table", "reproduce", "verdict", "write_result"]
