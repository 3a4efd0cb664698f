"""Leduc poker as text (Southey et al. 2005, arXiv:1207.1411): six cards, two rounds of bets; 936 information sets.

Two suits of three cards, an ante of 1. Each player has one card; after the first round of bets one card is laid open. A
bet or raise is 2 in the first round and 4 in the second, at most two of them a round. A pair with the open card wins,
else the higher card; equal cards share the pot.
"""

from dataclasses import dataclass
from itertools import permutations
from typing import ClassVar

from .base import CHANCE, OVER, State, TextGame, choice, moves_shown

LEDUC_CARDS = ("js", "jh", "qs", "qh", "ks", "kh")
LEDUC_RANKS = "jqk"
BETS = (2, 4)  # of the two rounds
MOST_BETS = 2  # of a round
ROUND_ENDS = ("xx", "c")  # a round is over when it ends so


@dataclass(frozen=True)
class LeducPoker(TextGame):
    """A state is the two cards, the open card, and what was played in each round: x check, b bet, r raise, f fold,
    c call.
    """

    name: ClassVar[str] = "game:leduc"
    unit: ClassVar[str] = "antes"
    largest: ClassVar[float] = 13
    instruction: ClassVar[str] = (
        "Leduc poker. The cards are j, q and k in two suits, k being the highest. Each of two players puts in an ante "
        "of 1 and has one card. A player may check (x) or bet (b); after a bet the other folds (f), calls (c) or "
        "raises (r) once. Then one card is laid open, and there is a second round. Bets are 2 in the first round and 4 "
        "in the second. A pair with the open card wins, else the higher card. Answer with one of the letters to choose "
        "from, and nothing else."
    )

    def start(self) -> State:
        """No cards yet."""
        return (), "", "", ""

    def turn(self, state: State) -> int:
        """The first player opens both rounds."""
        cards, public, first, second = state
        if not cards or (not public and first.endswith(ROUND_ENDS)):
            return CHANCE
        now = second if public else first
        return OVER if now.endswith(("f", *ROUND_ENDS)) else len(now) % 2

    def chances(self, state: State) -> list[State]:
        """The two cards, later the open one."""
        cards, _, first, _ = state
        if not cards:
            return [(pair, "", "", "") for pair in permutations(LEDUC_CARDS, 2)]
        return [(cards, card, first, "") for card in LEDUC_CARDS if card not in cards]

    def legal(self, state: State) -> tuple[str, ...]:
        """Fold, call and perhaps raise where there is a bet, else check or bet."""
        now = state[3] if state[1] else state[2]
        if not now.endswith(("b", "r")):
            return ("x", "b")
        return ("f", "c") if _bets(now) == MOST_BETS else ("f", "c", "r")

    def after(self, state: State, move: str) -> State:
        """One more letter of the round under way."""
        cards, public, first, second = state
        return (cards, public, first, second + move) if public else (cards, public, first + move, second)

    def returns(self, state: State) -> float:
        """In antes."""
        cards, public, first, second = state
        now = second if public else first
        if now.endswith("f"):
            # who folds has put in everything but the bet it did not call
            lost = 1 + (_stake(first, 0) + (_stake(second, 1) if public else 0)) - BETS[bool(public)]
            return lost if len(now) % 2 == 0 else -lost
        ranks = [3 * (card[0] == public[0]) + LEDUC_RANKS.index(card[0]) for card in cards]
        won = 1 + _stake(first, 0) + _stake(second, 1)
        return won * ((ranks[0] > ranks[1]) - (ranks[0] < ranks[1]))

    def prompt(self, state: State) -> str:
        """For example `leduc card js, played x b c, open qh, played x, choose x b>`."""
        cards, public, first, second = state
        later = f"open {public}, {moves_shown(second)}" if public else ""
        return f"leduc card {cards[self.turn(state)]}, {moves_shown(first)}{later}{choice(self.legal(state))}"


def _bets(round_played: str) -> int:
    return round_played.count("b") + round_played.count("r")


def _stake(round_played: str, number: int) -> int:
    """What a player has put in who has matched every bet of a round."""
    return BETS[number] * _bets(round_played)
