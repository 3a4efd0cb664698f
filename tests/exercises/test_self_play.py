"""The checks of notebook 01's exercises: right answers pass, however they are written, and every known
mistake is met and named.
"""

from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np
import pytest
import torch

from spkit.exercises import Mistake, clipped_loss, policy_gradient, self_play, verifiers
from spkit.exercises.clipped_loss import check_clipped_loss
from spkit.exercises.policy_gradient import check_explained, check_rloo, check_trr_pp
from spkit.exercises.self_play import check_learnable_information, check_passes, check_proposer_reward
from spkit.exercises.verifiers import check_vote_gap, check_vote_share
from spkit.maths.advantages import rloo, trr_pp
from spkit.maths.policy_gradient import PgLoss, pg_loss
from spkit.maths.proposer_rewards import proposer_reward

from .mistakes import known_and_met


def pays(attempts, valid, *, rule=lambda wins, k: 1 - wins / k, never=0, always=0, invalid=-1):
    """Proposal by proposal; `rule` gets the number of right attempts and k."""
    earned = []
    for row, ok in zip(attempts, valid):
        wins, k = sum(row), len(row)
        earned.append(invalid if not ok else never if wins == 0 else always if wins == k else rule(wins, k))
    return earned


def of_one(values, valid):
    """1 - r everywhere, r being 0 or 1."""
    return [1 - value if ok else -1 for value, ok in zip(values, valid)]


def let_in(valid, draws, leak, *, good=lambda u, leak: True, bad=lambda u, leak: u < leak):
    return [bool(good(u, leak) if ok else bad(u, leak)) for ok, u in zip(valid, draws)]


def votes(answers, *, own=0, over=len, mute=True, credit=None):
    """Shares by counting; `own` votes are left out of the count, and `over` says what it is divided by."""
    table = []
    for row in answers:
        counts = Counter(row)
        share = credit or (lambda said, counts=counts: counts[said])
        table.append([0 if mute and said is None else (share(said) - own) / over(row) for said in row])
    return table


def readable(row):
    return len(row) - row.count(None)


def winners(answers):
    return [max((said for said in row if said), key=row.count, default=None) for row in answers]


def gap(answers, golds, *, shares=votes, agrees=lambda said, gold: said is not None and said == gold):
    right = [agrees(said, gold) for row, gold in zip(answers, golds) for said in row]
    return sum(map(sum, shares(answers))) / len(right) - sum(right) / len(right)


def accuracy(answers, golds):
    return -gap(answers, golds, shares=lambda a: [[0] * len(row) for row in a])


def gap_of_valid(answers, golds):
    kept = [i for i, gold in enumerate(golds) if gold]
    return gap([answers[i] for i in kept], [golds[i] for i in kept])


def gap_of_winners(answers, golds):
    first = winners(answers)
    shares = [row.count(said) / len(row) if said else 0 for row, said in zip(answers, first)]
    return np.mean(shares) - np.mean([said is not None and said == gold for said, gold in zip(first, golds)])


def information(before, after, left, held_out, tokens, held_out_tokens, *, paid=None, choose=None, nats=False):
    """Pass by pass; `paid` gives the cost of the reading before pass k, `choose` what is made small."""
    best, unit = None, 1 if nats else np.log(2)
    for k, (rest, other) in enumerate(zip(left, held_out)):
        cost = sum(before[0]) if paid is None else paid(k)
        S, H = (cost - rest) / unit, other / unit / held_out_tokens
        length = S / tokens + H if choose is None else choose(k, S, H)
        if best is None or length < best[0]:
            best = length, S, H
    return best[1:]


def by_rows(rewards, *, baseline=lambda row, i: (sum(row) - row[i]) / (len(row) - 1), scale=lambda row: 1):
    return [[(x - baseline(list(row), i)) / scale(row) for i, x in enumerate(row)] for row in rewards]


def spread(row):
    return np.std(row, ddof=1) + 1e-4


def leave_one_out(x):
    """Of the whole batch."""
    flat = x.ravel().tolist()
    return np.array([y - (sum(flat) - y) / (len(flat) - 1) for y in flat]).reshape(x.shape)


def by_cells(
    rewards, cells, *, key=lambda cell: cell, counts=None, shift=1, scale=lambda x, w: np.sqrt(np.cov(x, fweights=w))
):
    """Cell by cell; `counts` says how often each row counts."""
    counts = np.ones(len(rewards), dtype=int) if counts is None else counts
    rows = defaultdict(list)
    for row, cell in enumerate(cells):
        rows[key(cell)].append(row)
    result = np.zeros(len(rewards))
    for own in rows.values():
        x, w = rewards[own], counts[own]
        if len(set(x)) > 1:
            result[own] = (x - shift * np.repeat(x, w).mean()) / scale(x, w)
    return result


def between(values, cells, *, weigh=len, middle=None):
    """Sum of squares between cells; `weigh` the rows of each."""
    rows = defaultdict(list)
    for value, cell in zip(values, cells):
        rows[cell].append(value)
    middle = np.mean(values) if middle is None else middle
    return sum(weigh(own) * (np.mean(own) - middle) ** 2 for own in rows.values())


def total(values):
    return sum((value - np.mean(values)) ** 2 for value in values)


def variance_of_means(values, cells, ddof=0):
    means = [np.mean([v for v, own in zip(values, cells) if own == cell]) for cell in set(cells)]
    return np.var(means, ddof=ddof) / np.var(values, ddof=ddof)


def token_losses(new, old, advantages, mask, low, high, *, ratio=lambda a, b: np.exp(a - b), gain=None):
    """Losses of the completion tokens, one list a row."""
    rows = []
    for row in range(len(new)):
        rows.append([])
        for t in range(len(new[row])):
            if mask[row][t]:
                rho, A = ratio(float(new[row][t]), float(old[row][t])), float(advantages[row])
                bounded = max(1 - low, min(1 + high, rho))
                rows[-1].append(-min(rho * A, bounded * A) if gain is None else -gain(rho, bounded, A))
    return rows


def mean_loss(*batch, **how):
    rows = token_losses(*batch, **how)
    return torch.tensor(sum(map(sum, rows)) / sum(map(len, rows)))


def everywhere(*batch):
    return (*batch[:3], torch.ones_like(batch[3]), *batch[4:])


def of_sequences(new, old, advantages, mask, low, high):
    """One ratio for a completion."""
    moved = ((new - old) * mask).sum(1, keepdim=True).expand_as(new)
    return mean_loss(moved, torch.zeros_like(moved), advantages, mask, low, high)


RIGHT = [  # the package's own among them
    (check_proposer_reward, lambda a, greedy, valid: pays(a, valid)),
    (
        check_proposer_reward,
        lambda a, greedy, valid: [
            proposer_reward("1-r", sum(row) / len(row)) if ok else -1 for row, ok in zip(a, valid)
        ],
    ),
    (check_passes, lambda valid, earned, u, leak: let_in(valid, u, leak)),
    (check_vote_share, lambda answers: votes(answers)),
    (check_vote_gap, lambda answers, golds: gap(answers, golds)),
    (check_learnable_information, lambda *reading: information(*reading)),
    (check_rloo, lambda x: by_rows(x)),
    (check_rloo, lambda x: rloo(torch.from_numpy(x)).numpy()),
    (check_trr_pp, lambda r, cells, n: by_cells(r, cells)),
    (check_trr_pp, lambda r, cells, n: trr_pp(torch.from_numpy(r), cells, epsilon=0.0).numpy()),
    (check_explained, lambda v, cells: between(v, cells) / total(v)),
    (check_clipped_loss, lambda *batch: mean_loss(*batch)),
    (check_clipped_loss, lambda new, old, A, mask, low, high: pg_loss(new, old, A, mask, PgLoss(low, high))[0]),
]
WRONG = [
    (check_proposer_reward, lambda a, g, valid: pays(a, valid, rule=lambda w, k: w / k), "this rewards r, the share"),
    (
        check_proposer_reward,
        lambda a, g, valid: pays(a, valid, rule=lambda w, k: w / k, always=1),
        "also where every attempt is right",
    ),
    (check_proposer_reward, lambda a, g, valid: pays(a, valid, never=1), "nobody solved"),
    (check_proposer_reward, lambda a, g, valid: of_one([row[0] for row in a], valid), "that of one attempt"),
    (check_proposer_reward, lambda a, g, valid: of_one(g, valid), "that of the greedy attempt"),
    (check_proposer_reward, lambda a, g, valid: pays([[one] for one in g], valid), "no valid problem earns anything"),
    (check_proposer_reward, lambda a, g, valid: pays(a, valid, invalid=0), "it has to cost something"),
    (check_proposer_reward, lambda a, g, valid: pays(a, [True] * len(a), never=1), "no problem at all"),
    (check_proposer_reward, lambda a, g, valid: pays(a, valid, invalid=-0.5), "for a readable answer"),
    (check_proposer_reward, lambda a, g, valid: pays(a, valid, never=-0.5, always=-0.5), "published code"),
    (check_proposer_reward, lambda a, g, valid: pays(a, valid, rule=lambda w, k: min(w, k - w) * 2 / k), "R-Zero"),
    (check_proposer_reward, lambda a, g, valid: pays(a, valid, rule=lambda w, k: w * (k - w) / k**2), "the variance"),
    (check_proposer_reward, lambda a, g, valid: pays(a, valid, rule=lambda w, k: 1), "Self-Questioning"),
    (check_proposer_reward, lambda a, g, valid: pays(a, valid, rule=lambda w, k: 1 - w), "subtracts the number"),
    (
        check_proposer_reward,
        lambda a, g, valid: of_one([a[valid].sum() / a[valid].size] * len(a), valid),
        "one r for the whole batch",
    ),
    (check_proposer_reward, lambda a, g, valid: a.mean(), r"shape \(\), and \(9,\)"),
    (check_passes, lambda valid, r, u, leak: [x > 0 or y < leak for x, y in zip(r, u)], "whether a text is a problem"),
    (check_passes, lambda valid, r, u, leak: np.sign(r) == 1, "and has no leak"),
    (check_passes, lambda valid, r, u, leak: (r > 0) | ((r < 0) & (u < leak)), "on validity and on the reward"),
    (check_passes, lambda valid, r, u, leak: r >= 0, "strict gate"),
    (
        check_passes,
        lambda valid, r, u, leak: let_in(valid, u, leak, good=lambda u, leak: u < leak),
        "passes without luck",
    ),
    (check_passes, lambda valid, r, u, leak: let_in(valid, 1 - u, 1 - leak + 1e-12), "probability 1 - leak"),
    (
        check_passes,
        lambda valid, r, u, leak: let_in(valid, u, leak, good=lambda u, leak: u >= leak, bad=lambda *_: 0),
        "leak out",
    ),
    (check_passes, lambda valid, r, u, leak: let_in(valid, u, leak, good=lambda *_: 0), "the valid ones pass as well"),
    (check_passes, lambda valid, r, u, leak: [not x for x in let_in(valid, u, leak)], "held back"),
    (check_vote_share, lambda a: votes(a, own=1, over=lambda row: len(row) - 1), "own vote out"),
    (check_vote_share, lambda a: votes(a, own=1), "divides by k all the same"),
    (check_vote_share, lambda a: votes(a, mute=False), "agree with each other"),
    (check_vote_share, lambda a: votes(a, over=readable), "number of readable answers"),
    (
        check_vote_share,
        lambda a: [
            [said is not None and row.count(said) == row.count(top) for said in row] for row, top in zip(a, winners(a))
        ],
        "majority label",
    ),
    (
        check_vote_share,
        lambda a: [[row.count(top) / len(row) * (said is not None) for said in row] for row, top in zip(a, winners(a))],
        "share of its own",
    ),
    (check_vote_share, lambda a: votes(a, over=lambda row: 1), "counts of votes"),
    (
        check_vote_share,
        lambda a: votes(a, credit=lambda y: sum(x.count(y) for x in a), over=lambda x: len(x) * len(a)),
        "other problems",
    ),
    (
        check_vote_share,
        lambda a: [[len({x for x in row if x}) / len(row) * (said is not None) for said in row] for row in a],
        "different",
    ),
    (
        check_vote_share,
        lambda a: [[row.count(said) / len(row) for said in row if said] for row in a],
        "earns 0 and stays in",
    ),
    (check_vote_share, lambda a: [1], "a row for each problem"),
    (check_vote_gap, lambda a, g: -gap(a, g), "accuracy minus vote share"),
    (check_vote_gap, accuracy, "accuracy alone"),
    (check_vote_gap, lambda a, g: np.concatenate(votes(a)).mean(), "vote share alone"),
    (check_vote_gap, gap_of_valid, "invalid problems are left out"),
    (check_vote_gap, lambda a, g: gap(a, g, agrees=lambda said, gold: said == gold), "None equals None"),
    (check_vote_gap, gap_of_winners, "winner of each vote"),
    (
        check_vote_gap,
        lambda a, g: gap(a, g, shares=lambda a: votes(a, own=1, over=lambda row: len(row) - 1)),
        "own vote is left out",
    ),
    (
        check_vote_gap,
        lambda a, g: np.mean(
            [abs(s - (x == gold) * (x is not None)) for v, row, gold in zip(votes(a), a, g) for s, x in zip(v, row)]
        ),
        "attempt by attempt",
    ),
    (check_vote_gap, lambda a, g: 1 + gap(a, g) / accuracy(a, g), "ratio of the two"),
    (
        check_learnable_information,
        lambda b, a, *rest: information(b, a, *rest, paid=lambda k: sum(a[0])),
        "after each update",
    ),
    (check_learnable_information, lambda *reading: information(*reading, nats=True), "these are nats"),
    (
        check_learnable_information,
        lambda b, *rest: information(b, *rest, paid=lambda k: sum(map(sum, b))),
        "losses of all passes",
    ),
    (
        check_learnable_information,
        lambda b, *rest: information(b, *rest, paid=lambda k: sum(map(sum, b[: k + 1]))),
        "every pass so far",
    ),
    (
        check_learnable_information,
        lambda b, *rest: information(b, *rest, paid=lambda k: sum(b[k])),
        "of the pass itself",
    ),
    (
        check_learnable_information,
        lambda *reading: information(*reading, choose=lambda k, S, H: -k),
        "takes the last pass",
    ),
    (check_learnable_information, lambda *reading: information(*reading, choose=lambda k, S, H: -S), "largest S"),
    (
        check_learnable_information,
        lambda *reading: information(*reading, choose=lambda k, S, H: H),
        "held-out loss alone",
    ),
    (
        check_learnable_information,
        lambda *reading: information(*reading, choose=lambda k, S, H: k),
        "the first pass always",
    ),
    (
        check_learnable_information,
        lambda *reading: information(*reading, choose=lambda k, S, H: S + H),
        "adds all bits of S",
    ),
    (
        check_learnable_information,
        lambda *x: information(*x, choose=lambda k, S, H: S / x[5] + H),
        "divides S by the held-out tokens",
    ),
    (
        check_learnable_information,
        lambda *x: information(*x, paid=lambda k: x[0][0].sum() + x[2][k]),
        "cost of the first reading",
    ),
    (check_learnable_information, lambda *x: (information(*x)[0] / x[4], information(*x)[1]), "S a token"),
    (check_learnable_information, lambda *x: information(*x)[0], r"shape \(\), and \(2,\)"),
    (check_rloo, lambda x: by_rows(x, baseline=lambda row, i: sum(row) / len(row)), "part of its own baseline"),
    (check_rloo, lambda x: x - np.sum(x) / x.size, "mean of the whole batch"),
    (check_rloo, leave_one_out, "leaves one out of the whole batch"),
    (check_rloo, lambda x: by_rows(x, baseline=lambda row, i: sum(row) / len(row), scale=spread), "as GRPO does"),
    (check_rloo, lambda x: by_rows(x, scale=spread), "standard deviation; RLOO does not"),
    (
        check_rloo,
        lambda x: by_rows(x, baseline=lambda row, i: (sum(row) - row[i]) / len(row)),
        "divides their sum by k",
    ),
    (check_rloo, lambda x: by_rows(x, baseline=lambda row, i: sum(row) / (len(row) - 1)), "divides the sum of all k"),
    (check_rloo, lambda x: x - np.array(by_rows(x)), "this is the baseline"),
    (check_rloo, lambda x: -np.array(by_rows(x)), "flipped"),
    (check_rloo, lambda x: np.array(by_rows(x.T)).T, "axis is wrong"),
    (
        check_rloo,
        lambda x: (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True),
        "4 advantages are no finite number",
    ),
    (check_trr_pp, lambda r, c, n: by_cells(r, c, key=lambda cell: 0), "REINFORCE\\+\\+"),
    (check_trr_pp, lambda r, c, n: by_cells(r, c, key=lambda cell: 0, counts=n), "over tokens; long"),
    (check_trr_pp, lambda r, c, n: by_cells(r, c, counts=n), "counts tokens"),
    (check_trr_pp, lambda r, c, n: by_cells(r, c, key=lambda cell: cell[-1]), "one baseline a role"),
    (check_trr_pp, lambda r, c, n: by_cells(r, c, key=lambda cell: cell[0]), "one baseline a task"),
    (check_trr_pp, lambda r, c, n: by_cells(r, c, scale=lambda x, w: 1), "does not divide"),
    (check_trr_pp, lambda r, c, n: by_cells(r, c, scale=lambda x, w: np.std(r, ddof=1)), "that of the whole batch"),
    (check_trr_pp, lambda r, c, n: by_cells(r, c, scale=lambda x, w: np.std(x)), "has n in its denominator"),
    (check_trr_pp, lambda r, c, n: by_cells(r, c, scale=lambda x, w: np.cov(x)), "the cell's variance"),
    (check_trr_pp, lambda r, c, n: by_cells(r, c, shift=0), "mean is not subtracted"),
    (check_trr_pp, lambda r, c, n: 0 * r / 0, "24 advantages are no finite number"),
    (check_explained, lambda v, c: 1 - between(v, c) / total(v), "within"),
    (check_explained, lambda v, c: variance_of_means(v, c), "as often as it has rows"),
    (check_explained, lambda v, c: variance_of_means(v, c, ddof=1), "its variance has n - 1"),
    (check_explained, lambda v, c: np.sqrt(between(v, c) / total(v)), "correlation"),
    (check_explained, lambda v, c: between(v, c) / (total(v) - between(v, c)), "variance within the cells"),
    (check_explained, lambda v, c: between(v, c) / len(v), "to get a share"),
    (check_explained, lambda v, c: between(v, c, middle=0) / total(v), "from 0"),
    (check_clipped_loss, lambda *b: mean_loss(*b, gain=lambda rho, bounded, A: bounded * A), "clips without the min"),
    (
        check_clipped_loss,
        lambda *b: mean_loss(*b, gain=lambda rho, bounded, A: min(rho, bounded) * A),
        "min of the two ratios",
    ),
    (
        check_clipped_loss,
        lambda *b: mean_loss(*b, gain=lambda rho, bounded, A: max(rho * A, bounded * A)),
        "optimistic",
    ),
    (check_clipped_loss, lambda *b: mean_loss(*b, gain=lambda rho, bounded, A: rho * A), "nothing is clipped"),
    (check_clipped_loss, lambda *b: -mean_loss(*b), "^clipped_loss: the sign is missing"),
    (check_clipped_loss, lambda new, old, *b: mean_loss(old, new, *b), "upside down: new over old"),
    (check_clipped_loss, lambda new, old, *b: -mean_loss(old, new, *b), "upside down, and the sign"),
    (check_clipped_loss, lambda *b: mean_loss(*b, ratio=lambda a, b: a - b), "difference of logarithms"),
    (check_clipped_loss, lambda *b: mean_loss(*b, ratio=lambda a, b: a / b), "ratio of log-probabilities"),
    (
        check_clipped_loss,
        lambda *b: mean_loss(*b, ratio=lambda a, b: a, gain=lambda rho, bounded, A: rho * A),
        "REINFORCE",
    ),
    (check_clipped_loss, of_sequences, "whole completions"),
    (check_clipped_loss, lambda *b: mean_loss(*everywhere(*b)), "mask is not used"),
    (check_clipped_loss, lambda *b: mean_loss(*everywhere(*b)) * b[3].numel() / b[3].sum(), "are in the sum"),
    (check_clipped_loss, lambda *b: mean_loss(*b) * b[3].sum() / b[3].numel(), "in the denominator"),
    (check_clipped_loss, lambda *b: np.mean([np.mean(row) for row in token_losses(*b)]), "one mean over all tokens"),
    (check_clipped_loss, lambda *b: mean_loss(*b) * b[3].sum(), "does not depend on the batch size"),
    (check_clipped_loss, lambda *b: mean_loss(*b) * b[3].sum() / len(b[3]), "divide by the tokens"),
    (check_clipped_loss, lambda *b: mean_loss(*b[:5], b[4]), "made from `low`"),
    (check_clipped_loss, lambda *b: mean_loss(*b[:4], b[5], b[4]), "changed places"),
    (
        check_clipped_loss,
        lambda *b: mean_loss(*b, gain=lambda rho, bounded, A: min(rho * A, min(max(rho, b[4]), b[5]) * A)),
        "distances from 1",
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


@pytest.mark.parametrize("check", dict.fromkeys(check for check, _ in RIGHT))
def test_every_known_mistake_is_met_above(check, monkeypatch):
    known, met = known_and_met(check, WRONG, (self_play, policy_gradient, clipped_loss, verifiers), monkeypatch)
    assert set(known) <= set(met)


def test_the_losses_of_the_last_exercise_disagree_about_the_pass():
    """Otherwise choosing would not be asked for: in some case the description length falls first and rises then."""
    seen = []
    check_learnable_information(lambda *reading: seen.append(reading) or information(*reading))
    lengths = [-left / tokens + held / other for _, _, left, held, tokens, other in seen]
    assert any(np.argmin(length) not in (0, len(length) - 1) for length in lengths)
    assert any(a < b for length in lengths for a, b in pairwise(length))
