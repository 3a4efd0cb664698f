"""Policy-gradient losses: values by hand, gradients by finite differences, and the gradient of the
expected reward by enumeration.
"""

import itertools
import math

import pytest
import torch

from spkit.maths.advantages import dr_grpo, grpo, rloo
from spkit.maths.estimators import KL_ESTIMATES, kl_estimate
from spkit.maths.policy_gradient import AGGREGATIONS, PgLoss, Size, pg_loss
from spkit.run.errors import SpkitError

F64 = torch.float64
SUM = PgLoss(math.inf, math.inf, "constant")  # rows are averaged, tokens summed: the plain policy gradient


def batch(seed=0, rows=4, tokens=6):
    draw = torch.Generator().manual_seed(seed)
    new, old, reference = (-3 * torch.rand(rows, tokens, generator=draw, dtype=F64) for _ in range(3))
    mask = torch.arange(tokens) < torch.tensor([6, 1, 3, 5])[:rows, None]
    return {
        "logprobs": new,
        "old_logprobs": old,
        "advantages": torch.randn(rows, generator=draw, dtype=F64),
        "mask": mask,
        "reference_logprobs": reference,
        "entropy": torch.rand(rows, tokens, generator=draw, dtype=F64),
    }


def loss(settings, **changes):
    given = {**batch(), **changes}
    return pg_loss(*(given.pop(name) for name in ("logprobs", "old_logprobs", "advantages", "mask")), settings, **given)


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@pytest.mark.parametrize("kl", KL_ESTIMATES)
def test_value_by_hand(aggregation, kl):
    settings, b = PgLoss(0.2, 0.28, aggregation, 10, kl, 0.3, 0.07), batch()
    rows = []
    for r in range(4):
        terms = []
        for t in range(6):
            if b["mask"][r, t]:
                new, old, ref = (b[name][r, t].item() for name in ("logprobs", "old_logprobs", "reference_logprobs"))
                adv = b["advantages"][r].item()
                ratio = math.exp(new - old)
                held = min(max(ratio, 0.8), 1.28)
                d = new - ref
                term = {"k1": d, "k2": d * d / 2, "k3": math.exp(-d) - 1 + d}[kl]
                terms.append(-min(ratio * adv, held * adv) + 0.3 * term)
        rows.append(terms)
    count = sum(map(len, rows))
    expected = {
        "sequence": sum(sum(terms) / len(terms) for terms in rows) / 4,
        "token": sum(map(sum, rows)) / count,
        "constant": sum(map(sum, rows)) / (4 * 10),
    }[aggregation]
    entropy = b["entropy"][b["mask"]].mean().item()
    value, numbers = loss(settings)
    assert value.item() == pytest.approx(expected - 0.07 * entropy)
    assert numbers["entropy"] == pytest.approx(entropy) and all(
        isinstance(number, float) for number in numbers.values()
    )


def test_numbers_by_hand():
    ratios = torch.tensor([[1.5, 1.5, 0.5, 0.5, 1.0, 9.0]], dtype=F64)
    signs = torch.tensor([[1.0, -1, 1, -1, 1, 1]], dtype=F64)
    mask = torch.tensor([[1, 1, 1, 1, 1, 0]])
    value, numbers = pg_loss(ratios.log(), torch.zeros(1, 6, dtype=F64), signs, mask, PgLoss(0.2, 0.28))
    assert numbers == {
        "clip_share": 2 / 5,
        "ratio_max": 1.5,
    }  # 1.5 upwards and 0.5 downwards have gone far enough; the others come back
    assert value.item() == pytest.approx(-(1.28 - 1.5 + 0.5 - 0.8 + 1.0) / 5)


def test_there_is_no_gradient_where_the_ratio_has_moved_far_enough():
    ratios = torch.tensor([[1.5, 1.5, 0.5, 0.5]], dtype=F64)
    new = ratios.log().requires_grad_()
    pg_loss(new, torch.zeros(1, 4, dtype=F64), torch.tensor([[1.0, -1, 1, -1]], dtype=F64), torch.ones(1, 4), PgLoss())[
        0
    ].backward()
    assert new.grad.flatten().tolist() == pytest.approx([0, 1.5 / 4, -0.5 / 4, 0])


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_gradients_agree_with_finite_differences(aggregation):
    b = batch(1)
    new, entropy = b["logprobs"].requires_grad_(), b["entropy"].requires_grad_()
    settings = PgLoss(0.2, 0.28, aggregation, 7, "k3", 0.3, 0.1)
    assert torch.autograd.gradcheck(
        lambda n, e: loss(settings, **{**b, "logprobs": n, "entropy": e})[0], [new, entropy]
    )


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_what_stands_outside_the_mask_does_not_count(aggregation):
    settings, b = PgLoss(aggregation=aggregation, kl_coef=0.3, entropy_coef=0.1), batch()
    for rubbish in (0.0, -math.inf, math.nan, 1e30):
        changed = {
            name: torch.where(b["mask"], b[name], rubbish)
            for name in ("logprobs", "old_logprobs", "reference_logprobs", "entropy")
        }
        changed["logprobs"].requires_grad_()
        value, _ = loss(settings, **changed)
        value.backward()
        assert value.item() == loss(settings)[0].item()
        assert changed["logprobs"].grad.isfinite().all() and (changed["logprobs"].grad[~b["mask"]] == 0).all()


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_the_losses_of_parts_add_up_to_that_of_the_whole(aggregation):
    settings, b = PgLoss(aggregation=aggregation, length=9, kl_coef=0.3, entropy_coef=0.1), batch()
    size = Size(4, int(b["mask"].sum()))
    parts = [
        loss(settings, **{name: tensor[rows] for name, tensor in b.items()}, size=size)[0]
        for rows in (slice(0, 1), slice(1, 4))
    ]
    assert sum(parts).item() == pytest.approx(loss(settings)[0].item())


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_a_row_that_stands_for_several_is_as_good_as_they_are(aggregation):
    settings, counts = (
        PgLoss(aggregation=aggregation, length=9, kl_coef=0.3, entropy_coef=0.1),
        torch.tensor([3, 1, 2, 5]),
    )
    whole, told = loss(settings, **{name: tensor.repeat_interleave(counts, 0) for name, tensor in batch().items()})
    short, numbers = loss(settings, counts=counts)
    assert short.item() == pytest.approx(whole.item()) and numbers == pytest.approx(told)
    assert short.item() != pytest.approx(loss(settings)[0].item(), rel=1e-3)


# A policy over 5 tokens, of which 0 ends: sequences are `0`, or two tokens. Everything about it can be enumerated.
SEQUENCES = [(0,), *((a, b) for a in range(1, 5) for b in range(5))]


def tables(seed=0):
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(5, generator=draw, dtype=F64, requires_grad=True), torch.randn(
        5, 5, generator=draw, dtype=F64, requires_grad=True
    )


def scored(first, second):
    """Log-probabilities (sequences, 2) and mask."""
    one, two = first.log_softmax(-1), second.log_softmax(-1)
    rows = [torch.stack([one[s[0]], two[s[0], s[1]] if len(s) == 2 else one.new_zeros(())]) for s in SEQUENCES]
    return torch.stack(rows), torch.tensor([[True, len(s) == 2] for s in SEQUENCES])


def gradient(value, parameters):
    return torch.cat([part.flatten() for part in torch.autograd.grad(value, parameters, retain_graph=True)])


def test_the_gradient_is_that_of_the_expected_reward_by_enumeration():
    """Each sequence once, weighed by its probability, in place of infinitely many samples."""
    parameters = tables()
    logprobs, mask = scored(*parameters)
    chance = (logprobs * mask).sum(1).exp()
    reward = torch.tensor([sum(s) % 3 / 2 for s in SEQUENCES], dtype=F64)
    exact = gradient(-(chance * reward).sum(), parameters)
    for baseline in (0.0, 0.37):  # a constant baseline changes nothing
        weighed = len(SEQUENCES) * chance.detach() * (reward - baseline)
        ours = gradient(pg_loss(logprobs, logprobs.detach(), weighed, mask, SUM)[0], parameters)
        assert torch.allclose(ours, exact, atol=1e-12) and exact.norm() > 0.01


def test_with_old_samples_the_ratio_makes_up_for_the_first_token_of_one():
    """Samples of another policy, sequences of one token: the ratio is the importance weight, and the
    gradient is exact again.
    """
    new, old = torch.randn(2, 5, generator=torch.Generator().manual_seed(3), dtype=F64)
    new.requires_grad_()
    reward = torch.tensor([0, 1, 0.5, 0, 1], dtype=F64)
    exact = gradient(-(new.softmax(-1) * reward).sum(), [new])
    weighed = 5 * old.softmax(-1) * reward
    value, _ = pg_loss(new.log_softmax(-1)[:, None], old.log_softmax(-1)[:, None], weighed, torch.ones(5, 1), SUM)
    assert torch.allclose(gradient(value, [new]), exact, atol=1e-12)


@pytest.mark.parametrize(("advantage", "factor"), [(rloo, 1.0), (dr_grpo, 2 / 3), (grpo, None)])
def test_the_expected_gradient_of_groups_of_three_by_enumeration(advantage, factor):
    """All 125 groups of three one-token samples: RLOO is unbiased, the group's own mean shrinks by (k - 1) / k,
    the division by std bends.
    """
    logits = torch.randn(5, generator=torch.Generator().manual_seed(5), dtype=F64, requires_grad=True)
    reward = torch.tensor([0, 1, 0.25, 0, 1], dtype=F64)
    logprobs = logits.log_softmax(-1)
    exact = gradient(-(logprobs.exp() * reward).sum(), [logits])
    total = torch.zeros_like(exact)
    for group in itertools.product(range(5), repeat=3):
        index = torch.tensor(group)
        rows = logprobs[index][:, None]
        value, _ = pg_loss(rows, rows.detach(), advantage(reward[index][None])[0], torch.ones(3, 1), SUM)
        total += logprobs.detach()[index].sum().exp() * gradient(value, [logits])
    if factor is not None:
        assert torch.allclose(total, factor * exact, atol=1e-12)
    else:
        cosine = torch.dot(total, exact) / total.norm() / exact.norm()
        assert 0.9 < cosine < 1 - 1e-4


def kl(p, q):
    return (p.exp() * (p - q)).sum()


def test_kl_estimates_have_the_right_mean_and_k3_is_never_negative():
    p, q = torch.randn(2, 5, generator=torch.Generator().manual_seed(0), dtype=F64).log_softmax(-1)
    for kind in ("k1", "k3"):
        assert (p.exp() * kl_estimate(p, q, kind)).sum().item() == pytest.approx(kl(p, q).item())
    assert (kl_estimate(p, q, "k3") >= 0).all() and (kl_estimate(p, q, "k1") < 0).any()
    assert (p.exp() * kl_estimate(p, q, "k2")).sum().item() != pytest.approx(kl(p, q).item(), rel=1e-3)


def test_as_a_loss_k1_does_nothing_k2_is_the_reverse_kl_and_k3_the_forward_one():
    logits, other = torch.randn(2, 5, generator=torch.Generator().manual_seed(0), dtype=F64)
    logits.requires_grad_()
    p, q = logits.log_softmax(-1), other.log_softmax(-1)
    expected = lambda kind: gradient((p.exp().detach() * kl_estimate(p, q, kind)).sum(), [logits])
    assert torch.allclose(expected("k1"), torch.zeros(5, dtype=F64), atol=1e-12)
    assert torch.allclose(expected("k2"), gradient(kl(p, q), [logits]), atol=1e-12)
    assert torch.allclose(expected("k3"), gradient(kl(q, p), [logits]), atol=1e-12)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"aggregation": "mean"}, "aggregation must be one of sequence, token, constant, not 'mean'"),
        ({"kl": "k4"}, "kl must be one of k1, k2, k3, not 'k4'"),
        ({"clip_low": 0.0}, "clip_low must be positive"),
        ({"clip_high": math.nan}, "clip_high must be positive"),
        ({"kl_coef": -1.0}, "kl_coef must be 0 or more"),
        ({"entropy_coef": math.nan}, "entropy_coef must be 0 or more"),
        ({"length": 0}, "length must be 1 or more"),
    ],
)
def test_bad_settings_are_refused(changes, message):
    with pytest.raises(SpkitError, match=message):
        PgLoss(**changes)


NAN = torch.full((4, 6), math.nan, dtype=F64)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"advantages": torch.tensor([0.0, math.nan, 0, 0])}, "an advantage is not a finite number"),
        ({"logprobs": NAN}, "logprobs has a number that is not finite"),
        ({"old_logprobs": NAN}, "old_logprobs has a number that is not finite"),
        ({"mask": torch.zeros(4, 6)}, "no completion token"),
        ({"mask": torch.ones(4, 5)}, r"give \(rows, tokens\) each"),
        ({"advantages": torch.zeros(3)}, r"advantages \(3,\)"),
        ({"reference_logprobs": None}, "kl_coef above 0 needs reference_logprobs"),
        ({"entropy": None}, "entropy_coef above 0 needs entropy"),
    ],
)
def test_bad_batches_are_refused(changes, message):
    with pytest.raises(SpkitError, match=message) as refused:
        loss(PgLoss(kl_coef=0.1, entropy_coef=0.1), **changes)
    assert "\n" not in str(refused.value)


def test_an_unknown_kl_is_refused():
    with pytest.raises(SpkitError, match="kl must be one of"):
        kl_estimate(torch.zeros(1), torch.zeros(1), "k5")
