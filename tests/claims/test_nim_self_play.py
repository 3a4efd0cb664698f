"""What the claims about Nim compute from records."""

from dataclasses import asdict

import pytest

from spkit.claims import NIM_CLAIMS
from spkit.claims.nim_self_play import NIM, NIM_EXPERIMENTS


def test_each_claim_reads_what_its_words_say():
    row = {"nash_conv_greedy": 2.0, "wins": {"random": 0.5, "base": 0.5}}
    records = [{"iteration": i, **row} for i in range(21)]
    better = [*records[:-1], {**records[-1], "nash_conv_greedy": 0.0, "wins": {"random": 0.9}}]
    runs = dict.fromkeys(NIM_EXPERIMENTS, records)
    effect = lambda id, **others: next(one for one in NIM_CLAIMS if one.id == id).measure(runs | others)["effect"]
    assert effect("games-nim") == 2 and effect("games-nim", **{"nim-pool": better}) == 0
    assert effect("games-nim-shared", **{"nim-shared": better}) == pytest.approx(-0.4)
    assert effect("games-nim-shared-greedy", **{"nim-shared": better}) == -2


def test_the_runs_of_nim_play_as_many_games_and_differ_in_one_part():
    one, other = ({**asdict(run), **asdict(run)["learn"]} for run in (NIM_EXPERIMENTS["nim-shared"].config, NIM))
    assert {key for key in one if key != "learn" and one[key] != other[key]} == {"advantage"}
