"""A language model's strategy against its softmax by hand, a uniform model, and what it plays."""

import math

import numpy as np
import pytest
import torch

from spkit.measures.game_moves import policy_at_information_sets
from spkit.policy import load_policy
from spkit.run.errors import SpkitError
from spkit.run.streams import generator
from spkit.tasks.games import GAMES, Nim, game_tree, load_game
from tests.conftest import make_policy
from tests.stages.players import random_player

KUHN = load_game("kuhn")


@pytest.mark.parametrize("name", ["kuhn", "leduc", "nim"])
def test_a_model_that_knows_nothing_plays_uniformly_and_mostly_no_move(name):
    policy, game = random_player(sharp=0), load_game(name)
    tree, found = game_tree(game), policy_at_information_sets(policy, game)
    tokens = 2 if name != "nim" else 3  # a move and its end
    legal = np.diff(tree.starts) / len(policy.tokenizer) ** tokens
    assert found.strategy == pytest.approx(tree.uniform()) and found.illegal == pytest.approx(1 - legal)
    summary = found.summary()
    if name == "kuhn":
        assert summary["nash_conv"] == pytest.approx(11 / 12) and summary["entropy"] == pytest.approx(math.log(2))
        assert summary["illegal"] == pytest.approx(1 - 2 / len(policy.tokenizer) ** 2)


@torch.no_grad()
def test_the_strategy_is_the_softmax_of_one_prompt_after_the_other():
    policy = random_player(3, sharp=2)
    found = policy_at_information_sets(policy, KUHN)
    tokenizer, by_hand = policy.tokenizer, []
    for index, (prompt, legal) in enumerate(found.tree.texts):
        ids, chances = tokenizer(prompt)["input_ids"], []
        for move in legal:
            letter = tokenizer.convert_tokens_to_ids(move)
            first = policy.model(torch.tensor([ids])).logits[0, -1].double().softmax(-1)
            second = policy.model(torch.tensor([[*ids, letter]])).logits[0, -1].double().softmax(-1)
            chances.append((first[letter] * second[tokenizer.eos_token_id]).item())
        assert found.illegal[index] == pytest.approx(1 - sum(chances), abs=1e-6)
        by_hand += [chance / sum(chances) for chance in chances]
    assert found.strategy == pytest.approx(by_hand, rel=1e-4)
    assert np.abs(found.strategy - 0.5).max() > 0.1, "a strategy that is not uniform"
    assert found.summary()["nash_conv"] == pytest.approx(found.tree.nash_conv(np.array(by_hand)), abs=1e-4)


def test_what_is_sampled_is_played_as_often_as_it_says():
    policy = random_player(3, sharp=2)
    found = policy_at_information_sets(policy, KUHN)
    prompt, legal = found.tree.texts[4]
    texts = policy.sample([prompt], 20_000, max_new_tokens=2, generator=generator(0, 0, "card"))
    ended = [text for text, end in zip(texts.texts, texts.finished) if end]
    places = slice(*found.tree.starts[4:6])
    for move, share in zip(legal, found.strategy[places] * (1 - found.illegal[4])):
        assert ended.count(move) / 20_000 == pytest.approx(share, abs=4 * (share / 20_000) ** 0.5 + 1e-9)


def test_a_probability_too_small_for_a_number_is_still_a_strategy():
    found = policy_at_information_sets(random_player(1, sharp=4000), KUHN)
    assert np.isfinite(found.strategy).all() and (found.illegal == 1).any()
    assert np.add.reduceat(found.strategy, found.tree.starts[:-1]) == pytest.approx(1)


def test_a_checkpoint_that_does_not_know_the_game_is_one_sentence():
    with pytest.raises(SpkitError, match="does not know 'x'"):
        policy_at_information_sets(make_policy(), KUHN)


def test_a_tokenizer_that_takes_two_moves_for_one_is_refused():
    blind = random_player()
    blind.completion_ids = lambda text, finished=True: [5, blind.tokenizer.eos_token_id]
    with pytest.raises(SpkitError, match="does not tell the moves of game:nim apart"):
        policy_at_information_sets(blind, Nim((2,)))


def test_a_shipped_tokenizer_reads_every_prompt():
    policy = load_policy("replies")
    for name in GAMES:
        for prompt, _ in game_tree(load_game(name)).texts[::50]:
            assert len(policy.prompt_ids(prompt)) == len(prompt)
