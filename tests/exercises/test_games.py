"""The checks of notebook 07's exercises: right answers pass, however they are written, and every known mistake is met
and named.
"""

import math
from collections import defaultdict

import numpy as np
import pytest
import torch

from spkit.exercises import Mistake, games
from spkit.exercises.games import (
    check_anchored_step,
    check_average_strategy,
    check_best_reply,
    check_legal_chances,
    check_seat_advantages,
)
from spkit.maths.advantages import rae

from .mistakes import known_and_met


def by_products(scores, *, tokens=lambda one: one, end=lambda found: [x / sum(found) for x in found], root=False):
    """Probabilities multiplied token by token."""
    found = [math.prod(map(math.exp, tokens(one))) ** (1 / len(one) if root else 1) for one in scores]
    return end(found)


def by_softmax(scores):
    return torch.tensor([sum(one) for one in scores], dtype=torch.float64).softmax(0).numpy()


likeliest = lambda found: [float(x == max(found)) for x in found]
logs_shared = lambda found: [math.log(x) / sum(map(math.log, found)) for x in found]
twice = lambda found: [math.exp(x) / sum(map(math.exp, found)) for x in found]
written = lambda **slips: lambda scores: by_products(scores, **slips)


def by_sets(reach, values, sets, *, weigh=lambda r: r, pick=max, norm=False):
    """Set by set, move by move, in Python."""
    total = 0.0
    for own in dict.fromkeys(sets):
        rows = [(r, v) for r, v, s in zip(reach, values, sets) if s == own]
        moves = range(len(rows[0][1]))
        best = pick(moves, key=lambda m: sum(weigh(r) * v[m] for r, v in rows))
        worth = sum(r * v[best] for r, v in rows)
        total += worth / sum(r for r, _ in rows) if norm else worth
    return total


def by_likeliest_state(reach, values, sets):
    places = defaultdict(list)
    for place, own in enumerate(sets):
        places[own].append(place)
    total = 0.0
    for own in places.values():
        top = max(own, key=lambda place: reach[place])
        move = int(np.argmax(values[top]))
        total += sum(reach[place] * values[place][move] for place in own)
    return total


sets_of = lambda **slips: lambda *case: by_sets(*case, **slips)


def by_rae(returns, baselines, decay, roles=("first", "second")):
    """The package's own formula, row after row."""
    start = dict(zip(roles, baselines))
    found, _ = rae(torch.tensor(returns).flatten(), list(roles) * len(returns), start, decay)
    return found.view(-1, 2).numpy()


def seat_by_seat(returns, baselines, decay, *, before=True, keep=None, add=None, own=lambda rows, seat: rows[:, seat]):
    columns = []
    for seat in (0, 1):
        b, column = baselines[seat], []
        for won in own(returns, seat):
            moved = (decay if keep is None else keep(decay)) * b + (1 - decay if add is None else add(decay)) * won
            column.append(won - (b if before else moved))
            b = moved
        columns.append(column)
    return np.array(columns).T


def moved_by_the_mean(returns, baselines, decay):
    b, rows = np.array(baselines), []
    for won in returns:
        rows.append([won[0] - b[0], won[1] - b[1]])
        b = decay * b + (1 - decay) * (won[0] + won[1]) / 2
    return rows


seats = lambda **slips: lambda *case: seat_by_seat(*case, **slips)


def by_counts(strategies, reach, *, weigh=True, over=None, empty=None, of=lambda x: x):
    """Set by set, strategy by strategy."""
    count, sets, moves = np.shape(strategies)
    result = np.zeros((sets, moves))
    for s in range(sets):
        weights = [reach[t][s] if weigh else 1.0 for t in range(count)]
        total = over(reach, count) if over else sum(weights)
        for m in range(moves):
            summed = sum(w * of(strategies[t][s][m]) for t, w in enumerate(weights))
            result[s, m] = summed / total if total else (1 / moves if empty is None else empty)
    return result


def of_logarithms(strategies, reach):
    found = np.exp(by_counts(strategies, reach, weigh=False, of=math.log))
    return found / found.sum(1)[:, None]


averaged = lambda **slips: lambda *case: by_counts(*case, **slips)


def by_powers(policy, anchor, gains, rate, pull, *, strength=None, root=True, sign=1, share=True):
    s = rate * pull if strength is None else strength(rate, pull)
    found = [
        (p * a**s * math.exp(sign * rate * g)) ** (1 / (1 + s) if root else 1) for p, a, g in zip(policy, anchor, gains)
    ]
    return [x / sum(found) for x in found] if share else found


def gains_outside(policy, anchor, gains, rate, pull):
    found = [
        (p * a ** (rate * pull)) ** (1 / (1 + rate * pull)) * math.exp(rate * g)
        for p, a, g in zip(policy, anchor, gains)
    ]
    return np.array(found) / sum(found)


def mixture(policy, anchor, gains, rate, pull):
    moved = policy * np.exp(rate * gains)
    weight = rate * pull / (1 + rate * pull)
    return (1 - weight) * moved / moved.sum() + weight * anchor


def by_optimisation(policy, anchor, gains, rate, pull):
    """The definition itself: the policy that maximises gains - pull KL(. || anchor) - KL(. || policy) / rate."""
    logits = torch.zeros(len(policy), dtype=torch.float64, requires_grad=True)
    anchor, policy, gains = (torch.tensor(one) for one in (anchor, policy, gains))
    optimizer = torch.optim.LBFGS([logits], max_iter=500, tolerance_grad=1e-13, tolerance_change=1e-16)

    def loss():
        optimizer.zero_grad()
        logs = logits.log_softmax(0)
        kl = lambda other: logs.exp() @ (logs - other.log())
        value = -(logs.exp() @ gains) + pull * kl(anchor) + kl(policy) / rate
        value.backward()
        return value

    optimizer.step(loss)
    return logits.softmax(0).detach().numpy()


powers = lambda **slips: lambda *case: by_powers(*case, **slips)
to_uniform = lambda policy, anchor, *rest: by_powers(policy, np.ones(len(anchor)) / len(anchor), *rest)

RIGHT = [
    (check_legal_chances, by_products),
    (check_legal_chances, by_softmax),
    (check_best_reply, by_sets),
    (check_seat_advantages, by_rae),
    (check_seat_advantages, seat_by_seat),
    (check_average_strategy, by_counts),
    (check_anchored_step, by_powers),
    (check_anchored_step, by_optimisation),
]

WRONG = [
    (check_legal_chances, written(root=True), "the mean over tokens"),
    (check_legal_chances, written(tokens=lambda one: one[:-1]), "the end of a move is left out"),
    (check_legal_chances, written(tokens=lambda one: one[:1]), "only the first token"),
    (check_legal_chances, written(end=lambda found: found), "sum to less than 1"),
    (check_legal_chances, written(end=logs_shared), "divides log-probabilities"),
    (check_legal_chances, written(end=likeliest), "the likeliest move alone"),
    (check_legal_chances, written(end=twice), "exp is taken twice"),
    (check_best_reply, lambda r, v, s: sum(x * max(row) for x, row in zip(r, v)), "sees the other player's card"),
    (check_best_reply, by_likeliest_state, "likeliest state"),
    (check_best_reply, sets_of(weigh=lambda r: 1.0), "as if all states"),
    (check_best_reply, sets_of(pick=min), "worst response"),
    (check_best_reply, lambda r, v, s: by_sets(r, v, [0] * len(s)), "one move is chosen for all"),
    (check_best_reply, sets_of(norm=True), "divides by how often a set is met"),
    (check_best_reply, lambda r, v, s: sum(x * sum(row) / len(row) for x, row in zip(r, v)), "uniformly"),
    (check_seat_advantages, lambda *case: by_rae(*case, roles=("both", "both")), "one baseline; where one seat"),
    (check_seat_advantages, moved_by_the_mean, "moved by the mean over both"),
    (check_seat_advantages, seats(before=False), "already has this game's return"),
    (check_seat_advantages, seats(keep=lambda d: 1 - d, add=lambda d: d), "are exchanged"),
    (check_seat_advantages, lambda returns, baselines, decay: returns - baselines, "never move"),
    (check_seat_advantages, seats(keep=lambda d: 1.0), "without forgetting"),
    (check_seat_advantages, lambda r, b, d: r - r.sum(0) / len(r), "the mean of these games"),
    (check_seat_advantages, seats(own=lambda rows, seat: rows[:, 0] * (1, -1)[seat]), "minus the first one's"),
    (check_seat_advantages, lambda *case: seat_by_seat(*case) / seat_by_seat(*case).std(0), "standard deviation"),
    (check_average_strategy, averaged(weigh=False), "the plain mean"),
    (check_average_strategy, lambda strategies, reach: strategies[len(strategies) - 1], "the last strategy"),
    (check_average_strategy, averaged(over=lambda reach, count: count), "do not sum to 1"),
    (check_average_strategy, averaged(over=lambda reach, count: np.sum(reach)), "all information sets together"),
    (check_average_strategy, of_logarithms, "mean of log-probabilities"),
    (check_average_strategy, averaged(empty=0.0), "play uniformly there"),
    (check_anchored_step, powers(strength=lambda rate, pull: 0), "the anchor is left out"),
    (check_anchored_step, powers(root=False), "the root is missing"),
    (check_anchored_step, to_uniform, "towards uniform play"),
    (check_anchored_step, powers(strength=lambda rate, pull: pull), "not multiplied with the rate"),
    (check_anchored_step, gains_outside, "outside the root"),
    (check_anchored_step, powers(sign=-1), "goes down the gains"),
    (check_anchored_step, powers(share=False), "do not sum to 1"),
    (check_anchored_step, mixture, "mixes probabilities"),
]
CHECKS = list(dict.fromkeys(check for check, _ in RIGHT))


@pytest.mark.parametrize(("check", "answer"), RIGHT)
def test_right_answers_pass(check, answer, capsys):
    check(answer)
    assert capsys.readouterr().out.endswith(": right.\n")


@pytest.mark.parametrize(("check", "wrong", "message"), WRONG)
def test_usual_mistakes_are_named(check, wrong, message):
    with pytest.raises(Mistake, match=message):
        check(wrong)


@pytest.mark.parametrize("check", CHECKS)
def test_every_known_mistake_is_met_above(check, monkeypatch):
    known, met = known_and_met(check, WRONG, [games], monkeypatch)
    assert known and set(known) == set(met)


@pytest.mark.parametrize("check", CHECKS)
def test_another_mistake_is_shown_as_a_number(check):
    with pytest.raises(Mistake, match="none of the usual mistakes|has the shape"):
        check(lambda *case: 0.123)
