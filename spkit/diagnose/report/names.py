"""What the numbers of a step are called, in what unit they are, and which are drawn together."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

from ..steps import Evidence, Step


@dataclass(frozen=True)
class Quantity:
    """A number of a step: how it is called, and its unit: `share`, `length`, or words to be read."""

    label: str
    unit: str = "share"


QUANTITIES = {
    "useful": Quantity("useful groups"),
    "all_right": Quantity("groups all right"),
    "all_wrong": Quantity("groups all wrong"),
    "merged": Quantity("groups larger than most"),
    "solve_rate": Quantity("solve rate"),
    "accuracy": Quantity("accuracy of the same samples"),
    "held_out": Quantity("test accuracy"),
    "golden": Quantity("answers that are the gold one"),
    "refused": Quantity("gold answers not rewarded"),
    "accepted": Quantity("other answers rewarded"),
    "vote": Quantity("most frequent answer is right"),
    "vote_share": Quantity("samples with the most frequent answer"),
    "between": Quantity("reward variance between groups"),
    "against": Quantity("groups with advantages against rewards"),
    "reward_std": Quantity("spread of the rewards", "standard deviation"),
    "truncated": Quantity("truncated completions"),
    "truncated_right": Quantity("truncated completions with a reward"),
    "repeated": Quantity("completions that end in a repetition"),
    "runs_on": Quantity("completions that go on as another's turn"),
    "reopened": Quantity("completions that open a think tag"),
    "parsed": Quantity("completions with a readable answer"),
    "parsed_right": Quantity("rewarded ones with a readable answer"),
    "extra": Quantity("something beside the answer"),
    "distinct": Quantity("different completions in a group"),
    "distinct_2": Quantity("distinct-2"),
    "entropy": Quantity("entropy", "nats a token"),
    "proposal_entropy": Quantity("entropy of the proposer", "nats a token"),
    "kl": Quantity("KL to the base", "nats a token"),
    "length": Quantity("mean length", "length"),
    "length_p10": Quantity("length that 10% do not reach", "length"),
    "length_p50": Quantity("median length", "length"),
    "length_p90": Quantity("length that 90% do not reach", "length"),
    "tokens": Quantity("mean length in tokens", "tokens"),
    "plain": Quantity("prompts without a mark of a chat"),
    "prefilled": Quantity("prompts that end in an open think tag"),
    "double_bos": Quantity("prompts that begin twice"),
    "valid": Quantity("valid proposals"),
    "duplicates": Quantity("duplicate proposals"),
    "depth": Quantity("proposed depth", "depth"),
    "proposal_length": Quantity("length of a proposal", "length"),
}
COUNTS = ("step", "groups", "proposals", "rows")  # what a step is made of: no curve is drawn of them
NAMED = {  # numbers by reward function, and their unit
    "rewards": Quantity("Reward functions", "mean reward"),
    "reward_shares": Quantity("Share of each reward function in what the groups teach"),
    "reward_varies": Quantity("Groups in which a reward function differs"),
}
PANELS = {  # what is drawn together: at most four lines of one unit
    "What the groups teach": ("useful", "all_right", "all_wrong"),
    "Reward and accuracy": ("solve_rate", "accuracy", "held_out"),
    "Verdicts beside the gold answers": ("golden", "accepted", "refused"),
    "Votes": ("vote", "vote_share"),
    "Variance and advantages": ("between", "against"),
    "Spread of the rewards": ("reward_std",),
    "How completions end": ("truncated", "truncated_right", "repeated", "runs_on"),
    "What completions hold": ("parsed", "parsed_right", "extra", "reopened"),
    "Length": ("length_p50", "length", "length_p10", "length_p90"),
    "Length in tokens": ("tokens",),
    "Diversity": ("distinct", "distinct_2"),
    "Entropy": ("entropy", "proposal_entropy"),
    "Distance to the base": ("kl",),
    "Prompts": ("plain", "prefilled", "double_bos", "merged"),
    "Proposals": ("valid", "duplicates"),
    "Proposed depth": ("depth",),
    "Length of a proposal": ("proposal_length",),
}


LENGTH_BAND = ("length_p10", "length_p90")  # drawn as what lies between them


def panel_title(names: Sequence[str], unit: str) -> str:
    """What a chart of these fields is called: a single one by its name, several by their panel, or by their unit."""
    if len(names) == 1:
        return quantity(names[0]).label.capitalize()
    own = (title for title, panel in PANELS.items() if set(names) <= set(panel))
    return next(own, "Shares" if unit == "share" else unit.capitalize())


def quantity(name: str) -> Quantity:
    """What a field of `Step` is called; a field that is not listed is called by its name."""
    return QUANTITIES.get(name) or Quantity(name.replace("_", " "), name.replace("_", " "))


def unit_of(name: str, evidence: Evidence) -> str:
    """The unit of a field, of lengths the one that the evidence counts in."""
    unit = quantity(name).unit
    return evidence.length_unit if unit == "length" else unit


def numbers_of_a_step() -> list[str]:
    """The fields of `Step` that hold one number, those of the panels first, in their order."""
    drawn = [name for names in PANELS.values() for name in names]
    present = [item.name for item in fields(Step) if item.name not in (*COUNTS, *NAMED)]
    return [name for name in drawn if name in present] + [name for name in present if name not in drawn]
