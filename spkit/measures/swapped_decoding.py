"""Decoding with two policies in lock step: at some positions the token is the other policy's."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..maths.distances import exact_kl
from ..policy import Policy
from ..policy.cpu_linear import by_onednn
from ..policy.sampling import Decoder, SamplingPlan, generate
from ..policy.stopping import Repetition
from .token_pairs import PAIRS_AT_ONCE, check_same_tokens

Rule = Callable[["Place"], Tensor]  # where to take the other policy's token (lines,), bool


@dataclass(frozen=True)
class Place:
    """One position of several texts, before its token is written.

    `divergence` is KL(trained || base) (lines,), `differs` whether the most likely tokens are different ones (lines,),
    `rows` the number of the prompt that each line continues, `position` counts from 0.
    """

    divergence: Tensor
    differs: Tensor
    rows: Tensor
    position: int


@dataclass(frozen=True)
class SwappedText:
    """A completion that two policies wrote: its text and whether it `finished`; a value a token, what ended it
    included.

    `swapped` says where the other policy was asked; `differs` and `divergence` (nats) are those of `Place`.
    """

    token_ids: list[int]
    text: str
    finished: bool
    swapped: list[bool]
    differs: list[bool]
    divergence: list[float]

    @property
    def changes(self) -> int:
        """How often the token was another one than the writer likes best."""
        return sum(swapped and differs for swapped, differs in zip(self.swapped, self.differs))


class SwappingDecoder:
    """The steps of two decoders over the same text (see `policy.sampling.Decoder`), each with its own cache.

    Logits are the writer's; those of the other policy where `rule` says so. What was done is in `seen` (rows,
    positions, 3): divergence, differs, swapped.
    """

    branches = False

    def __init__(self, writer: Decoder, other: Decoder, rule: Rule, trained_writes: bool) -> None:
        self.model = writer.model
        self.decoders, self.rule, self.trained_writes = (writer, other), rule, trained_writes

    def start(self, ids: Tensor, mask: Tensor, rows: Tensor, new_tokens: int) -> Tensor:
        """See `sampling.Decoder`."""
        self.rows, self.position = torch.arange(len(rows), device=ids.device), 0
        self.seen = torch.zeros(len(rows), new_tokens, 3, device=ids.device)
        return self._mixed(*(decoder.start(ids, mask, rows, new_tokens) for decoder in self.decoders))

    def retires(self, left: int, lines: int) -> bool:
        """See `sampling.Decoder`."""
        return self.decoders[0].retires(left, lines)

    def keep(self, lines: Tensor) -> None:
        """See `sampling.Decoder`."""
        self.rows = self.rows[lines]
        for decoder in self.decoders:
            decoder.keep(lines)

    def step(self, chosen: Tensor) -> Tensor:
        """See `sampling.Decoder`."""
        self.position += 1
        return self._mixed(*(decoder.step(chosen) for decoder in self.decoders))

    def _mixed(self, ours: Tensor, theirs: Tensor) -> Tensor:
        divergence = exact_kl(ours, theirs) if self.trained_writes else exact_kl(theirs, ours)
        differs = ours.argmax(-1) != theirs.argmax(-1)
        swap = self.rule(Place(divergence, differs, self.rows, self.position))
        self.seen[self.rows, self.position] = torch.stack([divergence, differs.float(), swap.float()], -1)
        return torch.where(swap[:, None], theirs, ours)


def decode_swapped(
    writer: Policy,
    other: Policy,
    prompts: Sequence[str],
    rule: Rule,
    *,
    trained_writes: bool,
    max_new_tokens: int,
    temperature: float = 0.0,
    uniform: Tensor | None = None,
) -> list[SwappedText]:
    """One completion a prompt, written by `writer`, with tokens of `other` where `rule` says so.

    `trained_writes` says which of the two is the trained policy, for KL(trained || base). `uniform` (prompts,
    max_new_tokens) in [0, 1) is what each token is drawn with at a temperature above 0, whichever policy is asked.
    Every policy computes every token once, with its cache: twice the cost of sampling. Raises SpkitError if the
    policies do not read the same tokens.
    """
    check_same_tokens(writer, other)
    other = replace(other) if other is writer else other  # a policy's static decoder has one cache
    ids = [writer.prompt_ids(prompt) for prompt in prompts]
    order = sorted(range(len(ids)), key=lambda r: len(ids[r]))
    uniform = torch.zeros(len(ids), max_new_tokens) if uniform is None else uniform
    done: list[SwappedText | None] = [None] * len(ids)
    repetition = lambda: None if writer.prompting.kind == "plain" else Repetition()

    def write(batch: Sequence[int]) -> None:
        limit = min(max_new_tokens, writer.context - max(len(ids[r]) for r in batch))
        plan = SamplingPlan(temperature, limit, writer.stop_ids, writer.pad_id, writer.stop_text, repetition())
        here = torch.tensor(batch, device=writer.model.device)
        of_rows = lambda place: rule(replace(place, rows=here[place.rows]))
        decoder = SwappingDecoder(writer.decoder(), other.decoder(), of_rows, trained_writes)
        noise = uniform[batch, :limit].to(writer.model.device)
        tokens, _, lengths = generate(decoder, [ids[r] for r in batch], torch.arange(len(batch)), noise, plan)
        for r, row, length, seen in zip(batch, tokens.tolist(), lengths.tolist(), decoder.seen.cpu()):
            done[r] = _text(writer, row[:length], seen[:length])

    for start in range(0, len(order), PAIRS_AT_ONCE):
        with by_onednn(writer.model), by_onednn(other.model):
            writer.budget.run_in_chunks("sampling", order[start : start + PAIRS_AT_ONCE], write)
    return done


def _text(writer: Policy, ids: list[int], seen: Tensor) -> SwappedText:
    stop = writer.stop_text
    finished = ids[-1] in writer.stop_ids or (stop is not None and stop.ends(ids))
    text = writer.prompting.text(writer.tokenizer, ids, finished, stop.text if stop else "")
    divergence, differs, swapped = seen.unbind(-1)
    return SwappedText(ids, text, finished, swapped.bool().tolist(), differs.bool().tolist(), divergence.tolist())
