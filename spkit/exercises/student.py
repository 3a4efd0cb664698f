"""The student notebook is made from the solutions notebook: nbgrader's marks, `### BEGIN SOLUTION` and `### END
SOLUTION`.
"""

import json
import re
from pathlib import Path

from spkit.run.errors import SpkitError

MARK = re.compile(r"^(?P<indent>[ \t]*)### (?P<kind>BEGIN|END) SOLUTION[ \t]*$")
STUB = ("# YOUR CODE HERE", "raise NotImplementedError()")  # nbgrader's own


def without_solutions(source: str, where: str) -> str:
    """The cell's source with each marked region replaced by the stub, indented alike.

    SpkitError for a mark without its partner.
    """
    kept, inside = [], False
    for text in source.split("\n"):
        mark = MARK.match(text)
        if mark:
            if inside == (mark["kind"] == "BEGIN"):
                raise SpkitError(
                    f"{where}: `### {mark['kind']} SOLUTION` has no partner; mark each solution with one "
                    "BEGIN and one END."
                )
            inside = not inside
            if inside:
                kept += [mark["indent"] + part for part in STUB]
        elif not inside:
            kept.append(text)
    if inside:
        raise SpkitError(
            f"{where}: `### BEGIN SOLUTION` has no partner; mark each solution with one BEGIN and one END."
        )
    return "\n".join(kept)


def student_notebook(solutions: dict, where: str) -> dict:
    """The notebook (nbformat 4, as JSON) without solutions, outputs and execution counts."""
    cells = []
    for number, cell in enumerate(solutions["cells"]):
        source = without_solutions("".join(cell["source"]), f"{where}, cell {number}")
        cells.append(cell | {"source": source.splitlines(keepends=True)})
        if cell["cell_type"] == "code":
            cells[-1] |= {"outputs": [], "execution_count": None}
    return solutions | {"cells": cells}


def student_text(path: Path) -> str:
    """The text of the student notebook for a solutions notebook on disk."""
    try:
        solutions = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SpkitError(f"{path} cannot be read as a notebook ({error}): pass the solutions notebook.") from error
    return json.dumps(student_notebook(solutions, path.name), indent=1, ensure_ascii=False) + "\n"


def write_students(notebooks: Path) -> list[Path]:
    """Write notebooks/exercises/NAME for every notebooks/solutions/NAME, and return what was written."""
    sources = sorted((notebooks / "solutions").glob("*.ipynb"))
    if not sources:
        raise SpkitError(
            f"There is no notebook in {notebooks / 'solutions'}: run this from the repository's top folder."
        )
    written = []
    for source in sources:
        target = notebooks / "exercises" / source.name
        target.parent.mkdir(exist_ok=True)
        target.write_text(student_text(source), encoding="utf-8")
        written.append(target)
    return written
