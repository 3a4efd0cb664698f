"""The base that plays and adds: what it has read, and what it can do."""

import json
from collections import Counter
from dataclasses import replace

import pytest

from spkit.bases.two_skills import RECIPES_OF_TWO_SKILLS, make_two_skills, text_of_either
from spkit.bases.words import make_base, updates
from spkit.measures.game_moves import policy_at_information_sets
from spkit.policy import load_policy, shipped_models
from spkit.run.errors import SpkitError
from spkit.run.folder import Run
from spkit.stages.measure_games import measure_other
from spkit.tasks import load_task
from spkit.tasks.games import game_tree, load_game

NAME = "games-addition"
RECIPE = RECIPES_OF_TWO_SKILLS[NAME]


def test_it_reads_moves_and_sums_alike_and_no_test_problem():
    texts = [text_of_either(RECIPE, 0, index) for index in range(400)]
    kinds = Counter("sum" if prompt.endswith("=") else "move" for prompt, _ in texts)
    assert kinds["sum"] == pytest.approx(200, abs=40) and texts == [text_of_either(RECIPE, 0, i) for i in range(400)]
    sums = [(prompt, text) for prompt, text in texts if prompt.endswith("=")]
    assert all(text.endswith(f";{eval_sum(prompt)}") for prompt, text in sums)


def eval_sum(prompt):
    return sum(map(int, prompt.removesuffix("=").split("+")))


def test_the_shipped_one_plays_legally_and_adds_as_its_card_says():
    policy, card = load_policy(NAME), json.loads((shipped_models()[NAME] / "card.json").read_text(encoding="utf-8"))
    found = policy_at_information_sets(policy, load_game("kuhn")).summary()
    assert found["nash_conv"] == pytest.approx(card["kuhn"]["nash_conv"], abs=0.02) and found["illegal"] < 0.12
    other = measure_other(policy, "addition", 20, Run())["other"]
    said = card["tasks"]["addition"]["greedy"]["accuracy_by_difficulty"]
    assert other["accuracy_by_difficulty"]["2"] > 0.9 and said["2"] > 0.95
    assert 0.3 < card["tasks"]["addition"]["greedy"]["accuracy"] < 0.95, "room to lose and to win"


def test_it_is_made_as_its_seed_says(tmp_path, monkeypatch):
    monkeypatch.setitem(
        RECIPES_OF_TWO_SKILLS, NAME, replace(RECIPE, sft=replace(RECIPE.sft, steps=3, batch_size=4), width=32, layers=1)
    )
    monkeypatch.setattr("spkit.bases.two_skills.measured", lambda *_: CARDLESS)
    cards = [make_base(NAME, tmp_path / str(number), seed=1) for number in range(2)]
    assert cards[0]["loss_last"] == cards[1]["loss_last"] and cards[0]["steps"] == updates(NAME) == 3
    policies = [load_policy(str(tmp_path / str(number))) for number in range(2)]
    assert policies[0].fingerprint() == policies[1].fingerprint()
    assert "spkit pretrain games-addition --seed 1" in (tmp_path / "0" / "README.md").read_text(encoding="utf-8")


CARDLESS = {how: {"accuracy_by_difficulty": {"1": 0.5}, "accuracy": 0.5} for how in ("greedy", "sampled")}


def test_half_precision_and_a_folder_that_is_no_checkpoint_are_refused(tmp_path):
    with pytest.raises(SpkitError, match="one precision"):
        make_base(NAME, tmp_path / "new", half=True)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(SpkitError, match="is no checkpoint"):
        make_two_skills(NAME, tmp_path)


def test_it_does_not_know_the_game_in_words():
    with pytest.raises(SpkitError, match="this model cannot play game:kuhn-words"):
        policy_at_information_sets(load_policy(NAME), load_game("kuhn-words"))
    with pytest.raises(SpkitError, match="no model is shipped for the task game:kuhn-words"):
        from spkit.policy.profiles import Profile

        Profile("cpu", "shipped", "cpu", "a test").load(load_task("game:kuhn-words"))
    assert game_tree(load_game("kuhn-words")).texts
