"""The check of the exercise of notebook 05 in which the reader writes a sampler with a key-value cache.

Two models in float64 are sampled from: the shipped `expressions`, and a small one with random weights that learned a
vector for each position, so that a wrong position changes what is written (rotary positions only know distances). What
is right is computed without a cache, one row at a time; what a model is asked to compute is counted.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedModel

from ..policy import load_policy
from .checking import Mistake, attempted, compare

CachedSampler = Callable[..., Sequence[Sequence[int]]]
Lines = list[list[int]]


class CountedModel:
    """A model that notes the shape of each `input_ids` that it reads."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.model, self.shapes = model, []
        self.config, self.device = model.config, model.device

    def __call__(self, input_ids: Tensor, **given: Any) -> Any:
        self.shapes.append(tuple(input_ids.shape))
        with torch.no_grad():
            return self.model(input_ids=input_ids, **given)


def next_token(logits: Tensor, temperature: float, numbers: Tensor) -> Tensor:
    """One token a row (rows,) from logits (rows, vocabulary): the most likely at temperature 0, else the first at which
    the cumulated probability exceeds the row's number in [0, 1).
    """
    if temperature == 0:
        return logits.argmax(-1)
    chances = (logits / temperature).softmax(-1).cumsum(-1)
    return (chances <= numbers[:, None]).sum(-1).clamp(max=logits.shape[-1] - 1)


@dataclass(frozen=True)
class SamplerParts:
    """A sampler with a cache, and what a reader may write in place of each of its parts."""

    left: bool = True
    masked: bool = True
    grows: bool = True
    skips_padding: bool = True  # in the positions of the prompt
    counts_on: Callable[[Tensor, int, int], Tensor] = lambda last, width, step: last + step
    ordered: bool = True  # the cache's rows go with those that stay
    retires: bool = True
    stops: bool = True  # a row that has ended gets nothing more
    all_stop: bool = False
    end_kept: bool = True
    end_again: bool = False
    shown_prompt: bool = False
    cached: bool = True
    by_finish: bool = False  # rows come back in the order in which they ended
    fewer: int = 0  # tokens
    heat: Callable[[float], float] = lambda temperature: temperature
    late: bool = False  # numbers are drawn at each step, for the rows that are still writing
    shared: bool = False  # one number a step for all rows

    def sample(self, model, prompts, max_new_tokens, end, pad, temperature, generator) -> Lines:
        """The new tokens of each prompt."""
        rows, written, order = torch.arange(len(prompts)), [[] for _ in prompts], []
        numbers = torch.rand((len(prompts), max_new_tokens), generator=generator)
        ids, mask = self._padded(prompts, pad)
        width = ids.shape[1]
        positions = (mask.cumsum(1) - 1).clamp(min=0) if self.skips_padding else torch.arange(width).expand_as(ids)
        last, seen = positions[:, -1], {}
        for step in range(max_new_tokens - self.fewer):
            given = {"attention_mask": mask} if self.masked else {}
            found = model(input_ids=ids, position_ids=positions, use_cache=True, **given, **seen)
            here = torch.rand(len(rows), generator=generator) if self.late else numbers[rows, step]
            here = numbers[:1, step].expand(len(rows)) if self.shared else here
            chosen = next_token(found.logits[:, -1], self.heat(temperature), here)
            for row, token in zip(rows.tolist(), chosen.tolist()):
                if not self.stops or end not in written[row]:
                    written[row].append(token)
            over = torch.tensor([end in written[row] for row in rows.tolist()])
            order += [row for row in rows[over].tolist() if row not in order]
            if over.all() or (self.all_stop and over.any()):
                break
            kept = (~over).nonzero()[:, 0] if self.retires else torch.arange(len(rows))
            from_cache = kept if self.ordered else torch.arange(len(kept))
            rows, chosen, last, mask = rows[kept], chosen[kept], last[kept], mask[kept]
            if self.cached:
                found.past_key_values.batch_select_indices(from_cache)
                seen, ids = {"past_key_values": found.past_key_values}, chosen[:, None]
                positions = self.counts_on(last, width, step + 1)[:, None]
            else:
                ids = torch.cat([ids[kept], chosen[:, None]], 1)
                positions = torch.cat([positions[kept], last[:, None] + step + 1], 1)
            mask = torch.cat([mask, torch.ones(len(rows), 1, dtype=mask.dtype)], 1) if self.grows else mask
        return self._returned(written, prompts, end, order)

    def _padded(self, prompts: Sequence[Sequence[int]], pad: int) -> tuple[Tensor, Tensor]:
        width = max(map(len, prompts))
        beside = lambda row, filler: (
            [filler] * (width - len(row)) + [*row] if self.left else [*row] + [filler] * (width - len(row))
        )
        ids = torch.tensor([beside(row, pad) for row in prompts])
        return ids, torch.tensor([beside([1] * len(row), 0) for row in prompts])

    def _returned(self, written: Lines, prompts: Sequence[Sequence[int]], end: int, order: list[int]) -> Lines:
        if not self.end_kept:
            written = [[token for token in row if token != end] for row in written]
        if self.end_again:
            written = [[*row, end] if end in row else row for row in written]
        if self.by_finish:
            return [written[row] for row in [*order, *(r for r in range(len(written)) if r not in order)]]
        return [[*prompt, *row] for prompt, row in zip(prompts, written)] if self.shown_prompt else written


def uncached(
    model: Callable[..., Any],
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int,
    end: int,
    pad: int,
    temperature: float,
    generator: torch.Generator,
) -> Lines:
    """What is right: each row alone, without padding, the whole text read again for every token."""
    numbers, written = torch.rand((len(prompts), max_new_tokens), generator=generator), []
    for prompt, row in zip(prompts, numbers):
        text = []
        while len(text) < max_new_tokens and end not in text:
            logits = model(input_ids=torch.tensor([[*prompt, *text]])).logits[:, -1]
            text.append(next_token(logits, temperature, row[len(text)][None]).item())
        written.append(text)
    return written


RIGHT_SAMPLER = SamplerParts()
CACHED_SAMPLER_MISTAKES = {
    (
        "the prompt's positions count its padding, and the new tokens' go on from there; with learned positions a "
        "padded row is another text. Position 0 is the first token that is no padding."
    ): replace(RIGHT_SAMPLER, skips_padding=False),
    (
        "the new tokens' positions count the padding, the prompt's do not: a gap opens behind a padded prompt. Go on "
        "from the row's own last position."
    ): replace(RIGHT_SAMPLER, counts_on=lambda last, width, step: torch.full_like(last, width - 1 + step)),
    "every new token stands at the same position; it is one further at each step.": (
        replace(RIGHT_SAMPLER, counts_on=lambda last, width, step: last + 1)
    ),
    "the new tokens' positions begin at 0 again; they go on from the row's last one.": (
        replace(RIGHT_SAMPLER, counts_on=lambda last, width, step: torch.full_like(last, step - 1))
    ),
    "the new tokens' positions are one too low: the first repeats that of the prompt's last token.": (
        replace(RIGHT_SAMPLER, counts_on=lambda last, width, step: last + step - 1)
    ),
    "the mask does not grow: what was written since the prompt is not seen. Append a 1 to each row at every step.": (
        replace(RIGHT_SAMPLER, grows=False)
    ),
    "there is no mask: a short prompt reads its padding.": replace(RIGHT_SAMPLER, masked=False, grows=False),
    "the prompts are padded on the right; the last column, which is continued, is then padding.": (
        replace(RIGHT_SAMPLER, left=False)
    ),
    (
        "the rows that stay go on with the cache of others: select the same rows of the cache, in the same order, as "
        "of tokens, mask and positions."
    ): replace(RIGHT_SAMPLER, ordered=False),
    "finished rows are computed until the last one ends; take them out of tokens, mask, positions and cache.": (
        replace(RIGHT_SAMPLER, retires=False)
    ),
    "a row goes on behind its end token; what comes after it is no part of the text.": (
        replace(RIGHT_SAMPLER, retires=False, stops=False)
    ),
    "all rows stop where the first one ends.": replace(RIGHT_SAMPLER, all_stop=True),
    "the end token is left out; it belongs to the completion, since the policy chose it.": (
        replace(RIGHT_SAMPLER, end_kept=False)
    ),
    "the end token is there twice: the policy has written it already.": replace(RIGHT_SAMPLER, end_again=True),
    "the prompts are returned, too; the new tokens alone.": replace(RIGHT_SAMPLER, shown_prompt=True),
    "the whole text is read again at every step: right, and this is what a cache is to save.": (
        replace(RIGHT_SAMPLER, cached=False)
    ),
    "the rows come back in the order in which they ended.": replace(RIGHT_SAMPLER, by_finish=True),
    "this stops one token too early.": replace(RIGHT_SAMPLER, fewer=1),
    "the temperature multiplies the logits; divide by it.": (
        replace(RIGHT_SAMPLER, heat=lambda temperature: 1 / temperature if temperature else 0.0)
    ),
    "this is greedy at every temperature.": replace(RIGHT_SAMPLER, heat=lambda temperature: 0.0),
    "the temperature is left out.": (replace(RIGHT_SAMPLER, heat=lambda temperature: 1.0 if temperature else 0.0)),
    (
        "numbers are drawn step by step for the rows that are still writing, so that a row's text depends on when "
        "the others end; draw (rows, max_new_tokens) of them first."
    ): replace(RIGHT_SAMPLER, late=True),
    "all rows share one number a step; each has its own.": replace(RIGHT_SAMPLER, shared=True),
}


@cache
def _models() -> tuple[PreTrainedModel, PreTrainedModel]:
    """`expressions`, and a random one with learned positions; both in float64."""
    settings = GPT2Config(
        vocab_size=12, n_positions=64, n_embd=32, n_layer=2, n_head=2, initializer_range=0.6, bos_token_id=1,
        eos_token_id=1, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        other = GPT2LMHeadModel(settings)
    return load_policy("expressions").model.double().eval(), other.double().eval()


@cache
def _sampler_cases() -> tuple[tuple[int, Lines, float, int], ...]:
    """Which model, prompts, temperature, most new tokens."""
    policy = load_policy("expressions")
    asked = ["ded x+y 3,4>", "ded (x+y)*(y-3) 4,7>", "new ded>", "ded x 5,5>"]
    real = [policy.prompt_ids(prompt) for prompt in asked]
    made = [[3, 5, 2, 7], [4], [9, 9, 3], [6, 2, 8, 10, 3, 4, 5], [11, 7]]
    return (0, real, 0.0, 20), (0, real, 0.8, 20), (1, made, 0.0, 12), (1, made, 0.7, 16)


def _outcome(sampler: CachedSampler) -> Callable[[int], np.ndarray]:
    """Of a case: the new tokens, padded with -1; and 0, or what was computed in vain (1 ended rows, 2 whole texts)."""

    def value(number: int) -> np.ndarray:
        which, prompts, temperature, most = _sampler_cases()[number]
        model = CountedModel(_models()[which])
        draw = torch.Generator().manual_seed(number)
        found = attempted("cached_sample", sampler)(model, [[*row] for row in prompts], most, 1, 0, temperature, draw)
        if len(found) != len(prompts) or not all(isinstance(row, (list, tuple)) for row in found):
            raise Mistake(f"cached_sample: return a list of {len(prompts)} lists, the new token ids of each prompt.")
        table = np.full((len(prompts), 2 * most + 8), -1.0)
        for place, row in enumerate(found):
            table[place, : len(row)] = [int(token) for token in row][: table.shape[1]]
        return np.append(table.ravel(), _in_vain(model.shapes, [len(row) for row in found]))

    return value


def _in_vain(shapes: Sequence[tuple[int, int]], lengths: Sequence[int]) -> int:
    if any(width > 1 for _, width in shapes[1:]):
        return 2
    needed = sum(length - 1 for length in lengths)
    return int(sum(rows for rows, _ in shapes[1:]) > needed + len(lengths))


@cache
def _mistaken(said: str, number: int) -> np.ndarray:
    return _outcome(CACHED_SAMPLER_MISTAKES[said].sample)(number)


def check_cached_sampler(answer: CachedSampler) -> None:
    """`answer(model, prompts, max_new_tokens, end, pad, temperature, generator)`: the new token ids of each prompt, the
    end token included where it was written, as without a cache; rows that have ended are not computed any more.
    """
    right = _outcome(lambda *case: uncached(*case))
    expected = lambda number: np.append(right(number)[:-1], 0)
    known = {said: partial(_mistaken, said) for said in CACHED_SAMPLER_MISTAKES}
    compare("cached_sample", _outcome(answer), expected, known, [(n,) for n in range(len(_sampler_cases()))])
