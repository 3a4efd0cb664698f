"""What every check does: compare an answer with the right one and with the known wrong ones."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from spkit.errors import SpkitError

Answer = Callable[..., object]


class Mistake(SpkitError):
    """An exercise's answer is wrong; the message names the mistake if it is a known one."""


def compare(name: str, answer: Answer, right: Answer, known: Mapping[str, Answer], cases: Sequence[tuple]) -> None:
    """Call the answer on every case; say it is right, or raise Mistake, naming the known wrong answer that it equals on all cases.

    Cases must tell the known mistakes from the right answer: SpkitError otherwise.
    """
    expected = _evaluate(right, cases)
    got = _evaluate(answer, cases)
    for explanation, wrong in known.items():
        if _same(_evaluate(wrong, cases), expected):
            raise SpkitError(f"The cases of {name} cannot tell a known mistake from the right answer: {explanation}")
    if _same(got, expected):
        print(f"{name}: right.")
        return
    for explanation, wrong in known.items():
        if _same(got, _evaluate(wrong, cases)):
            raise Mistake(f"{name}: {explanation}")
    for mine, theirs in zip(got, expected, strict=True):
        if mine.shape != theirs.shape:
            raise Mistake(f"{name}: the answer has the shape {mine.shape}, and {theirs.shape} is asked for.")
        if not np.allclose(mine, theirs, rtol=1e-6, atol=1e-9):
            raise Mistake(f"{name}: got {_brief(mine)} where {_brief(theirs)} is right; this is none of the usual mistakes.")


def _evaluate(function: Answer, cases: Sequence[tuple]) -> list[np.ndarray]:
    return [np.asarray(function(*case), dtype=float) for case in cases]


def _same(some: list[np.ndarray], others: list[np.ndarray]) -> bool:
    return all(x.shape == y.shape and np.allclose(x, y, rtol=1e-6, atol=1e-9) for x, y in zip(some, others, strict=True))


def _brief(value: np.ndarray) -> str:
    return np.array2string(value.ravel()[:3], precision=4) if value.ndim else f"{float(value):.4f}"
