"""RLVR with TRL's GRPOTrainer as the engine, on one process or several: `spkit run rlvr --engine trl`.

The trainer takes the optimizer steps. Problems, prompts, samples and verdicts are ours: the samples of iteration t are
drawn row by row from the same stream as in `spkit.loops.rlvr`, whatever the number of processes, so one process and two
draw the same ones from the same weights. With vLLM the samples are its own.

An iteration is what one batch of samples gives, `problems` x `k`. When its last step is done, TRL writes its checkpoint
(optimizer, schedule, random states) under FOLDER/trl, and then process 0 closes the iteration in our folder. A row in
metrics.jsonl is what makes it done, so a process that is killed anywhere goes on from the last row. Completions are in
TRL's own format in FOLDER/trl/completions.

Not tried: models in shards (FSDP, DeepSpeed stage 3), which are refused; vLLM, for want of a GPU.
"""

import json
import shutil
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import broadcast_object_list, gather_object
from datasets import Dataset
from transformers import PrinterCallback, TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from ..maths.advantages import useful_groups
from ..policy import Policy
from ..policy.checkpoints import no_bars
from ..run.errors import SpkitError
from ..run.folder import Run
from ..run.streams import generator
from ..stages.measure import attempt_counts, measure_when_due
from ..stages.propose import fixed_problems
from ..stages.solve import Attempts, longest_completion
from ..tasks import Problem, Task
from .rewards import Judged, reward_functions
from .trainer import common_settings, trainable
from .translate import grpo_settings, shown_prompt, steps_of_an_iteration

Emit = Callable[[dict[str, Any]], None]
LOGGED = {"loss": "loss", "grad_norm": "grad_norm", "entropy": "entropy", "kl": "kl"}
CHECKPOINTS = 2  # checkpoints of TRL: the one of the last row is there until the next row is written


class Counts:
    """Stands for `Rollouts` where a record counts samples."""

    def __init__(self, judged: Sequence[Judged]) -> None:
        self.finished = [one.finished for one in judged]
        self.token_ids = [range(one.tokens) for one in judged]
        self.tokens = sum(one.tokens for one in judged)


class Recorder(TrainerCallback):
    """Closes an iteration of our run whenever TRL has saved its own checkpoint."""

    def __init__(self, base: Policy, policy: Policy, task: Task, config: Any, run: Run, emit: Emit) -> None:
        self.base, self.policy, self.task, self.config, self.run, self.emit = base, policy, task, config, run, emit
        self.judged: list[Judged] = []
        self.logs: list[dict[str, float]] = []
        self.learning: Any = None

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The first step of an iteration begins its time."""
        if self.learning is None:
            self.learning = self.run.stage("learn")
            self.learning.__enter__()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:
        """Keep the numbers of a step."""
        if "loss" in logs:
            self.logs.append(logs)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """TRL's checkpoint is there: write the record, on process 0."""
        self.learning.__exit__(None, None, None)
        judged = gather_object(self.judged)
        if args.process_index == 0:
            self._close(state.global_step // steps_of_an_iteration(self.config), [Judged(*one) for one in judged])
        self.judged, self.logs, self.learning = [], [], None
        _state().wait_for_everyone()

    def _close(self, t: int, judged: list[Judged]) -> None:
        config, run = self.config, self.run
        rewards = torch.tensor([one.reward for one in judged]).view(-1, config.k)
        attempts = Attempts(fixed_problems(self.task, config, t), config.k, Counts(judged), [o.verdict for o in judged])
        numbers = {name: [log[key] for log in self.logs if key in log] for key, name in LOGGED.items()}
        learned = {name: sum(values) / len(values) for name, values in numbers.items() if values}
        run.spend(sampled_tokens=attempts.rollouts.tokens, optimizer_steps=len(self.logs))
        row = run.record(
            t,
            self.policy,
            reward=rewards.double().mean().item(),
            useful_groups=useful_groups(rewards),
            learned={"steps": len(self.logs), "loss_first": self.logs[0]["loss"], **learned},
            **attempt_counts(attempts),
            **measure_when_due(self.policy, self.base, self.task, config, run, t),
        )
        self.emit(row)


def run_grpo(base: Policy, task: Task, config: Any, run: Run, emit: Emit, *, vllm: str = "no") -> None:
    """Run RLVR (`RlvrConfig`) in the run's folder, or continue it; `emit` is given every record, on process 0 alone.

    On other processes `run` has no folder. Raises SpkitError for a setting that TRL has no word for, and what `Run`
    does.
    """
    state = _state()
    settings = grpo_settings(config, state.num_processes, longest_completion(base, task))
    base, policy = run.begin("rlvr", task, base, config, engine="trl")
    if state.is_main_process:
        first = lambda: run.record(0, base, **measure_when_due(base, base, task, config, run, 0))
        for row in run.replay(config, first):
            emit(row)
    done = _agreed(len(run.records) - 1)
    if done >= config.iterations:
        run.close()
        return
    folder = Path(_agreed(str(run.folder or ""))) / "trl"
    trained = policy.clone() if done == 0 else policy
    recorder = Recorder(base, trained, task, config, run, emit)
    steps = steps_of_an_iteration(config)
    start = _checkpoint(folder, done, steps, state)
    with no_bars(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # names that TRL still uses
        settings |= _places(folder, vllm, steps)
        trainer = _trainer(trained, task, config, run, recorder, settings)
        trainer.train(resume_from_checkpoint=start)
    run.close()


def _trainer(
    policy: Policy, task: Task, config: Any, run: Run, recorder: Recorder, settings: dict[str, Any]
) -> GRPOTrainer:
    asked = [one for t in range(1, config.iterations + 1) for one in fixed_problems(task, config, t)]
    arguments = GRPOConfig(**settings)
    shown = [shown_prompt(policy, one.prompt) for one in asked]
    rows = Dataset.from_list([{"prompt": prompt, "problem": i} for i, prompt in enumerate(shown)])

    def heard(judged: list[Judged]) -> None:
        recorder.judged = judged

    functions, weights = reward_functions(policy, task, asked, config.reward, heard)
    arguments.reward_weights = weights
    policy.model.generation_config.eos_token_id = sorted(policy.stop_ids)
    trainer = GRPOTrainer(
        trainable(policy),
        functions,
        arguments,
        rows,
        processing_class=policy.tokenizer,
        callbacks=[recorder],
        rollout_func=None if arguments.use_vllm else sampler(policy, config, run, dict(zip(map(_key, shown), asked))),
    )
    trainer.remove_callback(PrinterCallback)
    if trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled:
        raise SpkitError("the engine trl was not tried with a model in shards: leave FSDP and DeepSpeed out")
    return trainer


def sampler(policy: Policy, config: Any, run: Run, known: dict[str, Problem]) -> Callable[..., dict[str, Any]]:
    """TRL's `rollout_func`: our samples, one a row, each row's randomness its own (see the module's text)."""

    def rollouts(prompts: list[Any], trainer: GRPOTrainer) -> dict[str, Any]:
        t = trainer.state.global_step // steps_of_an_iteration(config) + 1
        draw, length = generator(config.seed, t, "solve"), trainer.max_completion_length
        torch.rand((trainer.accelerator.process_index * len(prompts), length), generator=draw)  # of processes before
        asked = [known[_key(prompt)].prompt for prompt in prompts]
        with run.stage("solve", len(asked), "samples") as tick, torch.no_grad():
            drawn = policy.sample(asked, temperature=1.0, max_new_tokens=length, generator=draw, on_rows=tick)
        ids = {prompt: policy.prompt_ids(prompt) for prompt in dict.fromkeys(asked)}
        return {
            "prompt_ids": [ids[prompt] for prompt in asked],
            "completion_ids": drawn.token_ids,
            "logprobs": [row.tolist() for row in drawn.token_logprobs],
        }

    return rollouts


def _places(folder: Path, vllm: str, steps: int) -> dict[str, Any]:
    return common_settings() | {
        "output_dir": str(folder),
        "save_strategy": "steps",
        "save_steps": steps,
        "save_total_limit": CHECKPOINTS,
        "log_completions": True,
        "num_completions_to_print": 0,
        **({"use_vllm": True, "vllm_mode": vllm} if vllm != "no" else {}),
    }


def _checkpoint(folder: Path, done: int, steps: int, state: Any) -> str | None:
    """TRL's checkpoint of the last finished iteration; later ones, and what they logged, are removed."""
    last = folder / f"checkpoint-{done * steps}"
    if state.is_main_process:
        for path in [*folder.glob("checkpoint-*"), *folder.glob("completions/completions_*.parquet")]:
            if int(path.stem.rpartition("-" if path.is_dir() else "_")[2]) > done * steps:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    state.wait_for_everyone()
    if done and not last.is_dir():
        raise SpkitError(f"{last} is gone, so the run cannot go on: choose another --out")
    return str(last) if done else None


def _key(prompt: Any) -> str:
    return json.dumps(prompt)


def _state() -> Any:
    from accelerate import PartialState

    return PartialState()


def _agreed(value: Any) -> Any:
    """What process 0 says."""
    return broadcast_object_list([value])[0]
