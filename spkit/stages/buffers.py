"""The buffers of Absolute Zero (arXiv:2505.03335, section 3.3.1): the valid problems that were proposed so far,
one buffer of each kind.

References, the programs of induction, and problems that fill a short iteration are drawn from them. Draws are
uniform over a buffer's entries, old and new alike.
"""

import json
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..run.errors import SpkitError
from ..tasks import Kind, Proposable
from ..tasks.base import Entry


class Buffers:
    """Entries of each kind, each once, in the order they came; the identity is the first of every kind."""

    def __init__(self, kinds: Sequence[Kind], task: Proposable) -> None:
        self.task = task
        self.entries: dict[Kind, dict[Entry, None]] = {kind: {task.seed_entry(kind): None} for kind in kinds}

    def has(self, kind: Kind, entry: Entry) -> bool:
        """Whether it is there already."""
        return entry in self.entries[kind]

    def add(self, problem: Any) -> None:
        """Store a problem; one that is there already keeps its place."""
        self.entries[problem.kind].setdefault(self.task.entry_of(problem), None)

    def sizes(self) -> dict[str, int]:
        """How many entries there are of each kind."""
        return {kind: len(entries) for kind, entries in self.entries.items()}

    def references(self, kind: Kind, count: int, room: int, draw: torch.Generator) -> list[Any]:
        """Up to `count` triplets of deduction or abduction, all different.

        Those that no longer fit into `room` characters are left out.
        """
        chosen: list[Any] = []
        for entry in self._drawn(list(self.entries[kind]), count, draw):
            triplet = self.task.triplet(entry)
            room -= len(str(triplet)) + 1
            if room >= 0:
                chosen.append(triplet)
        return chosen

    def programs(self, count: int, draw: torch.Generator) -> list[str]:
        """Programs for induction, from the entries of deduction and abduction."""
        pool = [entry for kind in ("deduction", "abduction") for entry in self.entries.get(kind, ())]
        return [entry[0] for entry in self._filled(pool, count, draw)]

    def problems(self, kind: Kind, count: int, draw: torch.Generator) -> list[Any]:
        """`count` problems that are there; none twice before all have been drawn once."""
        return [self.task.from_entry(kind, entry) for entry in self._filled(list(self.entries[kind]), count, draw)]

    def dump(self) -> Tensor:
        """All entries as bytes (uint8), for a checkpoint."""
        rows = {kind: [[program, inputs] for program, inputs in entries] for kind, entries in self.entries.items()}
        return torch.tensor(list(json.dumps(rows).encode()), dtype=torch.uint8)

    @classmethod
    def load(cls, content: Tensor, task: Proposable) -> "Buffers":
        """What `dump` gave."""
        rows = json.loads(bytes(content.tolist()))
        buffers = cls(list(rows), task)
        buffers.entries = {
            kind: {(program, tuple(map(tuple, inputs))): None for program, inputs in some}
            for kind, some in rows.items()
        }
        return buffers

    @staticmethod
    def _drawn(pool: list[Entry], count: int, draw: torch.Generator) -> list[Entry]:
        return [pool[i] for i in torch.randperm(len(pool), generator=draw)[:count].tolist()]

    def _filled(self, pool: list[Entry], count: int, draw: torch.Generator) -> list[Entry]:
        if not pool:
            raise SpkitError("there is no program to draw: induction needs the buffer of deduction or of abduction")
        rounds = [self._drawn(pool, count, draw) for _ in range(-(-count // len(pool)))]
        return [entry for some in rounds for entry in some][:count]
