"""nbgrader takes the exercises from end to end: assignment, submissions, grades, feedback. Skipped without nbgrader."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

pytest.importorskip("nbgrader")

from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI
from traitlets.config import Config

SOLUTIONS = Path(__file__).parents[2] / "notebooks" / "solutions"
ASSIGNMENTS = {path.stem[:2]: path.stem for path in sorted(SOLUTIONS.glob("*.ipynb"))}
GRADED = "03"  # the one that is handed in
NAME = ASSIGNMENTS[GRADED]
WRONG = """def spin_loss(policy, generated, opponent, opponent_generated, real_mask, generated_mask, beta):
    margin = ((policy - opponent) * real_mask).sum(1) - ((generated - opponent_generated) * generated_mask).sum(1)
    return -logsigmoid(margin).mean()
"""
SAID = "beta is forgotten"


def answers() -> dict[str, list[str]]:
    """The solutions' cells by the id of what they answer, the loss with a usual mistake."""
    cells = json.loads((SOLUTIONS / f"{NAME}.ipynb").read_text(encoding="utf-8"))["cells"]
    marked = {cell["metadata"]["nbgrader"]["grade_id"]: cell for cell in cells if "nbgrader" in cell["metadata"]}
    solved = {id: cell["source"] for id, cell in marked.items() if cell["metadata"]["nbgrader"]["solution"]}
    return solved | {"spin_loss": WRONG.splitlines(keepends=True)}


def submit(course: Path, student: str, filled: dict[str, list[str]]) -> None:
    """The released notebook as a student hands it in, with some answers filled in."""
    notebook = json.loads((course / "release" / GRADED / f"{NAME}.ipynb").read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        cell["source"] = filled.get(cell["metadata"].get("nbgrader", {}).get("grade_id"), cell["source"])
    folder = course / "submitted" / student / GRADED
    folder.mkdir(parents=True)
    (folder / f"{NAME}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")


@pytest.fixture(scope="module")
def programs_found():
    """nbgrader calls a program that is installed beside it: found without an activated environment too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
        yield


@pytest.fixture(scope="module")
def course(tmp_path_factory, programs_found):
    """A graded course: one student has all right but one, the other handed in what was released."""
    folder = tmp_path_factory.mktemp("course")
    for assignment, name in ASSIGNMENTS.items():
        (folder / "source" / assignment).mkdir(parents=True)
        shutil.copy(SOLUTIONS / f"{name}.ipynb", folder / "source" / assignment)
    settings = Config()
    settings.CourseDirectory.root, settings.CourseDirectory.course_id = str(folder), "selfplay"
    settings.CourseDirectory.db_url = f"sqlite:///{folder / 'gradebook.db'}"
    settings.ExecutePreprocessor.timeout = settings.Execute.timeout = 120
    api = NbGraderAPI(config=settings)
    for assignment in ASSIGNMENTS:
        done = api.generate_assignment(assignment)
        assert done["success"], done
    submit(folder, "ada", answers())
    submit(folder, "bo", {})
    for student in ("ada", "bo"):
        for step in (api.autograde, api.generate_feedback):
            done = step(GRADED, student)
            assert done["success"], done
    return folder


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_the_assignment_is_the_student_notebook(course, assignment):
    name = f"{ASSIGNMENTS[assignment]}.ipynb"
    released = json.loads((course / "release" / assignment / name).read_text(encoding="utf-8"))["cells"]
    ours = json.loads((SOLUTIONS.parent / "exercises" / name).read_text(encoding="utf-8"))["cells"]
    sources = [["".join(cell["source"]).rstrip() for cell in cells] for cells in (released, ours)]
    assert sources[0] == sources[1] and "BEGIN SOLUTION" not in str(sources)


def test_points_are_those_of_the_checks_that_passed(course):
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        ada, bo = (book.find_submission(GRADED, student) for student in ("ada", "bo"))
        assert ada.max_score == bo.max_score > 5
        assert (ada.score, bo.score) == (ada.max_score - 1, 0)


def test_feedback_names_the_mistake(course):
    ada, bo = (
        (course / "feedback" / who / GRADED / f"{NAME}.html").read_text(encoding="utf-8") for who in ("ada", "bo")
    )
    assert SAID in ada and SAID not in bo and "NotImplementedError" in bo
