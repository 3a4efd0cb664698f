"""Games against published constants, theory, the table of Kuhn poker, enumeration, and (optionally) OpenSpiel."""

from functools import cache

import numpy as np
import pytest

from spkit.games import kuhn
from spkit.run.errors import SpkitError
from spkit.tasks import load_task
from spkit.tasks.games import CHANCE, GAMES, OVER, KuhnPoker, Nim, check_game, game_tree, load_game
from spkit.tasks.games.tree import next_states
from tests.hostile import TEXTS

RNG = np.random.default_rng(0)
KUHN = game_tree(load_game("kuhn"))


def first_moves(tree):
    strategy = np.zeros(tree.starts[-1])
    strategy[tree.starts[:-1]] = 1
    return strategy


def random_strategy(tree, rng=RNG):
    raw = rng.random(tree.starts[-1])
    return raw / np.add.reduceat(raw, tree.starts[:-1])[tree.owner]


def as_table(strategy):
    """A strategy of the tree as the twelve probabilities of the second move in `spkit.games.kuhn`."""
    offsets = {"": 0, "played x b, ": 3, "played x, ": 6, "played b, ": 9}
    table = np.zeros(12)
    for index, (text, _) in enumerate(KUHN.texts):
        card, _, rest = text.removeprefix("kuhn card ").partition(", ")
        table[offsets[rest.partition("choose")[0]] + "jqk".index(card)] = strategy[KUHN.starts[index] + 1]
    return table


@pytest.mark.parametrize(
    ("name", "sets", "uniform", "always_first"),
    [
        ("kuhn", 12, 11 / 12, 2),
        ("leduc", 936, 4.7472222, 2),
        ("tic-tac-toe", 4520, None, 2),
        ("tic-tac-toe-brief", 4520, None, 2),
        ("nim", 110, None, 2),
    ],
)
def test_published_constants(name, sets, uniform, always_first):
    tree = game_tree(load_game(name))
    assert len(tree.texts) == sets
    assert uniform is None or tree.nash_conv(tree.uniform()) == pytest.approx(uniform)
    assert tree.nash_conv(first_moves(tree)) == pytest.approx(always_first)


def test_kuhn_agrees_with_the_table_on_any_strategy():
    for _ in range(20):
        ours, theirs = random_strategy(KUHN), random_strategy(KUHN)
        assert KUHN.nash_conv(ours) == pytest.approx(kuhn.policy_nash_conv(as_table(ours)))
        first, second = kuhn.mixed(as_table(ours))[0], kuhn.mixed(as_table(theirs))[1]
        assert KUHN.value(ours, theirs) == pytest.approx(first @ kuhn.payoff() @ second)


def test_the_known_equilibrium_of_kuhn_has_nash_conv_0_and_the_value():
    alpha = 0.2
    table = [alpha, 0, 3 * alpha, 0, alpha + 1 / 3, 1, 1 / 3, 0, 1, 0, 1 / 3, 1]
    index = as_table(np.arange(24.0)).astype(int)  # where the table's entries stand in the strategy
    strategy = np.zeros(24)
    strategy[index], strategy[index - 1] = table, 1 - np.array(table)
    assert as_table(strategy) == pytest.approx(table)
    assert KUHN.nash_conv(strategy) == pytest.approx(0, abs=1e-12)
    assert KUHN.value(strategy, strategy) == pytest.approx(-1 / 18)


def plain_value(game, state, act):
    """Expected return by the textbook's recursion; `act(seat, text, moves)` gives probabilities."""
    turn = game.turn(state)
    if turn == OVER:
        return game.returns(state)
    following = next_states(game, state)
    if turn == CHANCE:
        return sum(plain_value(game, one, act) for one in following) / len(following)
    chances = act(turn, game.prompt(state), game.legal(state))
    return sum(p * plain_value(game, one, act) for p, one in zip(chances, following) if p)


@pytest.mark.parametrize("name", ["kuhn", "leduc", "nim"])
def test_values_agree_with_a_recursion_and_the_best_response_wins_what_it_says(name):
    game = load_game(name) if name != "nim" else Nim((1, 2, 2))
    tree = game_tree(game)
    place = {text: slice(*tree.starts[i : i + 2]) for i, (text, _) in enumerate(tree.texts)}
    ours, theirs = random_strategy(tree), random_strategy(tree)
    value = plain_value(game, game.start(), lambda seat, text, moves: (ours, theirs)[seat][place[text]])
    assert tree.value(ours, theirs) == pytest.approx(value)
    for seat in (0, 1):
        won, response = tree.respond(theirs, seat)
        pair = (response, theirs) if seat == 0 else (theirs, response)
        assert won == pytest.approx((1 - 2 * seat) * tree.value(*pair))
        others = [random_strategy(tree) for _ in range(20)]
        pairs = [(other, theirs) if seat == 0 else (theirs, other) for other in others]
        assert max((1 - 2 * seat) * tree.value(*pair) for pair in pairs) <= won


@pytest.mark.parametrize("name", ["kuhn", "leduc", "nim"])
def test_the_children_of_a_state_are_what_the_rules_say(name):
    tree = game_tree(load_game(name))
    for index, state in enumerate(tree.states):
        following = next_states(tree.game, state)
        assert tree.branches[index] == len(following)
        found = tree.child(np.full(len(following), index), np.arange(len(following)))
        assert [tree.states[child] for child in found] == following


def test_tic_tac_toe_is_a_draw_and_its_values_agree_with_a_recursion():
    game = load_game("tic-tac-toe")
    tree = game_tree(game)

    @cache
    def value(state):
        if game.turn(state) == OVER:
            return game.returns(state)
        best = max if game.turn(state) == 0 else min
        return best(map(value, next_states(game, state)))

    found = tree.minimax()
    assert found[0] == 0 and all(found[i] == value(state) for i, state in enumerate(tree.states))
    assert len(tree.states) == 5478
    places = found[tree.edges.target] * (1 - 2 * tree.edges.seat)  # what a move is worth to who makes it
    perfect = tree.greedy(places[np.argsort(tree.edges.action)] + 1)
    assert tree.best_response(perfect, 0) == tree.best_response(perfect, 1) == tree.nash_conv(perfect) == 0
    assert set(perfect) == {0, 1} and np.add.reduceat(perfect, tree.starts[:-1]).max() == 1


def test_brief_tic_tac_toe_is_the_same_game_in_fewer_letters():
    long, brief = (game_tree(load_game(name)) for name in ("tic-tac-toe", "tic-tac-toe-brief"))
    assert brief.states == long.states and (brief.payoff == long.payoff).all()
    assert [moves for _, moves in brief.texts] == [moves for _, moves in long.texts]
    assert all(
        f"board {text.removesuffix('>')}, you are " in whole for (text, _), (whole, _) in zip(brief.texts, long.texts)
    )


@pytest.mark.parametrize("heaps", [(2, 3, 4), (1, 2, 3), (3, 3), (5,)])
def test_nim_is_won_where_the_heaps_do_not_add_up_to_nothing(heaps):
    tree = game_tree(Nim(heaps))
    for (left, seat), value in zip(tree.states, tree.minimax()):
        won = np.bitwise_xor.reduce(left) != 0
        assert value == (1 - 2 * seat) * (1 if won else -1)


def test_a_game_with_hidden_cards_has_no_minimax_values():
    with pytest.raises(SpkitError, match="chance or hidden information"):
        KUHN.minimax()


def test_win_rates_margins_and_reach_agree_with_played_games():
    ours, theirs = random_strategy(KUHN), random_strategy(KUHN)
    game, rng, met = KUHN.game, np.random.default_rng(1), np.zeros(12)
    sets = {text: i for i, (text, _) in enumerate(KUHN.texts)}
    won = []
    for _ in range(20_000):
        state = game.start()
        while game.turn(state) != OVER:
            following = next_states(game, state)
            chances = None
            if game.turn(state) != CHANCE:
                index = sets[game.prompt(state)]
                met[index] += game.turn(state) == 0
                chances = (ours, theirs)[game.turn(state)][slice(*KUHN.starts[index : index + 2])]
            state = following[rng.choice(len(following), p=chances)]
        won.append(game.returns(state))
    assert KUHN.win_rate(ours, theirs) == pytest.approx(np.mean(np.sign(won)) / 2 + 0.5, abs=0.02)
    assert KUHN.value(ours, theirs) == pytest.approx(np.mean(won), abs=0.05)
    mixed = np.where(KUHN.seats[KUHN.owner] == 0, ours, theirs)
    assert KUHN.reached(mixed)[KUHN.seats == 0] == pytest.approx((met / 20_000)[KUHN.seats == 0], abs=0.02)
    assert KUHN.margin(ours, theirs) == -KUHN.margin(theirs, ours) and KUHN.both_seats(ours, ours) == 0.5


def test_own_reach_leaves_the_other_player_and_the_cards_out():
    strategy = random_strategy(KUHN)
    for index, (text, _) in enumerate(KUHN.texts):
        card = text.removeprefix("kuhn card ")[0]
        opening = next(i for i, (other, _) in enumerate(KUHN.texts) if other == f"kuhn card {card}, choose x b>")
        expected = strategy[KUHN.starts[opening]] if "x b, choose f" in text else 1
        assert KUHN.own_reach(strategy)[index] == pytest.approx(expected)


@pytest.mark.parametrize("name", GAMES)
def test_a_move_is_read_or_it_is_none(name):
    game = load_game(name)
    state = game.start() if game.turn(game.start()) >= 0 else game.chances(game.start())[0]
    move = game.legal(state)[0]
    assert game.read(state, move) == game.read(state, f" {move}\n") == move
    for text in ["", "!", move * 2, f"I play {move}", move + " " * 10**7, *TEXTS]:
        assert game.read(state, text) is None


@pytest.mark.parametrize("name", GAMES)
def test_prompts_are_written_in_few_characters(name):
    texts = [text for text, _ in game_tree(load_game(name)).texts]
    assert set("".join(texts)) <= set("abcdefghijklmnopqrstuvwxyz0123456789 :,>") and max(map(len, texts)) < 80


def test_bad_input_is_one_sentence():
    with pytest.raises(SpkitError, match="unknown game 'chess': choose one of kuhn, leduc"):
        load_game("chess")
    with pytest.raises(SpkitError, match="game:kuhn is a game without right answers: play it"):
        load_task("game:kuhn").problem(0, 0)
    with pytest.raises(SpkitError, match="'sums' is no game"):
        check_game("sums")
    with pytest.raises(SpkitError, match="1 to 4 heaps"):
        Nim((10,))
    with pytest.raises(SpkitError, match="24 probabilities"):
        KUHN.nash_conv(np.ones(12))
    with pytest.raises(SpkitError, match="sum to 1"):
        KUHN.nash_conv(np.ones(24))


def test_information_sets_that_mix_different_moves_are_refused():
    class Blind(KuhnPoker):
        def prompt(self, state):
            return "?"

    with pytest.raises(SpkitError, match="two states of game:kuhn look alike"):
        game_tree(Blind())


@pytest.mark.peers
def test_openspiel_agrees_on_leduc():
    pyspiel = pytest.importorskip("pyspiel")
    policies = pytest.importorskip("open_spiel.python.policy")
    exploitability = pytest.importorskip("open_spiel.python.algorithms.exploitability")
    spiel, tree = pyspiel.load_game("leduc_poker"), game_tree(load_game("leduc"))
    game, theirs = tree.game, policies.TabularPolicy(spiel)
    sets = {text: i for i, (text, _) in enumerate(tree.texts)}
    for seed in range(3):
        ours = random_strategy(tree, np.random.default_rng(seed))

        def walk(state, other, ours=ours):
            """The two games side by side: cards in their order (j, j, q, q, k, k), moves as fold, call, raise."""
            turn = game.turn(state)
            if turn == OVER:
                assert other.is_terminal() and other.returns()[0] == game.returns(state)
                return
            if turn == CHANCE and not state[0]:
                cards = ("js", "jh", "qs", "qh", "ks", "kh")
                for one in game.chances(state):
                    walk(one, other.child(cards.index(one[0][0])).child(cards.index(one[0][1])))
                return
            if turn == CHANCE:
                for one in game.chances(state):
                    walk(one, other.child(("js", "jh", "qs", "qh", "ks", "kh").index(one[1])))
                return
            index = sets[game.prompt(state)]
            row = theirs.action_probability_array[theirs.state_lookup[other.information_state_string()]]
            row[:] = 0
            assert len(other.legal_actions()) == len(game.legal(state))
            for place, move in enumerate(game.legal(state)):
                action = {"f": 0, "x": 1, "c": 1, "b": 2, "r": 2}[move]
                row[action] = ours[tree.starts[index] + place]
                walk(game.after(state, move), other.child(action))

        walk(game.start(), spiel.new_initial_state())
        assert tree.nash_conv(ours) == pytest.approx(exploitability.nash_conv(spiel, theirs))


def test_kuhn_in_words_is_the_same_game():
    """Move for move: every state of one is a state of the other, with the moves' first letters but for a check."""
    plain, words = KuhnPoker(), load_game("kuhn-words")
    tree, letters = game_tree(words), {"check": "x", "bet": "b", "fold": "f", "call": "c"}
    assert tree.states == KUHN.states and (tree.set_of == KUHN.set_of).all() and (tree.payoff == KUHN.payoff).all()
    for state in tree.states:
        if words.turn(state) in (0, 1):
            assert tuple(letters[word] for word in words.legal(state)) == plain.legal(state)
            assert all(words.after(state, word) == plain.after(state, letters[word]) for word in words.legal(state))
    assert tree.nash_conv(tree.uniform()) == pytest.approx(11 / 12)


def test_kuhn_in_words_reads_one_word_strictly_and_shows_no_hand_of_its_own():
    game, state = load_game("kuhn-words"), ("kj", "xb")
    assert game.prompt(state) == "Your card: king. You check, the other player bets. Fold or call?"
    assert game.read(state, " call\n") == "call"
    assert [game.read(state, text) for text in ("Call", "I call", "c", "check", "call.", "", *TEXTS)] == [None] * (
        6 + len(TEXTS)
    )
    shown = [problem.prompt for problem in game.demonstrations()]
    assert len(set(shown)) == 4 and not set(shown) & {prompt for prompt, _ in game_tree(game).texts}
    assert sorted(map(game.solution, game.demonstrations())) == ["bet", "call", "check", "fold"]
