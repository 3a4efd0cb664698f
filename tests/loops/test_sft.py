"""SFT on gold solutions: the problems are those of RLVR, and a step is that of maximum likelihood."""

import pytest
import torch

from spkit.loops.rlvr import RlvrConfig, fixed_problems
from spkit.loops.sft import GoldConfig, sft_on_gold
from spkit.policy import load_policy
from spkit.policy.training import adamw
from spkit.run.errors import SpkitError
from spkit.run.streams import generator
from spkit.stages.learn_sft import learn_from_solutions
from spkit.tasks import load_task

TASK = load_task("sums")
SMALL = GoldConfig(2, pool=40, problems=8, batch_size=8, measure_every=2, test_per_difficulty=2, test_samples=2)


@pytest.fixture(scope="module")
def base():
    return load_policy("sums")


def test_the_problems_are_those_of_rlvr():
    for t in (1, 3, 6):
        ours, theirs = fixed_problems(TASK, SMALL, t), fixed_problems(TASK, RlvrConfig(pool=40, problems=8), t)
        assert ours == theirs and len(ours) == 8


def test_a_step_raises_the_likelihood_as_one_by_hand(base):
    pairs = [(one.prompt, base.completion_ids(TASK.solution(one))) for one in fixed_problems(TASK, SMALL, 1)]
    ours, twin = base.clone(), base.clone()
    learned = learn_from_solutions(ours, adamw(ours.model, 1e-3), pairs, 8, 1.0, generator(0, 1, "sft"))
    loss, tokens = torch.zeros(()), sum(len(ids) for _, ids in pairs)
    for prompt, ids in pairs:
        text = torch.tensor([twin.prompt_ids(prompt) + ids])
        scores = twin.model(input_ids=text).logits[0].log_softmax(-1)
        start = text.shape[1] - len(ids)
        loss = loss - sum(scores[place - 1, text[0, place]] for place in range(start, text.shape[1])) / tokens
    loss.backward()
    torch.nn.utils.clip_grad_norm_(twin.model.parameters(), 1.0)
    torch.optim.AdamW(twin.model.parameters(), lr=1e-3, weight_decay=0.0).step()
    assert learned == {"steps": 1, "loss": pytest.approx(loss.item(), rel=1e-5)}
    for mine, by_hand in zip(ours.model.parameters(), twin.model.parameters()):
        apart = (mine - by_hand).abs() > 2e-5  # the first step is a sign's: rounding turns those of tiny gradients
        assert (by_hand.grad[apart].abs() < 1e-5 * by_hand.grad.abs().max()).all() and apart.float().mean() < 0.01


def test_records_count_gold_tokens_and_measure_when_due(base):
    rows = list(sft_on_gold(base, TASK, SMALL))
    gold = sum(len(base.completion_ids(TASK.solution(one))) for t in (1, 2) for one in fixed_problems(TASK, SMALL, t))
    assert [row["optimizer_steps"] for row in rows] == [0, 1, 2] and rows[2]["gold_tokens"] == gold
    assert ["accuracy" in row for row in rows] == [True, False, True] and rows[2]["sampled_tokens"] == 0
    with pytest.raises(SpkitError, match="pool must hold the 8 problems"):
        GoldConfig(pool=7, problems=8)
