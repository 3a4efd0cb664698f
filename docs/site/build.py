"""Build the site: `make site`, or python docs/site/build.py [--out build/site] [--repository owner/name].

Pages come from README.md, RESULTS.md, CONTRIBUTING.md, docs and the notebooks with their committed outputs; nothing is
run. A warning is an error. With the repository's address there are buttons that open a notebook on Colab or Binder.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(HERE)]

from api import api_pages  # noqa: E402
from notebook_pages import site_notebook  # noqa: E402
from pages import Levels, Site, headings_of, rewritten  # noqa: E402

NEEDED = ("sphinx", "myst_nb", "sphinx_book_theme", "sphinx-mathjax-offline")
GROUPS = {"Notebooks": "notebooks/0", "Exercises, with hidden solutions": "notebooks/exercises/", "Guides": "docs/"}


@cache
def headings(name: str) -> list[str]:
    """The headings of a page or notebook, by its path in the repository."""
    text = (ROOT / name).read_text(encoding="utf-8")
    if name.endswith(".ipynb"):
        cells = json.loads(text)["cells"]
        text = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return headings_of(text)


def lay_out(site: Site, folder: Path) -> None:
    """Write the sources into `folder`, which is made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    sources = site.sources()
    for place, name in sources.items():
        text = (ROOT / name).read_text(encoding="utf-8")

        def link(target: str, name: str = name) -> str | None:
            return site.target(name, target, headings)

        if name.endswith(".ipynb"):
            text = json.dumps(site_notebook(json.loads(text), name, link), ensure_ascii=False)
        else:
            text = rewritten(text, Levels(), link)
        write(folder / place, text + contents(list(sources)) if place == "index.md" else text)
    for place, text in api_pages(ROOT / "spkit").items():
        write(folder / place, text)
    for picture in [*(ROOT / "docs").glob("*.png"), ROOT / "data" / "results" / "demo.png"]:
        copied = folder / picture.relative_to(ROOT)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(picture, copied)


def copy_mathjax(folder: Path) -> None:
    """The one file that formulas are drawn with; the package has 24 MB of others."""
    found = Path(find_spec("sphinx-mathjax-offline").submodule_search_locations[0], "static", "mathjax", "tex-svg.js")
    (folder / "mathjax").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(found, folder / "mathjax" / found.name)


def contents(places: list[str]) -> str:
    """The tables of contents that the first page ends with, for the side of every page."""
    groups = {caption: [p for p in places if p.startswith(start)] for caption, start in GROUPS.items()}
    groups["Results and package"] = ["RESULTS.md", "CONTRIBUTING.md", "api/index.rst"]
    trees = (
        f"```{{toctree}}\n:hidden:\n:titlesonly:\n:caption: {caption}\n\n" + "\n".join(some) + "\n```\n"
        for caption, some in groups.items()
    )
    return "\n\n" + "\n".join(trees)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def build(out: Path, repository: str | None) -> int:
    """Build into `out`; returns Sphinx's exit code, 0 if there was no warning."""
    work = out.with_name(f"{out.name}-work")
    shutil.rmtree(out, ignore_errors=True)
    lay_out(Site(ROOT, repository), work / "sources")
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-c", str(HERE), "-d", str(work / "read"), "-q", "-E"]
    copy_mathjax(work / "static")
    options = [
        "-D",
        f"html_static_path=static,{work / 'static'}",
        "-W",
        "--keep-going",
        str(work / "sources"),
        str(out),
    ]
    environment = {**os.environ, "SPKIT_REPOSITORY": repository or "", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command + options, env=environment, cwd=ROOT)
    return done.returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "site")
    parser.add_argument("--repository", default="", help="owner/name on GitHub")
    asked = parser.parse_args()
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        parser.error(f"{', '.join(missing)} cannot be found: run make site, or pip install -e '.[site]' first.")
    if asked.repository and not re.fullmatch(r"[\w.-]+/[\w.-]+", asked.repository):
        parser.error(f"{asked.repository!r} is no repository on GitHub: write it as owner/name.")
    code = build(asked.out.resolve(), asked.repository or None)
    if code == 0:
        print(f"The site is in {asked.out}: open {asked.out / 'index.html'}")
    return code


if __name__ == "__main__":
    sys.exit(main())
