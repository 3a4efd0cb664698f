"""The rewards of solver and proposer: each test names the mistake it would catch."""

import pytest
import torch

from spkit.run.errors import SpkitError
from spkit.stages.propose import ProposerConfig
from spkit.stages.verify import scores_of, vote_shares
from spkit.stages.verify_roles import VerifierConfig, proposer_rewards, solver_rewards
from spkit.tasks.expressions.problem import problem_about
from tests.stages.by_hand import TASK, draw, hand_made, made

ANSWER, VOTE = VerifierConfig(check="answer"), VerifierConfig("vote_share")


def test_scores_and_rewards_by_hand():
    problem = problem_about("deduction", "x+y", [(1, 2)])
    attempts = hand_made(problem, ["1+2=3", "4", "1+2=4", "1+2=", "3"], [True, True, True, True, False])
    assert attempts.correct.tolist() == [[1, 0, 0, 0, 0]]
    assert vote_shares(attempts).tolist() == [pytest.approx([1 / 5, 2 / 5, 2 / 5, 0, 0])]
    grounded = scores_of(attempts, TASK, ANSWER.rule, 0.0, draw())
    assert solver_rewards(attempts, grounded, ANSWER, draw()).tolist() == [[1, -0.5, -0.5, -1, -1]]
    voted = scores_of(attempts, TASK, VOTE.rule, 0.0, draw())
    assert solver_rewards(attempts, voted, VOTE, draw())[0].tolist() == pytest.approx([1 / 5, 2 / 5, 2 / 5, -1, -1])
    assert scores_of(attempts, TASK, ANSWER.rule, 1.0, draw()).tolist() == [[0, 1, 1, 1, 1]]
    many = hand_made(problem, ["3"] * 2000)
    assert scores_of(many, TASK, ANSWER.rule, 0.2, draw()).mean().item() == pytest.approx(0.8, abs=0.03)


def test_invalid_text_has_its_reward_a_held_out_problem_none_and_a_solved_one_that_of_its_own_rate():
    batch = [made(), made(program=None, fault="text"), made(program="x-y", fault="held out"), made(program="y")]
    rates = torch.tensor([0.25, 0.9, 0.75])
    assert proposer_rewards(batch, [3, None, 0], rates, ProposerConfig()) == [
        pytest.approx(0.25),
        -0.3,
        None,
        pytest.approx(0.75),
    ]
    assert proposer_rewards(batch, [1, 0, 3], rates, ProposerConfig(reward="hardness"))[1] == pytest.approx(0.75), (
        "text that passed the gate is a problem"
    )


def test_the_rule_of_a_vote_is_the_vote_whatever_the_check():
    assert [VerifierConfig(check=check).rule for check in ("answer", "steps", "lenient")] == [
        "noisy",
        "all_steps",
        "lenient",
    ]
    assert {VerifierConfig("vote_share", check).rule for check in ("answer", "steps", "lenient")} == {"vote_share"}
    assert VerifierConfig("random", "answer").rule == "noisy", "the control shuffles what the check says"
    assert [VerifierConfig(gate=gate, leak=0.25).passes for gate in ("strict", "off")] == [0.25, 1.0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gate": "open"}, "gate must be one of strict, off"),
        ({"leak": 1.5}, "leak must be between 0 and 1"),
        ({"flip_rate": -0.1}, "flip_rate must be between 0 and 1"),
        ({"check": "gold"}, "check must be one of answer, steps, lenient"),
        ({"reward": "gold"}, "reward must be one of grounded, vote_share, random"),
    ],
)
def test_bad_settings_are_one_sentence(changes, message):
    with pytest.raises(SpkitError, match=message):
        VerifierConfig(**changes)
