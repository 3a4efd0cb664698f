"""pass@k as curves: intervals over problems, the difference of two policies, where they cross, and temperatures.

The estimate is that of `pass_at_k`, for every k at once. Intervals are over problems (`bootstrap`): each problem's
estimate varies with its samples, too, and the spread over problems holds both.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ..run.errors import SpkitError
from .bootstrap import bootstrap_interval

EQUAL = 1e-9  # two curves that are no further apart are level


def pass_table(correct: Sequence[int], n: int) -> Tensor:
    """`pass_at_k` of each problem for k = 1, ..., n: (problems, n), float64.

    `correct` is the number of right samples among n, one a problem. Raises SpkitError if one is not in 0..n, or there
    is no problem.
    """
    if n < 1 or not len(correct) or not all(0 <= count <= n for count in correct):
        raise SpkitError(f"counts of right samples must be in 0..{n}, the samples a problem, one for at least one")
    drawn = torch.arange(n, dtype=torch.float64)
    wrong = n - torch.tensor(correct, dtype=torch.float64)[:, None]
    return 1 - ((wrong - drawn).clamp(min=0) / (n - drawn)).cumprod(1)


def powers_of_two(n: int) -> list[int]:
    """1, 2, 4, ... up to n."""
    return [2**i for i in range(n.bit_length()) if 2**i <= n]


def pass_curve(correct: Sequence[int], n: int, seed: int, ks: Sequence[int] = ()) -> dict[str, dict[str, float]]:
    """`mean`, `low` and `high` (95 %, over problems) of pass@k, by k as text: the powers of two up to n by default.

    Raises SpkitError as `pass_table` does, and if a k is not in 1..n.
    """
    return _curve(pass_table(correct, n), seed, ks)


def compare_passes(
    base: Sequence[int], trained: Sequence[int], n: int, seed: int, ks: Sequence[int] = ()
) -> dict[str, Any]:
    """pass@k of two policies on the same problems, each with n samples a problem, `base[i]` and `trained[i]` right.

    `base`, `trained` and `difference` (trained minus base, paired) are curves as `pass_curve` gives them; `crossing` as
    `crossing_of`. Raises SpkitError as `pass_curve` does, and if the policies have not the same number of problems.
    """
    if len(base) != len(trained):
        raise SpkitError(f"{len(base)} problems of one policy and {len(trained)} of the other: sample the same ones")
    ours, theirs = pass_table(trained, n), pass_table(base, n)
    return {
        "samples": n,
        "problems": len(base),
        "base": _curve(theirs, seed, ks),
        "trained": _curve(ours, seed, ks),
        "difference": _curve(ours - theirs, seed, ks),
        "crossing": crossing_of(ours - theirs, seed),
    }


def crossing_of(difference: Tensor, seed: int) -> dict[str, Any]:
    """Where a policy's lead ends: of pass@k, trained minus base, (problems, n), over every k from 1 to n.

    `k`: the smallest at which the base is at or above, None if there is none; 1 says that the other never led.
    `above_k`: the smallest at which it is above; not so where both only meet, as where both solve everything.
    `excludes_zero`: whether the interval of the difference at `k` is below 0, which is seldom so just where curves
    cross. `clear_k`: the smallest k at which it is, None if there is none. Intervals are of one k each: over hundreds
    of k, a `clear_k` is met by chance more often than an interval says.
    """
    means = difference.mean(0)
    _, high = bootstrap_interval(difference, seed)
    k = _first(means <= EQUAL)
    return {
        "k": k,
        "above_k": _first(means < -EQUAL),
        "excludes_zero": k is not None and high[k - 1].item() < -EQUAL,
        "clear_k": _first(high < -EQUAL),
    }


def temperature_curves(
    counts_at: Callable[[float], Sequence[int]], n: int, temperatures: Sequence[float], seed: int
) -> dict[str, Any]:
    """pass@k at several temperatures: what sampling more sharply does without any training.

    `counts_at(temperature)` gives the right samples among n of each problem. `at.P` is the curve at a temperature of P
    hundredths (`at.70` is 0.7), and `best.K` the `temperature` whose pass@K has the largest `mean`, with its interval.
    The best is chosen on the problems it is reported on, which favours the policy that is swept: give a base the sweep,
    and what a trained policy has above it is not owed to temperature. Raises SpkitError if a temperature is not above
    0, or comes twice.
    """
    named = {str(round(100 * temperature)): temperature for temperature in temperatures}
    if len(named) != len(temperatures) or not named or min(temperatures) <= 0:
        raise SpkitError("give temperatures above 0, at least one, no two within 0.01: greedy text is a sample of one")
    curves = {name: pass_curve(counts_at(temperature), n, seed) for name, temperature in named.items()}
    best = {k: max(curves, key=lambda name: curves[name][k]["mean"]) for k in map(str, powers_of_two(n))}
    chosen = {k: {"temperature": named[name], **curves[name][k]} for k, name in best.items()}
    return {"samples": n, "at": curves, "best": chosen}


def _curve(table: Tensor, seed: int, ks: Sequence[int]) -> dict[str, dict[str, float]]:
    n = table.shape[1]
    ks = list(ks) or powers_of_two(n)
    if not all(1 <= k <= n for k in ks):
        raise SpkitError(f"k must be in 1..{n}, the samples a problem: choose smaller ones, or sample more")
    chosen = table[:, [k - 1 for k in ks]]
    ends = zip(ks, chosen.mean(0).tolist(), *(end.tolist() for end in bootstrap_interval(chosen, seed)))
    return {str(k): {"mean": mean, "low": low, "high": high} for k, mean, low, high in ends}


def _first(flags: Tensor) -> int | None:
    places = flags.nonzero().flatten()
    return int(places[0]) + 1 if len(places) else None
