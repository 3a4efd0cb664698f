"""What `spkit.diagnose.totals` counts column by column, counted here row by row: the first implementation, kept as its
oracle.
"""

import math
from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from spkit.diagnose.steps import Agreement, Checked, Evidence, Step
from spkit.diagnose.texts import final_answer, gold_answer, has_extra, shortened, words
from spkit.run.errors import SpkitError

OPEN_STEPS = 4  # steps whose rows may still come, in any order among them
OPEN_ROWS = 1 << 16  # rows of a step that are compared with one another; a larger step is treated as several
VALUES = 64  # different rewards of a step that are told apart in groups that agree
WORD_PAIRS = 1000  # pairs of words looked at in a step
REMEMBERED = 500_000  # proposals by which later ones are known as duplicates


@dataclass(frozen=True)
class Row:
    """One completion, as a batch has it; the gold answer in the spelling of `texts.gold_answer`."""

    step: int
    prompt: str
    completion: str
    reward: float
    role: str = "solver"
    gold: str | None = None
    correct: bool | None = None
    entropy: float | None = None
    depth: float | None = None
    valid: bool | None = None
    fault: str | None = None


def as_row(raw: dict) -> Row:
    """A row of a batch."""
    known = {name: raw[name] for name in Row.__dataclass_fields__ if raw.get(name) is not None}
    if "gold" in known:
        known["gold"] = gold_answer(known["gold"]) or None
    return Row(**{"reward": 0.0, **known})


@dataclass
class _Group:
    """The samples of one problem in one step."""

    rewards: list[float] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    texts: dict[int, Counter] = field(default_factory=dict)
    answers: dict[str, Counter] = field(default_factory=dict)


@dataclass
class _Step:
    """A step under way: the groups go when it is closed, the sums stay."""

    number: int
    open: dict[int, _Group] = field(default_factory=dict)
    open_rows: int = 0
    groups: int = 0
    useful: int = 0
    distinct: float = 0.0  # sum over useful groups
    flat: dict[float, list[float]] = field(default_factory=dict)  # reward: [groups that agree on it, sum of distinct]
    sums: Counter = field(default_factory=Counter)
    pairs: set[int] = field(default_factory=set)
    words: int = 0


class RowTotals:
    """Everything about a log that is kept; `add` rows, then ask for the `evidence`."""

    def __init__(self) -> None:
        self.under_way: OrderedDict[int, _Step] = OrderedDict()
        self.closed: list[_Step] = []
        self.texts, self.answers = Agreement(), Agreement()
        self.low, self.high, self.values = math.inf, -math.inf, set[float]()
        self.verdicts: Counter = Counter()  # (reward, right) of rows that say whether they are right
        self.seen: set[int] = set()
        self.late: set[int] = set()
        self.by_gold = False
        self.moments = [0.0, 0.0, 0.0]  # within groups: length x reward, length^2, reward^2

    def add(self, row: Row) -> None:
        """One row; its step is opened, and the oldest open one closed if there are too many."""
        step = self.under_way.get(row.step)
        if step is None:
            step = self.under_way[row.step] = _Step(row.step)
            if len(self.under_way) > OPEN_STEPS:
                self._close(self.under_way.popitem(last=False)[1])
        (self._propose if row.role == "proposer" else self._solve)(step, row)
        if step.open_rows >= OPEN_ROWS:
            self.late.add(row.step)
            self._close_groups(step)

    def _propose(self, step: _Step, row: Row) -> None:
        key = hash(" ".join(row.completion.split()).lower())
        sums = step.sums
        sums["proposals"] += 1
        sums["duplicates"] += key in self.seen or row.fault == "duplicate"
        if len(self.seen) < REMEMBERED:
            self.seen.add(key)
        sums["proposal_length"] += len(row.completion)
        for name, value in (("valid", row.valid), ("depth", row.depth), ("proposal_entropy", row.entropy)):
            if value is not None:
                sums[name] += value
                sums[f"{name}?"] += 1

    def _solve(self, step: _Step, row: Row) -> None:
        reward, text, sums = round(row.reward, 6), shortened(row.completion), step.sums
        group = step.open.setdefault(hash(row.prompt), _Group())
        step.open_rows += 1
        group.rewards.append(reward)
        group.lengths.append(len(row.completion))
        group.texts.setdefault(hash(row.completion), Counter())[reward] += 1
        answer = final_answer(text)
        if answer is not None:
            group.answers.setdefault(answer, Counter())[reward] += 1
        sums["rows"] += 1
        sums["reward"] += reward
        sums["length"] += len(row.completion)
        sums["extra"] += has_extra(text, row.gold)
        if row.entropy is not None:
            sums["entropy"] += row.entropy
            sums["entropy?"] += 1
        if row.correct is not None:
            self.verdicts[reward, row.correct] += 1
        right = row.correct if row.correct is not None or row.gold is None else answer == row.gold
        if right is not None:
            sums["correct"] += right
            sums["correct?"] += 1
        self.by_gold |= right is not None and row.correct is None
        if step.words < WORD_PAIRS:
            pairs = [hash(pair) for pair in pairwise(words(text))][: WORD_PAIRS - step.words]
            step.words += len(pairs)
            step.pairs.update(pairs)
        self.low, self.high = min(self.low, reward), max(self.high, reward)
        if len(self.values) <= 2:
            self.values.add(reward)

    def _close(self, step: _Step) -> None:
        self._close_groups(step)
        step.sums["pairs"], step.pairs = len(step.pairs), set()
        self.closed.append(step)

    def _close_groups(self, step: _Step) -> None:
        for group in step.open.values():
            size = len(group.rewards)
            for agreement, clusters in ((self.texts, group.texts), (self.answers, group.answers)):
                for rewards in clusters.values():
                    agreement.add(rewards)
            if size < 2:
                continue
            step.groups += 1
            different = len(group.texts) / size
            if min(group.rewards) < max(group.rewards):
                step.useful += 1
                step.distinct += different
                self._moments(group)
            else:
                key = group.rewards[0]
                if key not in step.flat and len(step.flat) >= VALUES:
                    key = min(step.flat, key=lambda value: abs(value - group.rewards[0]))
                entry = step.flat.setdefault(key, [0, 0.0])
                entry[0] += 1
                entry[1] += different
        step.open, step.open_rows = {}, 0

    def _moments(self, group: _Group) -> None:
        size = len(group.rewards)
        length, reward = sum(group.lengths) / size, sum(group.rewards) / size
        for own, earned in zip(group.lengths, group.rewards):
            products = (own - length) * (earned - reward), (own - length) ** 2, (earned - reward) ** 2
            self.moments = [total + product for total, product in zip(self.moments, products)]

    def evidence(self, source: str, notes: Iterable[str], warnings: Iterable[str]) -> Evidence:
        """Close what is open. Raises SpkitError if no problem has two samples in one step, which
        leaves nothing to compare.
        """
        while self.under_way:
            self._close(self.under_way.popitem(last=False)[1])
        repeated = {number for number, count in Counter(step.number for step in self.closed).items() if count > 1}
        if not any(step.groups for step in self.closed):
            why = "its steps are out of order: sort the rows by step" if repeated else "log every sample of a group"
            raise SpkitError(f"{source}: no problem has two samples in one step, so there is nothing to compare: {why}")
        low, high = scale(self.low, self.high)
        middle = (low + high) / 2
        notes, warnings = list(notes), list(warnings)
        if self.low == self.high:
            read = "right, since it is above 0" if self.low > 0 else "wrong, since it is not above 0"
            warnings.append(f"every reward is {self.low:g}: read as {read}")
            middle = 0.0
        if repeated | self.late:
            warnings.append(
                f"steps {_some(repeated | self.late)} are too large or out of order, and were read as "
                "several: their groups may be split"
            )
        notes.append(
            f"rewards from {self.low:g} to {self.high:g} are read as 0 at {low:g} and 1 at {high:g}; above "
            f"{middle:g} is right"
        )
        if self.by_gold:
            notes.append("accuracy: the final answer, as far as it can be read, is the gold one")
        checked = Checked()
        for (reward, right), count in self.verdicts.items():
            checked.counts[reward > middle, right] += count
        covariance, length, reward = self.moments
        return Evidence(
            source,
            tuple(sorted((self._step(step, low, high, middle) for step in self.closed), key=lambda step: step.step)),
            self.texts,
            self.answers,
            len(self.values) <= 2,
            checked,
            self_play=any(step.sums["proposals"] for step in self.closed),
            accuracy_was_read=self.by_gold,
            length_pays=covariance / math.sqrt(length * reward) if length > 0 and reward > 0 else None,
            notes=tuple(notes),
            warnings=tuple(warnings),
        )

    def _step(self, step: _Step, low: float, high: float, middle: float) -> Step:
        sums, groups, rows, made = step.sums, step.groups, step.sums["rows"], step.sums["proposals"]
        right = sum(count for value, (count, _) in step.flat.items() if value > middle)
        wrong = sum(count for value, (count, _) in step.flat.items() if value <= middle)
        different = step.distinct + sum(total for value, (_, total) in step.flat.items() if value <= middle)
        mean = (
            None
            if not rows
            else (float(self.low > 0) if self.low == self.high else (sums["reward"] / rows - low) / (high - low))
        )
        return Step(
            step.number,
            groups,
            *(count / groups if groups else None for count in (step.useful, right, wrong)),
            mean,
            _over(sums, "correct"),
            different / (step.useful + wrong) if step.useful + wrong else None,
            sums["pairs"] / step.words if step.words else None,
            _over(sums, "entropy"),
            sums["length"] / rows if rows else None,
            sums["extra"] / rows if rows else None,
            proposals=made,
            valid=_over(sums, "valid"),
            duplicates=sums["duplicates"] / made if made else None,
            depth=_over(sums, "depth"),
            proposal_length=sums["proposal_length"] / made if made else None,
            proposal_entropy=_over(sums, "proposal_entropy"),
        )


def scale(low: float, high: float) -> tuple[float, float]:
    """The rewards that mean wrong and right: 0 and 1, or -1 and 1, if all lie between.

    Else the lowest and highest there are.
    """
    if 0 <= low and high <= 1:
        return 0.0, 1.0
    return (-1.0, 1.0) if -1 <= low and high <= 1 else (low, max(high, low + 1e-9))


def _over(sums: Counter, name: str) -> float | None:
    return sums[name] / sums[f"{name}?"] if sums[f"{name}?"] else None


def _some(numbers: set[int]) -> str:
    shown = sorted(numbers)
    return ", ".join(map(str, shown[:5])) + (", ..." if len(shown) > 5 else "")
