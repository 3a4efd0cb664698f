"""What claims read from the records of one run: `final`, `base`, `gain`, `at`, `early`, `late`, `rise`, `first_above`,
`passing`, `at_shared`, `on_the_way`. Each gives a term (`spkit.claims.terms`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from statistics import fmean
from typing import Any

from ..run.errors import SpkitError
from .terms import Number, Reading, RunRecords, Runs, Term

TEN = 10  # iterations that `early` and `late` look at


def final(run: str, number: str | Number) -> Term:
    """After the last iteration."""
    return _reading(run, number, "final {}", "final", _last)


def base(run: str, number: str | Number) -> Term:
    """Before the first iteration."""
    return _reading(run, number, "base {}", "base", _first)


def gain(run: str, number: str | Number) -> Term:
    """From before the first iteration to after the last."""
    return _reading(run, number, "gain in {}", "gain", _last, _first)


def at(run: str, number: str | Number, **where: Any) -> Term:
    """In the record where a key has a value: `iteration=40`, `temperature=1.3`."""
    ((key, value),) = where.items()
    when = f"{key.replace('_', ' ')} {value}"
    return _reading(run, number, f"{{}} at {when}", when, partial(_where, key, value))


def early(run: str, number: str | Number) -> Term:
    """The mean over the first ten iterations, those without it left out."""
    return _reading(run, number, "{} over the first ten iterations", "first ten iterations", _first_ten)


def late(run: str, number: str | Number) -> Term:
    """The mean over the last ten iterations, those without it left out."""
    return _reading(run, number, "{} over the last ten iterations", "last ten iterations", partial(_last_ten, None))


def rise(run: str, number: str | Number, until: int | None = None) -> Term:
    """`late` minus `early`, as if iteration `until` were the last."""
    last = f"ten up to iteration {until}" if until else "last ten"
    what = f"rise of {{}} from the first ten iterations to the {last}"
    return _reading(run, number, what, "rise", partial(_last_ten, until), _first_ten)


@dataclass(frozen=True)
class SharedReading(Reading):
    """A reading at the largest total of `budget` that all of the runs `among` reach, or (`whole`) the mean on the way
    there: linear between two records.
    """

    value: Number
    budget: str
    among: tuple[str, ...]
    whole: bool = False

    @property
    def runs(self) -> tuple[str, ...]:
        """Its own run first."""
        return tuple(dict.fromkeys((self.run, *self.among)))

    def of(self, runs: Runs) -> float:
        """The number."""
        reach = min(spent(runs[name][-1], self.budget) for name in self.runs)
        points = [(spent(one, self.budget), self.value.of(one)) for one in runs[self.run]]
        there = [point for point in points if point[1] is not None]
        return (mean_up_to if self.whole else interpolated)(there, reach, str(self))


def spent(record: Mapping[str, Any], budget: str) -> int:
    """What a run has spent up to a record: `optimizer_steps`, or `sampled_tokens` with the gold tokens that were read,
    which stand in for them where nothing is sampled.
    """
    return record[budget] + ((record.get("gold_tokens") or 0) if budget == "sampled_tokens" else 0)


def interpolated(points: Sequence[tuple[float, float]], place: float, name: str) -> float:
    """The value at `place` on the line through points whose places do not fall; of equal places the last.

    Raises SpkitError if it is outside of them.
    """
    for (start, low), (end, high) in pairwise(points):
        if start <= place < end:
            return low + (high - low) * (place - start) / (end - start)
    if points and place == points[-1][0]:
        return points[-1][1]
    raise SpkitError(f"{name} was not measured at {place:,}: measure after the base and after the last iteration")


def mean_up_to(points: Sequence[tuple[float, float]], place: float, name: str) -> float:
    """The mean height, from the first point to `place`, of the line through points. Raises as `interpolated` does."""
    line = [point for point in points if point[0] < place] + [(place, interpolated(points, place, name))]
    area = sum((low + high) / 2 * (end - start) for (start, low), (end, high) in pairwise(line))
    return area / (place - line[0][0]) if len(line) > 1 else line[0][1]


def at_shared(run: str, number: str | Number, budget: str, among: tuple[str, ...]) -> Term:
    """At the largest `budget` (`sampled_tokens`, `optimizer_steps`, `compute_tokens`) that all runs `among` reach."""
    words, number = budget.replace("_", " "), number_of(number)
    what = f"{{}} at the most {words} that all runs have"
    return SharedReading(run, str(number), what, f"at equal {words}", fmean, number, budget, among)


def on_the_way(run: str, number: str | Number, budget: str, among: tuple[str, ...]) -> Term:
    """The mean over all that `budget` from the base to where `at_shared` reads: higher if a run rises sooner."""
    words, number = budget.replace("_", " "), number_of(number)
    what = f"mean {{}} up to the most {words} that all runs have"
    return SharedReading(run, str(number), what, f"up to equal {words}", fmean, number, budget, among, whole=True)


def first_above(run: str, number: Number, threshold: float) -> Term:
    """The first iteration with a number above a threshold, one past the end if there is none; the mean over levels."""
    what = f"first iteration with {{}} above {threshold:g}, mean over levels"
    return Reading(run, str(number), what, "", partial(_mean_first_above, number, threshold))


def passing(run: str, number: Number, threshold: float) -> Term:
    """How many levels of a number come to pass a threshold that they are not above in the base."""
    what = f"how many levels of {{}} come to pass {threshold:g}"
    return Reading(run, str(number), what, "", partial(_passing, number, threshold))


def first_iteration_above(records: RunRecords, number: Number, threshold: float) -> int | None:
    """None if there is none. Raises LookupError if a record does not have the number."""
    for record in records:
        value = number.of(record)
        if value is None:
            raise LookupError(f"no {number} in a record")
        if value > threshold:
            return record["iteration"]
    return None


def _reading(
    run: str, number: str | Number, what: str, when: str, later: Callable, earlier: Callable | None = None
) -> Reading:
    number = number_of(number)
    return Reading(run, str(number), what, when, partial(_mean_change, number, later, earlier))


def number_of(number: str | Number) -> Number:
    """The number itself, or that of a path."""
    return number if isinstance(number, Number) else Number(number)


def _mean_change(number: Number, later: Callable, earlier: Callable | None, records: RunRecords) -> float:
    value = _mean(number, later(records))
    return value if earlier is None else value - _mean(number, earlier(records))


def _mean(number: Number, records: RunRecords) -> float:
    values = [value for value in map(number.of, records) if value is not None]
    if not values:
        raise LookupError(f"no {number} in {len(records)} records")
    return fmean(values)


def _last(records: RunRecords) -> RunRecords:
    return records[-1:]


def _first(records: RunRecords) -> RunRecords:
    return records[:1]


def _where(key: str, value: Any, records: RunRecords) -> RunRecords:
    return [record for record in records if record.get(key) == value]


def _first_ten(records: RunRecords) -> RunRecords:
    return records[1 : TEN + 1]


def _last_ten(until: int | None, records: RunRecords) -> RunRecords:
    return records[1 : until + 1 if until else None][-TEN:]


def _mean_first_above(number: Number, threshold: float, records: RunRecords) -> float:
    never = records[-1]["iteration"] + 1
    found = [first_iteration_above(records, level, threshold) for level in number.each]
    return fmean(never if first is None else first for first in found)


def _passing(number: Number, threshold: float, records: RunRecords) -> float:
    found = [first_iteration_above(records, level, threshold) for level in number.each]
    return float(sum(first is not None and first > 0 for first in found))
