"""Faults of the verifier: it rewards something else than right answers, or contradicts itself."""

import math
from typing import Any

from .findings import (
    Finding,
    before_and_after,
    from_to,
    moved,
    rate_with_interval,
    ratio,
    sure,
    windows,
)
from .steps import Agreement, Checked, Evidence, Step, Z, wilson
from .thresholds import Thresholds


def hacking(evidence: Evidence, early: Step, late: Step, limits: Thresholds) -> Finding | None:
    """Reward rises and what it stands for does not, by a check of all samples or by an audit of some."""
    seen = _checked_change(evidence, early, late, limits) or _audited_change(evidence, early, late, limits)
    if seen is None:
        return None
    (before, now), noise, what, figures = seen
    gain, real = late.solve_rate - early.solve_rate, now - before
    if gain < limits.change or real > gain / 2 or gain - real < max(limits.change, noise):
        return None
    how = ["the verifier rewards something else than right answers"]
    if ratio(late.length, early.length) >= limits.longer:
        how.append("completions get longer with it")
    if (late.extra or 0) - (early.extra or 0) >= limits.added:
        how.append("text is added beside the answer")
    figures = {**before_and_after(early, late, "solve_rate", "accuracy", "length", "extra", "held_out"), **figures}
    rates = f"reward {from_to(early.solve_rate, late.solve_rate)} while {what} goes {from_to(before, now)}"
    advice = (
        "read twenty of the completions with the highest reward of the last steps",
        "check the final answer exactly, alone in its place, and refuse what has anything beside it",
        "take terms for length or format out of the reward; use an exact check instead of a vote or a judge",
    )
    shown = ("solve_rate", "accuracy", "length", "extra")
    text = f"{rates}: {'; '.join(how)}"
    return Finding("reward hacking", "verifier", text, figures, advice, "notebooks/06, section 6", shown)


Change = tuple[tuple[float, float], float, str, dict[str, Any]]  # before and now, noise, of what, figures


def _checked_change(evidence: Evidence, early: Step, late: Step, limits: Thresholds) -> Change | None:
    if None in (early.solve_rate, late.solve_rate, early.accuracy, late.accuracy):
        return None
    best = max(windows(evidence.steps, limits), key=lambda step: step.accuracy or 0.0)
    if evidence.accuracy_was_read and best.accuracy < best.solve_rate / 2:
        return None  # answers that are never found in the texts are no sign of anything
    figures = {"accuracy_now": sure(late.accuracy, late.groups)}
    return (early.accuracy, late.accuracy), moved(early, late), "accuracy", figures


def _audited_change(evidence: Evidence, early: Step, late: Step, limits: Thresholds) -> Change | None:
    """The audited samples of the first half of the run beside those of the second."""
    middle = (evidence.steps[0].step + evidence.steps[-1].step) / 2
    halves = [[right for step, _, right in evidence.audited if (step > middle) == later] for later in (False, True)]
    if min(map(len, halves)) < limits.fewest or None in (early.solve_rate, late.solve_rate):
        return None
    before, now = (sum(half) / len(half) for half in halves)
    noise = Z * math.sqrt(sum(0.25 / len(half) for half in halves))
    return (before, now), noise, "the audit's share of right samples", {"audit_now": sure(now, len(halves[1]))}


def noise(evidence: Evidence, early: Step, late: Step, limits: Thresholds) -> Finding | None:
    """The verifier contradicts itself, or those who checked."""
    figures: dict[str, Any] = {}
    signs = [*_against_truth(evidence, figures, limits), *_against_itself(evidence, figures, limits)]
    if evidence.reward_gap is not None:
        figures["reward_minus_accuracy"] = evidence.reward_gap
        if abs(evidence.reward_gap) > limits.wrong_verdicts:
            signs.append(
                f"the mean reward is {evidence.reward_gap:+.2f} beside the exact check's, so at least that "
                "share of the verdicts is wrong"
            )
    if not signs:
        return None
    advice = (
        (
            "run the verifier twice on the same completions: it must say the same (time-outs, sampling "
            "judges, shared state)"
        ),
        (
            "audit fifty samples by hand and pass them with --audit: a verifier that is always wrong in the "
            "same way agrees with itself"
        ),
        "more samples a problem average random flips out; nothing averages a bias out",
    )
    return Finding(
        "verifier noise",
        "verifier",
        "; ".join(signs),
        figures,
        advice,
        "notebooks/00, section 7",
        ("solve_rate", "accuracy"),
    )


def _against_truth(evidence: Evidence, figures: dict[str, Any], limits: Thresholds) -> list[str]:
    """Signs in the samples whose truth is known; their figures are added."""
    signs = []
    for name, checked in (("audit", evidence.audit), ("checked", evidence.checked)):
        if checked is None or not checked.counts:
            continue
        rates = figures[name] = flip_rates(checked)
        if max(rates[key]["interval"][0] for key in ("wrong_accepted", "right_refused")) > limits.wrong_verdicts:
            signs.append(
                f"accepts wrong samples {rate_with_interval(rates['wrong_accepted'])} and refuses right ones "
                f"{rate_with_interval(rates['right_refused'])} ({name}: {checked.counts.total()} samples), which "
                f"leaves {rates['signal']:.2f} of the signal"
            )
    return signs


def _against_itself(evidence: Evidence, figures: dict[str, Any], limits: Thresholds) -> list[str]:
    """Signs in equal samples of a problem; their figures are added."""
    twice, signs = flips(evidence.texts, limits), []
    same = flips(evidence.answers, limits) if evidence.binary and twice is None else None
    for name, flip, limit, what in (
        ("identical", twice, limits.twice, "identical samples"),
        ("same_answer", same, limits.same_answer, "equal final answers"),
    ):
        if flip is not None:
            figures[name] = flip
            if flip["interval"][0] > limit:
                signs.append(
                    f"{what} of a problem get different rewards, as if a verdict were flipped "
                    f"{rate_with_interval(flip)}"
                )
    return signs


def flip_rates(checked: Checked) -> dict[str, Any]:
    """Share of wrong samples accepted and of right ones refused, each with its 95 % interval, and `signal`: 1 minus
    both.

    The signal is what is left of the difference in expected reward between right and wrong (Youden's
    J): at 0 verdicts say nothing.
    """
    rates = {}
    for name, (count, total) in (
        ("wrong_accepted", checked.wrong_accepted()),
        ("right_refused", checked.right_refused()),
    ):
        rates[name] = {"rate": count / total if total else None, "interval": wilson(count, total), "of": total}
    return {**rates, "signal": 1 - sum(rate["rate"] or 0.0 for rate in rates.values())}


def flips(agreement: Agreement, limits: Thresholds) -> dict[str, Any] | None:
    """The rate f of random flips under which equal samples differ as often as they do, d = 2 f (1 - f), with
    its interval; at most 0.5.
    """
    if agreement.clusters < limits.clusters:
        return None
    rates = [(1 - math.sqrt(max(0.0, 1 - 2 * share))) / 2 for share in agreement.interval()]
    return {"rate": rates[0], "interval": (rates[1], rates[2]), "of": agreement.clusters}
