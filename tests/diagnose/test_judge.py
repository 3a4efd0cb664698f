"""Planted faults are named, over seeds, in a world that is known exactly and in short real runs.

Health is not called a fault.
"""

import json
from collections import Counter
from dataclasses import fields
from pathlib import Path

import pytest

from spkit.diagnose import Thresholds, diagnose, read_audit, read_log, read_run
from spkit.diagnose.report import data, figure, text
from spkit.diagnose.steps import Agreement, wilson
from spkit.diagnose.verifier_faults import flip_rates
from tests.diagnose.keep_runs import as_data, as_evidence, load
from tests.diagnose.world import World, diagnosis_of, rows
from tests.helpers import whole

DATA = Path(__file__).parents[1] / "data" / "diagnose"
SEEDS = range(5)
REAL = {
    "healthy": "healthy", "noisy": "verifier noise", "easy": "saturation", "hard": "starvation",
    "majority": "reward hacking", "diverged": "divergence",
}  # fmt: skip

PLAYED = {  # what was done to a run of self-play: the verdicts on three seeds
    "nothing": {"healthy": 1, "saturation": 2},
    "proposer frozen": {"saturation": 3},
    "proposer uniform": {"healthy": 3},
    "random rewards": {"verifier noise": 3},
    "verifier wrong 3 times in 10": {"verifier noise": 3},
    "vote behind the gate": {"healthy": 1, "saturation": 1, "verifier noise": 1},  # costs next to nothing on this base
    "vote, no gate": {"verifier noise": 2, "reward hacking": 1},
    "no gate": {"healthy": 3},  # a grounded solver stands it
    "reward for hardness, no gate": {"proposer degeneration": 3},
}


def verdicts(world: World, seeds=SEEDS) -> Counter:
    return Counter(diagnosis_of(rows(world, seed)).verdict for seed in seeds)


@pytest.mark.parametrize("seeds", [SEEDS[:2], *whole(SEEDS[2:])], ids=str)
@pytest.mark.parametrize(
    ("weak", "strong", "expected"),
    [
        (World(flip=0.01), World(flip=0.06), "verifier noise"),
        (World(duplicates=(0.05, 0.4)), World(duplicates=(0.05, 0.75)), "proposer degeneration"),
        (World(skill=5.0, depth=3.0), World(skill=5.0, depth=2.0), "saturation"),
        (World(skill=4.0, depth=5.0), World(skill=4.0, depth=7.0), "starvation"),
        (World(ways=(12, 2)), World(ways=(12, -3)), "collapse"),
        (World(padded_pays=(0.0, 0.05), truth=True), World(padded_pays=(0.0, 0.5), truth=True), "reward hacking"),
    ],
)
def test_a_weak_sign_is_health_and_a_strong_one_is_the_fault(weak, strong, expected, seeds):
    assert verdicts(weak, seeds) == {"healthy": len(seeds)} and verdicts(strong, seeds) == {expected: len(seeds)}


@pytest.mark.parametrize("seeds", [range(10), *whole(range(10, 30))], ids=str)
def test_short_healthy_runs_raise_no_false_alarm(seeds):
    assert verdicts(World(steps=6, problems=8, truth=True), seeds) == {"healthy": len(seeds)}


def test_tiny_runs_get_no_verdict():
    assert verdicts(World(steps=2, problems=4)) == {"undecided": len(SEEDS)}


def test_records_alone_say_the_same_of_real_runs(tmp_path):
    found = set()
    for fault in REAL:
        for seed in range(3):
            folder = tmp_path / f"{fault}-{seed}"
            folder.mkdir()
            settings = {"k": 8, "problems": 16, "reward": fault if fault in ("noisy", "majority") else "gold"}
            (folder / "config.json").write_text(json.dumps({"method": "rlvr", "task": "sums", "config": settings}))
            (folder / "metrics.jsonl").write_text((DATA / f"{fault}-{seed}.metrics.jsonl").read_text())
            found.add((fault, diagnose(read_run(folder)).verdict))
    assert found == set(REAL.items())


def test_the_confusion_matrix_of_self_play_is_as_measured():
    found = {
        name: [diagnose(evidence) for evidence in seeds] for name, seeds in load(DATA / "self-play.json.gz").items()
    }
    assert {name: dict(Counter(one.verdict for one in seeds)) for name, seeds in found.items()} == PLAYED
    assert all("proposer degeneration" in [finding.name for finding in one.findings] for one in found["vote, no gate"])
    solved = [finding for one in found["proposer frozen"] for finding in one.findings]
    assert {finding.name for finding in solved} == {"saturation"}, (
        "groups that teach nothing because they are solved are no starvation"
    )


def nested(reward: str, check: str) -> dict:
    """The settings of a verifier as Absolute Zero has them; the proposer has a reward of its own."""
    return {"proposer": {"reward": "1-r"}, "verifier": {"reward": reward, "check": check}}


def flat(reward: str, check: str) -> dict:
    """The same in run folders from before."""
    return {"proposer": "learned", "pay": "1-r", "reward": reward, "check": check}


@pytest.mark.parametrize("settings", [nested, flat])
@pytest.mark.parametrize(("check", "expected"), [("answer", "verifier noise"), ("steps", "healthy")])
def test_a_check_of_steps_may_refuse_right_answers(tmp_path, check, expected, settings):
    """A third of the right answers have a wrong step: refused by the check of steps on purpose, by
    one of answers by mistake.
    """
    made = rows(World(truth=True, steps=6), 0)
    lucky = [row for row in made if row["role"] == "solver" and row["correct"] and hash_of(row["completion"]) % 3 == 0]
    for row in lucky:
        row["reward"] = 0.0
    assert run_verdict(tmp_path, made, settings("grounded", check)) == expected
    for row in (
        row for row in made if row["role"] == "solver" and not row["correct"] and hash_of(row["completion"]) % 3 == 0
    ):
        row["reward"] = 1.0
    assert run_verdict(tmp_path, made, settings("grounded", check)) == "verifier noise", (
        "what it accepts is judged all the same"
    )


@pytest.mark.parametrize("settings", [nested, flat])
def test_a_share_of_votes_is_no_verdict_and_random_rewards_have_no_gap(tmp_path, settings):
    """No row counts as checked where votes are rewarded, and a gap is one where the reward stands for the accuracy."""
    made, found = rows(World(flip=0.3, truth=True, steps=6), 0), {}
    for reward in ("grounded", "vote_share", "random"):
        run_verdict(tmp_path, made, settings(reward, "answer"))
        found[reward] = read_run(tmp_path)
    assert found["grounded"].checked.counts.total() > 0 == found["vote_share"].checked.counts.total()
    assert found["grounded"].reward_gap == found["vote_share"].reward_gap is not None
    assert found["random"].reward_gap is None


def hash_of(text: str) -> int:
    return sum(map(ord, text))


def run_verdict(folder: Path, made: list[dict], verifier: dict) -> str:
    """The verdict on a run folder with these rollouts and settings."""
    records = [{"iteration": 0}]
    for step in range(6):
        own = [row for row in made if row["step"] == step and row["role"] == "solver"]
        reward, right = (sum(row[key] for row in own) / len(own) for key in ("reward", "correct"))
        records.append({"iteration": step + 1, "solve_rate": reward, "sampled_accuracy": right})
    settings = {"k": 8, "tasks": 16, "kinds": ["deduction"], **verifier}
    (folder / "config.json").write_text(
        json.dumps({"method": "absolute_zero", "task": "expressions", "config": settings})
    )
    (folder / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    samples = [{"iteration": row["step"] + 1, **row, "step": row["step"] + 1} for row in made]
    (folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in samples))
    return diagnose(read_run(folder)).verdict


def test_the_flip_rate_is_estimated_from_agreement_and_from_an_audit():
    caught = []
    for seed in range(3):
        log, audit = DATA / f"noisy-{seed}.jsonl.gz", read_audit(DATA / f"noisy-{seed}.audit.jsonl")
        evidence = read_log(log, audit=audit)
        rates = flip_rates(evidence.audit)
        assert evidence.audit.counts.total() == 60
        (noise,) = (finding for finding in diagnose(evidence).findings if finding.name == "verifier noise")
        caught += [rates["wrong_accepted"], rates["right_refused"], noise.figures["identical"]]
        assert rates["signal"] == pytest.approx(1 - rates["wrong_accepted"]["rate"] - rates["right_refused"]["rate"])
    assert sum(rate["interval"][0] <= 0.3 <= rate["interval"][1] for rate in caught) >= 7, (
        "nine 95 % intervals of the planted 0.3"
    )


def test_intervals_of_agreement_cover_the_planted_rate():
    import random

    draw, covered = random.Random(0), 0
    for _ in range(200):
        agreement = Agreement()
        for _ in range(80):
            agreement.add(Counter(draw.random() < 0.2 for _ in range(draw.randint(2, 5))))
        _, low, high = agreement.interval()
        covered += low <= 2 * 0.2 * 0.8 <= high
    assert covered >= 180
    certain = Agreement()
    certain.add(Counter({1.0: 3}))
    assert certain.interval() == (0.0, 0.0, 0.975) and Agreement().interval() is None
    low, high = wilson(8, 10)
    assert (round(low, 3), round(high, 3)) == (0.490, 0.943), "Wilson's interval of 8 in 10"


def test_text_data_and_figure_hold_the_numbers_behind_the_verdict():
    diagnosis = diagnosis_of(rows(World(flip=0.3), 0))
    said = text(diagnosis)
    assert (
        said.startswith("verdict: verifier noise (bottleneck: the verifier)")
        and "try: " in said
        and "entropy: no column" in said.partition("not judged: ")[2]
    )
    plain = json.loads(json.dumps(data(diagnosis)))
    rate = plain["findings"][0]["figures"]["identical"]
    assert rate["interval"][0] < 0.3 < rate["interval"][1] and len(plain["steps"]) == 24
    drawn = figure(diagnosis)
    assert [axis.get_ylabel() for axis in drawn.axes] == [
        "groups (%)",
        "reward and accuracy (%)",
        "diversity, proposer (%)",
    ]
    useful = drawn.axes[0].get_lines()[1]
    assert list(useful.get_ydata()) == pytest.approx([100 * step.useful for step in diagnosis.evidence.steps])
    import matplotlib.pyplot as plt

    plt.close(drawn)


def test_every_limit_is_a_number_within_reach():
    assert all(0 < getattr(Thresholds(), item.name) < 100 for item in fields(Thresholds))


def test_evidence_that_is_kept_says_the_same():
    evidence = diagnosis_of(rows(World(steps=6), 0)).evidence
    again = as_evidence("a world", json.loads(json.dumps(as_data(evidence))))
    assert diagnose(again).verdict == diagnose(evidence).verdict and again.texts == evidence.texts
