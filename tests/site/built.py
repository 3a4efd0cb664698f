"""The site, built once for the tests, and what a parser reads in its pages."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "docs" / "site" / "build.py"
LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "audio": "src"}
LOADING = ("stylesheet", "preload", "icon", "shortcut icon", "modulepreload")  # `rel` of a link that is fetched


def built_site(folder: Path) -> Path:
    """The site in `SPKIT_SITE` if that is set, or built into `folder`. Skips the test without the extra `site`."""
    if os.environ.get("SPKIT_SITE"):
        return Path(os.environ["SPKIT_SITE"]).resolve()
    if not all(find_spec(name) for name in ("sphinx", "myst_nb", "sphinx_book_theme", "sphinx-mathjax-offline")):
        pytest.skip("needs the extra `site`: make site")
    done = subprocess.run([sys.executable, BUILD, "--out", folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@dataclass
class Page(HTMLParser):
    """What a page links to, loads, and says of its pictures."""

    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    pictures: list[tuple[str, str | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids |= {given[name] for name in ("id", "name") if given.get(name)}
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        if tag in LOADS and given.get(LOADS[tag]):
            self.loaded.append(given[LOADS[tag]])
        if tag == "link" and given.get("rel") in LOADING:
            self.loaded.append(given["href"])
        if tag == "img":
            self.pictures.append((given.get("src", ""), given.get("alt")))


@cache
def read(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def is_external(address: str) -> bool:
    return "://" in address or address.startswith(("//", "mailto:"))


def dead_links(path: Path) -> list[str]:
    """The links and files of a page that lead to nothing here, places within pages included."""
    page, dead = read(path), []
    for address in {*page.links, *page.loaded}:
        where, place = urldefrag(address)
        if is_external(address) or where.startswith("data:"):
            continue
        file = (path.parent / unquote(where.partition("?")[0])).resolve() if where else path
        missing = not file.is_file()
        if missing or (place and file.suffix == ".html" and unquote(place) not in read(file).ids):
            dead.append(address)
    return sorted(dead)
