"""The runs that compare SFT, ReST^EM, RLVR and self-play at equal compute, on expressions, and what is read from them
(notebook 05; the claims are in `dynamics`).

All `dyn-` runs start from one base and train on programs 1 to 4 deep that have `+` and `-` alone: given ones from one
fixed pool, or proposed ones, where a proposal with `*` or deeper than 4 is neither solved nor learned from. So `*`,
depths 5 and 6, and abduction are for measuring what transfers. An optimizer step is on 96 completions (self-play: and
12 proposals), and there are 120. Every verifier asks for every step: one answer in ten is right by luck. Accuracies are
of the answer, unless they say more.
Compared at equal sampled tokens, SFT counts the gold tokens it read: it samples none.

Each run ends with a portrait beside the base (`spkit.stages.portrait`); `dyn-base` is the base's own, with its pass@k
at several temperatures.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from ..loops.absolute_zero import AbsoluteZeroConfig, absolute_zero
from ..loops.rest_em import RestEmConfig, rest_em
from ..loops.rlvr import RlvrConfig, rlvr
from ..loops.sft import GoldConfig, sft_on_gold
from ..measures.updates import MATRIX_KINDS
from ..policy import SftConfig
from ..run.settings import changed
from ..stages.verify import Filter
from .base import Experiment
from .portrayed import BaseConfig, Portrayed, base_at_temperatures
from .readings import at, at_shared, final, on_the_way
from .stored import Curve, EachRun, Last
from .terms import Number, Term

COMMON_RATE = 1e-4  # learning rate of all runs but ReST^EM, which starts from the base every time
LOOKS = {"measure_every": 3, "test_per_difficulty": 100, "test_samples": 2}
GOLD = GoldConfig(60, pool=2000, problems=192, batch_size=96, learning_rate=COMMON_RATE, **LOOKS)
GIVEN = RlvrConfig(
    60,
    pool=2000,
    problems=24,
    k=8,
    reward="all_steps",
    advantage="rloo",
    clip_high=0.28,
    batch_size=96,
    learning_rate=COMMON_RATE,
    **LOOKS,
)
EM_ON_EXPRESSIONS = RestEmConfig(
    4,
    problems=360,
    k=8,
    filter=Filter("all_steps", cap=4),
    sft=SftConfig(30, 96, 5e-4),
    validation_problems=0,
    test_per_difficulty=100,
)
OWN_PROBLEMS = changed(AbsoluteZeroConfig(60, tasks=24, k=8, **LOOKS), {"learn.learning_rate": COMMON_RATE})


def portrayed(loop: Any, config: Any, seconds: int, changes: Mapping[str, Any] | None = None) -> Experiment:
    """A run with a portrait, with some settings changed."""
    return Experiment(Portrayed(loop), changed(config, changes or {}), "expressions-plus-minus", seconds)


EQUAL_COMPUTE = {
    "dyn-sft": portrayed(sft_on_gold, GOLD, 120),
    "dyn-em": portrayed(rest_em, EM_ON_EXPRESSIONS, 120),
    "dyn-rlvr": portrayed(rlvr, GIVEN, 120),
    "dyn-rlvr-kl": portrayed(rlvr, GIVEN, 120, {"kl_coef": 0.3}),
    "dyn-rlvr-random": portrayed(rlvr, GIVEN, 120, {"reward": "random_all_steps"}),
    "dyn-az": portrayed(absolute_zero, OWN_PROBLEMS, 120),
    "dyn-az-frozen": portrayed(absolute_zero, OWN_PROBLEMS, 120, {"proposer.kind": "frozen"}),
}
DYNAMICS_EXPERIMENTS = {
    **EQUAL_COMPUTE,
    "dyn-base": portrayed(base_at_temperatures, BaseConfig(), 100),
}

ALL = tuple(EQUAL_COMPUTE)
DEEPER = Number("accuracy_by_difficulty", "greedy accuracy on depths 3 and 4", levels=("3", "4"))
PASSED = {
    k: Number(f"portrait.passes.steps_right.difference.{k}.mean", f"pass@{k} with every step right, above the base's")
    for k in ("1", "256")
}
BY_ANSWER = Number("portrait.passes.difference.64.mean", "pass@64 by the answer alone, above the base's")
PASS_1 = Number("portrait.passes.steps_right.trained.1.mean", "pass@1 with every step right")
CHANGED = {
    precision: Number(f"portrait.updates.changed.{precision}", f"share of parameters changed in {precision}")
    for precision in ("float32", "bfloat16")
}
NULL = Number("portrait.null.changed.bfloat16", "share that steps with nothing to learn change in bfloat16")
ENTROPIES = {
    role: Number(f"portrait.entropy.{role}.entropy", f"{role}'s token entropy (nats)")
    for role in ("solver", "proposer")
}
OF_WRONG = Number("portrait.entropy.solver.by_correct.wrong.entropy", "token entropy of wrong completions (nats)")
OF_RIGHT = Number("portrait.entropy.solver.by_correct.right.entropy", "token entropy of right completions (nats)")
TRANSFERS = {
    "operators": Number("portrait.transfers.operators.sampled", "accuracy with *, depths 3 and 4", levels=("3", "4")),
    "harder": Number("portrait.transfers.harder.sampled", "accuracy on depths 5 and 6", levels=("5", "6")),
    "abduction": Number("portrait.transfers.abduction.sampled", "accuracy in abduction", levels=("1", "2")),
}
FORGOTTEN = Number("portrait.forgotten.others", "loss on pretraining text of other tasks (nats a token)")
BACK = Number("portrait.swap.5.base_writes.most_changed.of_gain", "share of the gain that swapped tokens bring back")
CONTROL_DISAGREEING = Number(
    "portrait.swap.5.base_writes.minus_disagreeing.mean", "accuracy above that with random swaps where the two disagree"
)
CONTROL = Number("portrait.swap.5.base_writes.minus_random.mean", "accuracy above that with random swaps")
CONCENTRATED = Number("portrait.shift.kl_in_top.5", "share of all KL in the top 5 % of positions")


def beside_base(run: str, number: Number) -> Term:
    """How much more than of the base."""
    return final(run, number) - final("dyn-base", number)


def compute_curves(run: str) -> dict[str, Any]:
    """What is stored of a run that is read at equal compute: accuracy and both budgets, at every look."""
    measured = {"at": "iteration", "accuracy": "accuracy", "deep": DEEPER}
    budgets = ("sampled_tokens", "gold_tokens", "optimizer_steps")
    return {
        **{name: Curve(run, number, only="accuracy_by_difficulty") for name, number in measured.items()},
        **{name: Curve(run, name, only="accuracy_by_difficulty", exact=True) for name in budgets},
    }


def parts_of(names: tuple[str, ...], run: str) -> dict[str, Any]:
    """What is stored of a run's portrait: its parts of these names."""
    return {name: Last(run, f"portrait.{name}") for name in names}


def stored_of(*names: str) -> tuple[EachRun, EachRun]:
    """Parts of the portraits of a claim's runs, and the same of all runs, for one claim of each group."""
    return EachRun(partial(parts_of, names)), EachRun(partial(parts_of, names), (*ALL, "dyn-base"))


COMPUTE_CURVES = EachRun(compute_curves)
PASSES, ALL_PASSES = stored_of("passes")
ON_WEIGHTS, ALL_ON_WEIGHTS = stored_of(
    "updates.changed",
    "updates.sweep",
    "updates.rank_share",
    "updates.overlap",
    "updates.update_norm",
    "null.changed",
    "null.sweep",
    "null.overlap",
    *(f"updates.by_kind.{kind}.changed" for kind in MATRIX_KINDS),
)
ON_TOKENS, ALL_ON_TOKENS = stored_of(
    "entropy.solver.entropy",
    "entropy.solver.by_kind",
    "entropy.solver.by_correct",
    "entropy.proposer.entropy",
    "swap",
    "shift.kl_to_base",
    "shift.kl_in_top",
    "shift.by_kind",
    "shift.rank",
)
ELSEWHERE, ALL_ELSEWHERE = stored_of("in_domain", "transfers", "forgotten", "shift.kl_to_base", "proposals")
EQUAL_TOKENS, EQUAL_STEPS = "sampled_tokens", "optimizer_steps"
equal = lambda run, budget: at_shared(run, DEEPER, budget, ALL)
rising = lambda run, budget: on_the_way(run, DEEPER, budget, ALL)
at_temperatures = [
    at("dyn-base", Number("passes.steps_right.1.mean", "pass@1 with every step right"), temperature=temperature)
    for temperature in BaseConfig().temperatures
]
