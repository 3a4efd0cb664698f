"""Checks for the exercises of notebook 05 about where pass@k curves cross and about swapping tokens; those about
reading curves and choosing a control are in `spkit.exercises.dynamics_runs`.

The reference arithmetic is carried here, in loops and float64, so that a fault of the package's own cannot hide in its
exercise.
"""

from collections.abc import Callable, Sequence
from math import comb
from statistics import fmean

import numpy as np

from .checking import Answer, compare

EXACT = 1e-12
OneProblem = Callable[[int, int, int], float]


def _unbiased(c: int, n: int, k: int) -> float:
    return 1 - comb(n - c, k) / comb(n, k)


def _over_problems(one: OneProblem = _unbiased) -> Callable[[Sequence[int], int, int], float]:
    return lambda counts, n, k: fmean(one(c, n, k) for c in counts)


def _pooled(counts: Sequence[int], n: int, k: int) -> float:
    return _unbiased(sum(counts), n * len(counts), k)


def _crossing_build(
    curve: Callable[[Sequence[int], int, int], float] = _over_problems(),
    met: Callable[[float, float], bool] = lambda base, trained: base >= trained - EXACT,
    ks: Callable[[int], Sequence[int]] = lambda n: range(1, n + 1),
    pick: Callable[[list[int]], int] = lambda found: found[0],
    none: Callable[[int], int] = lambda n: 0,
) -> Answer:
    def crossing(base: Sequence[int], trained: Sequence[int], n: int) -> int:
        found = [k for k in ks(n) if met(curve(base, n, k), curve(trained, n, k))]
        return pick(found) if found else none(n)

    return crossing


def _widest(base: Sequence[int], trained: Sequence[int], n: int) -> int:
    of = _over_problems()
    return min(range(1, n + 1), key=lambda k: of(trained, n, k) - of(base, n, k))


CROSSING_MISTAKES = {
    "this uses the plug-in 1 - (1 - c/n)^k; its error grows with k and differs between the policies.": _crossing_build(
        _over_problems(lambda c, n, k: 1 - (1 - c / n) ** k)
    ),
    (
        "this takes the samples of all problems together, or their mean; a policy that always solves half of the "
        "problems would then solve all of them with a few samples. Average pass@k over problems, last."
    ): _crossing_build(_pooled),
    "this looks at k = 1, 2, 4, ... alone; the first k in between is asked for.": _crossing_build(
        ks=lambda n: [2**i for i in range(n.bit_length()) if 2**i <= n]
    ),
    "the policies are exchanged: this finds where the *trained* one is at or above the base.": _crossing_build(
        met=lambda base, trained: trained >= base - EXACT
    ),
    "where both are equal the base is at the trained policy's level, which counts; this asks for more.": (
        _crossing_build(met=lambda base, trained: base > trained + EXACT)
    ),
    "this is the last such k; the smallest is asked for.": _crossing_build(pick=lambda found: found[-1]),
    "this is one less: k = 1 stands at place 0 of a list.": _crossing_build(pick=lambda found: found[0] - 1),
    "this is the last k at which the trained policy leads.": _crossing_build(pick=lambda found: max(found[0] - 1, 1)),
    "where the curves do not cross, the answer is 0; this says n.": _crossing_build(none=lambda n: n),
    "this is where the base is furthest ahead; where it catches up is asked for.": _widest,
    (
        "this starts at k = 2, as if the trained policy had to lead at first; if it never does the answer is 1."
    ): _crossing_build(ks=lambda n: range(2, n + 1)),
}


def check_crossing(answer: Answer) -> None:
    """`answer(base, trained, n)`: the smallest k from 1 to n at which the base's pass@k is at or above the trained
    policy's, 0 if there is none. Both are the number of right samples among n, one a problem, the same problems.
    """
    cases = [
        ([3, 3, 3, 3], [16, 16, 0, 0], 16),
        ([1, 2, 1, 0, 4], [12, 3, 0, 5, 0], 12),
        ([2, 2], [4, 4], 8),
        ([1, 0, 1], [2, 3, 2], 10),
        ([5, 6, 1, 1], [2, 3, 4, 4], 12),
        ([2, 1, 1, 1, 3], [10, 9, 0, 0, 4], 11),
    ]
    compare("crossing", answer, _crossing_build(), CROSSING_MISTAKES, cases)


Distribution = Callable[[Sequence[int]], np.ndarray]  # of the next token, after these
STOP = 0  # the token that ends a text


def _kl(p: np.ndarray, q: np.ndarray) -> float:
    return float((p * np.log(p / q)).sum())


def _decoder(
    far: Callable[[np.ndarray, np.ndarray], float] = _kl,
    decide: Callable[[float, float], bool] = lambda far, threshold: far > threshold,
    pick: Callable[[np.ndarray, np.ndarray, bool], np.ndarray] = lambda base, trained, swap: trained if swap else base,
    reads: Callable[[list[int], list[int]], list[int]] = lambda prompt, written: prompt + written,
    stays: bool = False,
    stops: bool = True,
) -> Answer:
    def decode(base: Distribution, trained: Distribution, prompt: list[int], length: int, threshold: float):
        written, swapped = [], False
        while len(written) < length and not (stops and written and written[-1] == STOP):
            p, q = (one(reads(list(prompt), written)) for one in (base, trained))
            swapped = decide(far(q, p), threshold) or (stays and swapped)
            written.append(int(np.argmax(pick(p, q, swapped))))
        return written

    return decode


def _swapped_afterwards(base: Distribution, trained: Distribution, prompt: list[int], length: int, threshold: float):
    text = _decoder(decide=lambda far, threshold: False)(base, trained, prompt, length, threshold)
    result = []
    for place, token in enumerate(text):
        p, q = (one(list(prompt) + text[:place]) for one in (base, trained))
        result.append(int(np.argmax(q)) if _kl(q, p) > threshold else token)
    return result


def _each_its_own_text(base: Distribution, trained: Distribution, prompt: list[int], length: int, threshold: float):
    alone = lambda one: _decoder(pick=lambda p, q, swap: q if one else p)(base, trained, prompt, length, threshold)
    ours, theirs, result = alone(False), alone(True), []
    for place, token in enumerate(ours):
        p, q = base(list(prompt) + ours[:place]), trained(list(prompt) + theirs[:place])
        result.append(theirs[place] if place < len(theirs) and _kl(q, p) > threshold else token)
    return result


SWAP_MISTAKES = {
    (
        "the tokens are replaced afterwards, in the base's own text; the base has not read them, so what follows does "
        "not follow. Decide at each step, and let both read what was written."
    ): _swapped_afterwards,
    "each policy reads its own text here; both are to read the same one, with the swaps in it.": _each_its_own_text,
    "this is KL(base || trained); KL(trained || base) is asked for.": _decoder(lambda q, p: _kl(p, q)),
    "this compares by total variation; KL(trained || base) is asked for.": _decoder(
        lambda q, p: float(np.abs(q - p).sum() / 2)
    ),
    "this compares by the sum of absolute differences; KL(trained || base) is asked for.": _decoder(
        lambda q, p: float(np.abs(q - p).sum())
    ),
    (
        "this writes the trained policy's token where the two are *close*: the comparison is turned, or the policies "
        "are exchanged."
    ): _decoder(decide=lambda far, threshold: far <= threshold),
    "this is the base alone; nothing is swapped.": _decoder(pick=lambda base, trained, swap: base),
    "this is the trained policy alone; the threshold is not used.": _decoder(pick=lambda base, trained, swap: trained),
    "after the first swap the trained policy goes on for ever; each position is decided alone.": _decoder(stays=True),
    "at a swap this takes the likeliest token of the mean of both; the trained policy's is asked for.": _decoder(
        pick=lambda base, trained, swap: base + trained if swap else base
    ),
    "the prompt is not read.": _decoder(reads=lambda prompt, written: written),
    "only the prompt is read, at every step; the text so far belongs to it.": _decoder(
        reads=lambda prompt, written: prompt
    ),
    "the text goes on behind its end, token 0.": _decoder(stops=False),
}


def check_swap(answer: Answer) -> None:
    """`answer(base, trained, prompt, length, threshold)`: the tokens that are written after `prompt`, at most `length`,
    the last one 0 if the text ends.

    `base` and `trained` map a list of tokens to the probabilities of the next one. The base decodes greedily; where
    KL(trained || base) is above `threshold` (nats), the trained policy's most likely token is written.
    """
    thresholds = (0.2, 0.35, 0.5, 0.8)
    cases = [(*_two_policies(seed), [1 + seed % 3, 2, 1], 12, thresholds[seed % 4]) for seed in range(12)]
    compare("swap", answer, _decoder(), SWAP_MISTAKES, cases)


def _two_policies(seed: int) -> tuple[Distribution, Distribution]:
    """Policies of six tokens; how much they differ depends on the text, and the trained one is surer."""

    def logits(text: Sequence[int], trained: bool) -> np.ndarray:
        rng = np.random.default_rng([seed, *map(int, text)])
        base, pull, change = rng.normal(size=6), rng.uniform(0, 1.5), rng.normal(size=6)
        return 1.2 * base + trained * pull * (0.8 * base + change) - 1.5 * (np.arange(6) == STOP)

    def chances(text: Sequence[int], trained: bool) -> np.ndarray:
        weights = np.exp(logits(text, trained))
        return weights / weights.sum()

    return lambda text: chances(text, False), lambda text: chances(text, True)
