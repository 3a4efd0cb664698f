"""Training that diverges stops before a weight is spoilt, says so in one sentence, and leaves the run as it was."""

import json
import sys
from dataclasses import replace

import pytest
import torch

from spkit.bases.recipes import RECIPES, make_tiny_base
from spkit.cli.main import main
from spkit.loops.absolute_zero import AbsoluteZeroConfig, absolute_zero
from spkit.loops.collapse import CollapseConfig, collapse
from spkit.loops.rest import RestConfig, rest
from spkit.loops.rest_em import RestEmConfig, rest_em
from spkit.loops.rft import RftConfig, rft
from spkit.loops.rlvr import RlvrConfig, rlvr
from spkit.loops.spin import SpinConfig, spin
from spkit.loops.star import StarConfig, star
from spkit.measures.epiplexity import ObserverConfig, epiplexity
from spkit.policy import Policy, SftConfig, load_policy
from spkit.policy.steps import clipped_step
from spkit.policy.training import Example
from spkit.run.checkpoints import finite_weights
from spkit.run.description import load_run
from spkit.run.errors import NotFinite, SpkitError
from spkit.run.folder import Run
from spkit.stages import learn_pg as rl_update
from spkit.stages import learn_preference as spin_update
from spkit.stages.learn_roles import RolesConfig
from spkit.stages.propose import ProposerConfig
from spkit.tasks import load_task
from tests.conftest import make_policy
from tests.helpers import whole

RATE = 1e25  # after one step of it no forward pass is finite
STEPS = SftConfig(4, 8, RATE, warmup=0.0)


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def fine_tuned(policy: Policy) -> None:
    policy.fit([("1+2=", policy.completion_ids("3"))] * 8, STEPS, draw())


def contrasted(policy: Policy) -> None:
    ids = policy.completion_ids
    pairs = [spin_update.Contrast(policy.prompt_ids(f"{i}+2="), ids(f"{i + 2}"), ids("7")) for i in range(8)]
    update = spin_update.Update("logistic", 1.0, 1.0, 4, 8, RATE, warmup=0.0)
    spin_update.learn_from_pairs(policy, spin_update.batches(policy, pairs, 8, draw()), update, draw())


def reinforced(policy: Policy) -> None:
    found = policy.sample(["1+2=", "3+4="], 4, max_new_tokens=5, generator=draw())
    rows = zip(found.prompts, found.token_ids, (1.0, -1.0) * 4, found.token_logprobs)
    rollouts = [
        rl_update.Rollout(Example(policy.prompt_ids(prompt), ids), advantage, scores)
        for prompt, ids, advantage, scores in rows
    ]
    update = rl_update.PgUpdate(epochs=4, learning_rate=RATE)
    rl_update.learn_from_rewards(
        policy,
        rl_update.new_optimizer(policy, update),
        rl_update.minibatches(policy, rollouts, update, draw()),
        update,
        draw(),
    )


@pytest.mark.parametrize("train", [fine_tuned, contrasted, reinforced])
def test_every_update_stops_before_the_weights_are_spoilt(train):
    policy = make_policy()
    with pytest.raises(NotFinite, match=r"at step 2\b.*: take a lower learning rate"):
        train(policy)
    assert finite_weights(policy), "the weights are those of the last good step"


def test_an_observer_that_diverges_says_so():
    policy = make_policy()
    stream = [(f"{i}+2=", policy.completion_ids(f"{i + 2}#{i}")) for i in range(30)]
    with pytest.raises(NotFinite, match=r"at step 2 \(learning rate 1e\+25\)"):
        epiplexity(policy, stream, ObserverConfig(40, 10, passes=2, batch_size=4, learning_rate=RATE))


def test_a_gradient_that_is_not_finite_changes_nothing_and_costs_one_wait():
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.AdamW([weight], lr=0.1)
    for slope, loss in ((float("nan"), 1.0), (float("inf"), 1.0), (1.0, float("nan"))):
        weight.grad = torch.full((3,), slope)
        with pytest.raises(NotFinite, match=r"the loss is \w+ and the norm of its gradient .* at step 7"):
            clipped_step(optimizer, [torch.tensor(loss)], 1.0, 7)
        assert torch.equal(weight, torch.ones(3)) and not optimizer.state
    weight.grad = torch.full((3,), 2.0)
    losses, norm = clipped_step(optimizer, [torch.tensor(0.1), 0.25], 1.0, 7)
    assert losses == [torch.tensor(0.1).item(), 0.25] and norm == pytest.approx(12**0.5) and weight[0] < 1


SFT = SftConfig(steps=4, batch_size=8, learning_rate=RATE, warmup=0.0)
LOOPS = {
    "star": (
        star,
        "addition",
        StarConfig(2, problems_per_iteration=20, steps=8, learning_rate=RATE, test_per_difficulty=2),
    ),
    "rft": (rft, "sums", RftConfig(problems=8, k=2, sft=SFT, test_per_difficulty=2)),
    "rest": (rest, "sums", RestConfig(2, problems=8, k=2, real=8, sft=SFT, test_per_difficulty=2)),
    "rest_em": (
        rest_em,
        "sums",
        RestEmConfig(2, problems=8, k=2, sft=SFT, validation_problems=0, test_per_difficulty=2),
    ),
    "collapse": (collapse, "sums", CollapseConfig(2, problems=8, sft=SFT, test_per_difficulty=2)),
    "spin": (
        spin,
        "replies",
        SpinConfig(
            2, references=16, learning_rate=(RATE,), batch_size=4, test_per_difficulty=2, exact_per_difficulty=1
        ),
    ),
    "spin_sft": (
        spin,
        "replies",
        SpinConfig(
            2,
            references=16,
            kind="sft",
            learning_rate=(RATE,),
            batch_size=4,
            test_per_difficulty=2,
            exact_per_difficulty=1,
        ),
    ),
    "rlvr": (
        rlvr,
        "sums",
        RlvrConfig(
            2,
            pool=16,
            problems=8,
            k=4,
            epochs=2,
            batch_size=8,
            learning_rate=RATE,
            test_per_difficulty=2,
            test_samples=2,
        ),
    ),
    "absolute_zero": (
        absolute_zero,
        "expressions",
        AbsoluteZeroConfig(
            2,
            tasks=3,
            k=4,
            proposer=ProposerConfig(seed_rounds=1),
            learn=RolesConfig(epochs=4, learning_rate=RATE),
            test_per_difficulty=2,
            test_samples=2,
        ),
    ),
}


@pytest.mark.parametrize("name", LOOPS)
def test_every_loop_names_the_iteration_and_keeps_what_was_finished(name, tmp_path):
    loop, task, config = LOOPS[name]
    with pytest.raises(
        NotFinite, match=rf"^iteration [12], \w+: .*lower learning rate.*; what was finished before is in {tmp_path}"
    ) as said:
        list(loop(load_policy(task), load_task(task), config, Run(tmp_path)))
    finished = list(
        range(int(str(said.value).split(",")[0].split()[1]))
    )  # self-play's first step may be its iteration's only one
    assert [row["iteration"] for row in load_run(tmp_path)[1]] == finished
    assert len(list((tmp_path / "checkpoints").iterdir())) == len(finished) - 1


def test_a_weight_spoilt_by_the_very_last_step_is_not_saved(tmp_path):
    policy = make_policy()
    run = Run(tmp_path)
    run.start({"method": "star", "task": "addition", "config": {"iterations": 3}}, policy)
    run.record(0, policy, [], accuracy=0.5)
    with torch.no_grad():
        next(policy.model.parameters())[0, 0] = float("nan")
    with pytest.raises(NotFinite, match="iteration 1, a weight of the policy is NaN or infinite"):
        run.record(1, policy, [], accuracy=0.5)
    with pytest.raises(NotFinite, match="iteration 1, entropy is nan: take a lower learning rate"):
        run.record(1, make_policy(), [], accuracy=0.5, entropy=float("nan"))
    with pytest.raises(NotFinite, match="the policy's logits are NaN or infinite"):
        policy.sample(["1+2="], temperature=1.0, max_new_tokens=3, generator=draw())
    assert len(load_run(tmp_path)[1]) == 1 and not list((tmp_path / "checkpoints").iterdir())


def call(monkeypatch, capsys, *arguments) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["spkit", *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        main()
    return left.value.code or 0, *capsys.readouterr()


def strict(path) -> list[dict]:
    def refuse(constant):
        raise AssertionError(f"{constant} in {path}")

    return [json.loads(line, parse_constant=refuse) for line in path.read_text().splitlines()]


def test_the_command_line_ends_with_2_and_the_run_can_be_looked_at(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "star"
    sizes = [
        "--problems-per-iteration",
        30,
        "--steps",
        20,
        "--test-per-difficulty",
        3,
        "--iterations",
        2,
        "--out",
        folder,
    ]
    code, _, said = call(monkeypatch, capsys, "run", "star", "--learning-rate", "1e25", *sizes)
    assert (
        code == 2
        and "spkit: iteration 1, learn: the loss is " in said
        and "at step " in said
        and "take a lower learning rate" in said
    )
    assert len(strict(folder / "metrics.jsonl")) == 1
    code, shown, _ = call(monkeypatch, capsys, "show", folder)
    assert code == 0 and "Figure" in shown


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "exponential", "beta": (500.0,), "learning_rate": (1.0,)},
        *whole({"kind": "exponential", "beta": (20.0,)}),
    ],
)
def test_spin_with_a_steep_loss_ends_in_numbers_or_in_a_sentence(changes, tmp_path):
    config = replace(
        SpinConfig(2, references=24, batch_size=4, test_per_difficulty=2, exact_per_difficulty=1), **changes
    )
    try:
        list(spin(load_policy("replies"), load_task("replies"), config, Run(tmp_path)))
    except SpkitError as error:
        assert "iteration" in str(error)
    assert len(strict(tmp_path / "metrics.jsonl")) >= 1


def test_pretraining_that_diverges_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setitem(RECIPES, "addition", replace(RECIPES["addition"], sft=SFT, width=32, layers=1))
    with pytest.raises(NotFinite, match="at step 2"):
        make_tiny_base("addition", tmp_path / "made")
    assert not list(tmp_path.iterdir())
