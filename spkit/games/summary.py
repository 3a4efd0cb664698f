"""Means over seeds with their intervals."""

from statistics import NormalDist

import numpy as np

from spkit.errors import SpkitError


def student_t(freedom: int, level: float = 0.95) -> float:
    """Two-sided quantile of Student's t, by the Cornish-Fisher expansion in 1 / freedom; below 0.5 % off from 5 degrees of freedom on."""
    z, v = NormalDist().inv_cdf((1 + level) / 2), freedom
    first = (z**3 + z) / (4 * v)
    second = (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
    return z + first + second + third


def mean_interval(values: np.ndarray) -> tuple[float, float, float]:
    """Mean over seeds and its 95 % interval (mean, low, high); values has one entry a seed, at least 6 of them."""
    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or len(values) < 6:
        raise SpkitError(
            f"An interval needs one value for each of at least 6 seeds, and this has the shape {values.shape}: play more seeds."
        )
    half = student_t(len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
    return float(values.mean()), float(values.mean() - half), float(values.mean() + half)


def show(values: np.ndarray, digits: int = 2) -> str:
    """`mean [low, high]`, rounded."""
    mean, low, high = mean_interval(values)
    return f"{mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
