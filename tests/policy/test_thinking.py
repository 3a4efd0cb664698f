"""Thoughts against one place at a time, plain texts and enumeration: what departures of public codes would break."""

import itertools

import pytest
import torch
from torch import Tensor
from transformers import GPT2Config, LlamaConfig, Qwen2Config

from spkit.maths.thoughts import mixed_nll, thought_advantages, thought_loss, thought_rewards
from spkit.policy.thinking import CLOSE_MARK, START_MARK, Thinker, block_mask, chosen_tokens, talk, think
from spkit.policy.training import token_logprobs
from spkit.run.errors import SpkitError
from tests.policy.test_static_cache import random_policy, small, with_lora

LENGTH, TOKENS, AHEAD = 7, 3, 3
PLACES = torch.arange(LENGTH - 1)


def gpt2():
    sizes = {"vocab_size": small(LlamaConfig).vocab_size, "n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 96}
    return random_policy(GPT2Config(**sizes, eos_token_id=1, bos_token_id=None))


MODELS = {
    "llama": lambda: random_policy(small(LlamaConfig)),
    "qwen2": lambda: random_policy(small(Qwen2Config, attn_implementation="eager")),
    "learned positions": gpt2,
    "adapters": with_lora,
}


def thinking(name: str = "llama", tokens: int = TOKENS, mix: bool = True) -> Thinker:
    """A thinker whose head mixes, which an untrained one does not."""
    thinker = Thinker(MODELS[name]().model, (5, 6), tokens, seed=0)
    if mix:
        with torch.random.fork_rng():
            torch.manual_seed(1)
            torch.nn.init.normal_(thinker.head.layers[-1].weight, std=0.5)
            torch.nn.init.normal_(thinker.marks, std=0.5)
    return thinker


def some_texts(rows: int = 2, length: int = LENGTH) -> Tensor:
    return torch.randint(3, 18, (rows, length), generator=torch.Generator().manual_seed(3))


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("name", MODELS)
def test_an_untrained_head_leaves_every_prediction_the_bases(name):
    thinker, ids = thinking(name, mix=False), some_texts()
    said = talk(thinker, ids, PLACES, think(thinker, ids, PLACES, 2, generator()), AHEAD)
    base = token_logprobs(thinker.model(input_ids=ids).logits[:, :-1].float(), ids[:, 1:])
    torch.testing.assert_close(said.next, base, atol=1e-5, rtol=0)
    for ahead in range(AHEAD):
        there = said.there[:, ahead]
        for sibling in range(2):
            torch.testing.assert_close(said.mixed[:, sibling, there, ahead], base[:, ahead:], atol=1e-5, rtol=0)
    assert (said.weight == 0).all()


def one_at_a_time(thinker: Thinker, text: Tensor, thought: Tensor, ahead: Tensor) -> tuple[Tensor, Tensor]:
    """States before and after a thought written into the text of one row, token by token, with no mask at all."""
    parts = [
        thinker.embedded(text),
        thinker.marks[START_MARK][None],
        thinker.embedded(thought),
        thinker.marks[CLOSE_MARK][None],
        thinker.embedded(ahead),
    ]
    states = thinker.model(inputs_embeds=torch.cat(parts)[None], output_hidden_states=True).hidden_states[-1][0]
    return states[: len(text)], states[len(text) :]


@pytest.mark.parametrize("name", MODELS)
def test_all_places_together_are_one_place_at_a_time(name):
    thinker, ids = thinking(name), some_texts()
    places = torch.tensor([0, 2, 5])
    thoughts = think(thinker, ids, places, 2, generator())
    said = talk(thinker, ids, places, thoughts, AHEAD)
    base = token_logprobs(thinker.model(input_ids=ids).logits[:, :-1].float(), ids[:, 1:])
    torch.testing.assert_close(said.next, base, atol=1e-5, rtol=0)  # untouched where no thought is
    for row, sibling, (number, place) in itertools.product(range(2), range(2), enumerate(places.tolist())):
        text, thought = ids[row, : place + 1], thoughts[row, sibling, number]
        upcoming = ids[row, place + 1 : place + 1 + AHEAD]
        _, behind = one_at_a_time(thinker, text, thought, upcoming[:-1])
        written = token_logprobs(thinker.logits(behind[:TOKENS]), thought)
        torch.testing.assert_close(said.thoughts[row, sibling, number], written, atol=1e-5, rtol=0)
        plain, _ = one_at_a_time(thinker, ids[row], thought, upcoming[:0])
        before, after = plain[place : place + len(upcoming)], behind[TOKENS + 1 :]
        weight = thinker.head(before, after)
        mixed = token_logprobs(thinker.logits(before * (1 - weight) + after * weight), upcoming)
        torch.testing.assert_close(said.mixed[row, sibling, number, : len(upcoming)], mixed, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_greedy_thoughts_are_what_the_model_writes_after_each_place(name):
    thinker, ids = thinking(name), some_texts()
    thoughts = think(thinker, ids, PLACES, 1, None, temperature=0.0)
    for row, place in itertools.product(range(2), PLACES.tolist()):
        written = torch.empty(0, dtype=torch.long)
        for _ in range(TOKENS):
            given = torch.cat(
                [thinker.embedded(ids[row, : place + 1]), thinker.marks[START_MARK][None], thinker.embedded(written)]
            )
            written = torch.cat([written, thinker.model(inputs_embeds=given[None]).logits[0, -1:].argmax(-1)])
        assert thoughts[row, 0, place].tolist() == written.tolist()


def test_no_thought_sees_the_text_that_follows_nor_another_thought():
    thinker, ids = thinking(), some_texts()
    changed = ids.clone()
    changed[:, 4:] = 20 - changed[:, 4:]
    greedy = [think(thinker, one, PLACES, 1, None, temperature=0.0) for one in (ids, changed)]
    assert torch.equal(*(one[:, :, :4] for one in greedy)) and not torch.equal(*greedy)
    said = [talk(thinker, one, PLACES, greedy[0], 1) for one in (ids, changed)]
    torch.testing.assert_close(*(one.thoughts[:, :, :4] for one in said), atol=1e-6, rtol=0)
    torch.testing.assert_close(*(one.mixed[:, :, :3] for one in said), atol=1e-6, rtol=0)
    other = greedy[0].clone()
    other[:, :, 2] = 17 - other[:, :, 2]
    moved = talk(thinker, ids, PLACES, other, AHEAD).mixed != talk(thinker, ids, PLACES, greedy[0], AHEAD).mixed
    assert moved[:, :, 2].all() and not (moved[:, :, :2].any() or moved[:, :, 3:].any())


def test_the_mask_is_causal_on_the_text_and_diagonal_on_the_blocks():
    mask = block_mask(4, torch.tensor([1, 3]), 2)
    seen = [[place for place, sees in enumerate(row) if sees] for row in mask.tolist()]
    assert seen[:4] == [[0], [0, 1], [0, 1, 2], [0, 1, 2, 3]]
    assert seen[4:6] == [[0, 1, 4], [0, 1, 2, 3, 5]]
    assert seen[6:] == [[0, 1, 4, 6], [0, 1, 2, 3, 5, 7]]


def test_marks_begin_as_the_rows_of_their_tokens_and_are_no_token():
    thinker = thinking(mix=False)
    table = thinker.model.get_input_embeddings().weight
    assert torch.equal(thinker.marks[START_MARK], table[5]) and torch.equal(thinker.marks[CLOSE_MARK], table[6])
    assert thinker.logits(table[:1]).shape[-1] == len(table)
    said = talk(thinker, some_texts(), PLACES, think(thinker, some_texts(), PLACES, 2, generator()), AHEAD)
    said.thoughts.sum().backward()
    assert thinker.marks.grad[START_MARK].abs().sum() > 0


def test_what_is_sampled_has_the_distribution_that_is_scored():
    logits = torch.tensor([2.0, 0.0, -1.0, 0.5])
    drawn = chosen_tokens(logits.expand(40_000, -1), generator(), 1.0)
    found = torch.bincount(drawn, minlength=4) / len(drawn)
    torch.testing.assert_close(found, logits.softmax(-1), atol=0.01, rtol=0)


def test_siblings_are_independent_and_stand_with_their_text():
    thinker, ids = thinking(), some_texts(rows=3)
    thoughts = think(thinker, ids, PLACES, 4, generator())
    assert thoughts.shape == (3, 4, LENGTH - 1, TOKENS)
    assert len({tuple(one.flatten().tolist()) for one in thoughts[0]}) == 4
    together = talk(thinker, ids, PLACES, thoughts, AHEAD)
    alone = talk(thinker, ids[1:2], PLACES, thoughts[1:2, 2:3], AHEAD)
    torch.testing.assert_close(together.mixed[1, 2], alone.mixed[0, 0], atol=1e-5, rtol=0)


def test_tokens_behind_the_end_of_the_text_count_for_nothing():
    said = talk(thinking(), some_texts(), PLACES, think(thinking(), some_texts(), PLACES, 2, generator()), AHEAD)
    assert said.there.tolist() == [[place + ahead < LENGTH for ahead in (1, 2, 3)] for place in range(LENGTH - 1)]
    broken = said.mixed.masked_fill(~said.there, -1e9)
    assert torch.equal(thought_rewards(broken, said.there), thought_rewards(said.mixed, said.there))
    assert mixed_nll(broken, said.there) == mixed_nll(said.mixed, said.there)
    mean = -said.mixed[said.there.expand_as(said.mixed)].mean()
    torch.testing.assert_close(mixed_nll(said.mixed, said.there), mean)


def test_reinforce_is_the_gradient_of_the_expected_reward():
    """All pairs of thoughts of two tokens from a vocabulary of 4, each with its probability."""
    rewards = torch.rand(4, 4, generator=generator(), dtype=torch.float64)
    logits = torch.randn(5, 4, generator=generator(), dtype=torch.float64, requires_grad=True)
    first, second = logits[0].log_softmax(-1), logits[1:].log_softmax(-1)
    expected = (rewards * (first[:, None] + second).exp()).sum()
    (exact,) = torch.autograd.grad(expected, logits, retain_graph=True)
    found = torch.zeros_like(logits)
    thoughts = list(itertools.product(range(4), range(4)))
    for pair in itertools.product(thoughts, thoughts):
        logprobs = torch.stack([torch.stack([first[a], second[a, b]]) for a, b in pair])[None, :, None]
        earned = torch.stack([rewards[a, b] for a, b in pair])[None, :, None]
        loss = thought_loss(thought_advantages(earned, positive=False), logprobs)
        chance = logprobs.detach().sum().exp()
        found -= chance * torch.autograd.grad(loss, logits, retain_graph=True)[0]
    torch.testing.assert_close(found, exact / 2, atol=1e-12, rtol=1e-9)


def test_advantages_are_against_the_siblings_at_the_place():
    rewards = torch.tensor([[[1.0, 5.0], [3.0, 5.0]]])
    assert thought_advantages(rewards, positive=False).tolist() == [[[-1.0, 0.0], [1.0, 0.0]]]
    assert thought_advantages(rewards, positive=True).tolist() == [[[0.0, 0.0], [1.0, 0.0]]]


def test_pauses_stand_where_thoughts_would():
    thinker, ids = thinking(), some_texts()
    said = talk(thinker, ids, PLACES, None, AHEAD, siblings=1)
    thoughts = torch.full((2, 1, LENGTH - 1, TOKENS), 5)
    with torch.no_grad():
        thinker.pauses.copy_(thinker.embedded(torch.tensor([5] * TOKENS)))
    torch.testing.assert_close(
        talk(thinker, ids, PLACES, None, AHEAD).mixed, talk(thinker, ids, PLACES, thoughts, AHEAD).mixed
    )
    assert said.thoughts.abs().sum() == 0


def test_a_model_that_cannot_be_told_a_mask_is_refused():
    class Deaf(torch.nn.Module):
        def forward(self, input_ids):
            return input_ids

    with pytest.raises(SpkitError, match="masks, positions and embeddings"):
        Thinker(Deaf(), (0, 1), 2, 0)
