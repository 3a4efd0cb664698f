"""A loop: one greedy answer to each problem, and SFT on the right ones."""

from dataclasses import dataclass, field

from spkit.policy import SftConfig
from spkit.run.folder import Run
from spkit.run.streams import generator
from spkit.stages.learn_sft import fine_tune
from spkit.stages.measure import measure
from spkit.stages.solve import solve
from spkit.tasks import problems


@dataclass(frozen=True)
class ImitateOnceConfig:
    """Settings of a run."""

    iterations: int = 1
    seed: int = 0
    problems: int = 8
    test_per_difficulty: int = 2
    sft: SftConfig = field(default_factory=lambda: SftConfig(steps=2, batch_size=4))


def imitate_once(base, task, config, run=None):
    """Yield one record per iteration, iteration 0 being the base."""
    run = run or Run()
    base, policy = run.begin("imitate_once", task, base, config)
    yield from run.replay(config, lambda: run.record(0, base, **measure(base, task, config.test_per_difficulty, run)))
    for t in run.iterations(config):
        # 1 propose
        batch = problems(task, config.seed, t * config.problems, config.problems)
        # 2 solve, 3 verify: right answers are kept
        with run.stage("solve"):
            kept = [sample.pair for sample in solve(policy, task, batch).samples(task) if sample.verdict.correct]
        # 4 learn
        policy, learned = fine_tune(base, kept, config.sft, generator(config.seed, t, "learn"), run)
        # 5 measure
        yield run.record(t, policy, kept=len(kept), **learned, **measure(policy, task, config.test_per_difficulty, run))
