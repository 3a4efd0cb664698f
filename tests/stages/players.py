"""Tiny policies that play games: a random one, and one that has read legal moves of one game."""

from functools import cache

import torch

from spkit.bases.tiny import char_tokenizer, tiny_llama
from spkit.policy import Policy, SftConfig
from spkit.tasks.games import game_tree, load_game

GAME_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789 :,>"


def random_player(seed: int = 0, sharp: float = 12) -> Policy:
    """A random model that knows the characters; with `sharp` 0 every token is as likely as any other."""
    tokenizer = char_tokenizer(GAME_ALPHABET, 96)
    policy = Policy(tiny_llama(tokenizer, 96, seed, width=32, layers=2, spread=0.1), tokenizer)
    with torch.no_grad():
        policy.model.model.norm.weight.mul_(sharp)
    return policy


@cache
def legal_player(name: str = "kuhn", steps: int = 120) -> Policy:
    """A policy that draws about any legal move. Do not train it: train a clone."""
    policy = random_player(sharp=1)
    texts = game_tree(load_game(name)).texts
    pairs = [(prompt, policy.completion_ids(move)) for prompt, moves in texts for move in moves]
    policy.fit(pairs, SftConfig(steps=steps, batch_size=24, learning_rate=5e-3), torch.Generator().manual_seed(0))
    return policy
