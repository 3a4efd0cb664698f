"""Which role holds a run back: from steps to findings.

The signs are those the literature reports. Groups whose samples all earn the same move nothing (DAPO,
arXiv:2503.14476), whether the problems are too easy or too hard; a proposer is paid for problems in between (Absolute
Zero, arXiv:2505.03335). A validity gate keeps self-play from breaking down, and the share of votes pulling away from
the true accuracy is how a reward without a check shows (arXiv:2605.22217). Entropy is spent for reward, and with it
what could still be learned (arXiv:2505.22617).

A share is only judged against its limit with its 95 % interval beside it; a change compares the first and the
last quarter of the steps.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from .limits import DEFAULT, Limits
from .steps import Agreement, Checked, Evidence, Step, Z, pooled, wilson, window

Role = Literal["solver", "proposer", "verifier"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, the role it points at, the numbers behind it, and what to try."""

    name: str
    role: Role
    text: str
    figures: dict[str, Any]
    advice: tuple[str, ...]


@dataclass(frozen=True)
class Diagnosis:
    """`verdict` is the first finding's name, or `healthy`, or `undecided` if there is too little to go by."""

    verdict: str
    role: Role | None
    findings: tuple[Finding, ...]
    early: Step
    late: Step
    evidence: Evidence
    unknown: tuple[str, ...] = field(default=())


def diagnose(evidence: Evidence, limits: Limits = DEFAULT) -> Diagnosis:
    """The findings, those first that make the others unsafe to read: a wrong verifier, then a broken
    policy, then what is asked.
    """
    early, late = (
        window(evidence.steps, limits.window, limits.fewest),
        window(evidence.steps[::-1], limits.window, limits.fewest),
    )
    found = [finding for judge in JUDGES if (finding := judge(evidence, early, late, limits))]
    if found:
        return Diagnosis(found[0].name, found[0].role, tuple(found), early, late, evidence, _unknown(evidence, late))
    verdict = "healthy" if late.groups >= limits.fewest else "undecided"
    return Diagnosis(verdict, None, (), early, late, evidence, _unknown(evidence, late))


def hacking(evidence: Evidence, early: Step, late: Step, limits: Limits) -> Finding | None:
    """Reward rises and what it stands for does not."""
    if None in (early.solve_rate, late.solve_rate, early.accuracy, late.accuracy):
        return None
    best = max(_windows(evidence.steps, limits), key=lambda step: step.accuracy or 0.0)
    if evidence.accuracy_was_read and best.accuracy < best.solve_rate / 2:
        return None  # answers that are never found in the texts are no sign of anything
    gain, real = late.solve_rate - early.solve_rate, late.accuracy - early.accuracy
    noise = Z * math.sqrt(0.25 / max(1, early.groups) + 0.25 / max(1, late.groups))
    if gain < limits.change or real > gain / 2 or gain - real < max(limits.change, noise):
        return None
    how = ["the verifier pays for something else than right answers"]
    if _ratio(late.length, early.length) >= limits.longer:
        how.append("completions get longer with it")
    if (late.extra or 0) - (early.extra or 0) >= limits.added:
        how.append("text is added beside the answer")
    figures = _pairs(early, late, "solve_rate", "accuracy", "length", "extra", "held_out")
    text = (
        f"reward {_change(early.solve_rate, late.solve_rate)} while accuracy goes "
        f"{_change(early.accuracy, late.accuracy)}: {'; '.join(how)}"
    )
    advice = (
        "read twenty of the best paid completions of the last steps",
        "check the final answer exactly, alone in its place, and refuse what has anything beside it",
        "take terms for length or format out of the reward; use an exact check instead of a vote or a judge",
    )
    return Finding("reward hacking", "verifier", text, figures, advice)


def noise(evidence: Evidence, early: Step, late: Step, limits: Limits) -> Finding | None:
    """The verifier contradicts itself, or those who checked."""
    signs, figures = [], {}
    for name, checked in (("audit", evidence.audit), ("checked", evidence.checked)):
        if checked is not None and checked.counts:
            rates = flip_rates(checked)
            figures[name] = rates
            if any(
                rate["interval"][0] > limits.wrong_verdicts
                for rate in (rates["wrong_accepted"], rates["right_refused"])
            ):
                parts = (
                    f"{label} {_with_interval(rates[key])}"
                    for key, label in (
                        ("wrong_accepted", "accepts wrong samples"),
                        ("right_refused", "refuses right ones"),
                    )
                )
                signs.append(
                    f"{' and '.join(parts)} ({name}: {checked.counts.total()} samples), which leaves "
                    f"{rates['signal']:.2f} of the signal"
                )
    twice = flips(evidence.texts, limits)
    same = flips(evidence.answers, limits) if evidence.binary and twice is None else None
    for name, flip, limit, what in (
        ("identical", twice, limits.twice, "identical samples"),
        ("same_answer", same, limits.same_answer, "equal final answers"),
    ):
        if flip is not None:
            figures[name] = flip
            if flip["interval"][0] > limit:
                signs.append(
                    f"{what} of a problem get different rewards, as if a verdict were turned round "
                    f"{_with_interval(flip)}"
                )
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
    return Finding("verifier noise", "verifier", "; ".join(signs), figures, advice)


def divergence(evidence: Evidence, early: Step, late: Step, limits: Limits) -> Finding | None:
    """The policy could do it and no longer can, on problems that did not change."""
    name = "held_out" if evidence.self_play else "solve_rate"
    best = max(_windows(evidence.steps, limits), key=lambda step: getattr(step, name) or 0.0)
    before, now = getattr(best, name), getattr(late, name)
    if before is None or now is None or now > limits.lost * before:
        return None
    solved = [
        (getattr(s, name) if evidence.self_play or s.useful is None else s.useful + s.all_right) * s.groups
        for s in (best, late)
    ]
    if wilson(solved[0], best.groups)[0] <= wilson(solved[1], late.groups)[1]:
        return None
    figures = {**_pairs(best, late, name, "held_out", "entropy", "kl", "length"), "best_step": best.step}
    text = (
        f"the {'test accuracy' if evidence.self_play else 'solve rate'} was {before:.2f} up to step "
        f"{best.step} and is {now:.2f} at the end"
    )
    advice = (
        "go back to a checkpoint from before, with a learning rate three to ten times lower",
        "clip the gradient, add a KL term to the base, or take fewer updates a batch",
        "if the problems were made harder on purpose meanwhile, this is starvation: ask easier ones",
    )
    return Finding("divergence", "solver", text, figures, advice)


def degeneration(evidence: Evidence, early: Step, late: Step, limits: Limits) -> Finding | None:
    """The proposer repeats itself, writes what the gate refuses, or drifts to what is trivial."""
    signs = []
    if _mostly(late.duplicates, late.proposals, limits.duplicates, limits):
        signs.append(f"{late.duplicates:.0%} of the proposals are duplicates")
    if _mostly(None if late.valid is None else 1 - late.valid, late.proposals, limits.invalid, limits):
        signs.append(f"{1 - late.valid:.0%} of the proposals are invalid")
    what = "depth" if late.depth is not None else "proposal_length"
    shorter = _ratio(getattr(late, what), getattr(early, what))
    if shorter <= limits.shallower and (late.solve_rate or 0.0) >= limits.solved:
        signs.append(
            f"the proposals' {what.split('_')[-1]} fell to {shorter:.0%} of what it was, and "
            f"{late.solve_rate:.0%} of the attempts are right"
        )
    if not signs:
        return None
    figures = _pairs(early, late, "valid", "duplicates", "depth", "proposal_length", "proposal_entropy", "solve_rate")
    advice = (
        "pay nothing for duplicates and invalid proposals, and less for problems that are always solved",
        "show the proposer a few problems from a buffer and ask for a different one",
        "hold the proposer near the base: a KL term, a frozen copy, or a lower learning rate for its role",
    )
    return Finding("proposer degeneration", "proposer", "; ".join(signs), figures, advice)


def collapse(evidence: Evidence, early: Step, late: Step, limits: Limits) -> Finding | None:
    """Samples of a problem are copies of each other while problems are still unsolved."""
    if late.all_right is None or 1 - late.all_right < limits.unsolved:
        return None
    signs = []
    if late.distinct is not None and late.distinct <= min(limits.copies, limits.narrowed * (early.distinct or 0.0)):
        signs.append(
            f"different completions in a group, where not all are right, went {_change(early.distinct, late.distinct)}"
        )
    if _ratio(late.entropy, early.entropy) <= limits.spent:
        signs.append(f"entropy went {_change(early.entropy, late.entropy)} nats a token")
    if not signs:
        return None
    figures = _pairs(early, late, "distinct", "distinct_2", "entropy", "all_right", "useful", "solve_rate")
    advice = (
        "sample at temperature 1, with more samples a problem",
        "raise the upper clip (0.28), add an entropy bonus, or a KL term to the base; lower the learning rate",
        "go back to a checkpoint with more entropy: what is no longer sampled cannot be reinforced",
    )
    return Finding(
        "collapse",
        "solver",
        f"{'; '.join(signs)}, with {1 - late.all_right:.0%} of the groups not solved",
        figures,
        advice,
    )


def saturation(evidence: Evidence, early: Step, late: Step, limits: Limits) -> Finding | None:
    """Nearly all groups are right: the solver has nothing to learn from what it is asked."""
    if not _mostly(late.all_right, late.groups, limits.nearly_all, limits):
        return None
    text = f"{_share(late.all_right, late.groups)} of the groups are all right, {late.useful:.0%} are useful"
    advice = (
        "ask harder problems, or pay the proposer for problems of middling solve rate",
        "leave solved problems out and sample others in their place",
        "stop here if the held-out accuracy is what you wanted",
    )
    return Finding(
        "saturation", "solver", text, _pairs(early, late, "all_right", "useful", "solve_rate", "held_out"), advice
    )


def starvation(evidence: Evidence, early: Step, late: Step, limits: Limits) -> Finding | None:
    """Nearly no group teaches anything, and not because it is solved."""
    too_hard = _mostly(late.all_wrong, late.groups, limits.nearly_all, limits)
    none_useful = (
        late.useful is not None
        and late.useful <= limits.useless
        and wilson(late.useful * late.groups, late.groups)[1] <= limits.surely
    )
    solved = _mostly(late.all_right, late.groups, limits.nearly_all, limits)
    if not too_hard and (solved or not none_useful):
        return None
    text = (
        f"{_share(late.all_wrong, late.groups)} of the groups are all wrong, {late.all_right:.0%} all "
        f"right, {late.useful:.0%} useful"
    )
    advice = (
        (
            "ask easier problems, or start from a base that gets some of them right: what is never right is "
            "never reinforced"
        ),
        "more samples a problem, hints, or a graded reward find the rare right answer",
        "in self-play, give the proposer nothing for problems that nobody solves",
    )
    return Finding(
        "starvation", "proposer", text, _pairs(early, late, "all_wrong", "all_right", "useful", "solve_rate"), advice
    )


Judge = Callable[[Evidence, Step, Step, Limits], Finding | None]
JUDGES: tuple[Judge, ...] = (hacking, noise, divergence, degeneration, collapse, saturation, starvation)


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


def flips(agreement: Agreement, limits: Limits) -> dict[str, Any] | None:
    """The rate f of random flips under which equal samples differ as often as they do, d = 2 f (1 - f), with
    its interval; at most 0.5.
    """
    if agreement.clusters < limits.clusters:
        return None
    rates = [(1 - math.sqrt(max(0.0, 1 - 2 * share))) / 2 for share in agreement.interval()]
    return {"rate": rates[0], "interval": (rates[1], rates[2]), "of": agreement.clusters}


def _mostly(share: float | None, count: int, limit: float, limits: Limits) -> bool:
    """The share is at least the limit, and its interval above two thirds of it."""
    return (
        share is not None
        and count > 0
        and share >= limit
        and wilson(share * count, count)[0] >= limit * limits.surely / limits.nearly_all
    )


def _windows(steps: tuple[Step, ...], limits: Limits) -> list[Step]:
    """Neighbouring steps pooled until each has enough groups."""
    result, waiting = [], []
    for step in steps:
        waiting.append(step)
        if sum(one.groups for one in waiting) >= limits.fewest:
            result.append(pooled(waiting))
            waiting = []
    return result or [pooled(steps)]


def _unknown(evidence: Evidence, late: Step) -> tuple[str, ...]:
    reasons = {
        "reward hacking": late.accuracy is None and "no exact check of the same samples (a column `correct` or `gold`)",
        "bias of the verifier": evidence.audit is None
        and not evidence.checked.counts
        and evidence.reward_gap is None
        and "no audited sample (--audit)",
        "proposer degeneration": not late.proposals and "no rows of a proposer",
        "entropy": late.entropy is None and "no column `entropy`",
    }
    return tuple(f"{name}: {reason}" for name, reason in reasons.items() if reason)


def _ratio(now: float | None, before: float | None) -> float:
    return math.nan if now is None or not before else now / before


def _pairs(early: Step, late: Step, *names: str) -> dict[str, tuple[float | None, float | None]]:
    return {name: (getattr(early, name), getattr(late, name)) for name in names if getattr(late, name) is not None}


def _change(before: float, now: float) -> str:
    return f"from {before:.2f} to {now:.2f}"


def _share(share: float, count: int) -> str:
    low, high = wilson(share * count, count)
    return f"{share:.0%} [{low:.0%}, {high:.0%}]"


def _with_interval(rate: dict[str, Any]) -> str:
    low, high = rate["interval"]
    return f"{'-' if rate['rate'] is None else format(rate['rate'], '.0%')} of the time [{low:.0%}, {high:.0%}]"
