"""Matrix games against closed forms and known equilibria."""

import numpy as np
import pytest

from spkit.games.matrix import ROCK_PAPER_SCISSORS, fictitious_play, latest_opponent, multiplicative_weights, nash_conv
from spkit.run.errors import SpkitError

UNIFORM = np.full(3, 1 / 3)
START = np.array([0.4, 0.3, 0.3]), np.array([0.3, 0.4, 0.3])


def test_nash_conv_of_known_pairs():
    rock = np.array([1.0, 0, 0])
    assert nash_conv(ROCK_PAPER_SCISSORS, UNIFORM, UNIFORM) == pytest.approx(0, abs=1e-12)
    assert nash_conv(ROCK_PAPER_SCISSORS, rock, rock) == pytest.approx(2)
    assert nash_conv(ROCK_PAPER_SCISSORS, rock, UNIFORM) == pytest.approx(1)


def test_nash_conv_vanishes_at_a_mixed_equilibrium_of_a_game_that_is_not_square():
    # The third column is never worth playing; without it, making the other indifferent gives 7 y - 3 = 3 - 6 y for
    # both.
    payoff = np.array([[4.0, -3, 9], [-3, 3, 9]])
    row, column = np.array([6 / 13, 7 / 13]), np.array([6 / 13, 7 / 13, 0])
    assert nash_conv(payoff, row, column) == pytest.approx(0, abs=1e-12)
    assert nash_conv(payoff, row, np.array([0, 0, 1.0])) > 8


def test_nash_conv_takes_leading_axes():
    rows = np.stack([UNIFORM, np.eye(3)[0]])
    assert nash_conv(ROCK_PAPER_SCISSORS, rows, rows) == pytest.approx([0, 2])


def test_multiplicative_weights_spiral_out_while_the_average_converges():
    pairs = list(multiplicative_weights(ROCK_PAPER_SCISSORS, *START, rate=0.2, iterations=5000))
    last = [float(nash_conv(ROCK_PAPER_SCISSORS, p.row, p.column)) for p in pairs]
    mean = [float(nash_conv(ROCK_PAPER_SCISSORS, p.mean_row, p.mean_column)) for p in pairs]
    assert last[0] < 0.25 and max(last[-50:]) > 1.99
    assert mean[99] < 0.1 and mean[-1] < 0.03


def test_multiplicative_weights_keep_the_regret_bound():
    uniform = np.full(3, 1 / 3)
    payoff = np.array([[0.0, -1, 0.5], [1, 0, -1], [-1, 1, 0]])
    rate = 0.1
    for t, pair in enumerate(multiplicative_weights(payoff, uniform, uniform, rate, 400), 1):
        assert nash_conv(payoff, pair.mean_row, pair.mean_column) <= 2 * (np.log(3) / (rate * t) + rate / 2) + 1e-9


def test_latest_opponent_cycles_through_rock_paper_scissors():
    rows = [int(p.row.argmax()) for p in latest_opponent(ROCK_PAPER_SCISSORS, 9)]
    assert rows == [0, 1, 2] * 3


def test_fictitious_play_finds_a_saddle_point():
    payoff = np.array([[3.0, 1], [2, 0]])  # the first row and the second column dominate
    *_, last = fictitious_play(payoff, 200)
    assert nash_conv(payoff, last.mean_row, last.mean_column) < 0.02
    assert (last.row.argmax(), last.column.argmax()) == (0, 1)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_payoff_that_is_not_finite_is_refused(bad):
    payoff = ROCK_PAPER_SCISSORS.copy()
    payoff[1, 2] = bad
    for call in (
        lambda: nash_conv(payoff, UNIFORM, UNIFORM),
        lambda: next(fictitious_play(payoff, 3)),
        lambda: next(latest_opponent(payoff, 3)),
    ):
        with pytest.raises(SpkitError, match="not finite"):
            call()


@pytest.mark.parametrize("bad", [[0.5, 0.5, 0.5], [1.2, -0.2, 0], [np.nan, 0.5, 0.5]])
def test_a_strategy_that_is_no_distribution_is_refused(bad):
    with pytest.raises(SpkitError, match="sum to 1"):
        nash_conv(ROCK_PAPER_SCISSORS, np.array(bad), UNIFORM)


def test_other_bad_input_is_refused():
    with pytest.raises(SpkitError, match="does not fit"):
        nash_conv(ROCK_PAPER_SCISSORS, np.array([0.5, 0.5]), UNIFORM)
    with pytest.raises(SpkitError, match="rows and columns"):
        nash_conv(np.zeros(3), UNIFORM, UNIFORM)
    with pytest.raises(SpkitError, match="at least 1"):
        next(fictitious_play(ROCK_PAPER_SCISSORS, 0))
    with pytest.raises(SpkitError, match="rate is -0.1"):
        next(multiplicative_weights(ROCK_PAPER_SCISSORS, UNIFORM, UNIFORM, -0.1, 5))
    with pytest.raises(SpkitError, match="stays there"):
        next(multiplicative_weights(ROCK_PAPER_SCISSORS, np.eye(3)[0], UNIFORM, 0.1, 5))
