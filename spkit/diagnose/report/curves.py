"""Line charts over the steps: where everything stands on a small canvas, and what it says in words."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..judge import Diagnosis
from ..steps import Step, pooled
from .names import LENGTH_BAND, NAMED, PANELS, numbers_of_a_step, panel_title, quantity, unit_of
from .shown import known_number, number_text

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 360, 200, 44, 10, 10, 24  # a canvas as wide as a phone
POINTS = 120  # of a line; longer logs are pooled
LINES = 4  # of a chart: as many as can be told apart
DOTTED = 16  # points up to which each is marked

Point = tuple[float, float | None]  # a step and its value


@dataclass(frozen=True)
class Line:
    """A line as it is drawn: its name, the path of SVG, and its marked points (x, y)."""

    label: str
    path: str
    dots: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class AxisTick:
    """A place on an axis in the units of the canvas, and what is written there."""

    place: float
    label: str


@dataclass(frozen=True)
class Chart:
    """A chart as it is drawn; `windows` are (x, width) of the start and the end that were compared, `band` the path of
    an area and what it is.
    """

    title: str
    unit: str
    alternative: str
    lines: tuple[Line, ...]
    across: tuple[AxisTick, ...]
    up: tuple[AxisTick, ...]
    windows: tuple[tuple[float, float], ...] = ()
    band: tuple[str, str] | None = None


@dataclass(frozen=True)
class Frame:
    """From numbers to places on the canvas."""

    left: float
    right: float
    low: float
    high: float

    def x(self, step: float) -> float:
        """The place of a step; a single one stands in the middle."""
        inside = (step - self.left) / (self.right - self.left) if self.right > self.left else 0.5
        return round(LEFT + inside * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        """The place of a value; the canvas counts downwards."""
        inside = (value - self.low) / (self.high - self.low)
        return round(HEIGHT - BOTTOM - inside * (HEIGHT - TOP - BOTTOM), 1)


def step_curves(diagnosis: Diagnosis) -> list[Chart]:
    """Every number of the log that changes, over the steps."""
    steps, still = thinned(diagnosis.evidence.steps), {name for name, _ in unchanged(diagnosis)}
    listed = {name for names in PANELS.values() for name in names}
    panels = [*PANELS.items(), *((quantity(n).label, (n,)) for n in numbers_of_a_step() if n not in listed)]
    moving = [(title, [name for name in names if name not in still]) for title, names in panels]
    drawn = [_of_fields(title, names, steps, diagnosis) for title, names in moving]
    by_reward = [chart for name in NAMED for chart in _by_reward(name, steps, diagnosis)]
    return [chart for chart in (*drawn[:2], *by_reward, *drawn[2:]) if chart]


def unchanged(diagnosis: Diagnosis) -> list[tuple[str, float]]:
    """(field, value) of those that are the same in every step, of at least two: words say it as well as a line."""
    found = []
    for name in numbers_of_a_step():
        values = [known_number(getattr(step, name)) for step in diagnosis.evidence.steps]
        known = [value for value in values if value is not None]
        if len(known) > 1 and min(known) == max(known):
            found.append((name, known[0]))
    return found


def curves_of(names: Sequence[str], diagnosis: Diagnosis) -> list[Chart]:
    """The named fields of `Step` over the steps, those of one unit together."""
    steps, by_unit = thinned(diagnosis.evidence.steps), {}
    for name in names:
        if name in numbers_of_a_step():
            by_unit.setdefault(unit_of(name, diagnosis.evidence), []).append(name)
    charts = [
        _of_fields(panel_title(some, unit), some, steps, diagnosis)
        for unit, every in by_unit.items()
        for some in (every[start : start + LINES] for start in range(0, len(every), LINES))
    ]
    by_reward = [chart for name in names if name in NAMED for chart in _by_reward(name, steps, diagnosis)]
    return [chart for chart in (*charts, *by_reward) if chart]


def thinned(steps: Sequence[Step]) -> list[Step]:
    """At most `POINTS` steps, neighbours pooled."""
    size = math.ceil(len(steps) / POINTS)
    return [pooled(steps[start : start + size]) for start in range(0, len(steps), size)] if size > 1 else list(steps)


def _of_fields(title: str, names: Sequence[str], steps: Sequence[Step], diagnosis: Diagnosis) -> Chart | None:
    series = {quantity(name).label: [(s.step, getattr(s, name)) for s in steps] for name in names}
    return chart(title, unit_of(names[0], diagnosis.evidence), series, compared(diagnosis)) if names else None


def _by_reward(field: str, steps: Sequence[Step], diagnosis: Diagnosis) -> list[Chart | None]:
    """A number of each reward function, if there are several, four in a chart."""
    names = list(dict.fromkeys(name for step in steps for name in getattr(step, field)))
    if len(names) < 2:
        return []
    series = {name: [(step.step, getattr(step, field).get(name)) for step in steps] for name in names}
    parts = [dict(list(series.items())[start : start + LINES]) for start in range(0, len(names), LINES)]
    return [chart(NAMED[field].label, NAMED[field].unit, part, compared(diagnosis)) for part in parts]


def compared(diagnosis: Diagnosis) -> tuple[tuple[float, float], ...]:
    """First and last step of the start, and of the end: each is pooled, and named by the step next to the middle."""
    steps = diagnosis.evidence.steps
    if not steps or diagnosis.early.step >= diagnosis.late.step:
        return ()
    return (steps[0].step, diagnosis.early.step), (diagnosis.late.step, steps[-1].step)


def chart(
    title: str, unit: str, series: dict[str, Sequence[Point]], windows: Sequence[tuple[float, float]] = ()
) -> Chart | None:
    """A chart of named series over the steps, up to four; None if no value is known.

    Shares have an axis from 0 to 100 %, all else one that holds 0. A value that is missing leaves a gap.
    """
    known = {
        label: [(step, known_number(value)) for step, value in points]
        for label, points in series.items()
        if any(known_number(value) is not None for _, value in points)
    }
    if not known:
        return None
    values = [value for points in known.values() for _, value in points if value is not None]
    places = [step for points in known.values() for step, _ in points]
    up = [0.0, 0.5, 1.0] if unit == "share" and 0 <= min(values) and max(values) <= 1 else round_numbers(values)
    frame = Frame(min(places), max(places), up[0], up[-1])
    ends = [quantity(name).label for name in LENGTH_BAND]
    band = _band(*(known[end] for end in ends), frame) if set(ends) < set(known) else ""
    return Chart(
        title,
        {"share": "%"}.get(unit, unit),
        f"{title}. " + " ".join(in_words(label, points, unit) for label, points in known.items()),
        tuple(_line(label, points, frame) for label, points in known.items() if not (band and label in ends)),
        tuple(AxisTick(frame.x(step), str(step)) for step in whole_steps(frame.left, frame.right)),
        tuple(AxisTick(frame.y(value), number_text(value, unit).removesuffix("%")) for value in up),
        tuple((frame.x(first), max(2.0, round(frame.x(last) - frame.x(first), 1))) for first, last in windows),
        (band, "where 80% of the completions are") if band else None,
    )


def _band(low: Sequence[Point], high: Sequence[Point], frame: Frame) -> str:
    """The area between two lines, where both are known, as a path; nothing if that is at less than two steps."""
    both = [(step, a, b) for (step, a), (_, b) in zip(low, high) if a is not None and b is not None]
    round_about = [*((step, b) for step, _, b in both), *((step, a) for step, a, _ in reversed(both))]
    places = " L".join(f"{frame.x(step):g} {frame.y(value):g}" for step, value in round_about)
    return f"M{places}Z" if len(both) > 1 else ""


def in_words(label: str, points: Sequence[Point], unit: str) -> str:
    """A line for those who do not see it: where it starts and ends, and its extremes."""
    (first, start), (last, end) = (lambda known: (known[0], known[-1]))([p for p in points if p[1] is not None])
    values = [value for _, value in points if value is not None]
    if len(values) == 1:
        return f"{label}: {number_text(start, unit)} at step {first}."
    between = f"between {number_text(min(values), unit)} and {number_text(max(values), unit)}"
    return f"{label}: {number_text(start, unit)} at step {first}, {number_text(end, unit)} at step {last}, {between}."


def _line(label: str, points: Sequence[Point], frame: Frame) -> Line:
    path, dots, pen = [], [], "M"
    alone = len(points) <= DOTTED
    for index, (step, value) in enumerate(points):
        if value is None:
            pen = "M"
            continue
        place = frame.x(step), frame.y(value)
        path.append(f"{pen}{place[0]:g} {place[1]:g}")
        ends = index + 1 == len(points) or points[index + 1][1] is None
        if alone or (pen == "M" and ends):
            dots.append(place)
        pen = "L"
    return Line(label, " ".join(path), tuple(dots))


def round_numbers(values: Sequence[float]) -> list[float]:
    """Three to six equally spaced round numbers from at most the least of the values, and 0, to at least the most."""
    low, high = min(0.0, *values), max(0.0, *values)
    if low == high:
        return [0.0, 0.5, 1.0]
    raw = high / 4 - low / 4
    scale = 10.0 ** math.floor(math.log10(raw))
    stride = next(scale * factor for factor in (1, 2, 2.5, 5, 10) if scale * factor >= raw * (1 - 1e-9))
    first, last = math.floor(low / stride + 1e-9), math.ceil(high / stride - 1e-9)
    return [stride * count for count in range(first, last + 1)]


def whole_steps(first: float, last: float) -> list[int]:
    """The first and the last step, and a few round ones between that are not too near to them."""
    stride = round_numbers([last - first])[1] if last > first else 1
    stride = max(1, math.ceil(stride))
    between = range(math.ceil(first / stride) * stride, math.ceil(last), stride)
    ends = {int(first), int(last)}
    return sorted(ends | {step for step in between if all(abs(step - end) > stride / 2 for end in ends)})
