"""The one schema that every log is read into."""

import pytest

from spkit.diagnose.batches import COLUMNS, batch_schema, empty, from_rows, reward_names
from spkit.run.errors import SpkitError

polars = pytest.importorskip("polars")


def test_an_empty_batch_has_the_schema_of_a_full_one():
    rows = [{"step": 1, "prompt": "p", "completion": "c", "reward": 0.5, "reward:a": 1.0, "reward:b": None}]
    made = from_rows(rows, ("a", "b"))
    assert made.schema == empty(("a", "b")).schema == polars.Schema(batch_schema(("a", "b")))
    assert made.columns[: len(COLUMNS)] == list(COLUMNS) and reward_names(made) == ("a", "b")
    assert made.row(0, named=True) == {
        **dict.fromkeys(made.columns),
        **rows[0],
        "role": "solver",
        "characters": 1,
    }


@pytest.mark.parametrize("row", [{"stepp": 1}, {"reward:c": 1.0}, {"step": "one"}])
def test_a_row_that_fits_no_column_is_refused(row):
    with pytest.raises(SpkitError):
        from_rows([row], ("a",))
