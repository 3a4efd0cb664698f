"""Supervised fine-tuning on gold solutions: what a teacher's solutions are worth, beside loops that write their own.

    propose:  the next problems of a fixed pool, the same pool that RLVR takes its problems from;
    solve:    nobody: the task's own solution of each, every step right;
    verify:   nothing to verify;
    learn:    the likelihood of the solutions, one pass over them.

It is the comparison of "Towards Understanding Self-play for LLM Reasoning" (arXiv:2510.27072), and no method of
self-play: nothing is sampled, `sampled_tokens` stays 0, and `gold_tokens` counts the tokens of solutions that were
read. The optimizer goes on from one iteration to the next at a constant rate, as in RLVR, so that a step here is a step
there.

Run it: spkit run sft --task sums --iterations 20 --seed 0
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..policy import Policy
from ..policy.training import adamw
from ..run.errors import SpkitError
from ..run.folder import Run
from ..run.settings import at_least
from ..run.streams import generator
from ..stages.learn_pg import optimizer_state, resumed
from ..stages.learn_sft import learn_from_solutions
from ..stages.measure import measure_when_due
from ..stages.propose import fixed_problems
from ..tasks import Task


@dataclass(frozen=True)
class GoldConfig:
    """Settings of a run."""

    iterations: int = 20  # rounds after the base; a larger number extends a run
    seed: int = 0  # decides the problems and every random draw
    pool: int = 2000  # the fixed problems, taken in turn
    problems: int = 512  # problems of an iteration, each read once with its solution
    batch_size: int = 128  # solutions of an optimizer step
    learning_rate: float = 3e-4  # constant
    clip: float = 1.0  # of the gradient's norm
    measure_every: int = 1  # iterations between two looks at the test set, beside the first and the last
    test_per_difficulty: int = 20  # test problems of each difficulty
    test_samples: int = 4  # of each test problem, at temperature 1

    def __post_init__(self) -> None:
        at_least(self, 1, "problems", "batch_size", "measure_every", "test_per_difficulty", "test_samples")
        at_least(self, 0, "iterations", "learning_rate")
        if self.pool < self.problems:
            raise SpkitError(f"pool must hold the {self.problems} problems of an iteration, not {self.pool}")


def sft_on_gold(base: Policy, task: Task, config: GoldConfig, run: Run | None = None) -> Iterator[dict[str, Any]]:
    """Yield one record per iteration, iteration 0 being the base.

    A run with a folder continues where its records end.
    """
    run = run or Run()
    base, last = run.begin("sft", task, base, config)
    policy, look = last.clone(), lambda one, t: measure_when_due(one, base, task, config, run, t)
    yield from run.replay(config, lambda: run.record(0, base, **look(base, 0)))
    optimizer = adamw(policy.model, config.learning_rate)
    if len(run.records) > 1:
        optimizer = resumed(optimizer, run.state_of(len(run.records) - 1))

    for t in run.iterations(config):
        # 1 propose: the next of the fixed problems.  2 solve, 3 verify: their gold solutions
        batch, draw = fixed_problems(task, config, t), generator(config.seed, t, "sft")
        pairs = [(problem.prompt, policy.completion_ids(task.solution(problem))) for problem in batch]
        # 4 learn: make them more likely
        with run.stage("learn", -(-len(pairs) // config.batch_size), "steps") as tick:
            learned = learn_from_solutions(policy, optimizer, pairs, config.batch_size, config.clip, draw, tick)
        run.spend(optimizer_steps=learned["steps"], gold_tokens=sum(len(ids) for _, ids in pairs))
        # 5 measure
        yield run.record(t, policy, state=optimizer_state(optimizer), learned=learned, **look(policy, t))
