"""Kuhn poker as text (Kuhn 1950): three cards, an ante of 1, one bet of 1; 12 information sets.

`spkit.games.kuhn` plays the same game as a table, with its 64 pure strategies a player.
"""

from dataclasses import dataclass
from itertools import permutations
from typing import ClassVar

from ..base import Problem
from .base import CHANCE, OVER, State, TextGame, choice, moves_shown

KUHN_CARDS = "jqk"  # from the lowest
SHOWDOWNS = {"xx": 1, "bc": 2, "xbc": 2}  # what the higher card wins
FOLDS = {"bf": 1, "xbf": -1}  # what the first player wins
IN_WORDS = {"x": "check", "b": "bet", "f": "fold", "c": "call"}
NAMES = {"j": "jack", "q": "queen", "k": "king", "t": "ten"}  # the ten is in the examples alone
PLAYED = {"": "", "b": "The other player bets. ", "xb": "You check, the other player bets. "}
PLAYED |= {"x": "The other player checks. "}


@dataclass(frozen=True)
class KuhnPoker(TextGame):
    """A state is the two cards and what was played: x check, b bet, f fold, c call."""

    name: ClassVar[str] = "game:kuhn"
    unit: ClassVar[str] = "antes"
    largest: ClassVar[float] = 2
    instruction: ClassVar[str] = (
        "Kuhn poker. The cards are j, q and k, k being the highest. Each of two players puts in an ante of 1 and has "
        "one card. A player may check (x) or bet 1 (b); after a bet the other folds (f) or calls (c). The higher card "
        "wins. Answer with one of the letters to choose from, and nothing else."
    )

    def start(self) -> State:
        """No cards yet."""
        return "", ""

    def turn(self, state: State) -> int:
        """The first player opens, the second replies, and the first answers a bet after a check."""
        cards, history = state
        if not cards:
            return CHANCE
        return OVER if history in SHOWDOWNS or history in FOLDS else len(history) % 2

    def chances(self, state: State) -> list[State]:
        """The six deals: the first player's card, then the second's."""
        return [("".join(cards), "") for cards in permutations(KUHN_CARDS, 2)]

    def legal(self, state: State) -> tuple[str, ...]:
        """Fold or call where there is a bet, else check or bet."""
        return ("f", "c") if state[1].endswith("b") else ("x", "b")

    def after(self, state: State, move: str) -> State:
        """One more letter."""
        return state[0], state[1] + move

    def returns(self, state: State) -> float:
        """In antes."""
        cards, history = state
        if history in FOLDS:
            return FOLDS[history]
        higher = KUHN_CARDS.index(cards[0]) > KUHN_CARDS.index(cards[1])
        return SHOWDOWNS[history] if higher else -SHOWDOWNS[history]

    def prompt(self, state: State) -> str:
        """For example `kuhn card k, played x b, choose f c>`."""
        return f"kuhn card {state[0][self.turn(state)]}, {moves_shown(state[1])}{choice(self.legal(state))}"


@dataclass(frozen=True)
class KuhnInWords(KuhnPoker):
    """The same game for a model that reads English: a move is one word, in lower case and nothing else.

    The examples are of a card that the game does not have, every move once, so that they show how to answer and not
    how to play.
    """

    name: ClassVar[str] = "game:kuhn-words"
    base: ClassVar[str] = ""
    zero_shot: ClassVar[bool] = False
    instruction: ClassVar[str] = (
        "Kuhn poker: a jack, a queen and a king, the king is highest. Two players put 1 coin each in the pot and get "
        "one card each. Check or bet 1 coin; after a bet, fold or call. The higher card wins the pot. Answer with one "
        "word."
    )

    def legal(self, state: State) -> tuple[str, ...]:
        """Fold or call where there is a bet, else check or bet."""
        return tuple(IN_WORDS[move] for move in super().legal(state))

    def after(self, state: State, move: str) -> State:
        """The word's letter more."""
        return super().after(state, next(letter for letter, word in IN_WORDS.items() if word == move))

    def prompt(self, state: State) -> str:
        """For example `Your card: king. You check, the other player bets. Fold or call?`."""
        return self._asked(state[0][self.turn(state)], state[1])

    def demonstrations(self) -> list[Problem]:
        """Four hands with a ten, and a legal move each."""
        shown = (("", "x"), ("b", "c"), ("xb", "f"), ("x", "b"))
        return [Problem(self._asked("t", played), IN_WORDS[move], 1) for played, move in shown]

    def solution(self, problem: Problem) -> str:
        """The move of an example."""
        return problem.answer

    def _asked(self, card: str, played: str) -> str:
        return f"Your card: {NAMES[card]}. {PLAYED[played]}{' or '.join(self.legal(('', played))).capitalize()}?"
