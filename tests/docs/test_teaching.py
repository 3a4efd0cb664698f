"""The plans add up, the exercises are those of the notebooks, and what a check says is what it says."""

import ast
import json
import re

import pytest

from .pages import DOCS, NOTEBOOKS, ROOT, markdown

PAGE = (DOCS / "teaching.md").read_text(encoding="utf-8")
SOLUTIONS = {path.name[:2]: path for path in NOTEBOOKS if path.parent.name == "solutions"}
PLANS = re.findall(r"^## (Two|Four|Eight) hours.*?\n(.*?)(?=^## )", PAGE, re.MULTILINE | re.DOTALL)
LISTED = {  # "00.2": minutes
    f"{number}.{index}": int(minutes)
    for number, path in SOLUTIONS.items()
    for index, minutes in re.findall(r"^\| (\d+) [^|]+ \| (\d+) \|", markdown(path), re.MULTILINE)
}


def rows(plan: str) -> list[tuple[int, str]]:
    return [(int(minutes), what) for minutes, what in re.findall(r"^\| (\d+) \| (.+?) \|", plan, re.MULTILINE)]


@pytest.mark.parametrize("name, minutes", [("Two", 120), ("Four", 240), ("Eight", 480)])
def test_a_plan_takes_the_time_it_says(name, minutes):
    plans = dict(PLANS)
    needed = ["Two", "Four", "Eight"][: ["Two", "Four", "Eight"].index(name) + 1]
    assert sum(taken for plan in needed for taken, _ in rows(plans[plan])) == minutes


def test_exercises_take_the_minutes_that_they_state():
    planned = [(minutes, re.findall(r"ex (\d\d\.\d)", what)) for _, plan in PLANS for minutes, what in rows(plan)]
    named = [(minutes, exercises) for minutes, exercises in planned if exercises]
    assert len(named) == 8 and all(sum(LISTED[one] for one in ones) == minutes for minutes, ones in named), named


def test_exercises_that_build_take_the_minutes_that_they_state():
    section = PAGE.partition("## Exercises that build")[2].partition("## ")[0]
    built = {
        name: int(minutes) for name, minutes in re.findall(r"^\| ex (\d\d\.\d) \| (\d+) \|", section, re.MULTILINE)
    }
    assert len(built) == 4 and built.items() <= LISTED.items()


def test_mistakes_are_those_of_the_checks():
    strings = [
        node.value
        for path in (ROOT / "spkit" / "exercises").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    mistakes = re.findall(r'^\| (\d\d\.\d) \| .+? \| "(.+)" \|$', PAGE, re.MULTILINE)
    assert len(mistakes) >= 20
    for exercise, said in mistakes:
        assert exercise in LISTED and any(said in text for text in strings), said


def test_points_are_those_of_the_notebooks():
    listed = {number: int(points) for number, points in re.findall(r"^\| (\d\d) \| (\d+) \|$", PAGE, re.MULTILINE)}
    for number, path in SOLUTIONS.items():
        marked = [c["metadata"].get("nbgrader", {}) for c in json.loads(path.read_text(encoding="utf-8"))["cells"]]
        assert listed[number] == sum(mark["points"] for mark in marked if mark.get("grade")), number
