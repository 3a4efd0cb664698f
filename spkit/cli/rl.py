"""Commands of the loops that pay: `spkit run rlvr` and `spkit run absolute-zero`."""

from typing import Annotated

import typer

from . import runs as cli_runs
from .runs import Flips, Iterations, Json, Model, Out, Problems, Samples, Seed, TaskName, Tests, runs_app


@runs_app.command("rlvr")
def run_rlvr(
    task: TaskName = "sums",
    model: Model = "",
    iterations: Iterations = 20,
    seed: Seed = 0,
    out: Out = None,
    pool: Annotated[int, typer.Option(help="The fixed problems, which the iterations take in turn.")] = 2000,
    problems: Problems = 64,
    k: Samples = 8,
    reward: Annotated[
        str,
        typer.Option(
            help=(
                "Who pays: gold, steps, noisy, majority, graded, or random (the control: gold, dealt anew in "
                "each group)."
            )
        ),
    ] = "gold",
    flip_rate: Flips = 0.0,
    advantage: Annotated[
        str, typer.Option(help="What a reward is compared with: grpo, dr_grpo, rloo or reinforce_pp.")
    ] = "grpo",
    aggregation: Annotated[
        str, typer.Option(help="Averages over each `sequence`, all `token`s, or a `constant` length.")
    ] = "token",
    clip_low: Annotated[float, typer.Option(help="The ratio is held above 1 minus this; inf: no clipping.")] = 0.2,
    clip_high: Annotated[float, typer.Option(help="The ratio is held below 1 plus this.")] = 0.2,
    kl: Annotated[str, typer.Option(help="Estimate of the distance to the base: k1, k2 or k3.")] = "k3",
    kl_coef: Annotated[float, typer.Option(help="Weight of that distance in the loss.")] = 0.0,
    entropy_coef: Annotated[float, typer.Option(help="Weight of the entropy bonus.")] = 0.0,
    epochs: Annotated[int, typer.Option(help="Passes over the rollouts of an iteration.")] = 1,
    batch_size: Annotated[int, typer.Option(help="Rollouts of an optimizer step.")] = 128,
    learning_rate: Annotated[float, typer.Option(help="Learning rate, constant.")] = 3e-4,
    test_per_difficulty: Tests = 20,
    test_samples: Annotated[
        int, typer.Option(help="Samples of each test problem, for sampled accuracy, pass@k and maj@k.")
    ] = 4,
    as_json: Json = False,
) -> None:
    """RLVR: groups of samples on fixed problems, a checker's reward, and the policy gradient (GRPO and its relatives)."""
    from ..loops.rlvr import RlvrConfig, rlvr

    cli_runs.run_loop("rlvr", rlvr, cli_runs.configured(RlvrConfig, locals()), task, model, out, as_json)


@runs_app.command("absolute-zero")
def run_absolute_zero(
    task: TaskName = "expressions",
    model: Model = "",
    iterations: Iterations = 60,
    seed: Seed = 0,
    out: Out = None,
    kinds: Annotated[
        str, typer.Option(help="Kinds of problems, with commas: deduction, abduction, induction.")
    ] = "deduction",
    tasks: Annotated[int, typer.Option(help="Problems of each kind an iteration.")] = 48,
    k: Annotated[int, typer.Option(help="Attempts at each problem.")] = 8,
    references: Annotated[int, typer.Option(help="Earlier problems shown to the proposer.")] = 3,
    seed_rounds: Annotated[
        int, typer.Option(help="Rounds of proposals by the base that fill the buffers at the start.")
    ] = 4,
    proposer: Annotated[
        str,
        typer.Option(
            help=(
                "Who proposes: the `learned` policy; or a control: the `frozen` base, `uniform` random "
                "programs, a `static` set."
            )
        ),
    ] = "learned",
    pay: Annotated[
        str, typer.Option(help="The proposer's: 1-r, 1-2|r-1/2|, min(r,1-r)-dup, 0<r<1, variance, hardness, constant.")
    ] = "1-r",
    extremes: Annotated[
        str, typer.Option(help="Reward where r is 0 or 1: 0 as in the `paper`, or -0.5 as in its `code`.")
    ] = "paper",
    invalid: Annotated[float, typer.Option(help="Reward of a proposal that is no problem.")] = -0.3,
    gate: Annotated[
        str, typer.Option(help="`strict`: only valid problems are solved. `off`: invalid text too.")
    ] = "strict",
    leak: Annotated[float, typer.Option(help="How often the strict gate lets invalid text through.")] = 0.0,
    reward: Annotated[
        str,
        typer.Option(
            help=(
                "The solver's: `grounded` in the evaluator, `vote_share` (agreement), or dealt out at `random` "
                "(the control)."
            )
        ),
    ] = "grounded",
    flip_rate: Annotated[float, typer.Option(help="How often the evaluator's word is turned round.")] = 0.0,
    check: Annotated[
        str,
        typer.Option(
            help="What must be right: the `answer`, all `steps` too, or (`lenient`) any one of several answers."
        ),
    ] = "steps",
    advantage: Annotated[str, typer.Option(help="trr_pp (per kind and role), global, grpo, rloo, or rae.")] = "rloo",
    proposer_weight: Annotated[
        float, typer.Option(help="Attempts that a proposal weighs as much as in the update.")
    ] = 8.0,
    kl_coef: Annotated[float, typer.Option(help="Weight of the distance to the base.")] = 0.0,
    entropy_coef: Annotated[float, typer.Option(help="Weight of the entropy bonus.")] = 0.0,
    epochs: Annotated[int, typer.Option(help="Passes over the rollouts of an iteration.")] = 1,
    minibatches: Annotated[int, typer.Option(help="Optimizer steps of a pass.")] = 2,
    learning_rate: Annotated[float, typer.Option(help="Learning rate, constant.")] = 2e-4,
    measure_every: Annotated[int, typer.Option(help="Iterations between two looks at the test set.")] = 10,
    test_per_difficulty: Tests = 20,
    test_samples: Annotated[int, typer.Option(help="Samples of each test problem, for pass@k.")] = 8,
    as_json: Json = False,
) -> None:
    """Absolute Zero: propose problems, solve them, and learn both roles from how often they are solved."""
    from ..loops.absolute_zero import AbsoluteZeroConfig, absolute_zero

    config = cli_runs.configured(AbsoluteZeroConfig, locals(), kinds=tuple(kind.strip() for kind in kinds.split(",")))
    cli_runs.run_loop("absolute-zero", absolute_zero, config, task, model, out, as_json)
