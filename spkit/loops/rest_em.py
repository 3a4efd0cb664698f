"""ReST^EM (Singh, Co-Reyes, Agarwal et al. 2023, arXiv:2312.06585, Algorithm 1).

    E-step (generate): k samples of every problem from the last policy at temperature 0.7, each
    weighed by its 0/1 reward;
    M-step (improve):  fine-tune the BASE on what has reward 1, at most `cap` a problem, stopped where validation is
                       best.

What differs from the paper, and why:
- k is 8 (32 for MATH, 64 for APPS) and the cap 4 (10).
- No top-K truncation (40 in the paper): the vocabulary has fewer tokens.
- No few-shot prompt: the base was pretrained on the format. As in the paper the loss counts the solution alone.
- `restart="last"`, `accumulate`, `verifier`, `unique=False` and a learned verifier (`scorer`, see
  `spkit.stages.verify_learned`) are not the paper's: they are here to see what each choice is worth.

`compute_tokens` of a record counts the tokens that went through a network of this size so far, threefold where it was
trained on them (a backward pass takes as long as two forward ones); measuring and validation apart.

Run it: spkit run rest-em --task sums --iterations 3 --seed 0
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from ..measures.accuracy import accuracy
from ..policy import Policy, SftConfig
from ..run.folder import Run
from ..run.settings import at_least, one_of_its_choices
from ..run.streams import generator
from ..stages.learn_sft import check_sft, fine_tune_to_best, validation_set
from ..stages.measure import kept_counts, measure, sampled_profile
from ..stages.solve import draw_samples, solve, tokens_drawn
from ..stages.verify import Filter, keep
from ..stages.verify_learned import ScorerConfig, judge, last_scorer
from ..tasks import Task, problems, test_set


@dataclass(frozen=True)
class RestEmConfig:
    """Settings of a run; the paper's value in brackets where there is one.

    The problems are the same in every iteration, as in the paper; `measure_train` adds the greedy
    accuracy on (up to 250 of) them.
    """

    iterations: int = 3  # rounds after the base; a larger number extends a run [2 or 3]
    seed: int = 0  # decides the problems and every random draw
    problems: int = 400  # training problems, the same in every iteration [7,500 for MATH]
    k: int = 8  # samples of each problem [32]
    temperature: float = 0.7  # of the samples; 0 is greedy [0.7]
    filter: Filter = field(default_factory=lambda: Filter(cap=4))
    scorer: ScorerConfig = field(default_factory=ScorerConfig)  # a learned verifier, in place of that of the filter
    restart: Literal["base", "last"] = "base"  # what an iteration trains from [base]
    accumulate: bool = False  # train on the samples of all iterations so far [each iteration's own]
    sft: SftConfig = field(default_factory=lambda: SftConfig(steps=100, batch_size=32, learning_rate=3e-4))
    validate_every: int = 25  # steps between two looks at the validation problems
    validation_problems: int = 100  # problems by which the best step is chosen; 0: the last step
    test_per_difficulty: int = 50  # test problems of each difficulty
    extrapolate: bool = False  # measure harder problems, and the format with a hint, which training does not touch
    measure_train: bool = False  # measure (up to 250 of) the training problems too
    test_samples: int = 0  # samples of each test problem, for pass@k, maj@k, distinct paths and entropy

    def __post_init__(self) -> None:
        check_sft(self.sft)
        at_least(self, 1, "problems", "k", "validate_every", "test_per_difficulty")
        at_least(self, 0, "iterations", "temperature", "validation_problems", "test_samples")
        one_of_its_choices(self)


def rest_em(base: Policy, task: Task, config: RestEmConfig, run: Run | None = None) -> Iterator[dict[str, Any]]:
    """Yield one record per iteration, iteration 0 being the base.

    A run with a folder continues where its records end.
    """
    run = run or Run()
    base, policy = run.begin("rest_em", task, base, config)
    batch, validation = (
        problems(task, config.seed, 0, config.problems),
        validation_set(task, config.validation_problems),
    )
    run.spend(compute_tokens=0)
    yield from run.replay(config, lambda: run.record(0, base, **_look(base, task, config, run, 0)))
    scorer = last_scorer(base, config.scorer, run)

    for t in run.iterations(config):
        # 1 propose: the same problems every time.  2 solve: k samples of each from the last policy
        samples = draw_samples(
            policy, task, batch, config.k, config.temperature, generator(config.seed, t, "grow"), run
        )
        run.spend(compute_tokens=tokens_drawn(policy, samples))
        # 3 verify: by the exact check of the filter, or by a learned one
        draw = generator(config.seed, t, "scorer")
        scorer, accepted, report = judge(scorer, base, task, samples, config.k, config.scorer, draw, run)
        kept = keep(samples, config.k, config.filter, generator(config.seed, t, "keep"), accepted)
        run.store(t, [sample.pair for sample in kept])
        # 4 learn: from the base, up to the step where validation is best
        pairs = [pair for i in range(1 if config.accumulate else t, t + 1) for pair in run.stored(i)]
        start, draw = base if config.restart == "base" else policy, generator(config.seed, t, "improve")
        policy, learned = fine_tune_to_best(
            start, task, pairs, config.sft, draw, run, config.validate_every, validation
        )
        run.spend(compute_tokens=3 * learned.get("tokens_read", 0))
        # 5 measure
        numbers = {**kept_counts(samples, kept), **report, **learned, **_look(policy, task, config, run, t)}
        yield run.record(t, policy, state=scorer and scorer.state(), **numbers)


def _look(policy: Policy, task: Task, config: RestEmConfig, run: Run, t: int) -> dict[str, Any]:
    train = problems(task, config.seed, 0, min(250, config.problems)) if config.measure_train else []
    result = measure(policy, task, config.test_per_difficulty, run, train=train, extrapolate=config.extrapolate)
    tests = test_set(task, config.test_per_difficulty)
    with run.stage("measure"):
        if config.extrapolate:
            hints = [task.hint(problem) for problem in tests]
            result["hinted_accuracy"] = accuracy(tests, solve(policy, task, tests, prompts=hints).verdicts)["accuracy"]
        if config.test_samples:
            draw = generator(config.seed, t, "profile")
            result |= sampled_profile(policy, task, tests, config.test_samples, draw)
    return result
