"""RFT: rejection-sampling fine-tuning (Yuan et al. 2023, arXiv:2308.01825, section 3.3).

One round: k samples of every training problem at temperature 0.7, keep those with a right answer and right steps, drop
copies of the same reasoning path, fine-tune. What drives the gain is the number of DISTINCT paths, not of samples.

What differs from the paper, and why:
- The paper adds the paths to its human-written training set and fine-tunes the pretrained model on both. No human
  writes here: the base is fine-tuned on the paths alone.
- k is 16 (100 in the paper), and steps are fixed, so that runs of different k cost the same training;
  the paper trains 3 epochs.
- A path counts as the same by the task's own canonical form (the paper: by its list of equations). Samples
  with a wrong calculation are dropped by the same check as in the paper with `verifier="steps"`; `gold`
  reads the final answer alone.

Run it: spkit run rft --task sums --k 16 --seed 0
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ..policy import Policy, SftConfig
from ..run.folder import Run
from ..run.settings import at_least
from ..run.streams import generator
from ..stages.learn_sft import check_sft, fine_tune
from ..stages.measure import kept_counts, measure
from ..stages.solve import draw_samples
from ..stages.verify import Filter, keep
from ..tasks import Task, problems


@dataclass(frozen=True)
class RftConfig:
    """Settings of the one round; the paper's value in brackets where there is one."""

    seed: int = 0  # decides the problems and every random draw
    problems: int = 400  # training problems [7,473]
    k: int = 16  # samples of each problem [100]
    temperature: float = 0.7  # of the samples; 0 is greedy [0.7]
    filter: Filter = field(default_factory=lambda: Filter(verifier="steps"))
    sft: SftConfig = field(default_factory=lambda: SftConfig(steps=100, batch_size=32, learning_rate=3e-4))
    test_per_difficulty: int = 50  # test problems of each difficulty

    iterations: ClassVar[int] = 1  # one round

    def __post_init__(self) -> None:
        check_sft(self.sft)
        at_least(self, 1, "problems", "k", "test_per_difficulty")
        at_least(self, 0, "temperature")


def rft(base: Policy, task: Task, config: RftConfig, run: Run | None = None) -> Iterator[dict[str, Any]]:
    """Yield two records: the base's, and that of the policy fine-tuned on its own distinct right paths."""
    run = run or Run()
    base, _ = run.begin("rft", task, base, config)
    look = lambda one: measure(one, task, config.test_per_difficulty, run)
    yield from run.replay(config, lambda: run.record(0, base, **look(base)))

    for t in run.iterations(config):
        # 1 propose: the training problems, once
        batch = problems(task, config.seed, 0, config.problems)
        # 2 solve: k samples of each
        samples = draw_samples(base, task, batch, config.k, config.temperature, generator(config.seed, t, "grow"), run)
        # 3 verify: right answers, each path once
        kept = keep(samples, config.k, config.filter, generator(config.seed, t, "keep"))
        # 4 learn
        pairs = [sample.pair for sample in kept]
        policy, learned = fine_tune(base, pairs, config.sft, generator(config.seed, t, "improve"), run)
        # 5 measure
        yield run.record(t, policy, **kept_counts(samples, kept), **learned, **look(policy))
