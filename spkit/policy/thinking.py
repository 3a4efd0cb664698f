"""A language model that thinks: after any token of a text a thought of a few tokens, and then what comes next in the
text, from a mix of the hidden states before and after the thought (Quiet-STaR, arXiv:2403.09629, section 4).

Thoughts of all places are computed together. Behind the text stand blocks of one token for each place: start mark, the
tokens of the thoughts, end mark, the tokens of the text that come next. A token of a block sees the text up to its
place and the tokens before it in its own thought, and nothing of the others: in the mask the text part is causal and
every part of a block is diagonal (Figure 3 there). A token of block b at place j has position j + b, as if it were
written right there. The model is called with embeddings, a mask and positions, so any causal model of transformers that
takes these will do.

What differs from the paper's code: the marks are parameters of their own, no tokens, so that they have no row among the
outputs and can never be sampled; they begin as copies of two rows of the embedding.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from ..run.errors import SpkitError
from .architecture import bare, takes
from .training import token_logprobs

TOLD_TO_THINK = frozenset({"inputs_embeds", "attention_mask", "position_ids", "past_key_values"})
START_MARK, CLOSE_MARK = 0, 1


class MixingHead(nn.Module):
    """How much of the hidden state after a thought goes into the mix: a network of three layers on both states, whose
    last layer begins at 0, so that nothing does (as in the paper's code; no sigmoid bounds it).
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        last = nn.Linear(size, 1, bias=False)
        nn.init.zeros_(last.weight)
        self.layers = nn.Sequential(nn.Linear(2 * size, size), nn.ReLU(), nn.Linear(size, size), nn.ReLU(), last)

    def forward(self, before: Tensor, after: Tensor) -> Tensor:
        """(..., 1) of two states (..., size)."""
        return self.layers(torch.cat([before, after], -1))


class Thinker(nn.Module):
    """A model, the two marks (2, size), the mixing head, and, for thoughts that are always the same, `pauses`
    (tokens, size). `model` may be a policy's view of an adapter.
    """

    def __init__(self, model: nn.Module, mark_ids: tuple[int, int], tokens: int, seed: int) -> None:
        super().__init__()
        if missing := TOLD_TO_THINK - takes(model):
            raise SpkitError(
                f"{type(bare(model)).__name__} does not take {', '.join(sorted(missing))}: thoughts need a model that "
                "is told masks, positions and embeddings"
            )
        table = bare(model).get_input_embeddings().weight.detach()
        self.model, self.tokens = model, tokens
        self.marks = nn.Parameter(table[list(mark_ids)].float().clone())
        self.pauses = nn.Parameter(table[mark_ids[0]].float().repeat(tokens, 1))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.head = MixingHead(table.shape[1]).to(table.device)

    def own(self) -> dict[str, Tensor]:
        """What it has beside the model, by name."""
        return {name: value for name, value in self.named_parameters() if not name.startswith("model.")}

    def load_own(self, state: dict[str, Tensor]) -> None:
        """Take back what `own` gave."""
        for name, value in self.own().items():
            value.data.copy_(state[name])

    def embedded(self, ids: Tensor) -> Tensor:
        """Embeddings (..., size) of tokens."""
        return bare(self.model).get_input_embeddings()(ids)

    def mark(self, which: int, *shape: int) -> Tensor:
        """The start or the end mark at all places, (*shape, size)."""
        return self.marks[which].to(bare(self.model).get_input_embeddings().weight.dtype).expand(*shape, -1)

    def hidden(self, given: Tensor, mask: Tensor, positions: Tensor, cache: DynamicCache | None = None) -> Tensor:
        """Last hidden states of embeddings (rows, queries, size); `mask` (queries, keys) says what is seen."""
        lowest = torch.finfo(given.dtype).min
        seen = torch.zeros(mask.shape, dtype=given.dtype, device=given.device).masked_fill_(
            ~mask.to(given.device), lowest
        )
        told = {
            "position_ids": positions.to(given.device)[None].expand(len(given), -1),
            "attention_mask": seen[None, None],
        }
        more = {"logits_to_keep": 1} if "logits_to_keep" in takes(self.model) else {}
        found = self.model(
            inputs_embeds=given,
            **told,
            **more,
            past_key_values=cache,
            use_cache=cache is not None,
            output_hidden_states=True,
        )
        return found.hidden_states[-1]

    def logits(self, hidden: Tensor) -> Tensor:
        """Logits in float32."""
        return bare(self.model).get_output_embeddings()(hidden).float()


def block_mask(length: int, places: Tensor, blocks: int) -> Tensor:
    """What each token sees, (length + blocks x places, the same), bool: the text causally, and of the blocks one token
    for each of `places` in the text, those of the same place up to its own.
    """
    text, own, count = (
        torch.ones(length, length, dtype=torch.bool).tril(),
        torch.eye(len(places), dtype=torch.bool),
        len(places),
    )
    rows = [torch.cat([text, torch.zeros(length, blocks * count, dtype=torch.bool)], 1)]
    for block in range(1, blocks + 1):
        later = torch.zeros(count, (blocks - block) * count, dtype=torch.bool)
        rows.append(torch.cat([text[places], *[own] * block, later], 1))
    return torch.cat(rows)


def block_positions(length: int, places: Tensor, blocks: int) -> Tensor:
    """The position of each token of the text and of the blocks behind it."""
    return torch.cat([torch.arange(length), *(places + block for block in range(1, blocks + 1))])


@torch.no_grad()
def think(
    thinker: Thinker, ids: Tensor, places: Tensor, siblings: int, draw: torch.Generator | None, temperature: float = 1.0
) -> Tensor:
    """Thoughts (texts, siblings, places, tokens) after `places` of the texts `ids` (texts, length), sampled at
    `temperature` from the whole vocabulary; greedy at 0. One pass reads the texts, and one computes each token of all
    thoughts.
    """
    texts, length = ids.shape
    mask, positions = block_mask(length, places, thinker.tokens), block_positions(length, places, thinker.tokens)
    cache = DynamicCache(config=bare(thinker.model).config)
    thinker.hidden(thinker.embedded(ids), mask[:length, :length], positions[:length], cache)
    cache.batch_repeat_interleave(siblings)
    given, written = thinker.mark(START_MARK, texts * siblings, len(places)), []
    for block in range(thinker.tokens):
        own = slice(length + block * len(places), length + (block + 1) * len(places))
        logits = thinker.logits(thinker.hidden(given, mask[own, : own.stop], positions[own], cache))
        written.append(chosen_tokens(logits, draw, temperature))
        given = thinker.embedded(written[-1])
    return torch.stack(written, -1).view(texts, siblings, len(places), thinker.tokens)


def chosen_tokens(logits: Tensor, draw: torch.Generator | None, temperature: float) -> Tensor:
    """A token of each distribution (..., vocabulary), by the Gumbel-max trick; the likeliest at temperature 0."""
    if temperature == 0:
        return logits.argmax(-1)
    uniform = torch.rand(logits.shape, generator=draw, dtype=torch.float64).clamp_(min=1e-300)
    return (logits.double() / temperature - (-uniform.log()).log().to(logits.device)).argmax(-1)


class Talk(NamedTuple):
    """What a text and its thoughts say of the text, in nats.

    `next` (texts, length - 1) without thoughts; `mixed` (texts, siblings, places, ahead) after them, of the next tokens
    of the text as far as `there` (places, ahead); `weight` like `mixed`, the share of the state after the thought;
    `thoughts` (texts, siblings, places, tokens), of the thoughts' own tokens; `likeliest` (texts, siblings, places),
    the next token by the mix.
    """

    next: Tensor
    mixed: Tensor
    there: Tensor
    weight: Tensor
    thoughts: Tensor
    likeliest: Tensor


def talk(thinker: Thinker, ids: Tensor, places: Tensor, thoughts: Tensor | None, ahead: int, siblings: int = 1) -> Talk:
    """Log-probabilities of the next `ahead` tokens of the text after each place, teacher-forced, from the mix of the
    states before and after its thought; without `thoughts` the pauses stand there.
    """
    texts, length = ids.shape
    siblings, count, tokens = siblings if thoughts is None else thoughts.shape[1], len(places), thinker.tokens
    rows, blocks = texts * siblings, tokens + 1 + ahead
    there = places[:, None] + torch.arange(1, ahead + 1) < length
    upcoming = ids[:, (places[:, None] + torch.arange(1, ahead + 1)).clamp(max=length - 1)]  # (texts, places, ahead)
    upcoming = upcoming.repeat_interleave(siblings, 0)
    given = torch.cat(list(_given(thinker, ids, thoughts, upcoming, siblings, count)), 1)
    states = thinker.hidden(given, block_mask(length, places, blocks), block_positions(length, places, blocks))
    text, block = states[:, :length], states[:, length:].view(rows, blocks, count, -1)
    before = text[:, (places[:, None] + torch.arange(ahead)).clamp(max=length - 1)]  # (rows, places, ahead, size)
    after = block[:, tokens + 1 :].transpose(1, 2)
    weight = thinker.head(before.float(), after.float()).to(before.dtype)
    logits = thinker.logits(torch.lerp(before, after, weight))
    shape = (texts, siblings, count, ahead)
    written = (
        torch.zeros(rows, count, tokens)
        if thoughts is None
        else token_logprobs(thinker.logits(block[:, :tokens].transpose(1, 2)), thoughts.flatten(0, 1))
    )
    first = text.view(texts, siblings, length, -1)[:, 0, :-1]
    return Talk(
        token_logprobs(thinker.logits(first), ids[:, 1:]),
        token_logprobs(logits, upcoming).view(shape),
        there,
        weight.float().view(shape),
        written.view(texts, siblings, count, tokens),
        logits[:, :, 0].argmax(-1).view(shape[:3]),
    )


def _given(
    thinker: Thinker, ids: Tensor, thoughts: Tensor | None, upcoming: Tensor, siblings: int, count: int
) -> Iterator[Tensor]:
    """Embeddings of the text and of each block behind it: start, thought, end, and the next tokens but the last."""
    rows = len(ids) * siblings
    yield thinker.embedded(ids).repeat_interleave(siblings, 0)
    yield thinker.mark(START_MARK, rows, count)
    if thoughts is None:
        for pause in thinker.pauses:
            yield pause.to(thinker.model.dtype).expand(rows, count, -1)
    else:
        yield from thinker.embedded(thoughts.flatten(0, 1)).unbind(2)
    yield thinker.mark(CLOSE_MARK, rows, count)
    yield from thinker.embedded(upcoming[..., :-1]).unbind(2)
