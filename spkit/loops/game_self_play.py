"""Self-play in a game: a language model plays both seats of a two-player zero-sum game (SPIRAL, arXiv:2506.24119).

    propose:  cards are dealt and seats are taken, by the policy itself, its past selves, or its base;
    solve:    the game is played, a move at a time, each written as text;
    verify:   the rules say who won; what is no legal move ends the game and has a price;
    learn:    the policy gradient: moves of games that went better than usual for that seat become more likely.

What differs from the paper, and why:
- The games are small enough to know everything: a record has the exact NashConv of the language model, from its
  probability of every legal move at every information set, where others estimate win rates.
- A move is one or a few tokens without reasoning before it, and learning rates are those of a tiny model.
- Moves of games with advantage 0 have no gradient, and are counted in the average; the paper drops them.

The opponent is `latest` (the policy, in both seats: as in the paper), `pool` (past selves, uniformly: fictitious play;
or `prioritised` by how often they win: AlphaStar's league in small), or `frozen` (the base). Playing against one's
latest self goes round in circles where no single strategy is best. What is known to help: a pool, the average of all
strategies (`nash_conv_average`), an anchor that follows slowly (`learn.kl_coef` with `anchor_every`), an entropy bonus.

Breakages: a baseline that both seats share, though one seat wins more; an opponent that stays; `invalid_price` 0.
Does playing help elsewhere? `other_task` is measured beside it, with `credit="shuffled"` as the control of equal size.

Run it: spkit run game-self-play --task game:kuhn --iterations 200 --seed 0
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from ..measures.game_moves import MoveChances, move_tokens, policy_at_information_sets
from ..policy import Policy
from ..run.errors import SpkitError
from ..run.folder import Run
from ..run.settings import at_least, one_of_its_choices
from ..run.streams import generator
from ..stages.learn_games import MovesConfig, credited, move_rollouts, seat_advantages, set_learning_rate
from ..stages.learn_pg import learn_from_rewards, minibatches, new_optimizer, optimizer_state, resumed
from ..stages.measure_games import game_samples, measure_other, measure_strategy, played_record
from ..stages.past_selves import PastSelves, anchor_state, restored_anchor
from ..stages.play import deal, outcomes, play_games
from ..tasks.games import TextGame, check_game, game_tree


@dataclass(frozen=True)
class GameSelfPlayConfig:
    """Settings of a run; SPIRAL's value in brackets where there is one."""

    iterations: int = 200  # rounds of deal, play, verify, learn; a larger number extends a run [400]
    seed: int = 0  # decides every random draw
    deals: int = 128  # deals of an iteration [128]
    k: int = 1  # games played of each deal, with the same cards [1]
    opponent: Literal["latest", "pool", "frozen"] = "latest"  # who sits in the other seat [latest]
    draw: Literal["uniform", "prioritised"] = "uniform"  # how an opponent is drawn from the pool
    pool_every: int = 5  # iterations between two past selves that are kept
    invalid_price: float = 1.5  # what no legal move loses, in units of the most that the game can cost
    anchor_every: int = 0  # iterations after which the anchor moves to where the policy is; 0: it stays at the base
    learn: MovesConfig = field(default_factory=MovesConfig)
    measure_every: int = 1  # iterations between two exact looks at the strategy, beside the first and the last
    credit: Literal["own", "shuffled"] = "own"  # shuffled, a control: a game is given the outcome of another one
    other_task: str = ""  # a task that is not trained, whose accuracy is measured, too [mathematics]
    other_every: int = 100  # iterations between two looks at it, beside the first and the last
    other_tests: int = 100  # its test problems of each difficulty

    def __post_init__(self) -> None:
        at_least(self, 1, "deals", "k", "pool_every", "measure_every", "other_every", "other_tests")
        at_least(self, 0, "iterations", "invalid_price", "anchor_every")
        one_of_its_choices(self)
        if self.learn.advantage == "deal" and self.k < 2:
            raise SpkitError("the advantage 'deal' compares games of one deal: set k to 2 or more")


def game_self_play(
    base: Policy, game: TextGame, config: GameSelfPlayConfig, run: Run | None = None
) -> Iterator[dict[str, Any]]:
    """Yield one record per iteration, iteration 0 being the base; a run with a folder continues where its records end.

    Raises SpkitError for a task that is no game, and a base that does not know the characters of its moves.
    """
    tree, run = game_tree(check_game(game)), run or Run()
    move_tokens(base, game)  # before anything is written
    base, last = run.begin("game_self_play", game, base, config)
    policy, first = last.clone(), cache(lambda: exact_strategy(base, game, run))
    other = lambda one: measure_other(one, config.other_task, config.other_tests, run)
    alone = lambda: {**measure_strategy(first(), PastSelves.begun(first())), **other(base)}
    begun = lambda: run.record(0, base, samples=[], **alone())
    yield from run.replay(config, begun)
    optimizer = new_optimizer(policy, config.learn.update(1))
    if len(run.records) < 2:
        past, anchor = PastSelves.begun(first()), base
    else:
        state = run.state_of(len(run.records) - 1)
        past = PastSelves.load(state, tree)
        anchor = restored_anchor(base, state) if config.anchor_every else base
        optimizer = resumed(optimizer, state)

    for t in run.iterations(config):
        # 1 propose: cards are dealt, seats are taken
        chances = opponents(config, past, policy, run)
        seating = deal(config.deals, config.k, chances, generator(config.seed, t, "seats"))
        # 2 solve: the games are played
        with run.stage("solve", len(seating.luck), "games") as tick:
            draw = generator(config.seed, t, "solve")
            played = play_games(policy, tree, seating, past.strategies, draw, tick)
        # 3 verify: the rules say who has won what
        returns = outcomes(game, played, config.invalid_price)
        # 4 learn: moves of games that went better than usual become more likely
        settings = config.learn.at(t)
        set_learning_rate(optimizer, settings.learning_rate)
        with run.stage("learn", settings.epochs * settings.minibatches, "steps") as tick:
            before = run.records[-1].get("baselines")
            credit = credited(config.credit, returns, generator(config.seed, t, "deal"))
            advantages, baselines = seat_advantages(settings.advantage, played, credit, config.k, before)
            rows, reference = move_rollouts(policy, played, advantages), anchor if settings.kl_coef else None
            update = settings.update(len(rows))
            scored = minibatches(policy, rows, update, generator(config.seed, t, "batches"), reference)
            learned = learn_from_rewards(policy, optimizer, scored, update, generator(config.seed, t, "learn"), tick)
        if config.anchor_every and t % config.anchor_every == 0:
            anchor = policy.clone()
        # 5 measure
        run.spend(sampled_tokens=sum(len(turn.token_ids) for turn in played.turns), optimizer_steps=learned["steps"])
        numbers = {**played_record(played, returns), "learned": learned, "baselines": baselines}
        if t % config.measure_every == 0 or t % config.pool_every == 0 or t == config.iterations:
            seen = exact_strategy(policy, game, run)
            past = past.counted(seen.strategy)
            numbers |= measure_strategy(seen, past)
            past = past.joined(seen.strategy, t) if t % config.pool_every == 0 else past
        if t % config.other_every == 0 or t == config.iterations:
            numbers |= other(policy)
        state = {**optimizer_state(optimizer), **past.dump(), **(anchor_state(anchor) if config.anchor_every else {})}
        yield run.record(t, policy, samples=game_samples(played, returns), state=state, **numbers)


def exact_strategy(policy: Policy, game: TextGame, run: Run) -> MoveChances:
    """The policy's exact strategy."""
    with run.stage("measure", 1, "strategies"):
        return policy_at_information_sets(policy, game)


def opponents(config: GameSelfPlayConfig, past: PastSelves, policy: Policy, run: Run) -> list[float]:
    """The weight of each past self as an opponent; none where the policy plays with itself."""
    if config.opponent == "latest":
        return []
    if config.opponent == "frozen":
        return [1.0] + [0.0] * (len(past.strategies) - 1)
    ours = exact_strategy(policy, past.tree.game, run).strategy if config.draw == "prioritised" else past.strategies[-1]
    return past.chances(config.draw, ours)
