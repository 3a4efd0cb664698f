"""Which of the mistakes that a check knows are met by the wrong answers of a test."""

from collections.abc import Callable, Sequence
from types import ModuleType

import numpy as np
import pytest

from spkit.exercises.checking import Mistake, compare


def known_and_met(
    check: Callable, wrong: Sequence[tuple], modules: Sequence[ModuleType], monkeypatch: pytest.MonkeyPatch
) -> tuple[list[str], list[str]]:
    """What `check`, of one of the modules, can say, and what it says of the rows (check, answer, ...) of `wrong`."""
    known, met = [], []

    def listening(name, answer, right, mistakes, cases):
        known.extend(mistakes)
        compare(name, answer, right, mistakes, cases)

    for module in modules:
        monkeypatch.setattr(module, "compare", listening)
    for own, answer, *_ in wrong:
        if own is check:
            with np.errstate(all="ignore"), pytest.raises(Mistake) as caught:
                check(answer)
            met.append(str(caught.value).partition(": ")[2])
    return known, met
