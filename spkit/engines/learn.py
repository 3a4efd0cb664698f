"""TRL's SFTTrainer and DPOTrainer as what takes the optimizer steps of a loop: `spkit run star --engine trl`.

The loop stays ours, and so do the rows and their order: a trainer is given our batches, one a step, our optimizer and
our schedule. What is left to it is the loss, its gradient, clipping and the steps. So a run by TRL has the records of a
run by our own code, up to rounding. A batch is one pass: nothing is split where memory runs out.

SPIN's opponent is asked before the first step, by us. Its log-probabilities (those of a mixture with an anchor, if
`kl` is not 0) are columns of the rows, where DPOTrainer keeps the ones that it computes itself.

What TRL leaves behind in a model, and is taken out again: it replaces `forward` by one that is bound to this model, so
that a deep copy would compute with the weights of the original.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice, pairwise
from typing import Any

import torch
from datasets import Dataset
from torch.utils.data import DataLoader
from transformers import LlamaConfig, LlamaForCausalLM, PrinterCallback, TrainerCallback
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

from ..policy import Policy
from ..policy.checkpoints import no_bars
from ..policy.row_budget import is_out_of_memory
from ..policy.steps import STEP_ADVICE
from ..policy.training import Example, SftConfig, adamw, epochs, learning_rate_factor, sft_numbers
from ..run.errors import NotFinite, SpkitError
from ..stages.learn_preference import Batch, Update, ends_of, largest_log_ratio, passes_over
from .trainer import common_settings, trainable
from .translate import pair_loss

_Row = dict[str, Any]
LOGGED_OF_PAIRS = {
    "reward_real": "rewards/chosen",
    "reward_generated": "rewards/rejected",
    "margin": "rewards/margins",
    "accuracy": "rewards/accuracies",
}


class GivenBatches:
    """For a trainer: the batches are the ones it is given, in their order."""

    def get_train_dataloader(self) -> DataLoader:
        """One batch a step."""
        return DataLoader(self.train_dataset, batch_sampler=self.given, collate_fn=self.data_collator)


class SftOnBatches(GivenBatches, SFTTrainer):
    """SFTTrainer on given batches of token ids."""


class DpoOnBatches(GivenBatches, DPOTrainer):
    """DPOTrainer on given batches of token ids, whose rows have the log-probabilities of the reference."""

    def _prepare_dataset(self, dataset: Dataset, *_: Any) -> Dataset:
        return dataset

    def _precompute_ref_logps(self, dataset: Dataset, *_: Any) -> Dataset:
        return dataset


class StepNumbers(TrainerCallback):
    """Keeps what a trainer logs of every step. Raises NotFinite if it diverges."""

    def __init__(self, on_step: Callable[[int, float], None]) -> None:
        self.on_step, self.logs = on_step, []

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:
        """A step is done."""
        if "loss" not in logs:
            return
        if not all(torch.isfinite(torch.tensor([logs["loss"], logs["grad_norm"]]))):
            found = f"the loss is {logs['loss']:.4g} and the norm of its gradient {logs['grad_norm']:.4g}"
            raise NotFinite(f"{found} at step {len(self.logs) + 1}: {STEP_ADVICE}")
        self.logs.append(logs)
        self.on_step(len(self.logs), logs["loss"])


class TrlEngine:
    """SFTTrainer for `Policy.fit`, DPOTrainer for `learn_from_pairs` (see `spkit.policy.engine.Engine`)."""

    name = "trl"

    def fit(
        self,
        policy: Policy,
        examples: Sequence[Example],
        config: SftConfig,
        generator: torch.Generator,
        on_step: Callable[[int, float], None],
    ) -> dict[str, float]:
        """Fine-tune the policy in place; returns what `spkit.policy.training.sft` does."""
        taken = list(islice(epochs(examples, config.batch_size, generator), config.steps))
        rows = [[_sft_row(example) for example in batch] for batch in taken]
        settings = {"max_length": None, "max_grad_norm": config.clip}
        logs = _trained(policy, rows, config, on_step, SftOnBatches, SFTConfig, settings)
        return sft_numbers([log["loss"] for log in logs], taken)

    def learn_from_pairs(
        self,
        policy: Policy,
        scored: Sequence[Batch],
        update: Update,
        generator: torch.Generator,
        on_step: Callable[[int], None],
    ) -> dict[str, float]:
        """Train the policy in place; returns what the function of this name does, without `max_abs_reward`."""
        start = largest_log_ratio(policy, scored[0])
        rows = [_pair_rows(batch) for batch in passes_over(scored, update.epochs, generator)]
        schedule = SftConfig(len(rows), update.batch_size, update.learning_rate, update.warmup)
        settings = {
            "loss_type": [pair_loss(update.kind)],
            "beta": update.beta,
            "precompute_ref_log_probs": True,
            "max_length": None,
            "max_grad_norm": update.clip,
        }
        each = lambda step, loss: on_step(1)
        logs = _trained(policy, rows, schedule, each, DpoOnBatches, DPOConfig, settings, ref_model=_never_asked())
        return {"steps": len(rows), "start_log_ratio": start, **ends_of([_numbers(log, update.beta) for log in logs])}


def _trained(
    policy: Policy,
    batches: Sequence[Sequence[_Row]],
    schedule: SftConfig,
    on_step: Callable[[int, float], None],
    kind: type,
    arguments: type,
    settings: _Row,
    **more: Any,
) -> list[dict[str, float]]:
    """What a trainer of this kind logs of its steps on the batches; the policy is trained in place."""
    steps, ends, rows = StepNumbers(on_step), [0], [row for batch in batches for row in batch]
    for batch in batches:
        ends.append(ends[-1] + len(batch))
    optimizer = adamw(policy.model, schedule.learning_rate, schedule.weight_decay)
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: learning_rate_factor(step, schedule))
    settings |= {"max_steps": len(batches), "save_strategy": "no", "logging_nan_inf_filter": False}
    with _as_it_was(policy), no_bars(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # names that TRL still uses
        trainer = kind(
            trainable(policy),
            args=arguments(**common_settings(), **settings),
            train_dataset=Dataset.from_list(rows),
            processing_class=policy.tokenizer,
            callbacks=[steps],
            optimizers=(optimizer, rate),
            **more,
        )
        trainer.remove_callback(PrinterCallback)
        trainer.given = [range(start, end) for start, end in pairwise(ends)]
        _train(trainer, max(map(len, batches)))
    return steps.logs


def _train(trainer: Any, rows: int) -> None:
    try:
        trainer.train()
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise SpkitError(
            f"memory ran out in a batch of {rows} rows, which TRL takes in one pass: take a smaller batch_size, or "
            "leave --engine out"
        ) from error


@contextmanager
def _as_it_was(policy: Policy) -> Iterator[None]:
    """Give the model its own `forward` and its evaluation mode back at the end."""
    backbone = getattr(policy.model, "backbone", None)
    model = policy.model if backbone is None else backbone.model.get_base_model()
    before = vars(model).get("forward")
    try:
        yield
    finally:
        vars(model).pop("forward", None)
        if before is not None:
            model.forward = before
        (policy.model if backbone is None else backbone.model).eval()
        if backbone is not None:
            backbone.training = False


def _never_asked() -> LlamaForCausalLM:
    """A reference for DPOTrainer, which copies an adapter of its own naming where it has none."""
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    return LlamaForCausalLM(LlamaConfig(vocab_size=8, **sizes))


def _sft_row(example: Example) -> _Row:
    hidden = [-100] * len(example.prompt)
    return {"input_ids": example.prompt + example.completion, "labels": hidden + example.completion}


def _pair_rows(batch: Batch) -> list[_Row]:
    count, opponent = len(batch.examples) // batch.roles, batch.opponent.tolist()
    return [
        {
            "prompt_ids": batch.examples[row].prompt,
            "chosen_ids": batch.examples[row].completion,
            "rejected_ids": batch.examples[count + row].completion,
            "ref_chosen_logps": opponent[row],
            "ref_rejected_logps": opponent[count + row],
        }
        for row in range(count)
    ]


def _numbers(log: dict[str, float], beta: float) -> dict[str, float]:
    """A step's numbers under the names of `spin_loss`."""
    found = {name: log[key] for name, key in LOGGED_OF_PAIRS.items()}
    shifts = {f"displacement_{side}": found[f"reward_{side}"] / beta for side in ("real", "generated")}
    return {"loss": log["loss"], **found, **shifts}
