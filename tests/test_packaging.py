"""The files that install the project agree with one another."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from spkit.cli.course import COURSE, copy_course
from spkit.run.errors import SpkitError
from tests.helpers import whole

ROOT = Path(__file__).parents[1]


def project() -> dict:
    if sys.version_info < (3, 11):
        pytest.skip("tomllib came with Python 3.11")
    import tomllib

    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def asked(extras: list[str]) -> set[str]:
    declared = project()
    return set(declared["dependencies"]).union(*(declared["optional-dependencies"][extra] for extra in extras))


def pins() -> list[Requirement]:
    lines = (line.split("#")[0].strip() for line in (ROOT / "constraints.txt").read_text().splitlines())
    return [Requirement(line) for line in lines if line]


def test_environment_yml_lists_what_pyproject_asks_for():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    python, _, pip = environment["dependencies"]
    assert python == f"python{project()['requires-python']}"
    lines = pip["pip"]
    assert lines[:2] == ["-c constraints.txt", "-e .[notebooks,test,gpu,real]"]
    assert set(lines[2:]) == asked(["notebooks", "test", "gpu", "real"])


@pytest.mark.parametrize("version", ["3.10", "3.11", "3.12", "3.13"])
def test_every_dependency_has_one_pin_within_its_range(version):
    for line in asked(["notebooks", "test", "gpu", "real", "scale"]):
        wanted = Requirement(line)
        found = [
            pin
            for pin in pins()
            if pin.name == wanted.name and (pin.marker is None or pin.marker.evaluate({"python_version": version}))
        ]
        assert len(found) == 1, f"{wanted.name} has {len(found)} pins for Python {version}"
        (exact,) = found[0].specifier
        assert exact.operator == "==" and wanted.specifier.contains(exact.version)


def test_what_is_installed_here_is_what_is_pinned():
    from importlib import metadata

    here = {dist.metadata["Name"].lower().replace("_", "-"): dist.version for dist in metadata.distributions()}
    differing = {
        pin.name: (str(pin.specifier), here[pin.name.lower().replace("_", "-")])
        for pin in pins()
        if pin.name.lower().replace("_", "-") in here and (pin.marker is None or pin.marker.evaluate())
        and not pin.specifier.contains(here[pin.name.lower().replace("_", "-")].split("+")[0], prereleases=True)
    }  # fmt: skip
    assert not differing, "the constraints file is not what was tested; `make test` installs with it"


def test_the_imported_package_is_ours():
    import spkit

    assert Path(spkit.__file__).parents[1] == ROOT
    assert spkit.__version__ == project()["version"]


def test_nothing_tells_readers_to_install_somebody_elses_package():
    texts = [
        ROOT / "README.md",
        *ROOT.glob("docs/*.md"),
        ROOT / "Makefile",
        *ROOT.glob("spkit/**/*.py"),
        *ROOT.glob("notebooks/**/*.ipynb"),
    ]
    assert not [path for path in texts if re.search(r"pip install (-U )?spkit\b", path.read_text())]


def test_ci_runs_what_readers_run():
    assert "make test\nmake whole\n" in (ROOT / ".ci" / "run").read_text()
    assert "\ntest-all: test whole\n" in (ROOT / "Makefile").read_text()
    readme = (ROOT / "README.md").read_text()
    assert "make demo" in readme and "make test" in readme


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The package laid out as in an installed wheel (`spkit` beside `spkit_data`), and no checkout near it."""
    site = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "spkit", site / "spkit", ignore=shutil.ignore_patterns("__pycache__"))
    (site / "spkit_data").mkdir()
    for part in (ROOT / "data").iterdir():
        (site / "spkit_data" / part.name).symlink_to(part)
    for part in COURSE:
        (site / "spkit_data" / "course" / part).parent.mkdir(parents=True, exist_ok=True)
        (site / "spkit_data" / "course" / part).symlink_to(ROOT / part)
    (site / "data").mkdir()  # another package's
    return site


def alone(installed: Path) -> dict[str, str]:
    """The environment in which that copy is what is imported."""
    return {**os.environ, "PYTHONPATH": str(installed), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "COLUMNS": "200"}


def from_the_wheel(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    code = "import spkit, sys; from spkit.cli.main import main; print(spkit.__file__, file=sys.stderr); main()"
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=folder, env=alone(installed), capture_output=True, text=True, timeout=200)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        *whole((["ledger"], "| **holds** |"), (["env", "--json"], '"models": "addition')),
        (
            [
                "run",
                "rft",
                "--task",
                "gsm8k:data/problems/word_problems",
                "--model",
                "words",
                "--problems",
                "2",
                "--k",
                "1",
                "--sft.steps",
                "1",
                "--test-per-difficulty",
                "1",
            ],
            "The run is in",
        ),
    ],
)
def test_commands_that_read_shipped_files_work_from_a_wheel_in_an_empty_folder(installed, tmp_path, arguments, said):
    done = from_the_wheel(installed, tmp_path, *arguments)
    assert str(installed) in done.stderr, "the copy is what was run"
    assert done.returncode == 0 and said in done.stdout, done.stdout + done.stderr


@pytest.mark.whole
def test_notebook_00_of_a_copied_course_shows_what_is_committed(installed, tmp_path):
    done = from_the_wheel(installed, tmp_path, "notebooks", "course")
    assert done.returncode == 0 and "begin with 00_self_play_toy_example.ipynb" in done.stdout, done.stderr
    copied = {str(path.relative_to(tmp_path / "course")) for path in (tmp_path / "course").rglob("*.ipynb")}
    assert copied == {str(path.relative_to(ROOT)) for path in (ROOT / "notebooks").rglob("*.ipynb")}
    nbval = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-p", "no:cacheprovider", "-q"]
    notebook = tmp_path / "course" / "notebooks" / "00_self_play_toy_example.ipynb"
    done = subprocess.run(
        [*nbval, notebook], cwd=tmp_path / "course", env=alone(installed), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


def test_a_folder_with_something_in_it_is_left_as_it_is(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(SpkitError, match="mine is there already and is left as it is: give the name of a new folder"):
        copy_course(tmp_path / "mine")
    with pytest.raises(SpkitError, match="notes.txt is there already"):
        copy_course(tmp_path / "mine" / "notes.txt")
    (tmp_path / "empty").mkdir()
    assert copy_course(tmp_path / "empty") and not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_copy_that_fails_half_way_leaves_nothing(tmp_path, monkeypatch):
    full = OSError(28, "No space left on device")
    monkeypatch.setattr(shutil, "copyfile", lambda *_, **__: (_ for _ in ()).throw(full))
    with pytest.raises(SpkitError, match=r"could not write the notebooks to .*course \(No space left on device\)"):
        copy_course(tmp_path / "course")
    assert not list(tmp_path.iterdir())


def test_results_that_are_here_come_before_those_that_are_shipped(tmp_path, monkeypatch):
    from spkit.run.shipped import data_folder, found

    monkeypatch.chdir(tmp_path)
    assert found("data/results") == data_folder() / "results" and found("data/nothing") == Path("data/nothing")
    assert found("elsewhere/data") == Path("elsewhere/data") and found(tmp_path / "data") == tmp_path / "data"
    (tmp_path / "data" / "results").mkdir(parents=True)
    assert found("data/results") == Path("data/results")


def test_the_wheel_takes_the_data_and_the_course_along():
    if sys.version_info < (3, 11):
        pytest.skip("tomllib came with Python 3.11")
    import tomllib

    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    course = {part: f"spkit_data/course/{part}" for part in COURSE}
    assert wheel["force-include"] == {"data": "spkit_data", **course}


def test_what_is_installed_by_choice_is_not_needed_to_import_the_claims_loops_and_exercises():
    chosen = ("peft", "bitsandbytes", "accelerate", "polars", "pyarrow", "gguf", "pydantic_monty", "datasets")
    modules = "spkit.claims, spkit.cli.main, spkit.exercises.dynamics_runs, spkit.exercises.updates, spkit.diagnose"
    code = f"import sys\nfor name in {chosen}: sys.modules[name] = None\nimport {modules}"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
