"""What a proposer does, what becomes of its text, and what it is paid: the stages propose, validate
and pay of Absolute Zero.

The pay, by name; r is the mean score of the k attempts at a problem:

    1-r             Absolute Zero (arXiv:2505.03335, eq. 4): 1 - r, and 0 where r is 0 or 1
    1-2|r-1/2|      R-Zero (arXiv:2508.05004)
    min(r,1-r)-dup  R-Zero as published code has it, less the share of the batch that is the same program
    0<r<1           Self-Questioning (arXiv:2508.03682): 1 if the attempts do not all agree
    variance        SPICE (arXiv:2510.24684): exp(-(r(1-r) - 1/4)^2 / 0.02)
    hardness        1 - r everywhere: the more a problem fails the better, unsolvable ones best
    constant        1: a control, every valid problem is as good as any other
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from ..policy import Policy
from ..tasks.expressions import Kind
from .buffers import Buffers
from .worlds import ExpressionWorld, World, entry_of

Pay = Literal["1-r", "1-2|r-1/2|", "min(r,1-r)-dup", "0<r<1", "variance", "hardness", "constant"]
PAYS: dict[str, Callable[[float, float], float]] = {  # of r and the share of duplicates
    "1-r": lambda r, dup: float(0 < r < 1) * (1 - r),
    "1-2|r-1/2|": lambda r, dup: 1 - 2 * abs(r - 0.5),
    "min(r,1-r)-dup": lambda r, dup: min(r, 1 - r) - dup,
    "0<r<1": lambda r, dup: float(0 < r < 1),
    "variance": lambda r, dup: math.exp(-((r * (1 - r) - 0.25) ** 2) / 0.02),
    "hardness": lambda r, dup: 1 - r,
    "constant": lambda r, dup: 1.0,
}
UNCONDITIONAL = ("hardness", "constant")  # those that do not look at whether r is 0 or 1
AT_EXTREMES = -0.5  # what Absolute Zero's published code pays where r is 0 or 1; its paper says 0


@dataclass(frozen=True)
class Proposed:
    """A proposal. `fault` is what is wrong with it, None if nothing is; there is a `problem` if it is valid.

    `prompt` and `token_ids` are what a policy read and wrote; both are empty if no policy did. A fault with a problem
    is `duplicate` (there already, or earlier in the batch) or `held out` (its function is kept for the test split).
    """

    kind: Kind
    prompt: str
    text: str
    token_ids: list[int] = field(repr=False)
    logprobs: Tensor = field(repr=False, compare=False)  # of its tokens, nats
    problem: Any | None
    fault: str | None

    @property
    def valid(self) -> bool:
        """Whether it is a problem of its kind."""
        return self.problem is not None


def pay(name: Pay, r: float, duplicates: float = 0.0, extremes: Literal["paper", "code"] = "paper") -> float:
    """The reward of a valid proposal.

    `extremes="code"` pays AT_EXTREMES where r is 0 or 1, whatever the rule but the unconditional ones says.
    """
    if extremes == "code" and r in (0.0, 1.0) and name not in UNCONDITIONAL:
        return AT_EXTREMES
    return PAYS[name](r, duplicates)


def duplicate_shares(proposals: Sequence[Proposed]) -> list[float]:
    """For each proposal, the share of the batch that is another proposal of the same program and kind."""
    keys = [(made.kind, made.problem.program) if made.valid else None for made in proposals]
    counts = Counter(keys)
    return [(counts[key] - 1) / len(proposals) if key else 0.0 for key in keys]


def propose(
    policy: Policy, buffers: Buffers, kinds: Sequence[Kind], count: int, references: int, draw: torch.Generator
) -> list[Proposed]:
    """`count` proposals of each kind, sampled at temperature 1 and checked. The buffers are read and left as they are.

    Deduction and abduction are shown up to `references` triplets of their own buffer, as many as the context holds.
    Induction is given a program from the buffers of the two.
    """
    prompts: list[tuple[Kind, str, str | None]] = []
    world = buffers.world
    for kind in kinds:
        if kind == "induction":
            programs = buffers.programs(count, draw)
            prompts += [(kind, world.prompt(kind, program=program), program) for program in programs]
        else:
            room = policy.context - len(policy.prompt_ids(world.prompt(kind))) - world.longest - 1
            shown = [buffers.references(kind, references, room, draw) for _ in range(count)]
            prompts += [(kind, world.prompt(kind, references=some), None) for some in shown]
    texts = policy.sample(
        [prompt for _, prompt, _ in prompts],
        temperature=1.0,
        max_new_tokens=policy.tokens_for(world.longest, world.chars_per_token),
        generator=draw,
    )
    made, known = [], set()
    rows = zip(prompts, texts.texts, texts.token_ids, texts.token_logprobs, texts.finished)
    for (kind, prompt, program), text, ids, logprobs, finished in rows:
        problem, fault = world.checked(kind, text, program) if finished else (None, "text")
        if problem is not None and fault is None:
            key = (kind, entry_of(problem))
            fault = "duplicate" if key in known or buffers.has(*key) else None
            known.add(key)
        made.append(Proposed(kind, prompt, text, ids, logprobs, problem, fault))
    return made


def uniform_proposals(
    kinds: Sequence[Kind], depths: Sequence[int], count: int, draw: torch.Generator, world: World = ExpressionWorld()
) -> list[Proposed]:
    """`count` random problems of each kind, their depths drawn uniformly: what proposes without a policy."""
    made = []
    for kind in kinds:
        for index, choice in enumerate(torch.randint(len(depths), (count,), generator=draw).tolist()):
            stream = int(torch.randint(2**31, (1,), generator=draw))
            problem = world.tasks[kind].problem(stream, index, depths[choice])
            made.append(Proposed(kind, "", "", [], torch.zeros(0), problem, None))
    return made
