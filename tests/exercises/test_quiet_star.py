"""The checks of notebook 04's exercises: right answers pass, however they are written, and every known mistake is met
and named.
"""

import math
from itertools import product

import numpy as np
import pytest
import torch

from spkit.exercises import Mistake, quiet_star, thoughts
from spkit.exercises.quiet_star import check_advantages, check_mixed_logprobs, check_mixing_weight, check_thought_mask
from spkit.exercises.thoughts import (
    check_below_floor,
    check_expected_gradient,
    check_floors,
    check_other_future,
    check_reinforce_gradient,
)
from spkit.maths.thoughts import thought_advantages, thought_loss, thought_rewards
from spkit.policy.thinking import MixingHead, block_mask
from spkit.tasks.chains import CHAIN_OPERANDS, floors

from .mistakes import known_and_met


def sees(length, places, blocks, rule, order="blocks"):
    """A mask from what each token is: (None, character) or (block, thought); `rule(looker, seen)` by brute force."""
    pairs = product(range(blocks), range(len(places)))
    behind = list(pairs) if order == "blocks" else [(b, t) for t in range(len(places)) for b in range(blocks)]
    tokens = [(None, i) for i in range(length)] + behind
    return [[rule(one, other) for other in tokens] for one in tokens]


def honest(places, *, beyond=0, thought=lambda t, places: places[t], own=lambda b, a: a <= b, place=True, text=True):
    """The rule of the right mask, with the reader's usual slips as options."""

    def rule(one, other):
        if one[0] is None:
            return other[0] is None and (other[1] <= one[1] or not text)
        if other[0] is None:
            return other[1] <= thought(one[1], places) + beyond
        return own(one[0], other[0]) and (one[1] == other[1] or not place)

    return rule


def masked(order="blocks", itself=True, **slips):
    def answer(length, places, blocks):
        mask = np.array(sees(length, places, blocks, honest(places, **slips), order), dtype=float)
        return mask if itself else mask - np.eye(len(mask))

    return answer


def weights(before, after, first, second, last, *, hidden=lambda x: max(x, 0.0), end=lambda x: x, join=None, two=True):
    """Place by place and unit by unit."""
    rows = []
    for h, g in zip(before, after):
        state = list((join or (lambda h, g: [*h, *g]))(h, g))
        for layer in (first, second) if two else (first,):
            state = [hidden(sum(w * x for w, x in zip(row, state))) for row in layer]
        rows.append(end(sum(w * x for w, x in zip(last[0], state))))
    return rows


def by_torch(before, after, first, second, last):
    head = MixingHead(4).double()
    for layer, value in zip((head.layers[0], head.layers[2], head.layers[4]), (first, second, last)):
        layer.weight.data = torch.from_numpy(value)
        if layer.bias is not None:
            layer.bias.data.zero_()
    return head(torch.from_numpy(before), torch.from_numpy(after))[:, 0].detach().numpy()


def spoken(states, output):
    return torch.from_numpy(states @ output.T)


def mixed(before, after, weight, output, *, shares=lambda w: (1 - w, w), end=lambda x: x.log_softmax(-1)):
    rows = [a * h + b * g for h, g, (a, b) in zip(before, after, map(shares, weight))]
    return end(spoken(np.array(rows), output)).numpy()


def geometric(before, after, weight, output, *, of=torch.log_softmax, end=lambda x: x):
    one, other = of(spoken(before, output), -1), of(spoken(after, output), -1)
    w = torch.from_numpy(weight)[:, None]
    return end(one + w * (other - one)).numpy()


def praised(mixed, there, positive, *, reward=None, base=None, end=None):
    """Thought by thought."""
    reward = reward or (lambda row, ok: sum(x for x, yes in zip(row, ok) if yes))
    r = [[reward(row, ok) for row, ok in zip(sibling, there)] for sibling in mixed]
    base = base or (lambda r, s, p: sum(row[p] for row in r) / len(r))
    end = end or (lambda a, positive: max(a, 0) if positive else a)
    return [[end(r[s][p] - base(r, s, p), positive) for p in range(len(there))] for s in range(len(r))]


def by_package(mixed, there, positive):
    rewards = thought_rewards(torch.from_numpy(mixed)[None], torch.from_numpy(there))
    return thought_advantages(rewards, positive)[0].numpy()


def expected(first, second, rewards, value=lambda p, q, r: (p[:, None] * q * r).sum(), parts=(1, 1)):
    """By autograd."""
    a, b = (torch.from_numpy(x).requires_grad_() for x in (first, second))
    found = torch.autograd.grad(value(a.softmax(0), b.softmax(1), torch.from_numpy(rewards)), (a, b), allow_unused=True)
    rows = [torch.zeros_like(x) if g is None else g for x, g in zip((a, b), found)]
    return torch.cat([parts[0] * rows[0][None], parts[1] * rows[1]]).numpy()


def without_the_others(first, second, rewards):
    p, q = np.exp(first) / np.exp(first).sum(), np.exp(second) / np.exp(second).sum(1)[:, None]
    return np.vstack([p * (q * rewards).sum(1), p[:, None] * q * rewards])


def unweighted_second(first, second, rewards):
    p = np.exp(first) / np.exp(first).sum()
    exact = expected(first, second, rewards)
    return np.vstack([exact[:1], exact[1:] / p[:, None]])


def against_the_whole_mean(first, second, rewards):
    p, q = np.exp(first) / np.exp(first).sum(), np.exp(second) / np.exp(second).sum(1)[:, None]
    exact = expected(first, second, rewards)
    return np.vstack([exact[:1], p[:, None] * q * (rewards - (p[:, None] * q * rewards).sum())])


def estimated(
    first,
    second,
    thoughts,
    rewards,
    *,
    base=lambda r, i: sum(r) / len(r),
    end=lambda a: a,
    tokens=(1, 1),
    scale=1,
    of=torch.log,
):
    """By autograd of the loss."""
    a, b = (torch.from_numpy(x).requires_grad_() for x in (first, second))
    total = a.sum() * 0 + b.sum() * 0
    for i, (k, m) in enumerate(thoughts):
        advantage = end(rewards[i] - base(list(rewards), i))
        total = total + advantage * (tokens[0] * of(a.softmax(0)[k]) + tokens[1] * of(b[k].softmax(0)[m]))
    found = torch.autograd.grad(scale * total / len(thoughts), (a, b))
    return torch.cat([found[0][None], found[1]]).numpy()


def by_loss(first, second, thoughts, rewards):
    a, b = (torch.from_numpy(x).requires_grad_() for x in (first, second))
    logprobs = torch.stack([torch.stack([a.log_softmax(0)[k], b[k].log_softmax(0)[m]]) for k, m in thoughts])
    earned = torch.from_numpy(rewards)[None, :, None]
    loss = thought_loss(thought_advantages(earned, positive=False), logprobs[None, :, None])
    found = torch.autograd.grad(-loss, (a, b))
    return torch.cat([found[0][None], found[1]]).numpy()


def one_hot_alone(first, second, thoughts, rewards):
    total = np.zeros((1 + len(first), len(first)))
    for (k, m), reward in zip(thoughts, rewards):
        total[0, k] += reward - np.mean(rewards)
        total[1 + k, m] += reward - np.mean(rewards)
    return total / len(thoughts)


def entropies(operands, n, *, later=None, number=None, answer=0, unit=1, end=lambda x: x):
    """By enumeration of (sign, operand)."""
    signs = {sign: 1 / len(operands) for sign in operands}
    entropy = lambda chances: -sum(p * math.log(p) for p in chances)
    if later is None:
        later = sum(signs[s] * entropy([1 / len(own)] * len(own)) for s, own in operands.items())
    first = entropy([0.1] * 10)
    number = (first + n * later) / (n + 1) if number is None else number(first, later)
    return [end(x / unit) for x in (entropy(signs.values()), first, later, number, answer)]


def unseen_sign(operands):
    chances = {}
    for own in operands.values():
        for digit in own:
            chances[digit] = chances.get(digit, 0) + 1 / len(operands) / len(own)
    return -sum(p * math.log(p) for p in chances.values())


def flagged(nll, errors, floors, rule=lambda x, e, f: (f - x) / e > 3):
    return [rule(*one) for one in zip(nll, errors, floors)]


def rotated(ids, place, vocabulary, rng):
    other = ids.copy()
    other[place + 1 :] = [(token + 1) % vocabulary for token in ids[place + 1 :]]
    return other


RIGHT = [  # the package's own among them
    (check_thought_mask, masked()),
    (check_thought_mask, lambda n, places, blocks: block_mask(n, torch.tensor(places), blocks).numpy()),
    (check_mixing_weight, weights),
    (check_mixing_weight, by_torch),
    (check_mixed_logprobs, mixed),
    (check_mixed_logprobs, lambda *some: geometric(*some, end=lambda x: x.log_softmax(-1))),
    (check_advantages, praised),
    (check_advantages, by_package),
    (check_expected_gradient, expected),
    (check_reinforce_gradient, estimated),
    (check_reinforce_gradient, by_loss),
    (check_floors, entropies),
    (check_below_floor, flagged),
    (check_other_future, rotated),
]
WRONG = [
    (check_thought_mask, masked(itself=False), "no token sees itself"),
    (check_thought_mask, masked(beyond=-1), "does not see the character at its own place"),
    (check_thought_mask, masked(beyond=1), "a leak"),
    (check_thought_mask, masked(beyond=99), "see the whole text"),
    (check_thought_mask, masked(beyond=-99), "do not see the text at all"),
    (check_thought_mask, masked(thought=lambda t, places: t), "character places\\[j\\]"),
    (check_thought_mask, masked(place=False), "thoughts of other places"),
    (check_thought_mask, masked(own=lambda b, a: a == b), "no earlier token"),
    (check_thought_mask, masked(own=lambda b, a: True), "later tokens"),
    (check_thought_mask, masked(text=False), "text is not causal"),
    (check_thought_mask, lambda n, p, b: np.tri(n + b * len(p)), "plain causal mask"),
    (check_thought_mask, masked(order="thoughts"), "order is another one"),
    (check_mixing_weight, lambda *some: weights(*some, end=lambda x: 1 / (1 + math.exp(-x))), "sigmoid at the end"),
    (check_mixing_weight, lambda *some: weights(*some, end=lambda x: max(x, 0)), "ReLU at the end"),
    (check_mixing_weight, lambda *some: weights(*some, hidden=lambda x: x), "ReLUs between the layers are missing"),
    (check_mixing_weight, lambda *some: weights(*some, hidden=math.tanh), "stands a tanh"),
    (check_mixing_weight, lambda *some: weights(*some, join=lambda h, g: [*g, *h]), "in the other order"),
    (check_mixing_weight, lambda *some: weights(*some, two=False), "second layer is missing"),
    (check_mixing_weight, lambda *some: weights(*some, join=lambda h, g: [*g, *g]), "state after the thought twice"),
    (check_mixing_weight, lambda *some: weights(*some, join=lambda h, g: [*h, *h]), "state before the thought twice"),
    (check_mixed_logprobs, geometric, "paper's formula as it stands"),
    (check_mixed_logprobs, lambda *some: geometric(*some, of=torch.softmax, end=torch.log), "mixes probabilities"),
    (check_mixed_logprobs, lambda *some: mixed(*some, shares=lambda w: (w, 1 - w)), "wrong state"),
    (check_mixed_logprobs, lambda *some: mixed(*some, shares=lambda w: (1, w)), "is added"),
    (check_mixed_logprobs, lambda *some: mixed(*some, end=lambda x: x), "these are logits"),
    (check_mixed_logprobs, lambda *some: mixed(*some, end=lambda x: x.softmax(-1)), "these are probabilities"),
    (check_mixed_logprobs, lambda *some: mixed(*some, end=lambda x: x.log_softmax(0)), "normalises over places"),
    (
        check_mixed_logprobs,
        lambda h, g, w, out: mixed(h, g, [min(max(x, 0), 1) for x in w], out),
        "clipped",
    ),
    (check_mixed_logprobs, lambda h, g, w, out: mixed(h, g, 0 * w, out), "not used"),
    (
        check_advantages,
        lambda *some: praised(*some, base=lambda r, s, p: sum(r[i][p] for i in range(len(r)) if i != s) / (len(r) - 1)),
        "\\*other\\* thoughts",
    ),
    (check_advantages, lambda *some: praised(*some, base=lambda r, s, p: np.mean(r)), "one mean over all places"),
    (check_advantages, lambda *some: praised(*some, base=lambda r, s, p: np.mean(r[s])), "places of a sibling"),
    (check_advantages, lambda *some: praised(*some, reward=lambda row, ok: sum(row)), "behind the end of the text"),
    (check_advantages, lambda *some: praised(*some, reward=lambda row, ok: sum(row * ok) / 3), "mean over the next"),
    (check_advantages, lambda *some: praised(*some, reward=lambda row, ok: row[0]), "very next token alone"),
    (check_advantages, lambda *some: praised(*some, end=lambda a, positive: a), "clamp is missing"),
    (check_advantages, lambda *some: praised(*some, end=lambda a, positive: max(a, 0)), "always clamps"),
    (
        check_advantages,
        lambda *some: praised(*some, end=lambda a, positive: max(-a, 0) if positive else -a),
        "sign is flipped",
    ),
    (check_advantages, lambda *some: praised(*some, base=lambda r, s, p: 0), "no baseline"),
    (
        check_advantages,
        lambda mixed, there, positive: (
            np.array(praised(mixed, there, positive))
            / (np.std([[sum(x * ok) for x, ok in zip(own, there)] for own in mixed], axis=0) + 1e-4)
        ),
        "as GRPO does",
    ),
    (
        check_advantages,
        lambda *some: praised(*some, base=lambda r, s, p: math.log(sum(math.exp(row[p]) for row in r) / len(r))),
        "mean likelihood",
    ),
    (check_advantages, lambda *some: praised(*some, base=lambda r, s, p: max(row[p] for row in r)), "best thought"),
    (check_expected_gradient, without_the_others, "loses to the others"),
    (check_expected_gradient, unweighted_second, "probability of the first one"),
    (check_expected_gradient, against_the_whole_mean, "mean over all thoughts"),
    (check_expected_gradient, lambda *some: expected(*some, parts=(0, 1)), "the first token has no gradient"),
    (check_expected_gradient, lambda *some: expected(*some, parts=(1, 0)), "the second token has no gradient"),
    (check_expected_gradient, lambda *some: expected(*some, parts=(-1, -1)), "sign is flipped"),
    (
        check_expected_gradient,
        lambda *some: expected(*some, value=lambda p, q, r: (p[:, None] * q * r).sum().log()),
        "logarithm of the expected reward",
    ),
    (check_reinforce_gradient, lambda *some: estimated(*some, base=lambda r, i: 0), "no baseline"),
    (
        check_reinforce_gradient,
        lambda *some: estimated(*some, base=lambda r, i: (sum(r) - r[i]) / (len(r) - 1)),
        "\\*other\\* siblings",
    ),
    (check_reinforce_gradient, lambda *some: estimated(*some, end=lambda a: max(a, 0)), "clamps the advantages"),
    (check_reinforce_gradient, lambda *some: estimated(*some, scale=len(some[2])), "sum over siblings"),
    (check_reinforce_gradient, lambda *some: estimated(*some, scale=-1), "sign is flipped"),
    (check_reinforce_gradient, lambda *some: estimated(*some, tokens=(0, 1)), "the second token alone"),
    (check_reinforce_gradient, lambda *some: estimated(*some, tokens=(1, 0)), "the first token alone"),
    (check_reinforce_gradient, lambda *some: estimated(*some, scale=0.5), "mean over the tokens"),
    (check_reinforce_gradient, one_hot_alone, "softmax is missing"),
    (check_reinforce_gradient, lambda *some: estimated(*some, of=lambda p: p), "not of its logarithm"),
    (check_floors, lambda operands, n: entropies(operands, n, unit=math.log(2)), "these are bits"),
    (check_floors, lambda operands, n: entropies(operands, n, later=unseen_sign(operands)), "entropy of the mixture"),
    (
        check_floors,
        lambda operands, n: entropies(operands, n, later=math.log(sum(map(len, operands.values())) / len(operands))),
        "mean number of choices",
    ),
    (check_floors, lambda operands, n: entropies(operands, n, later=math.log(10)), "one of ten digits"),
    (check_floors, lambda operands, n: entropies(operands, n, number=lambda a, b: (a + b) / 2), "count alike"),
    (check_floors, lambda operands, n: entropies(operands, n, number=lambda a, b: a + n * b), "adds up the numbers"),
    (check_floors, lambda operands, n: entropies(operands, n, answer=math.log(10)), "it is certain"),
    (check_floors, lambda operands, n: entropies(operands, n, end=math.exp), "perplexities"),
    (check_below_floor, lambda *some: flagged(*some, lambda x, e, f: x < f), "standard errors are not used"),
    (check_below_floor, lambda *some: flagged(*some, lambda x, e, f: (x - f) ** 2 > 9 * e * e), "either side"),
    (check_below_floor, lambda *some: flagged(*some, lambda x, e, f: (x - f) / e > 3), "flags what is above"),
    (check_below_floor, lambda *some: flagged(*some, lambda x, e, f: (x - f) / e < 3), "may be below"),
    (check_below_floor, lambda *some: flagged(*some, lambda x, e, f: (f - x) / e > 1), "one standard error"),
    (
        check_below_floor,
        lambda x, e, f: [sum(f) - sum(x) > 3 * sum(e)] * len(x),
        "hidden in them",
    ),
]


@pytest.mark.parametrize(("check", "answer"), RIGHT)
def test_right_answers_pass(check, answer, capsys):
    check(answer)
    assert capsys.readouterr().out.endswith(": right.\n")


@pytest.mark.parametrize(("check", "wrong", "message"), WRONG)
def test_usual_mistakes_are_named(check, wrong, message):
    with np.errstate(all="ignore"), pytest.raises(Mistake, match=message):
        check(wrong)


@pytest.mark.parametrize("check", dict.fromkeys(check for check, _, _ in WRONG))
def test_every_known_mistake_is_met_above(check, monkeypatch):
    known, met = known_and_met(check, WRONG, (quiet_star, thoughts), monkeypatch)
    assert known and set(known) <= set(met)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda ids, place, size, rng: ids[: place + 1], "has the shape"),
        (lambda ids, place, size, rng: ids + size, "a token that is none"),
        (lambda ids, place, size, rng: ids, "the same text"),
        (lambda ids, place, size, rng: (ids + 1) % size, "before the place is changed"),
        (
            lambda ids, place, size, rng: np.where(np.arange(len(ids)) >= place, (ids + 1) % size, ids),
            "token at the place is changed",
        ),
        (
            lambda ids, place, size, rng: np.where(np.arange(len(ids)) > place + 1, (ids + 1) % size, ids),
            "wrong by one looks just there",
        ),
        (
            lambda ids, place, size, rng: np.where(np.arange(len(ids)) == place + 1, (ids + 1) % size, ids),
            "Make every one differ",
        ),
        (
            lambda ids, place, size, rng: np.where(np.arange(len(ids)) > place, rng.permutation(size)[ids], ids),
            "(same as before|wrong by one|same text)",
        ),
    ],
)
def test_a_control_must_differ_in_the_whole_future_and_there_alone(wrong, message):
    with pytest.raises(Mistake, match=message):
        check_other_future(wrong)


def test_the_floors_of_the_exercise_are_those_of_the_task():
    sign, _, _, number, answer = entropies(CHAIN_OPERANDS, 3)
    known = floors()
    assert np.allclose([known["sign"], known["number"], known["answer"]], [sign, number, answer])


def test_two_wrong_answers_are_told_apart_by_the_cases():
    """No two known mistakes of an exercise give the same numbers, or the wrong one would be named."""
    for check in dict.fromkeys(check for check, _, _ in WRONG):
        names = []
        for own, wrong, _ in WRONG:
            if own is check:
                with np.errstate(all="ignore"), pytest.raises(Mistake) as caught:
                    check(wrong)
                names.append(str(caught.value))
        assert len(set(names)) == len(names)
