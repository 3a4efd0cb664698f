"""The exercises of notebook 05: right answers pass, and every usual mistake is named.

Right and wrong answers are written here by other means than in the checks: fractions and enumeration of subsets,
a decoder that goes by recursion, curves read by least squares.
"""

import math
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest

from spkit.exercises import dynamics, dynamics_runs
from spkit.exercises.checking import Mistake
from spkit.exercises.dynamics import check_crossing, check_swap
from spkit.exercises.dynamics_runs import DYNAMICS, check_control, check_read_run
from spkit.measures.pass_curves import compare_passes

from .mistakes import known_and_met


def share(c, n, k):
    return 1 - Fraction(math.comb(n - c, k), math.comb(n, k))


def subsets(c, n, k):
    drawn = list(combinations(range(n), k))
    return Fraction(sum(min(one) < c for one in drawn), len(drawn))


def crossing(base, trained, n, *, one=share, enough=lambda gap: gap >= 0, begin=1, step=lambda k: k + 1, none=0):
    k = begin
    while k <= n:
        if enough(sum(one(b, n, k) for b in base) - sum(one(t, n, k) for t in trained)):
            return k
        k = step(k)
    return none


def gaps(base, trained, n, one=share):
    """The lead of the trained policy, by k."""
    return {k: sum(one(t, n, k) - one(b, n, k) for b, t in zip(base, trained)) for k in range(1, n + 1)}


def last_crossing(base, trained, n):
    return max((k for k, gap in gaps(base, trained, n).items() if gap <= 0), default=0)


def pooled(base, trained, n):
    total = lambda counts, k: share(sum(counts), n * len(counts), k)
    return next((k for k in range(1, n + 1) if total(base, k) >= total(trained, k)), 0)


def of_means(base, trained, n):
    chance = lambda counts, k: 1 - (1 - Fraction(sum(counts), n * len(counts))) ** k
    return next((k for k in range(1, n + 1) if chance(base, k) >= chance(trained, k)), 0)


def furthest(base, trained, n):
    found = gaps(base, trained, n)
    return min(found, key=found.get)


def lag(found, by=1, least=0):
    return max(found - by, least) if found else 0


def by_package(base, trained, n):
    return compare_passes(base, trained, n, 0)["crossing"]["k"] or 0


def divergence(p, q):
    return sum(a * (math.log(a) - math.log(b)) for a, b in zip(p, q))


def best(chances):
    return max(range(len(chances)), key=lambda token: chances[token])


def write(base, trained, prompt, length, threshold, *, far=lambda p, q: divergence(q, p), above=True, take=None,
          end=True, text=None):  # fmt: skip
    """One token, and the rest by recursion."""
    text = list(prompt) if text is None else text
    if length == 0:
        return []
    p, q = base(text), trained(text)
    swap = (far(p, q) > threshold) == above
    token = best((q if swap else p) if take is None else take(p, q, swap))
    if end and token == 0:
        return [token]
    rest = write(base, trained, prompt, length - 1, threshold, far=far, above=above, take=take, end=end,
                 text=text + [token])  # fmt: skip
    return [token, *rest]


def afterwards(base, trained, prompt, length, threshold):
    text = write(base, trained, prompt, length, math.inf)
    prefixes = [list(prompt) + text[:i] for i in range(len(text))]
    return [
        best(trained(read)) if divergence(trained(read), base(read)) > threshold else token
        for read, token in zip(prefixes, text)
    ]


def two_texts(base, trained, prompt, length, threshold):
    one, other = (write(base, trained, prompt, length, limit) for limit in (math.inf, -1.0))
    found = []
    for i, token in enumerate(one):
        gap = divergence(trained(list(prompt) + other[:i]), base(list(prompt) + one[:i]))
        found.append(other[i] if gap > threshold and i < len(other) else token)
    return found


def for_ever(base, trained, prompt, length, threshold):
    text = []
    for _ in range(length):
        read = list(prompt) + text
        if divergence(trained(read), base(read)) > threshold:
            return text + write(base, trained, read, length - len(text), -1.0)
        text.append(best(base(read)))
        if text[-1] == 0:
            break
    return text


def mixture(p, q, swap):
    return [a + b for a, b in zip(p, q)] if swap else p


def blind(base, trained, prompt, *rest):
    return write(lambda text: base(text[len(prompt) :]), lambda text: trained(text[len(prompt) :]), prompt, *rest)


def prompt_alone(base, trained, prompt, *rest):
    return write(lambda text: base(prompt), lambda text: trained(prompt), prompt, *rest)


def change(curve, count=5):
    return sum(curve[-count:]) / count - sum(curve[:count]) / count


ORDER = ("collapse", "entropy collapse", "format only")


def read_run(run, *, change=change, skilled=True, sure=False, order=ORDER, finishing=False, coverage=False):
    right = run["accuracy"] / run["finished"] if skilled else run["accuracy"]
    rises = change(run["finished"]) > 0.1
    gone = change(np.log(run["entropy"])) < math.log(0.2) and (sure or change(run["pass_at_k"]) < -0.05)
    found = {
        "collapse": change(run["accuracy"]) < -0.1,
        "entropy collapse": change(run["pass_at_k"]) < -0.05 if coverage else gone,
        "format only": rises and (finishing or change(right) < 0.1),
    }
    return next((name for name in order if found[name]), "learning")


def by_lines(run):
    """Slopes of least squares in place of ends."""
    slope = lambda curve: len(curve) * np.polyfit(range(len(curve)), curve, 1)[0]
    return read_run(run, change=slope)


def altered(**settings):
    return lambda run, others: {**run, "select": "random", **settings}


def picked(run, others):
    """The one that is there, if it is; else a new one."""
    wanted = {**run, "select": "random"}
    return others[others.index(wanted)] if wanted in others else wanted


def first_random(run, others):
    return next(one for one in others if one["select"] == "random")


def at_best(run):
    """The largest accuracy in place of the last."""
    rise = lambda curve: max(curve) - sum(curve[:5]) / 5 if curve is run["accuracy"] else change(curve)
    return read_run(run, change=rise)


RIGHT = [  # the package's own among them
    (check_crossing, crossing),
    (check_crossing, lambda *some: crossing(*some, one=subsets)),
    (check_crossing, by_package),
    (check_swap, write),
    (check_read_run, read_run),
    (check_control, altered()),
    (check_control, altered(select="shuffled")),
    (check_control, picked),
]
EARLY = ("entropy collapse", "collapse", "format only")
WRONG = [
    (check_crossing, lambda *some: crossing(*some, one=lambda c, n, k: 1 - (1 - Fraction(c, n)) ** k), "plug-in"),
    (check_crossing, pooled, "together"),
    (check_crossing, of_means, "together"),
    (check_crossing, lambda *some: crossing(*some, step=lambda k: 2 * k), "k = 1, 2, 4"),
    (check_crossing, lambda b, t, n: crossing(t, b, n), "exchanged"),
    (check_crossing, lambda *some: crossing(*some, enough=lambda gap: gap > 0), "both are equal"),
    (check_crossing, last_crossing, "the last such k"),
    (check_crossing, lambda *some: crossing(*some) - 1 if crossing(*some) else 0, "one less"),
    (check_crossing, lambda *some: lag(crossing(*some), least=1), "last k at which the trained policy leads"),
    (check_crossing, lambda b, t, n: crossing(b, t, n, none=n), "this says n"),
    (check_crossing, furthest, "furthest ahead"),
    (check_crossing, lambda *some: crossing(*some, begin=2), "starts at k = 2"),
    (check_swap, afterwards, "replaced afterwards"),
    (check_swap, two_texts, "reads its own text"),
    (check_swap, lambda *some: write(*some, far=divergence), r"this is KL\(base"),
    (check_swap, lambda *some: write(*some, far=lambda p, q: sum(map(abs, p - q)) / 2), "total variation"),
    (check_swap, lambda *some: write(*some, far=lambda p, q: sum(map(abs, p - q))), "sum of absolute differences"),
    (check_swap, lambda *some: write(*some, above=False), "close"),
    (check_swap, lambda base, trained, *some: write(trained, base, *some), "exchanged"),
    (check_swap, lambda *some: write(*some, take=lambda p, q, swap: p), "base alone"),
    (check_swap, lambda *some: write(*some, take=lambda p, q, swap: q), "trained policy alone"),
    (check_swap, for_ever, "for ever"),
    (check_swap, lambda *some: write(*some, take=mixture), "mean of both"),
    (check_swap, blind, "prompt is not read"),
    (check_swap, prompt_alone, "only the prompt"),
    (check_swap, lambda *some: write(*some, end=False), "behind its end"),
    (check_read_run, at_best, "best accuracy"),
    (check_read_run, lambda run: read_run(run, change=lambda curve: curve[-1] - curve[0]), "last iteration alone"),
    (check_read_run, lambda run: read_run(run, sure=True), "though pass@k holds"),
    (check_read_run, lambda run: read_run(run, finishing=True), "compare the accuracy of those that finish"),
    (check_read_run, lambda run: read_run(run, skilled=False), "only the format was learned"),
    (check_read_run, lambda run: read_run(run, order=EARLY), "ask first whether accuracy fell"),
    (check_read_run, lambda run: read_run(run, order=("collapse", "format only")), "never seen"),
    (check_read_run, lambda run: read_run(run, coverage=True, order=EARLY), "wherever pass@k falls"),
]
UNFIT = [  # answers that are refused by what they are
    (check_read_run, lambda run: "improvement", "it is one of"),
    (check_control, lambda run, others: others[0], "to keep all is no selection"),
    (check_control, lambda run, others: run, "still selects by reward"),
    (check_control, altered(select="wrong"), "the other way"),
    (check_control, altered(select="longest"), "length goes with reward"),
    (check_control, altered(select="by chance"), "there is no selection"),
    (check_control, first_random, "another number of samples is kept.*optimizer steps differs"),
    (check_control, altered(seeds=(0,)), "seeds differ"),
    (check_control, altered(seeds=(7, 8, 9)), "seeds differ"),
    (check_control, altered(steps=41), "optimizer steps"),
    (check_control, altered(samples=1), "not as many tokens"),
    (check_control, altered(problems=7), "other problems"),
    (check_control, altered(temperature=0.2), "another temperature"),
    (check_control, altered(base="addition"), "another base"),
    (check_control, altered(batch=1, learning_rate=1.0), "size.*; the learning rate"),
    (check_control, lambda run, others: "random", "return the settings"),
    (check_control, lambda run, others: {"select": "random"}, "yours differ in"),
]


@pytest.mark.parametrize(("check", "answer"), RIGHT)
def test_right_answers_pass(check, answer, capsys):
    check(answer)
    assert capsys.readouterr().out.endswith(": right.\n")


@pytest.mark.parametrize(("check", "wrong", "message"), WRONG + UNFIT)
def test_usual_mistakes_are_named(check, wrong, message):
    with np.errstate(all="ignore"), pytest.raises(Mistake, match=message):
        check(wrong)


@pytest.mark.parametrize("check", dict.fromkeys(check for check, _, _ in WRONG))
def test_every_known_mistake_is_met_above_and_told_from_the_others(check, monkeypatch):
    known, met = known_and_met(check, WRONG, (dynamics, dynamics_runs), monkeypatch)
    assert known and set(known) <= set(met)


def test_the_curves_are_possible():
    """As many are right as finish, at most, and pass@k is not below accuracy; every name is there more than once."""
    names = [name for name, _ in dynamics_runs.RUNS]
    assert set(names) == set(DYNAMICS) and all(names.count(name) > 1 for name in DYNAMICS)
    for _, run in dynamics_runs.RUNS:
        assert (run["accuracy"] <= run["finished"]).all() and (run["accuracy"] <= run["pass_at_k"]).all()
        assert run["finished"].max() <= 1 and run["entropy"].min() > 0


@pytest.mark.parametrize("name", ["collapse", "format only", "entropy collapse"])
def test_curves_read_in_another_way_are_the_same(name):
    """Slopes of lines and means of ends agree on curves without a turn or an outlier."""
    runs = [run for own, run in dynamics_runs.RUNS if own == name]
    plain = [run for run in runs if name != "collapse" or run["accuracy"].argmax() < 10]
    assert plain and [by_lines(run) for run in plain] == [name] * len(plain)
