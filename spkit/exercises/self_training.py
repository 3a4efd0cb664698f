"""Checks for the exercises of notebook 02 that take the reader's function.

Those of its own experiment are in `experiments`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import comb, factorial, prod
from typing import Any

import numpy as np

from ..stages.solve import Sample
from ..stages.verify import capped, distinct
from ..tasks import Addition, Problem, Sums
from .checking import Answer, compare, compare_lists


@dataclass(frozen=True)
class Attempt:
    """A problem tried twice, from its own prompt and from `hint`, the prompt that shows the answer. All texts."""

    prompt: str
    answer: str
    completion: str
    hint: str
    hinted: str


# The first four were written by the shipped base, the others are what the check must not miss.
ATTEMPTS = [
    Attempt(f"{terms}=", answer, completion, f"{terms}#{answer}=", hinted)
    for terms, answer, completion, hinted in (
        ("36+28", "64", "6+8+0:14;3+2+1:06;64", "6+8+0:14;3+2+1:06;64"),
        ("459+723", "1182", "9+3+0:12;5+7+1:13;9+7+1:17;1732", "9+3+0:12;5+2+1:08;4+7+0:11;1182"),
        ("170+366", "536", "0+6+0:06;7+3+0:10;1+3+1:05;506", "0+6+0:06;7+6+0:13;1+3+1:05;536"),
        ("6505+1148", "7653", "4+8+0:12;5+1+1:07;5+1+0:06;6+1+0:07;76727", "5+8+0:13;0+4+1:05;5+1+0:06;6+1+0:07;7653"),
        ("27+15", "42", "7+5+0:13;2+1+1:04;42", "7+5+0:12;2+1+1:04;42"),  # right, with a wrong step
        ("65+84", "149", "5+4+0:09;6+8+0:15;159", "5+4+0:09;6+8+0:15;149"),  # rescued, with a wrong step
        ("58+74", "132", "8+4+0:12;5+7+1:13;1132", "8+4+0:12;5+7+1:13;132"),  # wrong, and ends in the right digits
        ("7+6", "13", "7+6+0:13;12", "7+6+0:13;13"),  # wrong, with the answer in a step
        ("83+19", "102", "3+9+0:12;8+1+0:09;92", "3+9+0:12;8+1+0:09;92"),  # wrong, hint or no hint
    )
]


def _final(text: str, answer: str) -> bool:
    return text.rpartition(";")[2] == answer


def check_star_pairs(answer: Answer) -> None:
    """`answer(attempts)`: the (prompt, completion) pairs that STaR trains on, in any order."""

    def right(attempts, read=_final, hint=False):
        own = [(a.prompt, a.completion) for a in attempts if read(a.completion, a.answer)]
        failed = [a for a in attempts if not read(a.completion, a.answer)]
        return own + [(a.hint if hint else a.prompt, a.hinted) for a in failed if read(a.hinted, a.answer)]

    def chosen(own: Callable[[bool, bool], bool], hinted: Callable[[bool, bool], bool]) -> Answer:
        """Completions where `own` says so, hinted ones where `hinted` does, both told which of the two are right."""

        def pairs(attempts):
            told = [(a, (_final(a.completion, a.answer), _final(a.hinted, a.answer))) for a in attempts]
            return [(a.prompt, a.completion) for a, t in told if own(*t)] + [
                (a.prompt, a.hinted) for a, t in told if hinted(*t)
            ]

        return pairs

    def steps_too(attempts):
        problems = {id(a): Problem(a.prompt, a.answer, a.prompt.index("+")) for a in attempts}
        flawless = lambda a, text: _final(text, a.answer) and Addition().verify(problems[id(a)], text).step_errors == 0  # noqa: E731
        own = [(a.prompt, a.completion) for a in attempts if flawless(a, a.completion)]
        return own + [
            (a.prompt, a.hinted) for a in attempts if not _final(a.completion, a.answer) and flawless(a, a.hinted)
        ]

    rescued = lambda ok, hint_ok: hint_ok and not ok  # noqa: E731
    known = {
        (
            "the hint is left in the prompts; a model trained so waits for an answer that nobody will show it."
        ): lambda attempts: right(attempts, hint=True),
        "this rationalizes the successes too; the hint is for the failures alone.": chosen(
            lambda ok, _: ok, lambda _, hint_ok: hint_ok
        ),
        "this keeps every hinted completion; some miss the answer although it was shown.": chosen(
            lambda ok, _: ok, lambda ok, _: not ok
        ),
        "this keeps the failures' own completions as well; what ends in a wrong answer is not trained on.": chosen(
            lambda *_: True, rescued
        ),
        "where the hint helped, this trains on the completion that failed instead of the hinted one.": chosen(
            lambda ok, hint_ok: ok or hint_ok, lambda *_: False
        ),
        "this keeps the successes alone: STaR without rationalization.": chosen(lambda ok, _: ok, lambda *_: False),
        "this keeps the rationalized ones alone; the successes are trained on too.": chosen(lambda *_: False, rescued),
        "this looks for the answer anywhere in the text; the final answer is what follows the last `;`.": lambda attempts: (
            right(attempts, read=lambda text, gold: gold in text)
        ),
        "this accepts a final answer that only ends in the right digits, 1132 for 132.": lambda attempts: right(
            attempts, read=lambda text, gold: text.endswith(gold)
        ),
        "this checks the steps too; STaR reads the final answer alone, and wrong steps stay in.": steps_too,
    }
    compare_lists(
        "star_pairs",
        answer,
        right,
        known,
        [(ATTEMPTS,)],
        key=lambda pair: pair if isinstance(pair, tuple) else repr(pair),
    )


def check_pass_at_k(answer: Answer) -> None:
    """`answer(correct, n, k)`: unbiased pass@k, averaged over problems, from the number of right
    samples among n of each.
    """
    cases = [([0, 1, 3, 10], 10, 5), ([1, 2, 0, 4, 7], 8, 3), ([2, 0, 1], 6, 6), ([1, 5, 2], 16, 1)]

    def mean(one: Callable[[int, int, int], float]) -> Answer:
        return lambda correct, n, k: np.mean([one(c, n, k) for c in correct])

    right = mean(lambda c, n, k: 1 - comb(n - c, k) / comb(n, k))
    known = {
        "this is the plug-in 1 - (1 - c/n)^k, which draws with replacement; it is too low on average.": mean(
            lambda c, n, k: 1 - (1 - c / n) ** k
        ),
        "this is c/n, pass@1 whatever k is.": mean(lambda c, n, k: c / n),
        "this is pass@n: it asks whether any of all n samples is right.": mean(lambda c, n, k: c > 0),
        "k c / n is how many of k samples are right on average; pass@k is the chance that at least one is.": mean(
            lambda c, n, k: min(1, k * c / n)
        ),
        "this is the chance that all k samples are right; one is enough.": mean(
            lambda c, n, k: comb(c, k) / comb(n, k)
        ),
        "this is the chance that no sample is right.": mean(lambda c, n, k: comb(n - c, k) / comb(n, k)),
        (
            "this pools the samples of all problems; k samples of one problem are meant: average over problems last."
        ): lambda correct, n, k: 1 - comb(n * len(correct) - sum(correct), k) / comb(n * len(correct), k),
    }
    compare("pass_at_k", answer, right, known, cases)


def _grown() -> list[Sample]:
    """Samples of five problems: copies, the same path in two texts, one path in two problems, wrong ones before right
    ones.
    """
    task = Sums()
    texts = {
        ("7+15=", "22"): ["7+15:22;22", "15+7:22;22", "7+15:22;22", "7+15:22;22"],
        ("15+7=", "22"): ["15+7:22;22", "7+15:21;21"],
        ("5+3+2=", "10"): [
            "5+3:8;8",
            "5+3:8;8+2:10;10",
            "5+3:8;8+2:10;10",
            "3+5:8;8+2:10;10",
            "2+3:5;5+5:10;10",
            "5+2:7;7+3:10;10",
        ],
        ("4+1+6=", "11"): [
            "4+1:5;5",
            "1+6:7;7",
            "4+6:10;10",
            "4+1:5;5+6:11;11",
            "4+6:10;10+1:11;11",
            "1+6:7;7+4:11;11",
        ],
        ("9+8+3=", "20"): ["9+8:17;17", "9+8:17;17"],
    }
    samples = []
    for (prompt, gold), completions in texts.items():
        problem = Problem(prompt, gold, prompt.count("+") + 1)
        samples += [
            Sample(problem, [], text, task.verify(problem, text), task.path(problem, text)) for text in completions
        ]
    return samples


def check_select(answer: Answer) -> None:
    """`answer(samples, cap)`: right samples, each path of a problem once, at most `cap` a problem; in any order."""
    samples = _grown()

    def first(samples: Sequence[Sample], key: Callable[[Sample], Any]) -> list[Sample]:
        found: dict[Any, Sample] = {}
        for sample in samples:
            found.setdefault(key(sample), sample)
        return list(found.values())

    def good(samples: Sequence[Sample]) -> list[Sample]:
        return [sample for sample in samples if sample.verdict.correct]

    known = {
        "this caps first and drops copies then; the copies have used the places up.": lambda s, cap: distinct(
            capped(good(s), cap)
        ),
        "this knows copies by their text; `7+15:22;22` and `15+7:22;22` are one path: use `sample.path`.": lambda s, cap: (
            capped(first(good(s), lambda x: (x.problem.prompt, x.text)), cap)
        ),
        "this drops a path that another problem has as well; copies are copies within a problem.": lambda s, cap: (
            capped(first(good(s), lambda x: x.path), cap)
        ),
        "this caps the whole data set; the cap is for each problem.": lambda s, cap: distinct(good(s))[:cap],
        "this keeps one sample a problem: it knows a copy by its prompt alone.": lambda s, cap: first(
            good(s), lambda x: x.problem.prompt
        ),
        "this has no cap.": lambda s, cap: distinct(good(s)),
        "this keeps copies.": lambda s, cap: capped(good(s), cap),
        "this keeps wrong answers: read `sample.verdict.correct`.": lambda s, cap: capped(distinct(s), cap),
        "this filters last; wrong samples have used up places under the cap.": lambda s, cap: good(
            capped(distinct(s), cap)
        ),
    }
    compare_lists("select", answer, lambda s, cap: capped(distinct(good(s)), cap), known, [(samples, cap) for cap in (1, 2, 3)],
                  key=lambda x: (x.problem.prompt, x.path) if isinstance(x, Sample) else repr(x))  # fmt: skip


def check_kept_sizes(answer: Answer) -> None:
    """`answer(rewards, thresholds)`: how many samples each Improve step of ReST trains on."""
    graded = np.array([0, 0.25, 0.25, 0.5, 0.5, 0.5, 0.75, 0.75, 1, 1])
    cases = [
        (graded, (0.0, 0.5, 0.75)),
        (graded, (0.25, 0.625, 0.875)),
        (np.array([0, 0, 0, 1, 1.0]), (0.0, 0.7, 0.9)),
        (np.repeat(0.5, 4), (0.0, 0.5)),
    ]

    def sizes(kept: Callable[[np.ndarray, float], np.ndarray]) -> Answer:
        return lambda rewards, thresholds: [int(kept(rewards, tau).sum()) for tau in thresholds]

    def mean_of_the_kept(rewards, thresholds):
        result = []
        for tau in thresholds:
            rewards = rewards[rewards > max(tau, rewards.mean())] if len(rewards) else rewards
            result.append(len(rewards))
        return result

    known = {
        "this keeps rewards equal to the threshold; F(x, y; tau) is 1 where the reward is strictly above.": sizes(
            lambda r, tau: r >= max(tau, r.mean())
        ),
        "this takes the thresholds as they are; one below the mean reward is raised to the mean.": sizes(
            lambda r, tau: r > tau
        ),
        "this takes the lower of threshold and mean; the mean is a floor for the threshold.": sizes(
            lambda r, tau: r > min(tau, r.mean())
        ),
        "this keeps what is above the mean, whatever the threshold.": sizes(lambda r, tau: r > r.mean()),
        "this takes the mean of what the step before kept; it is that of everything grown.": mean_of_the_kept,
        "this reads a threshold as a quantile of the rewards, which is RAFT's rule; it is a reward.": sizes(
            lambda r, tau: r > np.quantile(r, tau)
        ),
        "these are the samples left out.": sizes(lambda r, tau: r <= max(tau, r.mean())),
        "these are shares; how many samples are kept is asked for.": lambda r, taus: [
            float((r > max(tau, r.mean())).mean()) for tau in taus
        ],
    }
    compare("kept_sizes", answer, sizes(lambda r, tau: r > max(tau, r.mean())), known, cases)


def _votes(chances: Sequence[float], k: int) -> list[tuple[np.ndarray, float]]:
    """Every way in which k samples fall on the answers (the last is `unreadable`), with its probability."""
    chances = [*chances, max(0.0, 1 - sum(chances))]

    def ways(left: int, places: int) -> list[list[int]]:
        return [[left]] if places == 1 else [[i, *rest] for i in range(left + 1) for rest in ways(left - i, places - 1)]

    weigh = lambda counts: factorial(k) * prod(p**i / factorial(i) for p, i in zip(chances, counts, strict=True))  # noqa: E731
    return [(np.array(counts), weigh(counts)) for counts in ways(k, len(chances))]


def check_vote_is_right(answer: Answer) -> None:
    """`answer(chances, k)`: the exact chance that the most frequent readable answer of k samples is the
    right one, `chances[0]`.

    The rest of `chances` belongs to wrong answers, what is missing to 1 to completions without a
    readable answer. Ties are drawn.
    """
    cases = [(chances, k) for chances in ([0.4, 0.3, 0.1], [0.3, 0.35], [0.25, 0.15, 0.15]) for k in (1, 2, 4, 5)]

    def won(share: Callable[[np.ndarray], float]) -> Answer:
        return lambda chances, k: sum(weight * share(counts) for counts, weight in _votes(chances, k))

    def tied(counts: np.ndarray) -> float:
        """The right answer's share of the first place among these counts; 0 without a vote."""
        return float(counts[0] == counts.max() > 0) / (counts == counts.max()).sum()

    right = won(lambda counts: tied(counts[:-1]))
    readable = lambda chances: [chance / sum(chances) for chance in chances]  # noqa: E731
    known = {
        "this lets `unreadable` win the vote; what could not be read has no vote.": won(tied),
        "this counts every tie as won; of m answers that are level, each comes first with chance 1/m.": won(
            lambda counts: counts[0] == counts[:-1].max() > 0
        ),
        "this counts every tie as lost; of m answers that are level, each comes first with chance 1/m.": won(
            lambda counts: counts[0] > counts[1:-1].max()
        ),
        "this asks for more than half of the k votes; the most frequent answer may have fewer.": won(lambda counts: counts[0] > counts.sum() / 2),
        "this is the limit of many samples: for a finite k the vote is a matter of chance.": lambda chances, k: float(chances[0] == max(chances)),
        "this is the chance that one sample is right, whatever k is.": lambda chances, k: chances[0],
        "this is pass@k, which needs the gold answer to choose; the vote does not look at it.": lambda chances, k: 1 - (1 - chances[0]) ** k,
        (
            "this has k readable votes always; an unreadable completion is not sampled again, there are "
            "fewer votes."
        ): lambda chances, k: right(
            readable(chances), k
        ),
    }  # fmt: skip
    compare("vote_is_right", answer, right, known, cases)


def check_precision(answer: Answer) -> None:
    """`answer(p, f)`: share of right samples among those that a verifier keeps, which turns each verdict
    round with probability f.
    """
    cases = [(p, f) for p in (0.02, 0.1, 0.6) for f in (0.01, 0.1, 0.3)]
    known = {
        "this is how often a verdict is true; how many of the kept are right depends on p as well.": lambda p, f: 1 - f,
        "this is the share of all samples that are right and kept; divide by the share that is kept.": lambda p, f: (
            p * (1 - f)
        ),
        "this is the share of the samples that is kept.": lambda p, f: p * (1 - f) + (1 - p) * f,
        "this forgets the false positives: wrong samples whose verdict was turned round are kept too.": lambda p, f: (
            1.0
        ),
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
    compare("precision", answer, lambda p, f: p * (1 - f) / (p * (1 - f) + (1 - p) * f), known, cases)


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
