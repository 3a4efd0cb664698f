"""The recipe's numbers are the measured ones, and its evolve loop does what the page says."""

import json
import re
import statistics

import pytest

from spkit.claims import interval

from .pages import DOCS, ROOT

PAGE = (DOCS / "recipe.md").read_text(encoding="utf-8")
FLAT = re.sub(r"\s+", " ", PAGE)
NUMBER = r"(-?[\d.]+)"
MEASURED = re.compile(rf"{NUMBER} (points?|%|nats)? ?\[{NUMBER}, {NUMBER}\], (\d+) seeds \(`([a-z0-9-]+)`\)")
SEEDS = (3, 4, 5)
ARMS = {"the loop": {}, "drawn at random": {"evolve": False}, "all or nothing": {"graded": False}}


def as_shown(text: str, value: float) -> bool:
    """Whether a number printed with some decimals is that value, rounded."""
    return abs(float(text) - value) <= 0.51 * 10 ** -len(text.partition(".")[2])


def test_each_measured_number_is_that_of_its_result():
    found = MEASURED.findall(FLAT)
    assert len(found) >= 28
    for mean, unit, low, high, seeds, id in found:
        result = json.loads((ROOT / "data" / "results" / f"{id}.json").read_text(encoding="utf-8"))
        scale = 1 if unit in ("nats", "") else 100
        for text, value in zip((mean, low, high), (result["mean"], *result["interval"])):
            assert as_shown(text, scale * value), (id, text, value)
        assert int(seeds) == len(result["seeds"]), id


def test_the_map_shows_the_means():
    page = (DOCS / "map.md").read_text(encoding="utf-8")
    found = re.findall(rf"{NUMBER} (points|levels|nats) \(`([a-z0-9-]+)`\)", page)
    assert len(found) >= 6
    for mean, unit, id in found:
        result = json.loads((ROOT / "data" / "results" / f"{id}.json").read_text(encoding="utf-8"))
        assert as_shown(mean, result["mean"] * (100 if unit == "points" else 1)), id
    ids = {path.stem for path in (ROOT / "data" / "results").glob("*.json")}
    assert set(re.findall(r"\(`([a-z]+(?:-[a-z0-9]+)+)`\)", page)) <= ids


def test_every_id_in_the_checklist_has_its_number():
    checklist = FLAT.partition("# The wider picture")[0]
    ids = set(re.findall(r"\(`([a-z]+-[a-z0-9-]+)`\)", checklist))
    assert ids == {id for *_, id in MEASURED.findall(checklist)}


def test_the_numbers_of_notebook_00_are_in_its_outputs():
    cells = json.loads((ROOT / "notebooks" / "00_self_play_toy_example.ipynb").read_text(encoding="utf-8"))["cells"]
    printed = "".join("".join(output.get("text", "")) for cell in cells for output in cell.get("outputs", []))
    exact = re.findall(r"0\.\d\d \[0\.\d\d, 0\.\d\d\](?!, \d+ seeds)", FLAT)
    assert len(exact) == 4 and all(number in printed for number in exact), exact


def test_what_the_unwatched_vote_did_is_what_was_measured():
    values = json.loads((ROOT / "data" / "results" / "az-gap.json").read_text(encoding="utf-8"))["values"]
    runs = [value["az-vote-off"] for value in values.values()]
    gaps, ends = ([round(100 * run[key][-1]) for run in runs] for key in ("vote_gap", "accuracy"))
    assert all(run["valid"][-1] == 0 for run in runs)  # nothing is right: the gap is the vote share, the reward
    assert f"{gaps[0]}, {gaps[1]} and {gaps[2]} % of the reward" in FLAT
    assert all(run["accuracy"][0] == 0.5 for run in runs)
    assert f"from 50 % to {min(ends)} to {max(ends)} %" in FLAT
    hard = json.loads((ROOT / "data" / "results" / "az-hardness.json").read_text(encoding="utf-8"))["values"]
    assert len(hard) == 3 and all(set(v["az-hardness"]["valid"][1:]) == {0.0} for v in hard.values())


@pytest.fixture(scope="module")
def shares() -> dict[str, list[float]]:
    """The share of targets solved, by seed, of each arm of the page's block."""
    (block,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert len(block.partition("def value")[2].partition("def solved")[0].split("\n")) <= 36
    names: dict = {}
    exec(compile(block, "docs/recipe.md", "exec"), names)
    return {arm: [names["solved"](seed, **change) for seed in SEEDS] for arm, change in ARMS.items()}


@pytest.mark.whole
def test_evolving_beats_both_controls_in_every_seed(shares):
    loop, *controls = shares.values()
    assert all(mine > other + 0.15 for control in controls for mine, other in zip(loop, control))


@pytest.mark.whole
def test_the_table_and_the_intervals_are_what_the_block_gives(shares):
    table = dict(re.findall(r"^\| ([a-z ]+): `solved.*?\| (\d+) % \|$", PAGE, re.MULTILINE))
    assert {arm: round(100 * statistics.fmean(values)) for arm, values in shares.items()} == {
        arm: int(table[arm]) for arm in ARMS
    }
    loop, *controls = shares.values()
    for control in controls:
        gains = [100 * (mine - other) for mine, other in zip(loop, control)]
        low, high = interval(gains)
        assert f"{statistics.fmean(gains):.0f} points [{low:.0f}, {high:.0f}]" in FLAT
