"""The check of the exercise of notebook 03 in which the reader takes SPIN's step from logits: loss and gradient.

Both are computed here in closed form, in NumPy and float64 (arXiv:2401.01335, equation 4.7, which sums over the tokens
of a reply and has a frozen opponent).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .checking import Answer, Mistake, attempted, compare


class SpinBatch(NamedTuple):
    """A batch as `spin_step` gets it; [0] is the real side and [1] the generated one."""

    policy: Tensor  # logits (2, rows, tokens, vocabulary)
    opponent: Tensor  # the same, of the opponent
    ids: Tensor  # token ids (2, rows, tokens)
    prompts: Tensor  # tokens of the prompt (rows,)
    lengths: Tensor  # tokens of prompt and reply, end token included (2, rows)
    beta: float


def _batch(seed: int, rows: int, tokens: int, beta: float, *, same: bool = False) -> SpinBatch:
    """Random logits and texts; with `same` policy and opponent are one tensor, as at the start of an iteration."""
    rng = np.random.default_rng(seed)
    policy = rng.normal(0, 1.5, size=(2, rows, tokens, 5))
    opponent = policy + rng.normal(0, 0.6, size=policy.shape)
    ids, prompts = rng.integers(0, 5, size=(2, rows, tokens)), rng.integers(2, 4, size=rows)
    lengths = np.stack([rng.permuted(np.arange(tokens - rows, tokens) + 1 - side) for side in (0, 1)])
    for row in range(rows):
        start = prompts[row]
        ids[1, row, :start] = ids[0, row, :start]
        for logits in (policy, opponent):  # nothing before the last token of the prompt depends on the reply
            logits[1, row, :start] = logits[0, row, :start]
        for side in (0, 1):
            ids[side, row, lengths[side, row] :] = 0
    here = torch.tensor(policy, requires_grad=True)
    there = here if same else torch.tensor(opponent, requires_grad=True)
    return SpinBatch(here, there, *(torch.tensor(x) for x in (ids, prompts, lengths)), beta)


def _log_softmax(x: np.ndarray) -> np.ndarray:
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


@dataclass(frozen=True)
class SpinParts:
    """SPIN's step, and what a reader may write in place of each of its parts.

    The token at place t is predicted at place t - `shift`; tokens from `first` behind the prompt's end to `last` behind
    the text's end count.
    """

    shift: int = 1
    first: int = 0
    last: int = 0
    whole_prompt: bool = False
    padding: bool = False
    mean: bool = False
    everything: bool = False  # a mean over all places
    opponent: float = 1.0
    frozen: bool = True
    sides: tuple[float, float] = (1.0, -1.0)
    inside: bool = True  # beta is in the sigmoid
    beta: bool = True
    rows_sum: bool = False
    sign: float = 1.0
    descends: float = 1.0  # of the gradient alone
    of_generated: bool = False  # both lengths are the generated side's

    def step(self, policy, opponent, ids, prompts, lengths, beta) -> tuple[float, np.ndarray]:
        """The loss, and its gradient by the policy's logits, (2, rows, tokens, vocabulary)."""
        z, there = policy.detach().numpy(), opponent.detach().numpy()
        log_p, log_q = _log_softmax(z), _log_softmax(there)
        weight, gradient = self._weights(ids.numpy(), prompts.numpy(), lengths.numpy()), np.zeros_like(z)
        picked, margin = np.eye(z.shape[-1])[ids.numpy()], np.zeros(z.shape[1])
        places = np.arange(z.shape[2] - self.shift)
        at, token = places, places + self.shift
        for side, sign in enumerate(self.sides):
            chosen = picked[side][:, token] * weight[side][:, token, None]
            margin += sign * ((log_p[side] - self.opponent * log_q[side])[:, at] * chosen).sum((1, 2))
            own = chosen - np.exp(log_p[side][:, at]) * weight[side][:, token, None]
            lost = chosen - np.exp(log_q[side][:, at]) * weight[side][:, token, None]
            gradient[side][:, at] = sign * (own - (0 if self.frozen or policy is not opponent else lost))
        scale, times = (beta if self.beta and self.inside else 1.0), (beta if self.beta and not self.inside else 1.0)
        count = 1 if self.rows_sum else len(margin)
        loss = np.logaddexp(0, -scale * margin).sum() / count * times
        slope = -scale * times / (1 + np.exp(scale * margin)) / count
        return self.sign * loss, self.sign * self.descends * slope[:, None, None] * gradient

    def _weights(self, ids: np.ndarray, prompts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """How much each token counts, (2, rows, tokens)."""
        place = np.arange(ids.shape[2])
        lengths = lengths[[1, 1]] if self.of_generated else lengths
        start = np.array(1) if self.whole_prompt else prompts[:, None] + self.first
        end = np.full_like(lengths, place.size)[..., None] if self.padding else lengths[..., None] + self.last
        weight = ((place >= start) & (place < end)).astype(float)
        if self.everything:
            return weight / place[1:].size
        return weight / weight.sum(2, keepdims=True) if self.mean else weight


RIGHT_SPIN = SpinParts()
SPIN_STEP_MISTAKES = {
    "there is no shift: the logits at place t say what comes at t + 1, and are read for t here.": (
        replace(RIGHT_SPIN, shift=0)
    ),
    "this shifts by two.": replace(RIGHT_SPIN, shift=2),
    (
        "the first token of each reply is lost: the logits at the prompt's *last* token predict it, and a mask that "
        "is shifted twice takes them away."
    ): replace(RIGHT_SPIN, first=1),
    "the prompt's last token is counted: the mask is not shifted with the logits.": replace(RIGHT_SPIN, first=-1),
    (
        "the end token is lost: the last token of a reply is the policy's own, and counts. (SPIN's official code gives "
        "end tokens the attention mask 0; read, not run.)"
    ): replace(RIGHT_SPIN, last=-1),
    "the mask is one place too early: it has the prompt's last token and not the end token.": (
        replace(RIGHT_SPIN, first=-1, last=-1)
    ),
    "the prompt is counted; it cancels in the loss, not in the gradient by logits.": (
        replace(RIGHT_SPIN, whole_prompt=True)
    ),
    "padding is counted.": replace(RIGHT_SPIN, padding=True),
    "nothing is masked: prompt and padding are counted.": replace(RIGHT_SPIN, whole_prompt=True, padding=True),
    "nothing is masked, and this is a mean over all places.": (
        replace(RIGHT_SPIN, whole_prompt=True, padding=True, everything=True)
    ),
    "this is the mean over a reply's tokens; the log-probability of a reply is the sum.": (
        replace(RIGHT_SPIN, mean=True)
    ),
    "both sides are masked with the generated replies' lengths.": replace(RIGHT_SPIN, of_generated=True),
    (
        "the opponent is not detached: where it is the policy's own tensor, as at the start of an iteration, the two "
        "gradients cancel and nothing moves. `.detach()` it, or compute it without gradient."
    ): replace(RIGHT_SPIN, frozen=False),
    "the opponent is missing; the margin is of log-ratios, policy over opponent.": replace(RIGHT_SPIN, opponent=0.0),
    "real and generated are exchanged.": replace(RIGHT_SPIN, sides=(-1.0, 1.0)),
    "the two log-ratios are added; the margin is real minus generated.": replace(RIGHT_SPIN, sides=(1.0, 1.0)),
    "the generated reply is missing; the margin is real minus generated.": replace(RIGHT_SPIN, sides=(1.0, 0.0)),
    "beta is forgotten.": replace(RIGHT_SPIN, beta=False),
    "beta multiplies the loss; it belongs inside the sigmoid, to the margin.": replace(RIGHT_SPIN, inside=False),
    "this is the sum over rows; the mean does not depend on the batch size.": replace(RIGHT_SPIN, rows_sum=True),
    "the sign is missing: a loss is to be made small, and this is log sigma.": replace(RIGHT_SPIN, sign=-1.0),
    "the gradient has the other sign; return that of the loss, and let the optimizer go down.": (
        replace(RIGHT_SPIN, descends=-1.0)
    ),
}


def _flat(step: Answer) -> Answer:
    """Loss and gradient in one row of numbers, and a sentence for what is not a loss with its gradient."""

    def value(*case) -> np.ndarray:
        batch = SpinBatch(*case)
        found = attempted("spin_step", step)(*batch)
        if not isinstance(found, tuple) or len(found) != 2:
            raise Mistake("spin_step: return the pair (loss, gradient).")
        loss, gradient = (one.detach().numpy() if isinstance(one, Tensor) else np.asarray(one) for one in found)
        if np.size(loss) != 1 or np.shape(gradient) != tuple(batch.policy.shape):
            raise Mistake(
                f"spin_step: the loss is one number and the gradient has the shape of the policy's logits, "
                f"{tuple(batch.policy.shape)}; yours are {np.shape(loss)} and {np.shape(gradient)}."
            )
        return np.append(gradient.ravel(), loss)

    return value


def _drawn(arguments: tuple, step: Answer) -> np.ndarray:
    *sizes, same = arguments
    return _flat(step)(*_batch(*sizes, same=same))


def check_spin_step(answer: Answer) -> None:
    """`answer(policy, opponent, ids, prompts, lengths, beta)`: the logistic SPIN loss of a batch, and its gradient by
    the policy's logits. Side 0 is real, 1 generated; fields as in `SpinBatch`.
    """
    over: Callable[[Answer], Answer] = lambda step: lambda *arguments: _drawn(arguments, step)
    known = {said: over(parts.step) for said, parts in SPIN_STEP_MISTAKES.items()}
    cases = [(0, 3, 11, 0.1, True), (1, 4, 12, 0.5, False), (2, 2, 9, 2.0, False)]
    compare("spin_step", over(answer), over(RIGHT_SPIN.step), known, cases)
