"""The table of the formats in docs/diagnose.md: the same real runs, whoever wrote them, and the same verdicts."""

from pathlib import Path

import pytest

from tests.diagnose.reading.formats import TABLE
from tests.diagnose.reading.real_logs import RUNS, expected, reading, section

pytest.importorskip("polars")
pytest.importorskip("pyarrow")
PAGE = Path(__file__).parents[3] / "docs" / "diagnose.md"


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("writer", TABLE)
def test_a_real_run_is_judged_alike_in_every_format(tmp_path, writer, run):
    assert reading(writer, run, tmp_path) == expected(writer, run)


@pytest.mark.whole
def test_the_page_has_the_table():
    assert section() in PAGE.read_text(encoding="utf-8")
