"""What the claims about self-play in games compute from records."""

from dataclasses import asdict

import numpy as np
import pytest

from spkit.claims import GAMES_CLAIMS
from spkit.claims.games_self_play import COMPARED_AT, GAMES_EXPERIMENTS, later_average
from spkit.run.errors import SpkitError
from spkit.stages.past_selves import average_of
from spkit.tasks.games import game_tree, load_game

TREE = game_tree(load_game("kuhn"))


def test_the_later_average_is_that_of_the_second_half_alone():
    uniform, first = TREE.uniform(), TREE.greedy(TREE.uniform())
    records = [{"iteration": i, "strategy": one.tolist()} for i, one in enumerate([first] * 3 + [uniform] * 2)]
    assert later_average("a").of({"a": records}) == pytest.approx(11 / 12)
    assert later_average("a").of({"a": records[:3]}) == pytest.approx(TREE.nash_conv(first))
    assert later_average("a", 2).of({"a": records}) == pytest.approx(TREE.nash_conv(first))
    assert str(later_average("a", 2)) == "a: NashConv of the later average (iterations 2 to 2)"


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
    records = [{"iteration": i, "strategy": TREE.uniform().tolist(), **row} for i in (0, COMPARED_AT)]
    records[0] |= {"illegal": 0.3}
    runs = dict.fromkeys(GAMES_EXPERIMENTS, records)
    better = [{**one, "nash_conv": 0.1, "nash_conv_average": 0.05, "wins": {"base": 0.7}} for one in records]
    effect = lambda id, **others: next(one for one in GAMES_CLAIMS if one.id == id).measure(runs | others)["effect"]
    assert effect("games-latest") == 0.4 and effect("games-anchor-latest") == 0 and effect("games-latest-wins") == 0.6
    assert effect("games-legal") == pytest.approx(0.2) and effect("games-anchor") == pytest.approx(11 / 12)
    assert effect("games-free") == pytest.approx(-0.2)
    anchored = ("games-bonus", "games-no-entropy", "games-shared")
    assert [effect(id, **{"kuhn-anchor": better}) for id in anchored] == pytest.approx([0.3] * 3)
    assert effect("games-pool", **{"kuhn-pool": better}) == pytest.approx(0.25)
    assert effect("games-pool-last", **{"kuhn-pool": better}) == pytest.approx(0.3)
    assert effect("games-deal", **{"kuhn-deal": better}) == pytest.approx(0.3)
    assert effect("games-frozen", **{"kuhn-frozen": better}) == pytest.approx(-0.3)
    assert effect("games-frozen-wins", **{"kuhn-frozen": better}) == pytest.approx(0.1)


def test_runs_that_are_compared_play_as_many_games_and_differ_in_one_part():
    settings = {name: one.config for name, one in GAMES_EXPERIMENTS.items()}
    assert {one.deals * one.k for one in settings.values()} == {settings["kuhn-anchor"].deals}
    same = {"iterations", "seed", "deals", "k", "measure_every"}
    for name, beside, parts in (
        ("kuhn-pool", "kuhn-bonus", {"opponent", "pool_every"}),
        ("kuhn-prioritised", "kuhn-pool", {"draw"}),
        ("kuhn-frozen", "kuhn-bonus", {"opponent"}),
        ("kuhn-held", "kuhn-anchor", {"entropy_coef"}),
        ("kuhn-bonus", "kuhn-anchor", {"anchor_every", "kl_coef"}),
        ("kuhn-shared", "kuhn-anchor", {"advantage"}),
        ("kuhn-deal", "kuhn-anchor", {"advantage"}),
        ("kuhn-free", "kuhn-anchor", {"invalid_price"}),
        ("kuhn-anchor", "kuhn-latest", {"entropy_coef", "kl_coef", "anchor_every"}),
    ):
        one, other = ({**asdict(settings[run]), **asdict(settings[run])["learn"]} for run in (name, beside))
        assert {key for key in one if key not in same | {"learn"} and one[key] != other[key]} == parts, name


def _random(rng):
    weights = rng.random(TREE.starts[-1]) + 0.05
    return weights / np.add.reduceat(weights, TREE.starts[:-1])[TREE.owner]
