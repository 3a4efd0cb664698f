"""Nim as text: players take from one heap in turn, and who takes the last one wins (Bouton 1901).

The player to move wins exactly where the heaps, written in binary and added without carrying, do not come to 0.
"""

from dataclasses import dataclass
from typing import ClassVar

from ...run.errors import SpkitError
from .base import OVER, SEATS, State, TextGame, choice

HEAP_NAMES = "abcd"
MOST_NIM = 9  # of a heap: a count is one digit


@dataclass(frozen=True)
class Nim(TextGame):
    """A state is the heaps and the seat to move; a move such as `b2` takes two from the second heap."""

    heaps: tuple[int, ...] = (2, 3, 4)

    name: ClassVar[str] = "game:nim"
    unit: ClassVar[str] = "games"
    largest: ClassVar[float] = 1
    instruction: ClassVar[str] = (
        "Nim. Two players take in turn any number, at least one, from one heap; who takes the last one wins. Heaps are "
        "a, b, c and so on: b2 takes two from heap b. Answer with one of the moves to choose from, and nothing else."
    )

    def __post_init__(self) -> None:
        if not 1 <= len(self.heaps) <= len(HEAP_NAMES) or not all(1 <= heap <= MOST_NIM for heap in self.heaps):
            raise SpkitError(f"nim has 1 to {len(HEAP_NAMES)} heaps of 1 to {MOST_NIM} each, not {self.heaps}")

    def start(self) -> State:
        """Full heaps."""
        return self.heaps, 0

    def turn(self, state: State) -> int:
        """Players take in turn until nothing is left."""
        return state[1] if any(state[0]) else OVER

    def legal(self, state: State) -> tuple[str, ...]:
        """Every heap, every number that it has."""
        return tuple(f"{name}{n}" for name, heap in zip(HEAP_NAMES, state[0]) for n in range(1, heap + 1))

    def after(self, state: State, move: str) -> State:
        """The heap is smaller, and the other player's turn."""
        heaps, seat = state
        taken = HEAP_NAMES.index(move[0])
        return tuple(heap - int(move[1]) * (i == taken) for i, heap in enumerate(heaps)), 1 - seat

    def returns(self, state: State) -> float:
        """1 for the player who took the last one: the one who is not to move."""
        return 1 if state[1] == 1 else -1

    def prompt(self, state: State) -> str:
        """For example `heaps 2 3 4, you are first, choose a1 a2 b1 b2 b3 c1 c2 c3 c4>`."""
        heaps, seat = state
        return f"heaps {' '.join(map(str, heaps))}, you are {SEATS[seat]}, {choice(self.legal(state))}"


@dataclass(frozen=True)
class SmallNim(Nim):
    """Heaps of 1, 2 and 3: the second player wins. Every position of it is one of larger heaps, too."""

    heaps: tuple[int, ...] = (1, 2, 3)

    name: ClassVar[str] = "game:nim-small"
