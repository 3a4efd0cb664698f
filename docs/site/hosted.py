"""For whoever hosts the repository: a Colab badge on every notebook, and a first cell that installs what is missing.

    make hosted REPOSITORY=owner/name

Colab and Kaggle open a notebook without the course around it. The cell installs the package from that repository, and
only where `spkit` cannot be imported; beside an installation it does nothing. The command writes into the committed
notebooks, and doing it again, or for another address, changes the address and nothing else.
"""

import argparse
import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CELL = "install"  # the id of the cell
EXTRAS = {"06": "notebooks,real"}
BADGE = "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
SOURCE = """# Beside an installation this does nothing; elsewhere (Colab, Kaggle) it installs the course.
import importlib.util

if importlib.util.find_spec("spkit") is None:
    get_ipython().run_line_magic("pip", "install --quiet 'selfplay-kit[{extras}] @ git+https://github.com/{where}'")"""


def hosted(notebook: dict, path: str, where: str) -> dict:
    """The notebook (nbformat 4, as JSON) at this path of the repository `where` (owner/name), with badge and cell."""
    cells = [cell for cell in notebook["cells"] if cell.get("id") != CELL]
    first = "".join(cells[0]["source"])
    title, _, rest = re.sub(rf"\n+{re.escape(BADGE)}\([^)]*\)", "", first).partition("\n")
    opened = path.replace("/solutions/", "/exercises/")  # a student's notebook is made of the solutions, badge and all
    badge = f"{BADGE}(https://colab.research.google.com/github/{where}/blob/main/{opened})"
    cells[0] = cells[0] | {"source": f"{title}\n\n{badge}\n{rest}".splitlines(keepends=True)}
    place = next(i for i, cell in enumerate(cells) if cell["cell_type"] == "code")
    run = cells[place]["execution_count"] is not None
    source = SOURCE.format(extras=EXTRAS.get(Path(path).name[:2], "notebooks"), where=where)
    new = {"cell_type": "code", "id": CELL, "metadata": {}, "outputs": [], "source": source.splitlines(keepends=True)}
    cells.insert(place, new | {"execution_count": None})
    if run:
        cells = _counted(cells)
    return notebook | {"cells": cells}


def _counted(cells: list[dict]) -> list[dict]:
    """Execution counts from 1 on, as in a notebook that was run from top to bottom."""
    count, counted = 0, []
    for cell in cells:
        if cell["cell_type"] == "code":
            count += 1
            outputs = [o | {"execution_count": count} if "execution_count" in o else o for o in cell["outputs"]]
            cell = cell | {"execution_count": count, "outputs": outputs}
        counted.append(cell)
    return counted


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository", help="owner/name on GitHub")
    parser.add_argument("--root", type=Path, default=ROOT, help="the working tree that holds the notebooks")
    asked = parser.parse_args()
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", asked.repository):
        parser.error(f"{asked.repository!r} is no repository on GitHub: write it as owner/name.")
    for path in sorted((asked.root / "notebooks").rglob("[0-9]*.ipynb")):
        made = hosted(json.loads(path.read_text("utf-8")), path.relative_to(asked.root).as_posix(), asked.repository)
        path.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
