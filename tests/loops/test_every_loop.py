"""What is promised of every loop: the policy it is given stays as it is, and every record has the seconds of each
stage.
"""

from collections import Counter
from contextlib import contextmanager

import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from spkit.loops.rest import RestConfig, rest
from spkit.loops.rft import RftConfig, rft
from spkit.policy import Policy, SftConfig, load_policy
from spkit.run.folder import STAGES, Run
from spkit.run.settings import changed
from spkit.stages import play
from spkit.tasks import load_task
from tests import killed_run

QUICK = SftConfig(steps=2, batch_size=8)
LOOPS = {
    **{
        name: (loop, task, changed(config, {"iterations": 1}))
        for name, (loop, task, config) in killed_run.LOOPS.items()
    },
    "rest": (rest, "sums", RestConfig(1, problems=8, k=2, real=8, sft=QUICK, test_per_difficulty=2)),
    "rft": (rft, "sums", RftConfig(problems=8, k=2, sft=QUICK, test_per_difficulty=2)),
}


@pytest.mark.parametrize("name", LOOPS)
def test_the_policy_it_is_given_stays_as_it_is_and_every_stage_has_its_seconds(name):
    loop, task, config = LOOPS[name]
    given = load_policy(load_task(task).base or task)
    before = {key: value.clone() for key, value in given.model.state_dict().items()}
    training = given.model.training
    records = list(loop(given, load_task(task), config))
    after = given.model.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[key], after[key]) for key in before)
    assert given.model.training == training and all(one.grad is None for one in given.model.parameters())
    assert [record["iteration"] for record in records] == [0, 1]
    assert all(tuple(record["seconds"]) == STAGES for record in records), "the same five keys, in their order"
    assert records[1]["seconds"]["learn"] > 0 < records[0]["seconds"]["measure"]
    assert (records[1]["seconds"]["solve"] > 0) == (name != "sft"), "gold solutions are read, nobody solves"


TRAINING = ("propose", "solve", "learn")  # stages that may decode for training; `verify` of spin decodes to measure


@pytest.fixture
def happened(monkeypatch):
    """How many tokens are sampled in stages of training, and how many steps optimizers take."""
    counts, inside = Counter(), []
    sample, alike, stage = Policy.sample, play.sample_alike, Run.stage

    def counted(policy, *args, **kwargs):
        rollouts = sample(policy, *args, **kwargs)
        counts["tokens"] += sum(len(ids) for ids in rollouts.token_ids) * (inside[-1] in TRAINING)
        return rollouts

    def counted_alike(*args):
        rollouts, which = alike(*args)
        counts["tokens"] += sum(len(rollouts.token_ids[row]) for row in which) * (inside[-1] in TRAINING)
        return rollouts, which

    @contextmanager
    def named(run, name, *args):
        inside.append(name)
        with stage(run, name, *args) as tick:
            yield tick
        inside.pop()

    monkeypatch.setattr(Policy, "sample", counted)
    monkeypatch.setattr(play, "sample_alike", counted_alike)
    monkeypatch.setattr(Run, "stage", named)
    handle = register_optimizer_step_post_hook(lambda *_: counts.update(steps=1))
    yield counts
    handle.remove()


@pytest.mark.parametrize("name", LOOPS)
def test_tokens_and_steps_are_counted_as_they_happen(name, happened):
    loop, task, config = LOOPS[name]
    records = list(loop(load_policy(load_task(task).base or task), load_task(task), config, Run()))
    assert records[-1]["optimizer_steps"] == happened["steps"] > 0
    # thoughts: 2 at 24 places of each text, of 3 tokens; 3 steps of 2 texts
    tokens = 2 * 24 * 3 * 3 * 2 if name == "quiet_star" else happened["tokens"]
    assert records[-1]["sampled_tokens"] == tokens and (tokens > 0) == (name != "sft")
    first = records[0]["sampled_tokens"]
    assert first == 0 or name == "spin", "spin's opponent replies before the first iteration"
