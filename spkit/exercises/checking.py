"""What every check does: compare an answer with the right one and with the known wrong ones."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from copy import deepcopy
from operator import eq
from typing import Any

import numpy as np

from spkit.run.errors import SpkitError

Answer = Callable[..., object]


class Mistake(SpkitError):
    """An exercise's answer is wrong; the message names the mistake if it is a known one. A notebook shows the sentence
    alone.
    """

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


def attempted(name: str, answer: Answer) -> Answer:
    """The answer, which says in a sentence that it is still the stub, or that it returns nothing."""

    def call(*case: Any) -> object:
        try:
            value = answer(*case)
        except NotImplementedError as error:
            raise Mistake(
                f"{name}: there is no answer yet; write it in place of `raise NotImplementedError()` and run that cell."
            ) from error
        if value is None:
            raise Mistake(f"{name}: the function returns nothing; end it with `return`.")
        return value

    return call


def compare(name: str, answer: Answer, right: Answer, known: Mapping[str, Answer], cases: Sequence[tuple]) -> None:
    """Call the answer on every case; say it is right, or raise Mistake, naming the known wrong answer
    that it equals on all cases.

    Cases must tell the known mistakes from the right answer: SpkitError otherwise.
    """
    _judge(name, answer, right, known, lambda function: _evaluate(function, cases), _same, _wrong_number)


def compare_lists(
    name: str,
    answer: Answer,
    right: Answer,
    known: Mapping[str, Answer],
    cases: Sequence[tuple],
    key: Callable[[Any], Hashable],
) -> None:
    """`compare` for answers that are lists, in any order: equal if they hold the same keys equally often.

    The key is shown to the reader.
    """

    def count(function: Answer) -> list[Counter]:
        lists = [function(*case) for case in cases]
        if not all(isinstance(items, Iterable) for items in lists):
            raise Mistake(
                f"{name}: the answer is "
                f"{next(items for items in lists if not isinstance(items, Iterable))!r}; return a list."
            )
        return [Counter(map(key, items)) for items in lists]

    _judge(name, answer, right, known, count, eq, _wrong_items)


def _judge(
    name: str,
    answer: Answer,
    right: Answer,
    known: Mapping[str, Answer],
    evaluate: Callable[[Answer], list],
    same: Callable[[list, list], bool],
    tell: Callable[[Any, Any], str | None],
) -> None:
    """What `compare` promises, for any kind of value.

    `tell` says how a value differs from the right one, or nothing if it does not.
    """
    expected = evaluate(right)
    got = evaluate(attempted(name, answer))
    for explanation, wrong in known.items():
        if same(evaluate(wrong), expected):
            raise SpkitError(f"The cases of {name} cannot tell a known mistake from the right answer: {explanation}")
    if same(got, expected):
        print(f"{name}: right.")
        return
    for explanation, wrong in known.items():
        if same(got, evaluate(wrong)):
            raise Mistake(f"{name}: {explanation}")
    raise Mistake(f"{name}: " + next(filter(None, map(tell, got, expected))))


def _wrong_number(mine: np.ndarray, theirs: np.ndarray) -> str | None:
    if mine.shape != theirs.shape:
        return f"the answer has the shape {mine.shape}, and {theirs.shape} is asked for."
    if not np.allclose(mine, theirs, rtol=1e-6, atol=1e-9):
        return f"got {_brief(mine)} where {_brief(theirs)} is right; this is none of the usual mistakes."
    return None


def _wrong_items(mine: Counter, theirs: Counter) -> str | None:
    extra, missing = mine - theirs, theirs - mine
    parts = [
        f"{items.total()} {what}, such as {next(iter(items))}"
        for what, items in (("too many", extra), ("missing", missing))
        if items
    ]
    return (
        f"of {theirs.total()} asked for, {' and '.join(parts)}; this is none of the usual mistakes." if parts else None
    )


def _evaluate(function: Answer, cases: Sequence[tuple]) -> list[np.ndarray]:
    return [np.asarray(function(*deepcopy(case)), dtype=float) for case in cases]  # an answer may change its arguments


def _same(some: list[np.ndarray], others: list[np.ndarray]) -> bool:
    return all(
        x.shape == y.shape and np.allclose(x, y, rtol=1e-6, atol=1e-9) for x, y in zip(some, others, strict=True)
    )


def _brief(value: np.ndarray) -> str:
    return np.array2string(value.ravel()[:3], precision=4) if value.ndim else f"{float(value):.4f}"
