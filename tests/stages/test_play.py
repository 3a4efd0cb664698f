"""Games that are played: by the rules, as often as the strategies say, and what is no move has its price."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from spkit.measures.game_moves import policy_at_information_sets
from spkit.run.streams import generator
from spkit.stages.learn_games import MovesConfig, credited, move_rollouts, seat_advantages
from spkit.stages.learn_pg import learn_from_rewards, loss_of_part, merged, minibatches, new_optimizer
from spkit.stages.past_selves import PastSelves
from spkit.stages.play import LEARNER, Played, PlayedMove, Seating, deal, outcomes, play_games
from spkit.tasks.games import GAMES, OVER, game_tree, load_game
from tests.helpers import apart
from tests.stages.players import legal_player, random_player

KUHN = game_tree(load_game("kuhn"))
NONE = np.zeros((0, 24))


def draws(part=""):
    return generator(0, 0, "solve", part)


def test_deals_repeat_their_luck_and_seats_change():
    seating = deal(6, 3, [], draws())
    assert seating.luck.shape == (18, 4) and (seating.players == LEARNER).all()
    assert (seating.luck.reshape(6, 3, 4) == seating.luck[::3][:, None]).all() and len(np.unique(seating.luck)) == 24
    against = deal(3000, 2, [1, 0, 3], draws())
    other = against.players[against.players != LEARNER]
    assert ((against.players == LEARNER).sum(1) == 1).all()
    assert (against.players[:, 0] == LEARNER).mean() == 0.5 and set(other) == {0, 2}
    assert (other == 2).mean() == pytest.approx(0.75, abs=0.05)


def test_games_come_out_as_often_as_the_exact_strategy_says():
    policy = legal_player()
    found = policy_at_information_sets(policy, KUHN.game)
    assert found.illegal.max() < 0.05
    played = play_games(policy, KUHN, deal(20_000, 1, [], draws()), NONE, draws("games"))
    returns = outcomes(KUHN.game, played, 1.5) * KUHN.game.largest
    fair = played.spoiled < 0
    assert returns[fair, 0].mean() == pytest.approx(found.summary()["value"], abs=4 * 1.5 / 20_000**0.5)
    bad = sum(turn.move is None for turn in played.turns) / len(played.turns)
    assert bad == pytest.approx(found.summary()["illegal"], abs=0.003)
    counts = np.zeros(24)
    sets = {text: index for index, (text, _) in enumerate(KUHN.texts)}
    for turn in played.turns:
        if turn.move is not None:
            index = sets[turn.prompt]
            counts[KUHN.starts[index] + KUHN.texts[index][1].index(turn.move)] += 1
    seen = counts / np.add.reduceat(counts, KUHN.starts[:-1])[KUHN.owner]
    assert seen == pytest.approx(found.strategy, abs=0.04)
    assert KUHN.nash_conv(seen) == pytest.approx(found.summary()["nash_conv"], abs=0.06)


@pytest.mark.parametrize("name", GAMES)
def test_past_selves_play_legally_and_the_policy_is_heard_in_its_own_seat_alone(name):
    game = load_game(name)
    tree = game_tree(game)
    seating = deal(20, 1, [1], draws())
    played = play_games(random_player(), tree, seating, tree.uniform()[None], draws("games"))
    assert all(seating.players[turn.game, turn.seat] == LEARNER for turn in played.turns)
    for end, spoiled in zip(played.ends, played.spoiled):
        assert (game.turn(end) == OVER) == (spoiled < 0) and (spoiled < 0 or game.turn(end) == spoiled)


def test_an_opponent_plays_its_strategy():
    """Both seats against the first move always: checks and folds, by the rules of Kuhn poker."""
    passive = np.zeros(24)
    passive[KUHN.starts[:-1]] = 1
    seating = Seating(np.random.default_rng(0).random((400, 4)), np.zeros((400, 2), dtype=int))
    played = play_games(legal_player(), KUHN, seating, passive[None], draws())
    assert not played.turns and {end[1] for end in played.ends} == {"xx"}
    assert {end[0] for end in played.ends} == {"jq", "jk", "qj", "qk", "kj", "kq"}


@pytest.mark.parametrize("chances", [[], [1, 2]])
def test_a_game_depends_on_its_number_and_not_on_how_many_there_are(chances):
    tree = game_tree(load_game("leduc"))
    few, many = (
        play_games(legal_player("leduc"), tree, deal(n, 2, chances, draws()), _both(tree), draws("games"))
        for n in (10, 37)
    )
    assert few.seating.luck.tolist() == many.seating.luck[:20].tolist()
    assert few.seating.players.tolist() == many.seating.players[:20].tolist()
    assert few.ends == many.ends[:20] and few.spoiled.tolist() == many.spoiled[:20].tolist()
    first = [turn for turn in many.turns if turn.game < 20]
    told = lambda turns: sorted((turn.game, len(turn.prompt), turn.prompt, turn.text, turn.move) for turn in turns)
    assert told(few.turns) == told(first) and len(set(many.ends)) > 20


def _both(tree):
    """Two opponents: any legal move, and the first one always."""
    return np.stack([tree.uniform(), tree.greedy(tree.uniform())])


def test_no_legal_move_has_its_price_and_nothing_for_the_other():
    ends = [("kq", "bc"), ("jq", "bf"), ("jk", "xx"), ("jk", "x")]
    played = Played(Seating(np.zeros((4, 4)), np.full((4, 2), LEARNER)), [], ends, np.array([-1, -1, -1, 1]))
    assert outcomes(KUHN.game, played, 1.25).tolist() == [[1, -1], [0.5, -0.5], [-0.5, 0.5], [0, -1.25]]
    assert (outcomes(KUHN.game, played, 0)[3] == 0).all()


def test_each_seat_has_its_baseline_or_both_have_one_or_the_deal_has():
    players = np.array([[LEARNER, LEARNER], [LEARNER, 0], [0, LEARNER], [LEARNER, LEARNER]])
    played = Played(Seating(np.zeros((4, 4)), players), [], [()] * 4, np.full(4, -1))
    returns = np.array([[1.0, -1], [0.5, -0.5], [-0.5, 0.5], [1, -1]])
    found, means = seat_advantages("rae", played, returns, 1, {"first": 0.2})
    first, second = [0.2], [0.0]
    for i, (a, b) in enumerate(returns):
        if players[i, 0] == LEARNER:
            assert found[i, 0] == pytest.approx(a - first[-1])
            first.append(0.95 * first[-1] + 0.05 * a)
        if players[i, 1] == LEARNER:
            assert found[i, 1] == pytest.approx(b - second[-1])
            second.append(0.95 * second[-1] + 0.05 * b)
    assert means == pytest.approx({"first": first[-1], "second": second[-1]})
    assert found[1, 1] == found[2, 0] == 0
    assert set(seat_advantages("shared", played, returns, 1, None)[1]) == {"both"}
    everyone = Played(Seating(np.zeros((4, 4)), np.full((4, 2), LEARNER)), [], [()] * 4, np.full(4, -1))
    found, means = seat_advantages("deal", everyone, returns, 2, None)
    assert found.tolist() == [[0.5, -0.5], [-0.5, 0.5], [-1.5, 1.5], [1.5, -1.5]] and means == {}


def enumerated(policy):
    """Every line of play of every deal as games that the policy has played, with the probability of each."""
    chances = policy_at_information_sets(policy, KUHN.game)
    sets = {text: index for index, (text, _) in enumerate(KUHN.texts)}
    lines = []

    def walk(state, turns, weight):
        seat = KUHN.game.turn(state)
        if seat == OVER:
            lines.append((state, turns, weight))
            return
        prompt = KUHN.game.prompt(state)
        for place, move in enumerate(KUHN.game.legal(state)):
            share = chances.strategy[KUHN.starts[sets[prompt]] + place] * (1 - chances.illegal[sets[prompt]])
            walk(KUHN.game.after(state, move), [*turns, (seat, prompt, move)], weight * share)

    for cards in KUHN.game.chances(KUHN.game.start()):
        walk(cards, [], 1 / 6)
    return lines


def test_the_policy_gradient_is_the_derivative_of_the_exact_value():
    """Each seat climbs its own return: the expected update over all games equals the gradient of the value in which the
    other seat's moves are constants. Computed from the model one prompt at a time.
    """
    policy = legal_player().clone()
    lines = enumerated(policy)
    assert sum(weight for *_, weight in lines) == pytest.approx(1, abs=0.1)
    ends = [state for state, _, _ in lines]
    written = {move: policy.completion_ids(move) for move in "xbfc"}
    turns = []
    for number, (_, moves, _) in enumerate(lines):
        for seat, prompt, move in moves:
            (scores,) = policy.logprobs([prompt], [written[move]])
            turns.append(PlayedMove(number, seat, prompt, written[move], scores, move, move))
    seating = Seating(np.zeros((len(lines), 4)), np.full((len(lines), 2), LEARNER))
    played = Played(seating, turns, ends, np.full(len(lines), -1))
    weights = np.array([weight for *_, weight in lines])
    returns = outcomes(KUHN.game, played, 1.5)
    rows = move_rollouts(policy, played, returns * weights[:, None])
    update = MovesConfig(minibatches=1).update(len(rows))
    (batch,) = minibatches(policy, rows, update, draws())
    policy.model.zero_grad()
    for part in batch.parts:
        loss_of_part(policy, part, batch.size, update.loss)[0].backward()
    ours = torch.cat([one.grad.flatten() for one in policy.model.parameters()]) * -batch.size.tokens

    policy.model.zero_grad()
    value = 0
    for (_, moves, _), (first, second) in zip(lines, returns):
        logs = [
            sum(policy.model(torch.tensor([ids])).logits[0].log_softmax(-1)[p, ids[p + 1]] for p in spots)
            for seat, prompt, move in moves
            for ids in [policy.prompt_ids(prompt) + written[move]]
            for spots in [range(len(policy.prompt_ids(prompt)) - 1, len(ids) - 1)]
        ]
        for seat, won in ((0, first), (1, second)):
            own = [log if who == seat else log.detach() for log, (who, *_) in zip(logs, moves)]
            value = value + won / 6 * torch.stack(own).sum().exp()
    value.backward()
    exact = torch.cat([one.grad.flatten() for one in policy.model.parameters()])
    assert (ours - exact).norm() < 1e-3 * exact.norm() and exact.norm() > 0.01


def test_an_update_makes_the_moves_of_winners_likelier():
    policy = legal_player().clone()
    played = play_games(policy, KUHN, deal(200, 1, [], draws()), NONE, draws("games"))
    returns = outcomes(KUHN.game, played, 1.5)
    rows = move_rollouts(policy, played, seat_advantages("rae", played, returns, 1, None)[0])
    update = MovesConfig(minibatches=1, learning_rate=1e-3).update(len(rows))
    learned = learn_from_rewards(
        policy, new_optimizer(policy, update), minibatches(policy, rows, update, draws()), update, draws()
    )
    assert learned["ratio_first"] == pytest.approx(1, abs=1e-3)
    scores = policy.logprobs([turn.prompt for turn in played.turns], [turn.token_ids for turn in played.turns])
    moved = np.array([(now - turn.logprobs).sum().item() for now, turn in zip(scores, played.turns)])
    assert np.mean(moved * [row.advantage for row in rows]) > 0


@pytest.mark.parametrize(("kl_coef", "parts", "epochs"), [(0.0, 2, 3), (0.3, 2, 3), (0.3, 1, 1)])
def test_moves_that_are_alike_are_computed_once_and_learned_from_as_often_as_they_were_made(kl_coef, parts, epochs):
    """Clipped updates, with a distance to an anchor and an entropy bonus, against computing every row by itself."""
    played = play_games(legal_player(), KUHN, deal(60, 1, [], draws()), NONE, draws("games"))
    returns = outcomes(KUHN.game, played, 1.5)
    settings = MovesConfig(kl_coef=kl_coef, entropy_coef=kl_coef, epochs=epochs, minibatches=parts, learning_rate=3e-3)
    update, moved, numbers = settings.update(len(played.turns)), [], []
    for one in (update, replace(update, merge=False)):
        policy, anchor = legal_player().clone(), random_player(sharp=1) if kl_coef else None
        rows = move_rollouts(policy, played, returns)
        batches = minibatches(policy, rows, one, draws(), anchor)
        numbers.append(learn_from_rewards(policy, new_optimizer(policy, one), batches, one, draws()))
        moved.append(policy.logprobs([row for row, _ in KUHN.texts], [policy.completion_ids("x")] * 12))
    texts = {(*row.example.prompt, *row.example.completion) for row in rows}
    assert len(merged(rows, False)) == len(texts) <= len(merged(rows, True)) <= 3 * len(texts) < len(rows)
    assert sum(row.count for row in merged(rows, True)) == len(rows) and (numbers[0]["clip_share"] > 0) == (epochs > 1)
    assert apart(*moved) < 1e-3 and numbers[0] == pytest.approx(numbers[1], rel=1e-3)


def test_the_average_of_strategies_is_weighted_by_own_moves():
    """Two selves, one that never bets first: what it would do after its own check counts with its reach."""
    base = policy_at_information_sets(random_player(sharp=0), KUHN.game)
    past = PastSelves.begun(base)
    passive = np.zeros(24)
    passive[KUHN.starts[:-1]] = 1
    past = past.counted(passive).joined(passive, 5)
    index = next(i for i, (text, _) in enumerate(KUHN.texts) if text == "kuhn card j, played x b, choose f c>")
    start = KUHN.starts[index]
    assert past.average()[start : start + 2] == pytest.approx([(0.5 * 0.5 + 1 * 1) / 1.5, (0.5 * 0.5) / 1.5])
    opponent = np.random.default_rng(0).random(12)
    other = np.stack([opponent, 1 - opponent], 1).ravel()
    mean = (KUHN.value(base.strategy, other) + KUHN.value(passive, other)) / 2
    assert KUHN.value(past.average(), other) == pytest.approx(mean), "as drawing one of them for each game"
    loaded = PastSelves.load(past.dump(), KUHN)
    assert loaded.average() == pytest.approx(past.average()) and loaded.iterations.tolist() == [0, 5]


def test_those_who_win_are_drawn_more_often():
    base = policy_at_information_sets(random_player(sharp=0), KUHN.game)
    best = KUHN.respond(base.strategy, 0)[1]
    best = np.where(KUHN.seats[KUHN.owner] == 0, best, KUHN.respond(base.strategy, 1)[1])
    past = PastSelves.begun(base).joined(best, 5)
    assert past.chances("uniform", base.strategy) == [1, 1]
    even, hard = past.chances("prioritised", base.strategy)
    assert even == pytest.approx(0.25, abs=1e-3) and hard == pytest.approx(
        KUHN.both_seats(best, base.strategy) ** 2, abs=1e-3
    )
    assert hard > 0.26


def test_shuffled_outcomes_are_the_same_numbers_in_another_order():
    returns = np.arange(40.0).reshape(20, 2)
    assert credited("own", returns, draws()) is returns
    shuffled = credited("shuffled", returns, draws())
    assert sorted(shuffled.tolist()) == returns.tolist() != shuffled.tolist()
