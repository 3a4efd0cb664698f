"""Changes over the run that reward does not explain, and prompts that are no fresh ones."""

from .findings import Finding, before_and_after, from_to, mostly, moved, quarters, ratio, share_with_interval, sure
from .steps import Evidence, Step
from .thresholds import Thresholds


def improved(early: Step, late: Step, limits: Thresholds) -> float:
    """The gain in solve rate from which a run counts as better."""
    return max(0.75 * limits.change, moved(early, late) / 2)


def rising_entropy(evidence: Evidence, early: Step, late: Step, limits: Thresholds) -> Finding | None:
    """The policy becomes less and less sure, and not better for it."""
    if evidence.self_play or None in (early.solve_rate, late.solve_rate):
        return None
    gain, signs = late.solve_rate - early.solve_rate, []
    if ratio(late.entropy, early.entropy) >= limits.rising and gain < improved(early, late, limits):
        signs.append(f"entropy went {from_to(early.entropy, late.entropy)} nats a token")
    if ratio(late.distinct_2, early.distinct_2) >= limits.rising and -gain >= max(limits.change, moved(early, late)):
        signs.append(f"different pairs of words went {from_to(early.distinct_2, late.distinct_2)} of all")
    if not signs:
        return None
    text = f"{'; '.join(signs)}, and the solve rate {from_to(early.solve_rate, late.solve_rate)}"
    advice = (
        "lower the entropy bonus, the upper clip or the learning rate: rare tokens are pushed up without a reason",
        "check the verifier for noise, which does the same",
        "sample with top-p 0.95 or a temperature of at most 1, and train on what was sampled",
    )
    figures = before_and_after(early, late, "entropy", "distinct_2", "distinct", "solve_rate", "parsed")
    figures["entropy_by_quarter"] = quarters(evidence.steps, "entropy")
    shown = ("entropy", "distinct_2", "solve_rate")
    return Finding("entropy rising", "solver", text, figures, advice, "notebooks/02, section 4", shown)


def length_drift(evidence: Evidence, early: Step, late: Step, limits: Thresholds) -> Finding | None:
    """Completions get longer or shorter and not better; where a proposer asks for more, they may."""
    if evidence.self_play or None in (early.solve_rate, late.solve_rate):
        return None
    times, gain = ratio(late.length, early.length), late.solve_rate - early.solve_rate
    if not (times >= limits.drift or times <= 1 / limits.drift) or gain >= improved(early, late, limits):
        return None
    parts = quarters(evidence.steps, "length")
    text = (
        f"completions went from {early.length:.0f} to {late.length:.0f} {evidence.length_unit}, and the solve rate "
        f"{from_to(early.solve_rate, late.solve_rate)}"
    )
    advice = (
        "divide the loss by a constant and not by each completion's length (Dr. GRPO); see which reward rises with it",
        "take a small reward off completions near the limit, or for those that are cut (DAPO)",
        "read the longest and the shortest of the last steps: repetition, hedging, or an answer without working?",
    )
    figures = {
        **before_and_after(early, late, "length", "length_p10", "length_p90", "solve_rate", "truncated"),
        "length_by_quarter": parts,
        "length_pays": evidence.length_pays,
    }
    shown = ("length", "length_p10", "length_p50", "length_p90")
    return Finding("length drift", "solver", text, figures, advice, "notebooks/06, section 3", shown)


def duplicate_prompts(evidence: Evidence, early: Step, late: Step, limits: Thresholds) -> Finding | None:
    """A problem is drawn more than once in a step."""
    if evidence.self_play or not mostly(late.merged, late.groups, limits.merged, limits):
        return None
    text = (
        f"{share_with_interval(late.merged, late.groups)} of the groups have twice or more the samples of most: the "
        "same prompt was drawn several times in a step"
    )
    advice = (
        "draw without replacement, and remove duplicates from the problems",
        "if prompts are equal on purpose (a game, one instruction), log what tells the problems apart in the prompt",
    )
    figures = {"merged": sure(late.merged, late.groups)}
    return Finding("duplicate prompts", "proposer", text, figures, advice, "notebooks/02, section 3", ("merged",))


def leaked_test(evidence: Evidence, early: Step, late: Step, limits: Thresholds) -> Finding | None:
    """Prompts of the test set are among those that are trained on."""
    if evidence.leaked is None or not evidence.leaked[0]:
        return None
    hits, total = evidence.leaked
    if hits / total < limits.leaked:
        return None
    text = f"{hits} of the {total} test prompts are trained on, so the test accuracy says less than it seems to"
    advice = (
        "take those prompts out of one of the two, by content and not by index",
        "report the accuracy on the test prompts that were never trained on beside the whole",
    )
    figures = {"leaked": sure(hits / total, total)}
    return Finding("test leak", "proposer", text, figures, advice, "notebooks/01, section 4", ("held_out",))
