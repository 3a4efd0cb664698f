"""The checks that all settings share, and settings with some of them changed."""

from dataclasses import dataclass, field
from typing import Literal

import pytest

from spkit.loops.absolute_zero import AbsoluteZeroConfig
from spkit.run.errors import SpkitError
from spkit.run.settings import at_least, changed, one_of_its_choices, shares


@dataclass(frozen=True)
class Inner:
    size: int | None = 1
    share: float = 0.5

    def __post_init__(self) -> None:
        at_least(self, 1, "size")
        shares(self, "share")


@dataclass(frozen=True)
class Outer:
    seed: int = 0
    kind: Literal["a", "b"] = "a"
    inner: Inner = field(default_factory=Inner)
    other: Inner = field(default_factory=Inner)

    def __post_init__(self) -> None:
        one_of_its_choices(self)


def test_a_dotted_name_changes_a_part_and_leaves_the_rest():
    before = Outer(seed=3, inner=Inner(2, 0.25))
    after = changed(before, {"kind": "b", "inner.size": 5, "other.share": 1.0})
    assert after == Outer(3, "b", Inner(5, 0.25), Inner(1, 1.0))
    assert before == Outer(3, "a", Inner(2, 0.25), Inner()) and changed(before, {}) == before
    assert changed(before, {"inner": Inner(7)}) == Outer(3, "a", Inner(7), Inner())
    assert changed(before, {"inner.size": 4, "inner": Inner(7, 1.0)}).inner == Inner(4, 1.0)


def test_two_settings_of_one_part_change_together():
    """One after the other, each from the settings as they were, would lose the first."""
    assert changed(Outer(), {"inner.size": 5, "inner.share": 0.0}).inner == Inner(5, 0.0)


def test_settings_of_absolute_zero_are_changed_by_the_names_of_its_config():
    config = changed(AbsoluteZeroConfig(), {"proposer.kind": "frozen", "verifier.reward": "random", "k": 4})
    assert (config.proposer.kind, config.verifier.reward, config.k) == ("frozen", "random", 4)
    assert config.proposer.reward == AbsoluteZeroConfig().proposer.reward, "each part has a reward of its own"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sead": 1}, "Outer has no setting 'sead'"),
        ({"inner.sise": 1}, "Inner has no setting 'sise'"),
        ({"inmer.size": 1}, "Outer has no setting 'inmer'"),
        ({"kind": "c"}, "kind must be one of a, b, not 'c'"),
        ({"inner.size": 0}, "size must be 1 or more, not 0"),
        ({"inner.share": 1.5}, "share must be between 0 and 1, not 1.5"),
        ({"inner.share": float("nan")}, "share must be between 0 and 1, not nan"),
        ({"seed.size": 1}, "seed is one value and has no setting 'size'"),
    ],
)
def test_what_cannot_be_changed_is_one_sentence(changes, message):
    with pytest.raises(SpkitError, match=message):
        changed(Outer(), changes)


def test_a_limit_that_is_none_is_no_limit():
    assert changed(Outer(), {"inner.size": None}).inner.size is None
