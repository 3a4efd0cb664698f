"""Every figure that is committed in a notebook: its axes fill the canvas, measured on the picture itself."""

import base64
import json

import pytest

from tests.notebooks.test_notebooks import COMPARED, NOTEBOOKS, REAL, code_cells
from tests.pictures import width_share_of_png


def pictures(cells: list[dict]) -> list[tuple[str, bytes]]:
    """(which, PNG) of each picture that the cells show."""
    return [
        (f"code cell {number}, output {index}", base64.b64decode("".join(output["data"]["image/png"])))
        for number, cell in enumerate(cells)
        for index, output in enumerate(cell["outputs"])
        if "image/png" in output.get("data", {})
    ]


@pytest.mark.parametrize("name", [*COMPARED, *REAL])
def test_axes_fill_three_fifths_of_every_picture(name):
    shares = {which: round(width_share_of_png(data), 2) for which, data in pictures(code_cells(NOTEBOOKS / name))}
    assert not {which: share for which, share in shares.items() if share < 0.6}


def test_the_main_notebooks_show_pictures():
    assert all(pictures(code_cells(path)) for path in NOTEBOOKS.glob("0*.ipynb"))


def test_a_picture_is_found_however_its_cell_keeps_it():
    data = base64.b64encode(b"png").decode()
    cells = [{"outputs": [{"data": {"image/png": data}}, {"text": "x"}, {"data": {"image/png": [data, "\n"]}}]}]
    assert [found for _, found in pictures(json.loads(json.dumps(cells)))] == [b"png", b"png"]
