"""Checks for the exercises of notebooks 01 and 02 about verifiers: the vote, its gap to the truth, and verdicts that
err.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from math import factorial, prod

import numpy as np

from .checking import Answer, Mistake, compare

Answers = list[list[str | None]]  # of each problem, k answers; None is a completion without a readable one


VOTES: list[tuple[Answers, list[str | None]]] = [  # answers, and the gold ones; None: no problem, no right answer
    (
        [
            ["4", "4", "4", "4"],
            ["7", "3", "7", "7"],
            ["1", "2", None, "2"],
            ["5", "5", "5", "5"],
            ["9", None, None, "8"],
        ],
        ["4", "3", "1", None, "0"],
    ),
    ([["0", "6", "6"], ["2", "2", None], ["8", "8", "8"], [None, None, None]], ["6", "2", None, None]),
    ([["3", "1", "4", "1", "5", "9"], ["2", "6", "5", "2", None, "2"]], ["3", "2"]),
]


def _shares(answers: Answers) -> list[list[float]]:
    return [[row.count(said) / len(row) if said is not None else 0.0 for said in row] for row in answers]


def _vote_share_by(share: Callable[[list[str | None], str], float], unreadable: float = 0.0) -> Answer:
    """`share` of a problem's answers and one of them that can be read."""
    return lambda answers: [[unreadable if said is None else share(row, said) for said in row] for row in answers]


_vote_share_readable = lambda row: sum(said is not None for said in row)


_vote_share_top = lambda row: max(Counter(said for said in row if said is not None).values())


VOTE_SHARE_MISTAKES = {
    "this leaves an attempt's own vote out; the share is over all k, its own included.": _vote_share_by(
        lambda row, said: (row.count(said) - 1) / (len(row) - 1)
    ),
    "this takes an attempt's own vote away and divides by k all the same; its own counts too.": _vote_share_by(
        lambda row, said: (row.count(said) - 1) / len(row)
    ),
    "unreadable completions agree with each other here; what cannot be read has no vote and earns 0.": lambda answers: [
        [row.count(said) / len(row) for said in row] for row in answers
    ],
    (
        "this divides by the number of readable answers; divide by k, or silence makes the others look sure."
    ): _vote_share_by(lambda row, said: row.count(said) / _vote_share_readable(row)),
    (
        "this gives 1 for the most frequent answer and 0 for the others: a majority label; the share itself is meant."
    ): _vote_share_by(lambda row, said: float(row.count(said) == _vote_share_top(row))),
    "this gives every attempt the share of the most frequent answer; each earns the share of its own.": _vote_share_by(
        lambda row, said: _vote_share_top(row) / len(row)
    ),
    "these are counts of votes; divide by k.": _vote_share_by(lambda row, said: row.count(said)),
    "this counts the votes of other problems too; agreement is between attempts at one problem.": lambda answers: [
        [0.0 if said is None else sum(row.count(said) for row in answers) / sum(map(len, answers)) for said in row]
        for row in answers
    ],
    "this is how many *different* answers there are, over k; how often each was given is meant.": _vote_share_by(
        lambda row, said: len(set(row) - {None}) / len(row)
    ),
}


def check_vote_share(answer: Answer) -> None:
    """`answer(answers)`: the vote-share reward of each attempt, (problems, k): how many of the k say the same,
    itself included, over k.
    """

    def complete(answers):
        shares = answer(answers)
        if isinstance(shares, list) and [*map(np.size, shares)] != [*map(len, answers)]:
            raise Mistake(
                "vote_share: give a number for every attempt, in a row for each problem; what cannot be "
                "read earns 0 and stays in."
            )
        return shares

    compare("vote_share", complete, _shares, VOTE_SHARE_MISTAKES, [(answers,) for answers, _ in VOTES])


_vote_gap_right = lambda a, g: np.mean([[said is not None and said == gold for said in row] for row, gold in zip(a, g)])


_vote_gap_votes = lambda a: np.mean(_shares(a))


def _vote_gap_valid_only(answers: Answers, golds: Sequence[str | None]) -> float:
    kept = [(row, gold) for row, gold in zip(answers, golds) if gold is not None]
    return _vote_gap_votes([row for row, _ in kept]) - _vote_gap_right(*zip(*kept))


def _vote_gap_majority(answers: Answers, golds: Sequence[str | None]) -> float:
    shares = [max(row) for row in _shares(answers)]
    firsts = [Counter(said for said in row if said is not None).most_common(1) for row in answers]
    return np.mean(shares) - np.mean([bool(first) and first[0][0] == gold for first, gold in zip(firsts, golds)])


VOTE_GAP_MISTAKES = {
    "this is accuracy minus vote share; the gap is how much surer the votes are than right.": lambda a, g: (
        _vote_gap_right(a, g) - _vote_gap_votes(a)
    ),
    "this is the accuracy alone.": _vote_gap_right,
    "this is the mean vote share alone; the accuracy is subtracted.": lambda a, g: _vote_gap_votes(a),
    (
        "invalid problems are left out; their attempts vote as well, and none of them is right: there the gap is."
    ): _vote_gap_valid_only,
    "None equals None: an unreadable completion counts as right on an invalid problem.": lambda a, g: (
        _vote_gap_votes(a) - np.mean([[said == gold for said in row] for row, gold in zip(a, g)])
    ),
    (
        "this compares the winner of each vote with the gold answer; all attempts are meant, not one of each problem."
    ): _vote_gap_majority,
    ("an attempt's own vote is left out; the vote share is that of exercise 5 above, its own included."): lambda a, g: (
        np.mean([[(row.count(said) - 1) / (len(row) - 1) if said is not None else 0 for said in row] for row in a])
        - _vote_gap_right(a, g)
    ),
    "this takes distances attempt by attempt; the means are subtracted, once.": lambda a, g: np.mean(
        [
            [abs(share - (said is not None and said == gold)) for share, said in zip(shares, row)]
            for shares, row, gold in zip(_shares(a), a, g)
        ]
    ),
    "this is the ratio of the two; the difference is meant.": lambda a, g: _vote_gap_votes(a) / _vote_gap_right(a, g),
}


def check_vote_gap(answer: Answer) -> None:
    """`answer(answers, golds)`: mean vote share of all attempts minus their accuracy.

    The gold answer of an invalid problem is None.
    """
    cases = [*VOTES, ([["1", "1", "2"], ["3", "3", None]], ["1", None])]
    compare("vote_gap", answer, lambda a, g: _vote_gap_votes(a) - _vote_gap_right(a, g), VOTE_GAP_MISTAKES, cases)


def _votes(chances: Sequence[float], k: int) -> list[tuple[np.ndarray, float]]:
    """Every way in which k samples fall on the answers (the last is `unreadable`), with its probability."""
    chances = [*chances, max(0.0, 1 - sum(chances))]

    def ways(left: int, places: int) -> list[list[int]]:
        return [[left]] if places == 1 else [[i, *rest] for i in range(left + 1) for rest in ways(left - i, places - 1)]

    weigh = lambda counts: factorial(k) * prod(p**i / factorial(i) for p, i in zip(chances, counts, strict=True))
    return [(np.array(counts), weigh(counts)) for counts in ways(k, len(chances))]


def _vote_is_right_won(share: Callable[[np.ndarray], float]) -> Answer:
    return lambda chances, k: sum(weight * share(counts) for counts, weight in _votes(chances, k))


def _vote_is_right_tied(counts: np.ndarray) -> float:
    """The right answer's share of the first place among these counts; 0 without a vote."""
    return float(counts[0] == counts.max() > 0) / (counts == counts.max()).sum()


_vote_is_right_right = _vote_is_right_won(lambda counts: _vote_is_right_tied(counts[:-1]))


_vote_is_right_readable = lambda chances: [chance / sum(chances) for chance in chances]


VOTE_IS_RIGHT_MISTAKES = {
    "this lets `unreadable` win the vote; what could not be read has no vote.": _vote_is_right_won(_vote_is_right_tied),
    "this counts every tie as won; of m answers that are level, each comes first with chance 1/m.": _vote_is_right_won(
        lambda counts: counts[0] == counts[:-1].max() > 0
    ),
    "this counts every tie as lost; of m answers that are level, each comes first with chance 1/m.": _vote_is_right_won(
        lambda counts: counts[0] > counts[1:-1].max()
    ),
    "this asks for more than half of the k votes; the most frequent answer may have fewer.": _vote_is_right_won(
        lambda counts: counts[0] > counts.sum() / 2
    ),
    "this is the limit of many samples: for a finite k the vote is a matter of chance.": lambda chances, k: float(
        chances[0] == max(chances)
    ),
    "this is the chance that one sample is right, whatever k is.": lambda chances, k: chances[0],
    "this is pass@k, which needs the gold answer to choose; the vote does not look at it.": lambda chances, k: (
        1 - (1 - chances[0]) ** k
    ),
    (
        "this has k readable votes always; an unreadable completion is not sampled again, there are fewer votes."
    ): lambda chances, k: _vote_is_right_right(_vote_is_right_readable(chances), k),
}


def check_vote_is_right(answer: Answer) -> None:
    """`answer(chances, k)`: the exact chance that the most frequent readable answer of k samples is the
    right one, `chances[0]`.

    The rest of `chances` belongs to wrong answers, what is missing to 1 to completions without a
    readable answer. Ties are drawn.
    """
    cases = [(chances, k) for chances in ([0.4, 0.3, 0.1], [0.3, 0.35], [0.25, 0.15, 0.15]) for k in (1, 2, 4, 5)]
    compare("vote_is_right", answer, _vote_is_right_right, VOTE_IS_RIGHT_MISTAKES, cases)


PRECISION_MISTAKES = {
    "this is how often a verdict is true; how many of the kept are right depends on p as well.": lambda p, f: 1 - f,
    "this is the share of all samples that are right and kept; divide by the share that is kept.": lambda p, f: (
        p * (1 - f)
    ),
    "this is the share of the samples that is kept.": lambda p, f: p * (1 - f) + (1 - p) * f,
    "this forgets the false positives: wrong samples whose verdict was flipped are kept too.": lambda p, f: 1.0,
    (
        "a share f of the wrong samples is kept, and they are 1 - p of all: the false positives are (1 - p) f."
    ): lambda p, f: p * (1 - f) / (p * (1 - f) + f),
    "this keeps all wrong samples; only a share f of them slips through.": lambda p, f: (
        p * (1 - f) / (p * (1 - f) + 1 - p)
    ),
    "this keeps all right samples; a share f of them is turned away.": lambda p, f: p / (p + (1 - p) * f),
    "this is the share of wrong samples among the kept.": lambda p, f: (1 - p) * f / (p * (1 - f) + (1 - p) * f),
    "this is p: flips are blind, but they leave the wrong ones out more often than the right ones.": lambda p, f: p,
}


def check_precision(answer: Answer) -> None:
    """`answer(p, f)`: share of right samples among those that a verifier keeps, which turns each verdict
    round with probability f.
    """
    cases = [(p, f) for p in (0.02, 0.1, 0.6) for f in (0.01, 0.1, 0.3)]
    compare("precision", answer, lambda p, f: p * (1 - f) / (p * (1 - f) + (1 - p) * f), PRECISION_MISTAKES, cases)


def check_tolerable(answer: Answer) -> None:
    """`answer(p, target)`: the flip rate at which the share of right samples among the kept is `target`."""
    cases = [(p, target) for p in (0.02, 0.1, 0.6) for target in (0.7, 0.9, 0.95)]
    known = {
        "this is 1 - target, as if half of the samples were right (p = 0.5).": lambda p, t: 1 - t,
        "p and target have changed places: the rarer right samples are, the less noise is allowed.": lambda p, t: (
            t * (1 - p) / (p * (1 - t) + t * (1 - p))
        ),
        "these are the odds f / (1 - f), not f.": lambda p, t: p * (1 - t) / (t * (1 - p)),
        "p (1 - target) is no flip rate yet: solve precision(p, f) = target for f.": lambda p, t: p * (1 - t),
    }
    compare("tolerable", answer, lambda p, t: p * (1 - t) / (p * (1 - t) + t * (1 - p)), known, cases)
