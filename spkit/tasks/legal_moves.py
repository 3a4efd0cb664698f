"""Legal moves: write any move that the rules allow, at an information set of one of the games.

What a base for self-play in games has to know, and all that it has to know. The difficulty is how many moves are legal.
The prompt names them; a player that has read it only has to copy one.
"""

from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache

from ..run.errors import SpkitError
from .base import Problem, Split, Task, Verdict, item_rng, split_by_content
from .games import game_tree, load_game

TAUGHT = ("kuhn", "leduc", "tic-tac-toe", "nim")  # the games whose texts the shipped base has read


@lru_cache(maxsize=2)
def information_sets(split: Split) -> dict[int, dict[str, list[tuple[str, tuple[str, ...]]]]]:
    """The prompts of a split with their legal moves, by how many moves there are and by game."""
    found: dict[int, dict[str, list]] = defaultdict(lambda: defaultdict(list))
    for name in TAUGHT:
        for prompt, moves in game_tree(load_game(name)).texts:
            if split_by_content(prompt) == split:
                found[len(moves)][name].append((prompt, moves))
    return found


@dataclass(frozen=True)
class LegalMoves(Task):
    """An answer is every legal move, with spaces between; a completion is right if it is one of them."""

    name: str = "legal-moves"
    difficulties: tuple[int, ...] = tuple(range(1, 10))
    unit: str = "legal moves"
    base: str = "games"

    def problem(self, seed: int, index: int, difficulty: int | None = None, split: Split = "train") -> Problem:
        """An information set with so many legal moves, of any game that has some, all games alike."""
        count = self.difficulty_at(index, difficulty, range(1, 10), "an information set has 1 to 9 legal moves")
        rng, games = item_rng(self.name, seed, index, count), information_sets(split)[count]
        if not games:
            raise SpkitError(f"no information set of the {split} split has {count} legal moves: ask for another number")
        prompt, moves = rng.choice(games[rng.choice(sorted(games))])
        return Problem(prompt, " ".join(moves), count)

    def hint(self, problem: Problem) -> str:
        """The prompt, which names the moves already."""
        return problem.prompt

    def solution(self, problem: Problem) -> str:
        """The first legal move."""
        return problem.answer.split()[0]

    def direct(self, problem: Problem) -> str:
        """The same: there are no steps."""
        return self.solution(problem)

    def everyday(self, problem: Problem, variant: int) -> str:
        """A legal move, any one alike."""
        return item_rng(self.name, problem.prompt, variant).choice(problem.answer.split())

    def verify(self, problem: Problem, completion: str) -> Verdict:
        """Right if it is a legal move, white space around it aside."""
        move = completion.strip() if len(completion) < 100 else ""
        legal = move in problem.answer.split()
        return Verdict(legal, float(legal), move or None, 0)

    def max_completion_chars(self, difficulty: int) -> int:
        """A heap and a count."""
        return 2
