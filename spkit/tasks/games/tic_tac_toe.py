"""Tic-tac-toe as text: three in a row win; 4,520 positions to move in, and no hidden information."""

from dataclasses import dataclass
from typing import ClassVar

from .base import OVER, State, TextGame, choice

THREES = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6))
X_AND_O = "xo"


@dataclass(frozen=True)
class TicTacToe(TextGame):
    """A state is one text of nine cells: x, o, or the number of an empty one, which is the move that fills it."""

    name: ClassVar[str] = "game:tic-tac-toe"
    unit: ClassVar[str] = "games"
    largest: ClassVar[float] = 1
    instruction: ClassVar[str] = (
        "Tic-tac-toe. The board is three rows of three cells; an empty cell shows its number. Three of a player's "
        "marks in a row, a column or a diagonal win. Answer with the number of an empty cell, and nothing else."
    )

    def start(self) -> State:
        """An empty board."""
        return ("123456789",)

    def turn(self, state: State) -> int:
        """x begins."""
        (board,) = state
        if _won(board):
            return OVER
        empty = sum(cell.isdigit() for cell in board)
        return (9 - empty) % 2 if empty else OVER

    def legal(self, state: State) -> tuple[str, ...]:
        """The empty cells."""
        return tuple(cell for cell in state[0] if cell.isdigit())

    def after(self, state: State, move: str) -> State:
        """The cell has the mark of the player to move."""
        return (state[0].replace(move, X_AND_O[self.turn(state)]),)

    def returns(self, state: State) -> float:
        """1 for a win, 0 for a draw."""
        return {"x": 1, "o": -1, "": 0}[_won(state[0])]

    def prompt(self, state: State) -> str:
        """For example `board 12x 4o6 789, you are x, choose 1 2 4 6 7 8 9>`."""
        return f"board {_rows(state)}, you are {X_AND_O[self.turn(state)]}, {choice(self.legal(state))}"


@dataclass(frozen=True)
class BriefTicTacToe(TicTacToe):
    """The board alone, which says all the rest: a quarter of the text to compute. No shipped base has read such texts,
    and yet the base of games mostly names an empty cell.
    """

    name: ClassVar[str] = "game:tic-tac-toe-brief"

    def prompt(self, state: State) -> str:
        """For example `12x 4o6 789>`."""
        return f"{_rows(state)}>"


def _rows(state: State) -> str:
    (board,) = state
    return " ".join(board[start : start + 3] for start in (0, 3, 6))


def _won(board: str) -> str:
    """The mark that has three in a row, empty if none has."""
    return next((board[a] for a, b, c in THREES if board[a] == board[b] == board[c]), "")
