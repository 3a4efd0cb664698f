"""The repository's pages as sources of the site: where each goes, and where its links lead.

The tree stays as it is, so that a page has the same place in both; the README becomes the first page, an exercise is
built from its solutions. A link to a heading is written in the form that the site has for it, and a link to a file that
is no page leads to the repository, if there is one, and is plain text if not.
"""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

PICTURES = {".png", ".svg", ".jpg", ".gif"}
FENCE = re.compile(r"^ {0,3}(```+|~~~+)")
HEADING = re.compile(r"^(#{1,6}) +(.+?) *$")
LINK = re.compile(r"(!?)\[([^\[\]]*(?:\[[^\]]*\][^\[\]]*)*)\]\(([^()\s]+(?:\([^()\s]*\)[^()\s]*)*)\)")
CODE = re.compile(r"(`+[^`\n]+`+)")


@dataclass(frozen=True)
class Site:
    """The pages: the repository's files, and where on the site each is read."""

    root: Path
    repository: str | None = None  # owner/name on GitHub

    def places(self) -> dict[str, str]:
        """Path of every page in the repository -> path of its source on the site, both from the top."""
        top = {"README.md": "index.md", "RESULTS.md": "RESULTS.md", "CONTRIBUTING.md": "CONTRIBUTING.md"}
        docs = {f"docs/{path.name}": f"docs/{path.name}" for path in sorted((self.root / "docs").glob("*.md"))}
        notebooks = {}
        for path in sorted((self.root / "notebooks").rglob("[0-9]*.ipynb")):
            name = path.relative_to(self.root).as_posix()
            notebooks[name] = name.replace("/solutions/", "/exercises/")
        return top | docs | notebooks

    def sources(self) -> dict[str, str]:
        """Path of every source on the site -> the file that it is made from; an exercise is made from its solutions."""
        return {place: name for name, place in self.places().items() if "/exercises/" not in name}

    def target(self, page: str, target: str, headings: Callable[[str], list[str]]) -> str | None:
        """A link of the page `page` as the site has it; None if there is nothing it could lead to.

        `headings` gives the headings of a page by its path in the repository.
        """
        if "://" in target or target.startswith("mailto:"):
            return target
        where, _, anchor = target.partition("#")
        name = os.path.normpath(Path(page).parent / unquote(where)) if where else page
        name = Path(name).as_posix()
        places = self.places()
        if name in places:
            slug = f"#{slug_of(name, unquote(anchor), headings(name))}" if anchor else ""
            return f"{os.path.relpath(places[name], Path(places[page]).parent) if where else ''}{slug}".replace(
                "\\", "/"
            )
        if Path(name).suffix in PICTURES and (self.root / name).exists():
            return os.path.relpath(name, Path(places[page]).parent).replace("\\", "/")
        return f"https://github.com/{self.repository}/blob/main/{name}" if self.repository else None


def slug(heading: str) -> str:
    """The site's anchor of a heading: GitHub's form, formulas left out."""
    words = re.sub(r"\$[^$]+\$", "", LINK.sub(r"\2", heading)).replace("`", "").lower()
    return re.sub(r"[^\w\- ]", "", words).strip().replace(" ", "-")


def slug_of(name: str, anchor: str, headings: list[str]) -> str:
    """The site's anchor for the one in the repository: JupyterLab's form in a notebook, GitHub's in a page."""
    seen: Counter[str] = Counter()
    for heading in headings:
        ours = slug(heading)
        number = seen[ours]
        seen[ours] += 1
        here = heading.replace("`", "").replace(" ", "-") if name.endswith(".ipynb") else ours
        if here == anchor:
            return f"{ours}-{number}" if number else ours
    return anchor


def headings_of(text: str) -> list[str]:
    """The headings of a text in Markdown, without their marks."""
    return [match[2] for line, code in lines_of(text) if not code and (match := HEADING.match(line))]


def lines_of(text: str) -> Iterator[tuple[str, bool]]:
    """The lines of a text, each with whether it belongs to a block of code."""
    closing = None
    for line in text.split("\n"):
        fence = FENCE.match(line)
        yield line, closing is not None or fence is not None
        if fence:
            closing = fence[1] if closing is None else None if fence[1].startswith(closing) else closing


class Levels:
    """Ranks of headings without gaps, below one title: a second title is a section, and what follows is in it."""

    def __init__(self) -> None:
        self._open: list[float] = []

    def rank(self, rank: float) -> int:
        """The rank on the site of the page's next heading."""
        rank = 1.5 if rank == 1 and self._open else rank
        while self._open and self._open[-1] >= rank:
            self._open.pop()
        self._open.append(rank)
        return len(self._open)


def rewritten(text: str, levels: Levels, link: Callable[[str], str | None]) -> str:
    """The text with its links led anew by `link` and its headings in ranks without gaps; code is left as it is."""

    def led(match: re.Match) -> str:
        picture, words, target = match.groups()
        words = LINK.sub(led, words)
        found = link(target)
        return words if found is None else f"{picture}[{words}]({found})"

    def outside_code(line: str) -> str:
        return "".join(part if part.startswith("`") else LINK.sub(led, part) for part in CODE.split(line))

    lines = []
    for line, code in lines_of(text):
        heading = None if code else HEADING.match(line)
        if heading:
            line = f"{'#' * levels.rank(len(heading[1]))} {heading[2]}"
        # a link may have code in its words: then the whole line is looked at
        lines.append(line if code else LINK.sub(led, line) if re.search(r"\[[^\]\n]*`", line) else outside_code(line))
    return "\n".join(lines)
