"""Seconds of an RLVR iteration, here and in TRL's GRPOTrainer, same base, problems, rollouts, steps and
threads; the reward curves.

    python tests/bench/rlvr_vs_trl.py [--task sums] [--threads 1] [--rounds 3] [--iterations 6]

An iteration is 64 problems x 8 rollouts at temperature 1, the checker, and four optimizer steps of 128 rollouts (GRPO's
advantage, DAPO's average over tokens, clip 0.2, no distance to the base, AdamW at a constant rate, gradient norm 1).
Both start from the same base and meet the same problems in the same order. Not counted: setting up, and measuring on
test problems. The two take turns, a round is a seed, and the ratio is taken within each round, between medians over its
iterations but the first, which warms up: machines are noisy. It is taken of seconds on the clock and of seconds of the
processor; on a machine that others use, the second is the one to believe. Needs the `peers` extra.
"""

import argparse
import statistics
import tempfile
import time
from contextlib import contextmanager

import torch
import transformers

from spkit.loops.rlvr import RlvrConfig, fixed_problems, rlvr
from spkit.policy import load_policy
from spkit.policy.checkpoints import no_bars
from spkit.run.folder import Run
from spkit.stages.solve import longest_completion
from spkit.tasks import load_task

Curve = list[tuple[float, float, float]]  # one (seconds on the clock, of the processor, mean reward) an iteration


def now() -> tuple[float, float]:
    """Seconds on the clock and of the processor."""
    return time.perf_counter(), time.process_time()


def since(start: tuple[float, float], end: tuple[float, float]) -> tuple[float, float]:
    """The seconds of both kinds from one moment to another."""
    return end[0] - start[0], end[1] - start[1]


class Timed(Run):
    """A run that knows how much of its time went into measuring."""

    measuring = (0.0, 0.0)

    @contextmanager
    def stage(self, name: str, total: int = 1, unit: str = ""):
        """A stage whose seconds add up if it measures."""
        begun = now()
        with super().stage(name, total, unit) as tick:
            yield tick
        if name == "measure":
            self.measuring = since((-self.measuring[0], -self.measuring[1]), since(begun, now()))


def ours(name: str, config: RlvrConfig) -> Curve:
    """The loop as it is run, less the seconds of its measuring."""
    curve, run = [], Timed()
    begun = since(run.measuring, now())
    for row in rlvr(load_policy(name), load_task(name), config, run):
        ended = since(run.measuring, now())
        if row["iteration"] > 0:
            curve.append((*since(begun, ended), row["reward"]))
        begun = ended
    return curve


class Clock(transformers.TrainerCallback):
    """The moment at which each iteration of their trainer ends."""

    def __init__(self, steps: int) -> None:
        self.steps, self.moments = steps, []

    def on_train_begin(self, args, state, control, **_):
        self.moments.append(now())

    def on_step_end(self, args, state, control, **_):
        if state.global_step % self.steps == 0:
            self.moments.append(now())


def theirs(name: str, config: RlvrConfig, rows_at_once: int) -> Curve:
    """TRL's trainer on the same, its rollouts of an iteration sampled in one batch, and so many in a
    forward and backward pass.
    """
    import datasets
    import trl

    task, policy = load_task(name), load_policy(name)
    steps = config.problems * config.k // config.batch_size
    asked = [problem for t in range(1, config.iterations + 1) for problem in fixed_problems(task, config, t)]
    known, rewards = {problem.prompt: problem for problem in asked}, []

    def checked(prompts, completions, completion_ids, **_):
        ended = [ids[-1] == policy.tokenizer.eos_token_id for ids in completion_ids]
        right = [
            end and task.verify(known[p], text).correct
            for p, text, end in zip(prompts, completions, ended, strict=True)
        ]
        rewards.append(sum(right) / len(right))
        return [float(flag) for flag in right]

    clock = Clock(steps)
    with tempfile.TemporaryDirectory() as folder:
        arguments = trl.GRPOConfig(
            folder,
            seed=config.seed,
            max_steps=steps * config.iterations,
            per_device_train_batch_size=rows_at_once,
            gradient_accumulation_steps=config.batch_size // rows_at_once,
            steps_per_generation=steps * config.batch_size // rows_at_once,
            num_generations=config.k,
            max_completion_length=longest_completion(policy, task),
            shuffle_dataset=False,
            learning_rate=config.learning_rate,
            lr_scheduler_type="constant",
            weight_decay=0.0,
            max_grad_norm=1.0,
            loss_type="dapo",
            epsilon=config.clip_low,
            epsilon_high=config.clip_high,
            beta=0.0,
            temperature=1.0,
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            report_to=[],
            logging_strategy="no",
            save_strategy="no",
            disable_tqdm=True,
        )
        rows = datasets.Dataset.from_list([{"prompt": problem.prompt} for problem in asked])
        trainer = trl.GRPOTrainer(
            policy.model, checked, arguments, rows, processing_class=policy.tokenizer, callbacks=[clock]
        )
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()
    return [
        (*since(start, end), reward)
        for start, end, reward in zip(clock.moments, clock.moments[1:], rewards, strict=False)
    ]


def main() -> None:
    """Print one line a round, the median ratio, and the mean reward of each iteration with its spread over rounds."""
    import trl

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="sums")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=6)
    parser.add_argument("--rows", type=int, default=128, help="rollouts of a forward and backward pass of TRL")
    parser.add_argument("--learning-rate", type=float, default=RlvrConfig().learning_rate)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    transformers.logging.set_verbosity_error()
    curves, ratios = {"spkit": [], "TRL": []}, []
    print(
        f"TRL {trl.__version__}, transformers {transformers.__version__}, torch {torch.__version__}, "
        f"{arguments.task}, {arguments.threads} threads"
    )
    with no_bars():
        for seed in range(arguments.rounds):
            config = RlvrConfig(
                arguments.iterations, seed, learning_rate=arguments.learning_rate, test_per_difficulty=1, test_samples=1
            )
            rounds = {"TRL": theirs(arguments.task, config, arguments.rows), "spkit": ours(arguments.task, config)}
            for side, curve in rounds.items():
                curves[side].append([reward for *_, reward in curve])
            (a, x), (b, y) = (
                [statistics.median(column) for column in list(zip(*curve[1:]))[:2]] for curve in rounds.values()
            )
            ratios.append((a / b, x / y))
            print(
                (
                    f"round {seed}: TRL {a:6.2f} s ({x:.2f} of the processor)   spkit {b:6.2f} s ({y:.2f})   "
                    f"ratio {a / b:.2f} ({x / y:.2f})"
                ),
                flush=True,
            )
    for kind, column in zip(("on the clock", "of the processor"), zip(*ratios)):
        print(f"median ratio {statistics.median(column):.2f} {kind}, {min(column):.2f} to {max(column):.2f}")
    for side, rows in curves.items():
        print(f"{side:>6} reward  " + "  ".join(f"{statistics.mean(column):.3f}" for column in zip(*rows)))
    apart = [
        statistics.mean(a - b for a, b in zip(ours_, theirs_)) for ours_, theirs_ in zip(curves["spkit"], curves["TRL"])
    ]
    error = statistics.stdev(apart) / len(apart) ** 0.5 if len(apart) > 1 else float("nan")
    print(
        f"mean over iterations of the difference: {statistics.mean(apart):+.4f}, standard error over rounds {error:.4f}"
    )


if __name__ == "__main__":
    main()
