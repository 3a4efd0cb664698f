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
from .architecture import bare, forward, large
from .cpu_linear import by_onednn
from .plain_llama import SHORT_TEXT, logits_at, plain_llama
from .row_budget import RowBudget, parts
from .steps import clipped_step
from .text_tree import read_at, text_tree

GROUP = 8  # batches sorted by length together, which halves the padding
PASS_TOKENS = 512  # of a pass on a CPU: the products are as fast as they get, and activations are small
PASS_COST = 24  # tokens that take as long as what a pass costs beside its tokens
Measure = Callable[[Tensor, Tensor], Tensor]


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


def tokens_at_once(model: PreTrainedModel) -> int | None:
    """Padded tokens of one pass on a CPU, which is not faster with more of them; None: no limit but that of rows."""
    return PASS_TOKENS if model.device.type == "cpu" and large(model) else None


def pieces(lengths: Sequence[int], size: int, tokens: int | None) -> list[list[int]]:
    """Every index once, in pieces of at most `size` rows and, padded to their longest row, `tokens` tokens.

    Without `tokens` in order. With them rows of like length together, such that padding costs least, counting what a
    pass costs beside its tokens; a row longer than `tokens` is alone.
    """
    if tokens is None:
        return [list(part) for part in parts(range(len(lengths)), size)]
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    costs, starts = [0], [0]  # of the shortest rows, by how many
    for end, index in enumerate(order, 1):
        rows = range(1, max(1, min(size, end, tokens // max(1, lengths[index]))) + 1)
        cost, count = min((costs[end - count] + count * lengths[index] + PASS_COST, count) for count in rows)
        costs.append(cost)
        starts.append(end - count)
    result, end = [], len(order)
    while end:
        result.append(order[starts[end] : end])
        end = starts[end]
    return result


def completion_values(
    model: PreTrainedModel, examples: Sequence[Example], pad: int, *measures: Measure, shared: bool = False
) -> tuple[list[Tensor], Tensor]:
    """Each of `measures` at every completion token, and the mask of completion tokens: all (rows, tokens).

    A measure maps logits (..., vocabulary), float32 at least, and the tokens that came next (...) to a number each, or
    to several (..., numbers). Rows are padded on the right; a position attends only to what stands before it, so
    padding changes nothing. The first of the `tokens` is the first completion token of the row with the shortest
    prompt: with a vocabulary of 150,000 the logits of prompts are most of the memory. The head of a large model reads
    completion tokens alone, as our own forward pass of a tiny one does, and other entries are 0. With `shared` what
    texts begin with alike is computed once (`text_tree`), up to rounding the same.
    """
    first = max(1, min(len(e.prompt) for e in examples)) - 1
    ids, mask = padded(examples, pad)
    rows, columns = mask[:, 1:].nonzero(as_tuple=True)
    if shared:
        tree, mask, ids = text_tree(examples), mask[:, 1 + first :].to(model.device), ids.to(model.device)
        logits = tree.logits(model, rows.tolist(), columns.tolist())
        found = [measure(logits, ids[rows, 1 + columns]) for measure in measures]
        return [_spread(values, mask) for values in found], mask
    head = bare(model).get_output_embeddings() if large(model) else None
    ids, mask, width = ids.to(model.device), mask.to(model.device), ids.shape[1]
    given = {"input_ids": ids[:, :-1], "use_cache": False}
    wanted, ids, mask = mask[:, 1:], ids[:, 1 + first :], mask[:, 1 + first :]
    if width <= SHORT_TEXT and len(rows) and plain_llama(model):
        logits = logits_at(model, given["input_ids"], wanted)
    elif head is None:
        logits = forward(model, **given, logits_to_keep=width - 1 - first).logits[:, first + 1 - width :]
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        return [measure(logits, ids) for measure in measures], mask
    else:
        with read_at(head, rows.to(model.device), columns.to(model.device)):
            logits = forward(model, **given).logits[0]
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    found = [measure(logits, ids[mask]) for measure in measures]
    return [_spread(values, mask) for values in found], mask


def _spread(values: Tensor, mask: Tensor) -> Tensor:
    """What a measure says of completion tokens (tokens, ...) at their places (rows, tokens, ...); 0 elsewhere."""
    return values.new_zeros(*mask.shape, *values.shape[1:]).index_put((mask,), values)


def padded(examples: Sequence[Example], pad: int) -> tuple[Tensor, Tensor]:
    """Token ids and mask of completion tokens, (rows, longest)."""
    width = max(len(e.prompt) + len(e.completion) for e in examples)
    ids, mask = torch.full((len(examples), width), pad), torch.zeros(len(examples), width, dtype=torch.bool)
    for row, example in enumerate(examples):
        start, end = len(example.prompt), len(example.prompt) + len(example.completion)
        ids[row, :end] = torch.tensor(example.prompt + example.completion)
        mask[row, start:end] = True
    return ids, mask


def token_logprobs(logits: Tensor, ids: Tensor) -> Tensor:
    """Log-probability (...) of each token of `ids` under logits (..., vocabulary)."""
    return logits.log_softmax(-1).gather(-1, ids[..., None]).squeeze(-1)


def completion_logprobs(
    model: PreTrainedModel, examples: Sequence[Example], pad: int, shared: bool = False
) -> tuple[Tensor, Tensor]:
    """Log-probabilities in float32 and mask of the completion tokens, both (rows, longest text - 1).

    0 where no completion has begun.
    """
    (logprobs,), mask = completion_values(model, examples, pad, token_logprobs, shared=shared)
    before = max(len(e.prompt) + len(e.completion) for e in examples) - 1 - mask.shape[1]
    return pad_front(logprobs, (before, 0)), pad_front(mask, (before, 0))


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
    stop: int = 0,
) -> dict[str, float]:
    """Fine-tune `model` in place. Returns the mean loss of the first and last tenth of the steps (nats a
    token), steps, tokens, and tokens read, those of prompts among them. With `stop` it ends after so many of
    `config.steps`, whose schedule is kept.

    A batch that does not fit into memory is computed in parts, as `budget` says and remembers, and with a large model
    on a CPU in pieces of like length; the gradient is that of the batch. Raises SpkitError if one row does not fit,
    and NotFinite if training diverges, with the weights of the last good step.
    """
    budget = budget or RowBudget()
    optimizer = adamw(model, config.learning_rate, config.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: learning_rate_factor(step, config))
    losses, taken = [], []
    for step, batch in zip(range(stop or config.steps), epochs(examples, config.batch_size, generator)):
        losses.append(sft_step(model, optimizer, batch, pad, budget, config.clip, step + 1))
        schedule.step()
        taken.append(batch)
        on_step(step + 1, losses[-1])
    return sft_numbers(losses, taken)


def sft_numbers(losses: Sequence[float], taken: Sequence[Sequence[Example]]) -> dict[str, float]:
    """What `sft` returns, from the loss and the batch of every step."""
    tenth = max(1, len(losses) // 10)
    mean = lambda values: sum(values) / max(1, len(values))
    tokens = sum(len(example.completion) for batch in taken for example in batch)
    return {
        "loss_first": mean(losses[:tenth]),
        "loss_last": mean(losses[-tenth:]),
        "steps": len(losses),
        "tokens": tokens,
        "tokens_read": tokens + sum(len(example.prompt) for batch in taken for example in batch),
    }


def sft_step(
    model: PreTrainedModel,
    optimizer: torch.optim.Optimizer,
    batch: Sequence[Example],
    pad: int,
    budget: RowBudget,
    clip: float,
    number: int,
) -> float:
    """Optimizer step `number` (from 1) on a batch; returns the loss before it (nats a token). Raises as `sft` does."""
    most = tokens_at_once(model)
    compute = lambda size: _backward(model, optimizer, _pieces(batch, size, most), pad)
    with by_onednn(model):
        computed = budget.retry_smaller(len(batch), compute)
    return sum(clipped_step(optimizer, computed, clip, number)[0])


def _pieces(batch: Sequence[Example], size: int, tokens: int | None) -> list[list[Example]]:
    lengths = [len(example.prompt) + len(example.completion) for example in batch]
    return [[batch[i] for i in piece] for piece in pieces(lengths, size, tokens)]


def _backward(
    model: PreTrainedModel, optimizer: torch.optim.Optimizer, batch: Sequence[Sequence[Example]], pad: int
) -> list[Tensor]:
    """The gradient of a batch that is given in pieces, from 0; the share of each in the batch's loss a token."""
    optimizer.zero_grad(set_to_none=True)
    tokens = [sum(len(example.completion) for example in piece) for piece in batch]
    losses = []
    for piece, own in zip(batch, tokens):
        loss = sft_loss(*completion_logprobs(model, piece, pad)) * (own / max(1, sum(tokens)))
        loss.backward()
        losses.append(loss.detach())
    return losses
