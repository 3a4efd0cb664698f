"""A small run that kills its own process with SIGKILL at a chosen point of a chosen iteration (used by
run/test_folder.py): a stage of the loop (killed half-way in,
`solve-2`: where that stage is entered for the second time in the iteration) or a moment of a write (data-done,
checkpoint-half, checkpoint-done, samples-done, metrics-half, metrics-done).
"""

import multiprocessing
import os
import signal
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import torch

from spkit.loops.absolute_zero import AbsoluteZeroConfig, absolute_zero
from spkit.loops.collapse import CollapseConfig, collapse
from spkit.loops.game_self_play import GameSelfPlayConfig, game_self_play
from spkit.loops.quiet_star import QuietStarConfig, quiet_star
from spkit.loops.rest_em import RestEmConfig, rest_em
from spkit.loops.rlvr import RlvrConfig, rlvr
from spkit.loops.sft import GoldConfig, sft_on_gold
from spkit.loops.spin import SpinConfig, spin
from spkit.loops.star import StarConfig, star
from spkit.policy import Policy, SftConfig, load_policy
from spkit.run import folder as runs
from spkit.run.folder import Run
from spkit.stages.learn_games import MovesConfig
from spkit.stages.learn_roles import RolesConfig
from spkit.stages.propose import ProposerConfig
from spkit.stages.verify_learned import ScorerConfig
from spkit.tasks import load_task

QUICK = SftConfig(steps=2, batch_size=8)
SELF_PLAY = AbsoluteZeroConfig(
    3,
    kinds=("deduction", "abduction"),
    tasks=3,
    k=4,
    proposer=ProposerConfig(seed_rounds=1),
    learn=RolesConfig("rae", epochs=2),
    measure_every=2,
    test_per_difficulty=2,
    test_samples=2,
)
GAMES_OF_SELVES = GameSelfPlayConfig(
    3,
    deals=16,
    opponent="pool",
    draw="prioritised",
    pool_every=1,
    anchor_every=2,
    learn=MovesConfig(kl_coef=0.1, epochs=2, learning_rate=2e-3),
)
# loop, task, settings; all but star need what earlier iterations stored, rlvr, sft, absolute_zero and a learned
# verifier in their state
LOOPS = {
    "star": (
        star,
        "addition",
        StarConfig(iterations=3, problems_per_iteration=30, steps=3, batch_size=8, test_per_difficulty=3),
    ),
    "rest_em": (
        rest_em,
        "sums",
        RestEmConfig(3, problems=10, k=3, accumulate=True, sft=QUICK, validation_problems=5, test_per_difficulty=3),
    ),
    "rest_em_scorer": (
        rest_em,
        "sums",
        RestEmConfig(
            3,
            problems=10,
            k=3,
            scorer=ScorerConfig("majority", problems=10, retrain="own", sft=QUICK),
            sft=QUICK,
            validation_problems=0,
            test_per_difficulty=3,
        ),
    ),
    "rlvr": (
        rlvr,
        "sums",
        RlvrConfig(3, pool=16, problems=10, k=3, epochs=2, batch_size=8, test_per_difficulty=3, test_samples=2),
    ),
    "sft": (
        sft_on_gold,
        "sums",
        GoldConfig(3, pool=16, problems=12, batch_size=5, measure_every=2, test_per_difficulty=3, test_samples=2),
    ),
    "absolute_zero": (absolute_zero, "expressions", SELF_PLAY),
    "game_self_play": (game_self_play, "game:kuhn", GAMES_OF_SELVES),
    "quiet_star": (
        quiet_star,
        "chains",
        QuietStarConfig(3, steps=3, batch_size=2, length=25, test_texts=4),
    ),
    "spin": (
        spin,
        "replies",
        SpinConfig(3, references=16, kind="tspin", batch_size=8, test_per_difficulty=3, exact_per_difficulty=1),
    ),
    "collapse": (
        collapse,
        "sums",
        CollapseConfig(3, problems=10, regime="accumulate", sft=QUICK, test_per_difficulty=3),
    ),
}


def records(run: Run, loop: str = "star") -> list[dict]:
    """The whole run, on one thread."""
    torch.set_num_threads(1)
    play, task, config = LOOPS[loop]
    return list(play(load_policy(load_task(task).base or task), load_task(task), config, run))


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Doomed(Run):
    """Dies in the stage it was told to."""

    def __init__(self, folder: str, iteration: int, point: str) -> None:
        super().__init__(folder)
        self.iteration, self.point = iteration, point
        self.entered: Counter[tuple[int, str]] = Counter()

    @contextmanager
    def stage(self, name: str, total: int = 1, unit: str = ""):
        """A stage that may not end."""
        here = len(self.records), name
        self.entered[here] += 1
        with super().stage(name, total, unit) as tick:
            point = name if self.entered[here] == 1 else f"{name}-{self.entered[here]}"
            doomed = point == self.point and len(self.records) == self.iteration

            def count(n: int) -> None:
                tick(n)
                if doomed:
                    die()

            yield count
            if doomed:
                die()


def doom_writes(run: Doomed) -> None:
    """Replace the moments of `Run.record` by ones that die."""
    save, replace, write = Policy.save, os.replace, runs.write_jsonl

    def now() -> bool:
        return len(run.records) == run.iteration

    def save_half(policy, folder):
        save(policy, folder)
        if now() and run.point == "checkpoint-half":
            weights = os.path.join(folder, "model.safetensors")
            os.truncate(weights, os.path.getsize(weights) // 2)
            die()

    def replace_then_die(old, new):
        replace(old, new)
        if now() and run.point == "checkpoint-done" and "iteration-" in str(new):
            die()

    def write_then_die(path, rows):
        if now() and run.point == "metrics-half" and path.name == "metrics.jsonl":
            path.with_name(".partial-metrics.jsonl").write_text('{"iteration": 0, "accu')
            die()
        write(path, rows)
        if now() and run.point == f"{path.parent.name if path.parent.name == 'data' else path.stem}-done":
            die()

    Policy.save, os.replace, runs.write_jsonl = save_half, replace_then_die, write_then_die


def kill(folder: Path, loop: str, iteration: int, point: str) -> None:
    """Start the run and see it die.

    Its process is forked off a server that has imported this module, which takes longer than the run.
    """
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["tests.killed_run"])
    process = server.Process(target=play, args=(str(folder), loop, iteration, point))
    process.start()
    process.join(300)
    assert process.exitcode == -signal.SIGKILL, f"exit code {process.exitcode}"


def play(folder: str, loop: str, iteration: int, point: str) -> None:
    """The run, up to that point."""
    doomed_run = Doomed(folder, iteration, point)
    doom_writes(doomed_run)
    records(doomed_run, loop)
