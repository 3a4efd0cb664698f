"""The logs in tests/data/diagnose: short runs of RLVR on shipped bases, some with a fault on purpose.

Run it again (ten minutes on 2 cores): python -m tests.diagnose.make_logs tests/data/diagnose [fault ...]
Each run leaves FAULT-SEED.jsonl.gz, every rollout in spkit's own format, FAULT-SEED.metrics.jsonl, the records
of the loop, and, where the verifier is what is wrong, FAULT-SEED.audit.jsonl, sixty rollouts with what the
exact check says of them.
"""

import gzip
import json
import random
import sys
import time
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

from spkit.loops import rlvr as loop
from spkit.policy import load_policy
from spkit.tasks import Addition, Sums

SUMS = {
    "iterations": 10,
    "pool": 2000,
    "problems": 16,
    "k": 8,
    "batch_size": 64,
    "learning_rate": 1e-4,
    "test_per_difficulty": 10,
}
WORLDS = {  # fault: (base, task, settings)
    "healthy": ("sums", replace(Sums(), difficulties=(3, 4, 5, 6)), SUMS),
    "noisy": ("sums", replace(Sums(), difficulties=(3, 4, 5, 6)), {**SUMS, "reward": "noisy", "flip_rate": 0.3}),
    "easy": ("sums", replace(Sums(), difficulties=(2,)), SUMS),
    "hard": ("addition", replace(Addition(), difficulties=(4, 5)), {**SUMS, "iterations": 6}),
    "majority": (
        "sums",
        replace(Sums(), difficulties=(3, 4, 5, 6)),
        {**SUMS, "iterations": 20, "learning_rate": 1e-3, "reward": "majority"},
    ),
    "diverged": ("sums", replace(Sums(), difficulties=(3, 4, 5, 6)), {**SUMS, "learning_rate": 5e-3}),
}
SEEDS = (0, 1, 2)
AUDITED = 60


def make(fault: str, seed: int, folder: Path) -> None:
    """One run, with the rollouts caught where they are rewarded."""
    base, task, settings = WORLDS[fault]
    config, rows, checked, original = loop.RlvrConfig(seed=seed, **settings), [], [], loop.scores_of

    def catch(attempts, task, *rest):
        step, rewards = len(rows) // (config.problems * config.k) + 1, original(attempts, task, *rest)
        for sample, reward in zip(attempts.samples(task), rewards.flatten().tolist()):
            problem = sample.problem
            rows.append(
                {
                    "step": step,
                    "prompt": problem.prompt,
                    "completion": sample.text,
                    "reward": reward,
                    "gold": problem.answer,
                }
            )
            checked.append({**rows[-1], "correct": sample.verdict.correct})
        return rewards

    with patch.object(loop, "scores_of", catch):
        records = list(loop.rlvr(load_policy(base), task, config))
    with gzip.GzipFile(folder / f"{fault}-{seed}.jsonl.gz", "wb", mtime=0) as file:
        file.write("".join(json.dumps(row) + "\n" for row in rows).encode())
    kept = [{key: value for key, value in record.items() if key not in ("samples", "seconds")} for record in records]
    (folder / f"{fault}-{seed}.metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in kept))
    if fault == "noisy":
        audit = random.Random(seed).sample(checked, AUDITED)
        (folder / f"{fault}-{seed}.audit.jsonl").write_text("".join(json.dumps(row) + "\n" for row in audit))


if __name__ == "__main__":
    out, *faults = sys.argv[1:]
    for name in faults or WORLDS:
        for number in SEEDS:
            begun = time.time()
            make(name, number, Path(out))
            print(f"{name}-{number}: {time.time() - begun:.0f} s", flush=True)
