"""What `spkit play` does: a person plays a game against a language model, a move a line."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

from ..measures.game_moves import move_tokens
from ..policy import Policy
from ..policy.profiles import profile
from ..run.description import load_run
from ..run.errors import SpkitError
from ..run.streams import generator
from ..stages.play import deal
from ..tasks.games import CHANCE, OVER, SEATS, State, TextGame, load_game
from .output import INTERRUPTED, say

KNOWS = 0.05  # of a model's first moves so much must be legal: less, and it does not know the game
FIRST_LOOKS = 12  # at most, information sets in which a model is asked for its first move


@dataclass(frozen=True)
class Opponent:
    """A model that plays a game."""

    policy: Policy
    game: TextGame

    def chances(self, prompt: str, legal: tuple[str, ...]) -> list[float]:
        """The probability that it writes each of these moves."""
        written = move_tokens(self.policy, self.game)
        scores = self.policy.logprobs([prompt] * len(legal), [written[move] for move in legal])
        return [float(one.double().sum().exp()) for one in scores]

    def write(self, prompt: str, seed: int, game: int, turn: int) -> tuple[str, bool]:
        """What it writes at temperature 1, and whether it has ended it by itself."""
        longest = max(map(len, move_tokens(self.policy, self.game).values()))
        draw = generator(seed, game, "move-", turn)
        rows = self.policy.sample([prompt], 1, temperature=1.0, max_new_tokens=longest, generator=draw)
        return rows.texts[0], bool(rows.finished[0])


def named_game(name: str) -> TextGame:
    """The game of that name, as `spkit run --task` has it or with `_` for `-`. SpkitError names the ones there are."""
    return load_game(name.removeprefix("game:").replace("_", "-"))


def opponent(model: str, game: TextGame) -> Opponent:
    """The model of a run, or by name, folder or hub id; the shipped base of the game without one.

    Raises SpkitError for a run of another game, one without a finished iteration, and a model that does not know the
    game.
    """
    source = last_checkpoint(Path(model), game) if (Path(model) / "metrics.jsonl").is_file() else model
    chosen = profile({**os.environ, **({"SPKIT_MODEL": str(source)} if model else {})})
    player = Opponent(chosen.load(game), game)
    move_tokens(player.policy, game)
    firsts = islice(_firsts(game), FIRST_LOOKS)
    legal = max(sum(player.chances(prompt, moves)) for prompt, moves in firsts)
    if legal < KNOWS:
        raise SpkitError(
            f"this model does not know {game.name}: {legal:.0%} of what it writes as a first move is legal, at most; "
            "take --model games, or a run of game-self-play"
        )
    return player


def _firsts(game: TextGame) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The first player's information sets before any move, with the legal moves."""
    todo, seen = [game.start()], set()
    while todo:
        state = todo.pop()
        if game.turn(state) == CHANCE:
            todo += reversed(game.chances(state))
        elif game.prompt(state) not in seen:
            seen.add(game.prompt(state))
            yield game.prompt(state), game.legal(state)


def last_checkpoint(folder: Path, game: TextGame) -> Path:
    """The folder of a run's last policy. Raises SpkitError if it has none, or is of another game."""
    described, records = load_run(folder)
    if described["task"] != game.name and described["task"].startswith("game:"):
        raise SpkitError(
            f"the run in {folder} played {described['task']}, not {game.name}: ask for that game, or leave --model out"
        )
    last = folder / "checkpoints" / f"iteration-{len(records) - 1:04d}"
    if len(records) < 2 or not last.is_dir():
        raise SpkitError(f"{folder} has no finished iteration yet: start its command again to continue it")
    return last


def play_on(player: Opponent, seat: int, seed: int, games: int, ask: Callable[[str], str] = input) -> None:
    """Games one after the other, until so many were played (0: for ever) or the input ends; then what was won.

    Ctrl+C ends them too, with the shell's exit code for it.
    """
    won, stopped = [], False
    say(player.game.instruction.split(" Answer with ")[0])
    say(f"You are the {SEATS[seat]} player. Ctrl+D ends.")
    try:
        for number in range(games) if games else count():
            say(f"\nGame {number + 1}")
            result = play_one(player, seat, seed, number, ask)
            won += [result] if result is not None else []
    except EOFError:
        say("")
    except KeyboardInterrupt:
        say("")
        stopped = True
    say(_total(won, player.game))
    if stopped:
        raise SystemExit(INTERRUPTED)


def play_one(player: Opponent, seat: int, seed: int, number: int, ask: Callable[[str], str]) -> float | None:
    """One game: what the person in this seat wins, in the game's unit; None if the model writes no legal move."""
    game, luck, events = player.game, deal(1, 1, [], generator(seed, number, "seats")).luck[0], 0
    state, turns, seen = game.start(), 0, []
    while game.turn(state) != OVER:
        if game.turn(state) == CHANCE:
            following = game.chances(state)
            state, events = following[int(luck[events] * len(following))], events + 1
            continue
        if game.turn(state) == seat:
            state = game.after(state, asked_move(game, state, ask))
            continue
        prompt, legal = game.prompt(state), game.legal(state)
        text, ended = player.write(prompt, seed, number, turns)
        move, turns = game.read(state, text) if ended else None, turns + 1
        if move is None:
            say(f"The model writes {text!r}, which is no legal move: the game ends, and does not count.")
            return None
        say(f"The model plays {move}.")
        seen.append((prompt, legal, player.chances(prompt, legal)))
        state = game.after(state, move)
    result = game.returns(state) * (1 - 2 * seat)
    _show(game, state)
    say(_outcome(result, game.unit))
    for prompt, legal, chances in seen:
        odds = ", ".join(f"{move} {chance:.0%}" for move, chance in zip(legal, chances))
        say(f"It saw: {_without_choice(prompt)}. Its probabilities: {odds}")
    return result


def asked_move(game: TextGame, state: State, ask: Callable[[str], str]) -> str:
    """The person's move: asked for again until it is a legal one."""
    legal = game.legal(state)
    _show(game, state)
    while True:
        text = ask(f"{_without_choice(game.prompt(state))}. Your move ({' '.join(legal)}): ")
        move = game.read(state, text)
        if move is not None:
            return move
        say(f"{text.strip()[:20]!r} is no move here: choose one of {' '.join(legal)}.")


def _without_choice(prompt: str) -> str:
    return prompt.partition(", choose ")[0]


def _show(game: TextGame, state: State) -> None:
    """A board in three rows, and both cards when the game is over; the line that asks says the rest."""
    if len(state) == 1:
        say("\n".join(" ".join(state[0][start : start + 3]) for start in (0, 3, 6)))
    elif game.turn(game.start()) == CHANCE and game.turn(state) == OVER:
        say(f"Cards: first {state[0][0]}, second {state[0][1]}.")


def _outcome(won: float, unit: str) -> str:
    if won == 0:
        return "A draw."
    return f"{'You win' if won > 0 else 'The model wins'} {_amount(abs(won), unit)}."


def _amount(number: float, unit: str) -> str:
    return f"{number:g} {unit.removesuffix('s') if number == 1 else unit}"


def _total(won: list[float], game: TextGame) -> str:
    if not won:
        return "No game was finished."
    total = sum(won)
    said = "nobody is ahead" if total == 0 else f"{'you are' if total > 0 else 'the model is'} ahead by "
    return f"After {_amount(len(won), 'games')} {said}{_amount(abs(total), game.unit) if total else ''}."
