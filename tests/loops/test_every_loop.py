"""What is promised of every loop: the policy it is given stays as it is, and every record has the seconds of each
stage.
"""

import pytest
import torch

from spkit.loops.rest import RestConfig, rest
from spkit.loops.rft import RftConfig, rft
from spkit.policy import SftConfig, load_policy
from spkit.run.folder import STAGES
from spkit.run.settings import changed
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
    assert records[1]["seconds"]["learn"] > 0 < records[1]["seconds"]["solve"] and records[0]["seconds"]["measure"] > 0
