"""What `spkit model` says: the models there are by name, and what was fetched."""

import json
from pathlib import Path
from typing import Any

from rich.table import Table

from ..policy import shipped_models
from ..policy.fetchable import FETCHABLE, Fetchable, model_folder, origin_of, size_of


def model_rows() -> list[dict[str, Any]]:
    """Name, parameters, megabytes, licence and state of every model that has a name, shipped ones first."""
    return [*map(_shipped, shipped_models().values()), *map(_fetchable, FETCHABLE.values())]


def model_table(rows: list[dict[str, Any]]) -> Table:
    """The rows, as a person reads them."""
    table = Table(box=None)
    for column in ("model", "parameters", "MB", "licence", "state"):
        table.add_column(column, justify="right" if column in ("parameters", "MB") else "left")
    for row in rows:
        table.add_row(
            row["name"], f"{row['parameters'] / 1e6:.1f} M", f"{row['megabytes']:.0f}", row["licence"], row["state"]
        )
    return table


def _shipped(folder: Path) -> dict[str, Any]:
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    return _row(folder.name, card["parameters"], size_of(folder), "Apache-2.0", "shipped")


def _fetchable(model: Fetchable) -> dict[str, Any]:
    folder = model_folder(model.name)
    if origin_of(folder):
        return _row(model.name, model.parameters, size_of(folder), model.licence, f"here: {folder}")
    if model.wheel is None:
        how = f"hub, {model.download('hub') / 1e6:.0f} MB"
    else:
        how = f"hub, {model.download('hub') / 1e6:.0f} MB, or wheel, {model.download('wheel') / 1e6:.0f} MB"
    size = 4 * model.parameters if model.wheel else model.download("hub")
    return _row(model.name, model.parameters, size, model.licence, f"fetch it: spkit model {model.name} ({how})")


def _row(name: str, parameters: int, size: int, licence: str, state: str) -> dict[str, Any]:
    return {
        "name": name,
        "parameters": parameters,
        "megabytes": round(size / 1e6, 1),
        "licence": licence,
        "state": state,
    }
