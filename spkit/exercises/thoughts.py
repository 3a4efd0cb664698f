"""Checks for the exercises of notebook 04 about the gradient of thoughts, about floors, and about finding a leak.

Thoughts are of two tokens. Gradients are by the logits, (1 + vocabulary, vocabulary): the first row for the first
token, the others for the second token after each first one.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from .checking import Answer, Mistake, attempted, compare

Digits = Mapping[str, str]


def _softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def _expected(
    less: Callable[[np.ndarray, np.ndarray], tuple[object, object]] = lambda after, p: (
        after @ p,
        after[:, None],
    ),
    begun: bool = True,
    rows: Callable[[np.ndarray], np.ndarray] = lambda gradient: gradient,
    scale: Callable[[float], float] = lambda mean: 1.0,
) -> Answer:
    """`less` gives what is subtracted from the rewards of first and of second tokens."""

    def gradient(first, second, rewards):
        p, q = _softmax(first), _softmax(second)
        after = (q * rewards).sum(1)  # the expected reward after each first token
        mean, within = less(after, p)
        lower = (p[:, None] if begun else 1.0) * q * (rewards - within)
        return scale(float(after @ p)) * rows(np.vstack([p * (after - mean), lower]))

    return gradient


EXPECTED_GRADIENT_MISTAKES = {
    (
        "the probability that a token loses to the others is missing: the derivative of p(a) by the logit of k is "
        "p(a) (1[a = k] - p(k))."
    ): _expected(lambda after, p: (0.0, 0.0)),
    "the gradient of the second token does not have the probability of the first one.": _expected(begun=False),
    (
        "the second token is compared with the mean over all thoughts; its gradient is of the thoughts with the same "
        "first token."
    ): _expected(lambda after, p: (after @ p, after @ p)),
    "the first token has no gradient here; its reward is the mean over what follows it.": _expected(
        rows=lambda g: np.vstack([0 * g[:1], g[1:]])
    ),
    "the second token has no gradient here.": _expected(rows=lambda g: np.vstack([g[:1], 0 * g[1:]])),
    "the sign is flipped: this is the gradient of the loss, and that of the expected reward is asked for.": _expected(
        scale=lambda mean: -1.0
    ),
    "this is the gradient of the logarithm of the expected reward.": _expected(scale=lambda mean: 1 / mean),
}


def _tables_of_rewards(seed: int, count: int, vocabulary: int = 3) -> list[tuple[np.ndarray, ...]]:
    rng = np.random.default_rng(seed)
    shapes = ((vocabulary,), (vocabulary, vocabulary), (vocabulary, vocabulary))
    return [
        (rng.normal(size=shapes[0]), rng.normal(size=shapes[1]), 2 + rng.random(size=shapes[2])) for _ in range(count)
    ]


def check_expected_gradient(answer: Answer) -> None:
    """`answer(first, second, rewards)`: the gradient of the expected reward, by enumeration; logits (vocabulary,) and
    (vocabulary, vocabulary), rewards (vocabulary, vocabulary) of the thoughts.
    """
    compare("expected_gradient", answer, _expected(), EXPECTED_GRADIENT_MISTAKES, _tables_of_rewards(0, 3))


def _reinforce(
    less: Callable[[np.ndarray], np.ndarray] = lambda r: r - r.mean(),
    score: Callable[[np.ndarray, int], np.ndarray] = lambda p, token: np.eye(len(p))[token] - p,
    counted: Sequence[float] = (1.0, 1.0),
    scale: Callable[[int], float] = lambda siblings: 1 / siblings,
) -> Answer:
    """`score` is the derivative of a token's log-probability by the logits; `counted` weighs first and second token."""

    def gradient(first, second, thoughts, rewards):
        total = np.zeros((1 + len(first), len(first)))
        for (a, b), advantage in zip(thoughts, less(np.asarray(rewards, dtype=float))):
            total[0] += counted[0] * advantage * score(_softmax(first), a)
            total[1 + a] += counted[1] * advantage * score(_softmax(second[a]), b)
        return scale(len(thoughts)) * total

    return gradient


REINFORCE_MISTAKES = {
    "there is no baseline; the siblings' mean is not subtracted.": _reinforce(lambda r: r),
    "this compares with the *other* siblings; the mean has the thought itself in it.": _reinforce(
        lambda r: r - (r.sum() - r) / (len(r) - 1)
    ),
    "this clamps the advantages at 0; without the clamp is asked for.": _reinforce(
        lambda r: np.maximum(r - r.mean(), 0)
    ),
    "this is the sum over siblings; the mean does not depend on their number.": _reinforce(scale=lambda siblings: 1.0),
    "the sign is flipped: this is the gradient of the loss, and the direction up is asked for.": _reinforce(
        scale=lambda siblings: -1 / siblings
    ),
    "the second token alone gets a gradient; the log-probability of a thought is the sum over its tokens.": _reinforce(
        counted=(0.0, 1.0)
    ),
    "the first token alone gets a gradient; the log-probability of a thought is the sum over its tokens.": _reinforce(
        counted=(1.0, 0.0)
    ),
    "this is the mean over the tokens; the log-probability of a thought is the sum over its tokens.": _reinforce(
        counted=(0.5, 0.5)
    ),
    (
        "the softmax is missing in the derivative: a logit that is raised takes probability from the others, and the "
        "derivative of log p is 1[a = k] - p(k)."
    ): _reinforce(score=lambda p, token: np.eye(len(p))[token]),
    (
        "this is the derivative of the probability, not of its logarithm; what is drawn often counts often by itself."
    ): _reinforce(score=lambda p, token: p[token] * (np.eye(len(p))[token] - p)),
}


def check_reinforce_gradient(answer: Answer) -> None:
    """`answer(first, second, thoughts, rewards)`: REINFORCE's estimate of the same gradient from the siblings at one
    place, `thoughts` (siblings, 2) as token numbers and their rewards (siblings,).
    """
    groups = [[(0, 1), (2, 2)], [(1, 1), (1, 0), (0, 2)], [(2, 0), (0, 0), (2, 0), (1, 2)]]
    cases = [
        (first, second, np.array(thoughts), np.array([rewards[a, b] for a, b in thoughts]))
        for (first, second, rewards), thoughts in zip(_tables_of_rewards(1, 3), groups)
    ]
    compare("reinforce_gradient", answer, _reinforce(), REINFORCE_MISTAKES, cases)


def _floors_of(
    later: Callable[[Digits], float] = lambda operands: float(np.mean([np.log(len(own)) for own in operands.values()])),
    mean: Callable[[float, float, int], float] = lambda first, later, n: (first + n * later) / (1 + n),
    answer: float = 0.0,
    unit: float = 1.0,
    end: Callable[[np.ndarray], np.ndarray] = lambda values: values,
) -> Answer:
    def floors(operands, operations):
        first, following = np.log(10), later(operands)
        values = [np.log(len(operands)), first, following, mean(first, following, operations), answer]
        return end(np.array(values) / unit)

    return floors


def _without_the_sign(operands: Digits) -> float:
    """The entropy of an operand for somebody who does not see its sign."""
    chances = [
        sum((digit in own) / len(own) for own in operands.values()) / len(operands)
        for digit in set("".join(operands.values()))
    ]
    return -float(sum(p * np.log(p) for p in chances))


FLOORS_MISTAKES = {
    "these are bits; nats are asked for, as an NLL is in nats.": _floors_of(unit=np.log(2)),
    (
        "the operand's sign stands before it and is seen: average the entropies given each sign; the entropy of the "
        "mixture is higher."
    ): _floors_of(_without_the_sign),
    "this is the logarithm of the mean number of choices; the mean of the logarithms is asked for.": _floors_of(
        lambda operands: float(np.log(np.mean([len(own) for own in operands.values()])))
    ),
    "every operand is taken to be one of ten digits; its sign says how many there are.": _floors_of(
        lambda operands: float(np.log(10))
    ),
    "first and later numbers count alike here; a chain has one first number, several later.": _floors_of(
        mean=lambda first, later, n: (first + later) / 2
    ),
    "this adds up the numbers of a chain; the mean over them is asked for.": _floors_of(
        mean=lambda first, later, n: first + n * later
    ),
    (
        "the answer has the entropy of a digit here; given what stands before it, it is certain. A policy that cannot "
        "work it out has log 10; that is no floor."
    ): _floors_of(answer=float(np.log(10))),
    "these are perplexities, e to the entropy.": _floors_of(end=np.exp),
}


def check_floors(answer: Answer) -> None:
    """`answer(operands, operations)`: the floors of a sign, a first number, a later number, the mean number of a chain,
    and the answer, in nats. `operands` maps each sign to its digits, all equally likely.
    """
    cases = [
        ({"+": "123456789", "-": "123456789", "*": "379"}, 3),
        ({"+": "12", "*": "3456789"}, 2),
        ({"-": "1234", "+": "89", "*": "37", "^": "2"}, 5),
    ]
    compare("floors_of", answer, _floors_of(), FLOORS_MISTAKES, cases)


def _below(rule: Callable[[np.ndarray, np.ndarray, np.ndarray], object]) -> Answer:
    return lambda nll, errors, floors: np.broadcast_to(rule(nll, errors, floors), nll.shape)


BELOW_FLOOR_MISTAKES = {
    "the standard errors are not used; a mean is below its floor by chance half of the time.": _below(
        lambda nll, errors, floors: nll < floors
    ),
    "this flags what is far from its floor on either side; above it is what cannot be predicted yet.": _below(
        lambda nll, errors, floors: abs(nll - floors) > 3 * errors
    ),
    "this flags what is above its floor.": _below(lambda nll, errors, floors: nll > floors + 3 * errors),
    (
        "this flags whatever may be below its floor; flag what is below it even if the error is 3 standard errors."
    ): _below(lambda nll, errors, floors: nll - 3 * errors < floors),
    "this asks for one standard error; one in six would be flagged by chance.": _below(
        lambda nll, errors, floors: nll < floors - errors
    ),
    "this compares the means over all kinds; a leak at one kind is hidden in them.": _below(
        lambda nll, errors, floors: nll.mean() < floors.mean() - 3 * errors.mean()
    ),
}


def check_below_floor(answer: Answer) -> None:
    """`answer(nll, errors, floors)`: for each kind whether its NLL is more than 3 standard errors below its floor."""
    floors = np.array([0.0, 0.0, 1.1, 1.95, 1.1, 1.95])
    cases = [
        (np.array([0.5, 0.02, 1.12, 0.57, 1.085, 1.9]), np.array([0.1, 0.01, 0.01, 0.05, 0.01, 0.03]), floors),
        (np.array([2.3, 0.1, 0.9, 1.99, 1.3, 1.7]), np.array([0.1, 0.02, 0.05, 0.04, 0.1, 0.3]), floors),
    ]
    compare(
        "below_floor",
        answer,
        _below(lambda nll, errors, floors: nll < floors - 3 * errors),
        BELOW_FLOOR_MISTAKES,
        cases,
    )


def check_other_future(answer: Answer) -> None:
    """`answer(ids, place, vocabulary, rng)`: a text that a thought behind `ids[place]` cannot tell from `ids`, and that
    differs wherever a leak could look; token numbers 0 to vocabulary - 1.
    """
    for seed, (length, place, vocabulary) in enumerate(((12, 4, 20), (9, 7, 5), (16, 0, 2), (30, 20, 10))):
        rng = np.random.default_rng(seed)
        ids = rng.integers(0, vocabulary, size=length)
        other = attempted("other_future", answer)(ids.copy(), place, vocabulary, rng)
        _judge_future(ids, np.asarray(other), place, vocabulary)
    print("other_future: right.")


def _judge_future(ids: np.ndarray, other: np.ndarray, place: int, vocabulary: int) -> None:
    """Raises Mistake, naming it, for a text that is no control."""
    if other.shape != ids.shape:
        raise Mistake(f"other_future: the text has the shape {ids.shape}, and yours {other.shape}.")
    if ((other < 0) | (other >= vocabulary) | (other != other.astype(int))).any():
        raise Mistake(f"other_future: there is a token that is none; they are numbered 0 to {vocabulary - 1}.")
    same, ahead = other == ids, len(ids) - place - 1
    if same.all():
        raise Mistake("other_future: this is the same text; a leak would see no difference.")
    if not same[:place].all():
        raise Mistake("other_future: the text before the place is changed, which a thought may see: no leak is needed.")
    if not same[place]:
        raise Mistake("other_future: the token at the place is changed; the thought stands behind it and may see it.")
    if same[place + 1]:
        raise Mistake(
            "other_future: the token right behind the place is the same; a mask that is wrong by one looks just there."
        )
    if same[place + 1 :].any():
        raise Mistake(
            f"other_future: {int(same[place + 1 :].sum())} of the {ahead} tokens behind the place are the same as "
            "before, by chance or by rule; a leak that looks at these would not be seen. Make every one differ."
        )
