"""The losses of self-play fine-tuning: values by hand, gradients in float64, and the invariances that tell
pairwise from pointwise.
"""

import math

import pytest
import torch

from spkit.maths.preference import LOSSES, PAIRWISE, dpo_loss, sft_loss, spin_loss
from spkit.run.errors import SpkitError

TSPIN_FIRST = {"tspin": {"tau": 0.0}}


def rows(count=5, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return [-20 * torch.rand(count, generator=draw, dtype=torch.float64) for _ in range(5)]


def loss(kind, tensors, **changes):
    options = {"beta": 0.3, "tau": 0.7, "kind": kind, **changes}
    return spin_loss(*tensors[:4], policy_initial=tensors[4], **options)[0]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("logistic", math.log(2)),
        ("hinge", 1.0),
        ("exponential", 1.0),
        ("ipo", 0.7**2),
        ("chi2", 2 * 0.7**2),
        ("nce", 2 * math.log(2)),
    ],
)
def test_value_where_policy_and_opponent_agree(kind, expected):
    real, generated, *_ = rows()
    value, numbers = spin_loss(real, generated, real, generated, beta=0.3, tau=0.7, kind=kind)
    assert value.item() == pytest.approx(expected)
    assert numbers == dict.fromkeys(numbers, 0.0) and set(numbers) >= {
        "margin",
        "accuracy",
        "max_abs_reward",
        "displacement_real",
    }


BY_HAND = {  # with math, one row at a time
    "logistic": lambda r, g, t: math.log1p(math.exp(-(r - g))),
    "hinge": lambda r, g, t: max(0.0, 1 - (r - g)),
    "exponential": lambda r, g, t: math.exp(-(r - g)),
    "ipo": lambda r, g, t: (r - g - t) ** 2,
    "chi2": lambda r, g, t: (r - t) ** 2 + (g + t) ** 2,
    "nce": lambda r, g, t: math.log1p(math.exp(-r)) + math.log1p(math.exp(g)),
}


@pytest.mark.parametrize("kind", BY_HAND)
def test_value_by_hand(kind):
    a, b, c, d, _ = tensors = rows()
    pairs = [(0.3 * (p - q).item(), 0.3 * (r - s).item()) for p, q, r, s in zip(a, c, b, d)]
    assert loss(kind, tensors).item() == pytest.approx(sum(BY_HAND[kind](r, g, 0.7) for r, g in pairs) / len(pairs))


def test_tspin_by_hand():
    real, generated, _, _, initial = tensors = rows()
    soft = lambda x: math.log1p(math.exp(-x))
    terms = [soft(0.3 * (a - b).item()) + 0.7 * soft(0.3 * (b - c).item()) for a, b, c in zip(real, generated, initial)]
    assert loss("tspin", tensors).item() == pytest.approx(sum(terms) / len(terms))
    assert loss("tspin", [*tensors[:4], None], tau=0.0).item() == pytest.approx(
        sum(soft(0.3 * (a - b).item()) for a, b in zip(real, generated)) / len(real)
    )


@pytest.mark.parametrize("kind", LOSSES)
def test_gradients_agree_with_finite_differences(kind):
    tensors = [tensor.requires_grad_() for tensor in rows(3, seed=1)]
    used = (0, 1, 4) if kind == "tspin" else (0, 1)
    assert torch.autograd.gradcheck(
        lambda *some: loss(kind, [some[used.index(i)] if i in used else tensors[i] for i in range(5)]),
        [tensors[i] for i in used],
    )


@pytest.mark.parametrize("kind", [kind for kind in LOSSES if kind != "tspin"])
def test_a_constant_for_the_prompt_cancels_in_pairwise_losses_only(kind):
    real, generated, *rest = rows()
    constant = torch.linspace(-1, 3, len(real), dtype=torch.float64)
    same = torch.allclose(
        loss(kind, [real, generated, *rest]), loss(kind, [real + constant, generated + constant, *rest])
    )
    assert same == (kind in PAIRWISE)


@pytest.mark.parametrize("kind", LOSSES)
def test_order_of_rows_does_not_matter_and_roles_do(kind):
    tensors = rows()
    order = torch.tensor([3, 0, 4, 1, 2])
    assert torch.allclose(loss(kind, tensors), loss(kind, [tensor[order] for tensor in tensors]))
    swapped = [tensors[1], tensors[0], tensors[3], tensors[2], tensors[4]]
    assert not torch.allclose(loss(kind, tensors), loss(kind, swapped))
    ours, theirs = (spin_loss(*some[:4], beta=0.3)[1] for some in (tensors, swapped))
    assert ours["margin"] == pytest.approx(-theirs["margin"]) and ours["accuracy"] == pytest.approx(
        1 - theirs["accuracy"]
    )


def test_the_first_gradient_is_half_of_beta_times_that_of_sft():
    """For every row d loss / d log p(real) = -beta / 2 at the start: SFT's is -1.

    What the other half does vanishes in expectation over y'.
    """
    real, generated, *_ = rows()
    policy = [real.clone().requires_grad_(), generated.clone().requires_grad_()]
    spin_loss(*policy, real, generated, beta=0.3)[0].backward()
    assert torch.allclose(policy[0].grad * len(real), torch.full_like(real, -0.15))
    assert torch.allclose(policy[1].grad * len(real), torch.full_like(real, 0.15))


def test_dpo_is_the_same_arithmetic():
    tensors = rows()[:4]
    assert torch.equal(dpo_loss(*tensors, beta=0.3)[0], spin_loss(*tensors, beta=0.3)[0])


def test_no_gradient_reaches_the_opponent_numbers():
    tensors = [tensor.requires_grad_() for tensor in rows()]
    _, numbers = spin_loss(*tensors[:4], beta=0.3)
    assert all(isinstance(value, float) for value in numbers.values())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "gan"}, "unknown kind of loss 'gan': choose one of logistic, hinge"),
        ({"beta": 0.0}, "beta must be a positive number, not 0.0"),
        ({"beta": math.nan}, "beta must be a positive number"),
        ({"beta": math.inf}, "beta must be a positive number"),
        ({"tau": -1.0}, "tau must be a positive number"),
        ({"tau": 0.0, "kind": "chi2"}, "tau must be a positive number"),
        ({"kind": "tspin"}, "needs policy_initial"),
    ],
)
def test_bad_settings_are_refused(changes, message):
    with pytest.raises(SpkitError, match=message):
        spin_loss(*rows()[:4], **{"beta": 1.0, **changes})


@pytest.mark.parametrize(
    "tensors",
    [[torch.zeros(2), torch.zeros(3), torch.zeros(2), torch.zeros(2)], [torch.zeros(0)] * 4, [torch.zeros(2, 2)] * 4],
)
def test_bad_shapes_are_refused(tensors):
    with pytest.raises(SpkitError, match="same length"):
        spin_loss(*tensors, beta=1.0)


def test_sft_loss_counts_completion_tokens_only():
    assert sft_loss(torch.tensor([[-1.0, -3.0], [-5.0, -7.0]]), torch.tensor([[1, 1], [0, 1]])).item() == pytest.approx(
        11 / 3
    )
