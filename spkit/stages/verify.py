"""Who decides what is trained on: the exact check, and the ways in which it can be missing, weak or wrong.

    gold      the final answer is right (what STaR, RFT and ReST^EM use)
    steps     the final answer and every step are right: a process check
    noisy     gold, with each verdict turned round with probability `flip_rate`
    majority  the final answer is the one most of the problem's own samples gave (Huang et al. 2022, arXiv:2210.11610):
              no gold answer needed
    none      everything is kept

The control of equal size, `random`, is not a verifier: `spkit.stages.learn_sft.keep` draws as many samples as gold
leaves.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

import torch

from ..run.errors import SpkitError
from ..tasks import Verdict

Verifier = Literal["gold", "steps", "noisy", "majority", "none"]
VERIFIERS = ("gold", "steps", "noisy", "majority", "none")


def accept(
    verdicts: Sequence[Verdict], k: int, verifier: Verifier, flip_rate: float, draw: torch.Generator
) -> list[bool]:
    """Which samples to keep, one flag a row; rows `i * k` to `i * k + k - 1` are the samples of problem i.

    Raises SpkitError for an unknown verifier, a flip rate outside [0, 1], or rows that are no multiple of k.
    """
    if k < 1 or len(verdicts) % k:
        raise SpkitError(f"{len(verdicts)} verdicts are no multiple of {k} samples a problem")
    if not 0 <= flip_rate <= 1:
        raise SpkitError(f"flip_rate must be between 0 and 1, not {flip_rate}")
    right = [verdict.correct for verdict in verdicts]
    if verifier == "gold":
        return right
    if verifier == "steps":
        return [verdict.correct and verdict.step_errors == 0 for verdict in verdicts]
    if verifier == "noisy":
        flipped = (torch.rand(len(right), generator=draw) < flip_rate).tolist()
        return [ok != wrong_way for ok, wrong_way in zip(right, flipped)]
    if verifier == "majority":
        votes = [vote([v.parsed for v in verdicts[start : start + k]]) for start in range(0, len(verdicts), k)]
        return [v.parsed is not None and v.parsed == votes[row // k] for row, v in enumerate(verdicts)]
    if verifier == "none":
        return [True] * len(right)
    raise SpkitError(f"unknown verifier {verifier!r}: choose one of {', '.join(VERIFIERS)}")


def vote(answers: Sequence[str | None]) -> str | None:
    """The most frequent answer, the first of equals.

    What could not be read has no vote. None if nothing could be read.
    """
    counts = Counter(answer for answer in answers if answer is not None)
    return max(counts, key=counts.__getitem__, default=None)
