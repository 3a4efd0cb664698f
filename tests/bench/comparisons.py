"""What `python -m tests.bench` compares, each with what a reader would use in its place."""

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import torch

from spkit.bases.tiny import char_tokenizer, tiny_llama
from spkit.diagnose import ColumnMap, diagnose, read_log
from spkit.loops.rlvr import RlvrConfig
from spkit.policy import Policy, SftConfig, load_policy
from spkit.policy.sampling import SamplingPlan, generate
from spkit.stages.solve import longest_completion
from spkit.tasks import load_task, problems
from tests.bench import diagnose_log, rlvr_vs_trl, sampling, sandbox, sft_vs_trainer, spin_vs_dpo
from tests.bench.costs import Comparison, Cost, Side, exponent, timed

SHAPES = (("addition", 64, 8), ("sums", 256, 1), ("expressions", 24, 8))  # base and task, prompts, samples of each
BATCH, STEPS, PAIRS = 64, 6, 256
SQUARE = 1024  # rows and columns of the matrices that say what the machine can do
LETTERS = "abcdefghijklmnopqrstuvwxyz"
LOG_COLUMNS = ColumnMap(rewards=(("accuracy", 1.0), ("format", 0.5)))


def makers(folder: Path, megabytes: int) -> dict[str, Callable[[], Comparison]]:
    """All of them by name, made when they are called; `folder` is for what the trainers write."""
    return {
        **{f"sample-{shape[0]}": partial(sampled, *shape) for shape in SHAPES},
        "sft": partial(supervised, "addition", folder),
        "limit": partial(at_the_limit, "addition"),
        "rlvr": partial(reinforced, "sums"),
        "spin": partial(played, "replies", folder),
        "sandbox": run_programs,
        "diagnose": partial(diagnosed, folder, megabytes),
        "start": started,
    }


def sampled(name: str, prompts: int, samples: int) -> Comparison:
    """Sampling until the end of each row, all rows in one batch."""
    policy, task = load_policy(name), load_task(name)
    asked = [problem.prompt for problem in problems(task, 0, 0, prompts)]
    given = (samples, longest_completion(policy, task))
    side = lambda sampler: lambda i: timed(lambda: sampler(policy, asked, i, *given)[0])
    what = f"sampling, {name}, {prompts} prompts x {samples}"
    return Comparison(what, "tokens", "transformers generate", side(sampling.ours), side(sampling.hugging_face))


def supervised(name: str, folder: Path) -> Comparison:
    """Updates by supervised fine-tuning."""
    base, task = load_policy(name), load_task(name)
    pairs = sft_vs_trainer.rows_of(base, task, STEPS * BATCH)
    return Comparison(
        f"SFT update, {name}, batches of {BATCH}",
        "tokens",
        "transformers Trainer",
        lambda i: timed(sft_vs_trainer.ours(base, pairs, BATCH, i)),
        lambda i: timed(sft_vs_trainer.theirs(base, pairs, BATCH, i, str(folder / "sft"))),
    )


def at_the_limit(name: str) -> Comparison:
    """The same updates beside what large matrices are multiplied at: the ratio is the share of it.

    An update counts 6 operations a token and weight of a linear layer; what attention adds is left out.
    """
    base = load_policy(name)
    pairs = sft_vs_trainer.rows_of(base, load_task(name), STEPS * BATCH)
    weights = sum(layer.weight.numel() for layer in base.model.modules() if isinstance(layer, torch.nn.Linear))
    a, b = torch.randn(2, SQUARE, SQUARE, generator=torch.Generator().manual_seed(0))

    def update(i: int) -> Cost:
        cost = timed(sft_vs_trainer.ours(base, pairs, BATCH, i))
        return cost._replace(units=6e-9 * weights * cost.units)

    def multiply() -> float:
        for _ in range(20):
            a @ b
        return 20 * 2e-9 * SQUARE**3

    peer = f"{SQUARE} x {SQUARE} float32 product"
    return Comparison(f"SFT update, {name}, as a share of", "GFLOP", peer, update, lambda i: timed(multiply))


def reinforced(name: str) -> Comparison:
    """An iteration of RLVR: 512 rollouts, the checker, four updates; the second of two."""

    def side(play: Callable[..., rlvr_vs_trl.Curve], *more: int) -> Side:
        def one(i: int) -> Cost:
            config = RlvrConfig(2, i, test_per_difficulty=1, test_samples=1)
            return Cost(1, *play(name, config, *more)[-1][:2])

        return one

    theirs = side(rlvr_vs_trl.theirs, RlvrConfig().batch_size) if installed("trl") else None
    what = f"RLVR iteration, {name}, 64 problems x 8"
    return Comparison(what, "iterations", "TRL GRPOTrainer", side(rlvr_vs_trl.ours), theirs, warm=False)


def played(name: str, folder: Path) -> Comparison:
    """A pass of SPIN over pairs."""
    base, task = load_policy(name), load_task(name)
    prompts, pairs = spin_vs_dpo.pairs_of(base, task, PAIRS)
    theirs = lambda i: timed(spin_vs_dpo.theirs(base, prompts, pairs, BATCH, i, str(folder / "dpo")))
    return Comparison(
        f"SPIN update, {name}, {PAIRS} pairs",
        "pairs",
        "TRL DPOTrainer",
        lambda i: timed(spin_vs_dpo.ours(base, pairs, BATCH, i)),
        theirs if installed("trl") else None,
    )


def run_programs() -> Comparison:
    """Small programs, each in a fresh state."""
    side = lambda backend, calls: lambda i: timed(lambda: sandbox.run(backend, calls) and len(calls))
    subprocesses = side("subprocess", sandbox.programs(40))
    monty = side("monty", sandbox.programs(1000)) if installed("pydantic_monty") else subprocesses
    return Comparison("sandbox, small programs", "programs", "a new Python process each", monty, subprocesses)


def diagnosed(folder: Path, megabytes: int) -> Comparison:
    """A diagnosis of a log of JSON lines beside parsing its lines alone."""
    log = folder / "log.jsonl"
    diagnose_log.make(log, megabytes)
    size = log.stat().st_size / 1e6

    def parse() -> float:
        with log.open(encoding="utf-8") as lines:
            sum(len(json.loads(line)) for line in lines)
        return size

    def ours() -> float:
        diagnose(read_log(log, columns=LOG_COLUMNS))
        return size

    what = f"diagnose, a log of {megabytes} MB"
    return Comparison(what, "MB", "json.loads of its lines", lambda i: timed(ours), lambda i: timed(parse), warm=False)


def started() -> Comparison:
    """The command line in a new process, beside one that imports torch and ends."""

    def python(program: str) -> float:
        subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
        return 1

    side = lambda program: lambda i: timed(lambda: python(program))
    help_text = "import sys; sys.argv[1:] = ['--help']; from spkit.cli.main import main; main()"
    return Comparison("spkit --help", "starts", "python -c 'import torch'", side(help_text), side("import torch"))


def installed(package: str) -> bool:
    """Whether a package can be imported."""
    return find_spec(package) is not None


def growths(repeats: int) -> Iterator[dict]:
    """Seconds at three sizes, each the median of a few, and the exponent with which they grow."""
    models = {width: tiny(width) for width in (64, 128, 256)}
    rows = {size: lambda size=size: write(models[128], size, 32) for size in (64, 256, 1024)}
    length = {size: lambda size=size: write(models[128], 128, size) for size in (32, 64, 128)}
    counts = {model.model.num_parameters(): model for model in models.values()}
    sampled_by = {size: lambda model=model: write(model, 128, 32) for size, model in counts.items()}
    trained_by = {size: lambda model=model: read(model) for size, model in counts.items()}
    yield growth("sampling 32 tokens", "rows", rows, repeats)
    yield growth("sampling 128 rows", "tokens a row", length, repeats)
    yield growth("sampling 128 rows of 32 tokens", "parameters", sampled_by, repeats)
    yield growth("SFT, 5 batches of 64 rows of 40 tokens", "parameters", trained_by, repeats)


def growth(what: str, by: str, acts: dict[int, Callable[[], float]], repeats: int) -> dict:
    """A row of the results; the sizes take turns, and the first turn is not counted."""
    turns = [[timed(act).clock for act in acts.values()] for _ in range(repeats + 1)][1:]
    seconds = [statistics.median(column) for column in zip(*turns)]
    return {"what": what, "by": by, "sizes": [*acts], "seconds": seconds, "exponent": exponent([*acts], seconds)}


def tiny(width: int) -> Policy:
    """An untrained model of this width, four layers deep."""
    tokenizer = char_tokenizer(LETTERS, 256)
    return Policy(tiny_llama(tokenizer, 256, 0, width=width, layers=4), tokenizer)


def write(policy: Policy, rows: int, length: int) -> float:
    """Sample rows of exactly this length; returns the tokens."""
    uniform = torch.rand(rows, length, generator=torch.Generator().manual_seed(0))
    prompt, plan = policy.prompt_ids(LETTERS[:8]), SamplingPlan(1.0, length, frozenset(), policy.pad_id)
    generate(policy.decoder(), [prompt], torch.zeros(rows, dtype=torch.long), uniform, plan)
    return rows * length


def read(policy: Policy) -> float:
    """Five updates of a copy; returns the tokens."""
    config = SftConfig(5, 64)
    row = (LETTERS[:8], policy.completion_ids(LETTERS + LETTERS[:5]))
    return policy.clone().fit([row] * 64, config, torch.Generator().manual_seed(0))["tokens_read"]
