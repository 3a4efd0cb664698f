"""Every notebook runs, shows what is committed, and shows something: `pytest tests/notebooks`.

nbval compares each cell's committed output with a fresh run, in a process of its own so that its options stay out of
the other tests. It compares nothing in a notebook without outputs or execution counts, so that is checked here.
"""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from spkit.exercises.student import student_text
from spkit.policy.profiles import profile
from spkit.run.streams import generator
from spkit.stages.solve import solve
from spkit.tasks import load_task
from spkit.tasks import problems as asked
from tests.helpers import whole
from tests.llama_like import save_llama
from tests.pictures import startup

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ROOT / "notebooks"
STRICT, LAX = "--nbval", "--nbval-lax"  # compare every output, or only those of cells marked NBVAL_CHECK_OUTPUT
COMPARED = {  # one line a notebook
    "00_self_play_toy_example.ipynb": STRICT,
    "01_self_play_fundamentals.ipynb": LAX,  # the three-token model, the proposer reward and the ledger are marked
    "02_self_training_star_rest.ipynb": LAX,  # samples of a model: another machine rounds otherwise
    "03_spin_adversarial_imitation.ipynb": LAX,  # its exact tables and the ledger are marked
    "04_quiet_star.ipynb": LAX,  # floors and advantages are marked; sampled thoughts differ elsewhere
    "05_what_training_changes.ipynb": LAX,  # the ledger is marked; training differs elsewhere
    "07_a_game_against_itself.ipynb": LAX,  # the rules of the game are marked; training differs elsewhere
    "solutions/00_self_play_toy_example.ipynb": STRICT,
    # exact tables are marked; what the model writes may differ elsewhere
    "solutions/01_self_play_fundamentals.ipynb": LAX,
    "solutions/02_self_training_star_rest.ipynb": LAX,
    "solutions/03_spin_adversarial_imitation.ipynb": LAX,  # its exact tables are marked; training runs add up roundings
    "solutions/04_quiet_star.ipynb": LAX,  # its exact tables are marked; thoughts of a model elsewhere
    "solutions/05_what_training_changes.ipynb": LAX,  # the control is marked; trained weights differ elsewhere
    "solutions/07_a_game_against_itself.ipynb": LAX,  # the step with an anchor is marked; a model is read and plays
}
# The longest: `make test` runs the cells of these that are compared and what they need, `make test-all` all cells.
CELLS_ALONE = (
    "01_self_play_fundamentals.ipynb",
    "02_self_training_star_rest.ipynb",
    "03_spin_adversarial_imitation.ipynb",
    "04_quiet_star.ipynb",
    "05_what_training_changes.ipynb",
    "07_a_game_against_itself.ipynb",
    "solutions/01_self_play_fundamentals.ipynb",
    "solutions/02_self_training_star_rest.ipynb",
    "solutions/03_spin_adversarial_imitation.ipynb",
    "solutions/05_what_training_changes.ipynb",
)
# These train a model that has to be fetched: `make real` runs them on it, and a tiny one of its architecture does here.
REAL = ("06_a_real_language_model.ipynb",)
SHOWS = {"print", "show", "display"}  # a cell that calls one of these, or ends in an expression, shows something


def code_cells(path: Path) -> list[dict]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code" and "".join(cell["source"]).strip()]


def shows(source: str) -> bool:
    """Whether running the cell leaves an output; calls inside the functions it defines do not count."""
    body = [node for node in ast.parse(source).body if not isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    calls = (node.func for top in body for node in ast.walk(top) if isinstance(node, ast.Call))
    return bool(body) and (
        isinstance(body[-1], ast.Expr) or any(getattr(f, "id", getattr(f, "attr", "")) in SHOWS for f in calls)
    )


def problems(cells: list[dict]) -> list[str]:
    """What would make nbval compare nothing, or fail elsewhere."""
    found = []
    for number, cell in enumerate(cells):
        source = "".join(cell["source"])
        texts = json.dumps(
            [output.get("text") or output.get("data", {}).get("text/plain") for output in cell["outputs"]]
        )
        if cell["execution_count"] is None:
            found.append(f"code cell {number} never ran")
        if shows(source) and not cell["outputs"]:
            found.append(f"code cell {number} prints and has no committed output")
        if any(output["output_type"] == "error" or output.get("name") == "stderr" for output in cell["outputs"]):
            found.append(f"code cell {number} shows an error or a warning")
        if re.search(r"(?<![\w:/.])/(?:[\w.-]+/){2,}[\w.-]+", texts):
            found.append(f"code cell {number} shows a path of somebody's machine")
        if any("NBVAL_" in text and not re.fullmatch(r"\s*# NBVAL_[A-Z_]+\s*", text) for text in source.splitlines()):
            found.append(f"code cell {number}: an nbval marker must stand alone on its line")
    return found


def run(name: str, folder: Path, *, threads: int, variables: dict[str, str] | None = None) -> None:
    """Run a notebook and compare; each figure that it draws fills its canvas, and every word on it can be read."""
    pictures = folder / "pictures.jsonl"
    command = [
        sys.executable,
        "-m",
        "pytest",
        COMPARED.get(name, LAX),
        "--nbval-current-env",
        "-p",
        "no:cacheprovider",
        "-q",
        str(NOTEBOOKS / name),
    ]
    inherited = {
        name: value for name, value in os.environ.items() if name != "MPLBACKEND"
    }  # another backend would leave no pictures
    environment = inherited | {
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        **startup(folder / "ipython", pictures),
        **(variables or {}),
    }
    done = subprocess.run(command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    drawn = (
        [json.loads(line) for line in pictures.read_text(encoding="utf-8").splitlines()] if pictures.exists() else []
    )
    assert bool(drawn) == ("image/png" in (NOTEBOOKS / name).read_text(encoding="utf-8"))
    assert not [row for row in drawn if row["unreadable"] or row["share"] < 0.6]


def test_every_notebook_is_in_the_table():
    there = {
        p.relative_to(NOTEBOOKS).as_posix()
        for folder in (".", "solutions")
        for p in (NOTEBOOKS / folder).glob("*.ipynb")
    }
    assert there == {*COMPARED, *REAL}


@pytest.mark.parametrize("name", [*COMPARED, *REAL])
def test_what_is_committed_can_be_compared(name):
    cells = code_cells(NOTEBOOKS / name)
    assert cells and not problems(cells)
    assert any("assert " in "".join(cell["source"]) for cell in cells)  # pictures are never compared


@pytest.mark.parametrize("name", [*(name for name in COMPARED if name not in CELLS_ALONE), *whole(*CELLS_ALONE)])
def test_a_fresh_run_shows_what_is_committed(name, tmp_path):
    pytest.importorskip("nbval")
    run(name, tmp_path, threads=2)


def test_the_compared_cells_of_the_longest_notebooks_show_what_is_committed():
    command = [sys.executable, "-m", "tests.portable.cells", *CELLS_ALONE, "--strict"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    for name, line in zip(CELLS_ALONE, done.stdout.splitlines(), strict=True):
        marked = ["# NBVAL_CHECK_OUTPUT" in "".join(cell["source"]) for cell in code_cells(NOTEBOOKS / name)]
        assert json.loads(line)["ran"] >= sum(marked) > 0, name


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory) -> Path:
    return save_llama(tmp_path_factory.mktemp("real") / "tiny")


@pytest.mark.parametrize("name", REAL)
def test_the_code_of_a_real_models_notebook_runs_on_a_tiny_one(name, stand_in, tmp_path):
    pytest.importorskip("nbval")
    run(name, tmp_path, threads=1, variables={"SPKIT_PROFILE": "real", "SPKIT_MODEL": str(stand_in)})


def test_the_tiny_one_is_right_now_and_then_so_that_the_notebook_trains(stand_in):
    task = load_task("stories")
    policy = profile({"SPKIT_PROFILE": "real", "SPKIT_MODEL": str(stand_in)}).load(task)
    drawn = solve(policy, task, asked(task, 0, 0, 12), 8, temperature=0.7, generator=generator(0, 1, "grow"))
    assert 0 < drawn.correct.sum() < 48 and policy.prompting.kind == "chat" and policy.model.name is None


@pytest.mark.parametrize("name", REAL)
def test_without_the_model_the_first_cell_says_so_in_one_sentence(name, tmp_path):
    source = "".join(code_cells(NOTEBOOKS / name)[0]["source"])
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SPKIT_CACHE": str(tmp_path)}
    client = NotebookClient(notebook, allow_errors=True, kernel_name="python3")
    client.execute(env=environment)
    (output,) = [one for one in notebook.cells[0].outputs if one.output_type == "error"]
    assert output.traceback == [
        "NotFetched: the model smollm2 is not on this machine yet: fetch it with `spkit model smollm2` (93 MB)"
    ]


@pytest.mark.parametrize("path", sorted((NOTEBOOKS / "solutions").glob("*.ipynb")), ids=lambda path: path.name)
def test_the_student_notebook_is_in_step_with_its_solutions(path):
    student = NOTEBOOKS / "exercises" / path.name
    assert student.read_text(encoding="utf-8") == student_text(path), "run: python -m spkit.exercises generate"
    assert "SOLUTION" not in student.read_text(encoding="utf-8")


def cell(source: str, *, count: int | None = 1, outputs: tuple = ()) -> dict:
    return {"source": source, "execution_count": count, "outputs": list(outputs)}


SHOWN = {"output_type": "stream", "name": "stdout", "text": ["1\n"]}


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (cell("x = 1", count=None), "never ran"),
        (cell("print(1)"), "no committed output"),
        (cell("for i in range(3):\n    print(i)"), "no committed output"),
        (cell("x = 1\nx"), "no committed output"),
        (cell("plt.show()"), "no committed output"),
        (
            cell("x = 1", outputs=({"output_type": "stream", "name": "stderr", "text": "careful"},)),
            "error or a warning",
        ),
        (cell("print(1)", outputs=({**SHOWN, "text": ["/some/body/home.txt"]},)), "path of somebody"),
        (cell("x = 1  # NBVAL_IGNORE_OUTPUT"), "alone on its line"),
    ],
)
def test_the_check_sees_what_nbval_would_not(bad, message):
    assert any(message in problem for problem in problems([bad]))


def test_the_check_accepts_a_good_cell():
    quiet = cell("def f():\n    print(1)\n\nx = f")
    assert not problems([cell("# NBVAL_IGNORE_OUTPUT\nprint(1)", outputs=(SHOWN,)), quiet])
