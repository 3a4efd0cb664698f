"""Seconds of an update of a real model with LoRA: `Policy.fit` beside TRL's `SFTTrainer`, in one process.

    python tests/bench/updates.py MODEL [--threads 1] [--rounds 3] [--rows 64] [--batch 16]

MODEL is a checkpoint folder or a hub id. Both fine-tune the same adapter shape (rank 16, all linear layers, no dropout)
in float32 on the same rows, prompts shown as a chat and short rationales after them, in one pass of batches of the
same size; the loss counts completions alone, and neither computes layers again (no gradient checkpointing). The two
take turns, and the ratio is taken within each turn: machines are noisy. What is counted is the update alone, by the
clock and by the processor's time of this process, which other processes disturb less. The peak of memory of
each side is taken in a process of its own (`--alone spkit`, `--alone trl`).
"""

import argparse
import itertools
import resource
import statistics
import time
import warnings
from collections.abc import Callable
from tempfile import TemporaryDirectory

import torch
from transformers import AutoModelForCausalLM

from spkit.policy import Policy, SftConfig, load_policy
from spkit.policy.lora import LoraSettings
from spkit.policy.prompting import Prompting
from spkit.policy.rollouts import Pair
from spkit.tasks import load_task

RANK, RATE, LONGEST = 16, 1e-4, 40


def rows_of(policy: Policy, count: int) -> list[Pair]:
    """Word problems as a chat asks them, and careful solutions of at most LONGEST tokens."""
    task = load_task("word_problems")
    asked = (task.problem(0, index) for index in itertools.count())
    pairs = ((problem.prompt, policy.completion_ids(task.solution(problem))) for problem in asked)
    return list(itertools.islice((pair for pair in pairs if len(pair[1]) <= LONGEST), count))


def ours(base: Policy, pairs: list[Pair], batch: int) -> Callable[[], dict]:
    """An update of a fresh adapter."""
    policy, config = base.clone(), SftConfig(len(pairs) // batch, batch, RATE)
    return lambda: policy.fit(pairs, config, torch.Generator().manual_seed(0))


def theirs(source: str, base: Policy, pairs: list[Pair], batch: int, folder: str) -> Callable[[], dict]:
    """The same with a trainer of TRL, on a model of its own."""
    from datasets import Dataset
    from datasets.table import InMemoryTable
    from peft import LoraConfig
    from trl import SFTConfig, SFTTrainer

    prompts = [base.prompt_ids(prompt) for prompt, _ in pairs]
    rows = {
        "input_ids": [prompt + ids for prompt, (_, ids) in zip(prompts, pairs)],
        "completion_mask": [[0] * len(prompt) + [1] * len(ids) for prompt, (_, ids) in zip(prompts, pairs)],
    }
    settings = SFTConfig(
        folder,
        per_device_train_batch_size=batch,
        num_train_epochs=1,
        learning_rate=RATE,
        warmup_steps=1,
        max_grad_norm=1.0,
        completion_only_loss=True,
        max_length=None,
        gradient_checkpointing=False,
        bf16=False,
        use_cpu=True,
        report_to="none",
        save_strategy="no",
        logging_steps=1,
        disable_tqdm=True,
    )
    lora = LoraConfig(r=RANK, lora_alpha=2 * RANK, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM")
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32)
    data = Dataset(InMemoryTable.from_pydict(rows), fingerprint="rows")
    trainer = SFTTrainer(model, settings, train_dataset=data, processing_class=base.tokenizer, peft_config=lora)
    return lambda: trainer.train().metrics


def timed(update: Callable[[], dict]) -> tuple[float, float, dict]:
    """Seconds by the clock and of the processor, and what the update says of itself."""
    clock, processor = time.perf_counter(), time.process_time()
    numbers = update()
    return time.perf_counter() - clock, time.process_time() - processor, numbers


def main() -> None:
    """Print one line a turn and the median ratios, or what one side alone takes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--alone", choices=["spkit", "trl"])
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    warnings.simplefilter("ignore")
    settings = LoraSettings(rank=RANK, alpha=2 * RANK, gradient_checkpointing=False)
    base = load_policy(given.model, "cpu", lora=settings).prompted(Prompting("chat"))
    pairs = rows_of(base, given.rows)
    lengths = [(len(base.prompt_ids(prompt)), len(ids)) for prompt, ids in pairs]
    named = [f"{statistics.mean(part):.0f} ({min(part)} to {max(part)})" for part in zip(*lengths)]
    print(f"{len(pairs)} rows of {named[0]} prompt and {named[1]} completion tokens, batches of {given.batch}")
    with TemporaryDirectory() as folder:
        sides = {
            "trl": lambda: theirs(given.model, base, pairs, given.batch, folder),
            "spkit": lambda: ours(base, pairs, given.batch),
        }
        if given.alone:
            clock, processor, numbers = timed(sides[given.alone]())
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
            print(f"{given.alone}: {clock:.1f} s, {processor:.1f} s of the processor, peak {peak:.2f} GB, {numbers}")
            return
        ratios = []
        for _ in range(given.rounds):
            them, us = timed(sides["trl"]()), timed(sides["spkit"]())
            ratios.append((them[0] / us[0], them[1] / us[1]))
            print(
                f"TRL {them[0]:6.1f} s ({them[1]:6.1f} of the processor), loss {them[2]['train_loss']:.3f}   "
                f"spkit {us[0]:6.1f} s ({us[1]:6.1f}), loss {us[2]['loss_first']:.3f} to {us[2]['loss_last']:.3f}   "
                f"ratio {ratios[-1][0]:.2f} ({ratios[-1][1]:.2f})",
                flush=True,
            )
    clock, processor = (statistics.median(part) for part in zip(*ratios))
    print(f"median ratio {clock:.2f} by the clock, {processor:.2f} by the processor's time; {given.threads} threads")


if __name__ == "__main__":
    main()
