"""What the claims about SPIN compute from records, and the gradient's angle on the shipped base."""

import pytest

from spkit.claims import SPIN_CLAIMS
from spkit.claims.angles import AngleConfig, angles
from spkit.policy import load_policy
from spkit.tasks import load_task

BY_ID = {claim.id: claim for claim in SPIN_CLAIMS}


def run(*kls: float, **other: list[float]) -> list[dict]:
    return [{"iteration": i, "kl": kl, **{key: values[i] for key, values in other.items()}} for i, kl in enumerate(kls)]


def effect(id: str, **runs: list[dict]) -> float:
    return BY_ID[id].measure({name.replace("_", "-"): records for name, records in runs.items()})["effect"]


def test_effects_have_the_sign_their_criteria_say():
    ours, sft = (
        run(1.0, 0.6, 0.5, 0.45, 0.44, rare=[0.3] * 4 + [0.9], auc=[0.0, 0.8, 0.7, 0.7, 0.6]),
        run(1.0, 0.7, 0.6, 0.5, 0.3, rare=[0.3] * 5),
    )
    assert effect("spin-kl", spin=ours) == pytest.approx(0.4)
    assert effect("spin-fade", spin=ours) == pytest.approx(0.4 - 0.01)
    assert effect("spin-first", spin=ours, spin_sft=sft) == pytest.approx(0.1)
    assert effect("spin-last", spin=ours, spin_sft=sft) == pytest.approx(-0.14)
    assert effect("spin-rare", spin=ours, spin_sft=sft) == pytest.approx(0.6)
    assert effect("spin-auc", spin=ours) == pytest.approx(0.2)
    assert effect("spin-swap", spin_swap=run(1.0, 1.1, 1.3), spin=ours) == pytest.approx(0.3)
    assert effect("spin-greedy", spin_greedy=run(1.0, 2.0, 3.0), spin=ours) == pytest.approx(2.5)
    assert effect("spin-tenth", spin_tenth=run(2.0, 2.1, 2.6), spin_cold=run(2.0, 1.5, 1.3)) == pytest.approx(1.3)
    lost = {"iteration": 2, "held_out_displacement": {"real": -0.9, "generated": -6.0}}
    assert effect("spin-displacement", spin_tenth=[lost]) == -0.9
    won = {"iteration": 2, "kl": 1.0, "learned": {"accuracy": 0.97}}
    assert effect("spin-shortcut", spin_ended=[won]) == 0.97
    kinds = [{"iteration": 0}, {"replies": "sampled", "cosine": 0.9}, {"replies": "greedy", "cosine": -0.3}]
    with_cut = [*kinds, {"replies": "cut", "cosine": 0.8}]
    assert effect("spin-angle", spin_angles=with_cut) == pytest.approx(1.2)
    memory = {"iteration": 1, "kl": 1.0, "auc": 0.6, "learned": {"accuracy": 0.9}}
    assert effect("spin-memory", spin_scarce=[memory]) == pytest.approx(0.3)


def test_greedy_replies_turn_the_first_gradient_away_from_that_of_sft():
    config = AngleConfig(references=96, replies=("sampled", "greedy"))
    _, sampled, greedy = angles(load_policy("replies"), load_task("replies"), config)
    assert sampled["cosine"] > 0.6 > 0.3 > greedy["cosine"]
