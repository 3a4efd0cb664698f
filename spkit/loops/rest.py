"""ReST: reinforced self-training (Gulcehre et al. 2023, arXiv:2308.08998, Algorithm 1).

    Grow:    k samples of every problem from the last policy, scored by a graded reward; the real data stays mixed in.
    Improve: i = 1..I times, fine-tune the LAST policy on what scores above a threshold tau_i, thresholds
    rising, learning rate falling.

The first threshold lies above the mean reward of the grown samples (section 3): whatever the setting says,
tau_i is at least that mean.

What differs from the paper, and why:
- Rewards are exact shares of right steps; the paper scores translations with a learned model, whose errors
  more Grow steps exploit.
- The real data are right solutions of careful writers, whose reward is 1: they pass every threshold. The paper's are
  human translations, scored like samples.
- `threshold_rule` is ours: `fixed` takes the thresholds as they are, however low the mean reward is; `quantile` keeps a
  share of the samples, so that the threshold follows them (RAFT, arXiv:2304.06767, keeps the best ones too).
- The number of Improve steps is fixed; the paper stops when the reward on a validation set no longer rises.
- The loss is the plain log-likelihood, which the paper found best among four.

With `reward="correct"`, 0 or 1, every threshold in [mean, 1) keeps the same samples: the rising
thresholds then do nothing.

Run it: spkit run rest --task sums --iterations 2 --seed 0
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ..policy import Policy, SftConfig
from ..policy.rollouts import Pair
from ..run.errors import SpkitError
from ..run.folder import Run
from ..run.settings import at_least, one_of_its_choices
from ..run.streams import REAL, generator
from ..stages.learn_sft import check_sft, fine_tune
from ..stages.measure import kept_counts, measure
from ..stages.solve import Sample, draw_samples
from ..stages.verify import distinct
from ..tasks import Task, problems


@dataclass(frozen=True)
class RestConfig:
    """Settings of a run; an iteration is one Grow step with all its Improve steps.

    The paper's value in brackets where there is one.
    """

    iterations: int = 2  # Grow steps; a larger number extends a run [1 or 2]
    seed: int = 0  # decides the problems and every random draw
    problems: int = 400  # training problems of a Grow step
    k: int = 8  # samples of each problem
    temperature: float = 1.0  # of the samples; 0 is greedy
    # what a reward must be above, rising, one an Improve step [0.0, 0.7, 0.8, 0.9, 0.95, 0.99]
    thresholds: tuple[float, ...] = (0.0, 0.7, 0.9)
    # a threshold is raised to the mean reward, or taken as it is, or the share of samples to drop [above_mean]
    threshold_rule: Literal["above_mean", "fixed", "quantile"] = "above_mean"
    reward: Literal["graded", "correct"] = "graded"  # share of right steps, or 0 / 1 for the final answer [graded]
    sft: SftConfig = field(default_factory=lambda: SftConfig(steps=60, batch_size=32, learning_rate=3e-4))
    decay: float = 0.5  # factor of the learning rate from one Improve step to the next
    test_per_difficulty: int = 50  # test problems of each difficulty
    real: int = 100  # problems solved by a careful writer, mixed into every Improve step [the whole training set]

    def __post_init__(self) -> None:
        check_sft(self.sft)
        at_least(self, 1, "problems", "k", "test_per_difficulty")
        at_least(self, 0, "iterations", "temperature", "decay", "real")
        one_of_its_choices(self)
        if (
            not self.thresholds
            or list(self.thresholds) != sorted(self.thresholds)
            or not 0 <= self.thresholds[0] <= self.thresholds[-1] < 1
        ):
            raise SpkitError(f"thresholds must lie within [0, 1) and not fall, not be {self.thresholds}")


def rest(base: Policy, task: Task, config: RestConfig, run: Run | None = None) -> Iterator[dict[str, Any]]:
    """Yield one record per Grow step, iteration 0 being the base; `improve` in it lists its Improve steps."""
    run = run or Run()
    base, policy = run.begin("rest", task, base, config)
    real = real_data(base, task, config)
    look = lambda one: measure(one, task, config.test_per_difficulty, run)
    yield from run.replay(config, lambda: run.record(0, base, **look(base)))

    for t in run.iterations(config):
        # 1 propose: fresh problems every Grow step
        batch = problems(task, config.seed, (t - 1) * config.problems, config.problems)
        # 2 solve (Grow)
        samples = draw_samples(
            policy, task, batch, config.k, config.temperature, generator(config.seed, t, "grow"), run
        )
        steps = []
        for i, threshold in enumerate(config.thresholds):
            # 3 verify: what scores above a threshold that rises
            tau = tau_of(samples, threshold, config)
            kept = distinct(above(samples, tau, config.reward))
            # 4 learn (Improve): from the last policy, more gently every time
            update = replace(config.sft, learning_rate=config.sft.learning_rate * config.decay**i)
            pairs = [sample.pair for sample in kept] + real
            policy, learned = fine_tune(policy, pairs, update, generator(config.seed, t, "improve-", i), run)
            # 5 measure
            measured = look(policy)
            steps.append({"tau": tau, "kept": len(kept), "accuracy": measured["accuracy"], **learned})
        yield run.record(t, policy, **kept_counts(samples, kept), improve=steps, **measured)


def real_data(policy: Policy, task: Task, config: RestConfig) -> list[Pair]:
    """(prompt, completion ids) of `config.real` problems that no Grow step asks, solved by a careful writer."""
    return [
        (problem.prompt, policy.completion_ids(task.solution(problem)))
        for problem in problems(task, REAL, 0, config.real)
    ]


def reward_of(sample: Sample, reward: str) -> float:
    """The graded reward in [0, 1], or 0 / 1 for the final answer alone."""
    return sample.verdict.reward if reward == "graded" else float(sample.verdict.correct)


def mean_reward(samples: Sequence[Sample], reward: str) -> float:
    """Mean of `reward_of` over the samples."""
    return sum(reward_of(sample, reward) for sample in samples) / len(samples)


def tau_of(samples: Sequence[Sample], threshold: float, config: RestConfig) -> float:
    """What the reward of a sample must be above in an Improve step; equal rewards are all kept or all dropped."""
    if config.threshold_rule == "quantile":
        rewards = sorted(reward_of(sample, config.reward) for sample in samples)
        return math.nextafter(rewards[int(threshold * len(rewards))], -math.inf)
    return threshold if config.threshold_rule == "fixed" else max(threshold, mean_reward(samples, config.reward))


def above(samples: Sequence[Sample], tau: float, reward: str) -> list[Sample]:
    """The samples whose reward is strictly above `tau` (the paper's F(x, y; tau), eq. 3)."""
    return [sample for sample in samples if reward_of(sample, reward) > tau]
