"""What a record says of a policy: profile, counts, and the gap between training and test problems."""

import pytest

from spkit.measures.accuracy import accuracy
from spkit.measures.tokens import mean_over_tokens, token_entropy
from spkit.run.errors import SpkitError
from spkit.stages.measure import kept_counts, sampled_profile, train_test_gap
from spkit.stages.solve import solve
from spkit.tasks import Verdict, test_set
from tests.stages.by_hand import SAME, SUMS, draw, sample
from tests.stages.one_digit import OneDigit, Reader, problems


def test_profile_says_what_the_samples_say(adder):
    tests = test_set(SUMS, 4)
    result = sampled_profile(adder, SUMS, tests, 4, draw(3))
    attempts = solve(adder, SUMS, tests, 4, temperature=1.0, generator=draw(3))
    rollouts, verdicts = attempts.rollouts, attempts.verdicts
    rows = [verdicts[i : i + 4] for i in range(0, len(verdicts), 4)]
    assert (
        result["pass_at_k"]["1"]
        == pytest.approx(sum(v.correct for v in verdicts) / len(verdicts))
        == result["maj_at_k"]["1"]
    )
    assert result["pass_at_k"]["4"] == pytest.approx(sum(any(v.correct for v in row) for row in rows) / len(rows))
    paths = [
        {SUMS.path(p, rollouts.texts[4 * i + j]) for j in range(4) if rows[i][j].correct} for i, p in enumerate(tests)
    ]
    assert result["distinct_correct"] == pytest.approx(sum(map(len, paths)) / len(paths))
    assert result["entropy"] == pytest.approx(
        mean_over_tokens(token_entropy(adder, rollouts.prompts, rollouts.token_ids))
    )


def test_counts_are_of_what_was_drawn_and_kept():
    drawn = [*SAME, sample([7, 15, 8], wrong=True), *[sample([8, 9], "8+9=", wrong=True)] * 4]
    kept = [SAME[0], drawn[3]]
    row = kept_counts(drawn, kept)
    assert (row["problems"], row["samples_drawn"], row["kept"], row["used"]) == (2, 8, 2, 0.5)
    assert row["sampled_accuracy"] == 3 / 8 and row["distinct_right"] == 2 and row["kept_wrong_rate"] == 0.5
    assert row["kept_by_difficulty"] == {"3": 1.0} and row["mean_reward"] == pytest.approx((3 + 1 / 3 + 0) / 8)
    assert kept_counts([], [])["kept"] == 0


def test_the_gap_is_what_is_known_by_heart():
    train = problems(8) + problems(2, difficulty=2)
    test = problems(4, first=20) + problems(4, difficulty=2, first=20)
    by_heart = {problem.prompt: problem.answer for problem in train}
    assert train_test_gap(Reader(by_heart), OneDigit(), train, test) == {"train": 1.0, "test": 0.0, "gap": 1.0}
    easy = {problem.prompt: problem.answer for problem in train + test if problem.difficulty == 1}
    assert train_test_gap(Reader(easy), OneDigit(), train, test) == {"train": 0.5, "test": 0.5, "gap": 0.0}, (
        "each difficulty weighs the same"
    )
    seen = [Verdict(problem.prompt in easy, 0.0, None, 0) for problem in train]
    assert accuracy(train, seen)["accuracy"] == 0.5


def test_the_gap_compares_the_same_difficulties(policy):
    for train, test in [(problems(2), problems(2, difficulty=2)), ([], [])]:
        with pytest.raises(SpkitError, match="compare the same ones"):
            train_test_gap(policy, OneDigit(), train, test)
