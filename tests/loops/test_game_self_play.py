"""Self-play in games: who plays whom, what is recorded, that it learns, and that a run goes on as if never stopped."""

from dataclasses import replace

import pytest
import torch

from spkit.loops import game_self_play as module
from spkit.loops.game_self_play import GameSelfPlayConfig, game_self_play
from spkit.loops.rlvr import RlvrConfig, rlvr
from spkit.measures.game_moves import policy_at_information_sets
from spkit.policy import load_policy
from spkit.run.errors import SpkitError
from spkit.run.folder import STAGES, Run
from spkit.stages.learn_games import MovesConfig
from spkit.tasks import load_task
from tests.stages.players import legal_player

KUHN = load_task("game:kuhn")
SMALL = GameSelfPlayConfig(3, deals=16, pool_every=2, learn=MovesConfig(learning_rate=2e-3))
POOLED = replace(SMALL, iterations=4, opponent="pool", draw="prioritised", anchor_every=2, measure_every=3)
POOLED = replace(POOLED, learn=MovesConfig(kl_coef=0.1, entropy_coef=0.01, learning_rate=2e-3, epochs=2))


def without_seconds(rows):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def test_records_hold_what_is_promised(tmp_path):
    rows = list(game_self_play(legal_player(), KUHN, SMALL, Run(tmp_path / "r")))
    exact = {"nash_conv", "nash_conv_greedy", "value", "entropy", "illegal", "nash_conv_average", "wins", "strategy"}
    always = {"iteration", "seconds", "sampled_tokens", "optimizer_steps"}
    assert [row["iteration"] for row in rows] == [0, 1, 2, 3] and set(rows[0]) == exact | always
    assert rows[0]["nash_conv_average"] == pytest.approx(rows[0]["nash_conv"]) and rows[0]["wins"]["base"] == 0.5
    for row in rows[1:]:
        assert set(row) == exact | always | {"games", "moves", "invalid", "returns", "learned", "baselines"}
        assert row["games"] == 16 and 1 <= row["moves"] <= 3 and set(row["baselines"]) == {"first", "second"}
        assert row["learned"]["ratio_first"] == pytest.approx(1, abs=1e-3) and tuple(row["seconds"]) == STAGES
        assert len(row["strategy"]) == 24 and set(row["wins"]) == {"random", "base", "last", "pool"}
    assert list(game_self_play(legal_player(), KUHN, SMALL, Run(tmp_path / "r"))) == rows


def test_the_policy_it_is_given_stays_and_a_seed_decides():
    before = legal_player().fingerprint()
    once, again, other = (
        without_seconds(game_self_play(legal_player(), KUHN, replace(SMALL, iterations=1, seed=seed)))
        for seed in (0, 0, 1)
    )
    assert once == again and once[0] == other[0] and once[1] != other[1] and legal_player().fingerprint() == before


def test_more_iterations_extend_a_run_as_if_it_had_not_ended(tmp_path):
    """With everything that a run remembers: optimizer, past selves, their average, the anchor, the baselines."""
    whole = without_seconds(game_self_play(legal_player(), KUHN, POOLED))
    parts = tmp_path / "parts"
    list(game_self_play(legal_player(), KUHN, POOLED, _stopped(parts, 2)))
    assert without_seconds(game_self_play(legal_player(), KUHN, POOLED, Run(parts))) == whole
    assert whole[2]["learned"]["kl"] != whole[3]["learned"]["kl"]


def _stopped(folder, after):
    """A run whose records end early, as those of one that was killed."""

    class Stopped(Run):
        def iterations(self, config):
            for t in super().iterations(config):
                if t > after:
                    break
                yield t
            self.close()

    return Stopped(folder)


@pytest.mark.parametrize(("opponent", "expected"), [("latest", []), ("frozen", [1, 0, 0]), ("pool", [1, 1, 1])])
def test_who_sits_in_the_other_seat(opponent, expected, monkeypatch):
    drawn, dealt = [], module.deal
    monkeypatch.setattr(module, "deal", lambda n, k, chances, draw: drawn.append(chances) or dealt(n, k, chances, draw))
    list(game_self_play(legal_player(), KUHN, replace(SMALL, iterations=5, opponent=opponent, measure_every=9)))
    assert drawn[-1] == expected


def test_the_anchor_moves_when_it_is_said_and_else_is_the_base(monkeypatch):
    seen, scored = [], module.minibatches
    spy = lambda policy, rows, update, draw, reference: (
        seen.append(reference and reference.fingerprint()) or scored(policy, rows, update, draw, reference)
    )
    monkeypatch.setattr(module, "minibatches", spy)
    base, held = legal_player(), MovesConfig(kl_coef=0.1, learning_rate=2e-3)
    list(game_self_play(base, KUHN, replace(SMALL, iterations=5, learn=held, anchor_every=2)))
    assert seen[0] == seen[1] == base.fingerprint() != seen[2] == seen[3] != seen[4]
    seen.clear()
    list(game_self_play(base, KUHN, replace(SMALL, learn=held)))
    list(game_self_play(base, KUHN, SMALL))
    assert seen == [base.fingerprint()] * 3 + [None] * 3


def test_it_learns_to_beat_an_opponent_that_stays():
    config = GameSelfPlayConfig(25, deals=128, opponent="frozen", measure_every=25, pool_every=25)
    config = replace(config, learn=MovesConfig(learning_rate=2e-3))
    first, *_, last = game_self_play(legal_player(), KUHN, config)
    assert last["wins"]["base"] > 0.55 and last["value"] != first["value"]
    assert sum(last["returns"].values()) > sum(first.get("returns", {}).values()) + 0.1


def test_illegal_moves_are_unlearned_where_they_have_a_price_and_not_where_they_are_free():
    rude = legal_player(steps=45)
    start = policy_at_information_sets(rude, KUHN).summary()["illegal"]
    config = GameSelfPlayConfig(12, deals=128, measure_every=12, learn=MovesConfig(learning_rate=2e-3))
    priced, free = (list(game_self_play(rude, KUHN, replace(config, invalid_price=p)))[-1] for p in (1.5, 0.0))
    assert start > 0.05 and priced["illegal"] < start / 2 and free["illegal"] > 2 * start, "a loser spoils what is free"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"opponent": "best"}, "opponent must be one of latest, pool, frozen, not 'best'"),
        ({"draw": "worst"}, "draw must be one of uniform, prioritised"),
        ({"deals": 0}, "deals must be 1 or more, not 0"),
        ({"invalid_price": -1}, "invalid_price must be 0 or more, not -1"),
        ({"anchor_every": -1}, "anchor_every must be 0 or more"),
        ({"learn": MovesConfig("deal")}, "set k to 2 or more"),
    ],
)
def test_bad_settings_are_one_sentence(change, message):
    with pytest.raises(SpkitError, match=message):
        replace(SMALL, **change)
    with pytest.raises(SpkitError, match="advantage must be one of rae, shared, deal"):
        MovesConfig("grpo")


def test_a_task_that_is_no_game_and_a_model_that_does_not_know_it_are_one_sentence(tmp_path):
    with pytest.raises(SpkitError, match="'sums' is no game: choose one, such as game:kuhn"):
        next(game_self_play(legal_player(), load_task("sums"), SMALL))
    with pytest.raises(SpkitError, match="this model cannot play game:kuhn: .* does not know 'x'"):
        next(game_self_play(load_policy("sums"), KUHN, SMALL, Run(tmp_path / "r")))
    assert not (tmp_path / "r").exists()
    with pytest.raises(SpkitError, match="game:kuhn is a game without right answers"):
        next(rlvr(load_policy("replies"), KUHN, RlvrConfig()))


def test_deals_that_are_played_twice_compare_with_each_other():
    config = replace(SMALL, iterations=1, deals=8, k=4, learn=MovesConfig("deal", learning_rate=2e-3))
    _, row = game_self_play(legal_player(), KUHN, config)
    assert row["games"] == 32 and row["baselines"] == {} and torch.isfinite(torch.tensor(row["learned"]["loss"]))


def test_rates_fall_in_a_line_and_a_longer_run_begins_alike():
    settings = MovesConfig(learning_rate=1.0, entropy_coef=0.4, anneal_over=4)
    assert [settings.at(t).learning_rate for t in (1, 2, 4, 5, 9)] == [1, 0.75, 0.25, 0, 0]
    assert settings.at(3).entropy_coef == pytest.approx(0.2) and MovesConfig().at(500) == MovesConfig()
    falling = replace(SMALL, learn=replace(SMALL.learn, anneal_over=2))
    rows = without_seconds(game_self_play(legal_player(), KUHN, falling))
    assert rows[1]["strategy"] != rows[2]["strategy"] == rows[3]["strategy"], "at rate 0 nothing moves"
    assert without_seconds(game_self_play(legal_player(), KUHN, replace(falling, iterations=2))) == rows[:3]


def test_another_task_is_measured_first_last_and_between_and_does_not_change_the_run():
    policy, config = load_policy("games-addition"), replace(SMALL, other_every=2, other_tests=3)
    plain = without_seconds(game_self_play(policy, KUHN, config))
    rows = without_seconds(game_self_play(policy, KUHN, replace(config, other_task="addition")))
    assert [sorted(row.pop("other", {})) for row in rows] == [
        ["accuracy", "accuracy_by_difficulty", "nll"], [], *[["accuracy", "accuracy_by_difficulty", "nll"]] * 2
    ]  # fmt: skip
    assert rows == plain and "other" not in plain[0]


def test_shuffled_outcomes_teach_other_moves_and_are_recorded_as_they_were():
    own, other = (
        without_seconds(game_self_play(legal_player(), KUHN, replace(SMALL, iterations=1, credit=credit)))[1]
        for credit in ("own", "shuffled")
    )
    assert own["returns"] == other["returns"] and own["invalid"] == other["invalid"]
    assert own["strategy"] != other["strategy"]


def test_prompts_that_share_a_row_teach_the_same():
    plain, shared = (
        list(game_self_play(legal_player(), KUHN, replace(SMALL, learn=replace(SMALL.learn, shared_prompts=shared))))
        for shared in (False, True)
    )
    assert shared[-1]["strategy"] == pytest.approx(plain[-1]["strategy"], abs=1e-3) != plain[0]["strategy"]
