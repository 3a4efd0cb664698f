"""A tiny Llama read by our own code, with gradients: the logits of transformers' forward pass, up to rounding.

Of an update of a model of some hundred thousand weights, products with weights are a third; the rest is attention,
norms, gates and positions, each computed by transformers in many passes over numbers that are few. Here

- queries, keys and values are one product;
- attention is two products a pass over all texts and heads, those of a group as queries of one (for texts as short as
  these that is twice as fast as the fused kernel, which is made for long ones);
- padding is computed in attention alone, and the end of the last layer where a token is asked for alone;
- the two numbers that a rotary position turns stand side by side, as one complex number (rows of the query and key
  weights are put in that order, which changes no product of a query and a key);
- norms, gates and attention know their own gradients.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import embedding, pad, silu
from transformers import LlamaForCausalLM

from .architecture import large
from .cpu_linear import linear

HOOKS = ("_forward_hooks", "_forward_pre_hooks")
WHOLE = 64  # tokens are computed in multiples of it, as a product of a new shape is slow once
SHORT_TEXT = 128  # tokens of a text, up to which attention is faster here


def plain_llama(model: nn.Module) -> bool:
    """Whether the model is a tiny Llama in float32 on a CPU, of nothing but what is computed here, and nobody listens
    to its parts.
    """
    if type(model) is not LlamaForCausalLM or model.device.type != "cpu" or large(model):
        return False
    config, rotary = model.config, model.model.rotary_emb
    if config.hidden_act != "silu" or rotary.rope_type != "default" or rotary.attention_scaling != 1:
        return False
    if config._attn_implementation not in ("sdpa", "eager") or model.training or torch.is_autocast_enabled("cpu"):
        return False
    for module in model.modules():
        if any(getattr(module, kind) for kind in HOOKS) or getattr(module, "bias", None) is not None:
            return False
        if type(module) is not nn.Linear and "forward" in vars(module):
            return False
    linear = [part for layer in model.model.layers for part in (*layer.self_attn.children(), *layer.mlp.children())]
    known = {type(part) for part in linear} <= {nn.Linear, type(model.model.layers[0].mlp.act_fn)}
    return known and all(one.dtype == torch.float32 for one in model.parameters())


def side_by_side(weight: Tensor, size: int) -> Tensor:
    """The rows (heads x head size) of a query or key matrix, such that what turns together stands together."""
    return weight.view(-1, 2, size // 2, weight.shape[1]).transpose(1, 2).reshape(weight.shape)


def turns(model: LlamaForCausalLM, places: int) -> Tensor:
    """By what each position turns (places, head size / 2): complex numbers of length 1."""
    angles = torch.arange(places)[:, None] * model.model.rotary_emb.inv_freq
    return torch.polar(torch.ones_like(angles), angles)


def logits_at(model: LlamaForCausalLM, ids: Tensor, wanted: Tensor) -> Tensor:
    """Logits (positions, vocabulary) of a `plain_llama` at the positions `wanted` (rows, tokens) of `ids` (rows,
    tokens), which is bool. What stands after the last of them in a row is not computed.
    """
    (rows, width), config = ids.shape, model.config
    size, kinds = config.head_dim, config.num_key_value_heads
    read = (wanted.flip(1).cumsum(1) > 0).flip(1).flatten().nonzero().squeeze(1)
    last = wanted.flatten()[read].nonzero().squeeze(1)
    tokens, count = len(read), len(last)
    read = pad(read, (0, WHOLE - tokens % WHOLE))  # tokens that nothing comes of
    last = pad(last, (0, -count % WHOLE), value=tokens)
    places = Places(rows, width, tokens, read, turns(model, width)[read % width, None])
    table, layers = model.model.embed_tokens, model.model.layers
    x = embedding(ids.flatten()[read], table.weight, table.padding_idx)
    for layer in layers:
        at, mlp = layer.self_attn, layer.mlp
        ordered = (side_by_side(one.weight, size) for one in (at.q_proj, at.k_proj))
        both = linear(_normed(layer.input_layernorm, x), torch.cat([*ordered, at.v_proj.weight]))
        out = _Attention.apply(both.view(len(read), config.num_attention_heads + 2 * kinds, size), places, kinds)
        if layer is layers[-1]:
            x, out = x[last], out[last]
        x = x + linear(out, at.o_proj.weight)
        normed = _normed(layer.post_attention_layernorm, x)
        gate, through = (linear(normed, one.weight) for one in (mlp.gate_proj, mlp.up_proj))
        x = x + linear(_Gate.apply(gate, through), mlp.down_proj.weight)
    return linear(_normed(model.model.norm, x), model.lm_head.weight)[:count]


class Places(NamedTuple):
    """Where tokens stand, of which the first `tokens` count: in texts `rows` of `width`, at these indices of them all,
    and by what each turns (n, 1, head size / 2).
    """

    rows: int
    width: int
    tokens: int
    read: Tensor
    turn: Tensor

    def spread(self, each: Tensor) -> Tensor:
        """(n, ...) to (rows, width, ...), 0 elsewhere."""
        texts = each.new_zeros(self.rows * self.width, *each.shape[1:])
        texts.index_copy_(0, self.read[: self.tokens], each[: self.tokens])
        return texts.view(self.rows, self.width, *each.shape[1:])

    def taken(self, texts: Tensor) -> Tensor:
        """(rows, width, ...) to (n, ...), 0 for what does not count."""
        each = texts.reshape(self.rows * self.width, *texts.shape[2:])[self.read]
        each[self.tokens :] = 0
        return each


def _normed(norm: nn.Module, x: Tensor) -> Tensor:
    return _Norm.apply(x, norm.weight, norm.variance_epsilon)


class _Norm(torch.autograd.Function):
    """Rows (n, hidden) divided by the root of their mean square, times a scale (hidden,)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, epsilon: float) -> Tensor:
        size = x.shape[1]
        factor = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_().div_(size).add_(epsilon).rsqrt_()
        normed = x * factor
        ctx.save_for_backward(normed, factor, scale)
        return normed * scale

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        normed, factor, scale = ctx.saved_tensors
        along = gradient * normed
        share = (along @ scale).div_(len(scale))[:, None]
        return (gradient * scale).addcmul_(normed, share, value=-1).mul_(factor), along.sum(0), None


class _Gate(torch.autograd.Function):
    """silu of the first (n, inner), times the second."""

    @staticmethod
    def forward(ctx: Any, gate: Tensor, through: Tensor) -> Tensor:
        opened = silu(gate)
        ctx.save_for_backward(gate, through, opened)
        return opened * through

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        gate, through, opened = ctx.saved_tensors
        return torch.ops.aten.silu_backward(gradient * through, gate), gradient * opened


class _Attention(torch.autograd.Function):
    """Causal attention: `both` (tokens, heads + 2 kv heads, head size), queries, keys and values that are not yet
    turned, to (tokens, heads x head size).
    """

    @staticmethod
    def forward(ctx: Any, both: Tensor, places: Places, kinds: int) -> Tensor:
        _, count, size = both.shape
        heads, (rows, width) = count - 2 * kinds, places[:2]
        group = heads // kinds
        turned = torch.view_as_complex(both[:, : heads + kinds].view(len(both), heads + kinds, -1, 2)) * places.turn
        turned = torch.cat([torch.view_as_real(turned).flatten(-2), both[:, heads + kinds :]], 1)
        texts = places.spread(turned).transpose(1, 2)
        query = texts[:, :heads].reshape(rows * kinds, group * width, size)
        key, value = (part.reshape(rows * kinds, width, size) for part in texts[:, heads:].split(kinds, 1))
        hidden = query.new_full((width, width), -torch.inf).triu_(1).repeat(group, 1)
        share = torch.baddbmm(hidden, query, key.mT, alpha=size**-0.5).softmax(-1)
        ctx.save_for_backward(query, key, value, share)
        ctx.places, ctx.shape = places, (rows, heads, width, size)
        return places.taken(torch.bmm(share, value).view(ctx.shape).transpose(1, 2)).flatten(1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (query, key, value, share), places = ctx.saved_tensors, ctx.places
        rows, heads, width, size = ctx.shape
        gradient = places.spread(gradient.view(-1, heads, size)).transpose(1, 2).reshape(query.shape)
        of_scores = torch.ops.aten._softmax_backward_data(torch.bmm(gradient, value.mT), share, -1, share.dtype)
        of_scores.mul_(size**-0.5)
        products = ((of_scores, key), (of_scores.mT, query), (share.mT, gradient))
        texts = torch.cat([torch.bmm(*pair).view(rows, -1, width, size) for pair in products], 1)
        result = places.taken(texts.transpose(1, 2))
        count = result.shape[1] - key.shape[0] // rows
        turned = torch.view_as_complex(result[:, :count].view(len(result), count, -1, 2))
        turned.mul_(places.turn.conj())
        return result, None, None
