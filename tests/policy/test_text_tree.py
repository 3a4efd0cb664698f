"""Texts in one row are scored and learned from as they are one by one."""

import pytest
import torch

from spkit.policy import Example
from spkit.policy.text_tree import text_tree
from spkit.policy.training import completion_logprobs, completion_values, token_logprobs
from spkit.run.errors import SpkitError
from tests.conftest import make_policy

BEGIN = [3, 4, 5, 6, 7, 8]
TEXTS = [
    Example([*BEGIN, 9], [3, 1]),
    Example([*BEGIN, 9], [4, 1]),
    Example([*BEGIN, 10, 11], [3, 4, 1]),
    Example([5], [3, 1]),
    Example([*BEGIN, 9], [3, 1]),
]


def test_every_beginning_stands_once():
    tree = text_tree(TEXTS)
    beginnings = {tuple([*one.prompt, *one.completion[:-1]][:end]) for one in TEXTS for end in range(1, 12)}
    assert len(tree.ids) == len(beginnings) == len(tree.positions)
    for one, place in zip(TEXTS, tree.places):
        whole = [*one.prompt, *one.completion[:-1]]
        assert tree.ids[place].tolist() == whole and tree.positions[place].tolist() == list(range(len(whole)))
        assert tree.seen[place[-1]].nonzero().flatten().tolist() == sorted(place), "its own text, and nothing else"


def test_scores_and_gradients_are_those_of_each_text_alone():
    policy = make_policy()
    parameters = [one for one in policy.model.parameters() if one.requires_grad]

    def found(shared):
        scores, mask = completion_logprobs(policy.model, TEXTS, policy.pad_id, shared)
        weights = torch.arange(1.0, 1 + len(TEXTS))[:, None] * mask
        return scores * mask, mask, torch.autograd.grad((scores * weights).sum(), parameters)

    (alone, mask, slopes), (together, same, others) = found(False), found(True)
    assert torch.equal(mask, same) and torch.allclose(together, alone, atol=1e-5)
    assert all((one - other).abs().max() < 1e-5 * one.abs().max() for one, other in zip(slopes, others))


def test_a_model_without_positions_is_one_sentence(monkeypatch):
    monkeypatch.setattr("spkit.policy.text_tree.takes", lambda model: frozenset({"input_ids"}))
    policy = make_policy()
    with pytest.raises(SpkitError, match="takes no positions"):
        completion_values(policy.model, TEXTS, policy.pad_id, token_logprobs, shared=True)
