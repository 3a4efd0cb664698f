"""What the tests of the pages share: where the pages are, their prose, headings, anchors and links."""

import ast
import io
import json
import re
import tokenize
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [*(ROOT / name for name in ("README.md", "RESULTS.md", "CONTRIBUTING.md")), *sorted(DOCS.glob("*.md"))]
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("[0-9]*.ipynb"))
MODULES = sorted((ROOT / "spkit").rglob("*.py"))
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
NAMES = re.compile(r"[a-z_ ]*_[a-z_ ]*")  # names of columns in one string
LINK = re.compile(r"\[([^\[\]]*(?:\[[^\]]*\][^\[\]]*)*)\]\(([^()\s]+(?:\([^()\s]*\)[^()\s]*)*)\)")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def markdown(path: Path) -> str:
    """The text of a page, or of all markdown cells of a notebook."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    cells = json.loads(text)["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def plain(text: str) -> str:
    """Markdown without code, formulas, comments, and the addresses of links."""
    for pattern in (FENCE, re.compile(r"<!--.*?-->", re.DOTALL), re.compile(r"`[^`\n]+`"), re.compile(r"\$[^$]+\$")):
        text = pattern.sub(" ", text)
    return LINK.sub(r"\1", text)


def headings(path: Path) -> list[str]:
    """The headings of a page or notebook, without their marks."""
    return re.findall(r"^#+ +(.+?) *$", FENCE.sub("", markdown(path)), re.MULTILINE)


def anchor(path: Path, heading: str) -> str:
    """What follows `#` in a link to a heading: JupyterLab's form for a notebook, GitHub's for a page."""
    if path.suffix != ".ipynb":
        heading = re.sub(r"[^\w\- ]", "", LINK.sub(r"\1", heading).lower())
    return heading.replace("`", "").replace(" ", "-")


def anchors(path: Path) -> set[str]:
    return {anchor(path, heading) for heading in headings(path)}


def links(path: Path) -> list[str]:
    """The targets of a page's links and pictures, those in code left out."""
    return [target for _, target in LINK.findall(re.sub(r"`[^`\n]*`", "", FENCE.sub("", markdown(path))))]


@cache
def sayings(path: Path) -> str:
    """What a module says to people: docstrings, comments and messages, so all that `--help` prints.

    The strings of tasks and bases are left out: they are what models read.
    """
    text = path.read_text(encoding="utf-8")
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    comments = [token.string for token in tokens if token.type == tokenize.COMMENT]
    tree, kinds = ast.parse(text), (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    if not {"tasks", "bases"} & set(path.parts):
        strings = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
        return "\n".join([*comments, *(text for text in strings if " " in text and not NAMES.fullmatch(text))])
    return "\n".join([*comments, *(ast.get_docstring(n) or "" for n in ast.walk(tree) if isinstance(n, kinds))])
