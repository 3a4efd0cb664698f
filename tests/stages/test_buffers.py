"""The buffers of Absolute Zero: what they start from, draw, and survive."""

from collections import Counter

import pytest

from spkit.run.errors import SpkitError
from spkit.stages.buffers import Buffers
from spkit.tasks import KINDS
from spkit.tasks.expressions.language import parse, split_of_tree
from tests.stages.by_hand import TASK, draw


def test_references_that_do_not_fit_are_left_out(buffers):
    every = buffers.references("deduction", 100, 10**6, draw())
    assert len(every) == buffers.sizes()["deduction"]
    few = buffers.references("deduction", 100, 60, draw())
    assert 0 < len(few) < len(every) and sum(len(str(one)) + 1 for one in few) <= 60
    assert buffers.references("deduction", 100, 0, draw()) == []


def test_the_buffers_start_from_the_identity_and_survive_a_checkpoint(buffers):
    assert Buffers(KINDS, TASK).sizes() == dict.fromkeys(KINDS, 1)
    for kind in KINDS:
        assert next(iter(buffers.entries[kind])) == TASK.seed_entry(kind) and len(buffers.entries[kind]) > 4
        assert all(split_of_tree(parse(program)) == "train" for program, _ in buffers.entries[kind])
    again = Buffers.load(buffers.dump(), TASK)
    assert [list(again.entries[kind]) for kind in KINDS] == [list(buffers.entries[kind]) for kind in KINDS]
    assert again.problems("abduction", 5, draw()) == buffers.problems("abduction", 5, draw())


def test_filling_is_uniform_and_takes_none_twice_before_all_had_their_turn(buffers):
    size = buffers.sizes()["deduction"]
    assert len({problem.prompt for problem in buffers.problems("deduction", size, draw())}) == size
    counts = Counter(problem.prompt for problem in buffers.problems("deduction", 2 * size + 1, draw()))
    assert sorted(set(counts.values())) == [2, 3]
    drawn = Counter(buffers.problems("deduction", 1, draw(number))[0].prompt for number in range(60 * size))
    assert len(drawn) == size and min(drawn.values()) > 30 and max(drawn.values()) < 100


def test_induction_alone_has_no_program_to_draw():
    with pytest.raises(SpkitError, match="induction needs the buffer of deduction or of abduction"):
        Buffers(["induction"], TASK).programs(3, draw())
