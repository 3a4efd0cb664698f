"""What n samples of each problem say about k: pass@k, maj@k, best of k, distinct correct.

Every function takes one row a problem and averages over problems last; for one problem, pass one row. Each (but the
plug-in) is the expectation over all ways of drawing k of the problem's n samples without replacement: what
resampling subsets of size k tends to. It is hence an unbiased estimate of what k fresh samples would give, and does
not depend on the order of the samples. All count ways in whole numbers and round once a problem: no seed, no
resampling error, no overflow.
"""

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from math import comb, isnan
from statistics import fmean
from typing import TypeVar

from ..run.errors import SpkitError

_T = TypeVar("T")


def per_problem(rows: Sequence[_T], n: int) -> list[list[_T]]:
    """Rows `i * n + j` (those of `Rollouts` and `solve`) as one list of n a problem.

    Raises SpkitError if some are left over.
    """
    if n < 1 or len(rows) % n:
        raise SpkitError(f"{len(rows)} rows are not {n} samples of each problem: pass the n they were sampled with")
    return [list(rows[start : start + n]) for start in range(0, len(rows), n)]


def pass_at_k(correct: Sequence[int], n: int, k: int) -> float:
    """pass@k from the number of right samples among n, one a problem: 1 - C(n-c, k) / C(n, k), which is 1 if n - c < k.

    Chen et al. 2021, arXiv:2107.03374, Eq. 1. Its expectation over the n samples is exactly 1 - (1 - p)^k. Report n
    beside it. Raises SpkitError if k is not in 1..n, a count is not in 0..n, or there is no problem.
    """
    return fmean(_draws_with_any(n, c, k) / comb(n, k) for c in _counts(correct, n, k))


def pass_at_k_plug_in(correct: Sequence[int], n: int, k: int) -> float:
    """1 - (1 - c/n)^k, averaged over problems: kept to show its bias, not to be reported.

    1 - (1 - p)^k is concave in p, so by Jensen's inequality the estimate is too low on average for every k > 1 and
    0 < p < 1 (arXiv:2107.03374, appendix A); at n = 10, c = 1, k = 5 it says 0.410 where `pass_at_k` says 0.5.
    Raises as `pass_at_k` does.
    """
    return fmean(1 - (1 - c / n) ** k for c in _counts(correct, n, k))


def maj_at_k(answers: Sequence[Sequence[str | None]], gold: Sequence[str], k: int) -> float:
    """Share of right majority votes among k samples (self-consistency: Wang et al. 2022, arXiv:2203.11171).

    `answers` holds the n parsed answers of each problem, `gold` its right answer; equal answers must be equal strings.
    None, an answer that could not be read, is a candidate like any other, which can win and is never right. A tie goes
    to the answer met first, in random order: tied answers have the same number of votes, so each of m is first with
    chance 1/m, and ties are shared equally. k = 1 is the mean accuracy, k = n the plain vote. Raises SpkitError if k is
    not in 1..n, a gold answer is None, or rows are missing.
    """
    _check_problems(answers, gold)
    if any(answer is None for answer in gold):
        raise SpkitError(
            "a gold answer is None, which stands for an answer that could not be read: give every problem "
            "its right answer"
        )
    return fmean(_vote(Counter(row), right, k) for row, right in zip(answers, gold))


def best_of_k(scores: Sequence[Sequence[float]], correct: Sequence[Sequence[bool]], k: int) -> float:
    """Share of problems where the best-scored of k samples is right; the samples that share the best score
    share the choice equally.

    `scores` and `correct` are (problems, n), higher scores better. If `below` samples score less than a level of `size`
    samples, the best of k falls on that level with chance [C(below + size, k) - C(below, k)] / C(n, k). With `correct`
    itself as the score it is pass@k, with equal scores the mean accuracy. Raises SpkitError if k is not in 1..n, a
    score is nan, or the shapes differ.
    """
    _check_problems(scores, correct)
    return fmean(_best(row, right, k) for row, right in zip(scores, correct))


def distinct_correct(paths: Sequence[Sequence[str]], correct: Sequence[Sequence[bool]], k: int | None = None) -> float:
    """Number of distinct right paths among k samples of a problem, expected; all n samples without `k`.

    `paths` and `correct` are (problems, n). A path is whatever text the caller calls the same: the whole
    completion, or its equations alone, as in rejection-sampling fine-tuning (Yuan et al. 2023, arXiv:2308.01825). A
    path written by c of n samples is met with chance 1 - C(n-c, k) / C(n, k), and the chances add up: rarefaction
    (Hurlbert 1971, Ecology 52:577), by which runs with different n compare at one k. Raises SpkitError if k is not
    in 1..n or the shapes differ.
    """
    _check_problems(paths, correct)
    return fmean(_distinct(row, right, len(row) if k is None else k) for row, right in zip(paths, correct))


def _draws_with_any(n: int, c: int, k: int) -> int:
    """In how many of the C(n, k) draws at least one of c given samples is met."""
    return comb(n, k) - comb(n - c, k)


def _vote(votes: Counter, right: str, k: int) -> float:
    """Chance that `right` wins the vote of k of the samples counted in `votes`. If `right` has j of the k votes, it
    wins when no other answer has more, and gets a share 1 / (m + 1) when m others have j too. `ways[m, drawn]` counts
    the ways to draw from the others so far; those with fewer than j votes in all can never matter.
    """
    _check_k(votes.total(), k)
    others = [count for answer, count in votes.items() if answer != right]
    wins = Fraction(0)
    for j in range(1, min(votes[right], k) + 1):
        minor = sum(count for count in others if count < j)
        ways = Counter({(0, drawn): comb(minor, drawn) for drawn in range(min(minor, k - j) + 1)})
        for count in (count for count in others if count >= j):
            longer: Counter = Counter()
            for (m, drawn), number in ways.items():
                for i in range(min(j, k - j - drawn) + 1):
                    longer[m + (i == j), drawn + i] += number * comb(count, i)
            ways = longer
        shares = sum(Fraction(number, m + 1) for (m, drawn), number in ways.items() if drawn == k - j)
        wins += comb(votes[right], j) * shares
    return float(wins / comb(votes.total(), k))


def _best(scores: Sequence[float], correct: Sequence[bool], k: int) -> float:
    _check_samples(scores, correct, k)
    if any(isnan(score) for score in scores):
        raise SpkitError("a score is nan, which has no rank: give every sample a number")
    levels: dict[float, list[bool]] = {}
    for score, right in zip(scores, correct):
        levels.setdefault(float(score), []).append(bool(right))
    below, wins = 0, Fraction(0)
    for _, level in sorted(levels.items()):
        chosen = comb(below + len(level), k) - comb(below, k)
        wins += Fraction(chosen * sum(level), len(level))
        below += len(level)
    return float(wins / comb(below, k))


def _distinct(paths: Sequence[str], correct: Sequence[bool], k: int) -> float:
    _check_samples(paths, correct, k)
    times = Counter(path for path, right in zip(paths, correct) if right)
    return sum(_draws_with_any(len(paths), c, k) for c in times.values()) / comb(len(paths), k)


def _counts(correct: Sequence[int], n: int, k: int) -> list[int]:
    """The counts as plain whole numbers, checked."""
    _check_k(n, k)
    counts = [int(c) for c in correct]
    if not counts:
        raise SpkitError("there is no problem to average over: pass one count of right samples a problem")
    if not all(0 <= c <= n for c in counts):
        raise SpkitError(
            f"counts of right samples go from {min(counts)} to {max(counts)} and each must be in 0..{n}, "
            "the samples a problem"
        )
    return counts


def _check_k(n: int, k: int) -> None:
    if not 1 <= k <= n:
        raise SpkitError(
            f"k is {k} and a problem has {n} samples: choose k from 1 to the number of samples, or sample more"
        )


def _check_samples(values: Sequence, correct: Sequence[bool], k: int) -> None:
    if len(values) != len(correct):
        raise SpkitError(f"a problem has {len(values)} samples and {len(correct)} verdicts: pass one verdict a sample")
    _check_k(len(values), k)


def _check_problems(rows: Sequence, others: Sequence) -> None:
    if len(rows) != len(others) or not len(rows):
        raise SpkitError(
            f"there are {len(rows)} problems in one list and {len(others)} in the other: pass one row a "
            "problem, and at least one"
        )
