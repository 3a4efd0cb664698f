"""Both roles in one update: whose rows, with which advantages, and in how many steps."""

from dataclasses import replace
from math import ceil

import pytest
import torch

from spkit.maths.advantages import reinforce_pp, rloo, trr_pp
from spkit.policy import load_policy
from spkit.run.errors import SpkitError
from spkit.stages.learn_roles import RolesConfig, longest_of_kinds, role_advantages, role_rollouts
from spkit.stages.propose import ProposerConfig, propose, to_solve
from spkit.stages.solve import solve
from spkit.stages.verify_roles import proposer_rewards
from spkit.tasks import KINDS, PythonPrograms
from tests.stages.by_hand import TASK, draw


def test_advantages_are_those_of_their_names():
    cells = (
        [("deduction", "solver")] * 4
        + [("abduction", "solver")] * 4
        + [("deduction", "proposer"), ("deduction", "proposer")]
    )
    rewards = torch.tensor([1, -0.5, 1, -1, 1, 1, -0.5, -0.5, 0.25, -1.0])
    lengths = torch.tensor([3, 5, 2, 9, 4, 4, 4, 4, 6, 2])
    ask = lambda kind, whiten="tokens", baselines=None: role_advantages(
        RolesConfig(kind, whiten), rewards, cells, lengths, 2, 8, baselines
    )
    assert torch.equal(ask("trr_pp")[0], trr_pp(rewards, cells, lengths))
    assert torch.equal(ask("trr_pp", "rows")[0], trr_pp(rewards, cells))
    assert torch.equal(ask("global")[0], reinforce_pp(rewards, lengths))
    assert torch.equal(ask("rloo")[0][:8], rloo(rewards[:8].view(-1, 2)).flatten())
    assert torch.equal(ask("rloo")[0][8:], trr_pp(rewards[8:], cells[8:], lengths[8:]))
    first, means = ask("rae")
    assert set(means) == {"deduction solver", "abduction solver", "deduction proposer"}
    assert (
        first[0] == 1
        and first[1].item() == pytest.approx(-0.55)
        and not torch.equal(ask("rae", baselines=means)[0], first)
    )


def test_the_proposer_learns_from_what_has_a_reward_by_its_weight(proposer, buffers):
    batch = propose(proposer, buffers, KINDS, 4, 2, draw())
    batch[:2] = [replace(batch[0], fault="held out"), replace(batch[1], problem=None, fault="text")]
    problems, origins = to_solve(batch, buffers, KINDS, 4, 0.0, draw())
    attempts = solve(proposer, TASK, problems, 2, temperature=1.0, generator=draw())
    earned = proposer_rewards(batch, origins, attempts.correct.mean(1), ProposerConfig())
    assert earned[0] is None or not batch[0].valid
    earned[0] = None
    learned = [one for one, reward in zip(batch, earned) if reward is not None]
    assert len(learned) >= 8 and any(one.fault and not one.valid for one in learned), "invalid text is learned from too"
    rows_of = lambda some, weight=8.0: role_rollouts(
        proposer, attempts, attempts.correct, some, earned, RolesConfig("trr_pp"), weight, None
    )[0]
    rows = rows_of(batch)
    assert len(rows) == 24 + len(learned) and len(rows_of([])) == 24
    assert [row.example.completion for row in rows[24:]] == [one.token_ids for one in learned]
    assert rows[24].example.prompt == proposer.prompt_ids(learned[0].prompt)
    light = rows_of(batch, 1.0)
    assert [row.advantage for row in rows[:24]] == [row.advantage for row in light[:24]]
    assert [row.advantage for row in rows[24:]] == pytest.approx([8 * row.advantage for row in light[24:]]) and any(
        row.advantage for row in light[24:]
    )


@pytest.mark.parametrize("rows", [384, 417, 432])
def test_every_role_knob_has_as_many_optimizer_steps(rows):
    assert -(-rows // RolesConfig().update(rows, 10).batch_size) == 2


def test_the_longest_completion_is_counted_in_tokens_and_not_in_characters(proposer):
    """What `constant` divides by: with characters the gradient of a model that reads words would be too small."""
    characters = max(TASK.of_kind[kind].max_completion_chars(TASK.hardest) for kind in KINDS)
    assert longest_of_kinds(proposer, TASK, KINDS) == characters + 1, "one token a character, and the end token"
    code, words = PythonPrograms(), load_policy("words")
    characters = max(code.of_kind[kind].max_completion_chars(code.hardest) for kind in KINDS)
    ends = len(words.prompting.end_ids(words.tokenizer))
    assert longest_of_kinds(words, code, KINDS) == ceil(characters / 1.5) + ends < characters
    assert RolesConfig(aggregation="constant").update(8, 77).loss.length == 77


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"advantage": "ppo"}, "advantage must be one of"),
        ({"whiten": "all"}, "whiten must be one of"),
        ({"aggregation": "mean"}, "aggregation must be one of sequence, token, constant"),
        ({"minibatches": 0}, "minibatches must be 1 or more"),
        ({"epochs": 0}, "epochs must be 1 or more"),
        ({"rows_at_once": 0}, "rows_at_once must be 1 or more"),
        ({"clip_low": 0.0}, "clip_low must be positive"),
        ({"clip_high": float("nan")}, "clip_high must be positive, not nan"),
        ({"kl_coef": -0.1}, "kl_coef must be 0 or more"),
        ({"entropy_coef": -0.1}, "entropy_coef must be 0 or more"),
        ({"kl_coef": float("inf")}, "kl_coef must be 0 or more, not inf"),
        ({"entropy_coef": float("inf")}, "entropy_coef must be 0 or more, not inf"),
        ({"learning_rate": float("nan")}, "learning_rate must be 0 or more"),
    ],
)
def test_bad_settings_are_one_sentence(changes, message):
    with pytest.raises(SpkitError, match=message):
        RolesConfig(**changes)
