"""How the house is built: imports point one way, a name means one thing, and nothing grows long again.

The layers are in pyproject.toml (`tool.importlinter`); CONTRIBUTING.md says what lives where.
"""

import ast
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[1]
SPKIT = ROOT / "spkit"
MODULES = sorted(SPKIT.rglob("*.py"))
ENTRIES, LOOP_FILE, LOOP_BODY, FUNCTION, FUNCTION_P90, MODULE, LINE = 16, 150, 45, 60, 20, 320, 120
SAME_MEANING = {  # names at top level in more than one module, and what they mean in each
    "main": "what `python -m` runs",
    "play": "the records of self-play on a toy game, one an iteration",
    "Example": "a prompt with completions, to train on or to show",
    "SOURCE": "the public files of a data set, and what reads them",
    "read_row": "a row of a data set's file as a problem",
    # the two languages of proposable problems (`tasks.base.Proposable`), expressions and Python
    "CHECKS": "the check of each kind of problem",
    "SEED": "the identity, the one triplet that self-play starts from",
    "problem_about": "the problem of a kind about a program and its inputs",
    "proposal": "what a proposer's text comes to",
    "proposal_text": "a triplet as a proposer writes it",
    "inputs_text": "inputs as a proposer of induction writes them",
    "proposer_prompt": "what a proposer reads",
    "proposer_examples": "solved proposals to show",
    "random_program": "a program drawn at random",
    "read_program": "a program in a text, None if there is none",
}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(path: Path) -> list[tuple[int, str]]:
    """(lines, docstring included; where) of every function of a module, those inside others too."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [(n.end_lineno - n.lineno + 1, f"{name_of(path)}: {n.name}") for n in nodes if isinstance(n, kinds)]


def top_level(path: Path) -> set[str]:
    """The public names that a module defines at its top level; what it imports is not among them."""
    names: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        names |= {n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)}
    return {name for name in names if not name.startswith("_")}


def repeats(paths: list[Path]) -> dict[str, list[str]]:
    """Names that more than one of the modules defines, and which ones."""
    where = defaultdict(list)
    for path in paths:
        for name in top_level(path):
            where[name].append(name_of(path))
    return {name: sorted(modules) for name, modules in where.items() if len(modules) > 1}


def test_imports_point_one_way_and_in_no_circle(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    assert lint_imports(no_cache=True) == 0, capsys.readouterr().out


def test_every_package_has_its_layer():
    """A new package under spkit/ must be put into the layers, or nothing is promised of it."""
    layers = (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition("layers = [")[2].partition("]")[0]
    packages = {f"spkit.{path.parent.name}" for path in SPKIT.glob("*/__init__.py")}
    assert packages == {
        part.strip(' ",\n') for line in layers.splitlines() for part in line.split("|") if "spkit" in part
    }


def test_a_newcomer_sees_the_whole_house_at_one_look():
    entries = [path.name for path in SPKIT.iterdir() if path.name not in ("__init__.py", "__pycache__")]
    assert len(entries) <= ENTRIES, sorted(entries)


@pytest.mark.parametrize("path", sorted((SPKIT / "loops").glob("[a-z]*.py")), ids=lambda path: path.stem)
def test_a_loop_is_read_in_one_sitting(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LOOP_FILE
    rounds = [
        n
        for n in ast.walk(ast.parse(text))
        if isinstance(n, ast.For) and ast.unparse(n.iter) == "run.iterations(config)"
    ]
    assert all(node.end_lineno - node.lineno <= LOOP_BODY for node in rounds)
    assert len(rounds) == 1, "a loop has one `for t in run.iterations(config)`"


def test_functions_are_short():
    lengths = sorted(pair for path in MODULES for pair in functions(path))
    assert not [pair for pair in lengths if pair[0] > FUNCTION]
    assert lengths[int(0.9 * len(lengths))][0] <= FUNCTION_P90, lengths[int(0.9 * len(lengths))]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_modules_are_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MODULE


def test_a_name_at_top_level_means_one_thing():
    found = repeats(MODULES)
    unknown = {name: modules for name, modules in found.items() if name not in SAME_MEANING}
    assert not unknown, "rename one of them, share it, or say in SAME_MEANING why it means the same thing"
    assert set(SAME_MEANING) <= set(found), "SAME_MEANING lists a name that is no longer repeated"


def test_a_repeated_name_would_be_found(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text("from os import sep\nX, _Y = 1, 2\n\n\ndef f():\n    Z = 1\n")
    assert repeats([tmp_path / "a.py", tmp_path / "b.py"]) == {"X": ["a.py", "b.py"], "f": ["a.py", "b.py"]}


def test_ruff_finds_nothing():
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", "spkit", "tests"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
