"""The verifier: each test names the mistake it would catch."""

import pytest
import torch

from spkit.run.errors import SpkitError
from spkit.stages.verify import accept, vote
from spkit.tasks import Verdict


def verdict(correct: bool, parsed: str | None = "1", errors: int = 0) -> Verdict:
    return Verdict(correct, float(correct), parsed, errors)


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


ROWS = [verdict(True), verdict(False), verdict(True, errors=2), verdict(False, None)]


def test_gold_reads_the_answer_and_steps_reads_the_steps_too():
    assert accept(ROWS, 2, "gold", 0.0, draw()) == [True, False, True, False]
    assert accept(ROWS, 2, "steps", 0.0, draw()) == [True, False, False, False]
    assert accept(ROWS, 2, "none", 0.0, draw()) == [True] * 4


def test_noise_turns_round_the_asked_share_of_both_kinds():
    rows = [verdict(i % 4 == 0) for i in range(4000)]
    flags = accept(rows, 1, "noisy", 0.2, draw())
    for kind in (True, False):
        group = [flag != row.correct for flag, row in zip(flags, rows) if row.correct == kind]
        assert abs(sum(group) / len(group) - 0.2) < 4 * (0.16 / len(group)) ** 0.5
    gold = accept(rows, 1, "gold", 0.0, draw())
    assert accept(rows, 1, "noisy", 0.0, draw()) == gold
    assert accept(rows, 1, "noisy", 1.0, draw()) == [not flag for flag in gold]
    assert flags == accept(rows, 1, "noisy", 0.2, draw()) != accept(rows, 1, "noisy", 0.2, draw(1))


def test_majority_never_reads_the_gold_answer():
    answers = ["7", "7", "8", None, None, None, "5", "6"]
    for lie in (True, False):
        rows = [verdict(lie, answer) for answer in answers]
        assert accept(rows, 4, "majority", 0.0, draw()) == [True, True, False, False, False, False, True, False]


def test_what_cannot_be_read_has_no_vote_and_the_first_of_equals_wins():
    assert vote([None, None, "3"]) == "3"
    assert vote(["4", "3", "3", "4"]) == "4"
    assert vote([None, None]) is None
    assert accept([verdict(True, None)] * 2, 2, "majority", 0.0, draw()) == [False, False]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((ROWS, 3, "gold", 0.0), "no multiple of 3"),
        ((ROWS, 2, "gld", 0.0), "unknown verifier 'gld': choose one of gold"),
        ((ROWS, 2, "noisy", 1.5), "between 0 and 1"),
    ],
)
def test_bad_input_is_one_sentence(arguments, message):
    with pytest.raises(SpkitError, match=message):
        accept(*arguments, draw())
