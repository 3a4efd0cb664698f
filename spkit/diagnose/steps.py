"""What is known of a run, step by step: the few numbers that the judgement reads, whatever they came from."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields

Z = 1.96  # two-sided 95 %


@dataclass(frozen=True, slots=True)
class Step:
    """One step, or several pooled. Shares in [0, 1]; None is what the log does not say.

    A group is the samples of one problem; `useful` groups have rewards that differ, `all_right` and `all_wrong`
    ones do not. `solve_rate` is the mean reward on the scale from 0, wrong, to 1, right; `accuracy` what an exact
    check says of the same samples, `held_out` the accuracy on a test set, `kl` the distance to the base (nats a
    token). `distinct` is the number of different completions in a group over its size, in groups that are not all
    right; `distinct_2` the same of pairs of neighbouring words. Entropies are in nats a token, `length` and its
    quantiles in `Evidence.length_unit`, `tokens` in tokens.

    Of a step's completions: `truncated` is the share that was cut off, `truncated_right` the solve
    rate of those, `repeated` the share that ends in one short piece of text over and over, `runs_on` the
    share that goes on as somebody else's turn, `reopened` the share that begins with a think tag. Of those whose
    answer was looked for: `parsed` is the share with one, `parsed_right` the same among the rewarded, `refused` the
    share without reward among those whose answer is the gold one, `accepted` the share with reward among the others
    (`golden` of all have the gold answer).

    `reward_std` is the standard deviation of the reward as logged, `between` the share of its variance that lies
    between groups, `against` the share of useful groups in which advantages do not rise with rewards. `rewards` has
    the mean of each reward function, `reward_shares` what each adds to the variance within groups (they add up to
    1), `reward_varies` the share of groups in which it is not the same for all. `vote_share` is the share of a
    group's samples with its most frequent answer, `vote` the share of groups in which that answer is right (as
    checked, else as rewarded). Of the prompts: `plain` has no mark of a chat, `prefilled` ends in an open think tag,
    `double_bos` begins with two tokens that begin a text; `merged` is the share of groups that have twice or more
    the samples of most.
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
    rows: int = 0
    tokens: float | None = None
    length_p10: float | None = None
    length_p50: float | None = None
    length_p90: float | None = None
    truncated: float | None = None
    truncated_right: float | None = None
    repeated: float | None = None
    runs_on: float | None = None
    reopened: float | None = None
    parsed: float | None = None
    parsed_right: float | None = None
    golden: float | None = None
    refused: float | None = None
    accepted: float | None = None
    reward_std: float | None = None
    between: float | None = None
    against: float | None = None
    rewards: dict[str, float] = field(default_factory=dict)
    reward_shares: dict[str, float] = field(default_factory=dict)
    reward_varies: dict[str, float] = field(default_factory=dict)
    vote: float | None = None
    vote_share: float | None = None
    plain: float | None = None
    prefilled: float | None = None
    double_bos: float | None = None
    merged: float | None = None


DICTS = ("rewards", "reward_shares", "reward_varies")  # by name of a reward function
PROPOSER = ("valid", "duplicates", "depth", "proposal_length", "proposal_entropy")


@dataclass(frozen=True)
class Histogram:
    """How a number is spread over the run: at most 24 bins, at most 30 columns of neighbouring steps.

    `edges` has one number more than there are bins, `counts[bin][column]` is the number of completions, and
    `steps[column]` the first step of the column.
    """

    name: str  # length or reward
    edges: tuple[float, ...]
    counts: tuple[tuple[int, ...], ...]
    steps: tuple[int, ...]


@dataclass(frozen=True)
class Example:
    """The best and the worst completion of a prompt by reward; texts of at most 2,000 characters, as are prompts."""

    step: int
    prompt: str
    best: str
    best_reward: float
    worst: str
    worst_reward: float


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

    `audit` holds verdicts of the audited samples, `audited` the same one by one: (step, accepted, right). `leaked` is
    how many of how many test prompts are among the log's, None without a test file. `format` is the writer's name,
    `rewards` the reward functions that were read. `notes` say what was assumed, `warnings` what is wrong.
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
    format: str = ""
    rewards: tuple[str, ...] = ()
    histograms: tuple[Histogram, ...] = ()
    examples: tuple[Example, ...] = ()
    audited: tuple[tuple[int, bool, bool], ...] = ()
    leaked: tuple[int, int] | None = None


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
        if item.name in ("step", "groups", "proposals", "rows"):
            continue
        weights = [(getattr(s, item.name), s.proposals if item.name in PROPOSER else s.groups) for s in steps]
        if item.name in DICTS:
            names = dict.fromkeys(name for values, _ in weights for name in values)
            means = {name: _mean([(values.get(name), weight) for values, weight in weights]) for name in names}
            numbers[item.name] = {name: mean for name, mean in means.items() if mean is not None}
        else:
            numbers[item.name] = _mean(weights)
    counts = {name: sum(getattr(s, name) for s in steps) for name in ("groups", "proposals", "rows")}
    return Step(steps[-1].step, **counts, **numbers)


def _mean(weighted: Iterable[tuple[float | None, float]]) -> float | None:
    """Of (value, weight), without those that are None or weigh nothing; None of nothing."""
    known = [(value, weight) for value, weight in weighted if value is not None and weight]
    return sum(value * weight for value, weight in known) / sum(weight for _, weight in known) if known else None


def window(steps: Iterable[Step], share: float, fewest: int) -> Step:
    """The first steps pooled: `share` of all, and more until they have `fewest` groups.

    Give them reversed for the last ones.
    """
    steps = list(steps)
    count = max(1, int(len(steps) * share))
    while count < len(steps) and sum(s.groups for s in steps[:count]) < fewest:
        count += 1
    return pooled(steps[:count])
