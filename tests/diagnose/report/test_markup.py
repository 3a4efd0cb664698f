"""The page as markup, without a browser: well formed, self-contained, of the same elements whatever the log holds."""

import math
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from spkit.diagnose.report import html
from spkit.diagnose.report.curves import POINTS, chart, curves_of, round_numbers, step_curves, thinned, whole_steps
from spkit.diagnose.report.heat import heat_map
from spkit.diagnose.steps import Example, Histogram, Step
from spkit.run.files import write_atomic
from tests.diagnose.report.made import FINDINGS, HOSTILE, MADE, diagnosis, steps_of_a_run

EMPTY = {"meta", "link", "line", "path", "rect", "circle"}  # elements that have no end here


class Markup(HTMLParser):
    """The elements of a page, their attributes, and the texts of those that show completions."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open, self.elements, self.attributes, self.completions = [], Counter(), Counter(), []
        self.links, self.unnamed = [], 0
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements[tag] += 1
        self.attributes.update(name for name, _ in attributes)
        self.links += [value for name, value in attributes if name in ("src", "href", "action", "data", "xlink:href")]
        if tag not in EMPTY:
            self.open.append(tag)
        if tag == "pre":
            self.completions.append("")
        if tag == "svg" and not dict(attributes).get("aria-hidden"):
            self.unnamed += dict(attributes).get("role") != "img" or not dict(attributes).get("aria-label")

    def handle_endtag(self, tag):
        if tag not in EMPTY:
            assert self.open.pop() == tag

    def handle_data(self, text):
        if self.open and self.open[-1] == "pre":
            self.completions[-1] += text


@pytest.mark.parametrize("name", MADE)
def test_a_page_is_well_formed_and_self_contained(name):
    page = html(MADE[name]())
    markup = Markup(page)
    assert markup.open == [] and markup.unnamed == 0 and len(page) < 1_000_000
    assert set(markup.links) <= {"data:,", "#not-judged"}
    assert not {"script", "iframe", "object", "embed", "form", "base"} & set(markup.elements)
    assert not [attribute for attribute in markup.attributes if attribute.startswith("on")]
    assert "nan" not in page.split("</style>")[1].replace("nan</p>", "").lower().split()


def test_hostile_text_adds_no_element_and_no_attribute(tmp_path):
    hostile, ordinary = Markup(html(MADE["hostile"]())), Markup(html(MADE["many-faults"]()))
    assert set(hostile.elements) <= set(ordinary.elements) and set(hostile.attributes) <= set(ordinary.attributes)
    assert hostile.elements["style"] == hostile.elements["main"] == hostile.elements["title"] == 1
    assert hostile.completions[1] == HOSTILE[0], "and is shown as it is"
    write_atomic(tmp_path / "page.html", html(MADE["hostile"]()))
    written = (tmp_path / "page.html").read_bytes().decode("utf-8")
    assert not [letter for letter in "\x00\x1b\u202e\u2066\ud800" if letter in written]


def test_every_text_of_a_diagnosis_may_be_hostile_and_every_one_is_shown():
    found = [
        replace(FINDINGS[0], name="N<b>", text="T<b>", advice=("A<b>", "B<b>"), where="W<b>", figures={"F<b>": "V<b>"})
    ]
    example = Example(3, "P<b>", "C<b>", 1.0, "D<b>", 0.0)
    step = replace(steps_of_a_run()[0], rewards={"R<b>": 0.5, "S<b>": 0.5})
    made = replace(
        diagnosis(
            tuple(found), source="O<b>", format="I<b>", rewards=("J<b>", "X<b>"), notes=("K<b>",), warnings=("L<b>",),
            examples=(example,), steps=(step,), length_unit="U<b>",
        ),
        unknown=("M<b>",),
    )  # fmt: skip
    page = html(made, written="Q<b>")
    assert "<b>" not in page.replace("<b>Try first:</b>", "")
    assert all(f"{letter}&lt;b&gt;" in page for letter in "NTABWFVPCDROIJKLMSUQ")


def test_a_curve_goes_through_its_values_and_leaves_gaps():
    drawn = chart("Title", "share", {"a": [(0, 0.0), (1, None), (2, 1.0), (3, 0.5)]})
    (line,) = drawn.lines
    (x0, y0), (x2, y2), (x3, y3) = line.dots
    assert line.path == f"M{x0:g} {y0:g} M{x2:g} {y2:g} L{x3:g} {y3:g}"
    assert (x2 - x0) == pytest.approx(2 * (x3 - x2), abs=0.2) and y0 - y2 == pytest.approx(2 * (y3 - y2), abs=0.2)
    assert [tick.label for tick in drawn.up] == ["0", "50", "100"] and [tick.place for tick in drawn.up][::2] == [
        y0,
        y2,
    ]
    assert drawn.alternative == "Title. a: 0% at step 0, 50% at step 3, between 0% and 100%."
    assert chart("Title", "share", {"a": [(0, None), (1, math.nan)]}) is None and chart("", "", {}) is None


@pytest.mark.parametrize("name", MADE)
def test_everything_is_drawn_on_the_canvas(name):
    made = MADE[name]()
    for drawn in (*step_curves(made), *(one for f in made.findings for one in curves_of(f.shown, made))):
        assert len(drawn.lines) <= 4
        numbers = [float(part.lstrip("ML")) for line in drawn.lines for part in line.path.split()]
        numbers += [float(part.strip("MLZ")) for part in (drawn.band or ("",))[0].split()]
        assert all(0 <= value <= 360 for value in numbers), drawn.title


def test_what_a_finding_shows_is_drawn_by_unit():
    made = diagnosis(FINDINGS)
    titles = [
        drawn.title for drawn in curves_of(("solve_rate", "accuracy", "length", "rewards", "no such field"), made)
    ]
    assert titles == ["Reward and accuracy", "Mean length", "Reward functions"]
    (band,) = (drawn for drawn in step_curves(made) if drawn.band)
    assert [line.label for line in band.lines] == ["median length", "mean length"]


def test_what_does_not_change_is_said_and_not_drawn():
    made = diagnosis(steps=tuple(replace(step, truncated=0.0, depth=3.0) for step in steps_of_a_run()))
    assert {"How completions end", "Proposed depth"}.isdisjoint(drawn.title for drawn in step_curves(made))
    assert "The same in every step: truncated completions 0%; proposed depth 3." in html(made)
    assert [drawn.title for drawn in curves_of(("truncated",), made)] == ["Truncated completions"], "as evidence it is"
    assert "The same in every step" not in html(diagnosis(steps=steps_of_a_run()[:1]))


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([3, 7], [0, 2, 4, 6, 8]),
        ([0, 0], [0, 0.5, 1]),
        ([-1, 1], [-1, -0.5, 0, 0.5, 1]),
        ([0.031], [0, 0.01, 0.02, 0.03, 0.04]),
    ],
)
def test_an_axis_has_round_numbers_and_holds_0(values, ticks):
    assert round_numbers(values) == pytest.approx(ticks)


def test_axes_hold_all_values_whatever_they_are():
    for power in range(-200, 300, 7):
        for low, high in ((0, 1.7), (-3.3, 0), (-1, 9.99), (5, 5)):
            ticks = round_numbers([low * 10.0**power, high * 10.0**power])
            slack = 1e-6 * 10.0**power
            assert ticks[0] <= min(low, 0) * 10.0**power + slack and ticks[-1] >= high * 10.0**power - slack
            assert 2 <= len(ticks) <= 7
    for first, last in ((0, 0), (0, 1), (3, 40), (0, 99_999)):
        steps = whole_steps(first, last)
        assert steps[0] == first and steps[-1] == last and len(steps) <= 6


def test_a_long_log_is_pooled_by_its_groups():
    steps = [Step(step, groups=1 + step % 2, useful=float(step % 2)) for step in range(10 * POINTS)]
    drawn = thinned(steps)
    assert len(drawn) == POINTS and drawn[-1].step == steps[-1].step
    assert all(step.useful == pytest.approx(2 / 3) for step in drawn) and thinned(steps[:POINTS]) == steps[:POINTS]


def test_a_heat_map_shades_each_column_by_its_own_shares():
    made = heat_map(Histogram("length", (0.0, 10.0, 20.0), ((1, 0, 30), (3, 0, 10)), (0, 5, 9)), "characters")
    assert len({cell[0] for cell in made.cells}) == 2, "a column without completions is left out"
    assert [cell[4] for cell in made.cells] == [3, 8, 8, 3], "1 in 4 of a scale up to 3 in 4, in eight shades"
    low, high = made.cells[0], made.cells[1]
    assert low[1] == pytest.approx(high[1] + high[3], abs=0.2), "longer ones stand higher"
    assert made.alternative == (
        "Length of the completions over the steps. At step 0 the fullest bin, 10 to 20, holds 75%. "
        "At step 9 the fullest bin, 0 to 10, holds 75%."
    )
    assert heat_map(Histogram("reward", (0.0, 1.0), ((0,),), (0,)), "") is None
    assert heat_map(Histogram("reward", (), (), ()), "") is None
