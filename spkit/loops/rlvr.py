"""RLVR: reinforcement learning with verifiable rewards, on fixed problems (GRPO, arXiv:2402.03300;
Tulu 3, arXiv:2411.15124).

    solve:   k samples of every problem at temperature 1, from the policy as it is;
    verify:  each has a reward from a checker;
    learn:   the policy gradient, by how a sample's reward compares with the others of its problem (or of the batch).

Nobody proposes: the problems come from the task, in turn from a fixed set. `spkit run rlvr --preset` takes the settings
of GRPO, DAPO's loss (without its resampling and its length penalty), Dr. GRPO, RLOO and REINFORCE++.

What differs from the papers, and why:
- learning rates of a tiny model; several minibatch updates an iteration, which is where the
  clipping has something to do.
- The temperature is always 1: at another one the samples are not drawn from the policy, and greedily k samples are k
  copies.
- The optimizer's moments are kept in the checkpoint, so a run that was killed goes on exactly as one that was not.

A group whose samples are all right or all wrong says nothing to a method that compares within groups;
`useful_groups` is the share of the others. REINFORCE++ compares over the batch, so it keeps pushing all-wrong groups
down, from which the other methods learn nothing.

Controls: `reward="random"` shuffles the rewards of each problem among its own samples: as many rewards, useful groups,
updates and tokens, and nothing to learn. `reward="noisy"` flips the checker's verdicts; `reward="majority"` uses the
majority answer in place of the checker.

Every record shows two kinds of gain on the same test problems: greedy accuracy (`accuracy`), and the accuracy of
samples (`test_sampled_accuracy`). Where only the second rises, towards the first, the gain is sharpening.

Run it: spkit run rlvr --task sums --iterations 20 --seed 0
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from ..maths.advantages import useful_groups
from ..maths.policy_gradient import PgLoss, check_loss_settings
from ..policy import Policy
from ..run.errors import SpkitError
from ..run.folder import Run
from ..run.settings import at_least, one_of_its_choices, shares
from ..run.streams import generator
from ..stages.learn_pg import (
    PgUpdate,
    group_rollouts,
    learn_from_rewards,
    minibatches,
    new_optimizer,
    optimizer_state,
    resumed,
)
from ..stages.measure import attempt_counts, measure_when_due
from ..stages.propose import fixed_problems
from ..stages.solve import longest_completion, solve
from ..stages.verify import scores_of
from ..tasks import Task


@dataclass(frozen=True)
class RlvrConfig:
    """Settings of a run; the value of DeepSeekMath's GRPO in brackets where there is one."""

    iterations: int = 20  # rounds after the base; a larger number extends a run
    seed: int = 0  # decides the problems and every random draw
    pool: int = 2000  # the fixed problems, taken in turn [144,000]
    problems: int = 64  # problems of an iteration [16]
    k: int = 8  # samples of each [64]
    # where rewards come from; random: gold, shuffled within each group (the control) [a reward model]
    # (random_all_steps: the same of the check of all steps)
    reward: Literal["gold", "steps", "all_steps", "noisy", "majority", "graded", "random", "random_all_steps"] = "gold"
    flip_rate: float = 0.0  # how often the `noisy` reward flips a verdict
    advantage: Literal["grpo", "dr_grpo", "rloo", "reinforce_pp"] = "grpo"  # what a reward is compared with [grpo]
    # the loss averages within each sequence, over all tokens, or divides by a constant length [sequence]
    aggregation: Literal["sequence", "token", "constant"] = "token"
    clip_low: float = 0.2  # the ratio is held above 1 minus this; inf: no clipping
    clip_high: float = 0.2  # the ratio is held below 1 plus this
    kl: Literal["k1", "k2", "k3"] = "k3"  # estimate of the distance to the base [k3]
    kl_coef: float = 0.0  # weight of that distance in the loss [0.04]
    entropy_coef: float = 0.0  # weight of the entropy bonus
    epochs: int = 1  # passes over the rollouts of an iteration [1]
    batch_size: int = 128  # rollouts of an optimizer step [1024: one step]
    learning_rate: float = 3e-4  # constant [1e-6]
    rows_at_once: int = 32  # rollouts of one forward and backward pass: memory, and speed (padding)
    measure_every: int = 1  # iterations between two measurements, beside the first and the last one
    test_per_difficulty: int = 20  # test problems of each difficulty
    test_samples: int = 4  # of each test problem, at temperature 1

    def __post_init__(self) -> None:
        at_least(self, 1, "problems", "epochs", "batch_size", "rows_at_once", "measure_every")
        at_least(self, 1, "test_per_difficulty", "test_samples")
        at_least(self, 2, "k")
        at_least(self, 0, "iterations", "learning_rate")
        one_of_its_choices(self)
        check_loss_settings(self)
        if self.pool < self.problems:
            raise SpkitError(f"pool must hold the {self.problems} problems of an iteration, not {self.pool}")
        shares(self, "flip_rate")
        self.update(1)  # the loss checks its own settings

    def update(self, length: int) -> PgUpdate:
        """How an iteration learns; `length` (tokens) is what the aggregation `constant` divides by."""
        loss = PgLoss(self.clip_low, self.clip_high, self.aggregation, length, self.kl, self.kl_coef, self.entropy_coef)
        return PgUpdate(loss, self.epochs, self.batch_size, self.learning_rate, rows_at_once=self.rows_at_once)


def rlvr(base: Policy, task: Task, config: RlvrConfig, run: Run | None = None) -> Iterator[dict[str, Any]]:
    """Yield one record per iteration, iteration 0 being the base.

    A run with a folder continues where its records end.
    """
    run = run or Run()
    base, last = run.begin("rlvr", task, base, config)
    policy, look = last.clone(), lambda one, t: measure_when_due(one, base, task, config, run, t)
    yield from run.replay(config, lambda: run.record(0, base, **look(base, 0)))
    update = config.update(longest_completion(base, task))
    optimizer = new_optimizer(policy, update)
    if len(run.records) > 1:
        optimizer = resumed(optimizer, run.state_of(len(run.records) - 1))

    for t in run.iterations(config):
        # 1 propose: the next of the fixed problems.  2 solve: k samples of each at temperature 1
        batch, draw = fixed_problems(task, config, t), generator(config.seed, t, "solve")
        with run.stage("solve", len(batch) * config.k, "samples") as tick:
            attempts = solve(policy, task, batch, config.k, temperature=1.0, generator=draw, on_rows=tick)
        # 3 verify: a reward for each sample
        rewards = scores_of(attempts, task, config.reward, config.flip_rate, generator(config.seed, t, "reward"))
        # 4 learn: make what was better than its kind more likely, in a few clipped updates
        with run.stage("learn", config.epochs * -(-len(attempts.verdicts) // config.batch_size), "steps") as tick:
            rows = group_rollouts(policy, attempts.rollouts, rewards, config.advantage)
            scored = minibatches(
                policy, rows, update, generator(config.seed, t, "batches"), base if config.kl_coef else None
            )
            learned = learn_from_rewards(policy, optimizer, scored, update, generator(config.seed, t, "learn"), tick)
        run.spend(sampled_tokens=attempts.rollouts.tokens, optimizer_steps=learned["steps"])
        # 5 measure
        numbers = {
            "reward": rewards.double().mean().item(),
            "useful_groups": useful_groups(rewards),
            "learned": learned,
            **attempt_counts(attempts),
        }
        state = optimizer_state(optimizer)
        yield run.record(t, policy, state=state, **numbers, **look(policy, t))
