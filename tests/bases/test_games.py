"""The shipped base for games plays mostly legally, and about as badly as any legal move."""

import pytest

from spkit.measures.game_moves import policy_at_information_sets
from spkit.policy import load_policy
from spkit.tasks.games import game_tree, load_game


@pytest.mark.parametrize("name", ["kuhn", "leduc", "nim"])
def test_it_plays_legally_and_badly(name):
    game = load_game(name)
    tree, found = game_tree(game), policy_at_information_sets(load_policy(game.base), game)
    said, uniform = found.summary(), tree.nash_conv(tree.uniform())
    assert said["illegal"] < 0.12
    assert said["nash_conv"] == pytest.approx(uniform, rel=0.25)
