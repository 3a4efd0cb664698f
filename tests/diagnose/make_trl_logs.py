"""The logs in tests/data/diagnose/trl: short runs of TRL's GRPOTrainer on the shipped model of sums, as it logs them
itself (`log_completions=True`), healthy and with a fault on purpose.

Run it again (a minute a run on one core; needs trl): python -m tests.diagnose.make_trl_logs FOLDER [fault-seed ...]
Each run leaves FAULT-SEED.jsonl.gz: the rows of the parquet files that TRL wrote, one after another.
"""

import gzip
import json
import random
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

SEEDS = range(5)
STEPS, K, GROUPS = 12, 8, 8
FAULTS = {  # fault: the trainer's settings, chance of a flipped verdict, what ends a completion (None: the model's)
    "healthy": ({}, 0.0, None),
    "short": ({"max_completion_length": 12}, 0.0, None),
    "noisy": ({}, 0.3, None),
    "hot": ({"learning_rate": 1e-2}, 0.0, None),
    "endless": ({}, 0.0, "="),
}


def make(fault: str, seed: int, folder: Path) -> None:
    """One run of TRL, and its log."""
    import pyarrow.parquet
    import torch
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    from spkit.policy import load_policy
    from spkit.tasks import Sums

    torch.set_num_threads(1)
    settings, flip, end = FAULTS[fault]
    policy, task = load_policy("sums"), replace(Sums(), difficulties=(3, 4, 5, 6))
    problems = {one.prompt: one for one in (task.problem(seed, index) for index in range(2000))}
    draw, tokenizer = random.Random(seed), policy.tokenizer
    if end is not None:
        tokenizer.eos_token = end
        policy.model.generation_config.eos_token_id = tokenizer.eos_token_id

    def accuracy(prompts, completions, **_):
        verdicts = (task.verify(problems[prompt], text).correct for prompt, text in zip(prompts, completions))
        return [float(right ^ (draw.random() < flip)) for right in verdicts]

    with tempfile.TemporaryDirectory() as place:
        config = GRPOConfig(
            output_dir=place,
            max_steps=STEPS,
            per_device_train_batch_size=K * GROUPS,
            num_generations=K,
            seed=seed,
            use_cpu=True,
            bf16=False,
            beta=0.0,
            report_to=[],
            logging_steps=1,
            log_completions=True,
            save_strategy="no",
            disable_tqdm=True,
            **{"max_completion_length": 64, "learning_rate": 1e-4, **settings},
        )
        data = Dataset.from_list([{"prompt": one.prompt, "gold": one.answer} for one in problems.values()])
        GRPOTrainer(policy.model, accuracy, config, data, processing_class=tokenizer).train()
        files = sorted(Path(place).glob("completions/*.parquet"))
        rows = [row for file in files for row in pyarrow.parquet.read_table(file).to_pylist()]
    with gzip.GzipFile(folder / f"{fault}-{seed}.jsonl.gz", "wb", mtime=0) as file:
        file.write("".join(json.dumps(row) + "\n" for row in rows).encode())


if __name__ == "__main__":
    out, *chosen = sys.argv[1:]
    for name in chosen or [f"{fault}-{seed}" for seed in SEEDS for fault in FAULTS]:
        begun = time.time()
        make(name.rpartition("-")[0], int(name.rpartition("-")[2]), Path(out))
        print(f"{name}: {time.time() - begun:.0f} s", flush=True)
