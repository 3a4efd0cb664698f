"""Cross-sampling: how much of what training gained comes back when a few tokens are the other policy's.

The base decodes, and takes the trained policy's token where the two differ most; or the trained policy decodes and
takes the base's there. One control swaps as many random positions; at most of them both would write the same token, so
another one changes as many tokens at random.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from ..policy import Policy
from ..run.errors import SpkitError
from ..run.streams import VALIDATION, generator
from ..tasks import Problem, Task
from ..tasks import problems as task_problems
from ..tasks.base import item_rng
from .bootstrap import with_ends
from .swapped_decoding import Place, Rule, SwappedText, decode_swapped

OfGain = Callable[[float], float | None]  # an accuracy as a part of the gain
CALIBRATION = 100  # problems on whose completions the threshold is chosen, unless the caller says which


def token_swap(
    base: Policy,
    trained: Policy,
    task: Task,
    problems: Sequence[Problem],
    share: float,
    seed: int,
    held_out: Sequence[Problem] | None = None,
    temperature: float = 0.0,
) -> dict[str, Any]:
    """Accuracy when one policy writes and the other's token stands at the `share` of positions where they differ most.

    Which positions is decided while decoding, by KL(trained || base) of the next token after what was written so far,
    above a threshold: its quantile `1 - share` on completions that the writer wrote alone on `held_out` problems (by
    default problems of the stream VALIDATION). So `swapped_share` is near `share`; at 0 and 1 it is equal. Three arms:

    - `most_changed`: those positions.
    - `random`: in every completion as many positions, drawn among as many as `most_changed` wrote; those behind the
      completion's own end are lost.
    - `disagreeing`: where the most likely tokens differ, by chance, such that about as many tokens change as in
      `most_changed`. It tells whether the size of the difference matters, or any other token does.

    At a temperature above 0 a token is drawn from the chosen policy's distribution with the uniform number of its row
    and position, the same in all arms.

    `accuracy.base`, `accuracy.trained` and `gain` between them are shares of `problems`. `base_writes` and
    `trained_writes` hold `threshold`, the arms, and `minus_random` and `minus_disagreeing`, the paired difference of
    accuracies with its 95 % interval over problems. An arm holds `accuracy`; `swapped_share` and `changed_share` of all
    tokens, a swap changing nothing where both like the same token best; `swaps`, the mean of a completion; and
    `of_gain`, the part of the gain that comes back (base writes) or is lost (trained writes), None unless the gain is
    above 0; of a small gain it is mostly noise.

    Raises SpkitError for a share outside 0..1, a temperature below 0, no problem, or policies of different tokens.
    """
    if not 0 <= share <= 1 or temperature < 0 or not problems:
        raise SpkitError("a swap needs at least one problem, a share from 0 to 1, and a temperature of 0 or more")
    apart = task_problems(task, VALIDATION, 0, CALIBRATION) if held_out is None else held_out
    swap = _Swap(base, trained, task, list(problems), list(apart), share, seed, temperature)
    alone = {"base": swap.right(swap.write(False, _never)), "trained": swap.right(swap.write(True, _never))}
    accuracy = {name: fmean(flags) for name, flags in alone.items()}
    gain = accuracy["trained"] - accuracy["base"]
    of_gain = {"base": lambda found: found - accuracy["base"], "trained": lambda found: accuracy["trained"] - found}
    arms = {
        f"{name}_writes": _arms(swap, name == "trained", lambda found, f=f: f(found) / gain if gain > 0 else None)
        for name, f in of_gain.items()
    }
    return {"share": share, "problems": len(problems), "accuracy": accuracy, "gain": gain, **arms}


@dataclass(frozen=True)
class _Swap:
    """What all arms have in common."""

    base: Policy
    trained: Policy
    task: Task
    problems: list[Problem]
    held_out: list[Problem]
    share: float
    seed: int
    temperature: float

    @cached_property
    def longest(self) -> int:
        """Tokens of the longest completion."""
        asked = self.problems + self.held_out
        most = max(self.task.for_problem(one).max_completion_chars(one.difficulty) for one in asked)
        return self.base.tokens_for(most, self.task.chars_per_token)

    @cached_property
    def uniform(self) -> Tensor:
        """What each token is drawn with, for problems and held-out ones alike."""
        rows = max(len(self.problems), len(self.held_out))
        return torch.rand(rows, self.longest, generator=generator(self.seed, 0, "swap"))

    def write(self, trained_writes: bool, rule: Rule, held_out: bool = False) -> list[SwappedText]:
        """Completions of the problems, or of the held-out ones."""
        asked = self.held_out if held_out else self.problems
        writer, other = (self.trained, self.base) if trained_writes else (self.base, self.trained)
        prompts = [one.prompt for one in asked]
        options = dict(trained_writes=trained_writes, max_new_tokens=self.longest, temperature=self.temperature)
        return decode_swapped(writer, other, prompts, rule, uniform=self.uniform[: len(asked)], **options)

    def right(self, texts: Sequence[SwappedText]) -> list[bool]:
        """Which completions of the problems end with the right answer."""
        pairs = zip(self.problems, texts, strict=True)
        return [text.finished and self.task.verify(one, text.text).correct for one, text in pairs]

    def threshold(self, trained_writes: bool) -> float:
        """The divergence above which the share of positions is, in what the writer writes alone."""
        if self.share in (0, 1):
            return inf if self.share == 0 else -inf
        if not self.held_out:
            raise SpkitError("there is no held-out problem to choose the threshold on: pass some, or leave it out")
        texts = self.write(trained_writes, _never, held_out=True)
        return torch.tensor([value for text in texts for value in text.divergence]).quantile(1 - self.share).item()

    def random_positions(self, like: Sequence[SwappedText]) -> Tensor:
        """Where `random` swaps: of every completion as many positions as there, (problems, longest)."""
        table = torch.zeros(len(like), self.longest, dtype=torch.bool)
        for row, text in enumerate(like):
            places = item_rng("swap", self.seed, row).sample(range(len(text.swapped)), sum(text.swapped))
            table[row, places] = True
        return table

    def by_chance(self, like: Sequence[SwappedText]) -> Tensor:
        """Positions (problems, longest), each with the chance that a disagreement of those texts was swapped."""
        changes, most = sum(text.changes for text in like), sum(sum(text.differs) for text in like)
        draws = (item_rng("swap by chance", self.seed, row) for row in range(len(like)))
        return torch.tensor([[own.random() < changes / max(1, most) for _ in range(self.longest)] for own in draws])


def _arms(swap: _Swap, trained_writes: bool, of_gain: OfGain) -> dict[str, Any]:
    threshold, device = swap.threshold(trained_writes), swap.base.model.device
    texts = {"most_changed": swap.write(trained_writes, lambda place: place.divergence > threshold)}
    table = swap.random_positions(texts["most_changed"]).to(device)
    texts["random"] = swap.write(trained_writes, lambda place: table[place.rows, place.position])
    some = swap.by_chance(texts["most_changed"]).to(device)
    texts["disagreeing"] = swap.write(trained_writes, lambda place: place.differs & some[place.rows, place.position])
    right = {name: torch.tensor(swap.right(own)).double() for name, own in texts.items()}
    return {
        "threshold": threshold if abs(threshold) < inf else None,
        **{name: _arm(texts[name], right[name].mean().item(), of_gain) for name in texts},
        **{
            f"minus_{name}": with_ends(right["most_changed"] - right[name], swap.seed)
            for name in ("random", "disagreeing")
        },
    }


def _arm(texts: Sequence[SwappedText], accuracy: float, of_gain: OfGain) -> dict[str, Any]:
    tokens, swaps = sum(len(text.token_ids) for text in texts), sum(sum(text.swapped) for text in texts)
    return {
        "accuracy": accuracy,
        "of_gain": of_gain(accuracy),
        "swapped_share": swaps / tokens,
        "changed_share": sum(text.changes for text in texts) / tokens,
        "swaps": swaps / len(texts),
    }


def _never(place: Place) -> Tensor:
    return torch.zeros_like(place.differs)
