"""The `learn` stage of reinforcement learning: a few clipped policy-gradient updates on one iteration's rollouts.

The rollouts are split into minibatches once, at random, and keep the log-probabilities with which they were sampled. So
before the first update every ratio is 1 up to rounding; `ratio_first` reports it. If it is not 1, the policy that is
trained is not the one that sampled (dropout, a temperature, an adapter, rows shifted by padding). Each minibatch is one
optimizer step. It is computed in parts of rows of similar length, whose gradients add up to that of the minibatch: a
part needs less memory, and little of it is padding. If memory still runs out, the parts become smaller, and stay so for
the rest of the run (`spkit.policy.row_budget`).

A rollout whose advantage is 0 has no gradient, unless a distance to a reference or an entropy is part of the loss. It
counts in the average and is not computed, which saves half of the work where half of the groups are all right or all
wrong. A minibatch with only such rollouts is no step: where no reward differs, neither the weights nor the optimizer's
momentum change.

The optimizer keeps its moments from one iteration to the next: `optimizer_state` and `resumed` save and restore them
when a run is stopped.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..maths.advantages import group_advantages
from ..maths.estimators import entropy_of
from ..maths.policy_gradient import PgLoss, Size, pg_loss
from ..policy import Policy, Rollouts
from ..policy.cpu_linear import by_onednn
from ..policy.steps import STEP_ADVICE, clipped_step
from ..policy.training import (
    Example,
    adamw,
    completion_logprobs,
    completion_values,
    pieces,
    token_logprobs,
    tokens_at_once,
)
from ..run.errors import NotFinite, SpkitError


@dataclass(frozen=True)
class PgUpdate:
    """How one iteration learns: `epochs` passes over minibatches of `batch_size` rollouts, AdamW at a constant rate."""

    loss: PgLoss = field(default_factory=PgLoss)
    epochs: int = 1
    batch_size: int = 128
    learning_rate: float = 3e-4
    clip: float = 1.0  # of the gradient's norm
    rows_at_once: int = 32  # rollouts of one forward and backward pass: memory, and speed (padding)
    merge: bool = False  # compute rollouts that are alike (`merged`) once: the same update, up to rounding
    shared: bool = (
        False  # compute what texts begin with alike once (`spkit.policy.text_tree`): the same, up to rounding
    )


class Rollout(NamedTuple):
    """Token ids of a prompt and of what was sampled after it, the advantage of the sample, and its tokens'
    log-probabilities (nats). Of samples that are alike one may stand for `count`, with their mean advantage.
    """

    example: Example
    advantage: float
    logprobs: Tensor
    count: int = 1


def group_rollouts(policy: Policy, samples: Rollouts, rewards: Tensor, advantage: str) -> list[Rollout]:
    """The samples as what is learned from.

    `rewards` are (problems, k), and samples of a problem stand next to each other.
    """
    lengths = torch.tensor([len(ids) for ids in samples.token_ids]).view_as(rewards)
    advantages = group_advantages(advantage, rewards, lengths).flatten().tolist()
    prompts = {prompt: policy.prompt_ids(prompt) for prompt in dict.fromkeys(samples.prompts)}
    rows = zip(samples.prompts, samples.token_ids, advantages, samples.token_logprobs, strict=True)
    return [Rollout(Example(prompts[prompt], ids), advantage, logprobs) for prompt, ids, advantage, logprobs in rows]


class Part(NamedTuple):
    """Rows of a minibatch: advantages and counts (rows,), and log-probabilities (rows, tokens) under the sampling
    policy and the reference.
    """

    examples: list[Example]
    advantages: Tensor
    counts: Tensor
    old: Tensor
    reference: Tensor | None


class Minibatch(NamedTuple):
    """What one optimizer step learns from: the parts that are computed, and the size of the whole that is averaged
    over.
    """

    parts: list[Part]
    size: Size


def minibatches(
    policy: Policy,
    rollouts: Sequence[Rollout],
    update: PgUpdate,
    generator: torch.Generator,
    reference: Policy | None = None,
) -> list[Minibatch]:
    """The rollouts in minibatches of equal size (up to one row), scored by a reference if there is one, where the
    policy can train on them.

    Raises SpkitError if there is no rollout, or one has not a log-probability a token.
    """
    if not rollouts:
        raise SpkitError("there is no rollout to learn from")
    if any(len(row.logprobs) != len(row.example.completion) for row in rollouts):
        raise SpkitError(
            "a rollout needs the log-probability of each of its completion's tokens, as `Policy.sample` gives them"
        )
    order = torch.randperm(len(rollouts), generator=generator)
    counts = lambda row: row.advantage or update.loss.kl_coef or update.loss.entropy_coef
    result = []
    chunks = order.tensor_split(-(-len(rollouts) // update.batch_size))
    for chunk in chunks:
        rows = [rollouts[i] for i in chunk.tolist()]
        size = Size(len(rows), sum(len(row.example.completion) for row in rows))
        rows = merged(rows, len(chunks) * update.epochs > 1) if update.merge else rows
        moving = sorted(filter(counts, rows), key=lambda row: len(row.example.prompt) + len(row.example.completion))
        scored: list[Part] = []
        score = lambda part: scored.append(_part(policy, part, reference, update.shared))
        policy.budget.run_in_chunks("training", moving, score, update.rows_at_once)
        result.append(Minibatch(scored, size))
    return result


@torch.no_grad()
def _part(policy: Policy, rows: Sequence[Rollout], reference: Policy | None, shared: bool) -> Part:
    examples, device = [row.example for row in rows], policy.model.device
    old = torch.zeros(len(rows), max(len(e.prompt) + len(e.completion) for e in examples) - 1)
    for r, row in enumerate(rows):  # token t of the text stands at t - 1, where it is predicted
        start = len(row.example.prompt) - 1
        old[r, start : start + len(row.logprobs)] = row.logprobs
    there = None if reference is None else completion_logprobs(reference.model, examples, policy.pad_id, shared)[0]
    advantages, counts = (torch.tensor([row[i] for row in rows], device=device) for i in (1, 3))
    return Part(examples, advantages, counts, old.to(device), there)


def merged(rows: Sequence[Rollout], clipped: bool) -> list[Rollout]:
    """The rollouts, in order, with those as one that have the same example and log-probabilities (the same objects).

    The loss is linear in the advantage where the ratio is 1, as at the first step; if it may be `clipped`, it is so
    for advantages of one sign, and only those are merged.
    """
    alike: dict[tuple[int, int, int], list[Rollout]] = {}
    for row in rows:
        sign = (row.advantage > 0) - (row.advantage < 0) if clipped else 0
        alike.setdefault((id(row.example), id(row.logprobs), sign), []).append(row)
    counts = {key: sum(row.count for row in group) for key, group in alike.items()}
    totals = {key: math.fsum(row.count * row.advantage for row in group) for key, group in alike.items()}
    return [group[0]._replace(advantage=totals[key] / counts[key], count=counts[key]) for key, group in alike.items()]


def learn_from_rewards(
    policy: Policy,
    optimizer: torch.optim.Optimizer,
    batches: Sequence[Minibatch],
    update: PgUpdate,
    generator: torch.Generator,
    on_step: Callable[[int], None] = lambda steps: None,
) -> dict[str, float]:
    """Train the policy in place: every minibatch once a pass, in random order. Returns plain numbers.

    `steps`, and if there was one: means over steps of `loss` and `grad_norm` (before it is clipped); means over steps
    of means over the computed tokens of `clip_share`, `entropy`, and `kl` if there is a reference; `ratio_max` over all
    steps; and `ratio_first`, the largest at the first step, which must be 1 up to rounding. Raises NotFinite if
    training diverges, with the weights of the last good step.
    """
    rows = []
    for _ in range(update.epochs):
        for index in torch.randperm(len(batches), generator=generator).tolist():
            if batches[index].parts:
                rows.append(_step(policy, optimizer, batches[index], update, len(rows) + 1))
            on_step(1)
    if not rows:
        return {"steps": 0}
    means = {name: sum(row[name] for row in rows) / len(rows) for name in rows[0] if name != "ratio_max"}
    return {
        "steps": len(rows),
        "ratio_first": rows[0]["ratio_max"],
        "ratio_max": max(row["ratio_max"] for row in rows),
        **means,
    }


def _step(
    policy: Policy, optimizer: torch.optim.Optimizer, batch: Minibatch, update: PgUpdate, number: int
) -> dict[str, float]:
    largest = max(len(part.examples) for part in batch.parts)
    try:
        with by_onednn(policy.model):
            total = policy.budget.retry_smaller(largest, lambda size: _backward(policy, optimizer, batch, update, size))
    except NotFinite as error:
        raise NotFinite(f"{error} at step {number}: {STEP_ADVICE}") from error
    total["grad_norm"] = clipped_step(optimizer, [total["loss"]], update.clip, number)[1]
    return total


def _backward(
    policy: Policy, optimizer: torch.optim.Optimizer, batch: Minibatch, update: PgUpdate, size: int
) -> dict[str, float]:
    """The gradient of the minibatch, from 0, in parts of at most `size` rows; its loss and numbers."""
    optimizer.zero_grad(set_to_none=True)
    total: dict[str, float] = {"loss": 0.0}
    most = None if update.shared else tokens_at_once(policy.model)
    split = [piece for part in batch.parts for piece in _split(part, size, most)]
    tokens = [sum(len(e.completion) * n for e, n in zip(piece.examples, piece.counts.tolist())) for piece in split]
    for part, own in zip(split, tokens):
        loss, numbers = loss_of_part(policy, part, batch.size, update.loss, update.shared)
        loss.backward()
        share = own / sum(tokens)
        total["loss"] += loss.item()
        for name, value in numbers.items():
            total[name] = (
                max(total.get(name, value), value) if name == "ratio_max" else total.get(name, 0.0) + share * value
            )
    return total


def _split(part: Part, size: int, tokens: int | None) -> list[Part]:
    """The part in pieces of at most `size` rows (see `pieces`), each as wide as its longest text."""
    lengths = [len(example.prompt) + len(example.completion) for example in part.examples]
    result = []
    for rows in pieces(lengths, size, tokens):
        width = max(lengths[row] for row in rows) - 1
        reference = None if part.reference is None else part.reference[rows, :width]
        examples = [part.examples[row] for row in rows]
        result.append(Part(examples, part.advantages[rows], part.counts[rows], part.old[rows, :width], reference))
    return result


def loss_of_part(
    policy: Policy, part: Part, size: Size, settings: PgLoss, shared: bool = False
) -> tuple[Tensor, dict[str, float]]:
    """A part's share of the loss of its minibatch, under the policy as it is now."""

    def entropies(logits: Tensor, ids: Tensor) -> Tensor:
        with torch.set_grad_enabled(settings.entropy_coef > 0):
            return entropy_of(logits)

    given = (policy.model, part.examples, policy.pad_id, entropies, token_logprobs)
    (entropy, now), mask = completion_values(*given, shared=shared)
    old, there = (None if scores is None else scores[:, -now.shape[1] :] for scores in (part.old, part.reference))
    more = {"reference_logprobs": there, "entropy": entropy, "counts": part.counts, "size": size}
    return pg_loss(now, old, part.advantages, mask, settings, **more)


def new_optimizer(policy: Policy, update: PgUpdate) -> torch.optim.Optimizer:
    """AdamW on what is trainable, without weight decay."""
    return adamw(policy.model, update.learning_rate)


def optimizer_state(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's moments and step counts, by `number of the parameter.name`; no two tensors share memory."""
    state = optimizer.state_dict()["state"]
    rows = ((index, name, value) for index, moments in state.items() for name, value in _moments(moments))
    return {
        f"{index}.{name}": torch.as_tensor(value).detach().cpu().clone(memory_format=torch.contiguous_format)
        for index, name, value in rows
    }


def _moments(moments: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Names and values; bitsandbytes packs what is quantised into a dict of its own, and reads it without that too."""
    for name, value in moments.items():
        if isinstance(value, dict):
            yield from _moments(value)
        else:
            yield name, value


def resumed(optimizer: torch.optim.Optimizer, state: dict[str, Tensor]) -> torch.optim.Optimizer:
    """The optimizer with the state that `optimizer_state` gave."""
    moments: dict[int, dict[str, Tensor | int]] = {}
    for key, tensor in state.items():
        index, name = key.split(".")
        # bitsandbytes counts steps in int, PyTorch in a float tensor
        count = name == "step" and not tensor.is_floating_point()
        moments.setdefault(int(index), {})[name] = int(tensor) if count else tensor
    optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
    return optimizer
