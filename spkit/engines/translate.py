"""The settings and prompts of our loops in TRL's words; what it has no word for is refused by name."""

from typing import Any

from ..policy import Policy
from ..run.errors import SpkitError

LOSS_WORDS = {"sequence": "grpo", "token": "dapo", "constant": "dr_grpo"}
SCALES = {"grpo": "group", "dr_grpo": "none"}
PAIR_LOSSES = {"logistic": "sigmoid", "hinge": "hinge", "dpo": "sigmoid"}  # kinds of SPIN that DPOTrainer has
REWARDS = ("gold", "steps", "all_steps", "graded")  # what a verdict says alone, without the others of its problem


def check_translatable(config: Any) -> None:
    """Raise SpkitError that names the first setting of `RlvrConfig` which GRPOTrainer has no word for."""
    refused = {
        "reward": (config.reward, REWARDS),
        "advantage": (config.advantage, tuple(SCALES)),
        **({"kl": (config.kl, ("k3",))} if config.kl_coef else {}),
    }
    for name, (value, known) in refused.items():
        if value not in known:
            raise SpkitError(
                f"the engine trl has no word for {name}={value}: choose {name} among {', '.join(known)}, or leave "
                "--engine out"
            )
    if config.problems * config.k % config.batch_size:
        raise SpkitError(
            f"the engine trl takes steps of equal size: choose a batch_size that divides the {config.problems} x "
            f"{config.k} samples of an iteration, not {config.batch_size}"
        )


def pair_loss(kind: str) -> str:
    """DPOTrainer's name of a loss of SPIN. Raises SpkitError where it has none."""
    if kind not in PAIR_LOSSES:
        raise SpkitError(
            f"the engine trl has no word for kind={kind}: choose kind among {', '.join(PAIR_LOSSES)}, or leave "
            "--engine out"
        )
    return PAIR_LOSSES[kind]


def check_pairs(config: Any) -> None:
    """Raise SpkitError that names the first setting of `SpinConfig` which DPOTrainer has no word for."""
    pair_loss(config.kind)
    if config.preference and config.kind == "hinge":
        raise SpkitError(
            f"the engine trl has one loss for all pairs, and no word for preference={config.preference:g} with "
            "kind=hinge: choose kind=logistic, or leave --engine out"
        )


def rows_of_a_process(config: Any, processes: int) -> int:
    """Rows of one forward and backward pass of one process: the most that `rows_at_once` allows.

    Raises SpkitError if the rows of a step cannot be shared out evenly.
    """
    own, rest = divmod(config.batch_size, processes)
    if rest:
        raise SpkitError(
            f"{processes} processes cannot share the {config.batch_size} rows of a step: change batch_size"
        )
    return max(rows for rows in range(1, min(own, config.rows_at_once) + 1) if own % rows == 0)


def steps_of_an_iteration(config: Any) -> int:
    """Optimizer steps of an iteration."""
    return config.problems * config.k // config.batch_size * config.epochs


def grpo_settings(config: Any, processes: int, length: int) -> dict[str, Any]:
    """The arguments of `trl.GRPOConfig` for an `RlvrConfig`; `length` is of the longest completion, in tokens."""
    check_translatable(config)
    rows = rows_of_a_process(config, processes)
    return {
        "seed": config.seed,
        "max_steps": steps_of_an_iteration(config) * config.iterations,
        "per_device_train_batch_size": rows,
        "gradient_accumulation_steps": config.batch_size // (rows * processes),
        "steps_per_generation": config.problems * config.k // (rows * processes),
        "num_generations": config.k,
        "num_iterations": config.epochs,
        "max_completion_length": length,
        "shuffle_dataset": False,
        "learning_rate": config.learning_rate,
        "lr_scheduler_type": "constant",
        "weight_decay": 0.0,
        "max_grad_norm": 1.0,
        "loss_type": LOSS_WORDS[config.aggregation],
        "scale_rewards": SCALES[config.advantage],
        "epsilon": config.clip_low,
        "epsilon_high": config.clip_high,
        "beta": config.kl_coef,
        "entropy_coef": config.entropy_coef,
        "temperature": 1.0,
    }


def shown_prompt(policy: Policy, prompt: str) -> Any:
    """The prompt in the form that TRL takes: turns of a chat, or the text with solved examples before it."""
    if policy.prompting.kind == "chat":
        return policy.prompting.turns(prompt)
    return policy.prompting.render(policy.tokenizer, prompt)
