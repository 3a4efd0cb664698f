"""`spkit play`: a person plays against a model, and bad input is a sentence."""

import io
import sys
from dataclasses import replace

import pytest

from spkit.cli import playing
from spkit.cli.main import main
from spkit.loops.game_self_play import GameSelfPlayConfig, game_self_play
from spkit.policy import load_policy
from spkit.run.folder import Run
from spkit.stages.learn_games import MovesConfig
from spkit.tasks.games import OVER, SEATS, game_tree, load_game
from tests.stages.players import legal_player, random_player

SMALL = GameSelfPlayConfig(1, deals=8, learn=MovesConfig(minibatches=1))


@pytest.fixture(scope="module")
def kuhn_run(tmp_path_factory):
    """A finished run of Kuhn poker, and the policy that it ended with."""
    run = Run(tmp_path_factory.mktemp("runs") / "kuhn")
    list(game_self_play(legal_player(), load_game("kuhn"), SMALL, run))
    return run.folder, run.last_policy(legal_player())


@pytest.fixture
def spkit(monkeypatch, capsys):
    """The command with these lines on stdin: (exit code, output, errors)."""

    def call(*arguments, lines=()):
        monkeypatch.setattr(sys, "argv", ["spkit", "play", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code, *capsys.readouterr()

    return call


def always(moves):
    """A person who makes the first of these that is legal."""
    return lambda question: next(move for move in moves if move in question.partition("(")[2].partition(")")[0].split())


@pytest.mark.parametrize("seat", [0, 1])
@pytest.mark.parametrize("name", ["kuhn", "leduc", "tic_tac_toe", "nim"])
def test_a_game_goes_by_the_rules_whatever_it_is(name, seat, monkeypatch, capsys):
    """The model draws any legal move, so that the last state is one of the game's and the result its return."""
    game, ended = playing.named_game(name), []
    player = playing.Opponent(random_player(), game)
    moves = list(dict.fromkeys(move for _, legal in game_tree(game).texts for move in legal))
    monkeypatch.setattr(playing.Opponent, "write", lambda own, prompt, *_: (_legal(prompt)[-1], True))
    monkeypatch.setattr(playing, "_show", lambda game, state: ended.append(state))
    result = playing.play_one(player, seat, 3, 0, always(moves))
    assert game.turn(ended[-1]) == OVER and result == game.returns(ended[-1]) * (1 if seat == 0 else -1)
    assert "Its probabilities: " in capsys.readouterr().out


def _legal(prompt):
    return prompt.partition("choose ")[2].rstrip(">").split()


def test_a_person_plays_against_a_run(kuhn_run, spkit):
    folder, policy = kuhn_run
    code, out, errors = spkit("kuhn", "--model", folder, "--games", 3, "--seed", 5, lines=["x", "zz", "", *"cb" * 9])
    assert code == 0 and errors == "" and out.count("\nGame ") == 3
    assert "You are the first player." in out and "'zz' is no move here: choose one of " in out
    prompt, _, odds = out.partition("It saw: ")[2].splitlines()[0].partition(". Its probabilities: ")
    (whole, legal) = next(row for row in game_tree(load_game("kuhn")).texts if row[0].startswith(prompt + ", choose"))
    expected = playing.Opponent(policy, load_game("kuhn")).chances(whole, legal)
    assert odds == ", ".join(f"{move} {chance:.0%}" for move, chance in zip(legal, expected))
    assert spkit("game:kuhn", "--model", folder, "--games", 3, "--seed", 5, lines=["x", "zz", "", *"cb" * 9])[1] == out


@pytest.mark.parametrize("seat", [0, 1])
def test_the_end_of_the_input_ends_it_with_what_was_won(seat, kuhn_run, spkit):
    folder, _ = kuhn_run
    code, out, errors = spkit("kuhn", "--model", folder, "--seat", seat)
    assert (code, errors) == (0, "") and f"You are the {SEATS[seat]} player." in out
    assert out.endswith("No game was finished.\n")
    code, out, _ = spkit("kuhn", "--model", folder, "--seat", seat, lines=["b", "b", "c", "f"] * 3)
    games = out.count("\nYou win ") + out.count("\nThe model wins ")
    assert code == 0 and games > 1 and f"\nAfter {games} games " in out


def test_what_was_won_is_added_up(kuhn_run, capsys):
    player = playing.Opponent(kuhn_run[1], load_game("kuhn"))
    results = [playing.play_one(player, 1, 2, number, always("bcxf")) for number in range(7)]
    capsys.readouterr()
    playing.play_on(player, 1, 2, 7, always("bcxf"))
    total = sum(result for result in results if result is not None)
    assert f"ahead by {abs(total):g} ante" in capsys.readouterr().out and total != 0


def test_ctrl_c_ends_it_too(kuhn_run, capsys):
    def stopped(question):
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as left:
        playing.play_on(playing.Opponent(kuhn_run[1], load_game("kuhn")), 0, 0, 0, stopped)
    assert left.value.code == 130 and capsys.readouterr().out.endswith("No game was finished.\n")


def test_a_model_that_writes_no_legal_move_ends_the_game(monkeypatch, capsys):
    player = playing.Opponent(random_player(), load_game("kuhn"))
    for written in (("j", True), ("b", False)):
        monkeypatch.setattr(playing.Opponent, "write", lambda *_, row=written: row)
        playing.play_on(player, 1, 0, 1, always("xf"))
        out = capsys.readouterr().out
        assert f"The model writes {written[0]!r}, which is no legal move" in out
        assert out.endswith("No game was finished.\n")


def test_the_model_writes_as_its_probabilities_say():
    player = playing.Opponent(legal_player(), load_game("kuhn"))
    prompt, legal = game_tree(player.game).texts[0]
    written = [player.write(prompt, 0, game, 0) for game in range(400)]
    for move, chance in zip(legal, player.chances(prompt, legal)):
        assert written.count((move, True)) / 400 == pytest.approx(chance, abs=0.1)
    assert written[:5] == [player.write(prompt, 0, game, 0) for game in range(5)]


def test_bad_input_is_one_sentence_and_exit_code_2(kuhn_run, spkit, tmp_path):
    folder, _ = kuhn_run
    base = Run(tmp_path / "base")
    list(game_self_play(legal_player(), load_game("kuhn"), replace(SMALL, iterations=0), base))
    random_player(sharp=0).save(tmp_path / "knows-nothing")
    for arguments, message in [
        (["chess"], "unknown game 'chess': choose one of kuhn, leduc, tic-tac-toe"),
        (["nim", "--model", folder], f"the run in {folder} played game:kuhn, not game:nim: ask for that game"),
        (["kuhn", "--model", base.folder], "has no finished iteration yet"),
        (["kuhn", "--model", "addition"], "this model cannot play game:kuhn: the tokenizer"),
        (["kuhn", "--model", tmp_path / "knows-nothing"], "this model does not know game:kuhn: 0% of what it writes"),
        (["kuhn", "--model", "gpt5"], "unknown model 'gpt5'"),
        (["kuhn", "--model", tmp_path], "is not a checkpoint"),
        (["kuhn", "--seat", "2"], "invalid choice '2' for argument '--seat'"),
        (["kuhn", "--games", "-1"], "--games is -1, and must be 0 or more"),
    ]:
        code, out, errors = spkit(*arguments)
        assert (code, out) == (2, ""), arguments
        assert message in errors and errors.count("\n") == 1 and "Traceback" not in errors


def test_the_shipped_base_knows_every_game():
    for name in ("kuhn", "leduc", "tic-tac-toe", "nim"):
        assert playing.opponent("", load_game(name)).policy.fingerprint() == load_policy("games").fingerprint()
