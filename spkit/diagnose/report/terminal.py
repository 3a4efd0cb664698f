"""The verdict for a terminal: at most fifteen lines; and the whole of it, table included."""

from collections.abc import Sequence
from textwrap import wrap

from ..judge import Diagnosis
from .names import numbers_of_a_step, quantity, unit_of
from .shown import number_text, one_line

VERDICT_LINES = 15  # lines of the verdict
TOLD = 4  # findings of two lines each; the names of the others are said
POINTER = "all of it: --verbose, --html report.html or --json"
NOTES = 3  # beside the first: what was decided in reading, and what the format cannot say


def text(diagnosis: Diagnosis, width: int | None = None) -> str:
    """The verdict, each finding in two lines (what was seen; what to try first), what was read as the reward, and
    what could not be judged: at most 15 lines of at most `width` characters, None for any.

    What is longer goes on in the next line as long as there are lines left, and is cut then.
    """
    notes = NOTES - (len(diagnosis.findings) > TOLD)
    lines = [verdict_headline(diagnosis), *_findings(diagnosis), *_reading(diagnosis, notes), *_not_judged(diagnosis)]
    lines = [_fitted(line) for line in lines]
    shown, whole = _wrapped(lines, width, VERDICT_LINES)
    if not whole or len(diagnosis.findings) > TOLD or len(diagnosis.evidence.notes) > notes + 1:
        shown = [*_wrapped(lines, width, VERDICT_LINES - 1)[0], POINTER]
    return "\n".join(shown)


def _wrapped(lines: Sequence[str], width: int | None, most: int) -> tuple[list[str], bool]:
    """The lines in at most `most` lines, the first ones whole as far as that goes; and whether nothing was cut."""
    shown, spare, whole = [], most - len(lines), True
    for line in lines:
        parts = wrap(line, width, subsequent_indent="    ") if width else [line]
        taken = 1 + max(0, min(len(parts) - 1, spare))
        spare, whole = spare - taken + 1, whole and taken == len(parts)
        shown += parts[:taken] if taken == len(parts) else [*parts[: taken - 1], _going_on(parts[taken - 1], width)]
    return shown, whole


def _going_on(line: str, width: int) -> str:
    """The line with a sign that it goes on, which takes the place of its last word if there is no room."""
    return line + "…" if len(line) < width else line[: width - 1].rsplit(" ", 1)[0] + "…"


def whole_text(diagnosis: Diagnosis) -> str:
    """All findings with all advice, all notes, and the numbers at the start and at the end."""
    lines = [verdict_headline(diagnosis)]
    for finding in diagnosis.findings:
        lines += ["", f"{finding.name} ({finding.role}): {finding.text}"]
        lines += [f"  try: {advice}" for advice in finding.advice]
        lines += [f"  read: {finding.where}"] if finding.where else []
    lines += ["", *_reading(diagnosis, None), *(f"not judged: {reason}" for reason in diagnosis.unknown)]
    lines = [_fitted(line) for line in lines]
    return "\n".join([*lines, "", *_table(diagnosis)])


def _fitted(line: str) -> str:
    """One line, indented as it was."""
    return line[: len(line) - len(line.lstrip(" "))] + one_line(line)


def verdict_headline(diagnosis: Diagnosis) -> str:
    """The verdict in one line, with the role it points at, or with why there is none."""
    if diagnosis.verdict == "undecided":
        return f"verdict: undecided: {diagnosis.late.groups} groups at the end are too few to judge: log more steps"
    return f"verdict: {diagnosis.verdict}" + (f" (bottleneck: the {diagnosis.role})" if diagnosis.role else "")


def _findings(diagnosis: Diagnosis) -> list[str]:
    lines = []
    for finding in diagnosis.findings[:TOLD]:
        lines.append(f"{finding.name} ({finding.role}): {finding.text}")
        first = f"  try: {finding.advice[0]}" if finding.advice else "  no advice"
        lines.append(first + (f"; explained in {finding.where}" if finding.where else ""))
    others = ", ".join(finding.name for finding in diagnosis.findings[TOLD:])
    return [*lines, f"and {others}"] if others else lines


def _reading(diagnosis: Diagnosis, most: int | None) -> list[str]:
    notes = diagnosis.evidence.notes[1:]
    return [f"read: {what_was_read(diagnosis)}", *(f"  {note}" for note in notes[:most])]


def what_was_read(diagnosis: Diagnosis) -> str:
    """The first note, which says whose format it is and what was taken as the reward; and how much was read."""
    evidence = diagnosis.evidence
    rows, groups = (sum(getattr(step, name) for step in evidence.steps) for name in ("rows", "groups"))
    counts = ((len(evidence.steps), "step"), (groups, "group"), (rows, "row"))
    sizes = ", ".join(count_of(count, of) for count, of in counts if count)
    return "; ".join([*evidence.notes[:1], sizes])


def count_of(count: int, of: str) -> str:
    """1 step, 1,200 steps."""
    return f"{count:,} {of}" + ("s" if count != 1 else "")


def _not_judged(diagnosis: Diagnosis) -> list[str]:
    return [f"not judged: {'; '.join(diagnosis.unknown)}"] if diagnosis.unknown else []


def _table(diagnosis: Diagnosis) -> list[str]:
    rows = start_and_end(diagnosis)
    wide = max([10, *(len(label) for label, _, _ in rows)])
    heads = [f"{'':<{wide}}{'start':>10}{'end':>10}"]
    why = "start and end are a quarter of the steps each, or more if those have few groups"
    return [*heads, *(f"{label:<{wide}}{before:>10}{now:>10}" for label, before, now in rows), "", why]


def start_and_end(diagnosis: Diagnosis) -> list[tuple[str, str, str]]:
    """(label with unit, start, end) of every number that is known at the end, rewards by their names."""
    rows = []
    for name in numbers_of_a_step():
        before, now = getattr(diagnosis.early, name), getattr(diagnosis.late, name)
        if now is not None:
            unit = unit_of(name, diagnosis.evidence)
            label = quantity(name).label + ("" if unit in ("share", quantity(name).label) else f" ({unit})")
            rows.append((label, number_text(before, unit), number_text(now, unit)))
    early, late = diagnosis.early.rewards, diagnosis.late.rewards
    return rows + [
        (one_line(f"reward {name}", 60), number_text(early.get(name)), number_text(value))
        for name, value in late.items()
    ]
