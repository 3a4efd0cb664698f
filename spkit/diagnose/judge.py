"""Which role holds a run back: from steps to findings.

The signs are those the literature reports. Groups whose samples all earn the same move nothing (DAPO,
arXiv:2503.14476), whether the problems are too easy or too hard; a proposer is rewarded for problems in between
(Absolute Zero, arXiv:2505.03335). A validity gate keeps self-play from breaking down, and the share of votes pulling
away from the true accuracy is how a reward without a check shows (arXiv:2605.22217). Entropy is spent for reward, and
with it what could still be learned (arXiv:2505.22617).

A share is only judged against its limit with its 95 % interval beside it; a change compares the first and the
last quarter of the steps.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from .drift_faults import duplicate_prompts, leaked_test, length_drift, rising_entropy
from .findings import Finding, Role
from .reward_faults import between_groups, drowned_reward, stale_rows, vote_against_accuracy
from .role_faults import degeneration, divergence, mode_collapse, saturation, starvation
from .steps import Evidence, Step, window
from .text_faults import template, truncation_fault, wrong_form
from .thresholds import DEFAULT, Thresholds
from .verifier_faults import hacking, noise


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


def diagnose(evidence: Evidence, limits: Thresholds = DEFAULT) -> Diagnosis:
    """The findings, those first that make the others unsafe to read: texts that are cut off or in the wrong form, a
    wrong verifier, a broken policy, then what is asked.
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


Judge = Callable[[Evidence, Step, Step, Thresholds], Finding | None]
JUDGES: tuple[Judge, ...] = (
    # what makes rewards unsafe to read
    *(template, truncation_fault, wrong_form),
    # what makes them say something else
    *(hacking, noise, stale_rows, drowned_reward),
    # what broke the policy
    *(divergence, degeneration, mode_collapse, vote_against_accuracy, rising_entropy),
    # what is asked
    *(saturation, between_groups, starvation, duplicate_prompts, length_drift, leaked_test),
)


def _unknown(evidence: Evidence, late: Step) -> tuple[str, ...]:
    reasons = {
        "reward hacking": late.accuracy is None and "no exact check of the same samples (a column `correct` or `gold`)",
        "bias of the verifier": evidence.audit is None
        and not evidence.checked.counts
        and evidence.reward_gap is None
        and "no audited sample (--audit)",
        "proposer degeneration": not late.proposals and "no rows of a proposer",
        "entropy": late.entropy is None and "no column `entropy`",
        "stale rows": late.against is None and "no column `advantage`",
        "test leak": evidence.leaked is None and "no test file (--test)",
    }
    return tuple(f"{name}: {reason}" for name, reason in reasons.items() if reason)
