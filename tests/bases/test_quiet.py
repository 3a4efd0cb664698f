"""The bases of Quiet-STaR: what they read, and that the shipped ones are what their cards say."""

import json
from collections import Counter
from dataclasses import replace

import pytest

from spkit.bases.quiet import RECIPES_OF_QUIET, asides, make_quiet, quiet_row, with_aside
from spkit.policy import load_policy, shipped_models
from spkit.tasks import Chains, test_set
from spkit.tasks.chains import running_values

TASK, RECIPE = Chains(), RECIPES_OF_QUIET["quiet"]


def kind(text: str) -> str:
    """Of the aside in a chain with its answer."""
    chain, _, rest = text.partition("=")
    aside = rest[1:4] if rest[0] == "(" else ""
    return {"": "none", "hmm": "hmm", running_values(chain): "worked", chain[1::2]: "signs"}[aside]


@pytest.mark.parametrize("worked", RECIPE.worked)
def test_asides_have_their_shares_and_the_right_answer_behind(worked):
    texts = [with_aside(TASK, 0, index, RECIPE, worked) for index in range(4000)]
    counts = Counter(map(kind, texts))
    expected = {"none": 0.1, "worked": 0.9 * worked, "hmm": 0.45 * (1 - worked), "signs": 0.45 * (1 - worked)}
    for name, share in expected.items():
        assert counts[name] / len(texts) == pytest.approx(share, abs=0.025), name
    for text in texts[:200]:
        assert text[-2] == running_values(text.partition("=")[0])[-1] and text[-1] == ";"


def test_rows_are_cut_anywhere_and_hold_no_test_chain():
    rows = [quiet_row(TASK, 0, index, RECIPE, 0.5) for index in range(500)]
    assert all(len(row) == RECIPE.length for row in rows) and len({row.find(";") for row in rows}) > 10
    asked = {problem.prompt for problem in test_set(TASK, 1000)}
    assert not asked & {f"{one.partition('=')[0]}=" for row in rows for one in row.split(";")[1:]}


@pytest.mark.parametrize("name", [name for name in shipped_models() if name.startswith("quiet")])
def test_the_shipped_bases_are_what_their_cards_say(name):
    policy = load_policy(name)
    card = json.loads((shipped_models()[name] / "card.json").read_text(encoding="utf-8"))
    found = asides(policy, TASK, 200)
    assert found["worked"] == pytest.approx(card["worked"], abs=0.1)
    assert found["direct"] < 0.2 and found["greedy_worked"] < 0.1
    skilled = name != "quiet-unskilled"
    assert (found["worked"] > 0.05) == skilled and (found["right"] > 0.5) == skilled


def test_a_base_is_made_again_from_its_seed(tmp_path, monkeypatch):
    monkeypatch.setitem(RECIPES_OF_QUIET, "quiet", replace(RECIPE, steps=4, rows=4, width=64, layers=1))
    cards = [make_quiet("quiet", tmp_path / str(number), seed=1) for number in range(2)]
    assert {key: value for key, value in cards[0].items() if key != "minutes"} == {
        key: value for key, value in cards[1].items() if key != "minutes"
    }
    first, second = (load_policy(tmp_path / str(number)) for number in range(2))
    assert first.fingerprint() == second.fingerprint() and first.context == RECIPE.context
    assert "spkit pretrain quiet --seed 1" in (tmp_path / "0" / "README.md").read_text(encoding="utf-8")
