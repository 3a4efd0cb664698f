"""What the claims about self-play compute from records."""

import pytest

from spkit.claims import SELF_PLAY_CLAIMS
from spkit.claims.expressions_self_play import SELF_PLAY_EXPERIMENTS
from spkit.run.settings import changed

BY_ID = {claim.id: claim for claim in SELF_PLAY_CLAIMS}


def run(*deep: float, iterations: int = 60, every: int = 20, **numbers: tuple[float, float]) -> list[dict]:
    """RunRecords with a look every so often, at which accuracy on depths 3 to 5 is as given, and numbers that go evenly
    from one value to another.
    """
    records = []
    for i in range(iterations + 1):
        row = {"iteration": i} | {
            key: low + (high - low) * (i - 1) / (iterations - 1) for key, (low, high) in numbers.items() if i
        }
        if i % every == 0:
            value = deep[i // every]
            levels = {"1": 1.0, "2": 1.0, "3": value, "4": value, "5": value}
            row |= {
                "accuracy": (2 + 3 * value) / 5,
                "tests": {"deduction": dict.fromkeys(("greedy", "pass@1", "pass@8"), levels)},
            }
        records.append(row)
    return records


def effect(id: str, **runs: list[dict]) -> float:
    return BY_ID[id].measure({name.replace("_", "-"): records for name, records in runs.items()})["effect"]


def test_effects_have_the_sign_their_criteria_say():
    az = run(0.1, 0.4, 0.5, 0.6, proposed_depth=(1.0, 3.0), solver_entropy=(0.5, 0.1), proposer_entropy=(0.9, 0.7))
    other = run(0.1, 0.2, 0.2, 0.3)
    assert effect("az-deep", az=az) == pytest.approx(0.5)
    assert effect("az-reach", az=az) == pytest.approx(0)
    assert effect("az-static", az=az, az_static=other) == pytest.approx(0.3)
    assert effect("az-flipped", az=az, az_flipped=other) == pytest.approx(0.6 * 0.3), (
        "after 40 iterations, over all depths"
    )
    assert effect("az-depth", az=az) == pytest.approx(2 * 50 / 59)
    flat = run(0.1, 0.2, 0.2, iterations=40, proposed_depth=(1.0, 1.0))
    assert effect("az-depth-paid", az=az, az_constant=flat) == pytest.approx(2 * 30 / 59)
    assert effect("az-entropy", az=az) > 0 and effect("az-entropy-roles", az=az) > 0
    assert effect("az-hardness", az_hardness=run(0.1, 0.1, 0.1, iterations=40, valid=(0.9, 0.1))) == pytest.approx(
        0.8 * 30 / 39
    )
    strict, off = (run(0.1, 0.3, end, iterations=40, vote_gap=(0.0, gap)) for end, gap in ((0.4, 0.1), (0.1, 0.5)))
    assert effect("az-gate", az_vote=strict, az_vote_off=off) == pytest.approx(0.18)
    assert effect("az-gap", az_vote=strict, az_vote_off=off) > 0.3
    shapes = {"az": az, "az_half": run(0.1, 0.2, 0.4, iterations=40)}
    assert effect("az-shape", az_vote=strict, az_vote_off=off, **shapes) == pytest.approx(0.18 - 0.06)
    assert effect("az-grounded", az=az, az_off=run(0.1, 0.4, 0.4, iterations=40)) == pytest.approx(0.6 * 0.1)
    numbers = {"valid": (0.9, 0.9), "proposed_depth": (1.0, 2.0)}, {"valid": (0.9, 0.5), "proposed_depth": (1.0, 1.0)}
    cells, one = (run(0.1, 0.2, end, iterations=40, **some) for end, some in zip((0.5, 0.3), numbers))
    assert effect("az-cells", az_cells=cells, az_global=one) == pytest.approx(0.2)
    assert effect("az-cells-valid", az_cells=cells, az_global=one) == pytest.approx(0.4 * 34.5 / 39)
    assert effect("az-cells-depth", az_cells=cells, az_global=one) == pytest.approx(34.5 / 39)


def test_labels_of_a_vote_overall_and_at_one_depth():
    """Depth 3 comes to be asked, first rarely: all labels get worse while those at each depth get better."""
    records = [{"iteration": 0}]
    for i in range(1, 31):
        records.append({"iteration": i, "vote_right": 1 - i / 100, "vote_right_by_depth": {"1": 1.0, "3": i / 100}})
    del records[1]["vote_right_by_depth"]["3"]
    assert effect("az-labels", az_vote=records) == pytest.approx(0.2)
    assert effect("az-labels-depth", az_vote=records) == pytest.approx(0.255 - 0.06), (
        "an iteration without such a problem is left out"
    )
    kept = BY_ID["az-labels"].measure({"az-vote": records})["labels"]
    assert kept["all"] == [0.945, 0.845, 0.745] and kept["depth 3"][0] == 0.06


def test_baselines_are_compared_at_equal_settings():
    cells, one, az = (SELF_PLAY_EXPERIMENTS[name].config for name in ("az-cells", "az-global", "az"))
    assert changed(cells, {"learn.advantage": "global"}) == one
    assert changed(az, {"learn.advantage": "trr_pp", "iterations": 40}) == cells


def test_what_is_stored_is_short():
    kept = BY_ID["az-deep"].measure({"az": run(0.1, 0.4, 0.5, 0.6, valid=(0.0, 1.0))})["az"]
    assert (
        len(kept["valid"]) == 6
        and kept["valid"][0] == pytest.approx(4.5 / 59, abs=1e-4)
        and kept["at"] == [0, 20, 40, 60]
    )
    assert kept["deep"]["greedy"] == [0.1, 0.4, 0.5, 0.6] and kept["proposed_depth"] == []
