"""The checks of notebook 05's exercises about updates: right answers pass, however they are written, and every known
mistake is met and named.
"""

import math
import struct

import numpy as np
import pytest
import torch

from spkit.exercises import Mistake, updates
from spkit.exercises.updates import check_changed_share, check_random_walk
from spkit.measures import updates as measured

from .mistakes import known_and_met


def by_bits(value):
    """A float32 to the nearest bfloat16, ties to even: the upper half of its bits."""
    (bits,) = struct.unpack("<I", struct.pack("<f", value))
    return struct.unpack("<f", struct.pack("<I", (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000))[0]


def entry_by_entry(
    before, after, tolerance, rounded, *, near=by_bits, other=None, far=None, per_matrix=False, of=lambda n, m: n / m
):
    """Number by number in Python, with the reader's usual slips as options."""
    far = far or (lambda a, b, t: abs(b - a) > t)
    hits = []
    for name in before:
        pairs = list(zip(before[name].flatten().tolist(), after[name].flatten().tolist()))
        if rounded:
            pairs = [(near(a), (other or near)(b)) for a, b in pairs]
        hits.append([far(a, b, tolerance) for a, b in pairs])
    if per_matrix:
        return sum(sum(own) / len(own) for own in hits) / len(hits)
    return of(sum(map(sum, hits)), sum(map(len, hits)))


def by_torch(before, after, tolerance, rounded):
    """As a reader would write it, the way of the public script."""
    kind = torch.bfloat16 if rounded else torch.float32
    delta = torch.cat([(after[name].to(kind) - before[name].to(kind)).flatten() for name in before])
    return 1 - torch.isclose(delta, torch.zeros_like(delta), atol=tolerance).double().mean()


def by_package(before, after, tolerance, rounded):
    return measured.changed_share(before, after, tolerance, "bfloat16" if rounded else "float32")


def by_difference(before, after, tolerance, rounded):
    changes = torch.cat([(after[name] - before[name]).flatten() for name in before])
    return ((changes.bfloat16() if rounded else changes).abs() > tolerance).double().mean()


def close_to_each_other(a, b, tolerance):
    return abs(b - a) > tolerance + 1e-5 * abs(a)


half = lambda value: float(np.float16(value))
share = lambda **slips: lambda *case: entry_by_entry(*case, **slips)


def by_optimizer(before, gradients, learning_rate, *, kind=torch.optim.AdamW, anew=False, dtype=None, **given):
    weights = torch.nn.Parameter(before.to(dtype or before.dtype, copy=True))
    make = lambda: kind([weights], lr=learning_rate, **given)
    optimizer = make()
    for gradient in gradients:
        optimizer = make() if anew else optimizer
        weights.grad = gradient.to(weights.dtype)
        optimizer.step()
    return weights


def by_number(before, gradients, learning_rate, *, step=None, unbiased=True, sign=-1, keep=lambda x: x, end=None):
    """Weight by weight in Python."""
    step = step or (lambda g, m, v: m / (math.sqrt(v) + 1e-8))
    found = []
    for place, start in enumerate(before.tolist()):
        x, m, v = start, 0.0, 0.0
        for t, g in enumerate(gradients[:, place].tolist(), start=1):
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            scale = (1 - 0.9**t, 1 - 0.999**t) if unbiased else (1, 1)
            x = keep(x + sign * learning_rate * step(g, m / scale[0], v / scale[1]))
        found.append(end(start, x) if end else x)
    return found


walk = lambda **slips: lambda *case: by_number(*case, **slips)
made = lambda **given: lambda *case: by_optimizer(*case, **given)

RIGHT = [
    (check_changed_share, entry_by_entry),
    (check_changed_share, by_torch),
    (check_changed_share, by_package),
    (check_random_walk, by_number),
    (check_random_walk, made(weight_decay=0)),
    (check_random_walk, made(weight_decay=0.0, dtype=torch.float32)),
    (check_random_walk, made(kind=torch.optim.Adam)),
]

WRONG = [
    (check_changed_share, share(of=lambda n, m: 1 - n / m), "did \\*not\\* change"),
    (check_changed_share, by_difference, "or rounds their difference"),
    (check_changed_share, share(near=lambda x: x, other=by_bits), "after training alone"),
    (check_changed_share, share(per_matrix=True), "mean over matrices"),
    (check_changed_share, share(far=close_to_each_other), "relative difference, rtol"),
    (check_changed_share, share(far=lambda a, b, t: abs(b - a) > t * abs(a)), "multiplied by the weight's size"),
    (check_changed_share, share(far=lambda a, b, t: abs(b - a) >= t), "counts everything"),
    (check_changed_share, share(far=lambda a, b, t: b - a > t), "what grew alone"),
    (check_changed_share, share(near=lambda x: x), "does not round the weights"),
    (check_changed_share, lambda a, b, tolerance, rounded: entry_by_entry(a, b, tolerance, True), "always rounds"),
    (check_changed_share, share(near=half), "float16, which has 10 bits"),
    (check_changed_share, share(of=lambda n, m: n), "a number of parameters"),
    (check_changed_share, share(of=lambda n, m: 100 * n / m), "in percent"),
    (check_random_walk, made(), "weight decay of 0.01"),
    (check_random_walk, walk(unbiased=False), "the correction for that is missing"),
    (check_random_walk, made(weight_decay=0, anew=True), "sign of its gradient"),
    (check_random_walk, made(kind=torch.optim.SGD), "this is gradient descent, "),
    (check_random_walk, made(weight_decay=0, maximize=True), "goes up the gradient"),
    (check_random_walk, walk(step=lambda g, m, v: m), "gradient descent with momentum"),
    (check_random_walk, walk(step=lambda g, m, v: g / (math.sqrt(v) + 1e-8)), "first moment is missing"),
    (check_random_walk, walk(step=lambda g, m, v: m / (v + 1e-8)), "the root is missing"),
    (check_random_walk, walk(keep=by_bits), "after every step"),
    (check_random_walk, walk(end=lambda start, x: by_bits(x)), "round where the share is read"),
    (check_random_walk, walk(end=lambda start, x: x - start), "this is the update"),
    (
        check_random_walk,
        lambda before, gradients, rate: by_optimizer(before, gradients.mean(0)[None], rate, weight_decay=0),
        "one step on the mean gradient",
    ),
]


@pytest.mark.parametrize(("check", "answer"), RIGHT)
def test_right_answers_pass(check, answer, capsys):
    check(answer)
    assert capsys.readouterr().out.endswith(": right.\n")


@pytest.mark.parametrize(("check", "wrong", "message"), WRONG)
def test_usual_mistakes_are_named(check, wrong, message):
    with pytest.raises(Mistake, match=message):
        check(wrong)


@pytest.mark.parametrize("check", [check_changed_share, check_random_walk])
def test_every_known_mistake_is_met_above(check, monkeypatch):
    known, met = known_and_met(check, WRONG, [updates], monkeypatch)
    assert known and set(known) == set(met)


def test_another_mistake_is_shown_as_a_number():
    with pytest.raises(Mistake, match="none of the usual mistakes"):
        check_changed_share(lambda *case: 0.5)
    with pytest.raises(Mistake, match="has the shape"):
        check_random_walk(lambda before, gradients, rate: 0.0)
