"""What `spkit diagnose` goes by in runs of Absolute Zero with one part broken: tests/data/diagnose/self-play.json.gz.

They are the runs of the claims, all their rollouts read. The file is made again (a minute) by
python -m tests.diagnose.keep_runs runs/claims tests/data/diagnose/self-play.json.gz
"""

import gzip
import json
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spkit.diagnose import read_run
from spkit.diagnose.steps import Agreement, Checked, Evidence, Step

RUNS = {  # what was done to the run: the name of the experiment
    "nothing": "az",
    "proposer frozen": "az-frozen",
    "proposer uniform": "az-uniform",
    "random rewards": "az-random",
    "verifier wrong 3 times in 10": "az-flipped",
    "vote behind the gate": "az-vote",
    "vote, no gate": "az-vote-off",
    "no gate": "az-off",
    "reward for hardness, no gate": "az-hardness",
}
SEEDS = (0, 1, 2)
PLAIN = ("binary", "reward_gap", "self_play", "accuracy_was_read", "length_unit", "length_pays")


def as_data(evidence: Evidence) -> dict[str, Any]:
    """Evidence as plain data; what is None is left out of the steps, and so are reward functions."""
    steps = [
        {key: round(value, 5) for key, value in asdict(step).items() if isinstance(value, (int, float))}
        for step in evidence.steps
    ]
    agreements = {name: asdict(getattr(evidence, name)) for name in ("texts", "answers")}
    checked = [[*key, count] for key, count in evidence.checked.counts.items()]
    return {"steps": steps, **agreements, "checked": checked, **{name: getattr(evidence, name) for name in PLAIN}}


def as_evidence(name: str, data: dict[str, Any]) -> Evidence:
    """And back."""
    steps = tuple(Step(**step) for step in data["steps"])
    agreements = {
        key: Agreement(**{**data[key], "squares": tuple(data[key]["squares"])}) for key in ("texts", "answers")
    }
    checked = Checked(Counter({(accepted, right): count for accepted, right, count in data["checked"]}))
    return Evidence(name, steps, **agreements, checked=checked, **{key: data[key] for key in PLAIN})


def load(path: Path) -> dict[str, list[Evidence]]:
    """By what was done to the run, one a seed."""
    kept = json.loads(gzip.decompress(path.read_bytes()))
    return {name: [as_evidence(name, one) for one in seeds] for name, seeds in kept.items()}


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    kept = {name: [as_data(read_run(source / f"{run}-seed{seed}")) for seed in SEEDS] for name, run in RUNS.items()}
    with gzip.GzipFile(target, "wb", mtime=0) as file:
        file.write(json.dumps(kept, separators=(",", ":")).encode())
