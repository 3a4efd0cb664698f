"""What the numbers of a step are called, in what unit they are, and which are drawn together."""

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
    "solve_rate": Quantity("solve rate"),
    "accuracy": Quantity("accuracy of the same samples"),
    "held_out": Quantity("test accuracy"),
    "vote": Quantity("most frequent answer rewarded"),
    "between": Quantity("reward variance between groups"),
    "reward_std": Quantity("spread of the rewards", "standard deviation"),
    "truncated": Quantity("truncated completions"),
    "parsed": Quantity("completions with a readable answer"),
    "extra": Quantity("something beside the answer"),
    "distinct": Quantity("different completions in a group"),
    "distinct_2": Quantity("distinct-2"),
    "entropy": Quantity("entropy", "nats a token"),
    "proposal_entropy": Quantity("entropy of the proposer", "nats a token"),
    "kl": Quantity("KL to the base", "nats a token"),
    "length": Quantity("mean length", "length"),
    "length_p10": Quantity("length, 10 % are shorter", "length"),
    "length_p50": Quantity("length, median", "length"),
    "length_p90": Quantity("length, 10 % are longer", "length"),
    "tokens": Quantity("length in tokens", "tokens"),
    "valid": Quantity("valid proposals"),
    "duplicates": Quantity("duplicate proposals"),
    "depth": Quantity("proposed depth", "depth"),
    "proposal_length": Quantity("length of a proposal", "length"),
}
COUNTS = ("step", "groups", "proposals", "rows")  # what a step is made of: no curve is drawn of them
PANELS = {  # what is drawn together: at most four lines of one unit
    "What the groups teach": ("useful", "all_right", "all_wrong", "between"),
    "Reward and accuracy": ("solve_rate", "accuracy", "held_out", "vote"),
    "Completions that end, and can be read": ("truncated", "parsed", "extra"),
    "Length": ("length_p10", "length_p50", "length_p90", "length"),
    "Length in tokens": ("tokens",),
    "Diversity": ("distinct", "distinct_2"),
    "Entropy": ("entropy", "proposal_entropy"),
    "Spread of the rewards": ("reward_std",),
    "Distance to the base": ("kl",),
    "Proposals": ("valid", "duplicates"),
    "Proposed depth": ("depth",),
    "Length of a proposal": ("proposal_length",),
}


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
    present = [item.name for item in fields(Step) if item.name not in (*COUNTS, "rewards")]
    return [name for name in drawn if name in present] + [name for name in present if name not in drawn]
