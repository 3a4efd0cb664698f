"""Absolute Zero: each test names the mistake it would catch."""

from dataclasses import replace

import pytest
import torch

from spkit.loops import absolute_zero as loop
from spkit.loops.absolute_zero import AbsoluteZeroConfig, absolute_zero
from spkit.policy import load_policy
from spkit.run.errors import SpkitError
from spkit.run.files import read_jsonl
from spkit.run.folder import Run
from spkit.run.settings import changed
from spkit.stages import propose as propose_stage
from spkit.stages.learn_roles import RolesConfig
from spkit.stages.propose import PROPOSERS, ProposerConfig
from spkit.stages.verify_roles import VerifierConfig, solver_rewards
from spkit.tasks import KINDS, load_task

TASK = load_task("expressions")
SMALL = AbsoluteZeroConfig(  # the paper's kinds, check and advantage
    iterations=2,
    kinds=KINDS,
    tasks=4,
    k=4,
    proposer=ProposerConfig(seed_rounds=2),
    verifier=VerifierConfig(check="answer"),
    learn=RolesConfig("trr_pp", minibatches=3, rows_at_once=256),
    measure_every=1,
    test_per_difficulty=2,
    test_samples=2,
)


@pytest.fixture(scope="module")
def base():
    return load_policy("expressions")


@pytest.mark.whole
def test_looking_more_often_changes_nothing_else(base):
    often, seldom = (
        list(absolute_zero(base, TASK, changed(SMALL, {"iterations": 3, "measure_every": every}))) for every in (1, 3)
    )
    looks = ("accuracy" in row for row in seldom)
    assert all("accuracy" in row for row in often) and list(looks) == [True, False, False, True]
    of_the_look = often[1].keys() - seldom[1].keys()
    for row, same in zip(often, seldom):
        dropped = {"seconds", "samples", *(of_the_look - same.keys())}
        assert {k: v for k, v in row.items() if k not in dropped} == {k: v for k, v in same.items() if k not in dropped}


def test_a_run_says_what_it_did(base, tmp_path):
    config = changed(SMALL, {"iterations": 3, "measure_every": 2, "learn.advantage": "rae"})
    rows = list(absolute_zero(base, TASK, config, Run(tmp_path / "r")))
    assert ["accuracy" in row for row in rows] == [True, False, True, True]
    for row in rows[1:]:
        assert (
            0 <= row["valid"] <= 1
            and row["proposed_depth"] > 0
            and row["learned"]["ratio_first"] == pytest.approx(1, abs=1e-3)
        )
        assert row["vote_gap"] == pytest.approx(row["vote_share"] - row["sampled_accuracy"])
        assert row["vote_right_by_depth"].keys() == row["solve_rate_by_depth"].keys() and 0 <= row["vote_right"] <= 1
        assert row["solver_entropy"] > 0 and row["proposer_entropy"] > 0 and row["learned"]["steps"] <= 3
        assert 0 <= row["learnability"] <= row["solve_rate"] * (1 - row["solve_rate"]) + 1e-6, (
            "the mean of r(1-r) is at most that of the mean r"
        )
    assert (
        rows[1]["buffers"]["deduction"] <= rows[2]["buffers"]["deduction"] <= rows[3]["buffers"]["deduction"]
        and rows[3]["baselines"]
    )
    tests = rows[2]["tests"]["deduction"]
    assert tests["greedy"] == rows[2]["accuracy_by_difficulty"] and list(rows[2]["tests"]) == list(KINDS)
    assert all(tests["pass@1"][depth] <= tests["pass@2"][depth] for depth in tests["greedy"])
    samples = [row for row in read_jsonl(tmp_path / "r" / "samples.jsonl") if row.get("role")]
    solver = [row for row in samples if row["role"] == "solver"]
    assert (
        len(solver) == 3 * 12 * 4
        and len(samples) == len(solver) + 3 * 12
        and {row["step"] for row in samples} == {1, 2, 3}
    )
    assert all(row["correct"] == (row["reward"] == 1) for row in solver)


@pytest.mark.whole
def test_a_killed_run_goes_on_with_its_buffers_its_optimizer_and_its_means(base, tmp_path):
    config = changed(SMALL, {"iterations": 3, "learn.advantage": "rae"})
    strip = lambda rows: [{key: value for key, value in row.items() if key != "seconds"} for row in rows]
    whole = strip(absolute_zero(base, TASK, config, Run(tmp_path / "whole")))
    for done in (1, 2):
        list(
            absolute_zero(
                base,
                TASK,
                replace(config, iterations=done, measure_every=config.measure_every),
                Run(tmp_path / str(done)),
            )
        )
        assert strip(absolute_zero(base, TASK, config, Run(tmp_path / str(done)))) == whole
    assert whole == strip(absolute_zero(base, TASK, config))


@pytest.mark.whole
def test_the_four_proposers(base, monkeypatch):
    asked_of, proposed, real = [], [], propose_stage.propose

    def spy(policy, *args):
        asked_of.append(policy.fingerprint())
        return real(policy, *args)

    def learned(policy, attempts, rewards, proposals, *args):
        rows, baselines = rollouts(policy, attempts, rewards, proposals, *args)
        proposed.append((len(proposals), len(rows) - rewards.numel()))
        return rows, baselines

    rollouts = loop.role_rollouts
    monkeypatch.setattr(propose_stage, "propose", spy)
    monkeypatch.setattr(loop, "role_rollouts", learned)
    seen, learned_from = {}, {}
    for proposer in PROPOSERS:
        asked_of.clear(), proposed.clear()
        run, config = Run(), changed(SMALL, {"proposer.kind": proposer, "proposer.seed_rounds": 1})
        rows = list(absolute_zero(base, TASK, config, run))
        seen[proposer], learned_from[proposer] = (list(asked_of), rows), list(proposed)
        assert all(row["learned"]["steps"] <= 3 for row in rows[1:])
    own = base.fingerprint()
    assert seen["learned"][0][:2] == [own, own] and seen["learned"][0][2] != own, (
        "after an update the new weights propose"
    )
    assert seen["frozen"][0] == [own, own, own]
    assert seen["uniform"][0] == seen["static"][0] == [own], "the base fills the buffers and is not asked again"
    assert all(count == 12 and rows > 6 for count, rows in learned_from["learned"])
    for proposer in ("frozen", "uniform", "static"):
        assert learned_from[proposer] == [(0, 0)] * 2, "what did not come from the policy is not learned from"
    static = seen["static"][1]
    assert static[1]["buffers"] == static[2]["buffers"] and all(
        row["filled"] == 1 and "valid" not in row for row in static[1:]
    )
    uniform = seen["uniform"][1]
    assert uniform[1]["filled"] == 0 and uniform[1]["valid"] == 1 and "proposer_entropy" not in uniform[1]


def test_random_rewards_are_those_of_the_same_problems_shuffled(base, monkeypatch):
    seen, real = [], loop.role_rollouts

    def spy(policy, attempts, rewards, *args):
        seen.append((rewards, solver_rewards(attempts, attempts.correct, SMALL.verifier, torch.Generator())))
        return real(policy, attempts, rewards, *args)

    monkeypatch.setattr(loop, "role_rollouts", spy)
    list(absolute_zero(base, TASK, changed(SMALL, {"iterations": 1, "verifier.reward": "random", "k": 8})))
    (mixed, true), = seen  # fmt: skip
    assert torch.equal(mixed.sort(1).values, true.sort(1).values) and not torch.equal(mixed, true)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kinds": ()}, "kinds must be some of deduction, abduction, induction, each once, not none"),
        ({"kinds": ("deduction", "deduction")}, "each once"),
        ({"kinds": ("addition",)}, "kinds must be some of"),
        ({"kinds": ("induction",)}, "add one of the two to kinds"),
        ({"k": 1}, "k must be 2 or more"),
        ({"tasks": 0}, "tasks must be 1 or more"),
        ({"iterations": -1}, "iterations must be 0 or more"),
        ({"measure_every": 0}, "measure_every must be 1 or more"),
    ],
)
def test_bad_settings_are_one_sentence(changes, message):
    with pytest.raises(SpkitError, match=message.replace("(", r"\(").replace("|", r"\|")):
        AbsoluteZeroConfig(**changes)


def test_another_task_has_no_proposer(base):
    with pytest.raises(
        SpkitError,
        match="Absolute Zero needs a task whose problems can be proposed: .* or stories, not sums",
    ):
        next(absolute_zero(base, load_task("sums"), SMALL))
