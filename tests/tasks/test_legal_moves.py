"""Legal moves: the splits are disjoint, what is legal is right, everyday writers play every move."""

from collections import Counter

import pytest

from spkit.run.errors import SpkitError
from spkit.tasks import LegalMoves, test_set
from spkit.tasks.games import game_tree, load_game
from spkit.tasks.legal_moves import TAUGHT, information_sets
from tests.hostile import TEXTS

TASK = LegalMoves()


def test_the_splits_are_disjoint_and_hold_every_information_set():
    parts = [
        {prompt for games in information_sets(split).values() for rows in games.values() for prompt, _ in rows}
        for split in ("train", "test")
    ]
    whole = {prompt for name in TAUGHT for prompt, _ in game_tree(load_game(name)).texts}
    assert not parts[0] & parts[1] and parts[0] | parts[1] == whole
    assert {problem.prompt for problem in test_set(TASK, 10)} <= parts[1]


@pytest.mark.parametrize("difficulty", TASK.difficulties)
def test_a_problem_is_a_function_of_its_arguments_and_names_its_moves(difficulty):
    problem = TASK.problem(3, 5, difficulty)
    assert problem == TASK.problem(3, 5, difficulty) and problem.difficulty == difficulty
    assert len(problem.answer.split()) == difficulty and problem.prompt.endswith(f"choose {problem.answer}>")
    assert all(TASK.verify(problem, move).correct for move in problem.answer.split())
    assert TASK.verify(problem, TASK.solution(problem)).correct and len({TASK.problem(0, i) for i in range(90)}) > 60


def test_everyday_writers_play_every_move_alike():
    problem = TASK.problem(0, 0, 4)
    counts = Counter(TASK.everyday(problem, variant) for variant in range(4000))
    assert set(counts) == set(problem.answer.split()) and min(counts.values()) > 850


def test_what_is_no_move_is_wrong():
    problem = TASK.problem(0, 0, 3)
    for text in ["", " ", problem.answer, "z", "\0", "x" * 10**7, *TEXTS]:
        assert not TASK.verify(problem, text).correct


def test_bad_input_is_one_sentence():
    with pytest.raises(SpkitError, match="1 to 9 legal moves, not 10"):
        TASK.problem(0, 0, 10)
