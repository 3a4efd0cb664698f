"""What expressions of claims compute and say, on records made by hand."""

import pytest

from spkit.claims.readings import at, at_shared, base, early, final, first_above, gain, late, on_the_way, passing, rise
from spkit.claims.stored import Blocks, Curve, FirstAbove, Last, Rows, curves, data_of, runs_of, tree_of
from spkit.claims.terms import Number, largest, least
from spkit.run.errors import SpkitError

RUNS = {
    "a": [{"iteration": i, "score": score, "by": {"1": score, "2": 1.0}} for i, score in enumerate((0.2, 0.4, 0.7))],
    "b": [{"iteration": i, "score": score} for i, score in enumerate((0.2, 0.3, 0.4))],
    "long": [{"iteration": i, "score": None if i == 3 else float(i)} for i in range(31)],
}


def test_readings_of_one_run():
    assert final("a", "score").of(RUNS) == 0.7 and base("a", "score").of(RUNS) == 0.2
    assert gain("a", "score").of(RUNS) == pytest.approx(0.5) and at("a", "score", iteration=1).of(RUNS) == 0.4
    assert final("a", Number("by", levels=("1", "2"))).of(RUNS) == pytest.approx(0.85), "the mean over levels"
    assert final("a", Number("by", levels=("1", "2"), total=True)).of(RUNS) == pytest.approx(1.7)
    assert final("b", Number("by", levels=("1",), total=True, missing=0.0)).of(RUNS) == 0


def test_early_and_late_are_ten_iterations_without_the_base_and_skip_what_is_missing():
    assert early("long", "score").of(RUNS) == pytest.approx(sum({*range(1, 11)} - {3}) / 9)
    assert late("long", "score").of(RUNS) == 25.5 and rise("long", "score").of(RUNS) == pytest.approx(25.5 - 52 / 9)
    assert rise("long", "score", until=20).of(RUNS) == pytest.approx(15.5 - 52 / 9)


BUDGETS = {
    "short": [{"sampled_tokens": 0, "optimizer_steps": 0, "score": 0.0}, {"sampled_tokens": 100, "optimizer_steps": 4}]
    + [{"sampled_tokens": 200, "optimizer_steps": 8, "score": 1.0}],
    "long": [
        {"sampled_tokens": tokens, "optimizer_steps": steps, "score": score}
        for tokens, steps, score in ((0, 0, 0.0), (50, 10, 0.2), (250, 10, 0.6), (400, 40, 0.9))
    ],
    "gold": [{"sampled_tokens": 0, "gold_tokens": 60 * i, "optimizer_steps": 6 * i, "score": i / 4} for i in range(5)],
}


def test_readings_at_equal_compute_by_hand():
    runs, read = ("short", "long", "gold"), lambda run, budget: at_shared(run, "score", budget, runs).of(BUDGETS)
    assert read("short", "sampled_tokens") == 1.0, "200 tokens are the most that all have, and short ends there"
    assert read("long", "sampled_tokens") == pytest.approx(0.2 + 0.4 * 150 / 200)
    assert read("gold", "sampled_tokens") == pytest.approx(0.75 + 0.25 * 20 / 60), "gold tokens that were read count"
    assert read("long", "optimizer_steps") == pytest.approx(0.16), "8 steps, before the two records at 10"
    assert read("short", "optimizer_steps") == 1.0 and read("gold", "optimizer_steps") == pytest.approx(1 / 3)
    assert at_shared("long", "score", "optimizer_steps", ("gold",)).of(BUDGETS) == pytest.approx(0.6 + 0.3 * 14 / 30)
    way = lambda run, budget: on_the_way(run, "score", budget, runs).of(BUDGETS)
    assert way("short", "sampled_tokens") == 0.5
    assert way("long", "sampled_tokens") == pytest.approx((0.1 * 50 + (0.2 + 0.5) / 2 * 150) / 200)
    criterion = (
        at_shared("long", "score", "sampled_tokens", runs) - at_shared("short", "score", "sampled_tokens", runs) > 0
    )
    assert str(criterion) == "score at the most sampled tokens that all runs have, long minus short > 0"
    assert criterion.term.runs == ("long", "short", "gold")
    with pytest.raises(SpkitError, match="was not measured at 100"):
        at_shared("short", "score", "sampled_tokens", runs).of(BUDGETS | {"short": BUDGETS["short"][:2]})


def test_when_a_level_is_first_above_and_how_many_come_to_pass():
    by = Number("by", levels=("1", "2"))
    assert first_above("a", by, 0.5).of(RUNS) == 1 and passing("a", by, 0.5).of(RUNS) == 1, "2 is above in the base"
    assert first_above("a", Number("by", levels=("1",)), 0.9).of(RUNS) == 3, "never is one past the end"


def test_terms_together():
    ours, other = final("a", "score"), final("b", "score")
    assert (ours - other).of(RUNS) == pytest.approx(0.3) and (other / ours).of(RUNS) == pytest.approx(4 / 7)
    assert abs(other - ours).of(RUNS) == pytest.approx(0.3) and (ours / 1000).of(RUNS) == pytest.approx(0.0007)
    assert least(ours, other).of(RUNS) == 0.4 and largest(ours, other).of(RUNS) == 0.7
    assert ((ours - other) - abs(ours - base("long", "score"))).runs == ("a", "b", "long")


def test_criteria_say_what_they_compare_and_what_is_shared_once():
    ours, other = final("a", "score"), final("b", "score")
    assert str(ours > 0.85) == "a: final score > 0.85" and str(0.5 > ours) == "a: final score < 0.5"
    assert str(ours - other > 0) == "final score, a minus b > 0"
    assert str(base("a", "score") - final("a", "score") > 0) == "a: score, base minus final > 0"
    assert str(gain("a", "score") - gain("a", "other_score") > 0) == "a: gain in score minus other score > 0"
    assert str(ours - final("b", "loss") < 1) == "(a: final score) minus (b: final loss) < 1"
    assert str(ours / other > 0.5) == "final score, a divided by b > 0.5"
    assert str((ours - other) / 1000 > 0) == "(final score, a minus b) divided by 1,000 > 0"
    assert "the absolute value of (final score, a minus b)" in str((ours - other) - abs(ours - other) > 0)
    assert "first iteration with by above 0.5" in str(first_above("a", Number("by", levels=("1",)), 0.5) > 0)


def test_verdicts_in_both_directions():
    above, below = final("a", "score") > 0, final("a", "score") < 0.05
    assert above.verdict(0.01, 0.5) == "holds" and below.verdict(-0.2, 0.04) == "holds"
    assert above.verdict(-0.5, -0.1) == above.verdict(-0.5, 0.0) == "does not hold"
    assert below.verdict(0.06, 0.1) == below.verdict(0.05, 0.1) == "does not hold"
    assert above.verdict(-0.1, 0.5) == above.verdict(0.0, 0.5) == "inconclusive"
    assert below.verdict(-0.1, 0.5) == below.verdict(-0.1, 0.05) == "inconclusive"


def test_what_is_no_criterion_is_refused():
    with pytest.raises(TypeError, match="compare a term with a number"):
        _ = final("a", "score") > final("b", "score")
    with pytest.raises(TypeError, match="neither true nor false"):
        _ = 0 < final("a", "score") < 1


def test_a_number_that_is_not_there_is_named():
    with pytest.raises(SpkitError, match="the run a has no final loss: no loss in 1 records"):
        final("a", "loss").of(RUNS)
    with pytest.raises(SpkitError, match="the run a has no score at iteration 9"):
        at("a", "score", iteration=9).of(RUNS)


def test_what_is_stored_is_data_too():
    tree = {
        "curve": Curve("a", "score"),
        "zeros": Curve("b", Number("by", missing=0)),
        "there": Curve("a", "iteration", only="by"),
        "blocks": Blocks("long", "score"),
        "parts": {"last": Last("a", "by"), "none": Last("b", "by"), "first": FirstAbove("a", "by", 0.5)},
        "rows": Rows("a", {"t": "iteration", "s": "score"}),
        "number": final("b", "score") - base("b", "score"),
    }
    assert runs_of(tree) == ("a", "b", "long")
    found = data_of(tree, RUNS)
    assert found["curve"] == [0.2, 0.4, 0.7] and found["zeros"] == [0, 0, 0] and found["there"] == [0, 1, 2]
    assert found["blocks"] == [round(52 / 9, 4), 15.5, 25.5]
    assert found["parts"] == {"last": {"1": 0.7, "2": 1.0}, "none": None, "first": {"1": 2, "2": 0}}
    assert found["rows"] == [{"t": 1, "s": 0.4}, {"t": 2, "s": 0.7}] and found["number"] == pytest.approx(0.2)


def test_curves_are_kept_of_every_run_of_the_criterion_and_of_more():
    tree = tree_of(curves("score", also=("long",)), ("a", "b"))
    assert data_of(tree, RUNS)["b"] == {"score": [0.2, 0.3, 0.4]} and runs_of(tree) == ("a", "b", "long")
