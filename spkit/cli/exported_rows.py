"""The rows of a run as `spkit export` writes them: completions with their rewards, and the pairs of SPIN."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..run.errors import SpkitError
from ..run.files import read_jsonl

Row = dict[str, Any]


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
