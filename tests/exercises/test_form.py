"""Every exercise says how long it takes, how hard it is and why it matters, and has three hints and a stretch goal."""

import json
import re

import pytest

from spkit.exercises.checking import Mistake
from spkit.exercises.student import without_solutions

from .solution_cells import SOLUTIONS, is_code

HEADING = re.compile(r"^## (\d+) · (.+) \((\d+) minutes, (easy|medium|hard|open)\)$", re.MULTILINE)
HINT = re.compile(r"^<details><summary>Hint (\d)</summary>\n\n(.+?)\n\n</details>$", re.MULTILINE | re.DOTALL)


def exercises(path):
    """Number, and (text before the first code cell to fill in, text after it) of each."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    parts, number = {}, None
    for cell in cells:
        text = "".join(cell["source"])
        if cell["cell_type"] == "code":
            if number and cell["metadata"].get("nbgrader", {}).get("solution"):
                parts[number][2] = True
            continue
        for piece in re.split(r"(?m)^(?=## \d+ · )", text):
            heading = re.match(r"## (\d+) · ", piece)
            if heading:
                number = int(heading[1])
                parts[number] = ["", "", False]
            if number:
                parts[number][parts[number][2]] += "\n" + piece
    return parts


@pytest.mark.parametrize("path", sorted(SOLUTIONS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_an_exercise_has_all_its_parts(path):
    text = "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"])
    listed = {int(number): (minutes, level) for number, minutes, level in
              re.findall(r"^\| (\d+) [^|]+ \| (\d+) \| (\w+) \|", text, re.MULTILINE)}  # fmt: skip
    found = exercises(path)
    assert list(found) == list(listed) == list(range(1, len(listed) + 1))
    for number, (before, after, _) in found.items():
        heading = HEADING.search(before)
        assert heading and heading.groups()[2:] == listed[number], f"exercise {number}: its minutes and difficulty"
        assert re.search(r"^\*\*Why it matters\.\*\* .{20,}", before, re.MULTILINE), f"exercise {number}: why"
        hints = HINT.findall(before)
        assert [place for place, _ in hints] == ["1", "2", "3"], f"exercise {number}: three hints, before the code"
        assert len({hint for _, hint in hints}) == 3 and all(len(hint) > 15 for _, hint in hints)
        assert len(re.findall(r"^\*\*Stretch\.\*\* .{30,}", before + after, re.MULTILINE)) == 1, (
            f"exercise {number}: stretch"
        )


def test_no_two_exercises_share_a_hint_or_a_reason():
    texts = ["\n".join(map(str, exercises(path).values())) for path in sorted(SOLUTIONS.glob("*.ipynb"))]
    said = re.findall(r"\*\*(?:Why it matters|Stretch)\.\*\* (.+?)\\n", "\n".join(texts))
    assert len(said) > 60 and len(set(said)) == len(said)


CHECKED = [  # the check of the open exercise reads names that its own empty cell does not define
    (path, grade_id)
    for path in sorted(SOLUTIONS.glob("*.ipynb"))
    for grade_id in re.findall(r'"grade_id": "(\w+)_check"', path.read_text(encoding="utf-8"))
    if grade_id != "plan"
]


@pytest.mark.parametrize(("path", "grade_id"), CHECKED, ids=lambda value: getattr(value, "stem", value))
def test_an_empty_cell_gets_a_sentence(path, grade_id):
    cells = [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if is_code(cell)]
    sources = {cell["metadata"].get("nbgrader", {}).get("grade_id"): "".join(cell["source"]) for cell in cells}
    imports = [line for line in "".join(cells[0]["source"]).splitlines() if line.startswith(("import ", "from "))]
    names: dict = {}
    exec("\n".join(imports), names)
    exec(without_solutions(sources[grade_id], grade_id), names)
    with pytest.raises(Mistake, match="there is no answer yet"):
        exec(sources[f"{grade_id}_check"], names)
