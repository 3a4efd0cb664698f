"""What the claims about STaR, ReST and collapse compute from records."""

from dataclasses import replace

import pytest

from spkit.claims import STAR_CLAIMS, SUMS_CLAIMS
from spkit.claims.sums_collapse import COLLAPSE_CLAIMS
from spkit.claims.sums_self_training import SUMS_EXPERIMENTS
from spkit.policy import load_policy
from spkit.tasks import load_task

BY_ID = {claim.id: claim for claim in STAR_CLAIMS + SUMS_CLAIMS + COLLAPSE_CLAIMS}


def record(accuracy: float, **more) -> dict:
    return {"accuracy": accuracy, "kept": 0, **more}


def curriculum(*accuracies: dict[str, float]) -> list[dict]:
    """RunRecords with these accuracies of 3, 4 and 5 digits."""
    lengths = [{"1": 1.0, "2": 1.0, **one} for one in accuracies]
    return [{"iteration": i, "accuracy": 0.4, "accuracy_by_difficulty": one} for i, one in enumerate(lengths)]


def effect(id: str, **runs: list[dict]) -> float:
    return BY_ID[id].measure({name.replace("_", "-"): records for name, records in runs.items()})["effect"]


def test_when_lengths_are_learned():
    low = {"3": 0.1, "4": 0.0, "5": 0.0}
    hinted = curriculum(low, {"3": 0.9, "4": 0.6, "5": 0.5}, {"3": 0.9, "4": 0.9, "5": 0.6})
    without = curriculum(low, low, {"3": 0.51, "4": 0.0, "5": 0.0})
    assert effect("star-earlier", star=hinted, star_no_hint=without) == pytest.approx((1 + 2 + 1) / 3)
    assert effect("star-stages", star_no_hint=without) == 1 and effect("star-stages", star_no_hint=hinted) == 3
    kept = BY_ID["star-earlier"].measure({"star": hinted, "star-no-hint": without})
    assert kept["with"] == {"1": 0, "2": 0, "3": 1, "4": 1, "5": 2} and kept["without"]["4"] is None
    assert effect("star-base", star_below_chance=without) == pytest.approx(0.41 / 3)


def test_wrong_steps_are_those_of_the_first_iteration_and_none_kept_is_no_wrong_step():
    rates = [{"iteration": i, "kept_wrong_steps_rate": rate} for i, rate in enumerate((None, 0.25, 0.5))]
    none = [{"iteration": i, "kept_wrong_steps_rate": None} for i in range(3)]
    assert effect("star-wrong-steps", star=rates, star_no_hint=none) == 0.25


def test_effects_are_what_their_criteria_say():
    two = {
        "em": [record(0.4), record(0.7)],
        "em-random": [record(0.4), record(0.3)],
        "none": [record(0.5), record(0.2)],
    }
    assert BY_ID["em-selection"].measure(two)["effect"] == pytest.approx(0.4)
    assert effect("verify-none", none=two["none"]) == pytest.approx(0.3)
    ks = ("1", "2", "4", "8", "16")
    passes = [record(0, pass_at_k=dict(zip(ks, row))) for row in ((0.2, 0, 0, 0, 0.8), (0.5, 0, 0, 0, 0.9))]
    assert effect("em-pass", em=passes) == pytest.approx(0.3 - 0.1)
    kept = record(0, iteration=1, kept_by_difficulty={"2": 0.25, "3": 0.5, "6": 0.25})
    long = record(0, iteration=1, kept_by_difficulty={"6": 1.0})
    assert effect("em-cap-share", em_all=[kept], em=[long]) == 0.75
    shares = {"rft-tiny": [record(0.5), record(0.6)], "rft": [record(0.5), record(0.9)]}
    assert BY_ID["rft-tiny"].measure(shares)["effect"] == pytest.approx(0.25)
    gaps = {run: [record(0.5, train_accuracy=train)] for run, train in (("em-few", 0.9), ("em-many", 0.6))}
    assert BY_ID["em-gap"].measure(gaps)["effect"] == pytest.approx(0.3)
    rises = [record(0, perplexity=p, tail_mass=t) for p, t in ((1.0, 0.3), (1.5, 0.1))]
    assert effect("collapse-regimes", replace=rises, mix=rises, accumulate=rises, filtered=rises) == 0.5
    assert effect("collapse-tail", replace=rises) == pytest.approx(0.2)


def test_the_temperature_sweep_gets_worse_with_heat():
    experiment = SUMS_EXPERIMENTS["temperatures"]
    small = replace(experiment.config, samples=4, test_per_difficulty=10)
    _, *records = experiment.loop(load_policy("sums"), load_task("sums"), small)
    shares = [record["accuracy"] for record in records]
    assert [record["temperature"] for record in records] == [0.4, 0.7, 1.0, 1.3] and shares[0] > shares[-1]
