"""Games that a language model plays, with their exact values."""

from collections.abc import Callable

from ...run.errors import SpkitError
from .base import CHANCE, OVER, SEATS, State, TextGame, check_game
from .kuhn_poker import KuhnInWords, KuhnPoker
from .leduc import LeducPoker
from .nim import Nim, SmallNim
from .tic_tac_toe import BriefTicTacToe, TicTacToe
from .tree import GameTree, game_tree

GAMES: dict[str, Callable[[], TextGame]] = {
    "kuhn": KuhnPoker,
    "leduc": LeducPoker,
    "tic-tac-toe": TicTacToe,
    "tic-tac-toe-brief": BriefTicTacToe,
    "nim": Nim,
    "nim-small": SmallNim,
}
IN_ENGLISH: dict[str, Callable[[], TextGame]] = {"kuhn-words": KuhnInWords}  # of which no shipped model has read


def load_game(name: str) -> TextGame:
    """The game of that name. SpkitError names the ones there are."""
    known = GAMES | IN_ENGLISH
    if name not in known:
        raise SpkitError(f"unknown game {name!r}: choose one of {', '.join(known)}")
    return known[name]()


__all__ = [
    "CHANCE",
    "GAMES",
    "IN_ENGLISH",
    "OVER",
    "SEATS",
    "BriefTicTacToe",
    "GameTree",
    "KuhnInWords",
    "KuhnPoker",
    "LeducPoker",
    "Nim",
    "SmallNim",
    "State",
    "TextGame",
    "TicTacToe",
    "check_game",
    "game_tree",
    "load_game",
]
