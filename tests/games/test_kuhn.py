"""Kuhn poker against the published constants, an independent tree walk, and (optionally) OpenSpiel."""

import itertools

import numpy as np
import pytest

from spkit.games import kuhn
from spkit.games.matrix import fictitious_play, latest_opponent, nash_conv
from spkit.run.errors import SpkitError
from tests.helpers import apart

RNG = np.random.default_rng(0)


def equilibrium(alpha: float) -> np.ndarray:
    """Kuhn's equilibria: bluff the lowest card with alpha, bet the highest with 3 alpha, call with the
    middle one with alpha + 1/3.
    """
    return np.array([alpha, 0, 3 * alpha, 0, alpha + 1 / 3, 1, 1 / 3, 0, 1, 0, 1 / 3, 1])


def test_published_constants():
    assert kuhn.policy_nash_conv(np.full(12, 0.5)) == pytest.approx(11 / 12)
    assert kuhn.policy_nash_conv(np.zeros(12)) == pytest.approx(2)


@pytest.mark.parametrize("alpha", [0, 0.2, 1 / 3])
def test_the_known_equilibria_have_nash_conv_0_and_the_value(alpha):
    assert kuhn.policy_nash_conv(equilibrium(alpha)) == pytest.approx(0, abs=1e-12)
    assert kuhn.expected_value(equilibrium(alpha)) == pytest.approx(kuhn.VALUE)


def walk(policy, cards, history=""):
    """Expected return to the first player by the textbook's recursion over histories of p(ass) and b(et)."""
    if history in ("pp", "bp", "pbp", "bb", "pbb"):
        higher = 1 if cards[0] > cards[1] else -1
        return {"pp": higher, "bp": 1, "pbp": -1, "bb": 2 * higher, "pbb": 2 * higher}[history]
    place = {"": cards[0], "pb": 3 + cards[0], "p": 6 + cards[1], "b": 9 + cards[1]}[history]
    return policy[place] * walk(policy, cards, history + "b") + (1 - policy[place]) * walk(policy, cards, history + "p")


def test_the_value_agrees_with_a_walk_down_the_tree_and_with_the_matrix():
    for policy in RNG.random((20, 12)):
        value = np.mean([walk(policy, deal) for deal in itertools.permutations(range(3), 2)])
        row, column = kuhn.mixed(policy)
        assert kuhn.expected_value(policy) == pytest.approx(value)
        assert row @ kuhn.payoff() @ column == pytest.approx(value)


def test_no_pair_of_pure_strategies_has_a_nash_conv_below_one_third():
    gain = kuhn.payoff().max(0)[None, :] - kuhn.payoff().min(1)[:, None]
    assert gain.min() == pytest.approx(1 / 3)


def test_latest_opponent_play_cycles_with_period_4_and_never_beats_one_third():
    pairs = list(latest_opponent(kuhn.payoff(), 40))
    moves = [(int(p.row.argmax()), int(p.column.argmax())) for p in pairs]
    found = [float(nash_conv(kuhn.payoff(), p.row, p.column)) for p in pairs]
    assert moves[4:36] == moves[8:40] and len(set(moves[8:])) == 4
    assert min(found) == pytest.approx(1 / 3)


def test_fictitious_play_reaches_the_known_values():
    found = [float(nash_conv(kuhn.payoff(), p.mean_row, p.mean_column)) for p in fictitious_play(kuhn.payoff(), 1000)]
    assert found[0] == pytest.approx(0.625)
    assert found[99] == pytest.approx(0.043, rel=0.1) and found[999] == pytest.approx(0.0135, rel=0.1)


def test_games_follow_the_rules_and_the_policy():
    policy = RNG.random((1, 12))
    won, taken, place = kuhn.play_hands(policy, RNG.random((1, 200_000, 4)))
    assert won.mean() == pytest.approx(float(kuhn.expected_value(policy)[0]), abs=4 * won.std() / 200_000**0.5)
    assert set(np.unique(won)) == {-2, -1, 1, 2}
    asked = place[0] >= 0
    assert (asked[:, 2] == ((taken[0, :, 0] == 0) & (taken[0, :, 1] == 1))).all()


def test_the_sampled_gradient_agrees_with_finite_differences():
    logits = RNG.normal(size=(1, 12))
    policy = 1 / (1 + np.exp(-logits))
    won, taken, place = kuhn.play_hands(policy, RNG.random((1, 400_000, 4)))
    sampled = kuhn.score_gradient(policy, taken, place, np.stack([won, -won], -1))[0]
    sign = np.repeat([1, -1], 6)  # each seat climbs its own return

    def value(shifted):
        return float(kuhn.expected_value(1 / (1 + np.exp(-shifted)))[0])

    exact = np.array([(value(logits + e) - value(logits - e)) / 2e-5 for e in 1e-5 * np.eye(12)]) * sign
    assert np.abs(sampled - exact).max() < 4 * 2 / 400_000**0.5  # returns are at most 2
    assert np.abs(exact).max() > 0.02


def test_the_average_of_the_policy_gradient_converges_and_the_last_iterate_does_not():
    *_, last = kuhn.policy_gradient(kuhn.LearnerConfig(rate=1.0), range(10), 1500)
    end = kuhn.policy_nash_conv(last.policy)
    mean = nash_conv(kuhn.payoff(), last.mean_row, last.mean_column)
    assert mean.max() < 0.1 and end.mean() > 0.15


def test_the_role_baseline_is_the_running_mean_read_before_its_update():
    config = kuhn.LearnerConfig(games=8, decay=0.5)
    first, second = kuhn.policy_gradient(config, [3], 2)
    draws = np.random.default_rng(3).random((2, 8, 4))[1:]
    won, taken, place = kuhn.play_hands(second.policy, draws)
    baseline = 0.5 * first.returns.mean()
    expected = kuhn.score_gradient(second.policy, taken, place, np.stack([won - baseline, -won + baseline], -1))
    assert second.gradient == pytest.approx(expected) and abs(baseline) > 0.01


def test_a_seed_does_not_depend_on_the_others():
    config = kuhn.LearnerConfig(games=8)
    *_, together = kuhn.policy_gradient(config, [4, 7], 20)
    *_, alone = kuhn.policy_gradient(config, [7], 20)
    assert apart(together.policy[1], alone.policy[0]) < 1e-12


def test_bad_input_is_refused():
    with pytest.raises(SpkitError, match="from 0 to 1"):
        kuhn.policy_nash_conv(np.full(12, 1.5))
    with pytest.raises(SpkitError, match="12 probabilities"):
        kuhn.expected_value(np.full(6, 0.5))
    with pytest.raises(SpkitError, match="games is 0"):
        kuhn.LearnerConfig(games=0)
    with pytest.raises(SpkitError, match="rate is -1"):
        kuhn.LearnerConfig(rate=-1)


@pytest.mark.peers
def test_openspiel_agrees():
    pyspiel = pytest.importorskip("pyspiel")
    policies = pytest.importorskip("open_spiel.python.policy")
    exploitability = pytest.importorskip("open_spiel.python.algorithms.exploitability")
    game = pyspiel.load_game("kuhn_poker")
    for ours in RNG.random((5, 12)):
        theirs = policies.TabularPolicy(game)
        for card, (history, offset) in itertools.product(range(3), {"": 0, "pb": 3, "p": 6, "b": 9}.items()):
            bet = ours[offset + card]
            theirs.action_probability_array[theirs.state_lookup[f"{card}{history}"]] = [1 - bet, bet]
        assert kuhn.policy_nash_conv(ours) == pytest.approx(exploitability.nash_conv(game, theirs))
