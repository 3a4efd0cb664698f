"""An update of SPIN: `learn_from_pairs` and TRL's `DPOTrainer` on the same pairs, from the same base.

SPIN's logistic loss is DPO's with the reference as chosen and the opponent's reply as rejected, and the opponent is the
policy as it starts. Both score each pair once under it and pass over the pairs once, with AdamW in batches of the same
size. Sampling the replies is not counted here: another line compares that. Needs the `peers` extra.
"""

from collections.abc import Callable

import torch
from transformers import PrinterCallback

from spkit.policy import Policy
from spkit.stages.contrasts import contrasts_of
from spkit.stages.learn_preference import Contrast, Update, batches, learn_from_pairs
from spkit.tasks import Task, problems
from tests.bench.costs import PLAIN_TRAINER

BETA, RATE, LIMIT = 1.0, 3e-4, 80


def pairs_of(policy: Policy, task: Task, count: int) -> tuple[list[str], list[Contrast]]:
    """Prompts, and a reference beside one reply of the policy each."""
    asked = problems(task, 0, 0, count)
    prompts = [problem.prompt for problem in asked]
    real = [policy.completion_ids(task.reference(problem)) for problem in asked]
    shown = policy.sample(prompts, temperature=1.0, max_new_tokens=LIMIT, generator=torch.Generator().manual_seed(0))
    return prompts, contrasts_of(policy, prompts, real, shown.token_ids, [None] * count)


def ours(base: Policy, pairs: list[Contrast], batch: int, seed: int) -> Callable[[], float]:
    """One pass on a fresh copy; returns how many pairs."""
    policy, update = base.clone(), Update("logistic", BETA, 1.0, 1, batch, RATE)

    def learn() -> float:
        generator = torch.Generator().manual_seed(seed)
        learn_from_pairs(policy, batches(policy, pairs, batch, generator), update, generator)
        return len(pairs)

    return learn


def theirs(
    base: Policy, prompts: list[str], pairs: list[Contrast], batch: int, seed: int, folder: str
) -> Callable[[], float]:
    """The same by `DPOTrainer`."""
    from datasets import Dataset, disable_progress_bars
    from trl import DPOConfig, DPOTrainer

    disable_progress_bars()

    policy = base.clone()
    text = lambda ids: policy.prompting.text(policy.tokenizer, ids, ids[-1] in policy.stop_ids, "")
    rows = [{"prompt": q, "chosen": text(p.real), "rejected": text(p.generated)} for q, p in zip(prompts, pairs)]
    arguments = DPOConfig(
        folder,
        beta=BETA,
        loss_type=["sigmoid"],
        per_device_train_batch_size=batch,
        num_train_epochs=1,
        learning_rate=RATE,
        warmup_steps=1,
        gradient_checkpointing=False,
        seed=seed,
        **PLAIN_TRAINER,
    )
    trainer = DPOTrainer(
        policy.model, args=arguments, train_dataset=Dataset.from_list(rows), processing_class=policy.tokenizer
    )
    trainer.remove_callback(PrinterCallback)

    def train() -> float:
        trainer.train()
        return len(pairs)

    return train
