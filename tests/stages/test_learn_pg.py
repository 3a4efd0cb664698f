"""The update of reinforcement learning: which rows, against which old policy, and that parts and
shortcuts change nothing.
"""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from spkit.maths.advantages import rloo
from spkit.maths.policy_gradient import PgLoss, pg_loss
from spkit.policy import Example, Policy, Rollouts
from spkit.run.errors import SpkitError
from spkit.stages.learn_pg import (
    PgUpdate,
    Rollout,
    group_rollouts,
    learn_from_rewards,
    minibatches,
    new_optimizer,
    optimizer_state,
    resumed,
)
from tests.conftest import make_policy
from tests.stages.by_hand import SUMS

UPDATE = PgUpdate(PgLoss(), epochs=2, batch_size=8, learning_rate=1e-3, rows_at_once=3)


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def sampled(policy: Policy, count: int = 24, seed: int = 0) -> list[Rollout]:
    """Samples of three prompts with advantages 1.5, -0.5, 0, 1.5, ..."""
    found = policy.sample(["1+2=", "12+34=", "5+6+7="], count // 3, max_new_tokens=9, generator=draw(seed))
    rows = zip(found.prompts, found.token_ids, (1.5, -0.5, 0.0) * (count // 3), found.token_logprobs)
    return [
        Rollout(Example(policy.prompt_ids(prompt), ids), advantage, logprobs)
        for prompt, ids, advantage, logprobs in rows
    ]


def weights(policy: Policy) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in policy.model.parameters()])


def trained(
    policy: Policy, rows: list[Rollout], update: PgUpdate, reference: Policy | None = None
) -> tuple[Policy, dict[str, float]]:
    policy = policy.clone()
    learned = learn_from_rewards(
        policy, new_optimizer(policy, update), minibatches(policy, rows, update, draw(1), reference), update, draw(2)
    )
    return policy, learned


def test_every_rollout_is_in_one_minibatch_of_like_size(policy):
    rows = [row._replace(advantage=1.0 + i) for i, row in enumerate(sampled(policy, 21))]
    batches = minibatches(policy, rows, UPDATE, draw())
    assert [batch.size.rows for batch in batches] == [7, 7, 7]
    assert sorted(a for batch in batches for part in batch.parts for a in part.advantages.tolist()) == [
        1.0 + i for i in range(21)
    ]
    assert all(len(part.examples) <= 3 for batch in batches for part in batch.parts)
    assert sum(batch.size.tokens for batch in batches) == sum(len(row.example.completion) for row in rows)


@pytest.mark.parametrize("kl_coef", [0.0, 0.1])
def test_ratios_are_one_before_the_first_update_and_move_after(policy, kl_coef):
    learned = trained(
        policy, sampled(policy), replace(UPDATE, loss=PgLoss(kl_coef=kl_coef)), policy if kl_coef else None
    )[1]
    assert (
        learned["ratio_first"] == pytest.approx(1.0, abs=1e-4) and learned["ratio_max"] > 1.01 and learned["steps"] == 6
    )


def test_the_first_ratio_shows_that_another_policy_sampled(policy):
    other = sampled(make_policy(1))
    assert trained(policy, other, UPDATE)[1]["ratio_first"] > 1.5


@pytest.mark.parametrize("aggregation", ["sequence", "token", "constant"])
@pytest.mark.parametrize("coefficients", [{}, {"kl_coef": 0.3, "entropy_coef": 0.05}])
def test_the_gradient_is_that_of_all_rows_at_once(policy, aggregation, coefficients):
    """One step without momentum, against a plain forward of every row with its own prompt: rows left out
    and parts change nothing.
    """
    settings = PgLoss(aggregation=aggregation, length=10, **coefficients)
    rows, reference = sampled(policy), make_policy(1)
    update = PgUpdate(settings, batch_size=len(rows), learning_rate=1.0, clip=1e9, rows_at_once=5)
    ours = policy.clone()
    optimizer = torch.optim.SGD(ours.model.parameters(), lr=1.0)
    learn_from_rewards(ours, optimizer, minibatches(ours, rows, update, draw(), reference), update, draw())
    width = max(len(row.example.completion) for row in rows)
    new, old, there, entropy, mask = (torch.zeros(len(rows), width) for _ in range(5))
    plain = policy.clone()
    for r, (example, *_) in enumerate(rows):
        ids, n = torch.tensor([example.prompt + example.completion]), len(example.completion)
        for model, table in ((plain.model, new), (policy.model, old), (reference.model, there)):
            scores = model(ids[:, :-1]).logits[0, -n:].log_softmax(-1)
            table[r, :n] = scores[range(n), example.completion]
            if table is new:
                entropy[r, :n] = -(scores.exp() * scores).sum(-1)
        mask[r, :n] = 1
    advantages = torch.tensor([row.advantage for row in rows])
    pg_loss(new, old.detach(), advantages, mask, settings, reference_logprobs=there.detach(), entropy=entropy)[
        0
    ].backward()
    slope = torch.cat([parameter.grad.flatten() for parameter in plain.model.parameters()])
    step = weights(policy) - weights(ours)
    assert slope.norm() > 0.1 and (step - slope).norm() < 1e-4 * slope.norm()


def test_what_was_better_than_its_kind_becomes_more_likely(policy):
    rows = sampled(policy)
    after, _ = trained(policy, rows, replace(UPDATE, learning_rate=1e-4))
    change = {}
    for one, sign in ((policy, -1), (after, 1)):
        for example, advantage, *_ in rows:
            score = one.logprobs([one.tokenizer.decode(example.prompt)], [example.completion])[0].sum().item()
            change[advantage] = change.get(advantage, 0.0) + sign * score
    assert change[1.5] > 0.1 and change[-0.5] < -0.1


def test_where_no_reward_differs_nothing_moves_not_even_by_momentum(policy):
    optimizer = new_optimizer(policy, UPDATE)
    learn_from_rewards(policy, optimizer, minibatches(policy, sampled(policy), UPDATE, draw()), UPDATE, draw())
    before, ticks = policy.fingerprint(), []
    level = [row._replace(advantage=0.0) for row in sampled(policy)]
    learned = learn_from_rewards(
        policy, optimizer, minibatches(policy, level, UPDATE, draw()), UPDATE, draw(), ticks.append
    )
    assert learned == {"steps": 0} and policy.fingerprint() == before and sum(ticks) == 6
    pulled = replace(UPDATE, loss=PgLoss(kl_coef=0.1))
    learned = learn_from_rewards(
        policy, optimizer, minibatches(policy, level, pulled, draw(), make_policy(1)), pulled, draw()
    )
    assert learned["steps"] == 6 and learned["kl"] > 0 and policy.fingerprint() != before


def test_the_distance_to_a_reference_is_pulled_back(policy):
    """Rewards that say nothing, and a policy away from its reference: the penalty alone brings it nearer."""
    level, pulled = [row._replace(advantage=0.0) for row in sampled(policy, 48)], replace(UPDATE, epochs=8)
    kls = [
        trained(policy, level, replace(pulled, loss=PgLoss(kl="k2", kl_coef=c)), make_policy(1))[1]["kl"]
        for c in (1e-9, 1.0)
    ]
    assert kls[1] < 0.8 * kls[0]


@pytest.mark.filterwarnings("ignore:Paged optimizers")
def test_the_eight_bit_optimizer_of_a_gpu_goes_on_too(tmp_path):
    optim = pytest.importorskip("bitsandbytes.optim")
    first = [
        torch.nn.Parameter(torch.randn(size, generator=draw(1))) for size in ((64, 80), (70, 64), (7,))
    ]  # the last keeps 32 bits
    whole = optim.PagedAdamW8bit(first, lr=1e-2)

    def step(optimizer, seed):
        for parameter in optimizer.param_groups[0]["params"]:
            parameter.grad = torch.randn(parameter.shape, generator=draw(seed))
        optimizer.step()

    step(whole, 2)
    save_file(optimizer_state(whole), tmp_path / "state.safetensors")
    second = [torch.nn.Parameter(parameter.detach().clone()) for parameter in first]
    killed = resumed(optim.PagedAdamW8bit(second, lr=1e-2), load_file(tmp_path / "state.safetensors"))
    for seed in (3, 4):
        step(whole, seed), step(killed, seed)
    assert all(torch.equal(one, other) for one, other in zip(first, second))
    assert [killed.state[parameter]["step"] for parameter in second] == [3, 3, 3]


def test_the_optimizer_goes_on_as_if_it_had_not_been_stopped(policy):
    rows = [sampled(policy, seed=seed) for seed in (0, 1)]
    whole = policy.clone()
    optimizer = new_optimizer(whole, UPDATE)
    learn_from_rewards(whole, optimizer, minibatches(whole, rows[0], UPDATE, draw()), UPDATE, draw())
    other, state = whole.clone(), {name: tensor.clone() for name, tensor in optimizer_state(optimizer).items()}
    for one, optimizer_of_it in ((whole, optimizer), (other, resumed(new_optimizer(other, UPDATE), state))):
        learn_from_rewards(one, optimizer_of_it, minibatches(one, rows[1], UPDATE, draw()), UPDATE, draw())
    assert other.fingerprint() == whole.fingerprint()
    assert {name.split(".")[1] for name in state} == {"step", "exp_avg", "exp_avg_sq"}


def test_nothing_to_learn_from_is_refused(policy):
    with pytest.raises(SpkitError, match="there is no rollout to learn from"):
        minibatches(policy, [], UPDATE, draw())
    rows = sampled(policy)
    with pytest.raises(SpkitError, match="a rollout needs the log-probability of each of its completion's tokens"):
        minibatches(policy, [*rows, rows[0]._replace(logprobs=rows[0].logprobs[:-1])], UPDATE, draw())


def found(asked, k, lengths):
    """Made-up samples, with numbers for log-probabilities by which they are known."""
    ids = [[5] * n for n in lengths]
    scores = [torch.full((n,), -float(i)) for i, n in enumerate(lengths)]
    return Rollouts(
        [p.prompt for p in asked for _ in range(k)],
        ids,
        [""] * len(ids),
        scores,
        torch.zeros(len(ids)),
        [True] * len(ids),
    )


def test_advantages_stand_by_their_own_samples(adder):
    asked = [SUMS.problem(0, index) for index in range(3)]
    samples, rewards = found(asked, 4, range(1, 13)), torch.tensor([[1.0, 0, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1]])
    rows = group_rollouts(adder, samples, rewards, "rloo")
    assert [row.advantage for row in rows] == pytest.approx(rloo(rewards).flatten().tolist())
    assert [row.example.completion for row in rows] == samples.token_ids
    assert [row.example.prompt for row in rows] == [
        adder.prompt_ids(problem.prompt) for problem in asked for _ in range(4)
    ]
    assert [row.logprobs[0].item() for row in rows] == [-float(i) for i in range(12)]


def test_a_longer_completion_weighs_more_in_reinforce_pp_alone(adder):
    same, longer = (found([SUMS.problem(0, 0)], 4, lengths) for lengths in ([4] * 4, [40, 4, 4, 4]))
    rewards = torch.tensor([[1.0, 0, 0, 1]])
    of = lambda samples, kind: [row.advantage for row in group_rollouts(adder, samples, rewards, kind)]
    assert of(same, "grpo") == of(longer, "grpo") and of(same, "reinforce_pp")[0] > of(longer, "reinforce_pp")[0] > 0
