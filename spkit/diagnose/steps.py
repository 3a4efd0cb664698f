"""What is known of a run, step by step: the few numbers that the judgement reads, whatever they came from."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields

Z = 1.96  # two-sided 95 %


@dataclass(frozen=True)
class Step:
    """One step, or several pooled. Shares in [0, 1]; None is what the log does not say.

    A group is the samples of one problem; `useful` groups have rewards that differ, `all_right` and `all_wrong`
    ones do not. `solve_rate` is the mean reward on the scale from 0, wrong, to 1, right; `accuracy` what an exact
    check says of the same samples, `held_out` the accuracy on a test set, `kl` the distance to the base (nats a
    token). `distinct` is the number of different completions in a group over its size, in groups that are not all
    right; `distinct_2` the same of pairs of neighbouring words. Entropies are in nats a token, lengths in
    characters (of logs) or tokens (of records).
    """

    step: int
    groups: int = 0
    useful: float | None = None
    all_right: float | None = None
    all_wrong: float | None = None
    solve_rate: float | None = None
    accuracy: float | None = None
    distinct: float | None = None
    distinct_2: float | None = None
    entropy: float | None = None
    length: float | None = None
    extra: float | None = None
    kl: float | None = None
    held_out: float | None = None
    proposals: int = 0
    valid: float | None = None
    duplicates: float | None = None
    depth: float | None = None
    proposal_length: float | None = None
    proposal_entropy: float | None = None


PROPOSER = ("valid", "duplicates", "depth", "proposal_length", "proposal_entropy")


@dataclass
class Agreement:
    """How often equal samples of one problem got different rewards: a ratio estimate over clusters of equal samples.

    A cluster of m samples weighs m - 1, what it adds to what is known; `d` is the chance that two of it differ.
    """

    clusters: int = 0
    weight: float = 0.0
    weighted: float = 0.0
    squares: tuple[float, float, float] = (0.0, 0.0, 0.0)  # sums of w^2, w^2 d and w^2 d^2

    def add(self, rewards: Counter) -> None:
        """The rewards of a cluster of equal samples, counted."""
        m = rewards.total()
        if m < 2:
            return
        d, w = 1 - sum(count * (count - 1) for count in rewards.values()) / (m * (m - 1)), m - 1
        a, b, c = self.squares
        self.clusters, self.weight, self.weighted = self.clusters + 1, self.weight + w, self.weighted + w * d
        self.squares = (a + w * w, b + w * w * d, c + w * w * d * d)

    def interval(self) -> tuple[float, float, float] | None:
        """(share, low, high) of pairs that differ.

        None without clusters. No difference at all leaves the exact binomial upper end.
        """
        if not self.clusters:
            return None
        share = self.weighted / self.weight
        if share == 0:
            return 0.0, 0.0, 1 - 0.025 ** (1 / self.clusters)
        a, b, c = self.squares
        error = Z * math.sqrt(max(0.0, c - 2 * share * b + share * share * a)) / self.weight
        return share, max(0.0, share - error), min(1.0, share + error)


@dataclass
class Checked:
    """Verdicts beside the truth: how many of each (accepted, right)."""

    counts: Counter = field(default_factory=Counter)

    def wrong_accepted(self) -> tuple[int, int]:
        """(accepted, all) of the samples that are really wrong."""
        return self.counts[True, False], self.counts[True, False] + self.counts[False, False]

    def right_refused(self) -> tuple[int, int]:
        """(refused, all) of the samples that are really right."""
        return self.counts[False, True], self.counts[False, True] + self.counts[True, True]


@dataclass(frozen=True)
class Evidence:
    """All that the judgement reads.

    `audit` holds verdicts of the audited samples; `notes` say what was assumed, `warnings` what is wrong.
    """

    source: str
    steps: tuple[Step, ...]
    texts: Agreement = field(default_factory=Agreement)
    answers: Agreement = field(default_factory=Agreement)
    binary: bool = True
    checked: Checked = field(default_factory=Checked)
    audit: Checked | None = None
    reward_gap: float | None = None
    self_play: bool = False
    accuracy_was_read: bool = False  # off the texts, by their gold answers
    length_unit: str = "characters"
    length_pays: float | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def wilson(count: float, total: float) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson 1927); (0, 1) of nothing."""
    if total <= 0:
        return 0.0, 1.0
    share, shrink = count / total, 1 + Z * Z / total
    middle = (share + Z * Z / (2 * total)) / shrink
    half = Z / shrink * math.sqrt(share * (1 - share) / total + Z * Z / (4 * total * total))
    return max(0.0, middle - half), min(1.0, middle + half)


def pooled(steps: Sequence[Step]) -> Step:
    """Several steps as one: means weighted by the number of groups, or of proposals for what is said of those."""
    numbers = {}
    for item in fields(Step):
        if item.name in ("step", "groups", "proposals"):
            continue
        weights = [(getattr(s, item.name), s.proposals if item.name in PROPOSER else s.groups) for s in steps]
        known = [(value, weight) for value, weight in weights if value is not None and weight]
        numbers[item.name] = sum(v * w for v, w in known) / sum(w for _, w in known) if known else None
    return Step(
        steps[-1].step, groups=sum(s.groups for s in steps), proposals=sum(s.proposals for s in steps), **numbers
    )


def window(steps: Iterable[Step], share: float, fewest: int) -> Step:
    """The first steps pooled: `share` of all, and more until they have `fewest` groups.

    Give them reversed for the last ones.
    """
    steps = list(steps)
    count = max(1, int(len(steps) * share))
    while count < len(steps) and sum(s.groups for s in steps[:count]) < fewest:
        count += 1
    return pooled(steps[:count])
