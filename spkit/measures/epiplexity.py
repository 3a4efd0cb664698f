"""Epiplexity: how much there is to learn in a stream of text, for one observer (arXiv:2603.02218, section 4,
equation 7 and Algorithm 1).

An observer, a copy of a given policy, reads the stream once and is trained on it as it goes. What a completion costs it
*before* it has learned from it, minus what it costs *after* training, is information that went into it: S, the
learnable information, in bits. What a completion it never trained on still costs is H, the information that is noise to
this observer, in bits a token.

    too easy    S low   H low      nothing left to learn
    too hard    S low   H high     nothing that this observer can learn
    useful      S high

Noise that is read often enough is learned by heart, and S would rise. So after every pass the description length S /
tokens + H is taken on held-out text, and the pass where it is least is the one that counts (`select`).

What to keep in mind: S is a total. It is comparable between streams at the same observer, tokens, seed and training,
and only then; so the number of tokens is fixed here and a stream with fewer is refused. It says that there is something
to learn, not that it is right.

What differs from the paper: AdamW for plain gradient steps, batches for single texts (the cost of a batch is taken
before the update on it), completions only (a prompt costs nothing, it is given), and a cut of the last completion to
make the number of tokens exact.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ..maths.preference import sft_loss
from ..policy import Example, Policy
from ..policy.rollouts import Pair
from ..policy.steps import clipped_step
from ..policy.training import completion_logprobs, one_pass
from ..run.errors import SpkitError


@dataclass(frozen=True)
class ObserverConfig:
    """How the observer reads. Streams are comparable under the same settings only."""

    train_tokens: int = 8000  # completion tokens it learns from, exactly
    validation_tokens: int = 2000  # completion tokens it is asked about and never learns from, exactly
    passes: int = 4  # over the training part; the first is the one that is counted
    batch_size: int = 8
    learning_rate: float = 1e-3
    clip: float = 1.0
    seed: int = 0
    select: bool = True  # the pass with the least description length; otherwise the last

    def __post_init__(self) -> None:
        for name in ("train_tokens", "validation_tokens", "passes", "batch_size"):
            if getattr(self, name) < 1:
                raise SpkitError(f"{name} must be 1 or more, not {getattr(self, name)}")
        for name in ("learning_rate", "clip"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise SpkitError(f"{name} must be a positive number, not {getattr(self, name)}")


@dataclass(frozen=True)
class Pass:
    """What stands after one pass.

    `S` is in bits in all; `H` (held out), `train` and `MDL` = S / train tokens + H are in bits a token.
    """

    S: float
    H: float
    MDL: float
    train: float


@dataclass(frozen=True)
class Epiplexity:
    """The numbers of the chosen pass, as in `Pass`, and how they came about: `online`, the cost (bits) of the
    first reading, every pass.
    """

    S: float
    H: float
    MDL: float
    online: float
    chosen: int  # the pass, from 1
    passes: tuple[Pass, ...]


def epiplexity(observer: Policy, stream: Sequence[Pair], config: ObserverConfig | None = None) -> Epiplexity:
    """Learnable information S and noise H of a stream of (prompt, completion token ids), for this
    observer, which is left as it is.

    The stream is read in an order that depends on its pairs and the seed, and not on the order they come in;
    the first part of it is the validation part. Raises SpkitError if the stream has too few completion tokens,
    a prompt or completion is empty or too long, or a token is none of the observer's; NotFinite if the
    observer's training diverges.
    """
    config = config or ObserverConfig()
    train, validation = split(observer, stream, config)
    observer, pad = observer.clone(), observer.pad_id
    parameters = [parameter for parameter in observer.model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=config.learning_rate, weight_decay=0.0)
    draw = torch.Generator().manual_seed(config.seed)
    online, passes, steps = 0.0, [], 0
    for number in range(config.passes):
        for index in one_pass([len(e.prompt) + len(e.completion) for e in train], config.batch_size, draw):
            logprobs, mask = completion_logprobs(observer.model, [train[i] for i in index], pad)
            if number == 0:
                online -= (logprobs.detach() * mask).cpu().double().sum().item() / math.log(2)
            optimizer.zero_grad(set_to_none=True)
            loss, steps = sft_loss(logprobs, mask), steps + 1
            loss.backward()
            clipped_step(optimizer, [loss], config.clip, steps)
        passes.append(_after(observer, train, validation, online, config))
    chosen = min(range(len(passes)), key=lambda i: passes[i].MDL) if config.select else len(passes) - 1
    best = passes[chosen]
    return Epiplexity(best.S, best.H, best.MDL, online, chosen + 1, tuple(passes))


def _after(
    observer: Policy, train: Sequence[Example], validation: Sequence[Example], online: float, config: ObserverConfig
) -> Pass:
    left = cost(observer, train)
    S, H = online - left, cost(observer, validation) / config.validation_tokens
    return Pass(S, H, S / config.train_tokens + H, left / config.train_tokens)


@torch.no_grad()
def cost(observer: Policy, examples: Sequence[Example], rows_at_once: int = 64) -> float:
    """Bits of all completions under the observer as it is."""
    total = 0.0
    for start in range(0, len(examples), rows_at_once):
        logprobs, mask = completion_logprobs(observer.model, examples[start : start + rows_at_once], observer.pad_id)
        total -= (logprobs * mask).cpu().double().sum().item()
    return total / math.log(2)


def split(observer: Policy, stream: Sequence[Pair], config: ObserverConfig) -> tuple[list[Example], list[Example]]:
    """The training and the validation part: disjoint pairs of the stream, with exactly the tokens that the settings
    say.

    A pair that the stream repeats may stand in both: that it comes again is something to learn.
    """
    if any(not ids for _, ids in stream):
        raise SpkitError("a completion of the stream is empty: leave out what has no token")
    known = observer.model.config.vocab_size
    strange = next((i for _, ids in stream for i in ids if not 0 <= i < known), None)
    if strange is not None:
        raise SpkitError(
            f"the stream has token {strange} and the observer knows 0 to {known - 1}: encode it with the "
            "observer's tokenizer"
        )
    too_long = next(
        (prompt for prompt, ids in stream if len(observer.prompt_ids(prompt)) + len(ids) > observer.context), None
    )
    if too_long is not None:
        raise SpkitError(
            f"the observer reads {observer.context} tokens and the completion of {too_long[:60]!r} goes "
            "beyond: shorten it"
        )
    stream = sorted(stream)
    order = torch.randperm(len(stream), generator=torch.Generator().manual_seed(config.seed)).tolist()
    there, needed = sum(len(ids) for _, ids in stream), config.train_tokens + config.validation_tokens
    validation, after = _take(observer, [stream[i] for i in order], config.validation_tokens)
    train, _ = _take(observer, after, config.train_tokens)
    if sum(len(example.completion) for example in train) < config.train_tokens:
        raise SpkitError(
            f"the stream has {there} completion tokens and {needed} are needed, in whole pairs: give more, "
            "or ask for fewer"
        )
    return train, validation


def _take(observer: Policy, stream: Sequence[Pair], tokens: int) -> tuple[list[Example], Sequence[Pair]]:
    """The first pairs with that many completion tokens, the last of them cut, and the pairs after them."""
    taken, left = [], tokens
    for used, (prompt, ids) in enumerate(stream):
        if left <= 0:
            return taken, stream[used:]
        taken.append(Example(observer.prompt_ids(prompt), list(ids[:left])))
        left -= len(ids)
    return taken, []


def shuffled_stream(stream: Sequence[Pair], seed: int = 0) -> list[Pair]:
    """The control: the same prompts in the same order and the same completions, each prompt with the
    completion of another pair.
    """
    order = torch.randperm(len(stream), generator=torch.Generator().manual_seed(seed)).tolist()
    other = dict(zip(order, order[1:] + order[:1]))  # one circle through all, so that no pair keeps its own
    return [(prompt, stream[other[i]][1]) for i, (prompt, _) in enumerate(stream)]
