"""Model collapse: each model is trained on what the one before it wrote (Shumailov et al. 2024, Nature 631:755).

Generation g learns from text of generation g - 1, under one of three regimes:

    replace     that text alone
    accumulate  that text, the text of all generations before it, and the real text (Gerstgrasser et al. 2024,
                arXiv:2404.01413)
    mix         that text, and a share of real text (10 %, as in Shumailov et al.)

The real text is the everyday writers', from which the base was pretrained and whose distribution is known exactly
(`spkit.tasks.sums`). So the distance to it is known exactly: perplexity is compared with its exact floor, and the mass
of the tail, the writers' rare orders, with its exact value.

What differs from the papers, and why: generations go on from the last model (`restart="last"`), where Shumailov et al.
fine-tune the same pretrained model every time; our base has been trained on real text for longer than a generation
lasts, and starting from it every time would hide most of the effect (`restart="base"` shows that). There is no filter
unless one is set.

Run it: spkit run collapse --regime replace --seed 0
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ..measures.tokens import mean_over_tokens, perplexity, token_entropy
from ..policy import Policy, SftConfig
from ..policy.rollouts import Pair
from ..run.errors import SpkitError
from ..run.folder import Run
from ..run.settings import at_least, one_of_its_choices
from ..run.streams import generator
from ..stages.learn_sft import check_sft, fine_tune
from ..stages.measure import kept_counts, measure
from ..stages.solve import draw_samples, solve
from ..stages.verify import Filter, keep
from ..tasks import Problem, Sums, Task, problems, test_set
from ..tasks.sums import everyday_entropy, order_of, rare_orders, terms


@dataclass(frozen=True)
class CollapseConfig:
    """Settings of a run; an iteration is a generation. The value of Shumailov et al. in brackets where there is one."""

    iterations: int = 8  # generations after the base; a larger number extends a run
    seed: int = 0  # decides the problems and every random draw
    regime: Literal["replace", "accumulate", "mix"] = "replace"  # what own text does to real text [replace; mix]
    real_share: float = 0.1  # share of real text, for `mix` [0.1]
    problems: int = 300  # training problems a generation
    temperature: float = 1.0  # of the text; 0 is greedy
    filter: Filter = field(default_factory=lambda: Filter(verifier="none", unique=False))
    restart: Literal["base", "last"] = "last"  # what a generation trains from [base]
    sft: SftConfig = field(default_factory=lambda: SftConfig(steps=60, batch_size=32, learning_rate=3e-4))
    test_per_difficulty: int = 50  # test problems of each difficulty

    def __post_init__(self) -> None:
        check_sft(self.sft)
        at_least(self, 1, "problems", "test_per_difficulty")
        at_least(self, 0, "iterations", "temperature")
        one_of_its_choices(self)
        if not 0 <= self.real_share < 1:
            raise SpkitError(f"real_share must be in [0, 1), not {self.real_share}")


def collapse(base: Policy, task: Task, config: CollapseConfig, run: Run | None = None) -> Iterator[dict[str, Any]]:
    """Yield one record per generation, iteration 0 being the base, with `perplexity`, `entropy` and
    `tail_mass` beside the usual.

    Raises SpkitError for a task whose real text has no known distribution.
    """
    if not isinstance(task, Sums):
        raise SpkitError(
            f"the real text of {task.name!r} has no known distribution: collapse is measured on the task sums"
        )
    run = run or Run()
    base, policy = run.begin("collapse", task, base, config)
    yield from run.replay(config, lambda: _first(base, task, config, run))

    for t in run.iterations(config):
        # 1 propose: fresh problems.  2 solve: the last generation writes
        batch = problems(task, config.seed, t * config.problems, config.problems)
        draw = generator(config.seed, t, "grow")
        samples = draw_samples(policy, task, batch, 1, config.temperature, draw, run)
        # 3 verify: everything is accepted, unless a filter is asked for
        kept = keep(samples, 1, config.filter, generator(config.seed, t, "keep"))
        run.store(t, [sample.pair for sample in kept])
        # 4 learn
        start, draw = base if config.restart == "base" else policy, generator(config.seed, t, "improve")
        policy, learned = fine_tune(start, training_text(run, t, config), config.sft, draw, run)
        # 5 measure
        yield run.record(t, policy, **kept_counts(samples, kept), **learned, **_look(policy, task, config, run, t))


def _first(base: Policy, task: Sums, config: CollapseConfig, run: Run) -> dict[str, Any]:
    run.store(0, real_text(base, task, problems(task, config.seed, 0, config.problems)))
    return run.record(0, base, **_look(base, task, config, run, 0))


def _look(policy: Policy, task: Sums, config: CollapseConfig, run: Run, t: int) -> dict[str, Any]:
    return measure(policy, task, config.test_per_difficulty, run) | distance(policy, task, config, run, t)


def training_text(run: Run, t: int, config: CollapseConfig) -> list[Pair]:
    """What generation t reads under the regime: generation 0 of the store is the real text."""
    if config.regime == "accumulate":
        return [pair for generation in range(t + 1) for pair in run.stored(generation)]
    written = run.stored(t)
    if config.regime == "replace":
        return written
    real = round(len(written) * config.real_share)
    return run.stored(0)[:real] + written[real:]


def real_text(policy: Policy, task: Sums, asked: Sequence[Problem], variants: int = 1) -> list[Pair]:
    """(prompt, completion ids) of everyday writers, `variants` of each problem."""
    return [
        (problem.prompt, policy.completion_ids(task.everyday(problem, variant)))
        for problem in asked
        for variant in range(variants)
    ]


def distance(policy: Policy, task: Sums, config: CollapseConfig, run: Run, t: int, n: int = 8) -> dict[str, Any]:
    """How far the policy is from the real text of the test problems.

    `perplexity` on it, a token, and `perplexity_floor`, that of the writers themselves; `entropy` (nats a
    token) of the policy on its own text; `readable`, the share of that text that a writer, careful or careless,
    could have put; `tail_mass`, the share of the readable text in a rare order, and `tail_mass_real`, the
    writers' own on the same problems.
    """
    tests = test_set(task, config.test_per_difficulty)
    with run.stage("measure", len(tests) * n, "samples") as tick:
        draw = generator(config.seed, t, "distance")
        rollouts = solve(policy, task, tests, n, temperature=1.0, generator=draw, on_rows=tick).rollouts
        entropies = token_entropy(policy, rollouts.prompts, rollouts.token_ids)
        real = real_text(policy, task, tests, variants=n)
    asked = [problem for problem in tests for _ in range(n)]
    orders = [(problem, order_of(problem, text)) for problem, text in zip(asked, rollouts.texts)]
    rare = [order in rare_orders(tuple(terms(problem.prompt))) for problem, order in orders if order is not None]
    tails = [sum(rare_orders(tuple(terms(problem.prompt))).values()) for problem, order in orders if order is not None]
    tokens = sum(len(ids) for _, ids in real)
    return {
        "perplexity": perplexity(policy, real),
        "perplexity_floor": math.exp(n * sum(everyday_entropy(problem) for problem in tests) / tokens),
        "entropy": mean_over_tokens(entropies),
        "readable": len(rare) / len(orders),
        "tail_mass": sum(rare) / max(1, len(rare)),
        "tail_mass_real": sum(tails) / max(1, len(tails)),
    }
