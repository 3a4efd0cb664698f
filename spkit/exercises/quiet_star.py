"""Checks for the exercises of notebook 04 about the mask, the mix, and advantages; those about gradients and floors are
in `spkit.exercises.thoughts`.

The reference arithmetic is carried here, in loops and float64, so that a fault of the package's own cannot hide in its
exercise.
"""

from collections.abc import Callable, Sequence

import numpy as np

from .checking import Answer, compare


def _mask_build(
    upto: Callable[[int, int, int], int] = lambda place, number, length: place + 1,
    own: Callable[[int, int], bool] = lambda block, other: other <= block,
    same_place: bool = True,
    causal: bool = True,
    itself: bool = True,
) -> Answer:
    """A mask by rules: how many characters a thought sees, which blocks a block sees, whether at its place alone."""

    def mask(length: int, places: Sequence[int], blocks: int) -> np.ndarray:
        count = len(places)
        seen = np.zeros((length + blocks * count,) * 2)
        seen[:length, :length] = np.tril(np.ones((length, length))) if causal else 1
        for block in range(blocks):
            for number, place in enumerate(places):
                row = length + block * count + number
                seen[row, : upto(place, number, length)] = 1
                for other in range(blocks):
                    begin = length + other * count
                    columns = begin + number if same_place else slice(begin, begin + count)
                    seen[row, columns] = own(block, other)
        return seen if itself else seen * (1 - np.eye(len(seen)))

    return mask


def _mask_by_thought(length: int, places: Sequence[int], blocks: int) -> np.ndarray:
    """The right mask with the tokens of one thought next to each other."""
    order = [length + block * len(places) + number for number in range(len(places)) for block in range(blocks)]
    order = [*range(length), *order]
    return _mask_build()(length, places, blocks)[np.ix_(order, order)]


MASK_MISTAKES = {
    "no token sees itself here; a token sees what stands before it, and itself.": _mask_build(itself=False),
    "a thought does not see the character at its own place; it stands behind it.": _mask_build(
        lambda place, number, length: place
    ),
    (
        "a thought sees the character behind its place, which is what it is to predict: a leak. The results would be "
        "better, and wrong."
    ): _mask_build(lambda place, number, length: place + 2),
    "the blocks see the whole text: a thought may read what it is to predict.": _mask_build(
        lambda place, number, length: length
    ),
    "the blocks do not see the text at all.": _mask_build(lambda place, number, length: 0),
    "thought number j is taken to stand behind character j; it stands behind character places[j].": _mask_build(
        lambda place, number, length: number + 1
    ),
    (
        "a block sees the blocks before it whole, and so the thoughts of other places; the diagonal alone is its own."
    ): _mask_build(same_place=False),
    "a token of a block sees no earlier token of its own thought; it needs all of them.": _mask_build(
        own=lambda block, other: block == other
    ),
    "a token sees the later tokens of its own thought too; when it is written they are not there.": _mask_build(
        own=lambda block, other: True
    ),
    "the text is not causal: a character sees those behind it.": _mask_build(causal=False),
    "this is the plain causal mask; a block would see the whole text and all thoughts before it.": lambda n, p, b: (
        np.tril(np.ones((n + b * len(p),) * 2))
    ),
    (
        "the order is another one: here the tokens of one thought stand next to each other. A block is one token of "
        "every thought."
    ): _mask_by_thought,
}


def check_thought_mask(answer: Answer) -> None:
    """`answer(length, places, blocks)`: who sees whom, (length + blocks x places, the same), 1 where the row's token
    sees the column's.
    """
    cases = [(6, [1, 2, 4], 3), (5, [0, 3], 2), (4, [0, 1, 2], 1)]
    compare("thought_mask", answer, _mask_build(), MASK_MISTAKES, cases)


def _relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


def _weight_build(
    between: Callable[[np.ndarray], np.ndarray] = _relu,
    end: Callable[[np.ndarray], np.ndarray] = lambda x: x,
    join: Callable[[np.ndarray, np.ndarray], list[np.ndarray]] = lambda before, after: [before, after],
    middle: bool = True,
) -> Answer:
    def weight(before, after, first, second, last):
        state = between(np.concatenate(join(before, after), 1) @ first.T)
        state = between(state @ second.T) if middle else state
        return end((state @ last.T)[:, 0])

    return weight


MIXING_WEIGHT_MISTAKES = {
    (
        "there is a sigmoid at the end; with the last layer at 0 it gives 1/2, and the policy does not begin as the "
        "base."
    ): _weight_build(end=lambda x: 1 / (1 + np.exp(-x))),
    "there is a ReLU at the end; where the weight is negative its gradient is 0, and it stays there.": _weight_build(
        end=_relu
    ),
    "the ReLUs between the layers are missing; three linear layers in a row are one.": _weight_build(lambda x: x),
    "between the layers stands a tanh; ReLU is asked for.": _weight_build(np.tanh),
    "the states are joined in the other order; the state before the thought comes first.": _weight_build(
        join=lambda before, after: [after, before]
    ),
    "the second layer is missing.": _weight_build(middle=False),
    "this reads the state after the thought twice; the head compares it with the one before.": _weight_build(
        join=lambda before, after: [after, after]
    ),
    "this reads the state before the thought twice; it never sees what the thought did.": _weight_build(
        join=lambda before, after: [before, before]
    ),
}


def check_mixing_weight(answer: Answer) -> None:
    """`answer(before, after, first, second, last)`: weights (places,) of states (places, size), by layers without bias,
    `first` (size, 2 size), `second` (size, size), `last` (1, size).
    """
    rng = np.random.default_rng(0)
    shapes = [(5, 4), (5, 4), (4, 8), (4, 4), (1, 4)]
    some = tuple(rng.normal(size=shape) for shape in shapes)
    compare(
        "mixing_weight",
        answer,
        _weight_build(),
        MIXING_WEIGHT_MISTAKES,
        [some, (*some[:4], np.zeros((1, 4)))],
    )


def _log_softmax(logits: np.ndarray, axis: int = -1) -> np.ndarray:
    return logits - np.log(np.exp(logits).sum(axis, keepdims=True))


def _mix_states(
    weigh: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]] = lambda w: (1 - w, w),
    end: Callable[[np.ndarray], np.ndarray] = _log_softmax,
) -> Answer:
    def logprobs(before, after, weight, output):
        one, other = weigh(weight[:, None])
        return end((one * before + other * after) @ output.T)

    return logprobs


def _mix_outputs(
    of: Callable[[np.ndarray], np.ndarray] = _log_softmax, end: Callable[[np.ndarray], np.ndarray] = lambda x: x
) -> Answer:
    def logprobs(before, after, weight, output):
        weight = weight[:, None]
        with np.errstate(invalid="ignore"):
            return end((1 - weight) * of(before @ output.T) + weight * of(after @ output.T))

    return logprobs


MIXED_LOGPROBS_MISTAKES = {
    (
        "this is the paper's formula as it stands: it mixes log-probabilities, and the result does not add up to 1. "
        "Normalise it, or mix the states."
    ): _mix_outputs(),
    "this mixes probabilities; a mix of states mixes logarithms.": _mix_outputs(
        lambda logits: np.exp(_log_softmax(logits)), np.log
    ),
    "the weight is on the wrong state: it is the share of the state after the thought.": _mix_states(
        lambda w: (w, 1 - w)
    ),
    "the state after the thought is added; what it gets the other one loses.": _mix_states(
        lambda w: (np.ones_like(w), w)
    ),
    "these are logits; log-probabilities are asked for.": _mix_states(end=lambda logits: logits),
    "these are probabilities; their logarithms are asked for.": _mix_states(
        end=lambda logits: np.exp(_log_softmax(logits))
    ),
    "this normalises over places; each place has a distribution over tokens.": _mix_states(
        end=lambda logits: _log_softmax(logits, axis=0)
    ),
    "the weight is clipped to 0 to 1; nothing bounds it here.": _mix_states(
        lambda w: (1 - np.clip(w, 0, 1), np.clip(w, 0, 1))
    ),
    "the weight is not used; this is what the base says.": _mix_states(lambda w: (np.ones_like(w), 0 * w)),
}


def check_mixed_logprobs(answer: Answer) -> None:
    """`answer(before, after, weight, output)`: log-probabilities (places, vocabulary) of the next token from the mix of
    states (places, size) with weights (places,), by the output layer (vocabulary, size).
    """
    rng = np.random.default_rng(1)
    cases = [
        (rng.normal(size=(4, 3)), rng.normal(size=(4, 3)), np.array(weight), 0.3 * rng.normal(size=(5, 3)))
        for weight in ([0.0, 0.3, 0.5, 1.0], [0.2, 1.1, -0.1, 0.7])
    ]
    compare("mixed_logprobs", answer, _mix_states(), MIXED_LOGPROBS_MISTAKES, cases)


def _advantages(
    reward: Callable[[np.ndarray, np.ndarray], np.ndarray] = lambda mixed, there: np.where(there, mixed, 0).sum(-1),
    less: Callable[[np.ndarray], np.ndarray] = lambda r: r - r.mean(0),
    end: Callable[[np.ndarray, bool], np.ndarray] = lambda a, positive: np.maximum(a, 0) if positive else a,
) -> Answer:
    return lambda mixed, there, positive: end(less(reward(mixed, there)), positive)


ADVANTAGE_MISTAKES = {
    "this compares with the *other* thoughts at the place; the paper's mean has the thought itself in it.": _advantages(
        less=lambda r: r - (r.sum(0) - r) / (len(r) - 1)
    ),
    (
        "one mean over all places; then a thought is praised for standing where the text is easy to predict."
    ): _advantages(less=lambda r: r - r.mean()),
    "the mean is over the places of a sibling; it is over the siblings at a place.": _advantages(
        less=lambda r: r - r.mean(1, keepdims=True)
    ),
    "tokens behind the end of the text are counted; where `there` is False nothing is known.": _advantages(
        lambda mixed, there: mixed.sum(-1)
    ),
    "this is the mean over the next tokens; the log-likelihood of several tokens is their sum.": _advantages(
        lambda mixed, there: np.where(there, mixed, 0).mean(-1)
    ),
    "this looks at the very next token alone; all that are there count.": _advantages(
        lambda mixed, there: np.where(there, mixed, 0)[..., 0]
    ),
    "the clamp is missing: with `positive`, what is below the mean counts as 0.": _advantages(
        end=lambda a, positive: a
    ),
    "this always clamps; without `positive` worse thoughts are pushed down.": _advantages(
        end=lambda a, positive: np.maximum(a, 0)
    ),
    "the sign is flipped: a thought is good if the text is likelier after it than on average.": _advantages(
        less=lambda r: r.mean(0) - r
    ),
    "there is no baseline: log-likelihoods are negative, and every thought is pushed down.": _advantages(
        less=lambda r: r
    ),
    "this divides by the siblings' standard deviation, as GRPO does; here nats stay nats.": _advantages(
        less=lambda r: (r - r.mean(0)) / (r.std(0) + 1e-4)
    ),
    "the baseline is the logarithm of the mean likelihood; the mean of the log-likelihoods is asked for.": _advantages(
        less=lambda r: r - np.log(np.exp(r).mean(0))
    ),
    "the baseline is the best thought at the place; then none is ever praised.": _advantages(
        less=lambda r: r - r.max(0)
    ),
}


def check_advantages(answer: Answer) -> None:
    """`answer(mixed, there, positive)`: advantages (siblings, places) from log-likelihoods (siblings, places, ahead) of
    the next tokens, which count where `there` (places, ahead).
    """
    rng = np.random.default_rng(2)
    there = np.array([[True, True, True]] * 3 + [[True, True, False], [True, False, False]])
    cases = [
        (-rng.exponential(1.5, size=(siblings, 5, 3)), there, positive)
        for siblings, positive in ((2, True), (4, False))
    ]
    compare("advantages", answer, _advantages(), ADVANTAGE_MISTAKES, cases)
