"""`spkit export RUN --as script`: a folder with a script that needs TRL alone, the model it starts from and its rows.

Of RLVR the script is the whole run, with samples of TRL's own; of ReST^EM and SPIN it is what the last iteration
learned, since the rows of a later one are written by the policy that this one makes.
"""

from pathlib import Path
from typing import Any, NamedTuple

from ..run.errors import SpkitError
from ..run.files import read_jsonl
from .exported_rows import Row, pair_rows
from .script_text import SCORES, VERIFIER, script_text


class ExportedRun(NamedTuple):
    """A run to make a script of: its folder, what it is, its settings, its last iteration and policy."""

    folder: Path
    about: Row
    config: Any
    last: int
    policy: Any


class Script(NamedTuple):
    """What a script is made of: TRL's name of the trainer, its settings, the first policy, rows, text of a reward."""

    kind: str
    settings: Row
    start: Any
    rows: list[Row]
    verifier: str = ""


def write_script(source: ExportedRun, to: Path) -> str:
    """Write train.py, model and rows to a new folder; one line that says what was written.

    Raises SpkitError for a method whose rows a run does not keep, a setting that TRL has no word for, and a base that
    is not known.
    """
    from datasets import Dataset, disable_progress_bars

    from ..engines.installed import TRIED_TRL
    from ..policy.checkpoints import no_bars

    method = source.about["method"]
    if method not in MAKERS:
        raise SpkitError(f"{source.folder}: scripts are of runs of {', '.join(MAKERS)}, not of {method}")
    script = MAKERS[method](source)
    part = "the run" if method == "rlvr" else f"what iteration {source.last} learned"
    about = f"{method} on {source.about['task']}, seed {source.config.seed}: {part}, with TRL."
    common = {"report_to": [], "bf16": False, "gradient_checkpointing": False, "logging_steps": 1}
    lora = _settings(source).get("lora")
    text = script_text(script.kind, about, common | script.settings, TRIED_TRL, lora, script.verifier)
    to.mkdir(parents=True)
    disable_progress_bars()
    script.start.model.generation_config.eos_token_id = sorted(script.start.stop_ids)
    with no_bars():
        script.start.model.save_pretrained(to / "model")
    script.start.tokenizer.save_pretrained(to / "model")
    Dataset.from_list(script.rows).save_to_disk(str(to / "rows"))
    (to / "train.py").write_text(text, encoding="utf-8")
    return f"{len(script.rows)} rows, a model and a script are in {to}: python {to / 'train.py'}"


def _grpo(source: ExportedRun) -> Script:
    from ..engines.translate import grpo_settings, shown_prompt, steps_of_an_iteration
    from ..stages.propose import fixed_problems
    from ..stages.solve import longest_completion
    from ..tasks import load_task

    task, config = load_task(source.about["task"]), source.config
    settings = grpo_settings(config, 1, longest_completion(source.policy, task))
    settings |= {"max_steps": steps_of_an_iteration(config) * source.last}
    asked = [one for t in range(1, source.last + 1) for one in fixed_problems(task, config, t)]
    places = [place % config.pool for place in range(len(asked))]
    rows = [{"prompt": shown_prompt(source.policy, one.prompt), "problem": place} for one, place in zip(asked, places)]
    words = {"task": task.name, "stops": sorted(source.policy.stop_ids), "seed": config.seed}
    verifier = VERIFIER.format(score=SCORES[config.reward], **words)
    return Script("GRPO", settings, _base(source), rows, verifier)


def _sft(source: ExportedRun) -> Script:
    config, policy = source.config, source.policy
    kept = range(1 if config.accumulate else source.last, source.last + 1)
    files = [source.folder / "data" / f"iteration-{t:04d}.jsonl" for t in kept]
    rows = []
    for row in (row for file in files for row in read_jsonl(file, ("prompt", "token_ids"))):
        prompt = policy.prompt_ids(row["prompt"])
        ids = prompt + row["token_ids"]
        rows.append({"input_ids": ids, "labels": [-100] * len(prompt) + row["token_ids"]})
    settings = {"max_steps": config.sft.steps, "max_grad_norm": config.sft.clip, "max_length": None}
    settings |= _schedule(config.seed, config.sft) | {"weight_decay": config.sft.weight_decay}
    return Script("SFT", settings, _base(source) if config.restart == "base" else _before(source), rows)


def _dpo(source: ExportedRun) -> Script:
    from ..engines.translate import check_pairs, pair_loss

    check_pairs(source.config)
    if source.config.kind == "dpo" or source.config.preference or source.config.kl:
        raise SpkitError("a script has the pairs of SPIN alone: not those of kind=dpo, preference or kl")
    update, pairs = source.config.update(source.last), pair_rows(source.folder, source.about)
    wanted = source.config.trained_on(source.last)
    rows = [_shown_pair(source.policy, row) for row in pairs if row["step"] in wanted]
    settings = {"loss_type": [pair_loss(update.kind)], "beta": update.beta, "num_train_epochs": update.epochs}
    settings |= {"max_length": None, "max_grad_norm": update.clip} | _schedule(source.config.seed, update)
    return Script("DPO", settings | {"precompute_ref_log_probs": True}, _before(source), rows)


def _shown_pair(policy: Any, row: Row) -> Row:
    from ..engines.translate import shown_prompt

    prompt = shown_prompt(policy, row["prompt"])
    chat = not isinstance(prompt, str)
    reply = lambda text: [{"role": "assistant", "content": text}] if chat else text
    return {"prompt": prompt, "chosen": reply(row["chosen"]), "rejected": reply(row["rejected"])}


def _schedule(seed: int, update: Any) -> Row:
    """Batches and learning rate of an update, `SftConfig` or SPIN's."""
    return {
        "seed": seed,
        "per_device_train_batch_size": update.batch_size,
        "learning_rate": update.learning_rate,
        "lr_scheduler_type": "linear",
        "warmup_steps": update.warmup,
    }


def _settings(source: ExportedRun) -> Row:
    from ..policy.checkpoints import read_settings

    return read_settings(source.folder / "checkpoints" / f"iteration-{source.last:04d}")


def _before(source: ExportedRun) -> Any:
    """The policy that the last iteration started from, adapters merged."""
    from ..policy import load_policy

    folder = source.folder / "checkpoints" / f"iteration-{source.last - 1:04d}"
    if source.last == 1:
        return _base(source)
    if not folder.is_dir():
        raise SpkitError(f"{folder} is gone, where the last iteration started: let the run finish another one")
    policy = load_policy(folder)
    return policy.merged() if hasattr(policy, "merged") else policy


def _base(source: ExportedRun) -> Any:
    """The base of the run, without adapters. Raises SpkitError if it is neither a shipped model nor one by name."""
    from ..policy import load_policy
    from ..tasks import load_task

    settings, task = _settings(source), load_task(source.about["task"])
    if "base" in settings:
        return load_policy(settings["base"], revision=settings["revision"])
    base = load_policy(task.base or task.name).prompted(source.policy.prompting)
    if base.fingerprint() != source.about["base"]:
        raise SpkitError(
            f"the base of {source.folder} is not the shipped model of its task, and a run keeps its name with --lora "
            "alone: its script cannot be written"
        )
    return base


MAKERS = {"rlvr": _grpo, "rest_em": _sft, "spin": _dpo}
