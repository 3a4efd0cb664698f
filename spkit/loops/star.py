"""STaR: Self-Taught Reasoner (Zelikman, Wu, Mu and Goodman 2022, arXiv:2203.14465, Algorithm 1).

    for n = 1..N:  sample rationales greedily; keep those whose final answer is right; for the failures alone, show the
                   answer as a hint, sample again, keep what is right and remove the hint; fine-tune the ORIGINAL model
                   on everything kept.

What differs from the paper, and why:
- The base is a tiny model that was pretrained on the scratchpad format, hints included, because a model trained from
  scratch has no few-shot ability; GPT-J was shown about ten hand-written rationales instead (section 3.1).
- Hints are read by the base (`rationalizer="base"`), where Algorithm 1 has the last policy read them. GPT-J kept hinted
  examples in its prompt; here the skill sits in the weights, and one round of training on prompts without hints erases
  it: with `rationalizer="last"` the first iteration keeps hundreds of hinted rationales and the second next to none.
  Every iteration restarts from the base anyway.
- Steps: the paper's two schedules keep their shape (x1.2 an iteration in section 4.1, +20 an iteration for arithmetic
  in section 4.3) with other starting values, and the learning rate is larger and decays to 0 within an iteration; the
  paper holds 1e-6 constant.
- Training problems are new in each iteration, drawn from an endless stream (the paper draws 10,000 from a pool of
  50,000).

Run it: spkit run star --task addition --iterations 8 --seed 0 --out runs/star
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from ..policy import Policy, SftConfig
from ..policy.rollouts import Pair
from ..run.errors import SpkitError
from ..run.folder import Run
from ..run.settings import at_least, one_of_its_choices
from ..run.streams import generator
from ..stages.learn_sft import fine_tune
from ..stages.measure import measure, rationale_counts
from ..stages.solve import Sample, solve
from ..stages.verify import matched_at_random
from ..tasks import Problem, Task, problems


@dataclass(frozen=True)
class StarConfig:
    """Settings of a run; the paper's value in brackets where there is one.

    `select="random"` is the control of equal size: as many rationales as the answer check would keep, drawn
    without looking. `all_steps` is not the paper's: a hinted rationale may copy the answer to the end of wrong steps;
    `random_all_steps` is its control.
    `direct` is the baseline without rationales: gold answers alone, for every problem seen so far, with every step used
    so far.
    """

    iterations: int = 8  # rounds after the base; a larger number extends a run [16 to a plateau]
    seed: int = 0  # decides the problems and every random draw
    problems_per_iteration: int = 600  # training problems an iteration [10,000]
    rationalize: bool = True  # try failed problems again with the answer as a hint [yes]
    rationalizer: Literal["base", "last"] = "base"  # who reads the hints: the base, or the last policy [last]
    restart: Literal["base", "last"] = "base"  # what an iteration trains from [base: "to avoid overfitting"]
    # keep right answers, or those with every step right, or as many as either keeps at random (the controls)
    select: Literal["correct", "all_steps", "random", "random_all_steps"] = "correct"
    direct: bool = False  # baseline: train on gold answers without a rationale
    temperature: float = 0.0  # of the rationales; 0 is greedy [greedy]
    # how steps grow: exponential (steps x growth) or linear (steps + increment) [by default x1.2; arithmetic +20]
    schedule: Literal["exponential", "linear"] = "exponential"
    steps: int = 80  # optimizer steps of the first iteration [40; arithmetic 300]
    growth: float = 1.2  # factor an iteration of the exponential schedule [1.2]
    increment: int = 20  # steps added an iteration by the linear schedule [20]
    batch_size: int = 32  # rows of an optimizer step [8 packed rows of 1,024 tokens]
    learning_rate: float = 5e-4  # peak [1e-6 for a model of 6 B parameters]
    test_per_difficulty: int = 100  # test problems of each difficulty
    extrapolate: bool = False  # measure lengths beyond the training range too

    def __post_init__(self) -> None:
        at_least(self, 0, "iterations", "temperature")
        at_least(self, 1, "problems_per_iteration", "steps", "batch_size", "test_per_difficulty")
        one_of_its_choices(self)
        if not self.learning_rate > 0 or not self.growth > 0:
            raise SpkitError("learning_rate and growth must be above 0")

    @property
    def rationalizes(self) -> bool:
        """Whether failures are tried again with the answer shown."""
        return self.rationalize and not self.direct

    def sft(self, t: int) -> SftConfig:
        """The update of iteration t, from 1; `direct` gets the steps of all iterations so far."""
        exponential = self.schedule == "exponential"
        steps = [int(self.steps * self.growth**i) if exponential else self.steps + self.increment * i for i in range(t)]
        return SftConfig(sum(steps) if self.direct else steps[-1], self.batch_size, self.learning_rate)


def star(base: Policy, task: Task, config: StarConfig, run: Run | None = None) -> Iterator[dict[str, Any]]:
    """Yield one record per iteration, iteration 0 being the base; a run with a folder continues where its records end.

    A record holds `accuracy`, `accuracy_by_difficulty`, `wrong_steps_rate`, `finished` (test set, greedy), `problems`,
    `kept`, `rationalized`, `used` (share of the training problems), `kept_wrong_steps_rate`, `loss_first`, `loss_last`,
    `steps`, `sampled_tokens` and `optimizer_steps` so far, and `seconds` per stage.
    """
    run = run or Run()
    base, policy = run.begin("star", task, base, config)
    look = lambda one: measure(one, task, config.test_per_difficulty, run, extrapolate=config.extrapolate)
    yield from run.replay(config, lambda: run.record(0, base, **look(base)))

    for t in run.iterations(config):
        # 1 propose: fresh problems
        batch = problems(task, config.seed, (t - 1) * config.problems_per_iteration, config.problems_per_iteration)
        # 2 solve, 3 verify: a rationale with a right final answer is kept
        kept, failed = ([], []) if config.direct else attempt(policy, task, batch, config, run, t)
        # 3b rationalize: failures alone are tried again with the answer shown; the hint is not in what is trained on
        reader = base if config.rationalizer == "base" else policy
        hinted = attempt(reader, task, failed, config, run, t, hinted=True)[0] if config.rationalizes else []
        # 4 learn: from the base every time, as in Algorithm 1
        pairs = direct_answers(base, task, config, t) if config.direct else [one.pair for one in kept + hinted]
        start = base if config.restart == "base" else policy
        policy, learned = fine_tune(start, pairs, config.sft(t), generator(config.seed, t, "learn"), run)
        # 5 measure
        yield run.record(t, policy, **rationale_counts(len(batch), kept, hinted), **learned, **look(policy))


def attempt(
    policy: Policy, task: Task, batch: list[Problem], config: StarConfig, run: Run, t: int, hinted: bool = False
) -> tuple[list[Sample], list[Problem]]:
    """Try each problem once, with or without the hint.

    Return the rationales to train on and the problems that failed.
    """
    draw = generator(config.seed, t, "rationalize" if hinted else "solve")
    prompts = [task.hint(problem) for problem in batch] if hinted else None
    with run.stage("solve", len(batch), "problems") as tick:
        attempts = solve(
            policy, task, batch, prompts=prompts, temperature=config.temperature, generator=draw, on_rows=tick
        )
    run.spend(sampled_tokens=attempts.rollouts.tokens)
    samples = attempts.samples(task)
    every_step = config.select.endswith("all_steps")
    passes = [one.verdict.reward == 1 if every_step else one.verdict.correct for one in samples]
    right = [sample for sample, passed in zip(samples, passes) if passed]
    chosen = matched_at_random(samples, len(right), draw) if config.select.startswith("random") else right
    return chosen, [sample.problem for sample, passed in zip(samples, passes) if not passed]


def direct_answers(policy: Policy, task: Task, config: StarConfig, t: int) -> list[Pair]:
    """Prompt and bare gold answer of every problem of iterations 1 to t."""
    seen = problems(task, config.seed, 0, t * config.problems_per_iteration)
    return [(problem.prompt, policy.completion_ids(task.direct(problem))) for problem in seen]
