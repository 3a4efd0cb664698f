"""A diagnosis as text, as plain data, and as a figure."""

from dataclasses import asdict
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..run.plots import BLUE, GREEN, GREY, ORANGE, PALETTE, VERMILION, style
from .judge import Diagnosis
from .steps import Step
from .verifier_faults import flip_rates

LABELS = {  # name of a number: how it is called
    "useful": "useful groups",
    "all_right": "groups all right",
    "all_wrong": "groups all wrong",
    "solve_rate": "solve rate",
    "accuracy": "accuracy of the same samples",
    "held_out": "test accuracy",
    "distinct": "different completions in a group",
    "distinct_2": "distinct-2",
    "entropy": "entropy (nats a token)",
    "length": "length",
    "extra": "something beside the answer",
    "kl": "KL to the base (nats a token)",
    "valid": "valid proposals",
    "duplicates": "duplicate proposals",
    "depth": "proposed depth",
    "proposal_length": "length of a proposal",
    "proposal_entropy": "entropy of the proposer",
}


def text(diagnosis: Diagnosis) -> str:
    """The verdict, what is behind each finding, what to try, and what nobody could tell."""
    evidence = diagnosis.evidence
    lines = [f"verdict: {diagnosis.verdict}" + (f" (bottleneck: the {diagnosis.role})" if diagnosis.role else "")]
    for finding in diagnosis.findings:
        lines += [
            "",
            f"{finding.name} ({finding.role}): {finding.text}",
            *(f"  try: {advice}" for advice in finding.advice),
        ]
    if diagnosis.verdict == "undecided":
        lines += ["", f"{diagnosis.late.groups} groups at the end are too few to judge: log more steps"]
    lines += ["", f"{'':<34}   start     end"]
    for name, label in LABELS.items():
        before, now = getattr(diagnosis.early, name), getattr(diagnosis.late, name)
        if now is not None:
            label = f"{label} ({evidence.length_unit})" if "length" in name else label
            lines.append(f"{label:<34}{_number(before):>8}{_number(now):>8}")
    groups = sum(step.groups for step in evidence.steps)
    lines += [
        "",
        (
            f"{len(evidence.steps)} steps, {groups} groups; start and end are a quarter of the steps each, or "
            "more if those have few groups"
        ),
    ]
    lines += [f"read: {note}" for note in evidence.notes]
    lines += [f"not judged: {reason}" for reason in diagnosis.unknown]
    return "\n".join(lines)


def data(diagnosis: Diagnosis) -> dict[str, Any]:
    """The same as plain data, for JSON."""
    evidence = diagnosis.evidence
    return {
        "source": evidence.source,
        "verdict": diagnosis.verdict,
        "role": diagnosis.role,
        "findings": [asdict(finding) for finding in diagnosis.findings],
        "start": _known(diagnosis.early),
        "end": _known(diagnosis.late),
        "audit": None if evidence.audit is None else flip_rates(evidence.audit),
        "length_pays": evidence.length_pays,
        "steps": [_known(step) for step in evidence.steps],
        "not_judged": list(diagnosis.unknown),
        "notes": list(evidence.notes),
        "warnings": list(evidence.warnings),
    }


def figure(diagnosis: Diagnosis) -> Figure:
    """Three panels over the steps: what the groups taught, whether reward stands for accuracy, and diversity
    beside the proposer's shares.
    """
    steps = diagnosis.evidence.steps
    panels = (
        ("groups (%)", (("all_right", BLUE), ("useful", GREEN), ("all_wrong", VERMILION))),
        ("reward and accuracy (%)", (("solve_rate", BLUE), ("accuracy", VERMILION), ("held_out", GREY))),
        ("diversity, proposer (%)", (("distinct", PALETTE[4]), ("valid", GREEN), ("duplicates", ORANGE))),
    )
    with style():
        drawn, axes = plt.subplots(1, len(panels), figsize=(14, 3.7))
        for axis, (label, lines) in zip(axes, panels):
            for (name, color), marker in zip(lines, "os^"):
                points = [(step.step, 100 * value) for step in steps if (value := getattr(step, name)) is not None]
                if points:
                    axis.plot(
                        *zip(*points),
                        color=color,
                        marker=marker,
                        markersize=4 if len(points) < 60 else 0,
                        label=LABELS[name],
                    )
            axis.set(xlabel="step", ylabel=label, ylim=(-3, 103))
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
            if axis.lines:
                axis.legend(loc="best", fontsize=8)
        drawn.suptitle(f"verdict: {diagnosis.verdict}", x=0.01, ha="left", fontsize=12)
    return drawn


def _known(step: Step) -> dict[str, Any]:
    return {name: value for name, value in asdict(step).items() if value is not None}


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"
