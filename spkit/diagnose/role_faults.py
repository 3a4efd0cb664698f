"""Faults of the solver and of the proposer."""

from .findings import (
    Finding,
    before_and_after,
    from_to,
    mostly,
    moved,
    quarters,
    ratio,
    share_with_interval,
    sure,
    windows,
)
from .steps import Evidence, Step, wilson
from .thresholds import Thresholds


def divergence(evidence: Evidence, early: Step, late: Step, limits: Thresholds) -> Finding | None:
    """The policy could do it and no longer can, on problems that did not change; or it no longer writes text."""
    name = "held_out" if evidence.self_play else "solve_rate"
    best = max(windows(evidence.steps, limits), key=lambda step: getattr(step, name) or 0.0)
    signs = [*_lost(evidence, name, best, late, limits), *_broken(evidence, early, late, limits)]
    if not signs:
        return None
    names = (name, "held_out", "entropy", "kl", "length", "repeated")
    figures = {**before_and_after(best, late, *names), "best_step": best.step}
    if late.repeated is not None:
        figures["repeated_now"] = sure(late.repeated, late.groups)
    advice = (
        "go back to a checkpoint from before, with a learning rate three to ten times lower",
        "clip the gradient, add a KL term to the base, or take fewer updates a batch",
        "if the problems were made harder on purpose meanwhile, this is starvation: ask easier ones",
    )
    shown = ("solve_rate", "held_out", "length", "repeated", "kl")
    return Finding("divergence", "solver", "; ".join(signs), figures, advice, "notebooks/01, section 8", shown)


def _lost(evidence: Evidence, name: str, best: Step, late: Step, limits: Thresholds) -> list[str]:
    before, now = getattr(best, name), getattr(late, name)
    if before is None or now is None or now > limits.lost * before:
        return []
    solved = [
        (getattr(s, name) if evidence.self_play or s.useful is None else s.useful + s.all_right) * s.groups
        for s in (best, late)
    ]
    if wilson(solved[0], best.groups)[0] <= wilson(solved[1], late.groups)[1]:
        return []
    what = "test accuracy" if evidence.self_play else "solve rate"
    return [f"the {what} was {before:.2f} up to step {best.step} and is {now:.2f} at the end"]


def _broken(evidence: Evidence, early: Step, late: Step, limits: Thresholds) -> list[str]:
    """Signs in the texts: one piece over and over, a length or a distance to the base that grows without a gain."""
    signs, gain = [], (late.solve_rate or 0.0) - (early.solve_rate or 0.0)
    least = min(step.repeated or 0.0 for step in evidence.steps)
    if mostly(late.repeated, late.groups, limits.broken, limits) and least < limits.broken / 2:
        text = share_with_interval(late.repeated, late.groups)
        signs.append(f"{text} of the completions end in one piece of text over and over")
    if evidence.self_play or gain >= 0:
        return signs
    if ratio(late.length, early.length) >= limits.exploding and -gain >= max(limits.change, moved(early, late)):
        signs.append(f"completions went from {early.length:.0f} to {late.length:.0f} {evidence.length_unit}")
    if (late.kl or 0.0) >= limits.kl and ratio(late.kl, early.kl) >= limits.exploding:
        signs.append(f"the KL to the base went {from_to(early.kl, late.kl)} nats a token")
    return signs


def degeneration(evidence: Evidence, early: Step, late: Step, limits: Thresholds) -> Finding | None:
    """The proposer repeats itself, writes what the gate refuses, or drifts to what is trivial."""
    signs = []
    if mostly(late.duplicates, late.proposals, limits.duplicates, limits):
        signs.append(f"{late.duplicates:.0%} of the proposals are duplicates")
    if mostly(None if late.valid is None else 1 - late.valid, late.proposals, limits.invalid, limits):
        signs.append(f"{1 - late.valid:.0%} of the proposals are invalid")
    what = "depth" if late.depth is not None else "proposal_length"
    shorter = ratio(getattr(late, what), getattr(early, what))
    if shorter <= limits.shallower and (late.solve_rate or 0.0) >= limits.solved:
        signs.append(
            f"the proposals' {what.split('_')[-1]} fell to {shorter:.0%} of what it was, and "
            f"{late.solve_rate:.0%} of the attempts are right"
        )
    if not signs:
        return None
    figures = before_and_after(
        early, late, "valid", "duplicates", "depth", "proposal_length", "proposal_entropy", "solve_rate"
    )
    advice = (
        "reward no duplicates and no invalid proposals, and less the problems that are always solved",
        "show the proposer a few problems from a buffer and ask for a different one",
        "hold the proposer near the base: a KL term, a frozen copy, or a lower learning rate for its role",
    )
    return Finding(
        "proposer degeneration",
        "proposer",
        "; ".join(signs),
        figures,
        advice,
        "notebooks/01, section 6",
        ("valid", "duplicates", "depth", "proposal_length"),
    )


def mode_collapse(evidence: Evidence, early: Step, late: Step, limits: Thresholds) -> Finding | None:
    """Samples of a problem are copies of each other while problems are still unsolved."""
    if late.all_right is None or 1 - late.all_right < limits.unsolved:
        return None
    signs = []
    if late.distinct is not None and late.distinct <= min(limits.copies, limits.narrowed * (early.distinct or 0.0)):
        signs.append(
            f"different completions in a group, where not all are right, went {from_to(early.distinct, late.distinct)}"
        )
    if ratio(late.entropy, early.entropy) <= limits.spent:
        signs.append(f"entropy went {from_to(early.entropy, late.entropy)} nats a token")
    if not signs:
        return None
    figures = before_and_after(early, late, "distinct", "distinct_2", "entropy", "all_right", "useful", "solve_rate")
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
        "notebooks/00, section 6",
        ("distinct", "distinct_2", "entropy"),
    )


def saturation(evidence: Evidence, early: Step, late: Step, limits: Thresholds) -> Finding | None:
    """Nearly all groups are right: the solver has nothing to learn from what it is asked."""
    if not mostly(late.all_right, late.groups, limits.nearly_all, limits):
        return None
    text = (
        f"{share_with_interval(late.all_right, late.groups)} of the groups are all right, {late.useful:.0%} are useful"
    )
    advice = (
        "ask harder problems, or reward the proposer for problems of middling solve rate",
        "leave solved problems out and sample others in their place",
        "stop here if the held-out accuracy is what you wanted",
    )
    return Finding(
        "saturation",
        "solver",
        text,
        {
            **before_and_after(early, late, "useful", "solve_rate", "held_out"),
            "all_right": sure(late.all_right, late.groups),
            "all_right_by_quarter": quarters(evidence.steps, "all_right"),
        },
        advice,
        "notebooks/00, section 4",
        ("all_right", "useful", "all_wrong"),
    )


def starvation(evidence: Evidence, early: Step, late: Step, limits: Thresholds) -> Finding | None:
    """Nearly no group teaches anything, and not because it is solved."""
    too_hard = mostly(late.all_wrong, late.groups, limits.nearly_all, limits)
    none_useful = (
        late.useful is not None
        and late.useful <= limits.useless
        and wilson(late.useful * late.groups, late.groups)[1] <= limits.surely
    )
    solved = mostly(late.all_right, late.groups, limits.nearly_all, limits)
    if not too_hard and (solved or not none_useful):
        return None
    text = (
        f"{share_with_interval(late.all_wrong, late.groups)} of the groups are all wrong, {late.all_right:.0%} all "
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
        "starvation",
        "proposer",
        text,
        {
            **before_and_after(early, late, "all_right", "useful", "solve_rate"),
            "all_wrong": sure(late.all_wrong, late.groups),
            "all_wrong_by_quarter": quarters(evidence.steps, "all_wrong"),
        },
        advice,
        "notebooks/00, section 4",
        ("all_wrong", "useful", "all_right"),
    )
