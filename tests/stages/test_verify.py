"""What a verifier says of attempts, and what is kept of them: each test names the mistake it would catch."""

from collections import Counter

import pytest
import torch

from spkit.run.errors import SpkitError
from spkit.run.folder import Run
from spkit.stages.solve import Attempts, Sample, draw_samples
from spkit.stages.verify import (
    Filter,
    accept,
    capped,
    distinct,
    keep,
    majority_correct,
    matched_at_random,
    scores_of,
    shuffled,
    vote,
)
from spkit.tasks import Verdict, problems
from spkit.tasks.expressions.problem import problem_about
from tests.stages.by_hand import SAME, SUMS, TASK, hand_made, said_of, sample


def verdict(correct: bool, parsed: str | None = "1", errors: int = 0) -> Verdict:
    return Verdict(correct, float(correct), parsed, errors)


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


ROWS = [verdict(True), verdict(False), verdict(True, errors=2), verdict(False, None)]


def test_gold_reads_the_answer_and_steps_reads_the_steps_too():
    assert accept(ROWS, 2, "gold", 0.0, draw()) == [True, False, True, False]
    assert accept(ROWS, 2, "steps", 0.0, draw()) == [True, False, False, False]
    assert accept(ROWS, 2, "none", 0.0, draw()) == [True] * 4


def test_noise_flips_the_asked_share_of_both_kinds():
    rows = [verdict(i % 4 == 0) for i in range(4000)]
    flags = accept(rows, 1, "noisy", 0.2, draw())
    for kind in (True, False):
        group = [flag != row.correct for flag, row in zip(flags, rows) if row.correct == kind]
        assert abs(sum(group) / len(group) - 0.2) < 4 * (0.16 / len(group)) ** 0.5
    gold = accept(rows, 1, "gold", 0.0, draw())
    assert accept(rows, 1, "noisy", 0.0, draw()) == gold
    assert accept(rows, 1, "noisy", 1.0, draw()) == [not flag for flag in gold]
    assert flags == accept(rows, 1, "noisy", 0.2, draw()) != accept(rows, 1, "noisy", 0.2, draw(1))


def test_majority_never_reads_the_gold_answer():
    answers = ["7", "7", "8", None, None, None, "5", "6"]
    for lie in (True, False):
        rows = [verdict(lie, answer) for answer in answers]
        assert accept(rows, 4, "majority", 0.0, draw()) == [True, True, False, False, False, False, True, False]


def test_what_cannot_be_read_has_no_vote_and_the_first_of_equals_wins():
    assert vote([None, None, "3"]) == "3"
    assert vote(["4", "3", "3", "4"]) == "4"
    assert vote([None, None]) is None
    assert accept([verdict(True, None)] * 2, 2, "majority", 0.0, draw()) == [False, False]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((ROWS, 3, "gold", 0.0), "no multiple of 3"),
        ((ROWS, 2, "gld", 0.0), "unknown verifier 'gld': choose one of gold"),
        ((ROWS, 2, "noisy", 1.5), "between 0 and 1"),
    ],
)
def test_bad_input_is_one_sentence(arguments, message):
    with pytest.raises(SpkitError, match=message):
        accept(*arguments, draw())


def verdicts(flags, k=4):
    """One a sample, of as many answers as flags.

    Wrong answers are all different, and every third is reached through a wrong step.
    """
    return [
        Verdict(flag, 1.0 if flag else i / 100, "7" if flag else f"no {i}", i % 3 == 0) for i, flag in enumerate(flags)
    ]


FLAGS = [True, False, False, True, False, False, False, False, True, True, True, True]


def table(said: list[Verdict], k: int = 4) -> Attempts:
    """Attempts with these verdicts, k a problem."""
    return Attempts([None] * (len(said) // k), k, None, said)


def test_every_rule_by_hand():
    said = verdicts(FLAGS)
    of = lambda reward, flip_rate=0.0: scores_of(table(said), SUMS, reward, flip_rate, draw())
    assert of(reward="gold").tolist() == [[1, 0, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1]]
    assert of(reward="steps").tolist() == [[0, 0, 0, 0], [0, 0, 0, 0], [1, 0, 1, 1]]
    assert of(reward="graded").flatten().tolist() == pytest.approx([verdict.reward for verdict in said])
    assert of(reward="majority").tolist() == [
        [1, 0, 0, 1],
        [1, 0, 0, 0],
        [1, 1, 1, 1],
    ]  # the first of equals has the vote
    assert torch.equal(of(reward="noisy", flip_rate=1.0), 1 - of(reward="gold"))
    assert torch.equal(of(reward="noisy", flip_rate=0.0), of(reward="gold"))


def test_the_random_control_has_the_same_rewards_in_every_group_and_does_not_look():
    gold = (torch.rand(400, 8, generator=torch.Generator().manual_seed(0)) < 0.4).float()
    mixed = shuffled(gold, torch.Generator().manual_seed(1))
    assert torch.equal(mixed.sum(1), gold.sum(1)), "as many useful groups, and as much reward"
    within = lambda table: (table - table.mean(1, keepdim=True)).flatten()
    assert abs(torch.dot(within(mixed), within(gold)) / within(gold).norm() ** 2) < 0.1
    assert not torch.equal(mixed, shuffled(gold, torch.Generator().manual_seed(2)))


def test_the_random_control_of_the_check_of_all_steps_has_its_rewards():
    rows = table(verdicts(FLAGS))
    whole = scores_of(rows, SUMS, "all_steps", 0.0, draw())
    mixed = scores_of(rows, SUMS, "random_all_steps", 0.0, draw())
    assert torch.equal(mixed.sum(1), whole.sum(1))


def test_random_selection_has_the_same_size_and_does_not_look():
    rows, right = list(range(300)), list(range(0, 300, 3))
    drawn = matched_at_random(rows, len(right), draw())
    assert len(set(drawn)) == len(right) == 100 and drawn == sorted(drawn)
    assert 15 < len(set(drawn) & set(right)) < 55  # a third of them, give or take 3 standard deviations
    assert drawn != matched_at_random(rows, len(right), draw(1))


def test_the_vote_is_right_as_often_as_its_winners_are():
    problem = problem_about("deduction", "x+y", [(1, 2)])
    for texts, chance in (
        (["3", "1+2=3", "4", "5"], 1.0),
        (["3", "4", "4", "5"], 0.0),
        (["3", "4", "5", "1+"], 1 / 3),
        (["3", "3", "4", "4"], 0.5),
        (["1+", "(", "x"], 0.0),
    ):
        assert majority_correct(hand_made(problem, texts)) == [pytest.approx(chance)]
    assert majority_correct(hand_made(problem, ["4", "3", "3"], [True, False, False])) == [0.0], (
        "what was cut off has no vote"
    )
    two = problem_about("abduction", "x+y", [(1, 2)])
    assert majority_correct(hand_made(two, ["1+2=3;1,2", "0+3=3;0,3", "0+3=3;0,3"])) == [1.0], (
        "any input that gives the output is right"
    )


def test_the_check_of_steps_accepts_no_lucky_answer():
    problem = problem_about("deduction", "(x+y)*2", [(1, 2)])
    attempts = hand_made(problem, ["(1+2=3)*2=6", "(1+2=4)*2=6", "6", "(1+2=3)*2=5", "(1+2)*2=6"])
    assert attempts.correct.tolist() == [[1, 1, 1, 0, 1]]
    assert scores_of(attempts, TASK, "all_steps", 0.0, draw()).tolist() == [[1, 0, 0, 0, 0]]


@pytest.mark.parametrize(
    ("kind", "honest", "list_of_all", "wrong"),
    [
        ("deduction", "1+2=3", "1+2=0123456789", "1+2=45"),
        ("abduction", "1+2=3;1,2", "1+2=3;5,5 1,2", "1+2=3;5,5 6,6"),
        ("induction", "x+y", "x-y x+y", "x-y y-x"),
    ],
)
def test_the_lenient_check_is_gamed_by_a_list_and_the_strict_one_is_not(kind, honest, list_of_all, wrong):
    problem = problem_about(
        kind, "x+y", [(i, (3 * i + 1) % 10) for i in range(10)] if kind == "induction" else [(1, 2)]
    )
    texts = [honest, list_of_all, wrong]
    assert scores_of(hand_made(problem, texts), TASK, "lenient", 0.0, draw()).tolist() == [[1, 1, 0]]
    assert [said_of(problem, text).correct for text in texts] == [True, False, False]
    assert scores_of(hand_made(problem, [list_of_all, wrong]), TASK, "lenient", 0.0, draw()).tolist() == [[1, 0]]


def test_copies_are_known_by_path_and_of_one_problem_only():
    assert distinct(SAME) == [SAME[0], SAME[2]]
    other = sample([7, 15, 8], "7+8+15=")
    assert distinct([SAME[0], other]) == [SAME[0], other]


def test_the_cap_counts_what_is_left_after_copies_are_dropped():
    kept = keep(SAME, 3, Filter(cap=2), draw())
    assert kept == [SAME[0], SAME[2]] != capped(SAME, 2)
    assert keep(SAME, 3, Filter(cap=1, unique=False), draw()) == [SAME[0]]
    two_problems = [*SAME, *[sample([8, 9], "8+9=")] * 3]
    assert Counter(s.problem.prompt for s in keep(two_problems, 3, Filter(cap=1), draw())) == {"7+15+8=": 1, "8+9=": 1}


def test_wrong_answers_are_never_kept_and_the_control_does_not_look(adder):
    batch = problems(SUMS, 0, 0, 60)
    drawn = draw_samples(adder, SUMS, batch, 4, 1.0, draw(), Run())
    right = keep(drawn, 4, Filter(cap=2), draw())
    assert right and all(s.verdict.correct for s in right)
    control = keep(drawn, 4, Filter("random", cap=2), draw(1))
    assert len(control) == len(right) and len({(s.problem.prompt, s.path) for s in control}) == len(control)
    assert max(Counter(s.problem.prompt for s in control).values()) <= 2
    pool = capped(distinct(drawn), 2)
    expected = sum(s.verdict.correct for s in pool) / len(pool)
    share = sum(s.verdict.correct for s in control) / len(control)
    assert abs(share - expected) < 0.2 and share < 0.9
    assert control != keep(drawn, 4, Filter("random", cap=2), draw(2))


def test_a_check_of_all_steps_and_its_control_of_equal_size():
    said = [
        Verdict(True, 1.0, "7", 0),
        Verdict(True, 0.5, "7", 1),
        Verdict(True, 0.25, "7", 0),
        Verdict(False, 0.0, "8", 0),
    ]
    problem = SUMS.problem(0, 0)
    rows = [Sample(problem, [index], str(index), one, str(index)) for index, one in enumerate(said * 5)]
    assert accept([row.verdict for row in rows], 4, "all_steps", 0.0, draw()) == [True, False, False, False] * 5
    kept = keep(rows, 4, Filter("all_steps"), draw())
    assert [row.token_ids for row in kept] == [[0], [4], [8], [12], [16]]
    control = keep(rows, 4, Filter("random_all_steps"), draw(1))
    assert len(control) == 5 < len(keep(rows, 4, Filter("random"), draw(1))) == 15
    assert {row.verdict for row in control} != {said[0]}, "it does not look"


def test_a_lenient_check_needs_a_task_whose_problems_can_be_proposed():
    with pytest.raises(SpkitError, match="a lenient check knows expressions and python_programs, not sums"):
        scores_of(table(verdicts(FLAGS)), SUMS, "lenient", 0.0, draw())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Filter("gld"), "verifier must be one of gold"),
        (lambda: Filter(cap=0), "cap must be 1 or more, not 0"),
        (lambda: Filter(flip_rate=2), "flip_rate must be between 0 and 1"),
        (lambda: scores_of(table(verdicts(FLAGS)), SUMS, "gld", 0.0, draw()), "unknown verifier 'gld'"),
    ],
)
def test_bad_settings_are_one_sentence(make, message):
    with pytest.raises(SpkitError, match=message):
        make()


def test_nothing_to_verify_is_nothing():
    assert accept([], 4, "noisy", 0.5, draw()) == accept([], 4, "majority", 0.0, draw()) == []
    assert keep([], 4, Filter(), draw()) == keep([], 4, Filter("random"), draw()) == []
