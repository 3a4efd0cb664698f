"""Notebooks as sources of the site: links led anew, exercises with their solutions folded, outputs as committed."""

from collections.abc import Callable

from figures import alternative_texts
from pages import Levels, rewritten

from spkit.exercises.student import MARK, without_solutions

SOLUTION = {"code_prompt_show": "Show the solution", "code_prompt_hide": "Hide the solution"}
OUTPUT = {"code_prompt_show": "Show what comes out with the solutions", "code_prompt_hide": "Hide it"}


def site_notebook(notebook: dict, name: str, link: Callable[[str], str | None]) -> dict:
    """The notebook (nbformat 4, as JSON) as the site shows it; `name` is its path in the repository.

    In one of solutions each cell with a solution comes as a student gets it, and then as it is, folded; outputs are
    folded too, because they are of the solutions. The texts of its figures are in its metadata, in their order.
    """
    levels, cells, solved = Levels(), [], "/solutions/" in name
    texts = alternative_texts(notebook)
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            cells.append(cell | {"source": rewritten(source, levels, link)})
        elif solved and any(MARK.match(line) for line in source.split("\n")):
            cells += [_student(cell, source, name), _folded(cell, "hide-cell", SOLUTION)]
        else:
            cells.append(_folded(cell, "hide-output", OUTPUT) if solved and cell["outputs"] else cell)
    return notebook | {"cells": cells, "metadata": notebook["metadata"] | {"figures": texts}}


def _student(cell: dict, source: str, name: str) -> dict:
    """The cell as a student gets it, under an id of its own."""
    changed = {"id": f"{cell['id']}-blank", "source": without_solutions(source, name), "metadata": {}}
    return cell | changed | {"outputs": [], "execution_count": None}


def _folded(cell: dict, tag: str, words: dict[str, str]) -> dict:
    return cell | {"metadata": {"tags": [tag], "mystnb": words}}
