"""Steps of a tiny Llama on a CPU by our own code, over lines that branch.

A step of a model of some hundred thousand weights takes as long as the calls that compute it, of which transformers
makes a hundred and more a layer, in Python and of PyTorch. Here are some thirty, for the same numbers up to rounding:

- weights that read the same input are one matrix, which holds the scale of the norm before it, too;
- heads of a group are the queries of one product, so that no key or value is repeated;
- keys and values of all layers are one buffer, written in place; padding of prompts is not computed.

Rows of a prompt that have written the same tokens so far are one line (`sampling.generate`): lines branch when draws
differ, and `keep` copies those that are new into places that are free.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad, scaled_dot_product_attention, silu
from transformers import PreTrainedModel

from .cpu_linear import product
from .plain_llama import side_by_side, turns
from .rereading import agree
from .sampling import GrowingDecoder

ROUND = 16  # lines, and tokens of prompts, are computed in multiples of it: a product of a new shape is slow once
PROMPT_TOKENS = 4096  # tokens of prompts


class Matrices(NamedTuple):
    """The matrices of a layer, (outputs, inputs): with the norm's scale where they read what it gives."""

    attend: Tensor  # queries, keys and values
    attended: Tensor
    widen: Tensor  # the gate, and what it lets pass
    narrow: Tensor


class LlamaDecoder:
    """Steps of lines over one buffer (see `sampling.Decoder`), (layers, keys or values, lines, kv heads, tokens, head
    size).
    """

    branches = True

    def __init__(self, model: PreTrainedModel) -> None:
        self.model, config = model, model.config
        self.kinds, self.heads, self.size = config.num_key_value_heads, config.num_attention_heads, config.head_dim
        self.group, self.epsilon = self.heads // self.kinds, config.hidden_size * config.rms_norm_eps

    def start(self, ids: Tensor, mask: Tensor, rows: Tensor, new_tokens: int) -> Tensor:
        """See `sampling.Decoder`."""
        (self.lines, self.column), places = ids.shape, ids.shape[1] + new_tokens
        self._take_weights(places)
        room, mask = in_whole(self.lines), mask.bool()
        self.cache = torch.empty(len(self.blocks), 2, room, self.kinds, places, self.size)
        self.cache[..., : self.column, :] = 0
        self.positions = torch.zeros(room, dtype=torch.long)
        self.positions[: self.lines] = mask.sum(1) - 1
        self.bias = None if mask.all() else torch.zeros(room, self.kinds, 1, places)
        if self.bias is not None:
            self.bias[: self.lines, ..., : self.column].masked_fill_(~mask[:, None, None], -torch.inf)
        at_once = max(1, PROMPT_TOKENS // self.column)
        parts = [slice(first, min(first + at_once, self.lines)) for first in range(0, self.lines, at_once)]
        logits = torch.cat([self._read(ids[part], mask[part], self.cache[:, :, part]) for part in parts])
        self.keep(rows)
        return logits[rows]

    def retires(self, left: int, lines: int) -> bool:
        """See `sampling.Decoder`."""
        return left < lines

    def keep(self, lines: Tensor) -> None:
        """See `sampling.Decoder`: a line may be named more than once, and branches."""
        self.lines = len(lines)
        if self.lines > len(self.positions):
            self._grow(in_whole(2 * self.lines))
        places = (lines != torch.arange(len(lines))).nonzero().squeeze(1)
        if len(places):
            sources, written = lines[places], self.cache[..., : self.column, :]
            written[:, :, places] = written[:, :, sources]
            for tensor in (self.positions, self.bias):
                if tensor is not None:
                    tensor[places] = tensor[sources]

    def step(self, chosen: Tensor) -> Tensor:
        """See `sampling.Decoder`."""
        self.positions += 1
        self.column += 1
        count = in_whole(self.lines)
        turn = self.turns[self.positions[:count].clamp(max=len(self.turns) - 1), None]
        x = self.embedded[torch.cat([chosen, chosen.new_zeros(count - self.lines)])]
        bias = None if self.bias is None else self.bias[:count, ..., : self.column].flatten(0, 1)
        window = self.cache[:, :, :count, :, : self.column].transpose(1, 2)
        keys, values = window[:, :, 0].flatten(1, 2).mT, window[:, :, 1].flatten(1, 2)
        for block, written, key, value in zip(self.blocks, window[..., -1, :], keys, values):
            query, new = self._projected(block, x, turn)
            written.copy_(new)
            query = query.reshape(-1, self.group, self.size)
            scores = torch.bmm(query, key) if bias is None else torch.baddbmm(bias, query, key)
            x = self._read_on(block, x, torch.bmm(scores.softmax(-1), value).view(count, -1))
        return product(self._normed(x), self.head)[: self.lines]

    def _read(self, ids: Tensor, mask: Tensor, caches: Tensor) -> Tensor:
        """Read prompts into their part of the buffer; the logits after each."""
        (lines, width), lengths = ids.shape, mask.sum(1)
        line, place = mask.nonzero(as_tuple=True)
        over = (0, -len(line) % ROUND)  # the last token once more, and written where it is
        line, place = (pad(one[None], over, "replicate")[0] for one in (line, place))
        bias = None
        if not mask.all():
            seen = mask[:, None] & torch.ones(width, width, dtype=torch.bool).tril()
            bias = torch.zeros(lines, 1, width, width).masked_fill_(~seen[:, None], torch.finfo(torch.float32).min)
        x, turn = self.embedded[ids[line, place]], self.turns[place - (width - lengths)[line], None]
        query = torch.zeros(lines, width, self.heads, self.size)
        for block, cache in zip(self.blocks, caches.unbind(0)):
            query[line, place], new = self._projected(block, x, turn)
            cache[:, line, :, place] = new
            out = scaled_dot_product_attention(
                query.transpose(1, 2),
                *cache[..., :width, :].unbind(0),
                attn_mask=bias,
                is_causal=bias is None,
                scale=1.0,
                enable_gqa=self.group > 1,
            ).transpose(1, 2)
            if block is self.blocks[-1]:  # only what is written next reads on
                line, place, x = torch.arange(lines), torch.full((lines,), width - 1), x[lengths.cumsum(0) - 1]
            x = self._read_on(block, x, out[line, place].flatten(1))
        return product(self._normed(x), self.head)

    def _projected(self, block: Matrices, x: Tensor, turn: Tensor) -> tuple[Tensor, Tensor]:
        """Queries (n, heads, head size), and keys and values (n, 2, kv heads, head size), turned by their positions."""
        both = product(self._normed(x), block.attend).view(len(x), -1, self.size)
        turned = both[:, : self.heads + self.kinds].view(len(x), -1, self.size // 2, 2)
        torch.view_as_complex(turned).mul_(turn)
        return both[:, : self.heads], both[:, self.heads :].view(len(x), 2, self.kinds, self.size)

    def _read_on(self, block: Matrices, x: Tensor, out: Tensor) -> Tensor:
        """A layer's output from its input and what attention gave."""
        x = product(out, block.attended).add_(x)
        gate, through = product(self._normed(x), block.widen).chunk(2, -1)
        return product(silu(gate).mul_(through), block.narrow).add_(x)

    def _normed(self, x: Tensor) -> Tensor:
        """Rows of length 1; the scale of the norm is in the matrices."""
        return x * torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_().add_(self.epsilon).rsqrt_()

    def _take_weights(self, places: int) -> None:
        """The model's weights as they are now, in the form that steps read."""
        inner, root = self.model.model, self.model.config.hidden_size**0.5
        norm = lambda weight, module: weight * (root * module.weight)
        self.blocks = []
        for layer in inner.layers:
            at, mlp = layer.self_attn, layer.mlp
            query, key = (side_by_side(one.weight, self.size) for one in (at.q_proj, at.k_proj))
            attend = torch.cat([query * self.size**-0.5, key, at.v_proj.weight])
            widen = torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight])
            attend, widen = norm(attend, layer.input_layernorm), norm(widen, layer.post_attention_layernorm)
            self.blocks.append(Matrices(attend, at.o_proj.weight, widen, mlp.down_proj.weight))
        self.embedded, self.head = inner.embed_tokens.weight, norm(self.model.lm_head.weight, inner.norm)
        self.turns = turns(self.model, places)

    def _grow(self, room: int) -> None:
        """Room for more lines."""
        before = len(self.positions)
        larger = self.cache.new_empty(*self.cache.shape[:2], room, *self.cache.shape[3:])
        larger[:, :, :before, :, : self.column] = self.cache[..., : self.column, :]
        self.cache, more = larger, room - before
        self.positions = pad(self.positions, (0, more))
        self.bias = None if self.bias is None else pad(self.bias, (0, 0, 0, 0, 0, 0, 0, more))


def in_whole(count: int) -> int:
    """The next multiple of ROUND, for more than that."""
    return count if count <= ROUND else -(-count // ROUND) * ROUND


def computes(model: PreTrainedModel) -> bool:
    """Whether the steps of `LlamaDecoder` give what the model's own give, tried out on two short texts."""
    return agree(model, LlamaDecoder, GrowingDecoder)
