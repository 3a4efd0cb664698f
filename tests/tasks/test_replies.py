"""The grammar of the replies: exact probabilities, checked by listing derivations again, by drawing,
and against hostile text.
"""

import math
from collections import Counter
from itertools import product

import pytest

from spkit.run.errors import SpkitError
from spkit.tasks import Problem, Replies, load_task, problems, test_set
from spkit.tasks.base import split_by_content
from spkit.tasks.replies import (
    CARELESS_REPLIES,
    PRICES,
    STYLES,
    careless_total,
    everyday_chances,
    everyday_forms,
    order,
    rare_replies,
    styled_forms,
    total,
)

TASK = Replies()
ASKED = problems(TASK, 0, 0, 60)


def derivations(problem: Problem, said: str) -> Counter:
    """The same grammar, walked derivation by derivation with nested loops."""
    name, chances = problem.prompt.split(":")[0], Counter()
    for share, openings, bodies, closings in STYLES:
        for (a, p), (b, q), (c, r) in product(openings.items(), bodies.items(), closings.items()):
            text = ", ".join(part for part in (a.replace("@", name), b.replace("$", said), c) if part)
            chances[text] += share * p * q * r
    return chances


@pytest.mark.parametrize("wrong", [0.0, 0.2])
def test_probabilities_are_those_of_the_derivations_and_add_up_to_one(wrong):
    task = Replies(wrong=wrong)
    for problem in ASKED[:9]:
        chances = task.chances(problem)
        good, bad = derivations(problem, problem.answer), derivations(problem, str(careless_total(problem.prompt)))
        expected = {
            text: (1 - wrong) * good[text] + wrong * bad[text]
            for text in good | bad
            if (1 - wrong) * good[text] + wrong * bad[text]
        }
        assert chances == pytest.approx(expected)
        assert math.fsum(chances.values()) == pytest.approx(1)
        assert math.fsum(everyday_chances(problem).values()) == pytest.approx(1)
        some = next(iter(chances))
        assert task.logprob(problem, some) == pytest.approx(math.log(expected[some]))
    assert task.logprob(ASKED[0], "no such reply") == -math.inf


def test_styles_are_proper_distributions_and_everyday_writers_can_say_all_they_say():
    assert math.fsum(style.share for style in STYLES) == pytest.approx(1)
    assert all(math.fsum(table.values()) == pytest.approx(1) for style in STYLES for table in style[1:])
    assert set(styled_forms()) < set(everyday_forms())


def test_draws_follow_the_probabilities():
    problem, draws, task = ASKED[4], 4000, Replies(wrong=0.2)
    for write, chances in (
        (task.reference, task.chances(problem)),
        (task.everyday, everyday_chances(problem)),
        (task.solution, task.right(problem)),
    ):
        seen = Counter(write(problem, i) for i in range(draws))
        assert set(seen) <= set(chances)
        squares = sum((seen[text] - draws * p) ** 2 / (draws * p) for text, p in chances.items())
        assert squares < len(chances) + 5 * math.sqrt(2 * len(chances))  # chi-square, five standard deviations


def test_item_i_depends_on_seed_and_i_only():
    assert problems(TASK, 3, 10, 5) == [load_task("replies").problem(3, 10 + i) for i in range(5)]
    assert TASK.reference(ASKED[0], 7) == load_task("replies").reference(ASKED[0], 7)
    assert problems(TASK, 3, 0, 9) != problems(TASK, 4, 0, 9)


def test_splits_share_no_prompt():
    assert all(split_by_content(problem.prompt) == "train" for problem in ASKED)
    assert all(split_by_content(problem.prompt) == "test" for problem in test_set(TASK, 20))


def test_totals_by_hand():
    assert order("ann: 2 tea 1 jam>") == [(2, "tea"), (1, "jam")]
    assert total("ann: 2 tea 1 jam>") == 2 * PRICES["tea"] + PRICES["jam"] == 7
    assert careless_total("ann: 2 tea 1 jam>") == 4  # the last line is left out
    assert careless_total("ann: 2 tea>") == 6  # one too many
    assert all(careless_total(problem.prompt) != int(problem.answer) for problem in ASKED)


@pytest.mark.parametrize("problem", ASKED[:6])
def test_every_reference_is_right_and_every_careless_reply_wrong(problem):
    for reply in TASK.right(problem):
        verdict = TASK.verify(problem, reply)
        assert (
            verdict.correct
            and verdict.reward == 1.0
            and verdict.step_errors == 0
            and len(reply) <= TASK.max_completion_chars(problem.difficulty)
        )
    careless = TASK.verify(problem, TASK.careless(problem))
    assert not careless.correct and careless.reward == 0.5 and careless.step_errors == 0


@pytest.mark.parametrize(
    ("reply", "correct", "errors"),
    [
        ("7", True, 0),
        (
            "hello ann, that is 7, bye",
            True,
            1,
        ),  # a brief close after a warm opening: no reference writer mixes styles so
        ("hi bob, that is 7", True, 1),
        ("that is 7 or 9", False, 1),
        ("", False, 1),
        ("that is ٨", False, 1),
        ("7" * 10_000_000, False, 1),
        ("__import__('os').system('true')", False, 1),
    ],
)
def test_verdicts(reply, correct, errors):
    verdict = TASK.verify(Problem("ann: 2 tea 1 jam>", "7", 2), reply)
    assert (verdict.correct, verdict.step_errors) == (correct, errors) and 0 <= verdict.reward <= 1
    assert len(TASK.path(ASKED[0], reply)) <= 200


def test_no_writer_puts_more_than_the_longest_reply():
    longest = Problem("ann: 3 jam 3 tea 3 bun>", "18", 3)
    assert max(map(len, everyday_chances(longest))) == TASK.max_completion_chars(3)


def test_the_tail_is_the_least_likely_tenth():
    chances = TASK.right(ASKED[0])
    tail = rare_replies(chances)
    assert 0.05 < math.fsum(tail.values()) <= 0.1
    assert max(tail.values()) <= min(chance for reply, chance in chances.items() if reply not in tail)


def test_bad_input_is_refused_in_a_sentence():
    with pytest.raises(SpkitError, match="1 to 3 lines, not 5"):
        TASK.problem(0, 0, 5)
    with pytest.raises(SpkitError, match="between 0 and 1, not 1.5"):
        Replies(wrong=1.5)
    for prompt in ("ann 2 tea>", "ann: 2 caviar>", "ann:>", "x" * 1000):
        with pytest.raises(SpkitError, match="not a prompt of replies"):
            order(prompt)
    assert set(CARELESS_REPLIES) == {1, 2, 3}
