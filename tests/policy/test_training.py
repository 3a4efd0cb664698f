"""The supervised update: what is counted, and what it does to the model."""

from itertools import islice, pairwise

import pytest
import torch

from spkit.maths.preference import sft_loss
from spkit.policy import Example, SftConfig, architecture, training
from spkit.policy.training import completion_logprobs, epochs, large, learning_rate_factor, pieces, tokens_at_once
from spkit.run.errors import SpkitError
from tests.conftest import make_policy
from tests.helpers import apart


def pairs(policy, count=12):
    texts = [(f"{i}+{i}=", f"{i}+{i}+0:{2 * i:02d};{2 * i}") for i in range(1, count + 1)]
    return [(prompt, policy.completion_ids(text)) for prompt, text in texts]


def test_the_loss_counts_the_completion_and_one_end_token(policy):
    prompt, ids = "12+34=", policy.completion_ids("46")
    end = policy.tokenizer.eos_token_id
    assert ids[-1] == end and ids.count(end) == 1
    scores, mask = completion_logprobs(
        policy.model, [Example(policy.prompt_ids(prompt), ids)], policy.tokenizer.pad_token_id
    )
    assert int(mask.sum()) == 3
    with torch.no_grad():
        logits = policy.model(torch.tensor([policy.prompt_ids(prompt) + ids])).logits[0].double().log_softmax(-1)
    by_hand = -sum(logits[5 + i, token] for i, token in enumerate(ids)) / 3
    assert sft_loss(scores, mask).item() == pytest.approx(float(by_hand), rel=1e-5)


def test_a_cut_off_completion_gets_no_end_token(policy):
    assert policy.tokenizer.eos_token_id not in policy.completion_ids("46", finished=False)


def test_padding_does_not_change_the_loss_or_the_gradient():
    def gradient(rows):
        policy = make_policy()
        examples = [Example(policy.prompt_ids(p), c) for p, c in pairs(policy)]
        total = 0.0
        for batch in rows(examples):
            scores, mask = completion_logprobs(policy.model, batch, policy.tokenizer.pad_token_id)
            total = total - (scores * mask).sum()
        total.backward()
        return float(total.detach()), torch.cat([p.grad.flatten() for p in policy.model.parameters()])

    together, one_by_one = gradient(lambda e: [e]), gradient(lambda e: [[x] for x in e])
    assert together[0] == pytest.approx(one_by_one[0], rel=1e-5)
    assert apart(together[1], one_by_one[1]) < 1e-5


def test_fit_learns_and_is_a_function_of_its_generator():
    def fitted(seed):
        policy = make_policy()
        numbers = policy.fit(
            pairs(policy), SftConfig(steps=60, batch_size=4, learning_rate=3e-3), torch.Generator().manual_seed(seed)
        )
        return policy, numbers

    policy, numbers = fitted(0)
    assert numbers["loss_last"] < 0.5 * numbers["loss_first"] and numbers["steps"] == 60
    assert fitted(0)[0].fingerprint() == policy.fingerprint() != fitted(1)[0].fingerprint()
    assert policy.sample(["3+3="], temperature=0.0, max_new_tokens=20).texts == ["3+3+0:06;6"]


def test_a_clone_is_independent(policy):
    before, copy = policy.fingerprint(), policy.clone()
    assert copy.fingerprint() == before
    copy.fit(pairs(copy), SftConfig(steps=2), torch.Generator().manual_seed(0))
    assert policy.fingerprint() == before != copy.fingerprint()


def test_every_epoch_takes_every_example_once():
    examples = [Example([3], [4] * (1 + i % 7)) for i in range(50)]
    batches = epochs(examples, 8, torch.Generator().manual_seed(0))
    for _ in range(3):
        seen = [id(example) for batch in islice(batches, 7) for example in batch]
        assert len(seen) == 50 and len(set(seen)) == 50


def test_learning_rate_rises_then_falls_to_zero():
    config = SftConfig(steps=20, warmup=0.25)
    factors = [learning_rate_factor(step, config) for step in range(21)]
    assert factors[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0]) and factors[20] == 0
    assert all(a > b for a, b in pairwise(factors[5:]))


def test_nothing_to_train_on_is_an_error(policy):
    with pytest.raises(SpkitError, match="no example was kept"):
        policy.fit([], SftConfig(steps=1), torch.Generator())


def test_logits_of_prompts_are_not_computed(policy):
    """The output layer runs on what follows the shortest prompt, and the numbers are those of the whole text."""
    examples = [
        Example([4, 5, 6, 13, 7, 14], [5, 6, 1]),
        Example([4, 13, 5, 14], [9, 1]),
        Example([4, 5, 13, 7, 14], [3] * 5),
    ]
    seen = []
    handle = policy.model.lm_head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[1]))
    scores, mask = completion_logprobs(policy.model, examples, 0)
    handle.remove()
    assert seen == [10 - 1 - 3] and scores.shape == mask.shape == (3, 9)
    for example, row, counted in zip(examples, scores, mask):
        ids = torch.tensor([example.prompt + example.completion])
        whole = policy.model(input_ids=ids).logits[0].log_softmax(-1)
        expected = [whole[len(example.prompt) - 1 + i, token].item() for i, token in enumerate(example.completion)]
        assert apart(row[counted], expected) < 1e-5
        assert counted.sum() == len(example.completion) and not scores[:, :3].any()


@pytest.fixture
def as_large(monkeypatch):
    """Let any model count as large."""
    monkeypatch.setattr(architecture, "LARGE_FROM", 0)


def test_the_head_of_a_large_model_reads_completions_alone(policy, as_large):
    examples = [Example([4, 5, 6, 13, 7, 14], [5, 6, 1]), Example([4, 13, 5, 14], [9, 1]), Example([4] * 9, [3] * 5)]
    seen = []
    handle = policy.model.lm_head.register_forward_hook(lambda *given: seen.append(tuple(given[2].shape[:2])))
    scores, mask = completion_logprobs(policy.model, examples, 0)
    assert seen == [(1, 10)] and policy.model(torch.tensor([[4, 5]])).logits.shape[1] == 2
    handle.remove()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(architecture, "LARGE_FROM", 10**9)
        whole, mask_of_whole = completion_logprobs(policy.model, examples, 0)
    assert torch.equal(mask, mask_of_whole) and apart(scores[mask], whole[mask]) < 1e-5


def cost_of(lengths, split):
    return sum(max(lengths[i] for i in piece) * len(piece) + training.PASS_COST for piece in split)


def test_pieces_are_the_cheapest_of_all_that_fit():
    """Against every way to cut the sorted rows."""
    draw = torch.Generator().manual_seed(0)
    for count, size, tokens in ((1, 4, 100), (7, 3, 200), (8, 8, 150), (9, 4, 60), (5, 9, 10**6)):
        lengths = torch.randint(1, 90, (count,), generator=draw).tolist()
        found = pieces(lengths, size, tokens)
        assert sorted(sum(found, [])) == list(range(count))
        order, ways = sorted(range(count), key=lengths.__getitem__), []
        for cuts in range(2 ** (count - 1)):
            ends = [0, *(i + 1 for i in range(count - 1) if cuts >> i & 1), count]
            split = [order[a:b] for a, b in pairwise(ends)]
            fits = all(len(p) <= size and (len(p) == 1 or len(p) * lengths[p[-1]] <= tokens) for p in split)
            ways += [cost_of(lengths, split)] if fits else []
        assert cost_of(lengths, found) == min(ways)
        assert all(len(p) <= size and (len(p) == 1 or len(p) * max(lengths[i] for i in p) <= tokens) for p in found)


def test_without_a_limit_of_tokens_pieces_are_consecutive():
    assert pieces([9, 1, 5, 3, 4], 2, None) == [[0, 1], [2, 3], [4]]


def test_the_shipped_models_are_not_large(policy):
    from spkit.policy import load_policy

    assert tokens_at_once(load_policy("addition").model) is None and not large(policy.model)
