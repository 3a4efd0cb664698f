"""`spkit export`: a run as what others load, `datasets` folders, Hugging Face checkpoints and scripts for TRL."""

import importlib.util
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from ..loops import load_method
from ..run.description import load_run
from ..run.errors import SpkitError
from ..run.files import write_atomic
from ..run.json_files import dumps, read_object
from ..run.settings import changed
from .exported_rows import Row, pair_rows, sample_rows
from .exporting_scripts import ExportedRun, write_script
from .output import say


@dataclass(frozen=True)
class Export:
    """A run as what others load: a folder of `datasets`, preference pairs, a Hugging Face checkpoint, a script."""

    folder: tyro.conf.Positional[Path]  # a run folder
    to: Path  # a new folder
    # dataset: prompt, completion, reward, step, role; pairs: prompt, chosen, rejected, step, of SPIN; model: merged;
    # adapter: LoRA, for peft; script: the run for TRL alone, with its first model and rows
    as_: Annotated[Literal["dataset", "pairs", "model", "adapter", "script"], tyro.conf.arg(name="as")] = "dataset"

    def run(self) -> None:
        """Write it, and say what it is."""
        say(export_run(self.folder, self.to, self.as_))


def export_run(folder: Path, to: Path, form: str) -> str:
    """Write a run in a form (`spkit export --help` lists them) to a new folder; one line that says what was written.

    Raises SpkitError if the folder is no run, there is nothing of that form in it, `to` is there already, or a package
    is missing.
    """
    description, records = load_run(folder)
    if to.exists():
        raise SpkitError(f"{to} is there already: choose another --to")
    if form in ("model", "adapter"):
        return (_model if form == "model" else _adapter)(to, *_last_policy(folder, records), description, records)
    if importlib.util.find_spec("datasets") is None:
        raise SpkitError("spkit export writes rows with the package datasets: pip install 'selfplay-kit[scale]'")
    if form == "script":
        policy, last = _last_policy(folder, records)
        return write_script(ExportedRun(folder, description, settings_of(description), last, policy), to)
    rows = list(sample_rows(folder) if form == "dataset" else pair_rows(folder, description))
    if not rows:
        raise SpkitError(
            f"{folder} has no {'samples' if form == 'dataset' else 'pairs'} to export yet: let it finish one"
        )
    from datasets import Dataset, disable_progress_bars

    disable_progress_bars()
    Dataset.from_list(rows).save_to_disk(str(to))
    return f"{len(rows)} rows of {', '.join(rows[0])} are in {to}: datasets.load_from_disk({str(to)!r})"


def _last_policy(folder: Path, records: list[Row]) -> tuple[Any, int]:
    from ..policy import load_policy

    last = records[-1]["iteration"] if records else 0
    if not last:
        raise SpkitError(f"{folder} has no policy but its base yet: let it finish an iteration")
    return load_policy(folder / "checkpoints" / f"iteration-{last:04d}"), last


def settings_of(description: Row) -> Any:
    """The settings of a run, as its loop takes them."""
    kind = load_method(description["method"].replace("_", "-"))[1]
    return changed(kind(), dict(_by_dotted_name(description["config"])))


def _by_dotted_name(settings: Row, inside: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _by_dotted_name(value, f"{inside}{name}.")
        else:
            plain = {"inf": math.inf, "-inf": -math.inf}.get(value, value) if isinstance(value, str) else value
            yield inside + name, tuple(plain) if isinstance(plain, list) else plain


def _model(to: Path, policy: Any, last: int, description: Row, records: list[Row]) -> str:
    from ..policy.checkpoints import no_bars

    policy = policy.merged() if hasattr(policy, "merged") else policy
    with no_bars():
        policy.model.save_pretrained(to)
    policy.tokenizer.save_pretrained(to)
    (to / "README.md").write_text(model_card(description, records), encoding="utf-8")
    return f"the policy of iteration {last} is in {to}: AutoModelForCausalLM.from_pretrained(...)"


def _adapter(to: Path, policy: Any, last: int, description: Row, records: list[Row]) -> str:
    """The adapter alone; in its settings the base has the name that the run was given, and no path of this machine."""
    if not hasattr(policy, "merged"):
        raise SpkitError("this run trained all weights, so it has no adapter (--lora trains one): take --as model")
    base = policy.model.backbone.origin["base"]
    policy.model.save(to)
    policy.tokenizer.save_pretrained(to)
    file = to / "adapter_config.json"
    write_atomic(
        file, dumps({**read_object(file, "export it again"), "base_model_name_or_path": base}, indent=2) + "\n"
    )
    how = f"PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(BASE), {str(to)!r}), BASE being {base}"
    (to / "README.md").write_text(model_card(description, records, base), encoding="utf-8")
    return f"the adapter of iteration {last} is in {to}: {how}"


def model_card(description: Row, records: list[Row], adapted: str = "") -> str:
    """What the checkpoint is, from which run, what was measured, and whose licence holds; `adapted` is the name of the
    model that it is an adapter of, if it is one.
    """
    first, last = records[0], records[-1]
    known = "accuracy" in first and "accuracy" in last
    measured = [f"- accuracy: {first['accuracy']:.3f} before, {last['accuracy']:.3f} after"] if known else []
    settings = [f"- {name}: {value}" for name, value in description["config"].items()]
    base = description.get("origin") or adapted or f"the model with fingerprint {description['base']}"
    lines = [
        f"# {description['method']} on {description['task']}",
        "",
        *(["A LoRA adapter, to load with peft on top of its base.", ""] if adapted else []),
        f"The policy after {last['iteration']} iterations of a run of spkit, made from {base}.",
        "The licence of that base holds for this model, too. One run: nothing is claimed beyond these numbers.",
        *["", "## Measured on the task's test problems", *measured, "", "## Settings", *settings, ""],
    ]
    return "\n".join(lines)
