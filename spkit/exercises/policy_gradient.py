"""Checks for the exercises of notebook 01 about advantages and the policy-gradient loss.

The reference arithmetic is carried here, in float64, so that a fault of the package's own cannot hide in its exercise.
"""

from collections.abc import Callable, Hashable, Sequence

import numpy as np

from .checking import Answer, Mistake, compare


def _finite(name: str, function: Answer) -> Answer:
    """The answer, refused where it divided by the spread of equal rewards."""

    def value(*case):
        with np.errstate(all="ignore"):
            result = np.asarray(function(*case), dtype=float)
        if not np.isfinite(result).all():
            raise Mistake(
                f"{name}: {int((~np.isfinite(result)).sum())} advantages are no finite number. Where the "
                "rewards compared are all equal "
                "their standard deviation is 0; nothing can be said there, and the advantage is 0."
            )
        return result

    return value


def _rloo_right(x: np.ndarray) -> np.ndarray:
    return x - (x.sum(1, keepdims=True) - x) / (x.shape[1] - 1)


_rloo_centred = lambda x: x - x.mean(1, keepdims=True)


RLOO_MISTAKES = {
    "an attempt is part of its own baseline here, the group's mean; compare it with the *other* k - 1.": _rloo_centred,
    (
        "this subtracts the mean of the whole batch; an easy problem's attempts would all be raised: "
        "compare within a problem."
    ): lambda x: x - x.mean(),
    "this leaves one out of the whole batch; compare within a problem.": lambda x: x - (x.sum() - x) / (x.size - 1),
    "this divides by the group's standard deviation as GRPO does; RLOO does not.": lambda x: (
        _rloo_centred(x) / (x.std(1, ddof=1, keepdims=True) + 1e-4)
    ),
    "this divides by the group's standard deviation; RLOO does not.": lambda x: (
        _rloo_right(x) / (x.std(1, ddof=1, keepdims=True) + 1e-4)
    ),
    "the others are k - 1; this divides their sum by k.": lambda x: x - (x.sum(1, keepdims=True) - x) / x.shape[1],
    "the other k - 1 are meant, but this divides the sum of all k by k - 1.": lambda x: (
        x - x.sum(1, keepdims=True) / (x.shape[1] - 1)
    ),
    "this is the baseline; the advantage is the reward minus it.": lambda x: (
        (x.sum(1, keepdims=True) - x) / (x.shape[1] - 1)
    ),
    "the sign is flipped: the advantage is the reward minus the baseline.": lambda x: -_rloo_right(x),
    "the axis is wrong: a row holds the attempts at one problem.": lambda x: _rloo_right(x.T).T,
}


def check_rloo(answer: Answer) -> None:
    """`answer(rewards)`: leave-one-out advantages (problems, k) of rewards (problems, k)."""
    cases = [
        (np.array([[1.0, 0, 0, -0.5], [1, 1, 1, 1], [0, 0, 1, 1]]),),
        (np.array([[1.0, -1], [0, 0], [1, 0]]),),
        (np.array([[-0.5, 1, 1, 1, -1, -0.5, 1, 1], [0, 0, 0, 0, 0, 0, 0, 1.0]]),),
    ]
    compare("rloo", _finite("rloo", answer), _rloo_right, RLOO_MISTAKES, cases)


TASK_ROLES = [(kind, role) for kind in ("deduction", "abduction", "induction") for role in ("proposer", "solver")]


def _batch(seed: int, rows: int) -> tuple[np.ndarray, list[tuple[str, str]], np.ndarray]:
    """Rewards (rows,), a (task, role) for each, and lengths (tokens).

    The last two rows are a cell whose rewards are the same.
    """
    rng = np.random.default_rng(seed)
    cells = [TASK_ROLES[i] for i in rng.integers(0, 4, size=rows - 2)] + [TASK_ROLES[4 + seed % 2]] * 2
    rewards = np.where(
        [role == "solver" for _, role in cells],
        rng.choice([1, -0.5, -1], rows, p=(0.6, 0.3, 0.1)),
        rng.integers(0, 8, rows) / 8,
    )
    lengths = np.where([role == "solver" for _, role in cells], rng.integers(6, 40, rows), rng.integers(5, 14, rows))
    rewards[-2:] = 1.0
    return rewards, cells, lengths


def _places(cells: Sequence[Hashable]) -> np.ndarray:
    """Each row's cell as a number."""
    names = list(dict.fromkeys(cells))
    return np.array([names.index(cell) for cell in cells])


Standardized = Callable[
    [np.ndarray, float, float], np.ndarray
]  # of a cell's rewards, their mean and their standard deviation (n - 1)


def _by_cell(
    rewards: np.ndarray,
    cells: Sequence[Hashable],
    weights: np.ndarray,
    of: Standardized = lambda x, mean, std: (x - mean) / std,
) -> np.ndarray:
    """`of` the rewards of every cell, each row counting `weights` times; 0 where all rewards of a cell are the same."""
    places, result = _places(cells), np.zeros(len(rewards))
    for place in range(places.max() + 1):
        rows = places == place
        x, w = rewards[rows], weights[rows]
        if np.ptp(x) > 0:
            mean = (w * x).sum() / w.sum()
            result[rows] = of(x, mean, np.sqrt((w * (x - mean) ** 2).sum() / (w.sum() - 1)))
    return result


_trr_pp_everything = lambda cell: 0


def _trr_pp_rule(
    group: Callable[[tuple[str, str]], Hashable] = lambda cell: cell, tokens: bool = False, **of: Standardized
) -> Answer:
    return lambda rewards, cells, lengths: _by_cell(
        rewards, [*map(group, cells)], lengths if tokens else np.ones(len(rewards)), **of
    )


TRR_PP_MISTAKES = {
    (
        "one baseline over both roles and all tasks (REINFORCE++); a role that is rewarded more is raised as "
        "a whole, whatever it did."
    ): _trr_pp_rule(_trr_pp_everything),
    "one baseline for everything, over tokens; long completions weigh more, and the roles are mixed.": _trr_pp_rule(
        _trr_pp_everything, tokens=True
    ),
    "this counts tokens, as the published code does; here every row counts once, as in the equation.": _trr_pp_rule(
        tokens=True
    ),
    "one baseline a role, over all its tasks; a cell is a task *and* a role.": _trr_pp_rule(lambda cell: cell[1]),
    "one baseline a task, over both roles; a cell is a task *and* a role.": _trr_pp_rule(lambda cell: cell[0]),
    "this subtracts the cell's mean and does not divide by its standard deviation.": _trr_pp_rule(
        of=lambda x, mean, std: x - mean
    ),
    "the mean is the cell's, but the standard deviation that of the whole batch.": lambda rewards, cells, lengths: (
        _trr_pp_rule(of=lambda x, mean, std: x - mean)(rewards, cells, lengths) / rewards.std(ddof=1)
    ),
    "the standard deviation has n in its denominator here; n - 1 is asked for.": _trr_pp_rule(
        of=lambda x, mean, std: (x - mean) / x.std()
    ),
    "this divides by the cell's variance; divide by its root.": _trr_pp_rule(
        of=lambda x, mean, std: (x - mean) / std**2
    ),
    "the mean is not subtracted.": _trr_pp_rule(of=lambda x, mean, std: x / std),
}


def check_trr_pp(answer: Answer) -> None:
    """`answer(rewards, cells, lengths)`: advantages (rows,), whitened within every (task, role)
    (arXiv:2505.03335, eq. 8).

    Every row counts once. The standard deviation has n - 1 in its denominator; where all rewards of a cell are the
    same the advantage is 0.
    """
    cases = [_batch(seed, rows) for seed, rows in ((0, 24), (1, 30), (2, 40))]
    compare("trr_pp", _finite("trr_pp", answer), _trr_pp_rule(), TRR_PP_MISTAKES, cases)


def _explained_parts(values: np.ndarray, cells: Sequence[Hashable]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each row's cell mean; the cells' means; their sizes."""
    places = _places(cells)
    means = np.array([values[places == place].mean() for place in range(places.max() + 1)])
    return means[places], means, np.bincount(places)


def _explained_share(of: Callable[..., float]) -> Answer:
    return lambda values, cells: of(np.asarray(values), *_explained_parts(np.asarray(values), cells))


_explained_right = lambda v, row, means, sizes: row.var() / v.var()


EXPLAINED_MISTAKES = {
    "this is the share *within* the cells, one minus what the cell explains.": _explained_share(
        lambda *x: 1 - _explained_right(*x)
    ),
    "every cell counts alike here; one of many rows counts as often as it has rows.": _explained_share(
        lambda v, row, means, sizes: means.var() / v.var()
    ),
    "every cell counts alike here, and its variance has n - 1 in the denominator.": _explained_share(
        lambda v, row, means, sizes: means.var(ddof=1) / v.var(ddof=1)
    ),
    "this is the correlation, the root of the share.": _explained_share(lambda *x: _explained_right(*x) ** 0.5),
    "this divides by the variance within the cells; divide by the total.": _explained_share(
        lambda *x: _explained_right(*x) / (1 - _explained_right(*x))
    ),
    "this is the variance between the cells; divide by the total to get a share.": _explained_share(
        lambda v, row, means, sizes: row.var()
    ),
    "this measures the cells' means from 0; measure them from the mean of all rows.": _explained_share(
        lambda v, row, means, sizes: (row**2).mean() / v.var()
    ),
}


def check_explained(answer: Answer) -> None:
    """`answer(values, cells)`: the share of the variance of values (rows,) that the cell explains,
    between cells over total.
    """
    cases = [(values, cells) for values, cells, _ in (_batch(seed, rows) for seed, rows in ((3, 24), (4, 31), (5, 44)))]
    compare("explained", answer, _explained_share(_explained_right), EXPLAINED_MISTAKES, cases)
