"""SPIN: self-play fine-tuning (Chen, Deng, Yuan, Ji and Gu 2024, arXiv:2401.01335, Algorithm 1), and its relatives.

    opponent:    the policy of the last iteration writes a reply y' to every reference prompt;
    main player: the new policy, trained to tell the reference replies y from y' by r = beta *
    log(policy / opponent) (eq. 4.7).

The main player is the discriminator and the opponent the generator: one model, one iteration apart. No reward model, no
preference pairs, and no verifier but the references.

What differs from the paper, and why:
- AdamW (RMSProp); learning rates of a tiny model; 1,000 references (50,000).
- Replies are drawn at temperature 1 from the prompts they are scored under, up to the longest reference; what
  is cut off gets no end token. The official repository draws under one template and scores under another, and
  ends every cut-off reply.
- Where the task knows p_data exactly (`replies`), KL(p_data || policy) is computed and not guessed.

Controls: `kind="sft"` has the same references and steps and no opponent; `kind="dpo"` has preference pairs alone;
`real="self"` lets the opponent play both sides; `temperature=0` draws greedy replies; `cut=0.5` cuts them to half their
length (`cut_ends` adds an end token there); `preference=0.1` mixes preference pairs in.

Run it: spkit run spin --kind logistic --seed 0
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from ..maths.preference import KINDS
from ..measures.accuracy import solve
from ..measures.imitation import discriminator_auc, distance_to_references, sample_statistics
from ..policy import Policy, SftConfig
from ..run.errors import SpkitError
from ..run.folder import Run
from ..run.streams import generator
from ..stages.learn_preference import Contrast, Update, batches, learn
from ..stages.learn_sft import Pair, at_least, measure, one_of
from ..stages.references import (
    Reference,
    Referenced,
    draw_preferences,
    draw_references,
    encode,
    fingerprint,
    reference_of,
)
from ..tasks import Replies, Task, test_set

Replied = dict[str, list[Any]]  # prompts, token_ids, finished


@dataclass(frozen=True)
class SpinConfig:
    """Settings of a run; the paper's value in brackets where there is one.

    `beta` is its lambda; the last of a schedule is used on and on.
    """

    iterations: int = 3  # [4]
    seed: int = 0
    references: int = 1000  # [50,000 prompts]
    # passes of SFT on the references before the first iteration [the paper's base has had 1, on four times the data]
    sft_epochs: int = 0
    sft_learning_rate: float = 1e-3
    wrong: float = 0.0  # share of the references by careless writers (task replies)
    kind: str = "logistic"  # [logistic]
    beta: tuple[float, ...] = (1.0,)  # [0.1, 0.1, 0.1, 5.0, with a learning rate that stops it early]
    tau: float = 1.0
    learning_rate: tuple[float, ...] = (3e-4,)  # [5e-7, 5e-7, 1e-7, 1e-7]
    epochs: int = 2  # [2]
    batch_size: int = 64  # [64]
    previous: bool = True  # train on the last iteration's replies too [yes]
    temperature: float = 1.0  # [1]
    cut: float = 1.0  # share of each generated reply that is kept
    cut_ends: bool = False  # give what is cut off an end token, as the official repository does (a mistake)
    real: Literal["references", "self"] = "references"
    preference: float = 0.0  # preference pairs, as a share of the references
    test_per_difficulty: int = 30
    exact_per_difficulty: int = 10  # test problems of which every possible reply is scored

    def __post_init__(self) -> None:
        at_least(self, 1, "epochs", "batch_size", "test_per_difficulty", "exact_per_difficulty")
        at_least(self, 0, "iterations", "temperature", "preference", "sft_epochs", "sft_learning_rate")
        at_least(self, 2, "references")
        one_of(self, kind=(*KINDS, "sft", "dpo"), real=("references", "self"))
        for name in ("beta", "learning_rate"):
            if not getattr(self, name) or min(getattr(self, name)) <= 0:
                raise SpkitError(
                    f"{name} must be one or more positive numbers, one an iteration, not {getattr(self, name)}"
                )
        if self.tau < 0 or (self.tau == 0 and self.kind != "tspin"):
            raise SpkitError(f"tau must be positive, not {self.tau}")
        if not 0 < self.cut <= 1 or not 0 <= self.wrong <= 1:
            raise SpkitError(f"cut must be in (0, 1] and wrong in [0, 1], not {self.cut} and {self.wrong}")

    def update(self, t: int) -> Update:
        """The learning of iteration t = 1, 2, ... T-SPIN's second term has no weight in the first (its section 5)."""
        late = lambda schedule: schedule[min(t, len(schedule)) - 1]  # noqa: E731
        tau = 0.0 if self.kind == "tspin" and t == 1 else self.tau
        return Update(self.kind, late(self.beta), tau, self.epochs, self.batch_size, late(self.learning_rate))


def spin(
    base: Policy, task: Task, config: SpinConfig, run: Run | None = None, references: Sequence[Reference] | None = None
) -> Iterator[dict[str, Any]]:
    """Yield one record per iteration, iteration 0 being the base (after SFT, if there is any).

    `references` are (prompt, reply) pairs; by default the task's own are drawn.
    """
    run, source = run or Run(), replace(task, wrong=config.wrong) if isinstance(task, Replies) else task
    base = run.pinned(base)
    references = draw_references(source, config.seed, config.references) if references is None else references
    real = encode(base, references)
    about = {
        "method": "spin",
        "task": task.name,
        "base": base.fingerprint(),
        "references": fingerprint(references),
        "config": asdict(config),
    }
    policy = run.start(about, base)
    yield from run.records[: config.iterations + 1]
    if len(run.records) < 2:
        policy = fine_tuned(base, real, config, run)
    if not run.records:
        run.store(0, pairs_of(reply(policy, real, config, run, 0)))
        yield run.record(0, policy, **measured(policy, base, source, config, run, 0))

    for t in range(len(run.records), config.iterations + 1):
        run.progress.iteration(t - 1, config.iterations)
        update = config.update(t)
        # 1 propose: the prompts of the references, every time.  2 solve: the opponent replies to them
        replies = [] if config.kind in ("sft", "dpo") else pairs_of(reply(policy, real, config, run, t))
        run.store(t, replies)
        # 3 verify: nobody judges a reply; it is a reply of the opponent, and the other one is real
        contrasts = contrast(policy, task, real, run, t, config)
        with run.stage("score", len(contrasts), "pairs"):
            scored = batches(policy, contrasts, config.batch_size, generator(config.seed, t, "batches"))
            view = held_out(policy, source, config, t)
        # 4 learn: tell them apart by the log-ratio to the opponent, from where the opponent stands
        policy = policy.clone()
        with run.stage("learn", config.epochs * len(scored), "steps") as tick:
            learned = learn(policy, scored, update, generator(config.seed, t, "learn"), tick)
        # 5 measure and record
        yield run.record(
            t,
            policy,
            learned=learned,
            **discriminate(policy, view, update.beta),
            **measured(policy, base, source, config, run, t),
        )


def fine_tuned(base: Policy, real: Sequence[Referenced], config: SpinConfig, run: Run) -> Policy:
    """The base after `config.sft_epochs` passes over the references; the base itself for 0."""
    if not config.sft_epochs:
        return base
    policy, steps = base.clone(), config.sft_epochs * -(-len(real) // config.batch_size)
    update = SftConfig(steps=steps, batch_size=config.batch_size, learning_rate=config.sft_learning_rate)
    with run.stage("sft", steps, "steps") as tick:
        policy.fit(
            [(one.prompt, one.token_ids) for one in real], update, generator(config.seed, 0, "sft"), lambda *_: tick(1)
        )
    return policy


def reply(
    policy: Policy, real: Sequence[Referenced], config: SpinConfig, run: Run, t: int, purpose: str = "reply"
) -> Replied:
    """One reply of the policy to every reference prompt, drawn at `config.temperature`, at most as long
    as the longest reference.
    """
    longest, prompts = max(len(one.token_ids) for one in real), [one.prompt for one in real]
    with run.stage("reply", len(prompts), "replies") as tick:
        draw = generator(config.seed, t, purpose)
        rollouts = policy.sample(
            prompts, temperature=config.temperature, max_new_tokens=longest, generator=draw, on_rows=tick
        )
    end = policy.prompting.end_ids(policy.tokenizer) if config.cut_ends and config.cut < 1 else []
    return {
        "prompts": prompts,
        "token_ids": [cut(ids, config.cut) + end for ids in rollouts.token_ids],
        "finished": rollouts.finished,
    }


def cut(token_ids: list[int], share: float) -> list[int]:
    """The first `share` of a reply, without the end token that came after; all of it for 1."""
    return token_ids if share == 1 else token_ids[: max(1, int(share * len(token_ids)))]


def pairs_of(replied: Replied) -> list[Pair]:
    """(prompt, completion ids), as a run stores them."""
    return list(zip(replied["prompts"], replied["token_ids"], strict=True))


def contrast(
    policy: Policy, task: Task, real: Sequence[Referenced], run: Run, t: int, config: SpinConfig
) -> list[Contrast]:
    """What iteration t trains on: each reference against the reply of this iteration's opponent and, from the
    second on, the last one's.
    """
    iterations = [t - 1, t] if config.previous and t > 1 else [t]
    contrasts = []
    for i in iterations if config.kind != "dpo" else []:
        generated = [ids for _, ids in run.stored(i)] or [
            one.token_ids for one in real
        ]  # SFT reads the references alone
        shown = _own(policy, real, config, run, t, i) if config.real == "self" else [one.token_ids for one in real]
        initial = [ids for _, ids in run.stored(0)] if config.kind == "tspin" and t > 1 else [None] * len(real)
        contrasts += [
            Contrast(policy.prompt_ids(one.prompt), *ids)
            for one, *ids in zip(real, shown, generated, initial, strict=True)
        ]
    count = len(real) if config.kind == "dpo" else round(config.preference * len(real))
    return contrasts + _preferences(policy, task, config, count)


def _own(policy: Policy, real: Sequence[Referenced], config: SpinConfig, run: Run, t: int, i: int) -> list[list[int]]:
    return reply(policy, real, config, run, t, f"own-{i}")["token_ids"]


def _preferences(policy: Policy, task: Task, config: SpinConfig, count: int) -> list[Contrast]:
    if not count:
        return []
    rows = draw_preferences(task, config.seed, config.references, count)
    ids = policy.completion_ids
    return [
        Contrast(policy.prompt_ids(prompt), ids(chosen), ids(rejected), preference=True)
        for prompt, chosen, rejected in rows
    ]


def held_out(opponent: Policy, task: Task, config: SpinConfig, t: int) -> dict[str, Any]:
    """References and replies of the opponent to the test prompts, with the opponent's log-probabilities: what
    the discriminator is shown.
    """
    asked = test_set(task, config.test_per_difficulty)
    draw = generator(config.seed, t, "held-out")
    real = [opponent.completion_ids(reference_of(task, problem, t)) for problem in asked]
    rollouts = solve(opponent, task, asked, temperature=1.0, generator=draw)[0]
    prompts = [problem.prompt for problem in asked]
    return {
        "prompts": prompts,
        "real": real,
        "generated": rollouts.token_ids,
        "before": [_sums(opponent, prompts, ids) for ids in (real, rollouts.token_ids)],
    }


def _sums(policy: Policy, prompts: Sequence[str], completions: Sequence[list[int]]) -> list[float]:
    return [float(row.double().sum()) for row in policy.logprobs(prompts, completions)]


def discriminate(policy: Policy, view: dict[str, Any], beta: float) -> dict[str, Any]:
    """What the trained policy, as a discriminator, says of replies it was not trained on.

    `auc` of telling real from generated; `rewards` of both (nats times beta); `held_out_displacement`, how much
    likelier (nats) each has become; `kl_opponent`, KL(opponent || policy) estimated on the opponent's replies.
    """
    after = [_sums(policy, view["prompts"], view[side]) for side in ("real", "generated")]
    shift = [[new - old for new, old in zip(now, before)] for now, before in zip(after, view["before"])]
    means = [sum(values) / len(values) for values in shift]
    return {
        "auc": discriminator_auc(*shift),
        "rewards": {
            side: [round(beta * value, 4) for value in values] for side, values in zip(("real", "generated"), shift)
        },
        "held_out_displacement": {"real": means[0], "generated": means[1]},
        "kl_opponent": -means[1],
    }


def measured(policy: Policy, base: Policy, task: Task, config: SpinConfig, run: Run, t: int) -> dict[str, Any]:
    """Greedy accuracy, fresh samples at temperature 1, and the exact distance to the references where it is known."""
    asked = test_set(task, config.test_per_difficulty)
    result = measure(policy, task, config.test_per_difficulty, run)
    with run.stage("compare", len(asked), "replies"):
        rollouts, verdicts = solve(policy, task, asked, temperature=1.0, generator=generator(config.seed, t, "compare"))
        result |= sample_statistics(policy, rollouts.prompts, rollouts.token_ids, rollouts.finished)
        ours, theirs = rollouts.logprobs.double().sum().item(), sum(_sums(base, rollouts.prompts, rollouts.token_ids))
        result |= {
            "sampled_accuracy": sum(v.correct for v in verdicts) / len(verdicts),
            "kl_base": (ours - theirs) / len(asked),
        }
        if isinstance(task, Replies):
            result |= distance_to_references(policy, task, test_set(task, config.exact_per_difficulty))
    return result
