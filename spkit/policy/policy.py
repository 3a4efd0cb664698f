"""A language model that plays: sampling, log-probabilities, supervised updates."""

import copy
import json
import math
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ..run.errors import NotFinite, SpkitError
from .architecture import longest_text, text_config
from .checkpoints import SETTINGS, load_model, no_bars
from .cpu_linear import by_onednn
from .decoder_choice import Sampler, Told, must_reread, rows_at_once, static_decoder, takes_static
from .engine import Engine
from .prompting import Prompting, as_data
from .rereading import RereadingDecoder
from .rollouts import Rollouts
from .row_budget import RowBudget, by_length
from .sampling import Decoder, GrowingDecoder, SamplingPlan, generate
from .shared_prefix import SHARED_FROM, Prefix, SharedPrefixDecoder, common_beginning, shares_prefix
from .static_cache import StaticDecoder
from .steps import STEP_ADVICE
from .stopping import Repetition, StopText
from .training import Example, SftConfig, completion_values, pieces, sft, token_logprobs, tokens_at_once


@dataclass
class Policy:
    """A causal language model, its tokenizer, and the form in which it is shown prompts.

    Dropout stays off: what is sampled, scored and trained is one distribution. `sampler` is `auto`, `growing` or
    `static` (see `decoder_choice`). Where memory runs out, fewer rows are computed at once, which changes no
    result; `budget` remembers how many fit, for clones too. `origin` says where a fetched model is from.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    prompting: Prompting = field(default_factory=Prompting)
    sampler: Sampler = "auto"
    budget: RowBudget = field(default_factory=RowBudget, repr=False, compare=False)
    origin: str = field(default="", repr=False, compare=False)
    engine: Engine | None = field(default=None, repr=False, compare=False)  # what trains it; None: our own code
    rereads: bool | None = field(default=None, repr=False, compare=False)  # without a cache; None: not known yet
    shares: bool | None = field(default=None, repr=False, compare=False)  # a prefix among lines; None: not known yet
    _static: StaticDecoder | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.model.eval()

    def prompted(self, prompting: Prompting) -> "Policy":
        """The same weights, shown prompts in another form."""
        return replace(self, prompting=prompting)

    @cached_property
    def stop_ids(self) -> frozenset[int]:
        """The tokens that end a completion: those of the prompting, and those that the model's own settings name (a
        chat has its end of turn).
        """
        named = self.model.generation_config.eos_token_id
        return (self.prompting.stop_ids(self.tokenizer) | frozenset(named if isinstance(named, list) else {named})) - {
            None
        }

    @cached_property
    def stop_text(self) -> StopText | None:
        """What ends a completion as text, whatever tokens write it, if anything does."""
        text = self.prompting.stop_text(self.tokenizer)
        return StopText(self.tokenizer, text) if text else None

    @property
    def pad_id(self) -> int:
        """What fills rows up; no position attends to it."""
        pad = self.tokenizer.pad_token_id
        return self.tokenizer.eos_token_id if pad is None else pad

    def tokens_for(self, characters: int, per_token: float = 1) -> int:
        """How many new tokens let the model write so many characters, and what ends them.

        `per_token` is how many characters a token has at least, on the average of such a text: 1 in sums, where every
        digit is a token, 2 or more in prose. A character tokenizer needs one each.
        """
        spelled = len(self.tokenizer) < 256
        return math.ceil(characters / (1 if spelled else per_token)) + len(self.prompting.end_ids(self.tokenizer))

    @property
    def context(self) -> int:
        """The longest text the model reads, in tokens."""
        return longest_text(self.model.config, self.tokenizer)

    def prompt_ids(self, prompt: str) -> list[int]:
        """Token ids of a prompt.

        Raises SpkitError if it is empty, too long, or has a character the tokenizer does not know.
        """
        ids = self.prompting.show(self.tokenizer, prompt)
        if not prompt or not ids:
            raise SpkitError("the prompt is empty: give the policy at least one token to start from")
        if len(ids) >= self.context:
            raise SpkitError(
                f"the prompt has {len(ids)} tokens and the model reads {self.context} at most, its "
                "completion included: shorten it"
            )
        self._check_known(ids, prompt)
        return ids

    def completion_ids(self, text: str, finished: bool = True) -> list[int]:
        """Token ids of a completion, with exactly one end if `finished` and none if it was cut off."""
        ids = self.prompting.completion_ids(self.tokenizer, text, finished)
        self._check_known(ids, text)
        return ids

    def _check_known(self, ids: list[int], text: str) -> None:
        known = text_config(self.model.config).vocab_size
        if max(ids, default=0) >= known:
            raise SpkitError(
                f"the tokenizer has tokens that the model has not (it knows {known}): take the tokenizer of this model"
            )
        named = (
            self.tokenizer.eos_token_id,
            self.tokenizer.bos_token_id,
            self.tokenizer.pad_token_id,
        )  # byte-level ones know every character
        if self.tokenizer.unk_token_id not in (None, *named) and self.tokenizer.unk_token_id in ids:
            known = set(self.tokenizer.get_vocab())
            strange = next((character for character in text if character not in known), "?")
            raise SpkitError(
                f"the tokenizer of this model does not know {strange!r} (in {text[:60]!r}): use the "
                "characters of its task"
            )

    def sample(
        self,
        prompts: Sequence[str],
        n: int = 1,
        *,
        temperature: float = 1.0,
        max_new_tokens: int,
        generator: torch.Generator | None = None,
        on_rows: Callable[[int], None] = lambda count: None,
    ) -> Rollouts:
        """n completions of each prompt; temperature 0 is greedy and needs no generator.

        Row r's randomness is the r-th row of one (rows, max_new_tokens) draw from `generator`, so it does not depend on
        batches or on which rows finish first. A completion that meets the end of the context, or `max_new_tokens`, or
        is cut because it repeats itself (`stopping.Repetition`, for other than plain prompting), is not `finished`.
        Raises SpkitError for a negative temperature, n or max_new_tokens below 1, a prompt `prompt_ids` refuses, or one
        row that memory does not hold.
        """
        if temperature < 0 or n < 1 or max_new_tokens < 1:
            raise SpkitError("sample needs temperature >= 0, n >= 1 and max_new_tokens >= 1")
        if temperature > 0 and generator is None:
            raise SpkitError(
                "sampling at a temperature above 0 needs a torch.Generator, so that the result can be repeated"
            )
        encoded = {prompt: self.prompt_ids(prompt) for prompt in dict.fromkeys(prompts)}
        row_prompts = [prompt for prompt in prompts for _ in range(n)]
        shape = (len(row_prompts), max_new_tokens)
        uniform = torch.rand(shape, generator=generator) if temperature > 0 else torch.zeros(shape)
        done: list[tuple[list[int], Tensor] | None] = [None] * len(row_prompts)
        lengths = [len(encoded[prompt]) for prompt in row_prompts]
        prefix = self._prefix(list(encoded.values()), len(row_prompts))
        own = max(lengths, default=1) - (0 if prefix is None else len(prefix))
        kept = 0 if self._static is None else self._static.nbytes
        at_once = rows_at_once(self.model, own, max_new_tokens, self.budget, kept)
        told = Told(on_rows)
        given = (row_prompts, encoded, prefix, uniform, temperature, told, done)
        compute = lambda part: self._sample_batch(part, *given)
        for batch in reversed(by_length(lengths, at_once)):  # the longest first: their room is enough for the others
            with by_onednn(self.model):
                self.budget.run_in_chunks("sampling", batch, compute)
        return self.as_rollouts(row_prompts, done)

    def _sample_batch(self, batch, row_prompts, encoded, prefix, uniform, temperature, told, done) -> None:
        told.begin(sum(row is not None for row in done))
        distinct = list(dict.fromkeys(row_prompts[r] for r in batch))
        index = {prompt: i for i, prompt in enumerate(distinct)}
        room = self.context - max(len(encoded[prompt]) for prompt in distinct)
        limit = min(uniform.shape[1], room)
        repetition = None if self.prompting.kind == "plain" else Repetition()
        plan = SamplingPlan(temperature, limit, self.stop_ids, self.pad_id, self.stop_text, repetition)
        rows = torch.tensor([index[row_prompts[r]] for r in batch])
        noise = uniform[batch, :limit].to(self.model.device)
        decoder, ids = self.decoder(prefix), [encoded[prompt] for prompt in distinct]
        tokens, logprobs, lengths = generate(decoder, ids, rows, noise, plan, told)
        for r, written, scores, length in zip(batch, tokens.tolist(), logprobs.cpu(), lengths.tolist()):
            done[r] = (written[:length], scores[:length].clone())

    def _prefix(self, prompts: list[list[int]], rows: int) -> Prefix | None:
        """What the prompts begin with, if it is worth sharing and the model can.

        None of plain prompts: what is before them in the other forms, they have not.
        """
        shared = [] if self.prompting.kind == "plain" or rows < 2 else common_beginning(prompts)
        if len(shared) < SHARED_FROM or takes_static(self.model, self.sampler):
            return None
        self.shares = shares_prefix(self.model) if self.shares is None else self.shares
        return Prefix(shared) if self.shares else None

    def decoder(self, prefix: Prefix | None = None) -> Decoder:
        """What computes the steps of a batch of prompts with this beginning; a static one stays, with its graphs."""
        if prefix is not None:
            return SharedPrefixDecoder(self.model, prefix)
        if not takes_static(self.model, self.sampler):
            if self.rereads is None:
                self.rereads = must_reread(self.model)
            return RereadingDecoder(self.model) if self.rereads else GrowingDecoder(self.model)
        if self._static is None or self._static.model is not self.model:
            self._static = static_decoder(self.model, self.budget)
        return self._static

    def as_rollouts(self, prompts: list[str], done: Sequence[tuple[list[int], Tensor]]) -> Rollouts:
        """Rollouts of the token ids and log-probabilities that were written. Raises NotFinite for no numbers."""
        sums = torch.stack([scores.sum() for _, scores in done]) if done else torch.zeros(0)
        if not sums.isfinite().all():
            raise NotFinite(f"the policy's logits are NaN or infinite, so it cannot be sampled from: {STEP_ADVICE}")
        finished, stop = [self.ends(ids) for ids, _ in done], self.stop_text.text if self.stop_text else ""
        texts = [self.prompting.text(self.tokenizer, ids, end, stop) for (ids, _), end in zip(done, finished)]
        return Rollouts(prompts, [ids for ids, _ in done], texts, [scores for _, scores in done], sums, finished)

    def ends(self, ids: Sequence[int]) -> bool:
        """Whether a completion of these tokens is finished: the last of them ends it."""
        return ids[-1] in self.stop_ids or (self.stop_text is not None and self.stop_text.ends(ids))

    def logprobs(
        self, prompts: Sequence[str], completions: Sequence[list[int]], rows_per_batch: int = 256, shared: bool = False
    ) -> list[Tensor]:
        """Log-probability of every completion token (nats, float32), one 1-D tensor a row; `shared` computes what texts
        begin with alike once.
        """
        return self.per_token(token_logprobs, prompts, completions, rows_per_batch, shared)

    @torch.no_grad()
    def per_token(
        self,
        measure: Callable[[Tensor, Tensor], Tensor],
        prompts: Sequence[str],
        completions: Sequence[list[int]],
        rows_per_batch: int = 256,
        shared: bool = False,
    ) -> list[Tensor]:
        """`measure` of the next-token distribution at every completion token, one 1-D tensor a row;
        completions are token ids.

        It maps float32 logits (..., vocabulary), those a token was predicted from, and the tokens (...) to one number a
        token; what it says of prompt and padding is dropped.
        """
        examples = [Example(self.prompt_ids(prompt), ids) for prompt, ids in zip(prompts, completions, strict=True)]
        result: list[Tensor | None] = [None] * len(examples)

        def score(batch: Sequence[int]) -> None:
            given = (self.model, [examples[r] for r in batch], self.pad_id, measure)
            (values,), mask = completion_values(*given, shared=shared)
            for r, row, counted in zip(batch, values.cpu(), mask.cpu()):
                result[r] = row[counted]

        most = None if shared else tokens_at_once(self.model)
        lengths = [len(e.prompt) + len(e.completion) for e in examples]
        for batch in by_length(lengths, rows_per_batch) if most is None else pieces(lengths, rows_per_batch, most):
            with by_onednn(self.model):
                self.budget.run_in_chunks("scoring", batch, score)
        return result

    def fit(
        self,
        pairs: Sequence[tuple[str, list[int]]],
        config: SftConfig,
        generator: torch.Generator,
        on_step: Callable[[int, float], None] = lambda step, loss: None,
    ) -> dict[str, float]:
        """Fine-tune in place on (prompt, completion ids), loss on the completion only.

        Returns plain numbers; see `sft`.
        """
        examples = [Example(self.prompt_ids(prompt), list(ids)) for prompt, ids in pairs]
        if self.engine is not None:
            return self.engine.fit(self, examples, config, generator, on_step)
        return sft(self.model, examples, config, self.pad_id, generator, on_step, self.budget)

    def fingerprint(self) -> str:
        """Eight hexadecimal digits that change when a weight or the prompting does."""
        return self._stamped(checksum(self.model.parameters()))

    def _stamped(self, weights: int) -> str:
        settings = b"" if self.prompting == Prompting() else json.dumps(as_data(self.prompting)).encode()
        return f"{zlib.crc32(settings, weights):08x}"

    def clone(self) -> "Policy":
        """An independent copy of the weights; the tokenizer is shared."""
        return replace(self, model=copy.deepcopy(self.model))

    def save(self, folder: str | Path) -> None:
        """Write a Hugging Face checkpoint folder."""
        with no_bars():
            self.model.save_pretrained(folder)
        self._save_settings(Path(folder), {})

    def _save_settings(self, folder: Path, origin: dict[str, Any]) -> None:
        self.tokenizer.save_pretrained(folder)
        (folder / SETTINGS).write_text(
            json.dumps({**origin, "prompting": as_data(self.prompting)}, indent=1) + "\n", encoding="utf-8"
        )

    def restored(self, folder: str | Path) -> "Policy":
        """The policy that one made from this base saved there. Raises SpkitError if it is missing or damaged."""
        return replace(self, model=load_model(folder, self.model))


def checksum(tensors: Iterable[Tensor], start: int = 0) -> int:
    """CRC-32 of the bytes of tensors, in order."""
    for tensor in tensors:
        start = zlib.crc32(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes(), start)
    return start
