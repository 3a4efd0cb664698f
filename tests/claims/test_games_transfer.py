"""What the claims about a real model at a game, and about playing and adding, read from records."""

from dataclasses import asdict

import pytest

from spkit.claims import GAMES_REAL_CLAIMS, GAMES_TRANSFER_CLAIMS
from spkit.claims.games_real import GAMES_REAL_EXPERIMENTS, antes
from spkit.claims.games_self_play import ANCHOR
from spkit.claims.games_transfer import GAMES_TRANSFER_EXPERIMENTS
from spkit.run.errors import SpkitError
from spkit.tasks.games import game_tree, load_game

TREE = game_tree(load_game("kuhn-words"))


def test_antes_are_those_of_the_last_strategy():
    uniform, last = TREE.uniform(), TREE.respond(TREE.uniform(), 0)[1]
    rows = [{"iteration": i, "strategy": one.tolist()} for i, one in enumerate((uniform, last, last))]
    by_hand = (TREE.value(last, uniform) - TREE.value(uniform, last)) / 2
    assert antes("a", "random").of({"a": rows}) == antes("a", "base").of({"a": rows}) == pytest.approx(by_hand)
    assert antes("a", "base").of({"a": [*rows, rows[0]]}) == pytest.approx(0) and by_hand > 0.1
    with pytest.raises(SpkitError, match="no strategy in the records"):
        antes("a", "base").of({"a": [{"iteration": 0}]})


def test_each_claim_reads_what_its_words_say():
    row = {"nash_conv": 0.9, "illegal": 0.5, "other": {"accuracy": 0.6, "nll": 0.1}, "wins": {}, "entropy": 0.1}
    before, after = row | {"iteration": 0}, row | {"iteration": 1, "nash_conv": 0.4, "illegal": 0.1}
    after |= {"other": {"accuracy": 0.5, "nll": 0.4}}
    worse = after | {"other": {"accuracy": 0.45, "nll": 0.5}, "nash_conv": 0.7, "illegal": 0.6}
    records = {name: [before, after] for name in GAMES_TRANSFER_EXPERIMENTS | GAMES_REAL_EXPERIMENTS}
    records |= {name: [before, worse] for name in ("transfer-shuffled", "real-kuhn-shuffled")}
    effects = {
        one.id: one.criterion.term.of(records)
        for one in (*GAMES_TRANSFER_CLAIMS, *GAMES_REAL_CLAIMS)
        if "antes" not in str(one.criterion)
    }
    assert effects == pytest.approx(
        {
            "transfer-plays": 0.5,
            "transfer-gain": -0.1,
            "transfer-control": 0.05,
            "transfer-forgets": 0.3,
            "transfer-held": 0,
            "transfer-held-cost": 0,
            "real-kuhn-legal": 0.4,
            "real-kuhn-nash": 0.5,
            "real-kuhn-control": 0.5,
        }
    )


def test_controls_differ_in_one_part():
    for runs, beside, parts in (
        (GAMES_TRANSFER_EXPERIMENTS, ("transfer-play", "transfer-shuffled"), {"credit"}),
        (GAMES_TRANSFER_EXPERIMENTS, ("transfer-play", "transfer-held"), {"anchor_every"}),
        (GAMES_REAL_EXPERIMENTS, ("real-kuhn", "real-kuhn-shuffled"), {"credit"}),
    ):
        one, other = (asdict(runs[name].config) for name in beside)
        assert {key for key in one if one[key] != other[key]} == parts
    play, anchor = asdict(GAMES_TRANSFER_EXPERIMENTS["transfer-play"].config), asdict(ANCHOR)
    changed = {key for key in play if play[key] != anchor[key]}
    assert changed == {"iterations", "other_task", "other_every", "learn"}
