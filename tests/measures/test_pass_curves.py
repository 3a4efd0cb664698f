"""Curves of pass@k: against subsets written out, a known binomial, and curves made to cross."""

import json
import random
from fractions import Fraction
from itertools import combinations
from math import comb, isclose, sqrt

import pytest
import torch

from spkit.claims.terms import Number
from spkit.measures.bootstrap import bootstrap_interval, with_ends
from spkit.measures.pass_at_k import pass_at_k
from spkit.measures.pass_curves import (
    compare_passes,
    crossing_of,
    pass_curve,
    pass_table,
    powers_of_two,
    temperature_curves,
)
from spkit.run.errors import SpkitError


def test_the_table_is_the_share_of_subsets_with_a_right_sample():
    n = 7
    table = pass_table(range(n + 1), n)
    for c in range(n + 1):
        for k in range(1, n + 1):
            met = sum(min(subset) < c for subset in combinations(range(n), k))
            assert table[c, k - 1].item() == pytest.approx(float(Fraction(met, comb(n, k))), abs=1e-14)


def test_the_table_is_the_exact_one_at_256():
    table = pass_table([0, 1, 5, 100, 255, 256], 256)
    for row, c in zip(table, (0, 1, 5, 100, 255, 256)):
        assert row.tolist() == pytest.approx([pass_at_k([c], 256, k) for k in range(1, 257)], abs=1e-12)


def test_a_curve_has_the_mean_and_an_interval_around_it():
    counts = [0, 1, 5, 16, 3, 9]
    curve = pass_curve(counts, 16, 0)
    assert list(curve) == ["1", "2", "4", "8", "16"] and powers_of_two(17) == [1, 2, 4, 8, 16]
    for k, found in curve.items():
        assert found["mean"] == pytest.approx(pass_at_k(counts, 16, int(k)))
        assert found["low"] < found["mean"] < found["high"]
    assert pass_curve(counts, 16, 0) == curve and pass_curve(counts, 16, 1) != curve
    assert list(pass_curve(counts, 16, 0, ks=[3, 10])) == ["3", "10"]


def test_the_bootstrap_is_every_resample_of_two_problems():
    """Means of two draws from (0, 1) are 0, 1/2, 1 with chances 1/4, 1/2, 1/4."""
    low, high = bootstrap_interval(torch.tensor([[0.0], [1.0]]), 0)
    assert (low.item(), high.item()) == (0, 1)
    assert with_ends([2.0, 2.0, 2.0], 0) == {"mean": 2, "low": 2, "high": 2}
    wide = with_ends([0.0, 1.0] * 200, 0)
    assert wide["high"] - wide["low"] == pytest.approx(2 * 1.96 * 0.5 / sqrt(400), rel=0.1), "the normal interval"


def test_an_interval_covers_the_truth_as_often_as_it_says():
    """Problems with a chance of 0.05 or 0.4 of a right sample, as many of each: pass@4 is known, and so is coverage."""
    draw, n, k, met = random.Random(0), 16, 4, 0
    truth = 1 - (0.95**k + 0.6**k) / 2
    for trial in range(300):
        chances = [draw.choice((0.05, 0.4)) for _ in range(60)]
        counts = [sum(draw.random() < chance for _ in range(n)) for chance in chances]
        found = pass_curve(counts, n, trial, ks=[k])[str(k)]
        met += found["low"] <= truth <= found["high"]
    assert 0.91 <= met / 300 <= 0.98


def test_a_paired_difference_is_surer_than_two_curves():
    draw = random.Random(0)
    base = [draw.randint(0, 12) for _ in range(80)]
    found = compare_passes(base, [count + draw.randint(0, 1) for count in base], 16, 0, ks=[1, 2, 16])
    for k in found["base"]:
        gap, one, other = (found[name][k] for name in ("difference", "trained", "base"))
        assert gap["mean"] == pytest.approx(one["mean"] - other["mean"])
    widths = [found[name]["1"]["high"] - found[name]["1"]["low"] for name in ("difference", "trained")]
    assert widths[0] < 0.2 * widths[1]
    assert found["samples"] == 16 and found["problems"] == 80
    assert Number("difference.16.mean").of(json.loads(json.dumps(found))) == found["difference"]["16"]["mean"]


def exact_crossing(base, trained, n):
    for k in range(1, n + 1):
        of = lambda counts: sum(Fraction(comb(n, k) - comb(n - c, k), comb(n, k)) for c in counts)
        if of(base) >= of(trained):
            return k
    return None


def test_a_crossing_is_found_where_it_was_made():
    """The trained policy solves half of all problems always and the others never; the base all of them, seldom."""
    base, trained = [4] * 40, [16] * 20 + [0] * 20
    found = compare_passes(base, trained, 16, 0)["crossing"]
    assert found["k"] == found["above_k"] == exact_crossing(base, trained, 16)
    assert not found["excludes_zero"] and found["k"] < found["clear_k"] < 16
    draw = random.Random(1)
    for _ in range(20):
        base, trained = ([draw.choice((0, 1, 3, 12)) for _ in range(9)] for _ in range(2))
        assert compare_passes(base, trained, 12, 0)["crossing"]["k"] == exact_crossing(base, trained, 12)


def test_where_there_is_no_crossing_or_no_lead():
    none = compare_passes([1] * 19 + [0], [2] * 20, 8, 0)["crossing"]
    assert none == {"k": None, "above_k": None, "excludes_zero": False, "clear_k": None}
    behind = compare_passes([2] * 20, [1] * 20, 8, 0)["crossing"]
    assert behind == {"k": 1, "above_k": 1, "excludes_zero": True, "clear_k": 1}
    full = compare_passes([2] * 20, [4] * 20, 8, 0)["crossing"]
    assert full == {"k": 7, "above_k": None, "excludes_zero": False, "clear_k": None}, "both solve all with 7 of 8"


def test_a_crossing_that_chance_could_make_is_not_clear():
    difference = torch.tensor([[0.3, -0.4]] * 6 + [[-0.1, 0.35]] * 6).double()
    found = crossing_of(difference, 0)
    assert found["k"] == 2 and not found["excludes_zero"] and found["clear_k"] is None


def test_temperatures_have_a_curve_each_and_a_best():
    counts = {0.3: [8, 0, 0], 1.0: [2, 2, 2]}
    found = temperature_curves(counts.__getitem__, 8, [0.3, 1.0], 0)
    assert set(found["at"]) == {"30", "100"} and found["at"]["30"] == pass_curve([8, 0, 0], 8, 0)
    assert found["best"]["1"]["temperature"] == 0.3 and found["best"]["8"]["temperature"] == 1.0
    assert isclose(found["best"]["8"]["mean"], 1)
    assert Number("at.30.1.mean").of(json.loads(json.dumps(found))) == pytest.approx(1 / 3)


def test_bad_counts_are_refused():
    for counts, n in (([], 4), ([5], 4), ([-1], 4), ([0], 0)):
        with pytest.raises(SpkitError, match="counts of right samples"):
            pass_curve(counts, n, 0)
    with pytest.raises(SpkitError, match="k must be in 1..4"):
        pass_curve([1], 4, 0, ks=[5])
    with pytest.raises(SpkitError, match="sample the same ones"):
        compare_passes([1], [1, 2], 4, 0)
    for temperatures in ([], [0.0], [0.5, 0.501]):
        with pytest.raises(SpkitError, match="temperatures above 0"):
            temperature_curves(lambda _: [1], 4, temperatures, 0)
    with pytest.raises(SpkitError, match="no problem to resample"):
        bootstrap_interval(torch.zeros(0, 1), 0)
