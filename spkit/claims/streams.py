"""Learnable information (epiplexity, arXiv:2603.02218): what observers of other sizes say of a stream, and what
a frozen proposer makes.

An observer's size is the rank of its LoRA adapter on the base of expressions: the same knowledge to start from, more or
less room to learn. The streams are those of notebook 01, solutions of programs 1 deep whose last value is noise, or
follows a rule that the base does not know.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from ..measures.epiplexity import ObserverConfig, epiplexity
from ..policy.rollouts import Pair
from ..policy import Policy, load_policy
from ..run.folder import Run
from ..tasks import Task
from .base import Claim, Experiment, Records
from .expressions_self_play import InformationConfig, information


@dataclass(frozen=True)
class SizesConfig:
    """Observers of these ranks, on both streams."""

    seed: int = 0
    ranks: tuple[int, ...] = (1, 8, 64)
    texts: int = 1400
    observer: ObserverConfig = ObserverConfig(train_tokens=6000, validation_tokens=1200, learning_rate=3e-3)


def sizes(base: Policy, task: Task, config: SizesConfig, run: Run) -> Iterator[dict[str, Any]]:
    """One record: S (bits) of both streams for each rank."""
    from ..policy.lora import LoraSettings

    rows = []
    for rank in config.ranks:
        observer = load_policy("expressions", lora=LoraSettings(rank, 2 * rank, gradient_checkpointing=False))
        found = {
            name: epiplexity(observer, stream(observer, task, name, config), replace(config.observer, seed=config.seed))
            for name in ("noise", "rule")
        }
        rows.append({"rank": rank, **{name: round(one.S, 1) for name, one in found.items()}})
    yield {"rows": rows}


def stream(policy: Policy, task: Task, name: str, config: SizesConfig) -> list[Pair]:
    """Solutions whose last value is a random digit (`noise`), or the right one plus 3 (`rule`)."""
    digits = torch.randint(10, (config.texts,), generator=torch.Generator().manual_seed(config.seed)).tolist()
    pairs = []
    for index, digit in enumerate(digits):
        problem = task.problem(config.seed, index, 1)
        last = digit if name == "noise" else (int(problem.answer) + 3) % 10
        pairs.append((problem.prompt, policy.completion_ids(task.solution(problem)[:-1] + str(last))))
    return pairs


FROZEN = replace(InformationConfig(), loop=replace(InformationConfig().loop, proposer="frozen"))
EXPERIMENTS = {
    "observers": Experiment(sizes, SizesConfig(), "expressions", 90),
    "az-information-frozen": Experiment(information, FROZEN, "expressions", 80),
}


def ordered(runs: Mapping[str, Records]) -> dict[str, Any]:
    """The least lead of the rule over noise, in thousands of bits."""
    rows = runs["observers"][-1]["rows"]
    return {"effect": min(row["rule"] - row["noise"] for row in rows) / 1000, "rows": rows}


def hump(runs: Mapping[str, Records]) -> dict[str, Any]:
    """How far the middle observer finds more in the rule than the smaller and the larger one, in thousands of bits."""
    rows = runs["observers"][-1]["rows"]
    small, middle, large = (row["rule"] for row in rows)
    return {"effect": (middle - max(small, large)) / 1000, "rows": rows}


def faded(runs: Mapping[str, Records]) -> dict[str, Any]:
    """What a frozen proposer's stream has lost in the end, in thousands of bits."""
    rows = runs["az-information-frozen"][-1]["rows"]
    return {"effect": (rows[0]["S"] - rows[-1]["S"]) / 1000, "rows": rows}


def ahead(runs: Mapping[str, Records]) -> dict[str, Any]:
    """What a learned proposer's stream holds more than a frozen one's in the end, in thousands of bits."""
    learned, frozen = (runs[name][-1]["rows"] for name in ("az-information", "az-information-frozen"))
    return {"effect": (learned[-1]["S"] - frozen[-1]["S"]) / 1000, "learned": learned, "frozen": frozen}


PAPER = "2603.02218"
CLAIMS = (
    Claim("observer-order", "A rule to learn holds more than noise, for observers of every size", f"{PAPER}, sec. 2", "least S of the rule minus S of noise > 0 (1,000 bits)",
          0.0, ("observers",), ordered),
    Claim("observer-hump", "As the observer grows, what it finds rises and then falls", f"{PAPER}, fig. 5", "S of the middle rank minus the larger of the others > 0 (1,000 bits)",
          0.0, ("observers",), hump),
    Claim("az-information-frozen", "What a frozen proposer makes holds less and less", f"{PAPER}, sec. 3", "S at the start minus at the end > 0 (1,000 bits)",
          0.0, ("az-information-frozen",), faded),
    Claim("az-information-learned", "What a learned proposer makes holds more in the end than a frozen one's", f"{PAPER}, sec. 3", "S at the end, learned minus frozen > 0 (1,000 bits)",
          0.0, ("az-information", "az-information-frozen"), ahead),
)  # fmt: skip
