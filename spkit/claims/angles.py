"""The angle between the first gradients of SPIN and of SFT on the same references."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ..loops.spin import SpinConfig
from ..policy import Policy
from ..policy.training import completion_logprobs
from ..run.folder import Run
from ..run.streams import generator
from ..stages.contrasts import contrast
from ..stages.learn_preference import Batch, batches, loss_of_batch
from ..stages.references import draw_references, encode
from ..stages.replies import replies_to
from ..tasks import Task
from .sweeps import sweep

REPLIES = {"sampled": {}, "greedy": {"temperature": 0.0}, "cut": {"cut": 0.5}}  # of the opponent, by its settings


@dataclass(frozen=True)
class AngleConfig:
    """Gradients of the base on `references` pairs, against each kind of `REPLIES`."""

    seed: int = 0
    references: int = 512
    replies: tuple[str, ...] = tuple(REPLIES)

    @property
    def iterations(self) -> int:
        """A record for each kind of replies."""
        return len(self.replies)


def angles(base: Policy, task: Task, config: AngleConfig, run: Run | None = None) -> Iterator[dict[str, Any]]:
    """The cosine of the two gradients, one record for each kind of the opponent's replies."""
    real, run = encode(base, draw_references(task, config.seed, config.references)), run or Run()

    def measure(base: Policy, t: int) -> dict[str, Any]:
        kind = config.replies[t - 1]
        settings = SpinConfig(seed=config.seed, references=config.references, iterations=2)
        settings, played = replace(settings, **REPLIES[kind]), Run()
        draw = generator(config.seed, 1, "reply")
        played.store(1, replies_to(base, real, settings.temperature, draw, played, settings.cut))
        contrasts = contrast(base, task, real, {}, played, 1, settings)
        scored = batches(base, contrasts, 64, generator(config.seed, 1, "batches"))
        ours = loss_gradient(base, (loss_of_batch(base, batch, settings.update(1))[0] for batch in scored))
        theirs = loss_gradient(base, (reference_loss(base, batch) for batch in scored))
        return {"replies": kind, "cosine": torch.nn.functional.cosine_similarity(ours, theirs, dim=0).item()}

    yield from sweep("angles", base, task, config, run, measure)


def reference_loss(policy: Policy, batch: Batch) -> Tensor:
    """SFT's loss of the references of a batch: the negative log-likelihood of a reply, summed over its tokens as in
    SPIN.
    """
    rows = batch.examples[: len(batch.examples) // batch.roles]
    logprobs, mask = completion_logprobs(policy.model, rows, policy.pad_id)
    return -(logprobs * mask).sum() / len(rows)


def loss_gradient(policy: Policy, losses: Iterable[Tensor]) -> Tensor:
    """The gradient of the sum of these losses in all weights, as one vector."""
    policy.model.zero_grad()
    for loss in losses:
        loss.backward()
    return torch.cat([p.grad.flatten() for p in policy.model.parameters() if p.grad is not None])
