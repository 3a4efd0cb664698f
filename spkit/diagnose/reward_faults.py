"""Faults between rewards and updates: advantages that do not follow the rewards, one reward function that drowns the
others, groups that only differ from one another, votes that agree on what is wrong.
"""

from .findings import Finding, before_and_after, from_to, mostly, moved, quarters, share_with_interval, sure
from .scales import MINOR, SKILL
from .steps import Evidence, Step
from .thresholds import Thresholds


def stale_rows(evidence: Evidence, early: Step, late: Step, limits: Thresholds) -> Finding | None:
    """Advantages do not rise with the rewards of the same rows."""
    judged = round((late.useful or 0.0) * late.groups)
    if not mostly(late.against, judged, limits.backwards, limits):
        return None
    text = (
        f"in {share_with_interval(late.against, judged)} of the groups whose rewards differ, advantages do not rise "
        "with them: rows and rewards of different steps were put together, or weights of rewards are not in the log"
    )
    advice = (
        "check that completions, rewards and advantages keep one order through shuffling, filtering and gathering",
        "empty the buffer when rewards are computed again, and log the policy's step beside every row",
        "if reward functions have weights, give them: --reward NAME:WEIGHT",
    )
    figures = {"against": sure(late.against, judged), "against_by_quarter": quarters(evidence.steps, "against")}
    return Finding("stale rows", "solver", text, figures, advice, "notebooks/00, section 4", ("against", "useful"))


def drowned_reward(evidence: Evidence, early: Step, late: Step, limits: Thresholds) -> Finding | None:
    """One reward function decides the advantage, and the one that stands for the skill has no part in it."""
    if len(late.reward_shares) < 2 or not late.groups:
        return None
    top, most = max(late.reward_shares.items(), key=lambda pair: pair[1])
    silent = [
        name
        for name, share in late.reward_shares.items()
        if abs(share) <= limits.drowned
        and mostly(late.reward_varies.get(name), late.groups, limits.differs, limits)
        and not MINOR.search(name)
    ]
    if most < limits.drowns or not silent or SKILL.search(top):
        return None
    name = max(silent, key=lambda one: (SKILL.search(one) is not None, late.reward_varies[one]))
    text = (
        f"{top} makes up {most:.0%} of the variance of the reward within groups and {name} "
        f"{late.reward_shares[name]:.0%}, though {name} differs in "
        f"{share_with_interval(late.reward_varies[name], late.groups)} of the groups"
    )
    advice = (
        f"bring the reward functions to one scale, or give {name} a larger weight",
        "normalise each function within the group before adding them up",
        f"let {top} count only where {name} is right",
    )
    figures = {"shares": dict(late.reward_shares), name: sure(late.reward_varies[name], late.groups)}
    shown = ("reward_shares", "rewards")
    return Finding("drowned reward", "verifier", text, figures, advice, "notebooks/00, section 7", shown)


def between_groups(evidence: Evidence, early: Step, late: Step, limits: Thresholds) -> Finding | None:
    """Rewards differ from problem to problem and not from sample to sample: a group has nothing to compare."""
    alike = (late.all_right or 0.0, late.all_wrong or 0.0)
    if late.between is None or late.between < limits.apart or max(alike) >= limits.nearly_all:
        return None
    values = [step.between for step in evidence.steps[-max(4, len(evidence.steps) // 4) :] if step.between is not None]
    if late.groups < limits.fewest or sum(value >= limits.apart for value in values) < limits.nearly_all * len(values):
        return None
    text = (
        f"{late.between:.0%} of the variance of rewards lies between problems, where no advantage sees it "
        f"(lowest of the last steps {min(values):.0%}, highest {max(values):.0%}); {alike[0]:.0%} of the groups are "
        f"all right, {alike[1]:.0%} all wrong"
    )
    advice = (
        "ask for problems that are solved sometimes: drop those whose groups agree and sample others (DAPO)",
        "more samples a problem, or a higher temperature: a group whose samples are alike teaches nothing",
        "if rewards are graded, check that they grade the completion and not the problem",
    )
    figures = {
        "between": {"rate": late.between, "interval": (min(values), max(values)), "of": len(values)},
        **before_and_after(early, late, "all_right", "all_wrong", "useful", "reward_std"),
    }
    shown = ("between", "useful", "all_right", "all_wrong")
    return Finding("between groups only", "proposer", text, figures, advice, "notebooks/00, section 6", shown)


def vote_against_accuracy(evidence: Evidence, early: Step, late: Step, limits: Thresholds) -> Finding | None:
    """Samples of a problem agree more and are right less often."""
    if None in (early.vote_share, late.vote_share, early.accuracy, late.accuracy):
        return None
    agreed, right = late.vote_share - early.vote_share, late.accuracy - early.accuracy
    if agreed < limits.change or -right < max(limits.change / 2, moved(early, late) / 2):
        return None
    text = (
        f"the share of the most frequent answer goes {from_to(early.vote_share, late.vote_share)} while accuracy goes "
        f"{from_to(early.accuracy, late.accuracy)}: the samples agree on what is wrong"
    )
    advice = (
        "reward by a check, not by agreement; keep a gate that refuses what cannot be checked",
        "stop at the step where accuracy was highest, and judge steps by a held-out set with answers",
        "a vote teaches only where the right answer is already the most frequent one",
    )
    figures = before_and_after(early, late, "vote_share", "vote", "accuracy", "solve_rate")
    figures["accuracy_now"] = sure(late.accuracy, late.groups)
    shown = ("vote_share", "vote", "accuracy")
    return Finding("vote against accuracy", "verifier", text, figures, advice, "notebooks/01, section 5", shown)
