"""Checks for the exercises of notebook 01 about the proposer reward, the data gate, and learnable information.

Those about advantages and the policy-gradient loss are in `spkit.exercises.policy_gradient`. The reference arithmetic
is carried here, so that a fault of the package's own cannot hide in its exercise.
"""

from collections.abc import Callable
from math import log

import numpy as np

from .checking import Answer, compare


def _attempted(seed: int, proposals: int, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`attempts` (proposals, k) and `greedy` (proposals,), 0 or 1, and `valid` (proposals,): never
    solved to always, and invalid.
    """
    rng = np.random.default_rng(seed)
    right = rng.permuted(np.linspace(0, k, proposals).round().astype(int))
    attempts = rng.permuted((np.arange(k) < right[:, None]).astype(float), axis=1)
    greedy = (right > rng.integers(0, k, size=proposals)).astype(float)
    valid = np.full(proposals, True)
    valid[rng.choice(np.flatnonzero((right > 0) & (right < k)), proposals // 4, replace=False)] = False
    return attempts * valid[:, None], greedy * valid, valid


_proposer_reward_inside = lambda r: (r > 0) & (r < 1)


def _proposer_reward_rule(of: Callable[[np.ndarray], np.ndarray], invalid: float = -1.0) -> Answer:
    """`of` the solve rates where the proposal is valid."""
    return lambda attempts, greedy, valid: np.where(valid, of(attempts.mean(1)), invalid)


PROPOSER_REWARD_MISTAKES = {
    (
        "this rewards r, the share of right attempts; what is solved too easily would earn most: reward 1 - r."
    ): _proposer_reward_rule(lambda r: _proposer_reward_inside(r) * r),
    (
        "this rewards r, also where every attempt is right; the proposer would ask what everybody knows."
    ): _proposer_reward_rule(lambda r: r),
    (
        "a problem that nobody solved (r = 0) earns 1 here; what cannot be solved, or has a wrong "
        "answer, would earn most: reward 0."
    ): _proposer_reward_rule(lambda r: 1 - r),
    "r is that of one attempt, 0 or 1; take the mean of all k.": lambda a, greedy, valid: np.where(
        valid, 1 - a[:, 0], -1.0
    ),
    "r is that of the greedy attempt, 0 or 1; the mean of the sampled attempts is meant.": lambda a, greedy, valid: (
        np.where(valid, 1 - greedy, -1.0)
    ),
    (
        "no valid problem earns anything; where r is taken from one attempt, or from a greedy one, it is "
        "0 or 1, and both earn 0."
    ): _proposer_reward_rule(lambda r: 0 * r),
    (
        "an invalid proposal earns 0, like a valid one that is too easy; it has to cost something: -1."
    ): _proposer_reward_rule(lambda r: _proposer_reward_inside(r) * (1 - r), 0.0),
    "an invalid proposal earns 1: its attempts are all wrong, but it is no problem at all.": lambda a, greedy, valid: (
        1 - a.mean(1)
    ),
    "-0.5 is for a readable answer of the *solver* that is wrong; an invalid proposal earns -1.": _proposer_reward_rule(
        lambda r: _proposer_reward_inside(r) * (1 - r), -0.5
    ),
    (
        "this gives -0.5 where r is 0 or 1, which is what the published code does; the equation says 0."
    ): _proposer_reward_rule(lambda r: np.where(_proposer_reward_inside(r), 1 - r, -0.5)),
    "this is 1 - 2 |r - 1/2|, R-Zero's rule, highest in the middle.": _proposer_reward_rule(
        lambda r: 1 - 2 * abs(r - 0.5)
    ),
    "this is r (1 - r), the variance; the equation gives 1 - r.": _proposer_reward_rule(lambda r: r * (1 - r)),
    (
        "this gives 1 wherever the attempts do not all agree (Self-Questioning's rule); harder ones are worth more."
    ): _proposer_reward_rule(lambda r: _proposer_reward_inside(r) * 1.0),
    "this subtracts the number of right attempts; r is their share.": lambda a, greedy, valid: np.where(
        valid, _proposer_reward_inside(a.mean(1)) * (1 - a.sum(1)), -1.0
    ),
    "one r for the whole batch: every proposal is rewarded for its own problem.": lambda a, greedy, valid: np.where(
        valid, 1 - a[valid].mean(), -1.0
    ),
}


def check_proposer_reward(answer: Answer) -> None:
    """`answer(attempts, greedy, valid)`: what each proposal earns, eq. 4 of arXiv:2505.03335, and -1 for an invalid
    one.

    `attempts` is (proposals, k), 1 where an attempt sampled at temperature 1 was right, zeros for an invalid proposal;
    `greedy` (proposals,) the same of one greedy attempt; `valid` (proposals,) booleans.
    """
    cases = [_attempted(seed, proposals, k) for seed, proposals, k in ((0, 9, 8), (1, 12, 4), (2, 10, 5))]
    compare(
        "proposer_reward",
        answer,
        _proposer_reward_rule(lambda r: _proposer_reward_inside(r) * (1 - r)),
        PROPOSER_REWARD_MISTAKES,
        cases,
    )


PASSES_MISTAKES = {
    (
        "this gates on the reward; whether a text is a problem is one question, what it is worth "
        "another: every valid problem passes."
    ): (lambda valid, reward, u, leak: (reward > 0) | (u < leak)),
    "this gates on the reward, and has no leak.": lambda valid, reward, u, leak: reward > 0,
    (
        "this gates on validity and on the reward; a valid problem passes whatever it earned."
    ): lambda valid, reward, u, leak: valid & (reward > 0) | ~valid & (u < leak),
    "this is the strict gate; a leaky one lets some invalid proposals through.": lambda valid, reward, u, leak: valid,
    "the leak is for all here; a valid problem passes without luck.": lambda valid, reward, u, leak: u < leak,
    (
        "this lets invalid proposals through where the draw is *above* the leak: with probability 1 - leak."
    ): lambda valid, reward, u, leak: valid | (u >= leak),
    "this lets valid problems leak out, those whose draw is below the leak.": lambda valid, reward, u, leak: (
        valid & (u >= leak)
    ),
    "these are the invalid ones that came through; the valid ones pass as well.": lambda valid, reward, u, leak: (
        ~valid & (u < leak)
    ),
    "these are the ones held back.": lambda valid, reward, u, leak: ~valid & (u >= leak),
}


def check_passes(answer: Answer) -> None:
    """`answer(valid, reward, draws, leak)`: which proposals the solver meets, booleans (proposals,).

    `valid` are booleans, `reward` what was earned, `draws` uniform in [0, 1), all (proposals,); an invalid one
    needs a draw below `leak`.
    """
    cases = []
    for seed, leak in ((0, 0.3), (1, 0.0), (2, 1.0), (3, 0.6)):
        attempts, _, valid = _attempted(seed, 16, 8)
        r = attempts.mean(1)
        reward = np.where(valid, np.where((r > 0) & (r < 1), 1 - r, 0), -1)
        cases.append((valid, reward, np.random.default_rng(seed).random(16), leak))
    compare("passes", answer, lambda valid, reward, u, leak: valid | (u < leak), PASSES_MISTAKES, cases)


def _reading(seed: int, passes: int, best: int, steep: float) -> tuple:
    """Losses (nats) of an observer that reads 8 batches in `passes` passes.

    After pass `best`, held-out and trained text differ least.
    """
    rng = np.random.default_rng(seed)
    tokens, held_out_tokens = 160, 40
    before = (
        2.2
        * tokens
        / 8
        * np.exp(-steep * np.arange(8 * passes).reshape(passes, 8) / 8)
        * rng.uniform(0.95, 1.05, (passes, 8))
    )
    after = before * rng.uniform(0.85, 0.92, before.shape)
    left = after.sum(1) * rng.uniform(0.95, 1.0, passes)
    apart = 0.1 + 0.12 * abs(np.arange(1, passes + 1) - best)
    return before, after, left, held_out_tokens * (left / tokens + apart), tokens, held_out_tokens


def _learnable_information_by(
    online: Callable[..., np.ndarray | float] = lambda before, after: before[0].sum(),
    pick: Callable[..., int] = lambda S, H, tokens, held: int(np.argmin(S / tokens + H)),
    unit: float = log(2),
    rest: float = 1.0,
    total: bool = True,
) -> Answer:
    """`online` is the cost of the first reading, of which the share `rest` of what is left is subtracted.

    `pick` chooses the pass.
    """

    def value(before, after, left, held_out, tokens, held_out_tokens):
        S, H = (online(before, after) - rest * left) / unit, held_out / held_out_tokens / unit
        k = pick(S, H, tokens, held_out_tokens)
        return S[k] if total else S[k] / tokens, H[k]

    return value


LEARNABLE_INFORMATION_MISTAKES = {
    (
        "these are the losses after each update; what a batch costs has to be asked before the observer learns from it."
    ): _learnable_information_by(lambda before, after: after[0].sum()),
    "these are nats; a bit is ln 2 of them.": _learnable_information_by(unit=1.0),
    (
        "this adds up the losses of all passes; the stream is counted once, in the first reading."
    ): _learnable_information_by(lambda before, after: before.sum()),
    "this adds up the losses of every pass so far; the stream is counted once.": _learnable_information_by(
        lambda before, after: before.sum(1).cumsum()
    ),
    (
        "this takes the losses of the pass itself; those of the first reading count, whichever pass is chosen."
    ): _learnable_information_by(lambda before, after: before.sum(1)),
    (
        "this takes the last pass; by then noise has been learned by heart and looks learnable: let "
        "held-out text choose."
    ): _learnable_information_by(pick=lambda S, H, tokens, held: len(S) - 1),
    (
        "this takes the pass with the largest S, which is the one that has learned most by heart."
    ): _learnable_information_by(pick=lambda S, H, tokens, held: int(np.argmax(S))),
    "this chooses by the held-out loss alone; the description length is S / tokens + H.": _learnable_information_by(
        pick=lambda S, H, tokens, held: int(np.argmin(H))
    ),
    "this takes the first pass always.": _learnable_information_by(pick=lambda S, H, tokens, held: 0),
    (
        "this adds all bits of S to H, which is a token's; divide S by the training tokens first."
    ): _learnable_information_by(pick=lambda S, H, tokens, held: int(np.argmin(S + H))),
    (
        "this divides S by the held-out tokens when it chooses; S was counted over the training tokens."
    ): _learnable_information_by(pick=lambda S, H, tokens, held: int(np.argmin(S / held + H))),
    (
        "this is the cost of the first reading; what is still left after training was not learned: subtract it."
    ): _learnable_information_by(rest=0.0),
    "this is S a token; S is a total.": _learnable_information_by(total=False),
}


def check_learnable_information(answer: Answer) -> None:
    """`answer(before, after, left, held_out, tokens, held_out_tokens)`: (S, H) of the pass with the
    least description length.

    Losses in nats, summed over tokens: of every batch, (passes, batches), before and after the update on it; and after
    each pass, (passes,), of the whole training part (`left`) and of held-out text. S in bits, H in bits a token
    (arXiv:2603.02218, Algorithm 1).
    """
    cases = [_reading(*how) for how in ((0, 5, 3, 0.5), (1, 4, 1, 0.1), (2, 6, 2, 0.25), (3, 5, 4, 0.3))]
    # nats left in 160 tokens, and those of a held-out token: observers that overreach, forget, and learn at once
    cases += [
        (
            before := np.linspace(40, 10, 8 * len(left)).reshape(-1, 8),
            0.9 * before,
            np.array(left),
            40 * np.array(held_out),
            160,
            40,
        )
        for left, held_out in (
            ((250.0, 200, 140, 150), (1.9, 1.85, 1.7, 1.9)),
            ((200.0, 210, 150, 140, 138), (3.0, 2.9, 2.2, 2.3, 2.15)),
            ((200.0, 180, 150, 140), (4.5, 2.2, 2.05, 2.1)),
        )
    ]
    compare("learnable_information", answer, _learnable_information_by(), LEARNABLE_INFORMATION_MISTAKES, cases)
