"""Supervised updates of a tiny model: `Policy.fit` and Hugging Face's `Trainer` on the same rows, from the same base.

Both take the same number of optimizer steps of the same number of rows with AdamW, warmup and a linear decay, clip the
gradient's norm at 1 and count the loss on completions alone; rows are padded to the longest of their batch. Work is
counted in tokens read, those of prompts among them, and no padding.
"""

from collections.abc import Callable
from itertools import count, islice

import torch
from transformers import DataCollatorForSeq2Seq, PrinterCallback, Trainer, TrainingArguments

from spkit.policy import Policy, SftConfig
from spkit.policy.rollouts import Pair
from spkit.tasks import Task
from tests.bench.costs import PLAIN_TRAINER

IGNORED = -100  # the label of a token that the loss does not count
RATE = 5e-4


def rows_of(policy: Policy, task: Task, rows: int) -> list[Pair]:
    """Prompts of the task and their solutions, as token ids."""
    asked = islice((task.problem(0, index) for index in count()), rows)
    return [(problem.prompt, policy.completion_ids(task.solution(problem))) for problem in asked]


def tokens_of(policy: Policy, pairs: list[Pair]) -> int:
    """Tokens of prompts and completions."""
    return sum(len(policy.prompt_ids(prompt)) + len(ids) for prompt, ids in pairs)


def ours(base: Policy, pairs: list[Pair], batch: int, seed: int) -> Callable[[], float]:
    """One pass over the rows on a fresh copy; returns the tokens read."""
    policy = base.clone()
    config = SftConfig(len(pairs) // batch, batch, RATE)
    return lambda: policy.fit(pairs, config, torch.Generator().manual_seed(seed))["tokens_read"]


def theirs(base: Policy, pairs: list[Pair], batch: int, seed: int, folder: str) -> Callable[[], float]:
    """The same by `Trainer`."""
    policy, steps = base.clone(), len(pairs) // batch
    rows = [(policy.prompt_ids(prompt), ids) for prompt, ids in pairs]
    data = [
        {"input_ids": prompt + ids, "attention_mask": [1] * len(prompt + ids), "labels": [IGNORED] * len(prompt) + ids}
        for prompt, ids in rows
    ]
    arguments = TrainingArguments(
        folder,
        per_device_train_batch_size=batch,
        max_steps=steps,
        learning_rate=RATE,
        warmup_steps=max(1, steps // 10),
        seed=seed,
        **PLAIN_TRAINER,
    )
    collate = DataCollatorForSeq2Seq(policy.tokenizer, label_pad_token_id=IGNORED)
    trainer = Trainer(policy.model, arguments, collate, data)
    trainer.remove_callback(PrinterCallback)

    def train() -> float:
        trainer.train()
        return tokens_of(policy, pairs)

    return train
