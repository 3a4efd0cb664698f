"""What the claims about self-play in games compute from records."""

import numpy as np
import pytest

from spkit.claims import GAMES_CLAIMS
from spkit.claims.games_self_play import later_average
from spkit.run.errors import SpkitError
from spkit.stages.past_selves import average_of
from spkit.tasks.games import game_tree, load_game

TREE = game_tree(load_game("kuhn"))


def test_the_later_average_is_that_of_the_second_half_alone():
    uniform, first = TREE.uniform(), TREE.greedy(TREE.uniform())
    records = [{"iteration": i, "strategy": one.tolist()} for i, one in enumerate([first] * 3 + [uniform] * 2)]
    assert later_average("a").of({"a": records}) == pytest.approx(11 / 12)
    assert later_average("a").of({"a": records[:3]}) == pytest.approx(TREE.nash_conv(first))


def test_no_strategy_is_one_sentence():
    with pytest.raises(SpkitError, match="no strategy in the second half"):
        later_average("a").of({"a": [{"iteration": 0}]})


def test_averages_of_realization_weights_win_what_their_parts_win_on_average():
    """Against any opponent, which is what makes it the right average."""
    rng = np.random.default_rng(0)
    parts = [TREE.checked(_random(rng)) for _ in range(3)]
    records = [{"iteration": i + 1, "strategy": one.tolist()} for i, one in enumerate([parts[0], *parts])]
    average, other = average_of(TREE, parts), _random(rng)
    assert TREE.value(average, other) == pytest.approx(np.mean([TREE.value(one, other) for one in parts]))
    later = later_average("a").of({"a": records})
    assert later == pytest.approx(TREE.nash_conv(average_of(TREE, parts[1:])), abs=1e-9)


def test_each_claim_reads_what_its_words_say():
    row = {"nash_conv": 0.4, "nash_conv_average": 0.3, "entropy": 0.2, "illegal": 0.1, "wins": {"base": 0.6}}
    records = [{"iteration": i, "strategy": TREE.uniform().tolist(), **row} for i in range(3)]
    records[0] |= {"illegal": 0.3}
    by_id = {one.id: one.measure({"kuhn-latest": records, "kuhn-anchor": records})["effect"] for one in GAMES_CLAIMS}
    assert by_id["games-latest"] == 0.4 and by_id["games-anchor-latest"] == 0 and by_id["games-latest-wins"] == 0.6
    assert by_id["games-legal"] == pytest.approx(0.2) and by_id["games-anchor"] == pytest.approx(11 / 12)


def _random(rng):
    weights = rng.random(TREE.starts[-1]) + 0.05
    return weights / np.add.reduceat(weights, TREE.starts[:-1])[TREE.owner]
