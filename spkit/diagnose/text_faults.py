"""Faults that the texts show: the wrong template, completions that are cut off, right answers in a form that earns
nothing. They make what is said of rewards unsafe to read, and are judged first.
"""

import re

from .findings import Finding, before_and_after, mostly, share_with_interval, sure
from .role_faults import divergence
from .steps import Evidence, Step
from .thresholds import Thresholds

FORM = re.compile(r"format|think|tag|struct|xml", re.IGNORECASE)  # names of rewards for the form


def template(evidence: Evidence, early: Step, late: Step, limits: Thresholds) -> Finding | None:
    """The policy reads something else than it was made for."""
    signs, shown = [], []
    if mostly(late.double_bos, late.groups, limits.prompts, limits):
        signs.append(f"{late.double_bos:.0%} of the prompts begin with two tokens that begin a text")
        shown.append("double_bos")
    unpaid = [name for name, mean in late.rewards.items() if FORM.search(name) and max(mean, early.rewards[name]) <= 0]
    if mostly(late.prefilled, late.groups, limits.prompts, limits) and (late.reopened or 0) >= limits.surely:
        signs.append(f"the prompts end in an open think tag, and {late.reopened:.0%} of the completions open another")
        shown += ["prefilled", "reopened"]
    elif mostly(late.prefilled, late.groups, limits.prompts, limits) and unpaid:
        signs.append(f"the prompts end in an open think tag, and {unpaid[0]}, which may look for it, is never above 0")
        shown += ["prefilled", "rewards"]
    other = mostly(late.runs_on, late.groups, limits.somebody_else, limits)
    if mostly(late.plain, late.groups, limits.prompts, limits) and other:
        signs.append(
            f"the prompts are plain text without marks of a chat, and {share_with_interval(late.runs_on, late.groups)} "
            "of the completions go on as somebody else's turn"
        )
        shown += ["plain", "runs_on"]
    if not signs:
        return None
    advice = (
        "give prompts as messages, so that the trainer applies the model's chat template, once",
        "print the token ids of one prompt: one token that begins a text, the right turns, no second think tag",
        "write the reward for the form so that it reads prompt and completion together",
    )
    figures = {name: sure(getattr(late, name), late.groups) for name in shown if name != "rewards"}
    return Finding("template", "solver", "; ".join(signs), figures, advice, "notebooks/03, section 13", tuple(shown))


def truncation_fault(evidence: Evidence, early: Step, late: Step, limits: Thresholds) -> Finding | None:
    """Completions are cut off before they say an answer; a policy that broke meanwhile is judged elsewhere."""
    cut = mostly(late.truncated, late.groups, limits.cut, limits)
    other = mostly(late.runs_on, late.groups, limits.somebody_else, limits)
    if not cut and not other:
        return None
    if not other and (late.truncated_right or 0.0) > max(limits.cut, late.solve_rate or 0.0):
        return None  # what is cut is right as often as the rest
    least = min((step.truncated or 0.0 for step in evidence.steps if step.rows), default=0.0)
    if least < limits.cut and divergence(evidence, early, late, limits):
        return None
    text = f"{share_with_interval(late.truncated or 0.0, late.groups)} of the completions are cut off"
    if None not in (late.length_p50, late.length_p90):
        text += (
            f"; half of all are longer than {late.length_p50:.0f} {evidence.length_unit}, one in ten than "
            f"{late.length_p90:.0f}"
        )
    if None not in (late.truncated_right, late.solve_rate):
        text += (
            f"; those that are cut have a solve rate of {late.truncated_right:.2f}, all together {late.solve_rate:.2f}"
        )
    if other:
        text += f"; {late.runs_on:.0%} go on as somebody else's turn after their answer"
    elif least >= limits.never_ends:
        text += "; nearly none ever ended: the limit is too low, or the end token is never sampled"
    figures = {
        "truncated": sure(late.truncated or 0.0, late.groups),
        **before_and_after(early, late, "length", "length_p50", "length_p90", "truncated_right", "runs_on", "parsed"),
    }
    advice = (
        "allow longer completions, or ask for shorter ones, before anything that rewards say is believed",
        "if completions never end: train on the end token, pass it as a stop token, and check the chat template",
        "leave completions that were cut out of the loss (TRL: mask_truncated_completions), or reward ending early",
    )
    name, where = ("never ends", "03, section 6") if other else ("truncated", "06, section 3")
    shown = ("truncated", "length_p50", "length_p90", "parsed", "runs_on")
    return Finding(name, "solver", text, figures, advice, f"notebooks/{where}", shown)


def wrong_form(evidence: Evidence, early: Step, late: Step, limits: Thresholds) -> Finding | None:
    """Right answers are there and earn nothing, or no answer can be read: the form is missing, and not the skill."""
    signs, figures = [], before_and_after(early, late, "parsed", "golden", "refused", "accepted", "solve_rate")
    golden = round((late.golden or 0.0) * late.rows)
    refused = golden >= limits.read and mostly(late.refused, golden, limits.refused, limits)
    if refused and (late.accepted or 0.0) <= limits.accepted:
        signs.append(
            f"{share_with_interval(late.refused, golden)} of the completions whose answer is the gold one have no "
            f"reward, and {late.golden:.0%} of all have that answer"
        )
        figures["refused"] = sure(late.refused, golden)
    unread = None if late.parsed is None else 1 - late.parsed
    read_alike = (late.parsed_right or 0.0) >= limits.readable and (late.solve_rate or 0.0) * late.rows >= limits.read
    lost = divergence(evidence, early, late, limits) is not None  # what is broken has no form either
    if not lost and mostly(unread, late.groups, limits.unread, limits) and read_alike:
        signs.append(
            f"{share_with_interval(unread, late.groups)} of the completions have no answer that can be read, and "
            f"{late.parsed_right:.0%} of the rewarded have one"
        )
        figures["unread"] = sure(unread, late.groups)
    if not signs:
        return None
    advice = (
        "read ten completions without reward: if the answer is there, mend the parser or say in the prompt how to end",
        "give a small reward for the form, or a few updates of supervised fine-tuning on it, before rewards for skill",
        "compare with a lenient check of the same samples: what it adds is format, and not skill",
    )
    shown = ("parsed", "refused", "golden", "solve_rate")
    return Finding("format", "solver", "; ".join(signs), figures, advice, "notebooks/06, section 1", shown)
