"""Bootstrap intervals over problems: how much a mean would differ with other problems of the same kind."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..run.errors import SpkitError
from ..run.streams import generator

LEVEL = 0.95  # of every interval
RESAMPLES = 2_000


def bootstrap_interval(table: Tensor, seed: int, resamples: int = RESAMPLES) -> tuple[Tensor, Tensor]:
    """Ends of the 95 % percentile interval of the mean over problems: table (problems, columns), ends (columns,).

    Problems are drawn with replacement, whole, so that what samples of one problem share stays together (Efron 1979,
    Ann. Statist. 7:1). All columns see the same draws, and so do all tables of as many problems with the same seed:
    give differences a problem for the interval of a paired difference. With few problems it is too narrow, about
    sqrt((m - 1) / m) of what it should be with m. Raises SpkitError if there is no problem.
    """
    count = len(table)
    if not count:
        raise SpkitError("there is no problem to resample: pass at least one row")
    drawn = torch.randint(count, (resamples, count), generator=generator(seed, 0, "bootstrap"))
    weights = torch.zeros(resamples, count, dtype=torch.float64)
    weights.scatter_add_(1, drawn, torch.ones_like(weights))
    means = weights @ table.double() / count
    tail = (1 - LEVEL) / 2
    low, high = means.quantile(torch.tensor([tail, 1 - tail], dtype=torch.float64), dim=0)
    return low, high


def with_ends(values: Sequence[float] | Tensor, seed: int) -> dict[str, float]:
    """`mean`, `low` and `high` of one number a problem."""
    table = torch.as_tensor(values, dtype=torch.float64)[:, None]
    low, high = bootstrap_interval(table, seed)
    return {"mean": table.mean().item(), "low": low.item(), "high": high.item()}
