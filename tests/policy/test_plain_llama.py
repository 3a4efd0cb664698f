"""Our own forward pass of a tiny Llama, and its gradients, beside transformers in double precision."""

import copy

import pytest
import torch
from torch import Tensor
from transformers import LlamaForCausalLM

from spkit.policy import plain_llama as module
from spkit.policy import training
from spkit.policy.plain_llama import logits_at
from spkit.policy.training import Example, completion_logprobs, completion_values, token_logprobs
from tests.helpers import apart
from tests.policy.test_llama_decoder import llama

SHAPES = ((5, 7), (1, 1), (9, 2), (3, 0), (4, 12), (12, 4))  # tokens of prompt and completion


def texts(seed: int = 0, shapes: tuple[tuple[int, int], ...] = SHAPES) -> list[Example]:
    numbers = torch.Generator().manual_seed(seed)
    written = lambda count: torch.randint(23, (count,), generator=numbers).tolist()
    return [Example(written(prompt), written(completion)) for prompt, completion in shapes]


def exact_logprobs(model: LlamaForCausalLM, examples: list[Example]) -> list[Tensor]:
    """Of each completion in double precision, a text at a time."""
    found = []
    for example in examples:
        ids, start = torch.tensor([example.prompt + example.completion]), len(example.prompt)
        scores = model(ids).logits[0].log_softmax(-1)
        found.append(scores[start - 1 : -1].gather(1, ids[0, start:, None]).squeeze(1))
    return found


@pytest.mark.parametrize("kinds", [1, 2, 4])
@pytest.mark.parametrize("tied", [False, True])
def test_log_probabilities_and_all_gradients(kinds, tied):
    """The token of padding, which texts may hold, too, is embedded without a gradient, as there."""
    model, examples = llama(kinds=kinds, head_dim=12, tie_word_embeddings=tied, pad_token_id=0), texts()
    twin, weights = copy.deepcopy(model).double(), torch.randn(len(SHAPES), 16)
    values, mask = completion_logprobs(model, examples, 0)
    expected = exact_logprobs(twin, examples)
    for row, (example, scores) in enumerate(zip(examples, expected)):
        assert mask[row].sum() == len(example.completion)
        assert not len(scores) or apart(values[row][mask[row]].double(), scores) < 1e-4
    assert not values[~mask].any()
    sum((values[row][mask[row]] * weights[row, : mask[row].sum()]).sum() for row in range(len(SHAPES))).backward()
    sum((scores * weights[row, : len(scores)].double()).sum() for row, scores in enumerate(expected)).backward()
    for (name, one), other in zip(model.named_parameters(), twin.parameters()):
        assert apart(one.grad.double(), other.grad) < 2e-5 * (1 + other.grad.abs().max()), name


def test_our_own_pass_is_taken_and_left_where_it_does_not_fit(monkeypatch):
    calls, model = [], llama()
    monkeypatch.setattr(training, "logits_at", lambda *given: calls.append(1) or logits_at(*given))
    (ours,), mask = completion_values(model, texts(), 0, token_logprobs)
    assert calls == [1]
    handle = model.lm_head.register_forward_hook(lambda *_: None)
    (theirs,), same = completion_values(model, texts(), 0, token_logprobs)
    handle.remove()
    assert calls == [1] and torch.equal(mask, same) and apart(ours[mask], theirs[mask]) < 1e-5
    monkeypatch.setattr(training, "SHORT_TEXT", 15)
    completion_values(model, texts(), 0, token_logprobs)
    assert calls == [1], "longer texts are read by the model"


def test_padding_and_company_change_nothing():
    model, examples = llama(), texts()
    (together,), mask = completion_values(model, examples, 0, token_logprobs)
    for row, example in enumerate(examples):
        if example.completion:
            (alone,), own = completion_values(model, [example], 0, token_logprobs)
            assert apart(alone[own], together[row][mask[row]]) < 1e-5


def test_a_measure_of_several_numbers_stands_at_its_token(monkeypatch):
    """All log-probabilities of a place, by our own pass and by that of transformers."""
    model, examples = llama(), texts()
    every = lambda logits, ids: logits.log_softmax(-1)
    (ours, one), mask = completion_values(model, examples, 0, every, token_logprobs)
    monkeypatch.setattr(training, "plain_llama", lambda model: False)
    (theirs,), same = completion_values(model, examples, 0, every)
    assert torch.equal(mask, same) and ours.shape == (*mask.shape, model.config.vocab_size)
    assert torch.allclose(ours[mask], theirs[mask], atol=1e-5) and not ours[~mask].any()
    assert (one[mask][:, None] == ours[mask]).any(1).all()


def test_an_empty_completion_is_no_number():
    (values,), mask = completion_values(llama(), texts(0, ((3, 0), (5, 0))), 0, token_logprobs)
    assert values.shape == mask.shape and not mask.any()


def test_what_is_frozen_gets_no_gradient():
    model = llama()
    model.model.embed_tokens.weight.requires_grad_(False)
    model.model.layers[0].mlp.up_proj.weight.requires_grad_(False)
    completion_logprobs(model, texts(), 0)[0].sum().backward()
    with_gradient = {name for name, one in model.named_parameters() if one.grad is not None}
    assert {name for name, _ in model.named_parameters()} - with_gradient == {
        "model.embed_tokens.weight",
        "model.layers.0.mlp.up_proj.weight",
    }


@pytest.mark.parametrize("kind", ["_Norm", "_Gate"])
def test_gradients_of_parts_by_differences(kind):
    torch.manual_seed(1)
    given = {"_Norm": (torch.randn(4, 6), torch.randn(6), 1e-3), "_Gate": (torch.randn(4, 6), torch.randn(4, 6))}[kind]
    given = [one.double().requires_grad_() if isinstance(one, Tensor) else one for one in given]
    assert torch.autograd.gradcheck(getattr(module, kind).apply, given)
