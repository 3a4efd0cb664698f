"""RLVR: reinforcement learning with verifiable rewards, on fixed problems (GRPO, arXiv:2402.03300;
Tulu 3, arXiv:2411.15124).

    solve:   k samples of every problem at temperature 1, from the policy as it is;
    verify:  each has a reward from a checker;
    learn:   the policy gradient, by how a sample's reward compares with the others of its problem (or of the batch).

Nobody proposes: the problems come from the task, in turn from a fixed set. Presets of the literature, as settings:

    GRPO            advantage="grpo", aggregation="sequence", kl_coef=0.04
    DAPO's loss     advantage="grpo", aggregation="token", clip_high=0.28  (without its resampling and its length
                    penalty)
    Dr. GRPO        advantage="dr_grpo", aggregation="constant"
    RLOO            advantage="rloo", aggregation="constant"  (the gradient is then that of the expected reward, over a
                    constant)
    REINFORCE++     advantage="reinforce_pp"

What differs from the papers, and why:
- learning rates of a tiny model; several minibatch updates an iteration, which is where the
  clipping has something to do.
- The temperature is 1 and no setting: at another one the samples are not the policy's, and greedily k samples are k
  copies.
- The optimizer's moments are kept in the checkpoint, so a run that was killed goes on exactly as one that was not.

A group whose samples are all right or all wrong says nothing to a method that compares within groups;
`useful_groups` is the share of the others. REINFORCE++ compares over the batch, so it goes on pushing all-wrong
groups down where the others have stopped.

Controls: `reward="random"` deals the rewards of each problem out anew among its own samples: as many rewards,
useful groups, updates and tokens, and nothing to learn. `reward="noisy"` flips the checker's word,
`reward="majority"` asks no checker.

Two kinds of gain, both in every record: greedy accuracy (`accuracy`: a new capability, or one more often on top)
against the accuracy of samples on the same test problems (`test_sampled_accuracy`). Where the second rises to the first
and the first stays, it is sharpening.

Run it: spkit run rlvr --task sums --iterations 20 --seed 0
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from ..maths.advantages import KINDS, group_advantages, useful_groups
from ..maths.policy_gradient import PgLoss, kl_estimate
from ..measures.accuracy import accuracy, mean_over_tokens, solve
from ..policy import Example, Policy, Rollouts
from ..run.errors import SpkitError
from ..run.folder import Run
from ..run.streams import generator
from ..stages.learn_pg import PgUpdate, Rollout, learn, minibatches, new_optimizer, optimizer_state, resumed
from ..stages.learn_sft import at_least, measure, one_of, profile_of
from ..stages.verify import accept
from ..tasks import Problem, Task, Verdict, test_set

REWARDS = ("gold", "steps", "noisy", "majority", "graded", "random")


@dataclass(frozen=True)
class RlvrConfig:
    """Settings of a run; the value of DeepSeekMath's GRPO in brackets where there is one."""

    iterations: int = 20
    seed: int = 0
    pool: int = 2000  # the fixed problems, taken in turn [144,000]
    problems: int = 64  # an iteration [16]
    k: int = 8  # samples of each [64]
    reward: Literal["gold", "steps", "noisy", "majority", "graded", "random"] = "gold"
    flip_rate: float = 0.0  # of the `noisy` reward
    advantage: Literal["grpo", "dr_grpo", "rloo", "reinforce_pp"] = "grpo"  # [grpo]
    aggregation: Literal["sequence", "token", "constant"] = "token"  # [sequence]
    clip_low: float = 0.2
    clip_high: float = 0.2
    kl: Literal["k1", "k2", "k3"] = "k3"  # [k3]
    kl_coef: float = 0.0  # to the base [0.04]
    entropy_coef: float = 0.0
    epochs: int = 1  # passes over the rollouts [1]
    batch_size: int = 128  # rollouts of an optimizer step [1024: one step]
    learning_rate: float = 3e-4  # [1e-6]
    rows_at_once: int = 32  # rollouts of one forward and backward pass: memory, and speed (padding)
    test_per_difficulty: int = 20
    test_samples: int = 4  # of each test problem, at temperature 1

    def __post_init__(self) -> None:
        at_least(self, 1, "problems", "epochs", "batch_size", "rows_at_once", "test_per_difficulty", "test_samples")
        at_least(self, 2, "k")
        at_least(self, 0, "iterations", "learning_rate")
        one_of(self, reward=REWARDS, advantage=KINDS)
        if self.pool < self.problems:
            raise SpkitError(f"pool must hold the {self.problems} problems of an iteration, not {self.pool}")
        if not 0 <= self.flip_rate <= 1:
            raise SpkitError(f"flip_rate must be between 0 and 1, not {self.flip_rate}")
        self.update(1)

    def update(self, length: int) -> PgUpdate:
        """How an iteration learns; `length` (tokens) is what the aggregation `constant` divides by."""
        loss = PgLoss(self.clip_low, self.clip_high, self.aggregation, length, self.kl, self.kl_coef, self.entropy_coef)
        return PgUpdate(loss, self.epochs, self.batch_size, self.learning_rate, rows_at_once=self.rows_at_once)


def rlvr(base: Policy, task: Task, config: RlvrConfig, run: Run | None = None) -> Iterator[dict[str, Any]]:
    """Yield one record per iteration, iteration 0 being the base.

    A run with a folder continues where its records end.
    """
    run = run or Run()
    base = run.pinned(base)
    last = run.start({"method": "rlvr", "task": task.name, "base": base.fingerprint(), "config": asdict(config)}, base)
    yield from run.records[: config.iterations + 1]
    if not run.records:
        yield run.record(0, base, **_measure(base, base, task, config, run, 0))
    policy, update = base.clone() if last is base else last, config.update(longest(base, task))
    optimizer = new_optimizer(policy, update)
    if len(run.records) > 1:
        optimizer = resumed(optimizer, run.state_of(len(run.records) - 1))

    for t in range(len(run.records), config.iterations + 1):
        run.progress.iteration(t - 1, config.iterations)
        # 1 propose: the next of the fixed problems.  2 solve: k samples of each at temperature 1
        batch = fixed_problems(task, config, t)
        with run.stage("solve", len(batch) * config.k, "samples") as tick:
            draw = generator(config.seed, t, "solve")
            samples, verdicts = solve(policy, task, batch, n=config.k, temperature=1.0, generator=draw, on_rows=tick)
        # 3 verify: a reward for each sample
        rewards = reward(verdicts, config, generator(config.seed, t, "reward"))
        # 4 learn: make what was better than its kind more likely, in a few clipped updates
        with run.stage("learn", config.epochs * -(-len(samples) // config.batch_size), "steps") as tick:
            rows = rollouts(policy, samples, rewards, config)
            scored = minibatches(
                policy, rows, update, generator(config.seed, t, "batches"), base if config.kl_coef else None
            )
            learned = learn(policy, optimizer, scored, update, generator(config.seed, t, "learn"), tick)
        # 5 measure and record
        numbers = {
            "reward": rewards.double().mean().item(),
            "useful_groups": useful_groups(rewards),
            "learned": learned,
            **counted(batch, verdicts),
        }
        yield run.record(
            t, policy, state=optimizer_state(optimizer), **numbers, **_measure(policy, base, task, config, run, t)
        )


def fixed_problems(task: Task, config: RlvrConfig, t: int) -> list[Problem]:
    """The problems of iteration t = 1, 2, ...: the next ones of the pool, from its start again after its end."""
    start = (t - 1) * config.problems
    return [task.problem(config.seed, index % config.pool) for index in range(start, start + config.problems)]


def reward(verdicts: Sequence[Verdict], config: RlvrConfig, draw: torch.Generator) -> Tensor:
    """Rewards (problems, k): what the checker says, 0 or 1, or the share of right steps (`graded`)."""
    if config.reward == "graded":
        return torch.tensor([verdict.reward for verdict in verdicts]).view(-1, config.k)
    verifier = "gold" if config.reward == "random" else config.reward
    rewards = torch.tensor(accept(verdicts, config.k, verifier, config.flip_rate, draw)).float().view(-1, config.k)
    return dealt_anew(rewards, draw) if config.reward == "random" else rewards


def dealt_anew(rewards: Tensor, draw: torch.Generator) -> Tensor:
    """The rewards of each problem in a random order among its own samples: the control of equal size."""
    return rewards.gather(1, torch.rand(rewards.shape, generator=draw).argsort(1))


def rollouts(policy: Policy, samples: Rollouts, rewards: Tensor, config: RlvrConfig) -> list[Rollout]:
    """The samples as what is learned from.

    `rewards` are (problems, k), and samples of a problem stand next to each other.
    """
    lengths = torch.tensor([len(ids) for ids in samples.token_ids]).view_as(rewards)
    advantages = group_advantages(config.advantage, rewards, lengths).flatten().tolist()
    prompts = {prompt: policy.prompt_ids(prompt) for prompt in dict.fromkeys(samples.prompts)}
    rows = zip(samples.prompts, samples.token_ids, advantages, samples.token_logprobs, strict=True)
    return [Rollout(Example(prompts[prompt], ids), advantage, logprobs) for prompt, ids, advantage, logprobs in rows]


def longest(policy: Policy, task: Task) -> int:
    """Tokens of the longest completion a loop asks for, its end token included."""
    characters = max(task.max_completion_chars(difficulty) for difficulty in task.difficulties)
    return policy.tokens_for(characters, getattr(task, "chars_per_token", 1))


def counted(batch: Sequence[Problem], verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """How many samples of how many distinct problems, and how good the checker finds them before
    the update, whoever pays.
    """
    return {
        "problems": len({problem.prompt for problem in batch}),
        "samples_drawn": len(verdicts),
        "sampled_accuracy": sum(verdict.correct for verdict in verdicts) / len(verdicts),
        "mean_reward": sum(verdict.reward for verdict in verdicts) / len(verdicts),
    }


def _measure(policy: Policy, base: Policy, task: Task, config: RlvrConfig, run: Run, t: int) -> dict[str, Any]:
    """Greedy accuracy, and of samples at temperature 1: accuracy, pass@k, maj@k, entropy, and KL(policy
    || base) in nats a token.
    """
    result, tests, n = (
        measure(policy, task, config.test_per_difficulty, run),
        test_set(task, config.test_per_difficulty),
        config.test_samples,
    )
    with run.stage("profile"):
        drawn, verdicts = solve(
            policy, task, tests, n=n, temperature=1.0, generator=generator(config.seed, t, "profile")
        )
        sampled = accuracy([problem for problem in tests for _ in range(n)], verdicts)
        here, there = (one.logprobs(drawn.prompts, drawn.token_ids) for one in (policy, base))
        return result | {
            "test_sampled_accuracy": sampled["accuracy"],
            "test_sampled_accuracy_by_difficulty": sampled["accuracy_by_difficulty"],
            **profile_of(policy, task, tests, drawn, verdicts),
            "kl_to_base": mean_over_tokens([kl_estimate(ours, theirs) for ours, theirs in zip(here, there)]),
        }
