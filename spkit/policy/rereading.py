"""Sampling without a cache, for models whose cache is of their own kind (RWKV, MiniMax) or missing (GPT-1).

Each step reads the whole text again, padded on the right as for scoring, so it is right for whatever reads forward
only. It is slow: the work of a step grows with the text.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from .architecture import forward, same_logits, takes, text_config
from .row_budget import is_out_of_memory
from .sampling import Decoder, GrowingDecoder, pad_left, plain_layers

TOKENS_AT_ONCE = 2048
TEXTS = (range(3, 12), (5, 2))  # that a cache is tried out on


class RereadingDecoder:
    """Steps that read the text so far again (see `sampling.Decoder`)."""

    branches = False

    def __init__(self, model: nn.Module) -> None:
        self.model = model

    def start(self, ids: Tensor, mask: Tensor, rows: Tensor, new_tokens: int) -> Tensor:
        """See `sampling.Decoder`."""
        lengths, width = mask.sum(1), ids.shape[1]
        columns = (torch.arange(width, device=ids.device) + (width - lengths)[:, None]) % width
        self.ids, self.lengths = ids.gather(1, columns)[rows], lengths[rows]
        return self._read()

    def retires(self, left: int, lines: int) -> bool:
        """See `sampling.Decoder`: every line costs."""
        return left < lines

    def keep(self, lines: Tensor) -> None:
        """See `sampling.Decoder`."""
        self.ids, self.lengths = self.ids[lines], self.lengths[lines]

    def step(self, chosen: Tensor) -> Tensor:
        """See `sampling.Decoder`."""
        self.ids = torch.cat([self.ids, self.ids[:, :1]], 1)
        self.ids.scatter_(1, self.lengths[:, None], chosen[:, None])
        self.lengths = self.lengths + 1
        return self._read()

    def _read(self) -> Tensor:
        self.ids = self.ids[:, : int(self.lengths.max())]
        at_once = max(1, TOKENS_AT_ONCE // self.ids.shape[1])
        parts = zip(self.ids.split(at_once), self.lengths.split(at_once))
        return torch.cat([self._last_logits(ids, lengths) for ids, lengths in parts])

    def _last_logits(self, ids: Tensor, lengths: Tensor) -> Tensor:
        logits = forward(self.model, input_ids=ids, use_cache=False).logits
        return logits[torch.arange(len(ids), device=ids.device), lengths - 1].float()


def cache_is_right(model: nn.Module) -> bool:
    """Whether steps over the cache give what reading again gives.

    Taken for granted where positions and a cache of keys and values can be given and every layer attends, as in most
    models; tried out on two short texts elsewhere.
    """
    kinds = getattr(text_config(model.config), "layers_block_type", ())  # up to 5.22 no cache heeds it
    attends = all(kind.endswith("attention") for kind in kinds)
    if attends and {"position_ids", "past_key_values"} <= takes(model) and plain_layers(model.config, sliding=True):
        return True
    return agree(model, GrowingDecoder, RereadingDecoder)


def agree(model: nn.Module, *decoders: Callable[[nn.Module], Decoder], texts: Sequence[Sequence[int]] = TEXTS) -> bool:
    """Whether the steps of two decoders of the model give the same logits, tried out on two texts; not if one fails."""
    try:
        found, expected = (tried(decoder(model), texts) for decoder in decoders)
    except Exception as error:
        if is_out_of_memory(error):
            raise
        return False
    return same_logits(model, found, expected)


@torch.inference_mode()
def tried(decoder: Decoder, texts: Sequence[Sequence[int]]) -> Tensor:
    """Logits of steps over two texts of different length, repeated and dropped on the way."""
    device, vocabulary = decoder.model.device, text_config(decoder.model.config).vocab_size
    texts = [[index % vocabulary for index in text] for text in texts]
    seen = [decoder.start(*pad_left(texts, 0, device), torch.tensor([1, 0, 1], device=device), 4)]
    seen.append(decoder.step(torch.tensor([3, 4, 5], device=device) % vocabulary))
    decoder.keep(torch.tensor([2, 1], device=device))
    seen += [decoder.step(torch.tensor([7, 4], device=device) % vocabulary) for _ in range(2)]
    return torch.cat([logits.clone() for logits in seen])
