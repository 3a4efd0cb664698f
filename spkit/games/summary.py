"""Means over seeds with an interval that assumes nothing about their distribution."""

import numpy as np

from spkit.run.errors import SpkitError


def mean_and_range(values: np.ndarray) -> tuple[float, float, float]:
    """Mean over seeds, lowest and highest seed; values has one entry a seed.

    The range of n independent seeds holds the median seed with probability 1 - 2^(1-n): 99.8 % for ten.
    SpkitError below six (97 %).
    """
    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or len(values) < 6:
        raise SpkitError(
            "An interval needs one value for each of at least 6 seeds, and this has the shape "
            f"{values.shape}: play more seeds."
        )
    return float(values.mean()), float(values.min()), float(values.max())


def show(values: np.ndarray, digits: int = 2) -> str:
    """`mean [lowest, highest]`, rounded."""
    mean, low, high = mean_and_range(values)
    return f"{mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
