"""ReST^EM (Singh, Co-Reyes, Agarwal et al. 2023, arXiv:2312.06585, Algorithm 1).

    E-step (generate): k samples of every problem from the last policy at temperature 0.7, each
    weighed by its 0/1 reward;
    M-step (improve):  fine-tune the BASE on what has reward 1, at most `cap` a problem, stopped where validation is
                       best.

What differs from the paper, and why:
- k is 8 (32 for MATH, 64 for APPS) and the cap 4 (10).
- No top-K truncation (40 in the paper): the vocabulary has fewer tokens.
- No few-shot prompt: the base was pretrained on the format. As in the paper the loss counts the solution alone.
- `restart="last"`, `accumulate`, `verifier` and `unique=False` are not the paper's: they are here to see
  what each choice is worth.

Run it: spkit run rest-em --task sums --iterations 3 --seed 0
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from ..measures.accuracy import accuracy, solve
from ..policy import Policy, SftConfig
from ..run.folder import Run
from ..run.streams import generator
from ..stages.learn_sft import (
    Filter,
    at_least,
    count,
    grow,
    improve_to_best,
    keep,
    measure,
    one_of,
    profile,
    validation_set,
)
from ..tasks import Task, problems, test_set


@dataclass(frozen=True)
class RestEmConfig:
    """Settings of a run; the paper's value in brackets where there is one.

    The problems are the same in every iteration, as in the paper; `measure_train` adds the greedy
    accuracy on (up to 250 of) them.
    """

    iterations: int = 3  # [2 or 3]
    seed: int = 0
    problems: int = 400  # [7,500 for MATH]
    k: int = 8  # [32]
    temperature: float = 0.7  # [0.7]
    filter: Filter = field(default_factory=lambda: Filter(cap=4))  # [10]
    restart: Literal["base", "last"] = "base"  # [base]
    accumulate: bool = False  # train on the samples of all iterations so far [each iteration's own]
    sft: SftConfig = field(default_factory=lambda: SftConfig(steps=100, batch_size=32, learning_rate=3e-4))
    validate_every: int = 25  # steps
    validation_problems: int = 100  # 0: no validation, the weights of the last step
    test_per_difficulty: int = 50
    extrapolate: bool = False  # measure harder problems, and the format with a hint, which training does not touch
    measure_train: bool = False
    test_samples: int = 0  # samples of each test problem, for pass@k, maj@k, distinct paths and entropy

    def __post_init__(self) -> None:
        at_least(self.sft, 1, "steps", "batch_size")
        at_least(self.sft, 0, "learning_rate")
        at_least(self, 1, "problems", "k", "validate_every", "test_per_difficulty")
        at_least(self, 0, "iterations", "temperature", "validation_problems", "test_samples")
        one_of(self, restart=("base", "last"))


def rest_em(base: Policy, task: Task, config: RestEmConfig, run: Run | None = None) -> Iterator[dict[str, Any]]:
    """Yield one record per iteration, iteration 0 being the base.

    A run with a folder continues where its records end.
    """
    run = run or Run()
    base = run.pinned(base)
    policy = run.start(
        {"method": "rest_em", "task": task.name, "base": base.fingerprint(), "config": asdict(config)}, base
    )
    yield from run.records[: config.iterations + 1]
    batch, validation = (
        problems(task, config.seed, 0, config.problems),
        validation_set(task, config.validation_problems),
    )
    if not run.records:
        yield run.record(0, base, **_measure(base, task, config, run, 0))

    for t in range(len(run.records), config.iterations + 1):
        run.progress.iteration(t - 1, config.iterations)
        # 1 propose: the same problems every time.  2 solve: k samples of each from the last policy
        grown = grow(policy, task, batch, config.k, config.temperature, generator(config.seed, t, "grow"), run)
        # 3 verify
        kept = keep(grown, config.k, config.filter, generator(config.seed, t, "keep"))
        run.store(t, [sample.pair for sample in kept])
        pairs = [pair for i in range(1 if config.accumulate else t, t + 1) for pair in run.stored(i)]
        # 4 learn: from the base, up to the step where validation is best
        start = base if config.restart == "base" else policy
        draw = generator(config.seed, t, "improve")
        policy, learned = improve_to_best(start, task, pairs, config.sft, draw, run, config.validate_every, validation)
        yield run.record(t, policy, **count(grown, kept), **learned, **_measure(policy, task, config, run, t))


def _measure(policy: Policy, task: Task, config: RestEmConfig, run: Run, t: int) -> dict[str, Any]:
    train = problems(task, config.seed, 0, min(250, config.problems)) if config.measure_train else []
    result = measure(policy, task, config.test_per_difficulty, run, train=train, extrapolate=config.extrapolate)
    tests = test_set(task, config.test_per_difficulty)
    if config.extrapolate:
        hints = [task.hint(problem) for problem in tests]
        result["hinted_accuracy"] = accuracy(tests, solve(policy, task, tests, prompts=hints)[1])["accuracy"]
    if config.test_samples:
        with run.stage("profile"):
            result |= profile(policy, task, tests, config.test_samples, generator(config.seed, t, "profile"))
    return result
