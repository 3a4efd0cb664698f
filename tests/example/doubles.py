"""A task: add a number to itself. The base of `addition` writes it."""

from dataclasses import dataclass

from spkit.tasks import Addition, Problem, Task, Verdict, item_rng
from spkit.tasks.base import Split, split_by_content


@dataclass(frozen=True)
class Doubles(Task):
    """n-digit numbers, each added to itself."""

    name: str = "doubles"
    difficulties: tuple[int, ...] = (2, 3)
    unit: str = "digits"
    base: str = "addition"

    def problem(self, seed: int, index: int, difficulty: int | None = None, split: Split = "train") -> Problem:
        digits = difficulty or self.difficulties[index % len(self.difficulties)]
        rng = item_rng(self.name, split, seed, index, digits)
        while True:
            number = rng.randrange(10 ** (digits - 1), 10**digits)
            if split_by_content(str(number)) == split:
                return Problem(f"{number}+{number}=", str(2 * number), digits)

    def verify(self, problem: Problem, completion: str) -> Verdict:
        return Addition().verify(problem, completion)

    def max_completion_chars(self, difficulty: int) -> int:
        return Addition().max_completion_chars(difficulty)
