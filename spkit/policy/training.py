"""Supervised fine-tuning on completions: the `learn` stage of every loop that keeps some of its own samples."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad as pad_front
from transformers import PreTrainedModel

from ..maths.preference import sft_loss
from ..run.errors import SpkitError
from .architecture import forward
from .row_budget import RowBudget, parts
from .steps import clipped_step

GROUP = 8  # batches sorted by length together, which halves the padding


@dataclass(frozen=True)
class Example:
    """Token ids of a prompt, and of the completion the loss counts (its end token included, unless it was cut off)."""

    prompt: list[int]
    completion: list[int]


@dataclass(frozen=True)
class SftConfig:
    """`steps` optimizer updates of `batch_size` rows with AdamW: linear warmup over `warmup` of
    them, then linear decay to 0.
    """

    steps: int  # optimizer steps of an update
    batch_size: int = 64  # rows of an optimizer step
    learning_rate: float = 5e-4  # peak
    warmup: float = 0.1  # share of the steps over which the learning rate rises
    weight_decay: float = 0.0  # of AdamW
    clip: float = 1.0  # largest norm of a gradient


def completion_logits(model: PreTrainedModel, examples: Sequence[Example], pad: int) -> tuple[Tensor, Tensor, Tensor]:
    """Next-token logits (rows, tokens, vocabulary), float32 at least; tokens that came next and mask of
    completion tokens, (rows, tokens).

    Rows are padded on the right; a position attends only to what stands before it, so padding changes nothing. The
    first of the `tokens` is the first completion token of the row with the shortest prompt: with a vocabulary of
    150,000 the logits of prompts are most of the memory.
    """
    width, first = (
        max(len(e.prompt) + len(e.completion) for e in examples),
        max(1, min(len(e.prompt) for e in examples)) - 1,
    )
    ids = torch.full((len(examples), width), pad)
    mask = torch.zeros(len(examples), width, dtype=torch.bool)
    for row, example in enumerate(examples):
        start, end = len(example.prompt), len(example.prompt) + len(example.completion)
        ids[row, :end] = torch.tensor(example.prompt + example.completion)
        mask[row, start:end] = True
    ids, mask = ids.to(model.device), mask.to(model.device)
    logits = forward(model, input_ids=ids[:, :-1], use_cache=False, logits_to_keep=width - 1 - first).logits[
        :, first + 1 - width :
    ]
    return logits.to(torch.promote_types(logits.dtype, torch.float32)), ids[:, 1 + first :], mask[:, 1 + first :]


def token_logprobs(logits: Tensor, ids: Tensor) -> Tensor:
    """Log-probability (rows, tokens) of each token of `ids` under logits (rows, tokens, vocabulary)."""
    return logits.log_softmax(-1).gather(-1, ids[..., None]).squeeze(-1)


def completion_logprobs(model: PreTrainedModel, examples: Sequence[Example], pad: int) -> tuple[Tensor, Tensor]:
    """Log-probabilities in float32 and mask of the completion tokens, both (rows, longest text - 1).

    0 where no completion has begun.
    """
    logits, ids, mask = completion_logits(model, examples, pad)
    before = max(len(e.prompt) + len(e.completion) for e in examples) - 1 - ids.shape[1]
    return pad_front(token_logprobs(logits, ids), (before, 0)), pad_front(mask, (before, 0))


def epochs(examples: Sequence[Example], batch_size: int, generator: torch.Generator) -> Iterator[list[Example]]:
    """Batches for ever: each pass takes every example once, as `one_pass` says."""
    if not examples:
        raise SpkitError("there is nothing to train on: no example was kept")
    lengths = [len(e.prompt) + len(e.completion) for e in examples]
    while True:
        for batch in one_pass(lengths, batch_size, generator):
            yield [examples[i] for i in batch]


def one_pass(lengths: Sequence[int], batch_size: int, generator: torch.Generator) -> list[list[int]]:
    """Every index once, in batches: random order, rows of like length together, batches shuffled."""
    order = torch.randperm(len(lengths), generator=generator).tolist()
    size, batches = max(1, min(batch_size, len(lengths))), []
    for start in range(0, len(order), GROUP * size):
        group = sorted(order[start : start + GROUP * size], key=lengths.__getitem__)
        batches += [group[i : i + size] for i in range(0, len(group), size)]
    return [batches[index] for index in torch.randperm(len(batches), generator=generator).tolist()]


def learning_rate_factor(step: int, config: SftConfig) -> float:
    """Share of the peak learning rate at update `step` (from 0): a linear rise, then a linear fall that
    ends at 0 after the last.
    """
    warm = math.ceil(config.warmup * config.steps)
    return (step + 1) / warm if step < warm else (config.steps - step) / max(1, config.steps - warm)


def adamw(model: PreTrainedModel, learning_rate: float, weight_decay: float = 0.0) -> torch.optim.Optimizer:
    """AdamW on what is trainable; with 4-bit weights on CUDA its moments are in 8 bits, in pages that may leave
    the GPU (QLoRA, section 3).

    Raises SpkitError if nothing is trainable.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not parameters:
        raise SpkitError("this policy is frozen, it is the base that others share: train a clone() of it")
    if model.device.type == "cuda" and getattr(model, "is_loaded_in_4bit", False):
        from bitsandbytes.optim import PagedAdamW8bit

        return PagedAdamW8bit(parameters, lr=learning_rate, weight_decay=weight_decay)
    return torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=weight_decay)


def sft(
    model: PreTrainedModel,
    examples: Sequence[Example],
    config: SftConfig,
    pad: int,
    generator: torch.Generator,
    on_step: Callable[[int, float], None] = lambda step, loss: None,
    budget: RowBudget | None = None,
) -> dict[str, float]:
    """Fine-tune `model` in place. Returns the mean loss of the first and last tenth of the steps (nats a
    token), steps and tokens.

    A batch that does not fit into memory is computed in parts, as `budget` says and remembers; the gradient is
    that of the batch. Raises SpkitError if one row does not fit, and NotFinite if training diverges, with the
    weights of the last good step.
    """
    budget = budget or RowBudget()
    optimizer = adamw(model, config.learning_rate, config.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: learning_rate_factor(step, config))
    losses, tokens = [], 0
    for step, batch in zip(range(config.steps), epochs(examples, config.batch_size, generator)):
        computed = budget.retry_smaller(len(batch), lambda size: _backward(model, optimizer, parts(batch, size), pad))
        loss = sum(clipped_step(optimizer, computed, config.clip, step + 1)[0])
        schedule.step()
        losses.append(loss)
        tokens += sum(len(example.completion) for example in batch)
        on_step(step + 1, losses[-1])
    tenth = max(1, len(losses) // 10)
    mean = lambda values: sum(values) / max(1, len(values))
    return {
        "loss_first": mean(losses[:tenth]),
        "loss_last": mean(losses[-tenth:]),
        "steps": len(losses),
        "tokens": tokens,
    }


def _backward(
    model: PreTrainedModel, optimizer: torch.optim.Optimizer, pieces: Sequence[Sequence[Example]], pad: int
) -> list[Tensor]:
    """The gradient of the batch that the pieces make up, from 0; the share of each in the batch's loss a token."""
    optimizer.zero_grad(set_to_none=True)
    tokens = [sum(len(example.completion) for example in piece) for piece in pieces]
    losses = []
    for piece, own in zip(pieces, tokens):
        loss = sft_loss(*completion_logprobs(model, piece, pad)) * (own / max(1, sum(tokens)))
        loss.backward()
        losses.append(loss.detach())
    return losses
