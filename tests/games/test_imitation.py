"""The exact table of self-play fine-tuning, against autograd on the losses that train a language model, brute force and closed forms."""

import numpy as np
import pytest
import torch

from spkit.errors import SpkitError
from spkit.games.imitation import (
    Game,
    best_response,
    best_reward,
    cosine,
    descend,
    distance_after,
    distances,
    example,
    gradient,
    greedy,
    kl,
    log_softmax,
    play,
    sft_gradient,
)
from spkit.losses import KINDS, spin_loss

P, START = example()


def expected_loss(game: Game, logits: torch.Tensor) -> torch.Tensor:
    """The same loss by `spkit.losses`, one call for every pair of outcomes, weighted by its probability."""
    log_policy, log_q = torch.log_softmax(logits, 0), torch.tensor(game.log_q)
    total = torch.zeros((), dtype=torch.float64)
    for i, p in enumerate(game.p):
        for j, q in enumerate(game.q):
            rows = [tensor.reshape(1) for tensor in (log_policy[i], log_policy[j], log_q[i], log_q[j])]
            initial = log_policy[:1] if game.kind == "tspin" and game.tau else None
            total = total + p * q * spin_loss(*rows, beta=game.beta, tau=game.tau, kind=game.kind, policy_initial=initial)[0]
    return total


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("generated", [None, greedy(START)])
def test_gradients_are_those_of_the_losses_that_train_language_models(kind, generated):
    game = Game(kind, P, START, beta=0.7, tau=0.0 if kind == "tspin" else 0.6, generated=generated)
    logits = torch.tensor(START + np.linspace(-1, 1, len(P)), requires_grad=True)
    expected_loss(game, logits).backward()
    assert np.allclose(gradient(game, log_softmax(logits.detach().numpy())), logits.grad.numpy(), atol=1e-12)


@pytest.mark.parametrize("kind", ["logistic", "exponential", "ipo"])
@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_closed_forms_are_minima(kind, beta):
    game = Game(kind, P, START, beta=beta)
    best = best_response(game)
    assert np.abs(gradient(game, best)).max() < 1e-10
    value = expected_loss(game, torch.tensor(best))
    rng = np.random.default_rng(0)
    assert all(expected_loss(game, torch.tensor(best + 0.1 * rng.normal(size=len(P)))) > value for _ in range(20))


def test_theorem_5_4_is_reached_by_gradient_descent():
    rng = np.random.default_rng(1)
    p, log_q = rng.dirichlet(np.full(6, 3.0)), log_softmax(0.5 * rng.normal(size=6))
    game = Game("logistic", p, log_q, beta=2.0)
    assert np.abs(np.exp(descend(game, 20_000, 1.0)) - np.exp(best_response(game))).max() < 1e-6


def test_spin_converges_above_one_half_only():
    final = {beta: distances("logistic", P, START, 60, beta) for beta in (0.4, 0.5, 0.6, 1.0, 2.0, 5.0)}
    assert final[0.4][-1] > 1e3 > 10 > final[0.4][0]
    assert final[0.5][-1] == pytest.approx(final[0.5][-3]) and final[0.5][-1] != pytest.approx(final[0.5][-2])
    assert final[0.5][2] == pytest.approx(final[0.5][0])  # a cycle of two
    assert final[1.0][1] == pytest.approx(0, abs=1e-12)
    assert all(final[beta][-1] < 1e-3 for beta in (0.6, 2.0, 5.0))


@pytest.mark.parametrize("beta", [0.3, 0.5, 0.8, 1.0, 3.0])
def test_the_log_ratio_to_the_data_shrinks_by_one_minus_one_over_beta(beta):
    centred = lambda log_policy: (d := log_policy - np.log(P)) - d.mean()  # noqa: E731
    before, after = START, best_response(Game("logistic", P, START, beta))
    assert np.allclose(centred(after), (1 - 1 / beta) * centred(before))


@pytest.mark.parametrize(("kind", "threshold"), [("chi2", 0.25), ("ipo", 0.25), ("exponential", 0.25)])
def test_other_thresholds(kind, threshold):
    below, above = (distances(kind, P, START, 400, threshold + step)[-1] for step in (-0.02, 0.02))
    assert above < 1e-4 < 0.01 < below
    if kind != "exponential":
        assert max(distances(kind, P, START, 400, 0.1)) < 10  # it oscillates, and stays bounded


def test_thresholds_scale_with_tau():
    assert distances("chi2", P, START, 400, 0.1, tau=0.25)[-1] < 1e-6 < 0.1 < distances("chi2", P, START, 400, 0.1, tau=1.0)[-1]


def test_early_stopping_rescues_a_beta_of_a_tenth():
    final = [distance_after("logistic", P, START, steps, rate=10.0) for steps in (1, 10, 300)]
    assert final[1] < 0.1 < 0.5 < final[0] < final[2]
    bounded = [distance_after("chi2", P, START, steps, rate=10.0) for steps in (1, 3, 300, 3000)]
    assert min(bounded) == bounded[1] < 0.05 and max(bounded) < 1.0


def test_rewards_of_outcomes_that_the_data_lacks():
    p = P.copy()
    p[:2] = 0
    p /= p.sum()
    chi2 = best_reward(Game("chi2", p, START, tau=0.8))
    assert chi2[:2] == pytest.approx([-0.8, -0.8]) and np.abs(chi2).max() <= 0.8
    assert np.isneginf(best_reward(Game("logistic", p, START))[:2]).all()
    with pytest.raises(SpkitError, match="an outcome is missing from the data"):
        best_response(Game("logistic", p, START))
    assert np.isfinite(best_response(Game("chi2", p, START))).all()
    lower = [descend(Game("logistic", p, START), steps, 1.0)[0] for steps in (100, 1000, 10_000)]
    assert lower[0] > lower[1] > lower[2]


@pytest.mark.parametrize(("kind", "factor"), [("logistic", 0.5), ("exponential", 1.0), ("hinge", 1.0), ("ipo", 1.2), ("chi2", 1.2), ("nce", 0.5)])
def test_the_first_gradient_is_a_multiple_of_that_of_sft(kind, factor):
    """beta / 2 for SPIN and NCE, 2 tau beta for the squared losses (tau is 0.6)."""
    game = Game(kind, P, START, beta=0.3, tau=0.6)
    assert np.allclose(gradient(game, START), 0.3 * factor * sft_gradient(P, START))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "tspin"])
def test_the_data_is_a_fixed_point_for_sampled_replies_and_not_for_greedy_ones(kind):
    at_data = np.log(P)
    assert np.abs(gradient(Game(kind, P, at_data), at_data)).max() < 1e-12
    assert np.linalg.norm(gradient(Game(kind, P, at_data, generated=greedy(at_data)), at_data)) > 0.05
    sampled, drawn = gradient(Game(kind, P, START), START), gradient(Game(kind, P, START, generated=greedy(START)), START)
    assert cosine(sampled, sft_gradient(P, START)) == pytest.approx(1) and cosine(drawn, sft_gradient(P, START)) < 0.99999


def test_the_fixed_point_of_t_spin_is_not_the_data():
    at_data = np.log(P)
    push = gradient(Game("tspin", P, at_data, tau=0.0), at_data)
    assert np.linalg.norm(push) > 0.05 and np.argmax(push) == np.argmax(P)  # towards the uniform distribution
    uniform = np.full(6, -np.log(6))
    assert np.linalg.norm(gradient(Game("tspin", np.exp(uniform), uniform, tau=0.0), uniform)) < 1e-12


def test_kl_and_the_example():
    assert kl(P, START) == pytest.approx(4.0) and kl(P, np.log(P)) == 0
    assert np.exp(START).sum() == pytest.approx(1) and P.sum() == pytest.approx(1)
    assert kl(np.array([1.0, 0.0]), np.log([0.5, 0.5])) == pytest.approx(np.log(2))
    assert len(list(play(lambda q: q, START, 3))) == 4


def test_bad_settings_are_refused():
    with pytest.raises(SpkitError, match="unknown kind of loss 'gan'"):
        Game("gan", P, START)
    with pytest.raises(SpkitError, match="beta must be positive"):
        Game("logistic", P, START, beta=0.0)
    with pytest.raises(SpkitError, match="no closed form"):
        best_response(Game("nce", P, START))
