"""A page for each module of the packages that a reader may use, made of its docstrings."""

from pathlib import Path

PACKAGES = {
    "loops": "one file a method: its source, how it departs from it, its settings, its stages",
    "stages": "what loops share: propose, solve, verify, learn, measure",
    "tasks": "what is asked and how an answer is checked",
    "policy": "a language model that plays: loading, prompting, sampling, training",
    "maths": "advantages, losses, estimators, proposer rewards: pure functions",
    "measures": "accuracy, pass@k, token entropy, epiplexity, distances, what changed in the weights",
    "games": "self-play without a language model, in exact numbers",
    "run": "a run's folder, settings, random streams, tables, figures",
    "sandbox": "running Python that a model wrote",
}
SCRIPTS = {"spkit.sandbox.runner"}  # runs when it is imported
INDEX = """The package, from its docstrings
=================================

What a loop is made of can be used alone. Every page says shapes, units and the errors that are raised; *[source]* shows
the code.

"""


def api_pages(spkit: Path) -> dict[str, str]:
    """Path of each page on the site -> its text."""
    pages = {}
    for package in PACKAGES:
        modules = sorted(path for path in (spkit / package).rglob("*.py"))
        names = [_name(path, spkit.parent) for path in modules]
        top, *rest = sorted(set(names) - SCRIPTS)
        pages[f"api/{top}.rst"] = _page(top, rest)
        pages |= {f"api/{name}.rst": _page(name, []) for name in rest}
    rows = "".join(f":doc:`spkit.{name}`\n    {about}\n\n" for name, about in PACKAGES.items())
    pages["api/index.rst"] = INDEX + rows + _toctree(f"spkit.{name}" for name in PACKAGES)
    return pages


def _name(path: Path, top: Path) -> str:
    """The module's dotted name."""
    parts = path.relative_to(top).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _page(name: str, below: list[str]) -> str:
    members = f".. automodule:: {name}\n   :members:\n   :member-order: bysource\n   :ignore-module-all:\n\n"
    return f"{name}\n{'=' * len(name)}\n\n{members}{_toctree(below) if below else ''}"


def _toctree(names) -> str:
    return ".. toctree::\n   :maxdepth: 1\n\n" + "".join(f"   {name}\n" for name in names)
