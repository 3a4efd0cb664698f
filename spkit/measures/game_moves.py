"""What a language model plays, exactly: the probability of every legal move at every information set of a game.

A game of a few thousand information sets can be read off a model whole, where others must estimate from games it plays.
"""

from dataclasses import dataclass

import numpy as np
import torch

from ..policy import Policy
from ..policy.training import large
from ..run.errors import SpkitError
from ..tasks.games import GameTree, TextGame, game_tree
from ..tasks.games.tree import FloatVector

SHARED_SETS = 16  # information sets whose prompts a large model reads as one row


@dataclass(frozen=True)
class MoveChances:
    """`strategy` (places in a strategy,) sums to 1 at every information set: the probabilities among legal moves;
    `illegal` (information sets,) is the probability of writing anything else.

    A move counts as written with the tokens that the tokenizer gives it, and its end. A model that can spell it in
    another way as well has that among `illegal`.
    """

    tree: GameTree
    strategy: FloatVector
    illegal: FloatVector

    def summary(self) -> dict[str, float]:
        """Plain numbers. `nash_conv`, and that of the likeliest moves (`nash_conv_greedy`: 0 is perfect play where
        nothing is hidden), and `value` (to the first seat, both seats playing so), in the game's unit; `entropy` of a
        move (nats) and `illegal`, means over the moves of a game that the strategy plays with itself.
        """
        met = self.tree.reached(self.strategy)
        weights, surprise = met / met.sum(), -np.log(np.maximum(self.strategy, 1e-300))
        spread = np.add.reduceat(self.strategy * surprise, self.tree.starts[:-1])
        return {
            "nash_conv": self.tree.nash_conv(self.strategy),
            "nash_conv_greedy": self.tree.nash_conv(self.tree.greedy(self.strategy)),
            "value": self.tree.value(self.strategy, self.strategy),
            "entropy": float(weights @ spread),
            "illegal": float(weights @ self.illegal),
        }


def move_tokens(policy: Policy, game: TextGame) -> dict[str, list[int]]:
    """The completion of every move of the game: its token ids and what ends it.

    Raises SpkitError if the tokenizer does not know the characters of moves and prompts, or does not tell two moves
    apart.
    """
    texts = game_tree(game).texts
    moves = list(dict.fromkeys(move for _, legal in texts for move in legal))
    try:
        written = {move: policy.completion_ids(move) for move in moves}
        policy.prompt_ids(texts[0][0])
    except SpkitError as error:
        raise SpkitError(f"this model cannot play {game.name}: {error}") from error
    if len({tuple(ids) for ids in written.values()}) < len(moves):
        raise SpkitError(
            f"the tokenizer of this model does not tell the moves of {game.name} apart: take another model"
        )
    return written


def policy_at_information_sets(policy: Policy, game: TextGame) -> MoveChances:
    """A language model's strategy, from its next-token probabilities: every legal move is scored after every prompt.

    Raises SpkitError for a tokenizer that does not know the game's characters (`move_tokens`).
    """
    tree, written = game_tree(game), move_tokens(policy, game)
    rows = [(prompt, written[move]) for prompt, legal in tree.texts for move in legal]
    shared = large(policy.model) and len(tree.texts) <= SHARED_SETS
    scores = policy.logprobs([prompt for prompt, _ in rows], [ids for _, ids in rows], shared=shared)
    logs = torch.stack([one.double().sum() for one in scores]).numpy()
    top = np.maximum.reduceat(logs, tree.starts[:-1])
    shares = np.exp(logs - top[tree.owner])
    sums = np.add.reduceat(shares, tree.starts[:-1])
    legal = np.exp(top) * sums
    return MoveChances(tree, shares / sums[tree.owner], np.clip(1 - legal, 0, 1))
