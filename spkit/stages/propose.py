"""Stage 1, propose: what a proposer writes, and which problems are solved.

The problems of a task come from `spkit.tasks.problems`; here a policy writes them, for Absolute Zero.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from ..maths.proposer_rewards import ProposerReward
from ..policy import Policy
from ..run.errors import SpkitError
from ..run.settings import at_least, one_of_its_choices
from ..run.streams import generator
from ..tasks import KINDS, Kind, Problem, Proposable, Task
from .buffers import Buffers

ProposerKind = Literal["learned", "frozen", "uniform", "static"]
PROPOSERS: tuple[ProposerKind, ...] = get_args(ProposerKind)


@dataclass(frozen=True)
class ProposerConfig:
    """How problems are proposed; Absolute Zero's value in brackets where there is one."""

    # `learned`: the policy; controls: `frozen`: the base; `uniform`: random programs; `static`: the base's, a fixed set
    kind: ProposerKind = "learned"
    reward: ProposerReward = "1-r"  # by r, the mean score of the attempts at its problem [1-r]
    extremes: Literal["paper", "code"] = "paper"  # reward where r is 0 or 1: 0 as in the paper, or -0.5 as in its code
    # reward of an invalid proposal; at -1 the proposer mostly learns to write valid, shallow problems [-1]
    invalid: float = -0.3
    references: int = 3  # earlier problems shown to the proposer of deduction and abduction [6]
    seed_rounds: int = 4  # rounds of proposals by the base that fill the buffers at the start [4]
    weight: float = 8.0  # a proposal counts as much as so many attempts; k gives both roles equal weight [1 of 1]

    def __post_init__(self) -> None:
        at_least(self, 0, "references", "seed_rounds", "weight")
        one_of_its_choices(self)


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
    task = buffers.task
    for kind in kinds:
        if kind == "induction":
            programs = buffers.programs(count, draw)
            prompts += [(kind, task.proposer_prompt(kind, program=program), program) for program in programs]
        else:
            room = policy.context - len(policy.prompt_ids(task.proposer_prompt(kind))) - task.longest_proposal - 1
            shown = [buffers.references(kind, references, room, draw) for _ in range(count)]
            prompts += [(kind, task.proposer_prompt(kind, some), None) for some in shown]
    texts = policy.sample(
        [prompt for _, prompt, _ in prompts],
        temperature=1.0,
        max_new_tokens=policy.tokens_for(task.longest_proposal, task.chars_per_token),
        generator=draw,
    )
    made, known = [], set()
    rows = zip(prompts, texts.texts, texts.token_ids, texts.token_logprobs, texts.finished)
    for (kind, prompt, program), text, ids, logprobs, finished in rows:
        read = finished or task.reads_unfinished
        problem, fault = task.parse(kind, text, program) if read else (None, "text")
        if problem is not None and fault is None:
            key = (kind, buffers.task.entry_of(problem))
            fault = "duplicate" if key in known or buffers.has(*key) else None
            known.add(key)
        made.append(Proposed(kind, prompt, text, ids, logprobs, problem, fault))
    return made


def fixed_problems(task: Task, config: Any, t: int) -> list[Problem]:
    """The `config.problems` problems of iteration t = 1, 2, ...: the next ones of a pool of `config.pool`, from its
    start again after its end.
    """
    start = (t - 1) * config.problems
    return [task.problem(config.seed, index % config.pool) for index in range(start, start + config.problems)]


def uniform_proposals(
    kinds: Sequence[Kind], depths: Sequence[int], count: int, draw: torch.Generator, task: Proposable
) -> list[Proposed]:
    """`count` random problems of each kind, their depths drawn uniformly: what proposes without a policy."""
    made = []
    for kind in kinds:
        for index, choice in enumerate(torch.randint(len(depths), (count,), generator=draw).tolist()):
            stream = int(torch.randint(2**31, (1,), generator=draw))
            problem = task.of_kind[kind].problem(stream, index, depths[choice])
            made.append(Proposed(kind, "", "", [], torch.zeros(0), problem, None))
    return made


def check_kinds(kinds: Sequence[str]) -> None:
    """Raise SpkitError unless these are kinds of problems that can be proposed together."""
    if not kinds or len(set(kinds)) < len(kinds) or set(kinds) - set(KINDS):
        found = ", ".join(map(str, kinds)) or "none"
        raise SpkitError(f"kinds must be some of {', '.join(KINDS)}, each once, not {found}")
    if tuple(kinds) == ("induction",):
        raise SpkitError(
            "induction takes its programs from the buffers of deduction and abduction: add one of the two to kinds"
        )


def proposable(task: Task, kinds: Sequence[Kind]) -> Proposable:
    """The task itself. Raises SpkitError if its problems cannot be proposed, or not of these kinds."""
    if not isinstance(task, Proposable):
        raise SpkitError(
            "Absolute Zero needs a task whose problems can be proposed: expressions, python_programs or stories, "
            f"not {task.name}"
        )
    if missing := [kind for kind in kinds if kind not in task.of_kind]:
        raise SpkitError(f"{task.name} has no problems of {missing[0]}: choose kinds among {', '.join(task.of_kind)}")
    return task


def seeded(
    base: Policy, task: Proposable, kinds: Sequence[Kind], count: int, settings: ProposerConfig, seed: int
) -> tuple[Buffers, int]:
    """The buffers at the start: the identity, and what the base proposes in a few rounds from there; and how many
    tokens that took.

    Nothing is learned. A round is `count` proposals of each kind.
    """
    buffers, tokens = Buffers(kinds, task), 0
    for number in range(settings.seed_rounds):
        made = propose(base, buffers, kinds, count, settings.references, generator(seed, 0, "seed ", number))
        tokens += sum(len(one.token_ids) for one in made)
        store(buffers, made)
    return buffers, tokens


def proposals_by(
    settings: ProposerConfig,
    policy: Policy,
    base: Policy,
    buffers: Buffers,
    kinds: Sequence[Kind],
    count: int,
    draw: torch.Generator,
) -> list[Proposed]:
    """The proposals of an iteration, `count` of each kind; none if the problems are static."""
    if settings.kind == "static":
        return []
    if settings.kind == "uniform":
        return uniform_proposals(kinds, buffers.task.difficulties, count, draw, buffers.task)
    return propose(base if settings.kind == "frozen" else policy, buffers, kinds, count, settings.references, draw)


def store(buffers: Buffers, proposals: Sequence[Proposed]) -> None:
    """Keep every valid problem that is not held out."""
    for made in proposals:
        if made.valid and made.fault != "held out":
            buffers.add(made.problem)


def to_solve(
    proposals: Sequence[Proposed],
    buffers: Buffers,
    kinds: Sequence[Kind],
    count: int,
    leak: float,
    draw: torch.Generator,
) -> tuple[list[Any], list[int | None]]:
    """The problems to solve, `count` of each kind, and which proposal each comes from (None: from a buffer).

    What passes the gate comes first: valid problems, and each invalid text with probability `leak`. Held-out functions
    never do.
    """
    leaked = (torch.rand(len(proposals), generator=draw) < leak).tolist()
    passed = [made.fault != "held out" and (made.valid or through) for made, through in zip(proposals, leaked)]
    problems: list[Any] = []
    origins: list[int | None] = []
    for kind in kinds:
        own = [index for index, made in enumerate(proposals) if made.kind == kind and passed[index]]
        short = count - len(own)
        problems += [proposals[index].problem or buffers.task.invalid(kind, proposals[index].text) for index in own]
        problems += buffers.problems(kind, short, draw)
        origins += [*own, *[None] * short]
    return problems, origins
