"""Absolute Zero: one model proposes problems and solves them, without data (arXiv:2505.03335, Algorithm 1).

    propose:  problems that differ from a few shown ones; the evaluator gives their answers;
    solve:    k attempts at each;
    verify:   the solver's reward is for right answers, the proposer's for problems solved sometimes, not always;
    learn:    one policy-gradient update of the one set of weights, which plays both roles.

A problem is about a program, its input and its output: deduction asks for the output, abduction for an input, induction
for the program.

What differs from the paper, and why:
- Programs are expressions (task `expressions`), where every program runs and is safe, and what can be invalid is the
  text; or Python functions (task `python_programs`, for models that write Python), which run in a sandbox.
- All k attempts are learned from, and each proposal counts k times (`proposer.weight`); the paper estimates r from 8
  attempts and learns from one more, so that the roles have equally many rows there.
- A duplicate is solved and rewarded like any other problem, and kept once. A program whose function is held out for the
  test split is counted, and neither stored, nor solved, nor learned from.
- Learning rates of a tiny model; as many minibatches an iteration, but of fewer rows.
- The attempts are always sampled at temperature 1. Greedily all k are the same, r is 0 or 1, and the proposer's reward
  is always 0. (The main branch of the published code has this fault; its `paper` branch has not.)

Controls: `proposer.kind` is `frozen` (the base proposes), `uniform` (random programs) or `static` (a fixed set of the
base's); `proposer.reward="constant"` treats every valid problem alike; `verifier.reward="random"` shuffles a problem's
rewards among its own attempts. All have as many solved problems, attempts and optimizer steps.

Breakages: the gate `off`, or with a `leak`, lets invalid text through to the solver (Survive or Collapse,
arXiv:2605.22217); `vote_share` rewards agreement in place of right answers; with a `flip_rate` the verifier errs, and
the check `lenient` can be gamed; the proposer reward `hardness` is highest for unsolvable problems.

One digit in ten is right by luck. The wrong steps before a lucky answer are then rewarded and learned. The check
`steps` accepts an answer only if every step is right: it is a stronger evaluator than the paper's.

Run it: spkit run absolute-zero --iterations 60 --seed 0
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from ..policy import Policy
from ..run.folder import Run
from ..run.settings import at_least
from ..run.streams import generator
from ..stages.buffers import Buffers
from ..stages.learn_pg import learn_from_rewards, minibatches, new_optimizer, optimizer_state, resumed
from ..stages.learn_roles import RolesConfig, longest_of_kinds, role_rollouts
from ..stages.measure_self_play import attempt_record, measure_self_play, proposal_record, samples_of
from ..stages.propose import ProposerConfig, check_kinds, proposable, proposals_by, seeded, store, to_solve
from ..stages.solve import solve
from ..stages.verify import scores_of
from ..stages.verify_roles import VerifierConfig, proposer_rewards, solver_rewards
from ..tasks import Kind, Proposable, Task


@dataclass(frozen=True)
class AbsoluteZeroConfig:
    """Settings of a run; the paper's value in brackets where there is one."""

    iterations: int = 60  # rounds of propose, solve, verify, learn; a larger number extends a run [500]
    seed: int = 0  # decides the problems and every random draw
    kinds: tuple[Kind, ...] = ("deduction",)  # kinds of problems [all three]
    tasks: int = 48  # problems of each kind an iteration: proposed, and solved [64]
    k: int = 8  # attempts at each problem [8, and one more for learning]
    proposer: ProposerConfig = field(default_factory=ProposerConfig)
    verifier: VerifierConfig = field(default_factory=VerifierConfig)
    learn: RolesConfig = field(default_factory=RolesConfig)
    measure_every: int = 10  # iterations between two measurements, beside the first and the last one
    test_per_difficulty: int = 20  # test problems of each depth
    test_samples: int = 8  # samples of each test problem, at temperature 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "kinds", tuple(self.kinds))
        at_least(self, 1, "tasks", "measure_every", "test_per_difficulty", "test_samples")
        at_least(self, 2, "k")
        at_least(self, 0, "iterations")
        check_kinds(self.kinds)


def absolute_zero(
    base: Policy, task: Task, config: AbsoluteZeroConfig, run: Run | None = None
) -> Iterator[dict[str, Any]]:
    """Yield one record per iteration, iteration 0 being the base; a run with a folder continues where its records end.

    Raises SpkitError for a task whose problems cannot be proposed, or not of these kinds.
    """
    task, run, settings = proposable(task, config.kinds), run or Run(), config.learn
    base, last = run.begin("absolute_zero", task, base, config)
    policy = last.clone()
    yield from run.replay(config, lambda: run.record(0, base, **measure_self_play(base, task, config, run, 0)))
    longest = longest_of_kinds(base, task, config.kinds)
    optimizer = new_optimizer(policy, settings.update(1, longest))
    optimizer, buffers = restore(optimizer, base, task, config, run)

    for t in run.iterations(config):
        draws = lambda purpose: generator(config.seed, t, purpose)
        # 1 propose: every valid problem is stored, whatever its reward will be
        with run.stage("propose"):
            proposals = proposals_by(
                config.proposer, policy, base, buffers, config.kinds, config.tasks, draws("propose")
            )
            store(buffers, proposals)
            problems, origins = to_solve(
                proposals, buffers, config.kinds, config.tasks, config.verifier.passes, draws("fill")
            )
        # 2 solve: k attempts at each new problem, and at old ones where a kind is short of new ones
        with run.stage("solve", len(problems) * config.k, "attempts") as tick:
            attempts = solve(policy, task, problems, config.k, temperature=1.0, generator=draws("solve"), on_rows=tick)
        # 3 verify: the solver's reward is by its answers, the proposer's by how often its problem was solved
        with run.stage("verify"):
            scores = scores_of(attempts, task, config.verifier.rule, config.verifier.flip_rate, draws("verify"))
            solving = solver_rewards(attempts, scores, config.verifier, draws("deal"))
            proposing = proposer_rewards(proposals, origins, scores.mean(1), config.proposer)
        # 4 learn: both roles in one update
        with run.stage("learn", settings.epochs * settings.minibatches, "steps") as tick:
            own = proposals if config.proposer.kind == "learned" else []
            before = run.records[-1].get("baselines")
            rows, baselines = role_rollouts(
                policy, attempts, solving, own, proposing, settings, config.proposer.weight, before
            )
            update, reference = settings.update(len(rows), longest), base if settings.kl_coef else None
            scored = minibatches(policy, rows, update, draws("batches"), reference)
            learned = learn_from_rewards(policy, optimizer, scored, update, draws("learn"), tick)
        # 5 measure
        proposed = sum(len(made.token_ids) for made in proposals)
        run.spend(sampled_tokens=attempts.rollouts.tokens + proposed, optimizer_steps=learned["steps"])
        numbers = proposal_record(proposals, proposing) | attempt_record(attempts, scores, solving, origins)
        due = t % config.measure_every == 0 or t == config.iterations
        seen = measure_self_play(policy, task, config, run, t) if due else {"samples": []}
        seen["samples"] += samples_of(t, attempts, solving, proposals, proposing)
        numbers |= {"learned": learned, "buffers": buffers.sizes(), "baselines": baselines, **seen}
        yield run.record(t, policy, state={**optimizer_state(optimizer), "buffers": buffers.dump()}, **numbers)


def restore(
    optimizer: torch.optim.Optimizer, base: Policy, task: Proposable, config: AbsoluteZeroConfig, run: Run
) -> tuple[torch.optim.Optimizer, Buffers]:
    """The optimizer and the buffers after the last record; those of the start are what the base proposes."""
    if len(run.records) < 2:
        with run.stage("propose"):
            buffers, tokens = seeded(base, task, config.kinds, config.tasks, config.proposer, config.seed)
        run.spend(sampled_tokens=tokens)
        return optimizer, buffers
    state = run.state_of(len(run.records) - 1)
    buffers = Buffers.load(state.pop("buffers"), task)
    return resumed(optimizer, state), buffers
