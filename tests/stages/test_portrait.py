"""A portrait against what is known: a base beside itself, and one whose weights took steps with nothing to learn."""

import json
import math

import pytest

from spkit.claims.portrayed import Portrayed, null_weights, pretraining_texts
from spkit.claims.readings import final
from spkit.claims.terms import Number
from spkit.loops.sft import GoldConfig, sft_on_gold
from spkit.measures.precision_null import NullConfig, null_policy, precision_null
from spkit.measures.tokens import perplexity
from spkit.measures.updates import weights_of
from spkit.policy import load_policy
from spkit.run.errors import SpkitError
from spkit.run.folder import Run
from spkit.run.json_files import dumps
from spkit.run.streams import generator
from spkit.stages import portrait as core
from spkit.stages.portrait import PortraitConfig, portrait
from spkit.tasks import load_task

TASK = load_task("expressions-plus-minus")
QUICK = PortraitConfig(
    per_difficulty=2,
    samples=2,
    pass_problems=1,
    pass_samples=4,
    proposals=6,
    swap_difficulties=(3,),
    swap_shares=(0.1,),
)


@pytest.fixture(scope="module")
def base():
    return load_policy("expressions")


def test_a_base_beside_itself_has_moved_nowhere(base):
    texts = pretraining_texts(base, TASK, 30)
    same = portrait(base, base.clone(), TASK, QUICK, texts)
    assert same["updates"]["changed"] == {"float32": 0, "bfloat16": 0} and "null" not in same
    assert same["shift"]["kl_to_base"] == pytest.approx(0, abs=1e-6)
    assert all(one["mean"] == 0 for one in same["passes"]["difference"].values())
    assert same["swap"]["10"]["gain"] == 0 and set(same["transfers"]) == {"harder", "operators", "abduction"}
    assert same["forgotten"]["all"] == pytest.approx(math.log(perplexity(base, texts["all"])), rel=1e-6)
    own, others = len(texts["own"]), len(texts["others"])
    assert own + others == len(texts["all"]) == 30 and all(prompt.startswith("ded") for prompt, _ in texts["own"])
    assert set(same["in_domain"]["greedy"]) == {"1", "2", "3", "4"} and same["in_domain"]["problems"] == 8
    assert {"solver", "proposer"} == set(same["entropy"]) and 0 <= same["proposals"]["valid"] <= 1
    dumps(same)


def test_the_null_is_read_as_the_run_is(base):
    steps = NullConfig(3, 1e-3)
    walked = null_policy(base, steps, generator(0, 0, "null"))
    null = precision_null(weights_of(base), steps, generator(0, 0, "null"))
    found = portrait(base, walked, TASK, QUICK, null=null)
    assert found["updates"] == found["null"] and found["updates"]["changed"]["float32"] > 0.99
    assert found["shift"]["kl_to_base"] > 0 and found["forgotten"] == {}
    last = {"optimizer_steps": 3}
    ours = null_weights(base, GoldConfig(learning_rate=1e-3), last)
    assert all((ours[name] == null[name]).all() for name in null), "the run's steps and rate"
    assert null_weights(base, GoldConfig(), {"optimizer_steps": 0}) is None


@pytest.mark.whole
def test_a_run_that_was_killed_before_its_portrait_gets_it_when_started_again(base, tmp_path, monkeypatch):
    config = GoldConfig(2, pool=8, problems=8, batch_size=8, test_per_difficulty=1, test_samples=1)
    loop, folder = Portrayed(sft_on_gold, QUICK, texts=20), tmp_path / "run"
    with monkeypatch.context() as broken:
        broken.setattr(core, "update_summary", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            list(loop(base, TASK, config, Run(folder)))
    assert not list(folder.glob("portrait*")) and len(Run(folder).records) == 0
    rows = list(loop(base, TASK, config, Run(folder)))
    whole = list(loop(base, TASK, config, Run(tmp_path / "whole")))
    assert rows[-1]["portrait"] == whole[-1]["portrait"] and all("portrait" not in row for row in rows[:-1])
    monkeypatch.setattr(core, "update_summary", lambda *_: 1 / 0)
    assert list(loop(base, TASK, config, Run(folder))) == json.loads(json.dumps(rows)), "read, not measured again"
    number = Number("portrait.transfers.abduction.greedy", levels=("1", "2"))
    assert 0 <= final("a", number).of({"a": rows}) <= 1
    with pytest.raises(SpkitError, match="a run without a folder keeps no policy"):
        list(loop(base, TASK, config, Run()))
