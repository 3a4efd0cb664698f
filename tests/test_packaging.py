"""The files that install the project agree with one another."""

import re
import sys
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

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
    assert lines[:2] == ["-c constraints.txt", "-e .[notebooks,test,gpu]"]
    assert set(lines[2:]) == asked(["notebooks", "test", "gpu"])


@pytest.mark.parametrize("version", ["3.10", "3.11", "3.12", "3.13"])
def test_every_dependency_has_one_pin_within_its_range(version):
    for line in asked(["notebooks", "test", "gpu"]):
        wanted = Requirement(line)
        found = [pin for pin in pins() if pin.name == wanted.name and (pin.marker is None or pin.marker.evaluate({"python_version": version}))]
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
    texts = [ROOT / "README.md", ROOT / "Makefile", *ROOT.glob("spkit/**/*.py"), *ROOT.glob("notebooks/**/*.ipynb")]
    assert not [path for path in texts if re.search(r"pip install (-U )?spkit\b", path.read_text())]


def test_ci_runs_what_readers_run():
    assert "make test" in (ROOT / ".ci" / "run").read_text()
    readme = (ROOT / "README.md").read_text()
    assert "make demo" in readme and "make test" in readme
