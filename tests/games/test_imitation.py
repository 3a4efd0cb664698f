"""The exact table of self-play fine-tuning, against autograd on the losses that train a language model,
brute force and closed forms.
"""

import itertools

import numpy as np
import pytest
import torch

from spkit.games.imitation import (
    ImitationGame,
    best_response,
    best_reward,
    cosine,
    descend,
    distance_after,
    distances,
    example,
    expected_loss,
    gradient,
    greedy,
    minimise,
    play,
    sft_gradient,
    sft_steps,
)
from spkit.games.vectors import kl, log_softmax
from spkit.maths.preference import LOSSES, spin_loss
from spkit.run.errors import SpkitError

P, START = example()


def torch_loss(game: ImitationGame, logits: torch.Tensor) -> torch.Tensor:
    """The same loss by `spkit.maths.preference`: one row for every real, generated and initial outcome,
    weighted by its probability.
    """
    log_policy, log_q = torch.log_softmax(logits, 0), torch.tensor(game.log_q)
    total = torch.zeros((), dtype=torch.float64)
    initial = game.initial if game.initial is not None else np.eye(len(game.p))[0]
    for (i, p), (j, q), (k, share) in itertools.product(enumerate(game.p), enumerate(game.q), enumerate(initial)):
        if share:
            rows = [tensor.reshape(1) for tensor in (log_policy[i], log_policy[j], log_q[i], log_q[j])]
            loss, _ = spin_loss(
                *rows, beta=game.beta, tau=game.tau, kind=game.kind, policy_initial=log_policy[k : k + 1]
            )
            total = total + p * q * share * loss
    return total


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("generated", [None, greedy(START)])
def test_losses_and_gradients_are_those_that_train_language_models(kind, generated):
    game = ImitationGame(
        kind, P, START, beta=0.7, tau=0.6, generated=generated, initial=P[::-1].copy() if kind == "tspin" else None
    )
    logits = torch.tensor(START + np.linspace(-1, 1, len(P)), requires_grad=True)
    value, log_policy = torch_loss(game, logits), log_softmax(logits.detach().numpy())
    value.backward()
    assert expected_loss(game, log_policy) == pytest.approx(value.item(), rel=1e-12)
    assert np.allclose(gradient(game, log_policy), logits.grad.numpy(), atol=1e-12)


def test_t_spin_without_its_second_term():
    game = ImitationGame("tspin", P, START, beta=0.7, tau=0.0)
    logits = torch.tensor(START + np.linspace(-1, 1, len(P)), requires_grad=True)
    torch_loss(game, logits).backward()
    assert np.allclose(gradient(game, log_softmax(logits.detach().numpy())), logits.grad.numpy(), atol=1e-12)


@pytest.mark.parametrize("kind", ["logistic", "exponential", "ipo"])
@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_closed_forms_are_minima(kind, beta):
    game = ImitationGame(kind, P, START, beta=beta)
    best = best_response(game)
    assert np.abs(gradient(game, best)).max() < 1e-10
    value = torch_loss(game, torch.tensor(best))
    rng = np.random.default_rng(0)
    assert all(torch_loss(game, torch.tensor(best + 0.1 * rng.normal(size=len(P)))) > value for _ in range(20))


def test_theorem_5_4_is_reached_by_gradient_descent():
    rng = np.random.default_rng(1)
    p, log_q = rng.dirichlet(np.full(6, 3.0)), log_softmax(0.5 * rng.normal(size=6))
    game = ImitationGame("logistic", p, log_q, beta=2.0)
    assert np.abs(np.exp(descend(game, 20_000, 1.0)) - np.exp(best_response(game))).max() < 1e-6


@pytest.mark.parametrize("kind", ["logistic", "exponential", "ipo"])
@pytest.mark.parametrize("beta", [0.1, 0.5, 1.0, 2.0])
def test_newton_steps_find_the_closed_forms(kind, beta):
    game = ImitationGame(kind, P, START, beta=beta)
    assert np.abs(minimise(game) - best_response(game)).max() < 1e-5  # of the log-probabilities


@pytest.mark.parametrize("kind", ["chi2", "nce", "tspin"])
@pytest.mark.parametrize("beta", [0.3, 1.0, 3.0])
def test_newton_steps_find_what_brute_force_finds(kind, beta):
    game = ImitationGame(kind, P, START, beta=beta, initial=np.exp(START) if kind == "tspin" else None)
    best, rng = minimise(game), np.random.default_rng(0)
    value = expected_loss(game, best)
    starts = [log_softmax(scale * rng.normal(size=len(P))) for scale in np.geomspace(0.1, 5, 40)]
    assert min(expected_loss(game, start) for start in starts) > value
    logits = torch.tensor(START, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [logits], max_iter=300, tolerance_grad=1e-12, tolerance_change=1e-15, line_search_fn="strong_wolfe"
    )

    def closure():
        optimizer.zero_grad()
        r = beta * (torch.log_softmax(logits, 0) - (0.0 if kind == "tspin" else torch.tensor(START)))
        if kind == "tspin":
            soft = torch.nn.functional.softplus(r[None, :] - r[:, None])
            loss = (torch.tensor(np.outer(P, game.q) + np.outer(game.q, game.initial)) * soft).sum()
        elif kind == "nce":
            loss = (
                torch.tensor(P) * torch.nn.functional.softplus(-r)
                + torch.tensor(game.q) * torch.nn.functional.softplus(r)
            ).sum()
        else:
            loss = (torch.tensor(P) * (r - 1) ** 2 + torch.tensor(game.q) * (r + 1) ** 2).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    found = closure().item()
    assert found > value * (1 - 1e-7)
    if (
        kind == "tspin"
    ):  # pairwise, so convex: one minimum; pointwise losses have several, and L-BFGS may end in another one
        assert found == pytest.approx(value, rel=1e-7)


def test_nce_recovers_the_data_in_one_step_at_beta_1_only():
    """At beta = 1 the free reward log(p / q) obeys E_q exp(r) = 1, which the rewards of a policy must.

    At no other beta.
    """
    assert kl(P, minimise(ImitationGame("nce", P, START))) < 1e-9
    assert all(kl(P, minimise(ImitationGame("nce", P, START, beta=beta))) > 0.01 for beta in (0.5, 2.0))


def test_the_exact_minimum_of_chi2_is_near_its_two_steps_close_to_the_data_and_not_far_from_it():
    near = log_softmax(np.log(P) + 0.01 * np.linspace(-1, 1, len(P)))
    gap = {
        name: np.abs(minimise(g := ImitationGame("chi2", P, q)) - best_response(g)).max()
        for name, q in (("near", near), ("far", START))
    }
    assert gap["near"] < 1e-4 and gap["far"] > 0.1


def test_a_policy_that_diverges_is_never_nan():
    for kind, beta in (("logistic", 0.1), ("exponential", 0.1), ("chi2", 0.01), ("ipo", 0.01)):
        assert not np.isnan(distances(kind, P, START, 500, beta)).any()
    assert distances("logistic", P, START, 500, 0.1)[-1] > 1e200
    assert all(
        not np.isnan(distance_after(kind, P, START, 300, beta=3.0, rate=50.0)) for kind in LOSSES if kind != "tspin"
    )


def test_spin_converges_above_one_half_only():
    final = {beta: distances("logistic", P, START, 60, beta) for beta in (0.4, 0.5, 0.6, 1.0, 2.0, 5.0)}
    assert final[0.4][-1] > 1e3 > 10 > final[0.4][0]
    assert final[0.5][-1] == pytest.approx(final[0.5][-3]) and final[0.5][-1] != pytest.approx(final[0.5][-2])
    assert final[0.5][2] == pytest.approx(final[0.5][0])  # a cycle of two
    assert final[1.0][1] == pytest.approx(0, abs=1e-12)
    assert all(final[beta][-1] < 1e-3 for beta in (0.6, 2.0, 5.0))


@pytest.mark.parametrize("beta", [0.3, 0.5, 0.8, 1.0, 3.0])
def test_the_log_ratio_to_the_data_shrinks_by_one_minus_one_over_beta(beta):
    centred = lambda log_policy: (d := log_policy - np.log(P)) - d.mean()
    before, after = START, best_response(ImitationGame("logistic", P, START, beta))
    assert np.allclose(centred(after), (1 - 1 / beta) * centred(before))


@pytest.mark.parametrize(("kind", "threshold"), [("chi2", 0.25), ("ipo", 0.25), ("exponential", 0.25)])
def test_other_thresholds(kind, threshold):
    below, above = (distances(kind, P, START, 400, threshold + step)[-1] for step in (-0.02, 0.02))
    assert above < 1e-4 < 0.01 < below
    if kind != "exponential":
        assert max(distances(kind, P, START, 400, 0.1)) < 10  # it oscillates, and stays bounded


def test_thresholds_scale_with_tau():
    assert (
        distances("chi2", P, START, 400, 0.1, tau=0.25)[-1]
        < 1e-6
        < 0.1
        < distances("chi2", P, START, 400, 0.1, tau=1.0)[-1]
    )


def test_early_stopping_rescues_a_beta_of_a_tenth():
    final = [distance_after("logistic", P, START, steps, rate=10.0) for steps in (1, 10, 300)]
    assert final[1] < 0.1 < 0.5 < final[0] < final[2]
    bounded = [distance_after("chi2", P, START, steps, rate=10.0) for steps in (1, 3, 300, 3000)]
    assert min(bounded) == bounded[1] < 0.05 and max(bounded) < 1.0


def test_rewards_of_outcomes_that_the_data_lacks():
    p = P.copy()
    p[:2] = 0
    p /= p.sum()
    chi2 = best_reward(ImitationGame("chi2", p, START, tau=0.8))
    assert chi2[:2] == pytest.approx([-0.8, -0.8]) and np.abs(chi2).max() <= 0.8
    assert np.isneginf(best_reward(ImitationGame("logistic", p, START))[:2]).all()
    for find in (best_response, minimise):
        with pytest.raises(SpkitError, match="an outcome is missing from the data"):
            find(ImitationGame("logistic", p, START))
    assert np.isfinite(best_response(ImitationGame("chi2", p, START))).all()
    lower = [descend(ImitationGame("logistic", p, START), steps, 1.0)[0] for steps in (100, 1000, 10_000)]
    assert lower[0] > lower[1] > lower[2]


@pytest.mark.parametrize(
    ("kind", "factor"),
    [("logistic", 0.5), ("exponential", 1.0), ("hinge", 1.0), ("ipo", 1.2), ("chi2", 1.2), ("nce", 0.5)],
)
def test_the_first_gradient_is_a_multiple_of_that_of_sft(kind, factor):
    """beta / 2 for SPIN and NCE, 2 tau beta for the squared losses (tau is 0.6)."""
    game = ImitationGame(kind, P, START, beta=0.3, tau=0.6)
    assert np.allclose(gradient(game, START), 0.3 * factor * sft_gradient(P, START))
    assert sft_steps(kind, 0.3, 0.6) == pytest.approx(0.3 * factor)


@pytest.mark.parametrize("kind", [kind for kind in LOSSES if kind != "tspin"])
def test_the_data_is_a_fixed_point_for_sampled_replies_and_not_for_greedy_ones(kind):
    at_data = np.log(P)
    assert np.abs(gradient(ImitationGame(kind, P, at_data), at_data)).max() < 1e-12
    assert np.linalg.norm(gradient(ImitationGame(kind, P, at_data, generated=greedy(at_data)), at_data)) > 0.05
    sampled, drawn = (
        gradient(ImitationGame(kind, P, START), START),
        gradient(ImitationGame(kind, P, START, generated=greedy(START)), START),
    )
    assert (
        cosine(sampled, sft_gradient(P, START)) == pytest.approx(1) and cosine(drawn, sft_gradient(P, START)) < 0.99999
    )


def test_the_fixed_point_of_t_spin_is_not_the_data():
    at_data = np.log(P)
    push = gradient(ImitationGame("tspin", P, at_data, tau=0.0), at_data)
    assert np.linalg.norm(push) > 0.05 and np.argmax(push) == np.argmax(P)  # towards the uniform distribution
    uniform = np.full(6, -np.log(6))
    assert np.linalg.norm(gradient(ImitationGame("tspin", np.exp(uniform), uniform, tau=0.0), uniform)) < 1e-12


def test_t_spin_ends_at_the_data_to_the_power_of_one_over_one_plus_beta():
    for beta, iterations, learn in ((2.0, 40, minimise), (1.0, 300, lambda game: descend(game, 10, 1.0))):
        tempered = log_softmax(np.log(P) / (1 + beta))
        *_, last = play(lambda q: learn(ImitationGame("tspin", P, q, beta=beta, tau=0.0)), START, iterations)
        assert np.allclose(np.exp(last), np.exp(tempered), atol=1e-4)
        assert np.abs(gradient(ImitationGame("tspin", P, tempered, beta=beta, tau=0.0), tempered)).max() < 1e-12


def lowest(game: ImitationGame) -> np.ndarray:
    """The best minimum from the opponent, and from the opponent with each outcome in turn made the likeliest."""
    starts = [
        game.log_q,
        *(log_softmax(np.where(np.arange(len(game.p)) == i, 0.0, game.log_q - 1)) for i in range(len(game.p))),
    ]
    return min((minimise(game, start) for start in starts), key=lambda policy: expected_loss(game, policy))


@pytest.mark.parametrize("seed", range(5))
def test_the_lowest_pointwise_square_gives_the_surplus_to_what_neither_side_draws(seed):
    """The rewards of a policy obey E_q exp(r / beta) = 1: lowering the opponent's favourite raises whatever costs
    least.

    The two outcomes that the opponent draws least are missing from the data here. Neither the two-step form nor the
    pairwise square gives them anything.
    """
    p, start = example(seed=seed)
    rare = np.argsort(start)[:2]
    few = np.where(np.isin(np.arange(6), rare), 0.0, p) / np.delete(p, rare).sum()
    drawn = {
        "chi2": lowest(ImitationGame("chi2", few, start)),
        "ipo": minimise(ImitationGame("ipo", few, start)),
        "two steps": best_response(ImitationGame("chi2", few, start)),
    }
    mass = {name: np.exp(policy)[rare].sum() for name, policy in drawn.items()}
    assert np.exp(start)[rare].sum() < 0.002 and mass["chi2"] > 0.2 and max(mass["ipo"], mass["two steps"]) < 0.002


def test_kl_and_the_example():
    assert kl(P, START) == pytest.approx(4.0) and kl(P, np.log(P)) == 0
    assert np.exp(START).sum() == pytest.approx(1) and P.sum() == pytest.approx(1)
    assert kl(np.array([1.0, 0.0]), np.log([0.5, 0.5])) == pytest.approx(np.log(2))
    assert len(list(play(lambda q: q, START, 3))) == 4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ImitationGame("gan", P, START), "unknown kind of loss 'gan'"),
        (lambda: ImitationGame("logistic", P, START, beta=0.0), "beta must be positive"),
        (lambda: ImitationGame("chi2", P, START, tau=0.0), "0 for tspin alone"),
        (lambda: ImitationGame("chi2", P, START, tau=np.nan), "tau not negative"),
        (lambda: ImitationGame("tspin", P, START), "needs `initial`"),
        (lambda: ImitationGame("chi2", P, START[:3]), "one entry an outcome"),
        (lambda: best_response(ImitationGame("nce", P, START)), "no closed form"),
        (lambda: best_reward(ImitationGame("hinge", P, START)), "has no formula"),
        (lambda: best_response(ImitationGame("chi2", P, START, generated=P)), "not the opponent's own"),
        (lambda: minimise(ImitationGame("hinge", P, START)), "hinge has kinks"),
        (
            lambda: minimise(ImitationGame("nce", P, START, generated=greedy(START))),
            "missing from the data or the replies",
        ),
        (lambda: minimise(ImitationGame("nce", P, START), rounds=1), "found in 1 Newton steps"),
        (lambda: sft_steps("tspin", 1.0), "no multiple of a step of SFT"),
    ],
)
def test_bad_settings_are_refused(call, message):
    with pytest.raises(SpkitError, match=message):
        call()


@pytest.mark.parametrize(("beta", "k"), [(1.0, 1.0), (0.5, 0.5), (0.1, 0.9)])
def test_a_kl_penalty_to_the_base_is_a_geometric_mixture_in_the_loss(beta, k):
    """alpha-SPIN. The policy that minimises the loss with opponent^(1 - w) base^w, w = k / (beta + k), and beta + k
    solves the penalised problem max E r - beta KL(. || q) - k KL(. || base) for the best reward r = log(p / q): no
    policy nearby does better, and no other of 2,000 anywhere.
    """
    p, base = example(distance=0.5)
    q = log_softmax(0.7 * base + 0.1 * np.arange(6))
    mixed = log_softmax((beta * q + k * base) / (beta + k))
    found = minimise(ImitationGame("logistic", p, mixed, beta + k, generated=np.exp(q)))
    formula = log_softmax(mixed + (np.log(p) - q) / (beta + k))
    assert np.abs(np.exp(found) - np.exp(formula)).max() < 1e-6
    gain = lambda policy: np.exp(policy) @ (np.log(p) - q - beta * (policy - q) - k * (policy - base))
    rng = np.random.default_rng(0)
    others = [
        log_softmax(size * rng.normal(size=6) + near)
        for near in (found, 0 * found)
        for size in (0.01, 1.0)
        for _ in range(500)
    ]
    assert all(gain(found) > gain(other) for other in others)


@pytest.mark.parametrize("k", [0.0, 0.5, 0.9])
def test_a_kl_penalty_lowers_the_threshold_and_moves_the_resting_place(k):
    """d' = ((beta - 1) d + k b) / (beta + k), of logs of ratios to the data: stable for beta > (1 - k) / 2, at rest in
    p^(1 / (1 + k)) base^(k / (1 + k)).
    """
    p, base = example()
    respond = lambda beta: lambda q: log_softmax((beta * q + k * base + np.log(p) - q) / (beta + k))
    rest = log_softmax((np.log(p) + k * base) / (1 + k))
    *_, stable = play(respond((1 - k) / 2 + 0.1), base, 400)
    *_, unstable = play(respond((1 - k) / 2 - 0.02), base, 400)
    assert np.abs(np.exp(stable) - np.exp(rest)).max() < 1e-6
    assert not np.abs(np.exp(unstable) - np.exp(rest)).max() < 0.1
