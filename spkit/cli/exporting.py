"""`spkit export`: a run as what others load, `datasets` folders and Hugging Face checkpoints."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..run.description import load_run
from ..run.errors import SpkitError
from ..run.files import read_jsonl

Row = dict[str, Any]


def export_run(folder: Path, to: Path, form: str) -> str:
    """Write a run in a form, `dataset`, `pairs` or `model`, to a new folder; one line that says what was written.

    Raises SpkitError if the folder is no run, there is nothing of that form in it, `to` is there already, or a package
    is missing.
    """
    description, records = load_run(folder)
    if to.exists():
        raise SpkitError(f"{to} is there already: choose another --to")
    if form == "model":
        return _model(folder, to, description, records)
    if importlib.util.find_spec("datasets") is None:
        raise SpkitError("spkit export writes a dataset with the package datasets: pip install 'selfplay-kit[scale]'")
    rows = list(sample_rows(folder) if form == "dataset" else pair_rows(folder, description))
    if not rows:
        raise SpkitError(
            f"{folder} has no {'samples' if form == 'dataset' else 'pairs'} to export yet: let it finish one"
        )
    from datasets import Dataset, disable_progress_bars

    disable_progress_bars()
    Dataset.from_list(rows).save_to_disk(str(to))
    return f"{len(rows)} rows of {', '.join(rows[0])} are in {to}: datasets.load_from_disk({str(to)!r})"


def sample_rows(folder: Path) -> Iterator[Row]:
    """prompt, completion, reward, step (the iteration) and role of every completion that the run kept a text of."""
    for row in read_jsonl(folder / "samples.jsonl"):
        yield {
            "prompt": row["prompt"],
            "completion": row["completion"],
            "reward": float(row["correct"]),
            "step": row["iteration"],
            "role": row.get("role", "solver"),
        }


def pair_rows(folder: Path, description: Row) -> Iterator[Row]:
    """prompt, chosen (the reference), rejected (the opponent's reply) and step of every pair of a run of SPIN.

    Raises SpkitError for another method, and for references of the reader's own, which a run does not keep.
    """
    if description["method"] != "spin":
        raise SpkitError(f"pairs are of runs of spin, and {folder} is of {description['method']}: take --as dataset")
    from ..policy import load_policy
    from ..stages.references import draw_references, references_fingerprint
    from ..tasks import load_task

    config = description["config"]
    real = draw_references(load_task(description["task"]), config["seed"], config["references"])
    if config["wrong"] or references_fingerprint(real) != description["references"]:
        raise SpkitError(f"{folder} learned from references that are not the task's own, so its pairs are not known")
    policy = load_policy(_last_checkpoint(folder))
    for file in sorted((folder / "data").glob("iteration-*.jsonl")):
        stored = read_jsonl(file, ("prompt", "token_ids"))
        for (prompt, reply), row in zip(real, stored):
            text = policy.tokenizer.decode(row["token_ids"], skip_special_tokens=True)
            yield {"prompt": prompt, "chosen": reply, "rejected": text, "step": int(file.stem.split("-")[1])}


def _last_checkpoint(folder: Path) -> Path:
    found = sorted((folder / "checkpoints").glob("iteration-*"))
    if not found:
        raise SpkitError(f"{folder} has no checkpoint yet: let it finish an iteration")
    return found[-1]


def _model(folder: Path, to: Path, description: Row, records: list[Row]) -> str:
    from ..policy import load_policy
    from ..policy.checkpoints import no_bars

    last = records[-1]["iteration"] if records else 0
    if not last:
        raise SpkitError(f"{folder} has no policy but its base yet: let it finish an iteration")
    policy = load_policy(folder / "checkpoints" / f"iteration-{last:04d}")
    policy = policy.merged() if hasattr(policy, "merged") else policy
    with no_bars():
        policy.model.save_pretrained(to)
    policy.tokenizer.save_pretrained(to)
    (to / "README.md").write_text(model_card(description, records), encoding="utf-8")
    return f"the policy of iteration {last} is in {to}: AutoModelForCausalLM.from_pretrained(...)"


def model_card(description: Row, records: list[Row]) -> str:
    """What the checkpoint is, from which run, what was measured, and whose licence holds."""
    first, last = records[0], records[-1]
    measured = [f"- {key}: {first[key]:.3f} before, {last[key]:.3f} after" for key in ("accuracy",) if key in last]
    settings = [f"- {name}: {value}" for name, value in description["config"].items()]
    base = description.get("origin") or f"the model with fingerprint {description['base']}"
    lines = [
        f"# {description['method']} on {description['task']}",
        "",
        f"The policy after {last['iteration']} iterations of a run of spkit, made from {base}.",
        "The licence of that base holds for this model, too. One run: nothing is claimed beyond these numbers.",
        *["", "## Measured on the task's test problems", *measured, "", "## Settings", *settings, ""],
    ]
    return "\n".join(lines)
