"""Two-player zero-sum games that a language model plays: states as text, a move as one or few tokens, rules that judge.

A game is pure functions of a state, which is a tuple. What the player to move sees is a text, and two states are in one
information set exactly where their texts are the same; a text names its player, in words or by what was played. Returns
are those of the first player, and the second has their negative.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from ...run.errors import SpkitError
from ..base import Problem, Split, Task

State = tuple[Any, ...]
CHANCE, OVER = -1, -2  # whose turn it is, where it is no player's; a player's turn is 0 or 1, its seat
SEATS = ("first", "second")


@dataclass(frozen=True)
class TextGame(Task):
    """The rules of a game. `largest` is the most that can be lost, in the game's `unit`; `instruction` tells the
    rules and the letters of the moves to a chat model; `base` names the shipped model that knows the game.
    """

    name: ClassVar[str]
    unit: ClassVar[str]
    largest: ClassVar[float]
    instruction: ClassVar[str]
    base: ClassVar[str] = "games"
    zero_shot: ClassVar[bool] = True
    difficulties: ClassVar[tuple[int, ...]] = (1,)

    def problem(self, seed: int, index: int, difficulty: int | None = None, split: Split = "train") -> Problem:
        """Raises SpkitError: a move is good or bad by how the game ends, and not by itself."""
        raise SpkitError(
            f"{self.name} is a game without right answers: play it with the loop game-self-play, or take the task "
            "legal-moves"
        )

    def start(self) -> State:
        """The state before anything has happened."""
        raise NotImplementedError

    def turn(self, state: State) -> int:
        """The seat to move (0 or 1), `CHANCE` or `OVER`."""
        raise NotImplementedError

    def chances(self, state: State) -> list[State]:
        """What a move of chance may lead to; all are equally likely."""
        raise NotImplementedError

    def legal(self, state: State) -> tuple[str, ...]:
        """The legal moves of the player to move, as text, in a fixed order."""
        raise NotImplementedError

    def after(self, state: State, move: str) -> State:
        """The state after a legal move."""
        raise NotImplementedError

    def returns(self, state: State) -> float:
        """What the first player has won when the game is over."""
        raise NotImplementedError

    def prompt(self, state: State) -> str:
        """What the player to move sees, its legal moves included."""
        raise NotImplementedError

    def read(self, state: State, text: str) -> str | None:
        """The legal move that a completion comes to, white space around it aside; None if it is none."""
        longest = max(map(len, self.legal(state)))
        move = text.strip() if len(text) <= 2 * longest + 16 else ""
        return move if move in self.legal(state) else None


def choice(moves: tuple[str, ...]) -> str:
    """The end of every prompt: what there is to choose from."""
    return f"choose {' '.join(moves)}>"


def moves_shown(history: str) -> str:
    """One-letter moves as a prompt shows them; nothing where there were none."""
    return f"played {' '.join(history)}, " if history else ""


def check_game(game: Any) -> "TextGame":
    """The game. Raises SpkitError if it is a task of another kind."""
    if not isinstance(game, TextGame):
        raise SpkitError(f"{getattr(game, 'name', game)!r} is no game: choose one, such as game:kuhn")
    return game
