"""The functions that the solutions notebooks define, as they are or with a part of their text replaced."""

import json
from pathlib import Path
from typing import Any

SOLUTIONS = Path(__file__).parents[2] / "notebooks" / "solutions"


def is_code(cell: dict[str, Any]) -> bool:
    """Whether a cell of a notebook is code, and not the one that installs (`make hosted`)."""
    return cell["cell_type"] == "code" and cell["id"] != "install"


def solved(notebook: str, wanted: str, *changes: tuple[str, str], needs: tuple[str, ...] = ()) -> Any:
    """What the cell `wanted` of a notebook defines under that name, after each (text, replacement).

    `needs` are the cells before it whose functions it calls; the imports are the notebook's own.
    """
    (path,) = SOLUTIONS.glob(f"{notebook}_*.ipynb")
    cells = [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if is_code(cell)]
    by_id = {cell["metadata"].get("nbgrader", {}).get("grade_id"): "".join(cell["source"]) for cell in cells}
    imports = [line for line in "".join(cells[0]["source"]).splitlines() if line.startswith(("import ", "from "))]
    source = by_id[wanted]
    for old, new in changes:
        assert source.count(old) == 1, f"{old!r} is there {source.count(old)} times in {wanted}"
        source = source.replace(old, new)
    names: dict[str, Any] = {}
    for text in ["\n".join(imports), *(by_id[name] for name in needs), source]:
        exec(compile(text, f"{notebook} {wanted}", "exec"), names)
    return names[wanted]
