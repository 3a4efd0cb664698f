"""k completions of every problem and the verdicts on them: each test names the mistake it would catch."""

import pytest

from spkit.run.errors import SpkitError
from spkit.run.folder import Run
from spkit.stages.solve import draw_samples, longest_completion, solve, verify_all
from spkit.tasks import problems as first_problems
from tests.conftest import make_policy
from tests.stages.by_hand import SUMS, TASK, draw
from tests.stages.one_digit import OneDigit, Reader, problems, rollouts


def test_samples_of_a_problem_stay_together(policy):
    asked, n = problems(5), 7
    attempts = solve(policy, OneDigit(), asked, n, temperature=1.0, generator=draw())
    drawn, verdicts = attempts.rollouts, attempts.verdicts
    assert drawn.prompts == [problem.prompt for problem in asked for _ in range(n)]
    by_hand = [
        text == asked[row // n].answer and end for row, (text, end) in enumerate(zip(drawn.texts, drawn.finished))
    ]
    assert [verdict.correct for verdict in verdicts] == by_hand


def test_each_sample_is_checked_against_its_own_problem():
    asked = problems(3)
    known = {"hint 0": "0", "hint 1": "2", "hint 2": "2"}
    verdicts = solve(Reader(known), OneDigit(), asked, 2, prompts=list(known), temperature=1.0).verdicts
    assert [verdict.correct for verdict in verdicts] == [True, True, False, False, True, True]
    assert not any(
        verdict.correct for verdict in verify_all(OneDigit(), asked, rollouts(["0", "1", "2"], finished=False))
    )
    with pytest.raises(ValueError):
        verify_all(OneDigit(), asked, rollouts(["0"] * 6))


def test_one_greedy_completion_a_problem_is_the_default(policy):
    attempts = solve(policy, OneDigit(), problems(4))
    drawn, verdicts = attempts.rollouts, attempts.verdicts
    assert len(drawn) == len(verdicts) == 4 and attempts.k == 1
    assert drawn.texts == policy.sample([p.prompt for p in problems(4)], temperature=0.0, max_new_tokens=2).texts
    with pytest.raises(SpkitError, match="8 greedy completions of a problem are 8 copies"):
        solve(policy, OneDigit(), problems(4), 8)


def test_attempts_are_sampled_and_do_not_all_agree(proposer):
    """Greedy rollouts, the fault of one published branch, would make every r 0 or 1, and no problem worth proposing."""
    asked = [TASK.problem(0, index, 4) for index in range(6)]
    attempts = solve(proposer, TASK, asked, 8, temperature=1.0, generator=draw())
    answers = [{verdict.parsed for verdict in attempts.verdicts[8 * i : 8 * i + 8]} for i in range(6)]
    assert sum(len(some) > 1 for some in answers) >= 5
    assert attempts.correct.shape == (6, 8)


def test_samples_of_a_problem_stand_together_and_end_at_most_once(adder, monkeypatch):
    batch, end = first_problems(SUMS, 0, 0, 6), adder.tokenizer.eos_token_id
    drawn = draw_samples(adder, SUMS, batch, 3, 1.0, draw(), Run())
    assert [s.problem for s in drawn] == [p for p in batch for _ in range(3)]
    assert all(s.token_ids.count(end) == 1 and s.token_ids[-1] == end for s in drawn if s.verdict.correct)
    monkeypatch.setattr(type(SUMS), "max_completion_chars", lambda self, difficulty: 3)
    cut = draw_samples(adder, SUMS, batch, 3, 1.0, draw(), Run())
    assert all(
        end not in s.token_ids and not s.verdict.correct and s.verdict.reward == 0 for s in cut if len(s.text) == 4
    )
    assert any(len(s.text) == 4 for s in cut)


def test_the_longest_completion_is_that_of_the_hardest_problem():
    policy = make_policy()
    assert longest_completion(policy, SUMS) == max(SUMS.max_completion_chars(d) for d in SUMS.difficulties) + 1


def test_each_row_is_read_with_its_own_problem_and_its_own_kind(proposer):
    asked = [TASK.of_kind[kind].problem(0, index, 1) for index in range(3) for kind in TASK.of_kind]
    attempts = solve(proposer, TASK, asked, 3, temperature=1.0, generator=draw())
    right = [
        TASK.of_kind[asked[row // 3].kind].verify(asked[row // 3], text).correct and end
        for row, (text, end) in enumerate(zip(attempts.rollouts.texts, attempts.rollouts.finished))
    ]
    assert attempts.correct.tolist() == [[float(flag) for flag in right[i : i + 3]] for i in range(0, 27, 3)]
    assert attempts.by_problem(right) == [right[i : i + 3] for i in range(0, 27, 3)] and 0 < sum(right) < 27


def test_no_problem_has_no_attempt(policy):
    """An iteration may have no failure to rationalize."""
    attempts = solve(policy, OneDigit(), [], prompts=[])
    assert len(attempts.rollouts) == 0 == len(attempts.verdicts) and attempts.samples(OneDigit()) == []


def test_a_sample_is_trained_on_with_its_own_prompt_and_not_with_the_hint():
    asked, known = problems(3), {f"hint {i}": str(i) for i in range(3)}
    samples = solve(Reader(known), OneDigit(), asked, prompts=list(known)).samples(OneDigit())
    assert [sample.pair[0] for sample in samples] == [problem.prompt for problem in asked]
    assert [sample.text for sample in samples] == ["0", "1", "2"] and all(one.verdict.correct for one in samples)
