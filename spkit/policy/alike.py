"""Sampling where many rows write the same few texts: each distinct beginning is computed once, and told once.

A thousand games of Kuhn poker have twelve prompts and some thirty completions. Row by row, these are the texts that
`Policy.sample` draws with the same numbers.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .cpu_linear import by_onednn
from .decoder_choice import rows_at_once, takes_static
from .drawing import drawn
from .policy import Policy
from .rollouts import Rollouts
from .sampling import Decoder, GrowingDecoder, pad_left


class Beginning(NamedTuple):
    """What some rows have written so far: the number of their prompt, token ids, their log-probabilities."""

    prompt: int
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]


def sample_alike(policy: Policy, prompts: Sequence[str], rows: Tensor, uniform: Tensor) -> tuple[Rollouts, Tensor]:
    """The distinct completions at temperature 1, and which of them each row wrote (rows,).

    Row r continues `prompts[rows[r]]` with the numbers `uniform[r]` (rows, most new tokens), float32 in [0, 1). Raises
    SpkitError for a prompt that `Policy.prompt_ids` refuses, and NotFinite for logits that are no numbers.
    """
    encoded = [policy.prompt_ids(prompt) for prompt in prompts]
    done: list[Beginning] = []
    which = torch.zeros(len(rows), dtype=torch.long)

    def compute(part: range) -> None:
        here = ((rows >= part.start) & (rows < part.stop)).nonzero().squeeze(1)
        texts, own = _written(policy, encoded[part.start : part.stop], rows[here] - part.start, uniform[here])
        which[here] = own + len(done)
        done.extend(text._replace(prompt=text.prompt + part.start) for text in texts)

    at_once = rows_at_once(policy.model, max(map(len, encoded), default=1), uniform.shape[1], policy.budget, 0)
    with by_onednn(policy.model):
        policy.budget.run_in_chunks("sampling", range(len(prompts)), compute, at_once)
    written = [(list(text.token_ids), torch.tensor(text.logprobs)) for text in done]
    return policy.as_rollouts([prompts[text.prompt] for text in done], written), which


def spelling_logprobs(policy: Policy, prompts: Sequence[str], spellings: Sequence[Sequence[list[int]]]) -> list[Tensor]:
    """Log-probability (nats, float64) of each of the completions (token ids) `spellings[p]` after `prompts[p]`.

    What `Policy.logprobs` adds up to, with every prompt read once. Raises SpkitError for a prompt that
    `Policy.prompt_ids` refuses.
    """
    encoded = [policy.prompt_ids(prompt) for prompt in prompts]
    longest = max((len(ids) for some in spellings for ids in some), default=1)
    result: list[Tensor] = []

    def compute(part: range) -> None:
        chosen = [spellings[i] for i in part]
        scores = _spelled(policy, [encoded[i] for i in part], chosen, longest)
        result.extend(scores.split([len(some) for some in chosen]))

    at_once = rows_at_once(policy.model, max(map(len, encoded), default=1), longest, policy.budget, 0)
    most = max((len(some) for some in spellings), default=1)
    with by_onednn(policy.model):
        policy.budget.run_in_chunks("sampling", range(len(prompts)), compute, max(1, at_once // most))
    return result


@torch.inference_mode()
def _spelled(
    policy: Policy, prompts: list[list[int]], spellings: Sequence[Sequence[list[int]]], longest: int
) -> Tensor:
    decoder, device = _decoder(policy), policy.model.device
    written = [ids for some in spellings for ids in some]
    tokens = torch.tensor([[*ids, *[0] * (longest - len(ids))] for ids in written]).view(-1, longest)
    line = torch.repeat_interleave(torch.arange(len(prompts)), torch.tensor([len(some) for some in spellings]))
    lengths, scores = torch.tensor([len(ids) for ids in written]), torch.zeros(len(written), dtype=torch.float64)
    first = torch.arange(len(prompts), device=device)
    logits = decoder.start(*pad_left(prompts, policy.pad_id, device), first, longest)
    for place in range(longest):
        here = lengths > place
        logs = logits.log_softmax(-1).cpu()
        scores[here] += logs[line[here], tokens[here, place]].double()
        here = lengths > place + 1
        if not here.any():
            break
        keys, line[here] = (line[here] * logits.shape[-1] + tokens[here, place]).unique(return_inverse=True)
        decoder.keep((keys // logits.shape[-1]).to(device))
        logits = decoder.step((keys % logits.shape[-1]).to(device))
    return scores


@torch.inference_mode()
def _written(policy: Policy, prompts: list[list[int]], line: Tensor, uniform: Tensor) -> tuple[list[Beginning], Tensor]:
    decoder, device = _decoder(policy), policy.model.device
    begun, done = [Beginning(number, (), ()) for number in range(len(prompts))], []
    active, which = torch.arange(len(line)), torch.zeros(len(line), dtype=torch.long)
    first = torch.arange(len(prompts), device=device)
    logits = decoder.start(*pad_left(prompts, policy.pad_id, device), first, uniform.shape[1])
    for left in reversed(range(uniform.shape[1])):
        chosen, scores = (one.cpu() for one in drawn(logits[line], uniform[active, -1 - left].to(device), 1.0))
        keys, text = (line * logits.shape[-1] + chosen).unique(return_inverse=True)
        row = torch.zeros(len(keys), dtype=torch.long).scatter_(0, text, torch.arange(len(text)))  # one of its rows
        parents, tokens = line[row], chosen[row]
        grown = [
            Beginning(begun[parent].prompt, (*begun[parent].token_ids, token), (*begun[parent].logprobs, score))
            for parent, token, score in zip(parents.tolist(), tokens.tolist(), scores[row].tolist())
        ]
        ended = torch.tensor([left == 0 or policy.ends(one.token_ids) for one in grown])
        place = torch.where(ended, len(done) + ended.cumsum(0), (~ended).cumsum(0)) - 1
        which[active[ended[text]]] = place[text[ended[text]]]
        done += [one for one, over in zip(grown, ended.tolist()) if over]
        begun = [one for one, over in zip(grown, ended.tolist()) if not over]
        if not begun:
            break
        active, line = active[~ended[text]], place[text[~ended[text]]]
        decoder.keep(parents[~ended].to(device))
        logits = decoder.step(tokens[~ended].to(device))
    return done, which


def _decoder(policy: Policy) -> Decoder:
    """One whose lines may branch: a static one has room for as many as it began with."""
    return GrowingDecoder(policy.model) if takes_static(policy.model, policy.sampler) else policy.decoder()
