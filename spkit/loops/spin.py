"""SPIN: self-play fine-tuning (Chen, Deng, Yuan, Ji and Gu 2024, arXiv:2401.01335, Algorithm 1), and its relatives.

    opponent:    the policy of the last iteration writes a reply y' to every reference prompt;
    main player: the new policy, trained to tell the reference replies y from y' by r = beta *
    log(policy / opponent) (eq. 4.7).

The main player is the discriminator and the opponent the generator: one model, one iteration apart.

What differs from the paper, and why:
- AdamW (RMSProp); learning rates of a tiny model; 1,000 references (50,000).
- Replies are drawn at temperature 1 from the prompts they are scored under; what is cut off gets no end token. (The
  official repository draws under one template, scores under another, and ends every cut-off reply.)
- Where the task knows p_data exactly (`replies`), KL(p_data || policy) is computed and not guessed.

Controls: `kind="sft"` has the same references and steps and no opponent; `kind="dpo"` has preference pairs alone;
`real="self"` lets the opponent play both sides; `temperature=0` draws greedy replies; `cut=0.5` cuts them to half their
length (`cut_ends` adds an end token there); `preference=0.1` mixes preference pairs in. Guards, after
alpha-SPIN (arXiv:2404.04291): `kl` holds the policy near that of iteration 0; `opponents="pool"` replays old ones.

Run it: spkit run spin --kind logistic --seed 0
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from ..maths.preference import SpinLoss
from ..policy import Policy, SftConfig
from ..run.errors import SpkitError
from ..run.folder import Run
from ..run.settings import at_least, one_of_its_choices
from ..run.streams import generator
from ..stages.contrasts import contrast
from ..stages.learn_preference import Update, batches, learn_from_pairs
from ..stages.learn_sft import fine_tune
from ..stages.measure_imitation import discriminate, held_out, measure_imitation
from ..stages.references import Reference, draw_references, encode, references_fingerprint
from ..stages.replies import replies_to
from ..tasks import Replies, Task, test_set


@dataclass(frozen=True)
class SpinConfig:
    """Settings of a run; the paper's value in brackets where there is one. `beta` is its lambda; the last of a schedule
    is used for all later iterations."""

    iterations: int = 3  # rounds after the base; a larger number extends a run [4]
    seed: int = 0  # decides the problems and every random draw
    references: int = 1000  # reference replies, drawn from the task [50,000 prompts]
    # passes of SFT on the references before the first iteration [the paper's base has had 1, on four times the data]
    sft_epochs: int = 0
    sft_learning_rate: float = 1e-3  # peak learning rate of that SFT
    wrong: float = 0.0  # share of the references by careless writers (task replies)
    kind: SpinLoss | Literal["sft", "dpo"] = "logistic"  # loss; sft and dpo are controls [logistic]
    # factor of the log-ratio, one an iteration [0.1, 0.1, 0.1, 5.0, with a learning rate that stops it early]
    beta: tuple[float, ...] = (1.0,)
    tau: float = 1.0  # target of chi2 and ipo; weight of T-SPIN's second term [0.1 for T-SPIN]
    learning_rate: tuple[float, ...] = (3e-4,)  # peak, one an iteration [5e-7, 5e-7, 1e-7, 1e-7]
    epochs: int = 2  # passes over the pairs of an iteration [2]
    batch_size: int = 64  # pairs of an optimizer step [64]
    previous: bool = True  # train on the last iteration's replies too [yes]
    temperature: float = 1.0  # of the opponent's replies; 0 is greedy (a control) [1]
    cut: float = 1.0  # share of each of the opponent's replies that is kept (below 1: a control)
    cut_ends: bool = False  # give what is cut off an end token, as the official repository does (a mistake)
    real: Literal["references", "self"] = "references"  # self: the opponent plays both sides (the swap control)
    preference: float = 0.0  # preference pairs mixed in, as a share of the references
    kl: float = 0.0  # weight of KL(policy || policy of iteration 0) in the opponent's problem, beside beta's [0]
    opponents: Literal["latest", "pool"] = "latest"  # pool: as many replies, drawn from all opponents so far [latest]
    test_per_difficulty: int = 30  # test problems of each difficulty
    exact_per_difficulty: int = 10  # test problems of which every possible reply is scored

    def __post_init__(self) -> None:
        at_least(self, 1, "epochs", "batch_size", "test_per_difficulty", "exact_per_difficulty")
        at_least(self, 0, "iterations", "temperature", "preference", "sft_epochs", "sft_learning_rate", "kl")
        at_least(self, 2, "references")
        one_of_its_choices(self)
        for name in ("beta", "learning_rate"):
            if not getattr(self, name) or min(getattr(self, name)) <= 0:
                raise SpkitError(f"{name} must be positive numbers, one an iteration, not {getattr(self, name)}")
        if self.tau < 0 or (self.tau == 0 and self.kind != "tspin"):
            raise SpkitError(f"tau must be positive, not {self.tau}")
        if self.kl and self.kind in ("sft", "tspin"):
            raise SpkitError(f"kl must be 0 for {self.kind}, whose loss has no opponent to hold near, not {self.kl}")
        if not 0 < self.cut <= 1 or not 0 <= self.wrong <= 1:
            raise SpkitError(f"cut must be in (0, 1] and wrong in [0, 1], not {self.cut} and {self.wrong}")

    def sft(self, rows: int) -> SftConfig:
        """The SFT before the first iteration, on `rows` references."""
        steps = self.sft_epochs * -(-rows // self.batch_size)
        return SftConfig(steps, self.batch_size, self.sft_learning_rate)

    def trained_on(self, t: int) -> list[int]:
        """The iterations whose replies iteration t is trained on; none for DPO, which has preference pairs alone."""
        return [] if self.kind == "dpo" else [t - 1, t] if self.previous and t > 1 else [t]

    def update(self, t: int) -> Update:
        """The learning of iteration t = 1, 2, ... T-SPIN's second term has no weight in the first (its section 5)."""
        late = lambda schedule: schedule[min(t, len(schedule)) - 1]
        tau = 0.0 if self.kind == "tspin" and t == 1 else self.tau
        beta, rate = late(self.beta) + self.kl, late(self.learning_rate)
        return Update(self.kind, beta, tau, self.epochs, self.batch_size, rate)


def spin(
    base: Policy, task: Task, config: SpinConfig, run: Run | None = None, references: Sequence[Reference] | None = None
) -> Iterator[dict[str, Any]]:
    """Yield one record per iteration, 0 being the base (after SFT). `references`, (prompt, reply) pairs, by default the
    task's own."""
    run, source = run or Run(), replace(task, wrong=config.wrong) if isinstance(task, Replies) else task
    base = run.pinned(base)
    references = draw_references(source, config.seed, config.references) if references is None else references
    real, tests = encode(base, references), test_set(source, config.test_per_difficulty)
    base, policy = run.begin("spin", task, base, config, references=references_fingerprint(references))
    again, initial = len(run.records) > 1, base
    if config.sft_epochs and (config.kl or not again):
        pairs, draw = [(one.prompt, one.token_ids) for one in real], generator(config.seed, 0, "sft")
        initial, _ = fine_tune(base, pairs, config.sft(len(real)), draw, Run() if again else run)
    policy = policy if again else initial

    def reply(t: int, purpose: str = "reply", part: object = "") -> list[tuple[str, list[int]]]:
        draw = generator(config.seed, t, purpose, part)
        return replies_to(policy, real, config.temperature, draw, run, config.cut, config.cut_ends)

    def look(t: int) -> dict[str, Any]:
        draw, sizes = generator(config.seed, t, "compare"), (config.test_per_difficulty, config.exact_per_difficulty)
        return measure_imitation(policy, base, source, *sizes, run, draw)

    def first() -> dict[str, Any]:
        run.store(0, reply(0))
        return run.record(0, policy, **look(0))

    yield from run.replay(config, first)

    for t in run.iterations(config):
        # 1 propose: the prompts of the references, every time.  2 solve: the opponent replies to them
        run.store(t, [] if config.kind in ("sft", "dpo") else reply(t))
        # 3 verify: the label is where a reply comes from, the opponent or the references
        shown = {i: [ids for _, ids in reply(t, "own-", i)] for i in config.trained_on(t) if config.real == "self"}
        contrasts = contrast(policy, task, real, shown, run, t, config)
        with run.stage("verify", len(contrasts), "pairs"):
            draw, anchored = generator(config.seed, t, "batches"), config.kl / config.update(t).beta
            scored = batches(policy, contrasts, config.batch_size, draw, initial, anchored)
            view = held_out(policy, source, tests, t, generator(config.seed, t, "held-out"))
        # 4 learn: tell them apart by the log-ratio to the opponent, from where the opponent stands
        policy, update = policy.clone(), config.update(t)
        with run.stage("learn", config.epochs * len(scored), "steps") as tick:
            learned = learn_from_pairs(policy, scored, update, generator(config.seed, t, "learn"), tick)
        run.spend(optimizer_steps=learned["steps"])
        # 5 measure
        yield run.record(t, policy, learned=learned, **discriminate(policy, view, update.beta), **look(t))
