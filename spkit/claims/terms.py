"""The expressions of which claims are made: numbers read from the records of runs, their differences, a threshold.

    final("em", "accuracy") - final("em-random", "accuracy") > 0

is a `Criterion`; `spkit.claims.readings` has `final` and what else can be read. Nothing is computed when it is written:
`term.of(runs)` gives its number, `term.runs` the runs it reads, and `str` what it says in words, which is what the
ledger prints. A record's number is named by its path ("accuracy", "pass_at_k.16"), or is a `Number` with words of its
own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal

from ..run.errors import SpkitError

RunRecords = list[dict[str, Any]]  # of one run, iteration 0 first
Runs = Mapping[str, RunRecords]  # by the name of the experiment


@dataclass(frozen=True)
class Number:
    """What a record says at a path of keys with dots between; of several `levels` below it the mean, or the total."""

    path: str
    words: str = ""  # by default the path's own
    levels: tuple[str, ...] = ()
    total: bool = False
    missing: float | None = None  # stands for what a record does not have

    def of(self, record: Mapping[str, Any]) -> float | None:
        """The number, None where the record has none."""
        if not self.levels:
            return _found(record, self.path.split("."), self.missing)
        values = [number.of(record) for number in self.each]
        return None if None in values else sum(values) if self.total else fmean(values)

    @property
    def each(self) -> list["Number"]:
        """The number of every level."""
        return [Number(f"{self.path}.{level}", f"{self} {level}", missing=self.missing) for level in self.levels]

    def __str__(self) -> str:
        return self.words or self.path.replace("_", " ").replace(".", " ")


def _found(value: Any, keys: Sequence[str], missing: float | None) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return missing if value is None else value


class Term:
    """A number that is computed from the records of runs when it is asked for."""

    runs: tuple[str, ...]

    def of(self, runs: Runs) -> float:
        """The number. Raises SpkitError if the records do not have it."""
        raise NotImplementedError

    def __sub__(self, other: "Term") -> "Term":
        return TwoTerms(self, other, "minus")

    def __truediv__(self, other: "Term | float") -> "Term":
        return TwoTerms(self, other if isinstance(other, Term) else Constant(other), "divided by")

    def __abs__(self) -> "Term":
        return Of((self,), abs, "the absolute value")

    def __gt__(self, threshold: float) -> "Criterion":
        return Criterion(self, ">", threshold)

    def __lt__(self, threshold: float) -> "Criterion":
        return Criterion(self, "<", threshold)


@dataclass(frozen=True)
class Criterion:
    """A term compared with a threshold, which is written once, here."""

    term: Term
    sign: Literal[">", "<"]
    threshold: float

    def __post_init__(self) -> None:
        if isinstance(self.threshold, Term):
            raise TypeError("compare a term with a number: write a - b > 0 for a > b")
        object.__setattr__(self, "threshold", float(self.threshold))

    def verdict(self, low: float, high: float) -> str:
        """In words, from the interval of the term's mean: it holds, does not hold, or is inconclusive."""
        inside, outside = (low, high) if self.sign == ">" else (-high, -low)
        threshold = self.threshold if self.sign == ">" else -self.threshold
        if inside > threshold:
            return "holds"
        return "does not hold" if outside <= threshold else "inconclusive"

    def __str__(self) -> str:
        return f"{self.term} {self.sign} {self.threshold:g}"

    def __bool__(self) -> bool:
        raise TypeError("a criterion is neither true nor false before its runs are there: ask for its verdict")


@dataclass(frozen=True)
class Constant(Term):
    """A plain number, to divide by."""

    value: float
    runs: tuple[str, ...] = ()

    def of(self, runs: Runs) -> float:
        """Itself."""
        return self.value

    def __str__(self) -> str:
        return f"{self.value:,g}"


@dataclass(frozen=True)
class TwoTerms(Term):
    """Two terms with a sign between."""

    left: Term
    right: Term
    sign: Literal["minus", "divided by"]

    @property
    def runs(self) -> tuple[str, ...]:
        """Those of both, each once."""
        return each_once(self.left, self.right)

    def of(self, runs: Runs) -> float:
        """Difference or quotient."""
        left, right = self.left.of(runs), self.right.of(runs)
        return left - right if self.sign == "minus" else left / right

    def __str__(self) -> str:
        left, right = self.left, self.right
        both = isinstance(left, Reading) and isinstance(right, Reading)
        shared = left.beside(right, self.sign) if both else None
        return shared or f"{_part(left)} {self.sign} {_part(right)}"


def _part(term: Term) -> str:
    return f"({term})" if isinstance(term, TwoTerms | Reading) else str(term)


@dataclass(frozen=True)
class Of(Term):
    """A function of terms, with the words for it."""

    parts: tuple[Term, ...]
    function: Callable[..., float]
    words: str

    @property
    def runs(self) -> tuple[str, ...]:
        """Those of all parts."""
        return each_once(*self.parts)

    def of(self, runs: Runs) -> float:
        """The function's value."""
        return self.function(*(part.of(runs) for part in self.parts))

    def __str__(self) -> str:
        return f"{self.words} of ({'; '.join(map(str, self.parts))})"


def each_once(*parts: Any) -> tuple[str, ...]:
    """The runs of all parts, each once."""
    return tuple(dict.fromkeys(run for part in parts for run in part.runs))


@dataclass(frozen=True)
class Reading(Term):
    """A number read from one run: `what` it is, with {} for the number's words, and `when` in short."""

    run: str
    number: str
    what: str
    when: str
    read: Callable[[RunRecords], float]

    @property
    def runs(self) -> tuple[str, ...]:
        """The one run."""
        return (self.run,)

    @property
    def words(self) -> str:
        """What is read, without the run."""
        return self.what.format(self.number)

    def of(self, runs: Runs) -> float:
        """The number."""
        try:
            return self.read(runs[self.run])
        except LookupError as error:
            raise SpkitError(f"the run {self.run} has no {self.words}: {error.args[0]}") from error

    def beside(self, other: "Reading", sign: str) -> str | None:
        """The words for both with a sign between, what they share said once; None if they share nothing."""
        if self.words == other.words:
            return f"{self.words}, {self.run} {sign} {other.run}"
        if self.run != other.run or not self.when:
            return None
        if self.number == other.number:
            return f"{self.run}: {self.number}, {self.when} {sign} {other.when}"
        if self.what == other.what and sign == "minus":
            return f"{self.run}: {self.what.format(f'{self.number} minus {other.number}')}"
        return f"{self.run}: {self.words} {sign} {other.words}"

    def __str__(self) -> str:
        return f"{self.run}: {self.words}"


def least(*terms: Term) -> Term:
    """The least of them."""
    return Of(terms, min, "the least")


def largest(*terms: Term) -> Term:
    """The largest of them."""
    return Of(terms, max, "the largest")
