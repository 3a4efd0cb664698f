"""Links between the README, RESULTS, CONTRIBUTING, docs and the notebooks lead somewhere, headings included."""

from pathlib import Path
from urllib.parse import unquote

import pytest

from .pages import DOCS, NOTEBOOKS, PAGES, ROOT, anchors, links, name_of


def dead(path: Path) -> list[str]:
    """The relative links of a page that lead to no file, or to no heading of it."""
    found = []
    for target in links(path):
        where, _, anchor = target.partition("#")
        file = (path.parent / unquote(where)).resolve() if where else path
        if "://" in target or target.startswith("mailto:"):
            continue
        readable = file.suffix in (".md", ".ipynb")
        if not file.exists() or (anchor and not (readable and unquote(anchor) in anchors(file))):
            found.append(target)
    return found


@pytest.mark.parametrize("path", [*PAGES, *NOTEBOOKS], ids=name_of)
def test_links_between_the_pages_lead_somewhere(path):
    assert not dead(path)


def test_a_dead_link_would_be_found(tmp_path):
    (tmp_path / "other.md").write_text("# A title: with `code`\n\n```\n# no heading\n```\n")
    page = tmp_path / "page.md"
    page.write_text(
        "## Here\n[a](other.md) [b](other.md#a-title-with-code) [c](#here) [d](https://example.org/x#y)\n"
        "`[no](link.md)`\n"
        "[e](gone.md) [f](other.md#no-heading) [g](#there)\n![picture](gone.png)\n"
    )
    assert dead(page) == ["gone.md", "other.md#no-heading", "#there", "gone.png"]


def test_every_page_of_docs_is_linked_from_the_readme_or_a_page_that_is():
    seen, todo = set(), [ROOT / "README.md"]
    while todo:
        path = todo.pop()
        if path in seen or path.suffix != ".md" or not path.exists():
            continue
        seen.add(path)
        todo += [(path.parent / target.partition("#")[0]).resolve() for target in links(path) if "://" not in target]
    assert not set(DOCS.glob("*.md")) - seen
