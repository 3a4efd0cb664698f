"""The shipped results and the README say what the claims say, and each verdict follows from the values."""

import json
import re
import statistics
from pathlib import Path

import pytest

from spkit.claims import (
    CLAIMS,
    GROUPS,
    HEADLINES,
    ON_A_REAL_MODEL,
    Claim,
    interval,
    ledger_tables,
    read_base_results,
    read_results,
)
from spkit.claims.readings import number_of
from spkit.claims.stored import Blocks, Curve, Rows
from spkit.claims.terms import Number
from spkit.run.errors import SpkitError

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "data" / "results"
# what is not measured on the real model yet has no result, and no row in a table
MEASURED = {path.stem for path in RESULTS.glob("*.json")} - {"bench"}  # of `make bench`
BY_ID = {claim.id: claim for claim in CLAIMS if claim not in ON_A_REAL_MODEL or claim.id in MEASURED}


def result_of(id: str) -> dict:
    return json.loads((RESULTS / f"{id}.json").read_text(encoding="utf-8"))


def filled(tree, value) -> bool:
    """Whether a result has the keys of the tree of a claim, down to its leaves: what a leaf holds is its own matter."""
    if not isinstance(tree, dict):
        return True
    return (
        isinstance(value, dict) and tree.keys() == value.keys() and all(filled(tree[key], value[key]) for key in tree)
    )


def put(record: dict, number: str | Number, value: object) -> None:
    """Say a number in a record, the same at all its levels."""
    number = number_of(number)
    for path in [one.path for one in number.each] or [number.path]:
        *parts, last = path.split(".")
        place = record
        for part in parts:
            place = place.setdefault(part, {})
        place[last] = value


def leaves(tree, value) -> list[tuple]:
    """(leaf, what the result has in its place) of what is stored in tables, curves and blocks."""
    if isinstance(tree, dict):
        return [pair for key, part in tree.items() for pair in leaves(part, value[key])]
    return [(tree, value)] if isinstance(tree, Curve | Blocks | Rows) else []


def rebuilt(claim: Claim, value: dict) -> dict[str, list[dict]]:
    """The records of each run, as far as a result keeps them; each of ten iterations has the mean of the ten."""
    runs: dict[str, dict[int, dict]] = {}
    for leaf, data in leaves(claim.tree, value):
        rows = runs.setdefault(leaf.run, {})
        for i, one in enumerate(data):
            if isinstance(leaf, Blocks):
                where = range(10 * i + 1, 10 * i + 11)
            else:
                where = [i + 1 if isinstance(leaf, Rows) else value[leaf.run]["at"][i] if leaf.only else i]
            for t in where:
                record = rows.setdefault(t, {"iteration": t})
                if isinstance(leaf, Rows):
                    record |= {key: one[name] for name, key in leaf.columns.items()}
                else:
                    put(record, leaf.number, one)
    return {run: [{}] * (0 not in rows) + [rows[t] for t in sorted(rows)] for run, rows in runs.items()}


def test_every_result_is_read():
    assert read_results(CLAIMS, RESULTS) == [result_of(id) for id in BY_ID]
    assert set(BY_ID) == MEASURED


@pytest.mark.parametrize("id", BY_ID)
def test_a_result_has_three_seeds_and_says_what_the_claim_says(id):
    claim, result = BY_ID[id], result_of(id)
    assert (result["id"], result["statement"], result["source"]) == (id, claim.statement, claim.source)
    assert (result["criterion"], result["threshold"]) == (str(claim.criterion), claim.criterion.threshold)
    effects = [value["effect"] for value in result["values"].values()]
    assert len(effects) == len(result["seeds"]) >= 3
    low, high = interval(effects)
    assert result["mean"] == pytest.approx(statistics.fmean(effects), abs=1e-4)
    assert result["interval"] == pytest.approx([low, high], abs=1e-4)
    assert result["verdict"] == claim.criterion.verdict(low, high)
    assert all(filled(claim.tree, value) for value in result["values"].values()), "what is stored beside it"


def test_effects_follow_from_the_expressions_and_what_is_stored_beside_them():
    checked = set()
    for id, claim in BY_ID.items():
        for value in result_of(id)["values"].values():
            try:
                effect = claim.criterion.term.of(rebuilt(claim, value))
            except (KeyError, SpkitError):
                continue  # the result keeps less than its effect is made of
            assert effect == pytest.approx(value["effect"], abs=3e-4), id
            checked.add(id)
    assert len(checked) >= 80, set(BY_ID) - checked


def test_the_pages_show_the_results_as_they_are():
    tables = ledger_tables([result_of(id) for id in BY_ID], read_base_results(CLAIMS, RESULTS / "bases"))
    results, readme = ((ROOT / name).read_text(encoding="utf-8") for name in ("RESULTS.md", "README.md"))
    for name, table in tables.items():
        page = readme if name == "headlines" else results
        assert f"<!-- results {name} -->\n{table}<!-- /results {name} -->" in page, name
    assert all(id in BY_ID for id in HEADLINES) and sum(map(len, GROUPS.values())) == len(CLAIMS)


def test_the_readme_says_how_many_claims_are_measured():
    said = re.search(r"Ten of (\d+) measured claims", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert int(said[1]) == len(read_results(CLAIMS, ROOT / "data" / "results"))


def test_the_readme_is_short_enough_to_be_read():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 100
