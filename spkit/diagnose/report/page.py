"""One page that shows a diagnosis: without a network, without a script, on a phone and in the dark.

Every text on it goes through `visible` and is escaped by the template, whatever wrote it; and a policy in the page
forbids scripts and requests, so that even a fault in that leaves a page that does nothing.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from ..findings import Finding
from ..judge import Diagnosis
from ..steps import Evidence, Example
from .curves import Chart, curves_of, step_curves, unchanged
from .heat import HeatMap, heat_map
from .names import quantity, unit_of
from .shown import number_text, one_line, visible
from .terminal import start_and_end, verdict_headline, what_was_read
from .told import figure_rows

BESIDE = Path(__file__).parent
HEADING = 90  # characters of a prompt in the heading of its completions


@dataclass(frozen=True)
class Behind:
    """A finding with its figures in words and its charts."""

    finding: Finding
    figures: tuple[tuple[str, str], ...]
    charts: tuple[Chart, ...]


def html(diagnosis: Diagnosis, written: str = "") -> str:
    """The page as HTML; `written` says when, if it should."""
    return _template().render(**context(diagnosis), written=written)


def context(diagnosis: Diagnosis) -> dict[str, Any]:
    """What the template shows, by name."""
    evidence = diagnosis.evidence
    return {
        "diagnosis": diagnosis,
        "evidence": evidence,
        "headline": verdict_headline(diagnosis).partition(": ")[2],
        "size": what_was_read(diagnosis),
        "found": [_behind(finding, diagnosis) for finding in diagnosis.findings],
        "charts": step_curves(diagnosis),
        "unchanged": [
            f"{quantity(name).label} {number_text(value, unit_of(name, evidence))}"
            for name, value in unchanged(diagnosis)
        ],
        "maps": heat_maps(evidence),
        "examples": [(heading(example), example) for example in evidence.examples],
        "table": start_and_end(diagnosis),
        "last_step": evidence.steps[-1].step if evidence.steps else None,
    }


def _behind(finding: Finding, diagnosis: Diagnosis) -> Behind:
    return Behind(finding, tuple(figure_rows(finding.figures)), tuple(curves_of(finding.shown, diagnosis)))


def heat_maps(evidence: Evidence) -> list[HeatMap]:
    """Those of the histograms that counted anything."""
    units = {"length": evidence.length_unit, "reward": "as logged"}
    maps = [heat_map(histogram, units.get(histogram.name, histogram.name)) for histogram in evidence.histograms]
    return [one for one in maps if one]


def heading(example: Example) -> str:
    """What a folded example is called: its step, and how its prompt ends, where the question is."""
    prompt = one_line(example.prompt)
    return prompt if len(prompt) <= HEADING else "…" + prompt[1 - HEADING :]


@cache
def _template() -> Template:
    files = Environment(
        loader=FileSystemLoader(BESIDE),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    files.filters["number"] = number_text
    return files.get_template("page.html.j2")


def _shown(value: Any) -> Any:
    """What the template puts on the page: texts as they can be shown, numbers and our own markup as they are."""
    return visible(value) if isinstance(value, str) and not hasattr(value, "__html__") else value
