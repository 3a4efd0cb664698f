"""The `learn` stage of SPIN: tell the references from the opponent's replies, by the policy's own
log-ratio to the opponent.

The opponent is the policy at the start of the iteration. Its log-probabilities are taken once, on exactly the
batches that are then trained on, and no copy of its weights is kept. So the log-ratio is exactly 0 before the first
update, whatever the model is made of: with LoRA the adapter of the last iteration is part of the opponent, which a
disabled adapter would leave out.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ..maths.preference import dpo_loss, sft_loss, spin_loss
from ..policy import Policy
from ..policy.cpu_linear import by_onednn
from ..policy.steps import clipped_step
from ..policy.training import (
    Example,
    SftConfig,
    adamw,
    completion_logprobs,
    learning_rate_factor,
    one_pass,
    pieces,
    tokens_at_once,
)


class Contrast(NamedTuple):
    """Token ids: a prompt with a real (or chosen) and a generated (or rejected) completion, and for T-SPIN
    one of the initial model.
    """

    prompt: list[int]
    real: list[int]
    generated: list[int]
    initial: list[int] | None = None
    preference: bool = False


class Batch(NamedTuple):
    """Rows in the order real, generated, initial.

    `opponent` (rows,) holds the opponent's summed log-probabilities (nats), or those of its mixture with an anchor.
    """

    examples: list[Example]
    opponent: Tensor
    roles: int
    preference: bool


@dataclass(frozen=True)
class Update:
    """How one iteration learns.

    `kind` is one of `spkit.maths.preference.LOSSES`, or a control: `sft` on the references, `dpo` on preference pairs.
    """

    kind: str
    beta: float
    tau: float
    epochs: int
    batch_size: int
    learning_rate: float
    warmup: float = 0.1
    clip: float = 1.0


def batches(
    policy: Policy,
    contrasts: Sequence[Contrast],
    size: int,
    generator: torch.Generator,
    anchor: Policy | None = None,
    weight: float = 0.0,
) -> list[Batch]:
    """The contrasts in batches of like length, preference pairs apart, each scored by the opponent: `policy` as it is
    now.

    With an anchor of weight w in [0, 1] the log-ratio is taken to opponent^(1 - w) anchor^w. An opponent's problem with
    penalties b KL(policy || opponent) + k KL(policy || anchor) has its solution so, with beta = b + k and w = k / (b +
    k): alpha-SPIN (arXiv:2404.04291).
    """
    result = []
    for preference in (False, True):
        chosen = [c for c in contrasts if c.preference == preference]
        for index in one_pass([len(c.prompt) + len(c.real) + len(c.generated) for c in chosen], size, generator):
            batch = _batch(policy, [chosen[i] for i in index], preference)
            result.append(_mixed(batch, anchor, weight) if anchor is not None and weight else batch)
    return result


def _batch(policy: Policy, contrasts: Sequence[Contrast], preference: bool) -> Batch:
    examples = [Example(c.prompt, c.real) for c in contrasts] + [Example(c.prompt, c.generated) for c in contrasts]
    initial = [Example(c.prompt, c.initial) for c in contrasts if c.initial is not None and not preference]
    examples += initial
    batch = Batch(examples, torch.zeros(len(examples)), 3 if initial else 2, preference)
    return batch._replace(opponent=_scores(policy, batch))


def _mixed(batch: Batch, anchor: Policy, weight: float) -> Batch:
    return batch._replace(opponent=(1 - weight) * batch.opponent + weight * _scores(anchor, batch))


@torch.no_grad()
def _scores(policy: Policy, batch: Batch) -> Tensor:
    """Summed log-probabilities (rows,) under the policy, taken in the parts that fit for training."""

    def scored(size: int) -> Tensor:
        split = _rows(policy, batch, size)
        texts = [[batch.examples[row] for row in rows] for rows in split]
        found = torch.cat([summed(*completion_logprobs(policy.model, piece, policy.pad_id)) for piece in texts])
        return found[torch.tensor([row for rows in split for row in rows]).argsort().to(found.device)]

    with by_onednn(policy.model):
        return policy.budget.retry_smaller(len(batch.examples) // batch.roles, scored)


def _rows(policy: Policy, batch: Batch, size: int) -> list[list[int]]:
    """The rows of the batch in pieces of at most `size` contrasts (see `pieces`), each with all its roles."""
    count = len(batch.examples) // batch.roles
    own = [[contrast + role * count for role in range(batch.roles)] for contrast in range(count)]
    length = lambda row: len(batch.examples[row].prompt) + len(batch.examples[row].completion)
    tokens = tokens_at_once(policy.model)
    split = pieces([max(map(length, rows)) for rows in own], size, tokens and tokens // batch.roles)
    return [[own[contrast][role] for role in range(batch.roles) for contrast in piece] for piece in split]


def _split(policy: Policy, batch: Batch, size: int) -> list[Batch]:
    return [
        batch._replace(examples=[batch.examples[row] for row in rows], opponent=batch.opponent[rows])
        for rows in _rows(policy, batch, size)
    ]


def summed(token_logprobs: Tensor, mask: Tensor) -> Tensor:
    """Log-probability (rows,) of each completion: a sum over its tokens, not a mean."""
    return (torch.where(mask.bool(), token_logprobs, 0.0) * mask).sum(-1)


def loss_of_batch(policy: Policy, batch: Batch, update: Update) -> tuple[Tensor, dict[str, float]]:
    """The loss of a batch under the policy, and what it says of real and generated."""
    token_logprobs, mask = completion_logprobs(policy.model, batch.examples, policy.pad_id)
    parts = summed(token_logprobs, mask).chunk(batch.roles)
    opponent = batch.opponent.chunk(batch.roles)
    if batch.preference:
        return dpo_loss(parts[0], parts[1], opponent[0], opponent[1], beta=update.beta)
    if update.kind == "sft":
        rows = len(batch.examples) // batch.roles
        loss = sft_loss(token_logprobs[:rows], mask[:rows])
        return loss, {"displacement_real": (parts[0] - opponent[0]).mean().item()}
    third = parts[2] if batch.roles == 3 else None
    return spin_loss(
        *parts[:2], *opponent[:2], beta=update.beta, kind=update.kind, tau=update.tau, policy_initial=third
    )


def learn_from_pairs(
    policy: Policy,
    scored: Sequence[Batch],
    update: Update,
    generator: torch.Generator,
    on_step: Callable[[int], None] = lambda steps: None,
) -> dict[str, float]:
    """Train the policy in place for `update.epochs` passes with AdamW, a linear warmup and a linear decay to 0.

    Returns `steps`; `loss_first` and `loss_last`, means over the first and last tenth of them; the same last means of
    what `spin_loss` reports; and `start_log_ratio`, the largest absolute log-ratio to the opponent before the first
    update, which must be 0 without an anchor. Raises NotFinite if training diverges, with the weights of the last good
    step.
    """
    if policy.engine is not None:
        return policy.engine.learn_from_pairs(policy, scored, update, generator, on_step)
    steps = update.epochs * len(scored)
    schedule = SftConfig(steps=steps, batch_size=update.batch_size, warmup=update.warmup)
    optimizer = adamw(policy.model, update.learning_rate)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: learning_rate_factor(step, schedule))
    start, rows = largest_log_ratio(policy, scored[0]), []
    for number, batch in enumerate(passes_over(scored, update.epochs, generator), 1):
        count = len(batch.examples) // batch.roles
        learn = lambda size: _backward(policy, optimizer, _split(policy, batch, size), update)
        with by_onednn(policy.model):
            numbers = policy.budget.retry_smaller(count, learn)
        clipped_step(optimizer, [numbers["loss"]], update.clip, number)
        scheduler.step()
        rows.append(numbers)
        on_step(1)
    return {"steps": steps, "start_log_ratio": start, **ends_of(rows)}


def _backward(
    policy: Policy, optimizer: torch.optim.Optimizer, split: Sequence[Batch], update: Update
) -> dict[str, float]:
    """The gradient of a batch that is given in pieces, from 0; its loss and numbers."""
    optimizer.zero_grad(set_to_none=True)
    rows = [len(piece.examples) // piece.roles for piece in split]
    by_token = update.kind == "sft" and not split[0].preference
    weights = (
        [sum(len(e.completion) for e in piece.examples[:count]) for piece, count in zip(split, rows)]
        if by_token
        else rows
    )
    total: dict[str, float] = {"loss": 0.0}
    for piece, own, weight in zip(split, rows, weights):
        loss, numbers = loss_of_batch(policy, piece, update)
        loss = loss * (weight / sum(weights))
        loss.backward()
        total["loss"] += loss.item()
        for name, value in numbers.items():
            share = value * (own / sum(rows))
            total[name] = (
                max(total.get(name, value), value) if name == "max_abs_reward" else total.get(name, 0.0) + share
            )
    return total


def passes_over(scored: Sequence[Batch], epochs: int, generator: torch.Generator) -> Iterator[Batch]:
    """The batches in the order they are learned from: every one once a pass, shuffled."""
    for _ in range(epochs):
        for index in torch.randperm(len(scored), generator=generator).tolist():
            yield scored[index]


def largest_log_ratio(policy: Policy, batch: Batch) -> float:
    """The largest absolute log-ratio (nats) of policy to opponent in a batch."""
    return (_scores(policy, batch) - batch.opponent).abs().max().item()


def ends_of(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """Means of the steps' numbers: of the last tenth of them, and for `loss_first` of the first."""
    tenth = max(1, len(rows) // 10)
    mean = lambda part, key: sum(row[key] for row in part if key in row) / max(1, sum(key in row for row in part))
    keys = dict.fromkeys(key for row in rows for key in row)
    return {
        "loss_first": mean(rows[:tenth], "loss"),
        **{("loss_last" if key == "loss" else key): mean(rows[-tenth:], key) for key in keys},
    }
