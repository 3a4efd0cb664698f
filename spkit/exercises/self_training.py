"""Checks for the exercises of notebook 02 that take the reader's function.

Those of its own experiment are in `experiments`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import comb
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


def _star_pairs_right(attempts, read=_final, hint=False):
    own = [(a.prompt, a.completion) for a in attempts if read(a.completion, a.answer)]
    failed = [a for a in attempts if not read(a.completion, a.answer)]
    return own + [(a.hint if hint else a.prompt, a.hinted) for a in failed if read(a.hinted, a.answer)]


def _star_pairs_chosen(own: Callable[[bool, bool], bool], hinted: Callable[[bool, bool], bool]) -> Answer:
    """Completions where `own` says so, hinted ones where `hinted` does, both told which of the two are right."""

    def pairs(attempts):
        told = [(a, (_final(a.completion, a.answer), _final(a.hinted, a.answer))) for a in attempts]
        return [(a.prompt, a.completion) for a, t in told if own(*t)] + [
            (a.prompt, a.hinted) for a, t in told if hinted(*t)
        ]

    return pairs


def _star_pairs_steps_too(attempts):
    problems = {id(a): Problem(a.prompt, a.answer, a.prompt.index("+")) for a in attempts}
    flawless = lambda a, text: _final(text, a.answer) and Addition().verify(problems[id(a)], text).step_errors == 0
    own = [(a.prompt, a.completion) for a in attempts if flawless(a, a.completion)]
    return own + [
        (a.prompt, a.hinted) for a in attempts if not _final(a.completion, a.answer) and flawless(a, a.hinted)
    ]


_star_pairs_rescued = lambda ok, hint_ok: hint_ok and not ok


STAR_PAIRS_MISTAKES = {
    (
        "the hint is left in the prompts; a model trained so waits for an answer that nobody will show it."
    ): lambda attempts: _star_pairs_right(attempts, hint=True),
    "this rationalizes the successes too; the hint is for the failures alone.": _star_pairs_chosen(
        lambda ok, _: ok, lambda _, hint_ok: hint_ok
    ),
    "this keeps every hinted completion; some miss the answer although it was shown.": _star_pairs_chosen(
        lambda ok, _: ok, lambda ok, _: not ok
    ),
    (
        "this keeps the failures' own completions as well; what ends in a wrong answer is not trained on."
    ): _star_pairs_chosen(lambda *_: True, _star_pairs_rescued),
    "where the hint helped, this trains on the completion that failed instead of the hinted one.": _star_pairs_chosen(
        lambda ok, hint_ok: ok or hint_ok, lambda *_: False
    ),
    "this keeps the successes alone: STaR without rationalization.": _star_pairs_chosen(
        lambda ok, _: ok, lambda *_: False
    ),
    "this keeps the rationalized ones alone; the successes are trained on too.": _star_pairs_chosen(
        lambda *_: False, _star_pairs_rescued
    ),
    "this looks for the answer anywhere in the text; the final answer is what follows the last `;`.": lambda attempts: (
        _star_pairs_right(attempts, read=lambda text, gold: gold in text)
    ),
    "this accepts a final answer that only ends in the right digits, 1132 for 132.": lambda attempts: _star_pairs_right(
        attempts, read=lambda text, gold: text.endswith(gold)
    ),
    "this checks the steps too; STaR reads the final answer alone, and wrong steps stay in.": _star_pairs_steps_too,
}


def check_star_pairs(answer: Answer) -> None:
    """`answer(attempts)`: the (prompt, completion) pairs that STaR trains on, in any order."""
    compare_lists(
        "star_pairs",
        answer,
        _star_pairs_right,
        STAR_PAIRS_MISTAKES,
        [(ATTEMPTS,)],
        key=lambda pair: pair if isinstance(pair, tuple) else repr(pair),
    )


def _pass_at_k_mean(one: Callable[[int, int, int], float]) -> Answer:
    return lambda correct, n, k: np.mean([one(c, n, k) for c in correct])


_pass_at_k_right = _pass_at_k_mean(lambda c, n, k: 1 - comb(n - c, k) / comb(n, k))


PASS_AT_K_MISTAKES = {
    "this is the plug-in 1 - (1 - c/n)^k, which draws with replacement; it is too low on average.": _pass_at_k_mean(
        lambda c, n, k: 1 - (1 - c / n) ** k
    ),
    "this is c/n, pass@1 whatever k is.": _pass_at_k_mean(lambda c, n, k: c / n),
    "this is pass@n: it asks whether any of all n samples is right.": _pass_at_k_mean(lambda c, n, k: c > 0),
    (
        "k c / n is how many of k samples are right on average; pass@k is the chance that at least one is."
    ): _pass_at_k_mean(lambda c, n, k: min(1, k * c / n)),
    "this is the chance that all k samples are right; one is enough.": _pass_at_k_mean(
        lambda c, n, k: comb(c, k) / comb(n, k)
    ),
    "this is the chance that no sample is right.": _pass_at_k_mean(lambda c, n, k: comb(n - c, k) / comb(n, k)),
    (
        "this pools the samples of all problems; k samples of one problem are meant: average over problems last."
    ): lambda correct, n, k: 1 - comb(n * len(correct) - sum(correct), k) / comb(n * len(correct), k),
}


def check_pass_at_k(answer: Answer) -> None:
    """`answer(correct, n, k)`: unbiased pass@k, averaged over problems, from the number of right
    samples among n of each.
    """
    cases = [([0, 1, 3, 10], 10, 5), ([1, 2, 0, 4, 7], 8, 3), ([2, 0, 1], 6, 6), ([1, 5, 2], 16, 1)]
    compare("pass_at_k", answer, _pass_at_k_right, PASS_AT_K_MISTAKES, cases)


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


_select_samples = _grown()


def _select_first(_select_samples: Sequence[Sample], key: Callable[[Sample], Any]) -> list[Sample]:
    found: dict[Any, Sample] = {}
    for sample in _select_samples:
        found.setdefault(key(sample), sample)
    return list(found.values())


def _select_good(_select_samples: Sequence[Sample]) -> list[Sample]:
    return [sample for sample in _select_samples if sample.verdict.correct]


SELECT_MISTAKES = {
    "this caps first and drops copies then; the copies have used the places up.": lambda s, cap: distinct(
        capped(_select_good(s), cap)
    ),
    "this knows copies by their text; `7+15:22;22` and `15+7:22;22` are one path: use `sample.path`.": lambda s, cap: (
        capped(_select_first(_select_good(s), lambda x: (x.problem.prompt, x.text)), cap)
    ),
    "this drops a path that another problem has as well; copies are copies within a problem.": lambda s, cap: capped(
        _select_first(_select_good(s), lambda x: x.path), cap
    ),
    "this caps the whole data set; the cap is for each problem.": lambda s, cap: distinct(_select_good(s))[:cap],
    "this keeps one sample a problem: it knows a copy by its prompt alone.": lambda s, cap: _select_first(
        _select_good(s), lambda x: x.problem.prompt
    ),
    "this has no cap.": lambda s, cap: distinct(_select_good(s)),
    "this keeps copies.": lambda s, cap: capped(_select_good(s), cap),
    "this keeps wrong answers: read `sample.verdict.correct`.": lambda s, cap: capped(distinct(s), cap),
    "this filters last; wrong samples have used up places under the cap.": lambda s, cap: _select_good(
        capped(distinct(s), cap)
    ),
}


def check_select(answer: Answer) -> None:
    """`answer(samples, cap)`: right samples, each path of a problem once, at most `cap` a problem; in any order."""
    compare_lists(
        "select",
        answer,
        lambda s, cap: capped(distinct(_select_good(s)), cap),
        SELECT_MISTAKES,
        [(_select_samples, cap) for cap in (1, 2, 3)],
        key=lambda x: (x.problem.prompt, x.path) if isinstance(x, Sample) else repr(x),
    )


_kept_sizes_graded = np.array([0, 0.25, 0.25, 0.5, 0.5, 0.5, 0.75, 0.75, 1, 1])


def _kept_sizes_sizes(kept: Callable[[np.ndarray, float], np.ndarray]) -> Answer:
    return lambda rewards, thresholds: [int(kept(rewards, tau).sum()) for tau in thresholds]


def _kept_sizes_mean_of_the_kept(rewards, thresholds):
    result = []
    for tau in thresholds:
        rewards = rewards[rewards > max(tau, rewards.mean())] if len(rewards) else rewards
        result.append(len(rewards))
    return result


KEPT_SIZES_MISTAKES = {
    (
        "this keeps rewards equal to the threshold; F(x, y; tau) is 1 where the reward is strictly above."
    ): _kept_sizes_sizes(lambda r, tau: r >= max(tau, r.mean())),
    "this takes the thresholds as they are; one below the mean reward is raised to the mean.": _kept_sizes_sizes(
        lambda r, tau: r > tau
    ),
    "this takes the lower of threshold and mean; the mean is a floor for the threshold.": _kept_sizes_sizes(
        lambda r, tau: r > min(tau, r.mean())
    ),
    "this keeps what is above the mean, whatever the threshold.": _kept_sizes_sizes(lambda r, tau: r > r.mean()),
    "this takes the mean of what the step before kept; it is that of everything grown.": _kept_sizes_mean_of_the_kept,
    "this reads a threshold as a quantile of the rewards, which is RAFT's rule; it is a reward.": _kept_sizes_sizes(
        lambda r, tau: r > np.quantile(r, tau)
    ),
    "these are the samples left out.": _kept_sizes_sizes(lambda r, tau: r <= max(tau, r.mean())),
    "these are shares; how many samples are kept is asked for.": lambda r, taus: [
        float((r > max(tau, r.mean())).mean()) for tau in taus
    ],
}


def check_kept_sizes(answer: Answer) -> None:
    """`answer(rewards, thresholds)`: how many samples each Improve step of ReST trains on."""
    cases = [
        (_kept_sizes_graded, (0.0, 0.5, 0.75)),
        (_kept_sizes_graded, (0.25, 0.625, 0.875)),
        (np.array([0, 0, 0, 1, 1.0]), (0.0, 0.7, 0.9)),
        (np.repeat(0.5, 4), (0.0, 0.5)),
    ]
    compare("kept_sizes", answer, _kept_sizes_sizes(lambda r, tau: r > max(tau, r.mean())), KEPT_SIZES_MISTAKES, cases)
