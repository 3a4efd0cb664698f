"""The whole loop: what it does over ten seeds, that it is a function of its seeds, and how fast it is."""

import time
from dataclasses import replace

import numpy as np
import pytest

from spkit.games.columns import Verifier
from spkit.games.self_play import Config, draw, one_round, play, start
from spkit.games.summary import mean_and_range, show
from spkit.run.errors import SpkitError
from tests.helpers import apart

SEEDS = range(10)


def final_accuracy(config: Config, iterations: int = 300) -> np.ndarray:
    """(seeds, lengths) after the last iteration."""
    *_, last = play(start(config, SEEDS), iterations, iterations)
    return last.accuracy


def test_an_adaptive_proposer_teaches_every_length():
    assert final_accuracy(Config()).min() > 0.95


def test_only_short_problems_teach_short_problems():
    found = final_accuracy(Config(proposer="easy")).mean(0)
    assert found[[0, 1, 3, 7]] == pytest.approx([1.0, 0.5725, 0.18, 0.02], abs=0.02)


def test_only_long_problems_teach_nothing():
    assert final_accuracy(Config(proposer="hard")).mean(0)[:2] == pytest.approx([0.05, 0.005], abs=0.002)


def test_a_frozen_proposer_learns_less_than_an_adaptive_one_and_more_than_a_fixed_one():
    frozen, adaptive, easy = (final_accuracy(Config(proposer=p)).mean(1) for p in ("frozen", "adaptive", "easy"))
    assert easy.max() < frozen.min() < frozen.max() < adaptive.min()


def test_a_verifier_that_flips_three_verdicts_in_ten_stops_the_loop():
    assert final_accuracy(Config(flip_rate=0.3)).mean(1).max() < 0.3


def test_the_shuffled_control_learns_nothing():
    assert final_accuracy(Config(shuffled=True)).mean(1).max() < 0.02  # a blank table has 0.007


def test_a_proposer_paid_a_constant_proposes_what_a_frozen_one_does():
    paid, frozen = (
        list(play(start(Config(**knob), [0]), 20, 20))[-1]
        for knob in ({"proposer_reward": "constant"}, {"proposer": "frozen"})
    )
    assert (paid.proposals == frozen.proposals).all() and (paid.accuracy == frozen.accuracy).all()


def test_a_seed_does_not_depend_on_the_others_and_a_continued_game_is_the_same_game():
    config = Config(problems=4)
    whole = list(play(start(config, [0, 5]), 12, 4))
    alone = list(play(start(config, [5]), 12, 4))
    half = list(play(start(config, [0, 5]), 8, 4))[-1]
    rest = list(play(half.game, 4, 4))[-1]
    assert [r.iteration for r in whole] == [0, 4, 8, 12] and rest.iteration == 12
    assert all(apart(w.accuracy[1], a.accuracy[0]) < 1e-12 for w, a in zip(whole, alone, strict=True))
    assert (rest.accuracy == whole[-1].accuracy).all() and (rest.proposals == whole[-1].proposals).all()
    assert (whole[-1].accuracy[0] != whole[-1].accuracy[1]).any()


def test_playing_leaves_the_game_it_started_from_untouched():
    game = start(Config(problems=4), [0])
    first, again = (one_round(game)[0].solver.logits for _ in range(2))
    assert (first == again).all() and not game.solver.logits.any()


def test_draws_are_new_at_every_iteration_and_the_same_under_every_knob():
    game = start(Config(problems=4), [0])
    noisy = start(Config(problems=4, flip_rate=0.3, proposer="uniform"), [0])
    assert (draw(game).columns == draw(noisy).columns).all() and (draw(game).a == draw(noisy).a).all()
    assert (draw(game).columns != draw(replace(game, iteration=1)).columns).any()


def test_a_role_can_be_swapped_in_the_middle():
    game = list(play(start(Config(proposer="easy", flip_rate=0.4), [0]), 5, 5))[-1].game
    mended = replace(game, verifier=Verifier(0.0), proposer=replace(game.proposer, kind="adaptive"))
    after = list(play(mended, 5, 5))[-1].game
    assert (
        after.verifier.flip_rate == 0
        and (after.proposer.logits != game.proposer.logits).any()
        and after.iteration == 10
    )


def test_a_certain_solver_never_changes():
    game = list(play(start(Config(), [0]), 60, 60))[-1].game
    certain = replace(game, solver=game.solver.certain())
    records = list(play(certain, 20, 20))
    assert records[0].learnability.max() == 0 and 0.2 < records[0].accuracy[0, 1] < 0.9
    assert (records[0].accuracy == records[-1].accuracy).all()


def test_forty_thousand_games_take_less_than_five_seconds():
    config = Config()
    rounds = 40_000 // (config.problems * config.group) + 1
    game, began = start(config, [0]), time.process_time()
    for _ in range(rounds):
        game, _ = one_round(game)
    assert time.process_time() - began < 5


def test_the_range_of_ten_seeds_holds_their_median_as_often_as_stated():
    assert mean_and_range(np.arange(10.0)) == (4.5, 0, 9) and show(np.arange(10.0)) == "4.50 [0.00, 9.00]"
    draws = np.random.default_rng(0).exponential(size=(20_000, 6))
    held = np.mean([low < np.log(2) < high for _, low, high in map(mean_and_range, draws)])
    assert held == pytest.approx(1 - 2**-5, abs=4 * (2**-5 / 20_000) ** 0.5)
    with pytest.raises(SpkitError, match="at least 6 seeds"):
        mean_and_range(np.arange(5.0))


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"flip_rate": -0.1}, "flip_rate is -0.1"),
        ({"explore": 1.1}, "explore is 1.1"),
        ({"solver_rate": -5}, "solver's rate is -5"),
        ({"proposer_rate": float("inf")}, "proposer's rate is inf"),
        ({"max_length": 0}, "max_length is 0"),
        ({"problems": 0}, "problems is 0"),
        ({"group": 1}, "group is 1: choose a whole number of at least 2"),
        ({"lean": float("nan")}, "lean is nan"),
        ({"proposer": "clever"}, "no proposer 'clever'"),
        ({"proposer_reward": "r"}, "no reward 'r'"),
    ],
)
def test_bad_knobs_are_refused(knobs, message):
    with pytest.raises(SpkitError, match=message):
        start(Config(**knobs), [0])


def test_bad_runs_are_refused():
    for seeds in ([], [-1]):
        with pytest.raises(SpkitError, match="at least one seed"):
            start(Config(), seeds)
    with pytest.raises(SpkitError, match="iterations is 0"):
        next(play(start(Config(), [0]), 0))
    with pytest.raises(SpkitError, match="every is 0"):
        next(play(start(Config(), [0]), 5, 0))
