"""Badges and the cell that installs: what they change in a notebook, and that the cell does nothing where spkit is."""

import json
import shutil
import subprocess
import sys

import pytest

from spkit.exercises.student import student_text

from .built import ROOT

SCRIPT = ROOT / "docs" / "site" / "hosted.py"
NAMES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "notebooks").rglob("[0-9]*.ipynb"))


def call(*arguments):
    return subprocess.run([sys.executable, SCRIPT, *map(str, arguments)], capture_output=True, text=True)


def notebook(root, name):
    return json.loads((root / name).read_text(encoding="utf-8"))


def shown(output):
    return output.get("text", output.get("data"))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("hosted")
    shutil.copytree(ROOT / "notebooks", root / "notebooks")
    assert call("a/first", "--root", root).returncode == 0
    done = call("some-one/their.course", "--root", root)
    assert done.returncode == 0, done.stderr
    return root


@pytest.mark.parametrize("name", NAMES)
def test_one_badge_one_cell_and_nothing_else_changes(root, name):
    old = [cell for cell in notebook(ROOT, name)["cells"] if cell["id"] != "install"]
    new = notebook(root, name)["cells"]
    text = "".join(new[0]["source"])
    opened = name.replace("/solutions/", "/exercises/")
    assert text.count("Open in Colab") == 1 and f"github/some-one/their.course/blob/main/{opened})" in text
    (place,) = [i for i, cell in enumerate(new) if cell["id"] == "install"]
    assert all(cell["cell_type"] == "markdown" for cell in new[:place])
    assert "git+https://github.com/some-one/their.course" in "".join(new[place]["source"]) and "a/first" not in text
    kept = new[:place] + new[place + 1 :]
    same = lambda cells: [("".join(c["source"]), [shown(o) for o in c.get("outputs", [])]) for c in cells]
    assert same(kept[1:]) == same(old[1:])
    counts = [cell["execution_count"] for cell in new if cell["cell_type"] == "code"]
    assert counts in (list(range(1, len(counts) + 1)), [None] * len(counts))


@pytest.mark.parametrize("name", [name for name in NAMES if "/solutions/" in name])
def test_student_notebooks_stay_in_step(root, name):
    assert student_text(root / name) == (root / name.replace("/solutions/", "/exercises/")).read_text(encoding="utf-8")


def test_the_cell_does_nothing_where_the_course_is_installed(root):
    (cell,) = [cell for cell in notebook(root, NAMES[0])["cells"] if cell["id"] == "install"]
    names: dict = {}
    exec("".join(cell["source"]), names)  # `get_ipython` is not there: it would fail
    assert "get_ipython" not in names


def test_an_address_that_is_none_is_one_sentence(tmp_path):
    done = call("https://github.com/a/b", "--root", tmp_path)
    assert done.returncode == 2 and "write it as owner/name" in done.stderr
