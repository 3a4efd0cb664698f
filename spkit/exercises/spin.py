"""Checks for the exercises of notebook 03 about losses, texts and logs; those about tables are in
`spkit.exercises.spin_tables`.

The reference arithmetic is carried here, in float64, so that a fault of the package's own loss
cannot hide in its exercise.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from .checking import Answer, compare

EOS = 1


def _log_probabilities(seed: int, rows: int, tokens: int) -> tuple[Tensor, ...]:
    """Of policy and opponent on real and generated rows, then the two masks: prompt, completion,
    padding (0 1 0) of random lengths.

    The prompt's log-probabilities are the same in both rows of a pair, as they are in a real batch.
    """
    rng = np.random.default_rng(seed)
    prompt = rng.integers(2, 4, size=rows)
    lengths = rng.permuted(np.arange(3, tokens - 3)[:rows]), rng.permuted(np.arange(2, tokens - 4)[:rows])
    place = np.arange(tokens)
    masks = [((place >= prompt[:, None]) & (place < (prompt + length)[:, None])).astype(float) for length in lengths]
    opponent = [-rng.exponential(1.5, size=(rows, tokens)) for _ in masks]
    policy = [np.minimum(table + rng.normal(0, 0.4, size=table.shape), 0) for table in opponent]
    for real, generated in (opponent, policy):
        generated[place < prompt[:, None]] = real[place < prompt[:, None]]
    return tuple(torch.from_numpy(x) for x in (*policy, *opponent, *masks))


def _spin_loss_summed(x: Tensor, mask: Tensor) -> Tensor:
    return (x * mask).sum(1)


def _spin_loss_loss(
    reduce: Callable[[Tensor, Tensor], Tensor] = _spin_loss_summed,
    end: Callable[[Tensor, float], Tensor] = lambda margin, beta: -logsigmoid(beta * margin).mean(),
    opponent: float = 1.0,
) -> Answer:
    def value(policy_real, policy_generated, opponent_real, opponent_generated, real_mask, generated_mask, beta):
        real = reduce(policy_real, real_mask) - opponent * reduce(opponent_real, real_mask)
        generated = reduce(policy_generated, generated_mask) - opponent * reduce(opponent_generated, generated_mask)
        return end(real - generated, beta)

    return value


def _spin_loss_one_mask(pr, pg, opp_real, opp_generated, real_mask, generated_mask, beta):
    return _spin_loss_loss()(pr, pg, opp_real, opp_generated, real_mask, real_mask, beta)


def _spin_loss_real_alone(pr, pg, opp_real, opp_generated, real_mask, generated_mask, beta):
    return -logsigmoid(beta * (_spin_loss_summed(pr, real_mask) - _spin_loss_summed(opp_real, real_mask))).mean()


SPIN_LOSS_MISTAKES = {
    (
        "roles are swapped, real with generated or policy with opponent; this falls as the generated "
        "reply becomes more likely."
    ): _spin_loss_loss(end=lambda m, beta: -logsigmoid(-beta * m).mean()),
    "this takes the mean over a completion's tokens; the log-probability of a reply is the sum.": _spin_loss_loss(
        lambda x, mask: _spin_loss_summed(x, mask) / mask.sum(1)
    ),
    "the opponent is missing; the margin is of log-ratios, policy over opponent.": _spin_loss_loss(opponent=0.0),
    (
        "the masks are not used; prompt and padding are counted (the prompt cancels between the two "
        "replies, padding does not)."
    ): _spin_loss_loss(lambda x, _: x.sum(1)),
    "the masks are not used, and this is a mean over all positions.": _spin_loss_loss(lambda x, _: x.mean(1)),
    "the generated replies are cut with the real ones' mask; they have other lengths.": _spin_loss_one_mask,
    "beta is forgotten.": _spin_loss_loss(end=lambda m, beta: -logsigmoid(m).mean()),
    "beta multiplies the loss; it belongs inside the sigmoid, to the margin.": _spin_loss_loss(
        end=lambda m, beta: -beta * logsigmoid(m).mean()
    ),
    "this divides the margin by beta.": _spin_loss_loss(end=lambda m, beta: -logsigmoid(m / beta).mean()),
    "the sign is missing: a loss is to be made small, and this is log sigma.": _spin_loss_loss(
        end=lambda m, beta: logsigmoid(beta * m).mean()
    ),
    "the logarithm is missing: this is one minus the sigmoid.": _spin_loss_loss(
        end=lambda m, beta: torch.sigmoid(-beta * m).mean()
    ),
    "this is the sum over rows; the mean does not depend on the batch size.": _spin_loss_loss(
        end=lambda m, beta: -logsigmoid(beta * m).sum()
    ),
    "this averages the margins first; each pair has its own loss, and the mean comes last.": _spin_loss_loss(
        end=lambda m, beta: -logsigmoid(beta * m.mean())
    ),
    "the generated reply is missing; the margin is real minus generated.": _spin_loss_real_alone,
}


def check_spin_loss(answer: Answer) -> None:
    """`answer(policy_real, policy_generated, opponent_real, opponent_generated, real_mask, generated_mask,
    beta)`: the logistic loss.

    Token log-probabilities and masks (rows, tokens) as tensors, the masks 1 on a completion and its
    end token; mean over rows.
    """
    cases = [
        (*_log_probabilities(seed, rows, 12), beta)
        for seed, rows, beta in ((0, 3, 0.1), (1, 4, 0.5), (2, 2, 2.0), (3, 5, 0.1))
    ]
    compare("spin_loss", answer, _spin_loss_loss(), SPIN_LOSS_MISTAKES, cases)


def _training_ids_text(completion: list[int], eos: int) -> list[int]:
    return completion[: completion.index(eos)] if eos in completion else completion


def _training_ids_build(
    ids: Callable[[list[int], bool, int], list[int]], mask_end: bool = True, mask_prompt: int = 0
) -> Answer:
    def pair(prompt, completion, finished, eos):
        tail = ids(completion, finished, eos)
        mask = [1] * len(tail)
        if not mask_end and tail and tail[-1] == eos:
            mask[-1] = 0
        return prompt + tail, [mask_prompt] * len(prompt) + mask

    return pair


def _training_ids_right(c: list[int], done: bool, eos: int) -> list[int]:
    return _training_ids_text(c, eos) + [eos] * done


def _training_ids_cut_at_first(prompt, completion, finished, eos):
    ids, mask = _training_ids_build(_training_ids_right)(prompt, completion, finished, eos)
    cut = ids.index(eos) + 1 if eos in ids else len(ids)
    return ids[:cut], mask[:cut]


TRAINING_IDS_MISTAKES = {
    (
        "a truncated completion gets an end token; the policy did not stop there, and is punished for "
        "stopping where it never did."
    ): _training_ids_build(lambda c, done, eos: _training_ids_text(c, eos) + [eos]),
    "this appends without looking: where the sampler left the end token there are two now.": _training_ids_build(
        lambda c, done, eos: c + [eos] * done
    ),
    "this appends always and without looking: two end tokens, and one on truncated text.": _training_ids_build(
        lambda c, done, eos: c + [eos]
    ),
    "there is no end token at all; nothing teaches the policy to stop.": _training_ids_build(
        lambda c, done, eos: _training_ids_text(c, eos)
    ),
    (
        "these are the ids as the sampler left them: with its padding, and without an end token where it took it away."
    ): _training_ids_build(lambda c, done, eos: c),
    "the padding is kept: it has the end token's id, so the reply ends several times.": _training_ids_build(
        lambda c, done, eos: c + [eos] * (done and eos not in c)
    ),
    "the end token is there only where the sampler left one; the flag knows better.": _training_ids_build(
        lambda c, done, eos: _training_ids_text(c, eos) + [eos] * (eos in c)
    ),
    "the last token of truncated text is lost; it is no end token.": _training_ids_build(
        lambda c, done, eos: _training_ids_text(c, eos) + [eos] if done else c[:-1]
    ),
    "the flag is read the wrong way round: finished is what ended by itself.": _training_ids_build(
        lambda c, done, eos: _training_ids_text(c, eos) + [eos] * (not done)
    ),
    "the mask leaves the end token out; stopping is part of the completion.": _training_ids_build(
        _training_ids_right, mask_end=False
    ),
    "the mask counts the prompt.": _training_ids_build(_training_ids_right, mask_prompt=1),
    (
        "this cuts at the first end token, also in the prompt; a chat template closes every turn with one."
    ): _training_ids_cut_at_first,
}


def check_training_ids(answer: Answer) -> None:
    """`answer(prompt, completion, finished, eos)`: ids of prompt and completion with the end token
    where it belongs, and the mask.

    Both as lists of one length. The mask is 1 on what is learned from: the completion and its end token.
    """
    cases = [
        ([5, 6, 7], [8, 9], True, EOS),  # the sampler took the end token away
        ([5, 6], [8, 9, 3, EOS], True, EOS),  # it left the end token
        (
            [5, EOS, 6],
            [8, 4, EOS, EOS, EOS],
            True,
            EOS,
        ),  # it padded with the end token; the template closes a turn with it
        ([5, EOS, 6, 7], [8, 9, 3, 4, 2], False, EOS),  # truncated
        ([7, 6], [3], False, EOS),
        ([7], [EOS], True, EOS),  # an empty reply
    ]
    compare("training_ids", answer, _training_ids_build(_training_ids_right), TRAINING_IDS_MISTAKES, cases)


_displaced_opponent_real = np.array([-20.0, -31, -12, -25, -18, -40, -22, -15])


_displaced_opponent_generated = np.array([-14.0, -33, -13, -20, -25, -30, -24, -11])


_displaced_real = np.array([3.0, -2, -4, 1, -1, -3, 2, -2])  # how the log-probabilities moved


_displaced_generated = np.array([-5.0, -6, 1, 2, -0.5, -7, 5, -9])


_displaced_rng = np.random.default_rng(4)


_displaced_more = _displaced_rng.normal(-25, 8, size=(2, 40))


def _displaced_rows(where: Callable[..., np.ndarray]) -> Answer:
    """`where` gets the changes of real and generated, and the policy's two log-probabilities."""
    return lambda pr, pg, opp_real, opp_generated: where(pr - opp_real, pg - opp_generated, pr, pg)


DISPLACED_MISTAKES = {
    "this looks at the margin only; a margin of two falling likelihoods rises too.": _displaced_rows(
        lambda r, g, *_: r > g
    ),
    "this looks at the generated reply; that it becomes less likely is intended.": _displaced_rows(
        lambda r, g, *_: (r > g) & (g < 0)
    ),
    "this looks at the generated reply alone.": _displaced_rows(lambda r, g, *_: g < 0),
    (
        "this looks at the real reply alone; where the margin fell too, the loss shows it, and nothing is hidden."
    ): _displaced_rows(lambda r, g, *_: r < 0),
    "these are the rows as they should be: the margin rose and the real reply became more likely.": _displaced_rows(
        lambda r, g, *_: (r > g) & (r > 0)
    ),
    "here the margin fell and the real reply with it; asked for is the margin that hides the fall.": _displaced_rows(
        lambda r, g, *_: (r < g) & (r < 0)
    ),
    (
        "this compares the two replies with each other; the question is how each moved against the opponent."
    ): _displaced_rows(lambda r, g, pr, pg: (pr > pg) & (r < 0)),
    (
        "this asks whether the real reply is the less likely one of the two; did it become less likely than it was?"
    ): _displaced_rows(lambda r, g, pr, pg: (r > g) & (pr < pg)),
    "this judges by the means; they hide the rows.": _displaced_rows(
        lambda r, g, *_: np.full(r.shape, (r.mean() > g.mean()) & (r.mean() < 0))
    ),
}


def check_displaced(answer: Answer) -> None:
    """`answer(policy_real, policy_generated, opponent_real, opponent_generated)`: the rows of likelihood displacement,
    as booleans. Log-probabilities of whole replies, (rows,): True where the margin is above 0 although the real reply
    became less likely.
    """
    cases = [
        (
            _displaced_opponent_real + _displaced_real,
            _displaced_opponent_generated + _displaced_generated,
            _displaced_opponent_real,
            _displaced_opponent_generated,
        ),
        (
            _displaced_more[0] + _displaced_rng.normal(0, 4, size=40),
            _displaced_more[1] + _displaced_rng.normal(-2, 4, size=40),
            *_displaced_more,
        ),
    ]
    compare("displaced", answer, _displaced_rows(lambda r, g, *_: (r > g) & (r < 0)), DISPLACED_MISTAKES, cases)
