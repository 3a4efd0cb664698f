"""A process reward model: a network that gives every step of a completion a probability of being right.

A copy of the policy's network reads prompt and completion, and a linear head reads its last hidden state at the token
that ends a step (Uesato et al. 2022, arXiv:2211.14275; Lightman et al. 2023, arXiv:2305.20050). Before training the
head is 0 and every probability 1/2. A completion's score is the least of its steps' (Math-Shepherd, arXiv:2312.08935).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from ..run.errors import SpkitError
from .architecture import bare, forward, text_config
from .policy import Policy
from .steps import clipped_step
from .training import Example, SftConfig, adamw, epochs, learning_rate_factor, padded

ROWS_AT_ONCE = 256  # completions of a pass that scores


@dataclass(frozen=True)
class StepExample(Example):
    """A completion with the places of the tokens that end its steps, from 0, and what the steps are labelled: numbers
    from 0, wrong, to 1, right; none where it is only to be scored.
    """

    ends: list[int]
    labels: list[float]


class StepScorer(nn.Module):
    """A copy of a policy's network with a linear head."""

    def __init__(self, policy: Policy) -> None:
        super().__init__()
        self.network, self.pad = bare(policy.clone().model).base_model, policy.pad_id
        self.head = nn.Linear(text_config(policy.model.config).hidden_size, 1, device=policy.model.device)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self._tokens = 0

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.head.weight.device

    def taken(self) -> int:
        """Tokens read since it was asked last, threefold where it was trained on them."""
        tokens, self._tokens = self._tokens, 0
        return tokens

    def logits(self, examples: Sequence[StepExample]) -> Tensor:
        """Log-odds that a step is right, 1-D: those of all steps of the first example, then of the next."""
        ids, _ = padded(examples, self.pad)
        hidden = forward(self.network, input_ids=ids.to(self.device), use_cache=False).last_hidden_state
        rows = [row for row, example in enumerate(examples) for _ in example.ends]
        columns = [len(example.prompt) + end for example in examples for end in example.ends]
        return self.head(hidden[rows, columns].to(self.head.weight.dtype)).squeeze(-1)

    def loss(self, examples: Sequence[StepExample]) -> Tensor:
        """Mean cross-entropy of the labels over all steps (nats), a label between 0 and 1 being a probability."""
        labels = [label for example in examples for label in example.labels]
        return F.binary_cross_entropy_with_logits(self.logits(examples), torch.tensor(labels, device=self.device))

    def fit(
        self,
        examples: Sequence[StepExample],
        config: SftConfig,
        draw: torch.Generator,
        on_step: Callable[[int], None] = lambda steps: None,
    ) -> float:
        """Train network and head in place; returns the mean loss over the last tenth of the steps.

        Raises SpkitError if there is nothing to train on, and NotFinite if training diverges.
        """
        optimizer = adamw(self, config.learning_rate, config.weight_decay)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: learning_rate_factor(step, config))
        losses: list[float] = []
        for step, batch in zip(range(config.steps), epochs(examples, config.batch_size, draw)):
            optimizer.zero_grad(set_to_none=True)
            loss = self.loss(batch)
            loss.backward()
            losses += clipped_step(optimizer, [loss], config.clip, step + 1)[0]
            schedule.step()
            self._tokens += 3 * sum(len(example.prompt) + len(example.completion) for example in batch)
            on_step(1)
        last = losses[-max(1, config.steps // 10) :]
        return sum(last) / len(last)

    @torch.no_grad()
    def step_chances(self, examples: Sequence[StepExample]) -> list[list[float]]:
        """Of every example the probability that each of its steps is right. One that comes twice is read once."""
        keys = [(tuple(example.prompt), tuple(example.completion)) for example in examples]
        distinct = dict(zip(keys, examples))
        order = sorted(distinct, key=lambda key: len(key[0]) + len(key[1]))
        found: dict[tuple, list[float]] = {}
        for start in range(0, len(order), ROWS_AT_ONCE):
            part = order[start : start + ROWS_AT_ONCE]
            counts = [len(distinct[key].ends) for key in part]
            chances = self.logits([distinct[key] for key in part]).sigmoid().split(counts)
            found |= {key: own.tolist() for key, own in zip(part, chances)}
            self._tokens += sum(len(prompt) + len(completion) for prompt, completion in part)
        return [found[key] for key in keys]

    def state(self) -> dict[str, Tensor]:
        """What training changes, for `restore`."""
        return {name: value.detach().clone() for name, value in self.named_parameters() if value.requires_grad}

    def restore(self, state: dict[str, Tensor]) -> "StepScorer":
        """Take a state over. Raises SpkitError if it is that of another network."""
        own = dict(self.named_parameters())
        if set(state) != set(self.state()) or any(own[name].shape != value.shape for name, value in state.items()):
            raise SpkitError("this is not the state of a learned verifier with this network: start the run again")
        self.load_state_dict(state, strict=False)
        return self


def step_ends(tokenizer: PreTrainedTokenizerBase, token_ids: Sequence[int], separator: str) -> list[int]:
    """Places of the tokens that end a step: those with the separator, and the last one, which ends the answer."""
    counts = {token: tokenizer.decode([token]).count(separator) for token in set(token_ids)}
    inside = [place for place, token in enumerate(token_ids) for _ in range(counts[token])]
    return [*inside, len(token_ids) - 1]
