"""Absolute Zero: one model proposes problems and solves them, and no data (Zhao et al. 2025,
arXiv:2505.03335, Algorithm 1).

    propose:  problems that differ from a few shown ones; the evaluator gives their answers;
    solve:    k attempts at each; the solver is paid for right answers, the proposer for problems that are solved
              sometimes, not always;
    learn:    one policy-gradient update of the one set of weights, which plays both roles.

A problem is about a program, its input and its output: deduction asks for the output, abduction for an input,
induction for the program.

What differs from the paper, and why:
- Programs are expressions (task `expressions`), where every program runs and is safe, and what can be invalid is
  the text; or Python functions (task `python_programs`, for models that write Python), which run in a sandbox.
  `worlds` has what the two differ in.
- All k attempts are learned from, and each proposal counts k times (`proposer_weight`); the paper estimates r from 8
  attempts and learns from one more, so that the roles have equally many rows there. 48 problems an iteration (192
  proposed and 192 solved).
- A duplicate is solved and paid like any other problem, and kept once. A program whose function is held out for the
  test split is counted, and neither stored, nor solved, nor learned from.
- Learning rates of a tiny model; as many minibatches an iteration, but of fewer rows.
- What a valid proposal earns where r is 0 or 1 is a setting: the paper says 0, its code -0.5 (`extremes`).
- The attempts are sampled at temperature 1, and that is no setting: greedily all k are the same, r is 0 or 1,
  and the proposer is paid nothing for anything. (The main branch of the published code has this fault; its
  `paper` branch has not.)

Controls: `proposer="frozen"` proposes with the base, `"uniform"` with random programs, `"static"` with a fixed set the
base made at the start; `pay="constant"` pays any valid problem alike; `reward="random"` deals a problem's rewards out
anew among its own attempts. All have as many solved problems, attempts and optimizer steps.

Breakages: the gate `off`, or with a `leak`, lets invalid text through to the solver (Survive or Collapse,
arXiv:2605.22217); `vote_share` pays agreement in place of right answers; with a `flip_rate` the verifier errs, and the
check `lenient` can be talked round; `hardness` pays for unsolvable problems.

One digit in ten is right by luck, and a lucky answer is paid for with all the wrong steps before it, which are then
learned. The check `steps` pays for an answer only if every step is right: a stronger evaluator than the paper's.

Run it: spkit run absolute-zero --iterations 60 --seed 0
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from ..maths.advantages import group_advantages, rae, reinforce_pp, trr_pp
from ..maths.policy_gradient import PgLoss
from ..policy import Example, Policy
from ..run.errors import SpkitError
from ..run.folder import Run
from ..run.streams import generator
from ..stages.attempts import Attempts, attempt, rewards_of, scores_of
from ..stages.buffers import Buffers
from ..stages.learn_pg import PgUpdate, Rollout, learn, minibatches, new_optimizer, optimizer_state, resumed
from ..stages.learn_sft import at_least, one_of
from ..stages.propose import PAYS, Pay, Proposed, duplicate_shares, pay, propose, uniform_proposals
from ..stages.self_play_records import measured, proposed, samples_of, solved
from ..stages.worlds import ExpressionWorld, World, world_of
from ..tasks import Task
from ..tasks.expressions import KINDS, Kind
from .rlvr import dealt_anew

PROPOSERS = ("learned", "frozen", "uniform", "static")
REWARDS = ("grounded", "vote_share", "random")
ADVANTAGES = ("trr_pp", "global", "grpo", "rloo", "rae")


@dataclass(frozen=True)
class AbsoluteZeroConfig:
    """Settings of a run; the paper's value in brackets where there is one."""

    iterations: int = 60  # [500]
    seed: int = 0
    kinds: tuple[Kind, ...] = ("deduction",)  # [all three]
    tasks: int = 48  # of each kind an iteration: proposed, and solved [64]
    k: int = 8  # attempts at each [8, and one more to learn from]
    references: int = 3  # shown to the proposer of deduction and abduction [6]
    seed_rounds: int = 4  # rounds of proposals by the base that fill the buffers at the start [4]
    proposer: Literal["learned", "frozen", "uniform", "static"] = "learned"
    pay: Pay = "1-r"
    extremes: Literal["paper", "code"] = "paper"
    gate: Literal["strict", "off"] = "strict"
    leak: float = 0.0  # chance that the strict gate lets an invalid proposal through
    reward: Literal["grounded", "vote_share", "random"] = "grounded"
    flip_rate: float = 0.0  # of the evaluator's word
    check: Literal["answer", "steps", "lenient"] = (
        "steps"  # what grounded and random look at; lenient: any answer among several [answer]
    )
    wrong: float = -0.5  # reward of a readable answer that is wrong [-0.5]
    unreadable: float = -1.0  # [-1]
    invalid: float = (
        -0.3
    )  # reward of a proposal that is no problem; at -1 the proposer mostly learns to be safe, and stays shallow [-1]
    advantage: Literal["trr_pp", "global", "grpo", "rloo", "rae"] = "rloo"  # [trr_pp]
    proposer_weight: float = 8.0  # attempts that a proposal weighs as much as: k gives the roles equal weight [1 of 1]
    whiten: Literal["tokens", "rows"] = "tokens"  # what trr_pp and global count [its code: tokens; its equation: rows]
    aggregation: Literal["sequence", "token", "constant"] = "token"
    clip_low: float = 0.2
    clip_high: float = 0.28  # [0.28]
    kl_coef: float = 0.0  # to the base [0]
    entropy_coef: float = 0.0  # [0.001]
    epochs: int = 1  # passes over the rollouts [1]
    minibatches: int = 2  # optimizer steps a pass [3]
    learning_rate: float = 2e-4  # [1e-6]
    rows_at_once: int = 32  # rollouts of one forward and backward pass: memory, and nothing else
    measure_every: int = (
        10  # iterations between two looks at the test set; the base and the last iteration are always looked at
    )
    test_per_difficulty: int = 20
    test_samples: int = 8  # of each test problem, at temperature 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "kinds", tuple(self.kinds))
        at_least(
            self,
            1,
            "tasks",
            "epochs",
            "minibatches",
            "rows_at_once",
            "measure_every",
            "test_per_difficulty",
            "test_samples",
        )
        at_least(self, 2, "k")
        at_least(self, 0, "iterations", "references", "seed_rounds", "learning_rate", "proposer_weight")
        one_of(self, proposer=PROPOSERS, pay=tuple(PAYS), extremes=("paper", "code"), gate=("strict", "off"))
        one_of(
            self, reward=REWARDS, advantage=ADVANTAGES, whiten=("tokens", "rows"), check=("answer", "steps", "lenient")
        )
        if not self.kinds or len(set(self.kinds)) < len(self.kinds) or set(self.kinds) - set(KINDS):
            raise SpkitError(
                f"kinds must be some of {', '.join(KINDS)}, each once, not {', '.join(map(str, self.kinds)) or 'none'}"
            )
        if self.kinds == ("induction",):
            raise SpkitError(
                "induction takes its programs from the buffers of deduction and abduction: add one of the two to kinds"
            )
        for name in ("flip_rate", "leak"):
            if not 0 <= getattr(self, name) <= 1:
                raise SpkitError(f"{name} must be between 0 and 1, not {getattr(self, name)}")
        self.update(1)

    @property
    def asks(self) -> str:
        """The check that scores attempts."""
        return "vote_share" if self.reward == "vote_share" else self.check

    def update(self, rows: int, world: World = ExpressionWorld()) -> PgUpdate:
        """How `rows` rollouts are learned from, in `minibatches` parts."""
        longest = 1 + max(world.tasks[kind].max_completion_chars(world.hardest) for kind in self.kinds)
        loss = PgLoss(self.clip_low, self.clip_high, self.aggregation, longest, "k3", self.kl_coef, self.entropy_coef)
        return PgUpdate(
            loss, self.epochs, -(-rows // self.minibatches), self.learning_rate, rows_at_once=self.rows_at_once
        )


def absolute_zero(
    base: Policy, task: Task, config: AbsoluteZeroConfig, run: Run | None = None
) -> Iterator[dict[str, Any]]:
    """Yield one record per iteration, iteration 0 being the base.

    A run with a folder continues where its records end.
    """
    world, run = world_of(task), run or Run()
    base = run.pinned(base)
    last = run.start(
        {"method": "absolute_zero", "task": task.name, "base": base.fingerprint(), "config": asdict(config)}, base
    )
    yield from run.records[: config.iterations + 1]
    if not run.records:
        yield run.record(0, base, **measured(base, task, world, config, run, 0))
    policy, optimizer, buffers = _as_it_stood(base, last, world, config, run)

    for t in range(len(run.records), config.iterations + 1):
        run.progress.iteration(t - 1, config.iterations)
        # 1 propose, 2 validate: every valid problem is stored, whatever it will be paid
        with run.stage("propose"):
            proposals = proposals_of(policy, base, buffers, task, config, generator(config.seed, t, "propose"))
            store(buffers, proposals)
        # 3 solve: k attempts at each new problem, and at old ones where a kind is short of new ones
        problems, origins = to_solve(proposals, buffers, config, generator(config.seed, t, "fill"))
        with run.stage("solve", len(problems) * config.k, "attempts") as tick:
            attempts = attempt(policy, problems, config.k, generator(config.seed, t, "solve"), tick, world)
        # 4 verify
        scores = scores_of(attempts, config.asks, config.flip_rate, generator(config.seed, t, "verify"))
        solver_rewards = rewards_of(attempts, scores, config.wrong, config.unreadable)
        if config.reward == "random":
            solver_rewards = dealt_anew(solver_rewards, generator(config.seed, t, "deal"))
        # 5 pay the proposer, by how often its problem was solved
        proposer_rewards = paid(proposals, origins, scores.mean(1), config)
        # 6 learn: both roles in one update
        rows, baselines = rollouts(
            policy, attempts, solver_rewards, proposals, proposer_rewards, config, run.records[-1].get("baselines")
        )
        update = config.update(len(rows), world)
        with run.stage("learn", config.epochs * config.minibatches, "steps") as tick:
            scored = minibatches(
                policy, rows, update, generator(config.seed, t, "batches"), base if config.kl_coef else None
            )
            learned = learn(policy, optimizer, scored, update, generator(config.seed, t, "learn"), tick)
        # 7 measure and record
        numbers = {
            **proposed(proposals, proposer_rewards),
            **solved(attempts, scores, solver_rewards, origins),
            "learned": learned,
            "buffers": buffers.sizes(),
            "baselines": baselines,
        }
        due = t % config.measure_every == 0 or t == config.iterations
        seen = measured(policy, task, world, config, run, t) if due else {"samples": []}
        seen["samples"] += samples_of(t, attempts, solver_rewards, proposals, proposer_rewards)
        state = {**optimizer_state(optimizer), "buffers": buffers.dump()}
        yield run.record(t, policy, state=state, **numbers, **seen)


def _as_it_stood(
    base: Policy, last: Policy, world: World, config: AbsoluteZeroConfig, run: Run
) -> tuple[Policy, torch.optim.Optimizer, Buffers]:
    """Policy, optimizer and buffers after the last record."""
    policy = base.clone() if last is base else last
    optimizer = new_optimizer(policy, config.update(1, world))
    if len(run.records) < 2:
        with run.stage("seed"):
            return policy, optimizer, seeded(base, config, world)
    state = run.state_of(len(run.records) - 1)
    buffers = Buffers.load(state.pop("buffers"), world)
    return policy, resumed(optimizer, state), buffers


def seeded(base: Policy, config: AbsoluteZeroConfig, world: World = ExpressionWorld()) -> Buffers:
    """The buffers at the start: the identity, and what the base proposes in a few rounds from there.

    Nothing is learned.
    """
    buffers = Buffers(config.kinds, world)
    for number in range(config.seed_rounds):
        draw = generator(config.seed, 0, f"seed {number}")
        store(buffers, propose(base, buffers, config.kinds, config.tasks, config.references, draw))
    return buffers


def proposals_of(
    policy: Policy, base: Policy, buffers: Buffers, task: Task, config: AbsoluteZeroConfig, draw: torch.Generator
) -> list[Proposed]:
    """The proposals of an iteration, `tasks` of each kind; none if the problems are static."""
    if config.proposer == "static":
        return []
    if config.proposer == "uniform":
        return uniform_proposals(config.kinds, task.difficulties, config.tasks, draw, buffers.world)
    return propose(
        base if config.proposer == "frozen" else policy, buffers, config.kinds, config.tasks, config.references, draw
    )


def store(buffers: Buffers, proposals: Sequence[Proposed]) -> None:
    """Keep every valid problem that is not held out."""
    for made in proposals:
        if made.valid and made.fault != "held out":
            buffers.add(made.problem)


def to_solve(
    proposals: Sequence[Proposed], buffers: Buffers, config: AbsoluteZeroConfig, draw: torch.Generator
) -> tuple[list[Any], list[int | None]]:
    """The problems to solve, `tasks` of each kind, and which proposal each comes from (None: from a buffer).

    What passes the gate comes first: valid problems, and invalid text if the gate is off or leaks.
    Held-out functions never do.
    """
    leak = 1.0 if config.gate == "off" else config.leak
    leaked = (torch.rand(len(proposals), generator=draw) < leak).tolist()
    passed = [made.fault != "held out" and (made.valid or through) for made, through in zip(proposals, leaked)]
    problems: list[Any] = []
    origins: list[int | None] = []
    for kind in config.kinds:
        own = [index for index, made in enumerate(proposals) if made.kind == kind and passed[index]]
        short = config.tasks - len(own)
        problems += [proposals[index].problem or buffers.world.unsound(kind, proposals[index].text) for index in own]
        problems += buffers.problems(kind, short, draw)
        origins += [*own, *[None] * short]
    return problems, origins


def paid(
    proposals: Sequence[Proposed], origins: Sequence[int | None], rates: Tensor, config: AbsoluteZeroConfig
) -> list[float | None]:
    """What each proposal earns: by the mean score of its attempts if it was solved, `invalid` if it is none.

    None if it is held out.
    """
    rate = {index: value for index, value in zip(origins, rates.tolist()) if index is not None}
    shares = duplicate_shares(proposals)
    return [
        pay(config.pay, rate[index], shares[index], config.extremes)
        if index in rate
        else None
        if made.valid
        else config.invalid
        for index, made in enumerate(proposals)
    ]


def rollouts(
    policy: Policy,
    attempts: Attempts,
    solver_rewards: Tensor,
    proposals: Sequence[Proposed],
    proposer_rewards: Sequence[float | None],
    config: AbsoluteZeroConfig,
    baselines: dict[str, float] | None,
) -> tuple[list[Rollout], dict[str, float]]:
    """What is learned from, the solver's rows first, with advantages; and the running means to go on with (`rae`).

    The proposer has rows if it is learned, one for each proposal that was paid, and their advantages are
    times `proposer_weight`.
    """
    prompts = {problem.prompt: policy.prompt_ids(problem.prompt) for problem in attempts.problems}
    examples = [
        Example(prompts[prompt], ids) for prompt, ids in zip(attempts.rollouts.prompts, attempts.rollouts.token_ids)
    ]
    logprobs = list(attempts.rollouts.token_logprobs)
    cells = [(problem.kind, "solver") for problem in attempts.problems for _ in range(attempts.k)]
    rewards = solver_rewards.flatten().tolist()
    for made, earned in zip(proposals, proposer_rewards):
        if config.proposer == "learned" and earned is not None:
            examples.append(Example(policy.prompt_ids(made.prompt), made.token_ids))
            logprobs.append(made.logprobs)
            cells.append((made.kind, "proposer"))
            rewards.append(earned)
    lengths = torch.tensor([len(example.completion) for example in examples])
    advantages, baselines = advantages_of(
        config, torch.tensor(rewards), cells, lengths, attempts.k, solver_rewards.numel(), baselines
    )
    advantages[solver_rewards.numel() :] *= config.proposer_weight
    return [Rollout(*row) for row in zip(examples, advantages.tolist(), logprobs, strict=True)], baselines


def advantages_of(
    config: AbsoluteZeroConfig,
    rewards: Tensor,
    cells: Sequence[tuple[str, str]],
    lengths: Tensor,
    k: int,
    attempts: int,
    baselines: dict[str, float] | None,
) -> tuple[Tensor, dict[str, float]]:
    """Advantages (rows,) of rewards (rows,), of which the first `attempts` are the solver's, k of each
    problem; and the means of `rae`.

    `grpo` and `rloo` compare the solver's attempts at one problem; a proposal has no group, and is compared within
    its cell as in `trr_pp`.
    """
    weights = lengths if config.whiten == "tokens" else None
    if config.advantage == "global":
        return reinforce_pp(rewards, weights), {}
    if config.advantage == "rae":
        return rae(rewards, [f"{kind} {role}" for kind, role in cells], baselines)
    if config.advantage == "trr_pp":
        return trr_pp(rewards, cells, weights), {}
    grouped = group_advantages(
        config.advantage, rewards[:attempts].view(-1, k), lengths[:attempts].view(-1, k)
    ).flatten()
    if attempts == len(rewards):
        return grouped, {}
    rest = trr_pp(rewards[attempts:], cells[attempts:], None if weights is None else weights[attempts:])
    return torch.cat([grouped, rest]), {}
