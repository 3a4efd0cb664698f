"""Notebooks 01 to 03 in the gpu profile, from start to end: minutes, peak memory, and what each
concludes, under the card's name.

    SPKIT_PROFILE=gpu python -m tests.bench.gpu_notebooks                       # Qwen2.5-1.5B-Instruct on one CUDA card
    SPKIT_PROFILE=gpu SPKIT_MODEL=shipped python -m tests.bench.gpu_notebooks --out there   # the tiny models in 4
    bits: no network, nor a card

Writes OUT/DEVICE/NOTEBOOK.ipynb, with the figures, and OUT/DEVICE/summary.json: seconds, peak bytes on the card (or of
the process), the profile's own line, and every conclusion that held on the shipped models with whether it holds on this
one. The committed notebooks stay as they are.
"""

import argparse
import json
import os
import re
import time
from pathlib import Path

import nbformat
import torch
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ("01_self_play_fundamentals", "02_self_training_star_rest", "03_spin_adversarial_imitation")
PEAK = """
import resource, torch
resident = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print("PEAK", torch.cuda.max_memory_allocated() if torch.cuda.is_available() else resident)
"""


def executed(name: str, minutes: float) -> tuple[nbformat.NotebookNode, float]:
    """The notebook with this run's outputs, its last cell saying the peak memory; and seconds."""
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", 4)
    notebook.cells.append(nbformat.v4.new_code_cell(PEAK))
    client = NotebookClient(
        notebook, timeout=60 * minutes, kernel_name="python3", resources={"metadata": {"path": str(ROOT / "notebooks")}}
    )
    begun = time.perf_counter()
    client.execute()
    return notebook, time.perf_counter() - begun


def summary(notebook: nbformat.NotebookNode, seconds: float) -> dict[str, object]:
    """What the outputs say."""
    text = "".join(
        output.get("text", "") for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs
    )
    held = {
        line: word == "holds here too"
        for word, line in re.findall(r"^(holds here too|does NOT hold here): (.*)$", text, re.MULTILINE)
    }
    return {
        "seconds": round(seconds, 1),
        "peak_bytes": int(re.findall(r"^PEAK (\d+)$", text, re.MULTILINE)[-1]),
        "profile": re.findall(r"^profile: (.*)$", text, re.MULTILINE),
        "conclusions": held,
    }


def main() -> None:
    """Run them one after another.

    A notebook that fails is named in the summary with its error, and the next one runs.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "data" / "results" / "gpu")
    parser.add_argument("--minutes", type=float, default=60, help="Most minutes of one cell.")
    parser.add_argument("notebooks", nargs="*", default=NOTEBOOKS)
    arguments = parser.parse_args()
    os.environ["PYTHONPATH"] = str(ROOT)
    model = os.environ.get("SPKIT_MODEL")
    if model and Path(model).is_dir():
        os.environ["SPKIT_MODEL"] = str(Path(model).resolve())  # the kernels start elsewhere
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    folder = arguments.out / re.sub(r"\W+", "-", device).strip("-").lower()
    folder.mkdir(parents=True, exist_ok=True)
    results: dict[str, object] = {"device": device, "torch": torch.__version__}
    for name in arguments.notebooks:
        try:
            notebook, seconds = executed(name, arguments.minutes)
            nbformat.write(notebook, folder / f"{name}.ipynb")
            results[name] = summary(notebook, seconds)
        except Exception as error:
            results[name] = {"error": str(error).strip().splitlines()[-1]}
        (folder / "summary.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        print(json.dumps({name: results[name]}), flush=True)


if __name__ == "__main__":
    main()
